//! Clients that mean ill: each gets the right close code, and nobody else notices.

use std::{io::Write, net::TcpStream, time::Duration};

use aura_agent::publish::feed::{Closed, Limits};

use crate::support::{Client, Server, generous, masked, wait_until};

fn strict() -> Limits {
    Limits { clients_per_address: 10_000, close_timeout: Duration::from_secs(10), ..Limits::default() }
}

/// Runs an attack while a healthy client and a new one must be served as ever.
fn while_others_are_served(limits: Limits, mut attack: impl FnMut(&Server)) {
    for server in [Server::plain(limits.clone()), Server::over_tls(limits)] {
        server.publish(1, "1");
        let mut healthy = server.connect();
        assert_eq!(healthy.text(), "1");
        attack(&server);
        server.publish(2, "2");
        assert_eq!(healthy.text(), "2");
        assert_eq!(server.connect().text(), "2");
    }
}

fn closes_with(client: &mut Client, code: u16) {
    assert_eq!(client.close_code(), Some(code));
}

#[test]
fn messages_beyond_the_limit() {
    while_others_are_served(strict(), |server| {
        // Announced in a header whose payload never comes.
        let mut client = server.connect();
        client.send(&[0x82, 0xFF, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF]);
        closes_with(&mut client, 1009);
        // In fragments without an end.
        let mut client = server.connect();
        client.frame(0x01, b"begin");
        for _ in 0..100 {
            client.frame(0x00, &[b'x'; 100]);
        }
        closes_with(&mut client, 1009);
    });
}

#[test]
fn compressed_bombs() {
    while_others_are_served(strict(), |server| {
        let mut client = server.connect_with("/", &["Sec-WebSocket-Extensions: permessage-deflate"]);
        let mut bomb = Vec::with_capacity(10_000);
        let flush = flate2::FlushCompress::Sync;
        flate2::Compress::new(flate2::Compression::best(), false)
            .compress_vec(&vec![b' '; 1_000_000], &mut bomb, flush)
            .unwrap();
        assert!(bomb.len() < 4000);
        client.frame(0xC1, &bomb[..bomb.len() - 4]);
        closes_with(&mut client, 1009);
        let mut client = server.connect_with("/", &["Sec-WebSocket-Extensions: permessage-deflate"]);
        client.frame(0xC1, b"this is no deflate stream");
        closes_with(&mut client, 1007);
    });
}

#[test]
fn what_a_feed_does_not_understand() {
    while_others_are_served(strict(), |server| {
        let mut client = server.connect();
        assert_eq!(client.text(), "1");
        client.frame(0x81, b"what is this?");
        let reply = client.text();
        assert!(reply.contains(r#""type":"error""#) && reply.contains("unknown_message"), "{reply}");
        client.frame(0x82, b"\x00\x01");
        closes_with(&mut client, 1003);
    });
}

#[test]
fn frames_without_a_mask() {
    while_others_are_served(strict(), |server| {
        let mut client = server.connect();
        client.send(b"\x81\x05hello");
        closes_with(&mut client, 1002);
        drop(client);
        wait_until("it is counted", || server.feed.stats().closed(Closed::Protocol) == 1);
    });
}

#[test]
fn floods() {
    let ping = masked(0x89, &[b'p'; 125]);
    let empty = masked(0x8A, b"");
    let fragment = masked(0x00, b"");
    let unknown = masked(0x81, b"{}");
    while_others_are_served(strict(), |server| {
        for flood in [&ping, &empty, &fragment, &unknown] {
            let mut client = server.connect();
            if *flood == fragment {
                client.frame(0x01, b"");
            }
            let many = flood.repeat(40_000 / flood.len());
            (0..8).for_each(|_| client.send(&many));
            closes_with(&mut client, 1008);
        }
        wait_until("they are counted", || server.feed.stats().closed(Closed::Flood) == 4);
    });
}

#[test]
fn pings_whose_pongs_are_not_read_cost_one_pong() {
    let limits = Limits { incoming_burst: 1 << 30, ..strict() };
    while_others_are_served(limits, |server| {
        let mut client = server.connect();
        assert_eq!(client.text(), "1");
        let count = 40_000;
        let pings: Vec<u8> = (0..count).flat_map(|at| masked(0x89, format!("{at:0125}").as_bytes())).collect();
        client.send(&pings);
        client.frame(0x88, &[0x03, 0xE8]);
        let frames = client.rest();
        assert_eq!(frames.last().map(|frame| frame.first), Some(0x88));
        assert!(frames.iter().all(|frame| matches!(frame.first, 0x88..=0x8A)));
    });
}

#[test]
fn replies_that_are_not_read() {
    let limits = Limits { incoming_burst: 1 << 30, close_timeout: Duration::from_millis(100), ..strict() };
    let server = Server::echo(Limits { message_bytes: 1 << 20, ..limits }, false);
    let mut client = server.connect();
    let large = masked(0x81, &vec![b'*'; 1 << 20]);
    let sending = std::thread::spawn(move || {
        for _ in 0..64 {
            client.send(&large);
        }
        client
    });
    wait_until("the server gives up on it", || server.feed.stats().closed(Closed::Flood) == 1);
    drop(sending.join());
}

#[test]
fn nobody_waits_for_a_client_that_does_not_close() {
    let server = Server::plain(Limits { close_timeout: Duration::from_millis(200), ..strict() });
    let mut silent = server.connect();
    silent.send(b"\x81\x05hello");
    // It neither reads nor closes.
    server.wait_for_clients(0);
    assert_eq!(server.feed.stats().closed(Closed::Protocol), 1);
    let mut chatty = server.connect();
    chatty.send(b"\x81\x05hello");
    let mut chatting = chatty;
    let talking = std::thread::spawn(move || {
        for _ in 0..100 {
            chatting.send(&[0; 10_000]);
        }
    });
    server.wait_for_clients(0);
    talking.join().unwrap();
}

#[test]
fn churn() {
    while_others_are_served(generous(), |server| {
        for round in 0..300 {
            let mut socket = TcpStream::connect(server.address).unwrap();
            match round % 3 {
                0 => drop(socket),
                1 => {
                    let _ = socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgra");
                }
                _ => {
                    let (client, _) = server.request(socket, "/", &[]);
                    drop(client);
                }
            }
        }
        server.wait_for_clients(1);
        assert_eq!(server.feed.stats().closed(Closed::Gone), 100);
    });
}
