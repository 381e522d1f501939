//! Clients of the host's feed.

use std::{io::Write, net::TcpStream};

use aura_tests::{Agent, Feed, Machine, Random, Request, Setup, wait_for, wait_until};
use serde_json::Value;

fn fast() -> Setup {
    Setup::default().config("sources: {host: {interval: 100ms}}\nfeed: {max_clients_per_address: 60}\n")
}

fn seq(message: &Value) -> u64 {
    assert_eq!(message["type"], "system_update", "{message}");
    message["seq"].as_u64().expect("a number")
}

/// Changes the machine. Each client is told so by the reading after the one that may be under way: on a machine that keeps the
/// pace of one reading a second, within two seconds.
fn change(agent: &Agent, machine: &Machine, random: &mut Random, clients: &mut [Feed]) {
    let kilobytes = 1_000_000 + random.below(1_000_000) as u64;
    machine.set_available(kilobytes);
    let before = agent.json("/api/system")["seq"].as_u64().unwrap();
    for client in clients {
        let told = loop {
            let message = client.message();
            if message["metrics"]["memory"]["available"].as_u64() == Some(kilobytes * 1024) {
                break seq(&message);
            }
        };
        assert!(told <= before + 2, "reading {told} was the first to tell of a change after {before}");
    }
}

/// Property 4: A change of the server shows on the page within two seconds.
#[test]
fn a_change_of_the_machine_reaches_every_connected_client_within_two_readings() {
    let setup = Setup::default();
    let machine = Machine::beside(&setup);
    let agent = setup.over(&machine).start();
    let mut clients: Vec<Feed> = (0..5).map(|_| agent.feed()).collect();
    let mut random = Random::any();
    for client in &mut clients {
        client.message();
    }
    for _ in 0..6 {
        change(&agent, &machine, &mut random, &mut clients);
    }
}

/// Property 4: A change of the server shows on the page within two seconds.
#[test]
fn a_hundred_changes_are_all_seen_in_their_order() {
    let setup = fast();
    let machine = Machine::beside(&setup);
    let agent = setup.over(&machine).start();
    let mut clients = [agent.feed()];
    clients[0].message();
    let mut random = Random::any();
    for _ in 0..100 {
        change(&agent, &machine, &mut random, &mut clients);
    }
}

#[test]
fn the_first_message_comes_at_once_and_then_one_with_each_reading() {
    let agent = Setup::default().config("sources: {host: {interval: 5m}}\n").start();
    let mut client = agent.feed();
    // A client waits for less than that, so that the first message comes before the second reading.
    let first = client.message();
    assert_eq!(first, agent.json("/api/system"), "the feed and its twin differ");
    assert_eq!(first["interval_seconds"], 300.0);
    assert_eq!(first["timestamp"], first["sampled_at"]);
    drop(client);

    let agent = fast().start();
    let mut client = agent.feed();
    let mut last = seq(&client.message());
    for _ in 0..20 {
        let next = seq(&client.message());
        assert_eq!(next, last + 1, "a reader that reads gets every message");
        last = next;
    }
}

