use proptest::prelude::*;

use super::*;

fn address(last: u8) -> IpAddr {
    [127, 0, 0, last].into()
}

fn permits(limit: usize, of_one_address: usize) -> Arc<Permits> {
    Arc::new(Permits { limit, of_one_address, granted: Mutex::default(), released: Notify::new() })
}

/// A activity as if it had been like this for so many seconds.
fn since(permit: &Permit, seconds: u64) {
    let mut state = permit.activity.state();
    state.since = state.since.checked_sub(Duration::from_secs(seconds)).unwrap();
}

fn asked(permit: &Permit, access: AccessLevel) {
    permit.activity.request_begun();
    permit.activity.admitted_as(access);
}

fn answered(permit: &Permit, access: AccessLevel) {
    asked(permit, access);
    permit.activity.response_begun();
}

fn has_to_leave(permit: &Permit) -> bool {
    let mut told = std::pin::pin!(permit.activity.evicted());
    told.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
}

#[test]
fn who_was_refused_leaves_first_and_who_is_known_last() {
    let permits = permits(6, 6);
    let enter = || permits.acquire(address(1)).unwrap();
    let (known, busy, caller, fresh, silent, refused) = (enter(), enter(), enter(), enter(), enter(), enter());
    answered(&known, AccessLevel::Authenticated);
    asked(&busy, AccessLevel::Anonymous);
    answered(&caller, AccessLevel::Anonymous);
    since(&silent, 2);
    answered(&refused, AccessLevel::Public);
    let mut newcomers = Vec::new();
    for leaves in [&refused, &silent, &caller, &fresh, &busy, &known] {
        assert!(!has_to_leave(leaves));
        let newcomer = enter();
        // Newcomers take part in none of this.
        asked(&newcomer, AccessLevel::Authenticated);
        newcomers.push(newcomer);
        assert!(has_to_leave(leaves));
    }
    // Now all are known and busy.
    assert!(permits.acquire(address(1)).is_none() && permits.acquire(address(2)).is_none());
    newcomers[3].activity.response_begun();
    assert!(permits.acquire(address(2)).is_some() && has_to_leave(&newcomers[3]));
}

#[test]
fn who_does_not_read_is_as_good_as_silent() {
    let permits = permits(2, 2);
    let (stalled, reads) = (permits.acquire(address(1)).unwrap(), permits.acquire(address(1)).unwrap());
    answered(&stalled, AccessLevel::Anonymous);
    answered(&reads, AccessLevel::Anonymous);
    since(&reads, 60);
    stalled.activity.wrote(false);
    assert!(
        stalled.activity.deadline() <= Instant::now() + WRITE_TIMEOUT
            && reads.activity.deadline() > Instant::now() + WRITE_TIMEOUT
    );
    let _newcomer = permits.acquire(address(1)).unwrap();
    assert!(has_to_leave(&stalled) && !has_to_leave(&reads));
    stalled.activity.wrote(true);
    assert!(stalled.activity.deadline() > Instant::now() + WRITE_TIMEOUT);
}

#[test]
fn one_address_has_its_share_and_ipv6_counts_by_network() {
    let permits = permits(8, 2);
    let crowd: Vec<_> =
        ["2001:db8::1", "2001:db8::2:3"].map(|address| permits.acquire(address.parse().unwrap())).into();
    let crowd: Vec<_> = crowd.into_iter().flatten().collect();
    let other = permits.acquire("2001:db8:0:1::1".parse().unwrap()).unwrap();
    let four = permits.acquire("::ffff:127.0.0.1".parse().unwrap()).unwrap();
    assert_eq!(four.activity.network(), address(1));
    let _newcomer = permits.acquire("2001:db8::9".parse().unwrap()).unwrap();
    assert!(has_to_leave(&crowd[0]) && !has_to_leave(&crowd[1]) && !has_to_leave(&other));
}

