//! Clients come, go and come again; places are given back; the agent stops.

use std::{net::TcpStream, time::Duration};

use aura_agent::publish::feed::{Closed, Limits, Refused};
use proptest::prelude::*;

use crate::support::{Client, Server, generous, masked, wait_until};

/// What a sequence of events may hold.
#[derive(Clone, Debug)]
enum Step {
    Connect,
    /// The connection just ends.
    Drop(usize),
    /// The client says good-bye first.
    Leave(usize),
    Reconnect(usize),
    Publish,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Connect),
        1 => any::<usize>().prop_map(Step::Drop),
        1 => any::<usize>().prop_map(Step::Leave),
        2 => any::<usize>().prop_map(Step::Reconnect),
        3 => Just(Step::Publish),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]
    /// Property 7: Feeds open with the page and come back by exponential backoff.
    #[test]
    fn any_sequence_of_connects_drops_and_reconnects_leaves_the_right_state(
        steps in proptest::collection::vec(step(), 1..40), tls in proptest::bool::weighted(0.2),
    ) {
        let server = if tls { Server::over_tls(generous()) } else { Server::plain(generous()) };
        let mut clients: Vec<Client> = Vec::new();
        let mut seq = 0;
        let mut publish = |server: &Server| {
            seq += 1;
            server.publish(seq, seq.to_string());
            seq
        };
        publish(&server);
        for step in steps {
            match step {
                Step::Connect => clients.push(server.connect()),
                Step::Publish => { publish(&server); }
                Step::Drop(at) if !clients.is_empty() => drop(clients.swap_remove(at % clients.len())),
                Step::Leave(at) if !clients.is_empty() => {
                    let mut client = clients.swap_remove(at % clients.len());
                    client.frame(0x88, &1000u16.to_be_bytes());
                    prop_assert_eq!(client.close_code(), Some(1000));
                }
                Step::Reconnect(at) if !clients.is_empty() => {
                    let at = at % clients.len();
                    drop(std::mem::replace(&mut clients[at], server.connect()));
                }
                Step::Drop(_) | Step::Leave(_) | Step::Reconnect(_) => {}
            }
        }
        server.wait_for_clients(clients.len() as u64);
        let newest = publish(&server).to_string();
        for client in &mut clients {
            let mut last = 0;
            loop {
                let text = client.text();
                let number: u64 = text.parse().unwrap();
                prop_assert!(number > last, "{} after {}", number, last);
                last = number;
                if text == newest {
                    break;
                }
            }
        }
        let stats = server.feed.stats();
        let closed: u64 = Closed::ALL.into_iter().map(|reason| stats.closed(reason)).sum();
        prop_assert_eq!(stats.opened() - closed, clients.len() as u64);
    }
}

#[test]
fn there_is_room_for_so_many_and_no_more() {
    let limits = Limits { clients: 3, clients_per_address: 2, ..generous() };
    let server = Server::plain(limits.clone());
    let refused = |reason| server.feed.stats().refused(reason);
    let first = server.connect();
    let _second = server.connect();
    let attempt = || server.request(TcpStream::connect(server.address).unwrap(), "/", &[]).1;
    let head = attempt();
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 10"), "{head}");
    assert_eq!((refused(Refused::Address), refused(Refused::Clients)), (1, 0));
    server.feeds.set_limits(Limits { clients: 2, clients_per_address: 3, ..limits });
    assert!(attempt().starts_with("HTTP/1.1 503 "));
    assert_eq!((refused(Refused::Address), refused(Refused::Clients)), (1, 1));
    drop(first);
    server.wait_for_clients(1);
    server.connect();
}

#[test]
fn what_comes_together_with_the_handshake_is_not_lost() {
    for server in [Server::plain(generous()), Server::over_tls(generous())] {
        server.publish(1, "one");
        // A whole frame, and one whose end comes later.
        let early = [masked(0x89, b"early"), masked(0x89, b"late")[..4].to_vec()].concat();
        let socket = TcpStream::connect(server.address).unwrap();
        let (mut client, _) = server.request_and_more(socket, "/", &[], &early);
        assert_eq!(client.text(), "one");
        assert_eq!(client.read().unwrap().payload, b"early");
        client.send(&masked(0x89, b"late")[4..]);
        assert_eq!(client.read().unwrap().payload, b"late");
    }
}

#[test]
fn a_page_of_another_site_is_refused() {
    let server = Server::plain(generous());
    let attempt = |origin: &str| {
        let socket = TcpStream::connect(server.address).unwrap();
        server.request(socket, "/", &[&format!("Origin: {origin}")]).1
    };
    assert!(attempt("https://evil.example").starts_with("HTTP/1.1 403 "));
    assert!(attempt("http://localhost").starts_with("HTTP/1.1 101 "));
    assert_eq!(server.feed.stats().refused(Refused::Origin), 1);
}

#[test]
fn stopping_says_good_bye_to_all_and_waits_for_their_answer() {
    for server in [Server::plain(generous()), Server::over_tls(generous())] {
        server.publish(1, "one");
        let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| assert_eq!(client.text(), "one"));
        let feeds = server.feeds.clone();
        let stopping = std::thread::spawn(move || feeds.shutdown(Duration::from_secs(60)));
        for client in &mut clients {
            let close = client.read().unwrap();
            assert_eq!((close.first, &close.payload[..2]), (0x88, &1001u16.to_be_bytes()[..]));
            client.frame(0x88, &1001u16.to_be_bytes());
            assert_eq!(client.read(), None);
        }
        stopping.join().unwrap();
        assert_eq!(server.feed.stats().closed(Closed::Shutdown), 20);
        assert_eq!(server.feed.stats().clients(), 0);
    }
}

#[test]
fn stopping_does_not_wait_for_those_who_never_answer() {
    let server = Server::plain(generous());
    let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
    wait_until("the clients are there", || server.feed.stats().opened() == 20);
    server.feeds.shutdown(Duration::from_millis(300));
    for client in &mut clients {
        assert_eq!(client.close_code(), Some(1001));
    }
}

#[test]
fn the_thread_ends_with_the_last_handle() {
    let server = Server::plain(generous());
    let mut client = server.connect();
    wait_until("the client is there", || server.feed.stats().opened() == 1);
    drop(server);
    assert_eq!(client.close_code(), Some(1001));
}

#[test]
fn a_silent_peer_is_asked_and_then_dropped() {
    let limits =
        Limits { ping_interval: Duration::from_millis(1), idle_timeout: Duration::from_millis(2500), ..generous() };
    let server = Server::plain(limits);
    let mut dead = server.connect();
    let mut alive = server.connect();
    let answering = std::thread::spawn(move || {
        while let Some(frame) = alive.read_any() {
            if frame.first == 0x88 {
                return u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
            }
            assert_eq!(frame.first, 0x89, "{frame:?}");
            alive.frame(0x8A, &frame.payload);
        }
        0
    });
    wait_until("the silent one is dropped", || server.feed.stats().closed(Closed::Dead) == 1);
    while let Some(frame) = dead.read_any() {
        assert_eq!(frame.first, 0x89, "{frame:?}");
    }
    // The socket of the one that left is closed before it is no longer counted.
    wait_until("the one that answers stays alone", || server.feed.stats().clients() == 1);
    server.feeds.shutdown(Duration::from_secs(5));
    assert_eq!(answering.join().unwrap(), 1001);
}
