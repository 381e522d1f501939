//! One slot a client: the newest message, whole, for the fast and for the slow.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

use crate::support::{Server, generous, wait_until};

/// A message that says its number, as long as a real one.
fn message(seq: u64) -> String {
    format!("{seq:<2000}")
}

fn number(text: &str) -> u64 {
    text.trim().parse().expect("a message is whole")
}

#[test]
fn a_client_gets_the_newest_at_once_and_then_each() {
    let server = Server::plain(generous());
    server.publish(7, message(7));
    let mut client = server.connect();
    assert_eq!(number(&client.text()), 7);
    for seq in 8..20 {
        server.publish(seq, message(seq));
        assert_eq!(number(&client.text()), seq);
    }
    // Counted once the kernel has it, so the client may be a moment ahead.
    wait_until("thirteen messages", || server.feed.stats().messages() == 13);
    let bytes = server.feed.stats().bytes();
    assert!((13 * 2004..13 * 2006).contains(&bytes), "{bytes}");
    assert_eq!(server.feed.stats().skipped(), 0);
}

#[test]
fn nothing_is_encoded_while_nobody_listens_and_once_for_all_who_do() {
    let server = Server::plain(generous());
    for seq in 1..=10 {
        server.publish(seq, message(seq));
    }
    assert_eq!(server.feed.stats().encoded(), 0);
    assert!(!server.feed.wanted());
    let mut clients: Vec<_> = (0..5).map(|_| server.connect()).collect();
    assert!(clients.iter_mut().all(|client| number(&client.text()) == 10));
    assert_eq!(server.feed.stats().encoded(), 1);
    assert_eq!(server.feed.latest().unwrap().text(), message(10));
    server.publish(11, message(11));
    assert!(clients.iter_mut().all(|client| number(&client.text()) == 11));
    assert_eq!(server.feed.stats().encoded(), 2);
}

#[test]
fn a_client_that_asks_for_a_slower_pace_gets_it() {
    let server = Server::plain(generous());
    server.publish(1, message(1));
    let mut slow = server.connect_with("/?interval=1h", &[]);
    let mut changed = server.connect();
    let mut fast = server.connect();
    for client in [&mut slow, &mut changed, &mut fast] {
        assert_eq!(number(&client.text()), 1);
    }
    changed.frame(0x81, br#"{"type":"set_interval","interval":"1h"}"#);
    changed.frame(0x89, b"done");
    assert_eq!(changed.read().unwrap().payload, b"done");
    for seq in 2..10 {
        server.publish(seq, message(seq));
        assert_eq!(number(&fast.text()), seq);
    }
    for client in [&mut slow, &mut changed] {
        client.frame(0x81, br#"{"type":"set_interval","interval":"1ms"}"#);
        client.frame(0x89, b"back");
        assert_eq!(client.read().unwrap().payload, b"back", "no message came in between");
    }
    std::thread::sleep(Duration::from_millis(2));
    server.publish(10, message(10));
    assert_eq!((number(&slow.text()), number(&changed.text())), (10, 10));
    assert_eq!(server.feed.stats().skipped(), 0, "what was not wanted was not missed");
}

/// A connection whose client can take in little before it reads.
fn small_window(server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.connect(&server.address.into()).unwrap();
    socket.into()
}

fn stalled_clients(server: &Server) {
    server.publish(1, message(1));
    // Half of them have the system's receive buffer, which takes in far more than four messages.
    let socket = |at| if at % 2 == 0 { small_window(server) } else { TcpStream::connect(server.address).unwrap() };
    let mut stalled: Vec<_> = (0..8).map(|at| server.request(socket(at), "/", &[]).0).collect();
    let mut healthy = server.connect();
    assert_eq!(number(&healthy.text()), 1);
    let last = 500;
    for seq in 2..=last {
        server.publish(seq, message(seq));
        assert_eq!(number(&healthy.text()), seq, "a healthy client misses nothing");
    }
    for client in &mut stalled {
        let mut old = Vec::new();
        loop {
            match number(&client.text()) {
                seq if seq == last => break,
                seq => old.push(seq),
            }
        }
        assert!(old.len() <= 4, "{old:?} before the newest");
        assert!(old.is_sorted(), "{old:?}");
    }
    assert!(server.feed.stats().skipped() >= 8 * (last - 6), "{}", server.feed.stats().skipped());
    // Those that read again are as good as any.
    server.publish(last + 1, message(last + 1));
    assert!(stalled.iter_mut().chain([&mut healthy]).all(|client| number(&client.text()) == last + 1));
}

#[test]
fn clients_that_stop_reading_get_the_newest_when_they_read_again() {
    stalled_clients(&Server::plain(generous()));
}

#[test]
fn the_same_over_tls() {
    stalled_clients(&Server::over_tls(generous()));
}

#[test]
fn a_long_message_arrives_whole_through_a_small_window() {
    for server in [Server::plain(generous()), Server::over_tls(generous())] {
        let long = "0123456789abcdef".repeat(40_000);
        server.publish(1, long.clone());
        let (mut client, _) = server.request(small_window(&server), "/", &[]);
        wait_until("the first write", || server.feed.stats().messages() == 1);
        server.publish(2, "second");
        server.publish(3, "third");
        client.frame(0x89, b"now");
        assert_eq!(client.text(), long, "what was begun is finished");
        let frames = [client.read().unwrap().payload, client.read().unwrap().payload];
        assert_eq!(frames, [b"now".to_vec(), b"third".to_vec()], "then control frames, then the newest");
        assert_eq!(server.feed.stats().skipped(), 1);
    }
}

#[test]
fn those_who_ask_get_it_compressed() {
    let server = Server::plain(generous());
    server.publish(1, message(1));
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
    let mut clients = [server.connect_with("/", &[offer]), server.connect_with("/", &[offer])];
    for seq in 1..5 {
        if seq > 1 {
            server.publish(seq, message(seq));
        }
        for client in &mut clients {
            let frame = client.read().unwrap();
            assert_eq!(frame.first, 0xC1);
            assert!(frame.payload.len() < 100, "{frame:?}");
            let mut text = Vec::with_capacity(4096);
            let deflated = [&frame.payload[..], &[0, 0, 0xFF, 0xFF]].concat();
            let flush = flate2::FlushDecompress::Sync;
            flate2::Decompress::new(false).decompress_vec(&deflated, &mut text, flush).unwrap();
            assert_eq!(number(std::str::from_utf8(&text).unwrap()), seq);
        }
    }
    assert_eq!(server.feed.stats().encoded(), 4);
}

#[test]
fn many_clients_all_get_every_message() {
    let server = Server::plain(generous());
    let mut clients: Vec<_> = (0..700).map(|_| server.connect()).collect();
    server.wait_for_clients(700);
    let started = Instant::now();
    for seq in 1..=5 {
        server.publish(seq, message(seq));
        for client in &mut clients {
            assert_eq!(number(&client.text()), seq, "after {:?}", started.elapsed());
        }
    }
}