#[test]
fn a_proxy_has_no_share_and_takes_no_more_than_all() {
    let permits = permits(4, 2);
    let proxy: Vec<_> = (0..4).map(|_| permits.acquire_for_proxy(address(1)).unwrap()).collect();
    assert!(!proxy.iter().any(has_to_leave));
    let _newcomer = permits.acquire_for_proxy(address(1)).unwrap();
    assert_eq!(proxy.iter().filter(|permit| has_to_leave(permit)).count(), 1);
    assert_eq!(permits.granted().holders.len(), 4);
    // Somebody else comes in all the same, at the expense of who has the most.
    let _other = permits.acquire(address(2)).unwrap();
    assert_eq!(permits.granted().by_network[&address(1)], 3);
}

#[test]
fn what_is_left_is_counted_like_the_deadline_while_the_machine_runs() {
    let permits = permits(4, 4);
    let permit = permits.acquire(address(1)).unwrap();
    for (access, unread, timeout) in [
        (AccessLevel::Public, false, PUBLIC_TIMEOUT),
        (AccessLevel::Anonymous, false, ADMITTED_TIMEOUT),
        (AccessLevel::Anonymous, true, WRITE_TIMEOUT),
        (AccessLevel::Public, true, PUBLIC_TIMEOUT),
    ] {
        answered(&permit, access);
        permit.activity.wrote(!unread);
        let left = permit.activity.remaining();
        let by_the_clock = permit.activity.deadline().saturating_duration_since(Instant::now());
        assert!(left <= timeout && left + PUBLIC_TIMEOUT > timeout, "{left:?} of {timeout:?}");
        assert!(left + Duration::from_secs(1) >= by_the_clock, "{left:?} of {by_the_clock:?}");
    }
}

#[test]
fn who_was_not_let_in_has_little_time() {
    let permits = permits(8, 8);
    let permit = permits.acquire(address(1)).unwrap();
    let soon = || permit.activity.deadline() <= Instant::now() + PUBLIC_TIMEOUT;
    assert!(soon());
    answered(&permit, AccessLevel::Anonymous);
    assert!(!soon());
    answered(&permit, AccessLevel::Public);
    assert!(soon());
}

proptest! {
    /// Whatever comes and goes: limits hold, nobody leaves who is known and busy, a permit that was left is free, and
    /// somebody is sent away only where all who count are known and busy.
    #[test]
    fn limits_hold_and_the_known_stay(
        steps in prop::collection::vec((0..6_u8, 1..5_u8, any::<prop::sample::Index>()), 1..300),
    ) {
        let permits = permits(12, 5);
        let mut here: Vec<(Permit, bool)> = Vec::new();
        for (step, from, which) in steps {
            match step {
                0..=2 => {
                    let busy = |permit: &&(Permit, bool)| permit.1;
                    let all = here.iter().filter(busy).count();
                    let same = here.iter().filter(busy).filter(|(permit, _)| permit.activity.network() == address(from));
                    let same = same.count();
                    match permits.acquire(address(from)) {
                        Some(permit) => here.push((permit, false)),
                        None => prop_assert!(same >= 5 || all >= 12),
                    }
                    prop_assert!(!here.iter().any(|(permit, busy)| *busy && has_to_leave(permit)));
                    // Who has to leave does.
                    here.retain(|(permit, _)| {
                        permits.granted().holders.iter().any(|(_, activity)| Arc::ptr_eq(activity, &permit.activity))
                    });
                }
                _ if here.is_empty() => {}
                3 => drop(here.swap_remove(which.index(here.len()))),
                4 => {
                    let (permit, busy) = which.get_mut(&mut here);
                    asked(permit, AccessLevel::Authenticated);
                    *busy = true;
                }
                _ => {
                    let (permit, busy) = which.get_mut(&mut here);
                    answered(permit, [AccessLevel::Public, AccessLevel::Anonymous, AccessLevel::Authenticated][usize::from(from) % 3]);
                    *busy = false;
                }
            }
            let granted = permits.granted();
            prop_assert_eq!(granted.holders.len(), here.len());
            prop_assert!(granted.holders.len() <= 12 && granted.by_network.values().all(|count| (1..=5).contains(count)));
            prop_assert_eq!(granted.by_network.values().sum::<usize>(), here.len());
        }
        drop(here);
        prop_assert!(permits.granted().holders.is_empty() && permits.granted().by_network.is_empty());
    }
}