#[test]
fn a_client_may_ask_for_a_slower_pace_and_is_told_what_is_not_understood() {
    let agent = fast().start();
    let mut slow = Feed::try_connect(agent.address(), "/ws/system?interval=1s", &[]).unwrap();
    let first = seq(&slow.message());
    let second = seq(&slow.message());
    assert!(second >= first + 5, "{second} came after {first}");

    let mut client = agent.feed();
    client.message();
    client.say("what is this?");
    let error = wait_for("the answer", || {
        let message = client.message();
        (message["type"] == "error").then_some(message)
    });
    assert_eq!(error["error"]["code"], "unknown_message");
    assert!(error["error"]["hint"].is_string());
    client.say(r#"{"type":"set_interval","interval":"1s"}"#);
    let mut last = seq(&client.message());
    wait_until("a slower pace", || {
        let next = seq(&client.message());
        let step = next - last;
        last = next;
        step >= 5
    });

    let refused = Feed::try_connect(agent.address(), "/ws/system?interval=soon", &[]);
    assert_eq!(refused.err(), Some(400));
}

#[test]
fn too_many_clients_of_one_address_are_told_to_come_back() {
    let agent = Setup::default().config("feed: {max_clients_per_address: 2}\n").start();
    let (one, _two) = (agent.feed(), agent.feed());
    assert_eq!(Feed::try_connect(agent.address(), "/ws/system", &[]).err(), Some(503));
    let upgrade =
        Request::new("GET", "/ws/system").header("Upgrade", "websocket").header("Sec-WebSocket-Version", "13");
    let request = upgrade.header("Connection", "upgrade").header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let answer = agent.send(&request);
    assert_eq!((answer.status, answer.error_code().as_str()), (503, "too_many_clients_of_address"));
    assert!(answer.header("retry-after").is_some());
    one.leave();
    wait_until("a free place", || Feed::try_connect(agent.address(), "/ws/system", &[]).is_ok());
}

/// Whatever clients do, the agent knows how many there are, and each of them gets the newest message.
/// Property 7: Feeds open with the page and come back by exponential backoff.
#[test]
fn any_sequence_of_connects_drops_and_reconnects_leaves_the_right_state() {
    const STEPS: usize = 160;
    let agent = fast().start();
    let mut random = Random::any();
    let mut clients: Vec<Feed> = Vec::new();
    let mut halves: Vec<TcpStream> = Vec::new();
    for step in 0..STEPS {
        let any = |random: &mut Random, clients: &Vec<Feed>| random.below(clients.len().max(1));
        match random.below(8) {
            0..=2 if clients.len() < 40 => clients.push(agent.feed()),
            3 if !clients.is_empty() => {
                let index = any(&mut random, &clients);
                clients.swap_remove(index).leave();
            }
            // Without a word, as when a lid is closed.
            4 if !clients.is_empty() => {
                let index = any(&mut random, &clients);
                drop(clients.swap_remove(index));
            }
            5 if !clients.is_empty() => {
                let index = any(&mut random, &clients);
                clients[index] = agent.feed();
            }
            6 => {
                // Half a handshake, held for a while.
                let mut half = TcpStream::connect(agent.address()).unwrap();
                half.write_all(b"GET /ws/system HTTP/1.1\r\nUpgrade: websocket\r\n").unwrap();
                halves.push(half);
                if halves.len() > 5 {
                    halves.clear();
                }
            }
            _ if !clients.is_empty() => {
                let index = any(&mut random, &clients);
                clients[index].message();
            }
            _ => {}
        }
        if step % 20 == 19 {
            let expected = clients.len() as f64;
            wait_until(&format!("{expected} clients after step {step}"), || {
                agent.scrape("/metrics/aura").value("aura_feed_clients", &[("feed", "system")]) == expected
            });
            let newest = agent.json("/api/system")["seq"].as_u64().unwrap();
            for client in &mut clients {
                while seq(&client.message()) < newest {}
            }
        }
    }
    let scrape = agent.scrape("/metrics/aura");
    assert_eq!(scrape.value("process_threads", &[]), threads_at_rest(), "clients have no threads of their own");
    clients.clear();
    wait_until("nobody", || agent.scrape("/metrics/aura").value("aura_feed_clients", &[("feed", "system")]) == 0.0);
    let encoded = || agent.scrape("/metrics/aura").value("aura_feed_encoded_messages_total", &[("feed", "system")]);
    let (before, readings) = (encoded(), agent.scrape("/metrics/aura"));
    let samples = readings.value("aura_source_samples_total", &[("source", "host")]);
    wait_until("ten more readings", || {
        agent.scrape("/metrics/aura").value("aura_source_samples_total", &[("source", "host")]) >= samples + 10.0
    });
    assert_eq!(encoded(), before, "messages are encoded although nobody listens");
}

fn threads_at_rest() -> f64 {
    let agent = fast().start();
    let mut client = agent.feed();
    client.message();
    agent.scrape("/metrics/aura").value("process_threads", &[])
}

#[test]
fn compression_is_agreed_on_unless_it_is_switched_off() {
    for (compression, agreed) in [(true, true), (false, false)] {
        let agent = Setup::default().config(&format!("feed: {{compression: {compression}}}\n")).start();
        let response = Request::new("GET", "/ws/system")
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
            .send(agent.address());
        assert_eq!(response.status, 101, "{response:?}");
        assert_eq!(response.header("sec-websocket-extensions").is_some(), agreed, "{response:?}");
    }
}
