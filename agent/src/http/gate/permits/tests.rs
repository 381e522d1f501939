use proptest::prelude::*;

use super::*;

fn address(last: u8) -> IpAddr {
    [127, 0, 0, last].into()
}

fn places(limit: usize, of_one_address: usize) -> Arc<Places> {
    Arc::new(Places { limit, of_one_address, taken: Mutex::default(), emptied: Notify::new() })
}

/// A seat as if it had been like this for so many seconds.
fn since(place: &Place, seconds: u64) {
    let mut conduct = place.seat.conduct();
    conduct.since = conduct.since.checked_sub(Duration::from_secs(seconds)).unwrap();
}

fn asked(place: &Place, standing: Standing) {
    place.seat.asked();
    place.seat.received(standing);
}

fn answered(place: &Place, standing: Standing) {
    asked(place, standing);
    place.seat.answered();
}

fn has_to_leave(place: &Place) -> bool {
    let mut told = std::pin::pin!(place.seat.told_to_leave());
    told.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
}

#[test]
fn who_was_refused_leaves_first_and_who_is_known_last() {
    let places = places(6, 6);
    let enter = || places.enter(address(1)).unwrap();
    let (known, busy, guest, fresh, silent, refused) = (enter(), enter(), enter(), enter(), enter(), enter());
    answered(&known, Standing::Known);
    asked(&busy, Standing::Guest);
    answered(&guest, Standing::Guest);
    since(&silent, 2);
    answered(&refused, Standing::Stranger);
    let mut newcomers = Vec::new();
    for leaves in [&refused, &silent, &guest, &fresh, &busy, &known] {
        assert!(!has_to_leave(leaves));
        let newcomer = enter();
        // Newcomers take part in none of this.
        asked(&newcomer, Standing::Known);
        newcomers.push(newcomer);
        assert!(has_to_leave(leaves));
    }
    // Now all are known and busy.
    assert!(places.enter(address(1)).is_none() && places.enter(address(2)).is_none());
    newcomers[3].seat.answered();
    assert!(places.enter(address(2)).is_some() && has_to_leave(&newcomers[3]));
}

#[test]
fn who_does_not_read_is_as_good_as_silent() {
    let places = places(2, 2);
    let (stuck, reads) = (places.enter(address(1)).unwrap(), places.enter(address(1)).unwrap());
    answered(&stuck, Standing::Guest);
    answered(&reads, Standing::Guest);
    since(&reads, 60);
    stuck.seat.wrote(false);
    assert!(stuck.seat.deadline() <= Instant::now() + UNREAD && reads.seat.deadline() > Instant::now() + UNREAD);
    let _newcomer = places.enter(address(1)).unwrap();
    assert!(has_to_leave(&stuck) && !has_to_leave(&reads));
    stuck.seat.wrote(true);
    assert!(stuck.seat.deadline() > Instant::now() + UNREAD);
}

#[test]
fn one_address_has_its_share_and_ipv6_counts_by_network() {
    let places = places(8, 2);
    let crowd: Vec<_> = ["2001:db8::1", "2001:db8::2:3"].map(|address| places.enter(address.parse().unwrap())).into();
    let crowd: Vec<_> = crowd.into_iter().flatten().collect();
    let other = places.enter("2001:db8:0:1::1".parse().unwrap()).unwrap();
    let four = places.enter("::ffff:127.0.0.1".parse().unwrap()).unwrap();
    assert_eq!(four.seat.network(), address(1));
    let _newcomer = places.enter("2001:db8::9".parse().unwrap()).unwrap();
    assert!(has_to_leave(&crowd[0]) && !has_to_leave(&crowd[1]) && !has_to_leave(&other));
}

#[test]
fn a_proxy_has_no_share_and_takes_no_more_than_all() {
    let places = places(4, 2);
    let proxy: Vec<_> = (0..4).map(|_| places.enter_for_others(address(1)).unwrap()).collect();
    assert!(!proxy.iter().any(has_to_leave));
    let _newcomer = places.enter_for_others(address(1)).unwrap();
    assert_eq!(proxy.iter().filter(|place| has_to_leave(place)).count(), 1);
    assert_eq!(places.taken().seats.len(), 4);
    // Somebody else comes in all the same, at the expense of who has the most.
    let _other = places.enter(address(2)).unwrap();
    assert_eq!(places.taken().by_network[&address(1)], 3);
}

#[test]
fn what_is_left_is_counted_like_the_deadline_while_the_machine_runs() {
    let places = places(4, 4);
    let place = places.enter(address(1)).unwrap();
    for (standing, unread, patience) in [
        (Standing::Stranger, false, STRANGER),
        (Standing::Guest, false, GUEST),
        (Standing::Guest, true, UNREAD),
        (Standing::Stranger, true, STRANGER),
    ] {
        answered(&place, standing);
        place.seat.wrote(!unread);
        let left = place.seat.left();
        let by_the_clock = place.seat.deadline().saturating_duration_since(Instant::now());
        assert!(left <= patience && left + STRANGER > patience, "{left:?} of {patience:?}");
        assert!(left + Duration::from_secs(1) >= by_the_clock, "{left:?} of {by_the_clock:?}");
    }
}

#[test]
fn who_was_not_let_in_has_little_time() {
    let places = places(8, 8);
    let place = places.enter(address(1)).unwrap();
    let soon = || place.seat.deadline() <= Instant::now() + STRANGER;
    assert!(soon());
    answered(&place, Standing::Guest);
    assert!(!soon());
    answered(&place, Standing::Stranger);
    assert!(soon());
}

proptest! {
    /// Whatever comes and goes: limits hold, nobody leaves who is known and busy, a place that was left is free, and
    /// somebody is sent away only where all who count are known and busy.
    #[test]
    fn limits_hold_and_the_known_stay(
        steps in prop::collection::vec((0..6_u8, 1..5_u8, any::<prop::sample::Index>()), 1..300),
    ) {
        let places = places(12, 5);
        let mut here: Vec<(Place, bool)> = Vec::new();
        for (step, from, which) in steps {
            match step {
                0..=2 => {
                    let busy = |place: &&(Place, bool)| place.1;
                    let all = here.iter().filter(busy).count();
                    let same = here.iter().filter(busy).filter(|(place, _)| place.seat.network() == address(from));
                    let same = same.count();
                    match places.enter(address(from)) {
                        Some(place) => here.push((place, false)),
                        None => prop_assert!(same >= 5 || all >= 12),
                    }
                    prop_assert!(!here.iter().any(|(place, busy)| *busy && has_to_leave(place)));
                    // Who has to leave does.
                    here.retain(|(place, _)| {
                        places.taken().seats.iter().any(|(_, seat)| Arc::ptr_eq(seat, &place.seat))
                    });
                }
                _ if here.is_empty() => {}
                3 => drop(here.swap_remove(which.index(here.len()))),
                4 => {
                    let (place, busy) = which.get_mut(&mut here);
                    asked(place, Standing::Known);
                    *busy = true;
                }
                _ => {
                    let (place, busy) = which.get_mut(&mut here);
                    answered(place, [Standing::Stranger, Standing::Guest, Standing::Known][usize::from(from) % 3]);
                    *busy = false;
                }
            }
            let taken = places.taken();
            prop_assert_eq!(taken.seats.len(), here.len());
            prop_assert!(taken.seats.len() <= 12 && taken.by_network.values().all(|count| (1..=5).contains(count)));
            prop_assert_eq!(taken.by_network.values().sum::<usize>(), here.len());
        }
        drop(here);
        prop_assert!(places.taken().seats.is_empty() && places.taken().by_network.is_empty());
    }
}
