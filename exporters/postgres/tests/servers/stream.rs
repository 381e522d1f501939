//! A server behind something that passes on, counts and freezes.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use aura_model::{Context, Interval, Reason, Source};
use aura_postgres::Statistics;
use aura_tests::PostgresServer;

use crate::{TIMEOUT, at, open, options, until_says};

/// Passes everything on to a server until it is frozen; then it keeps its connections and passes nothing on.
struct Stream {
    port: u16,
    frozen: Arc<AtomicBool>,
    /// How often the first client spoke after the server had; sizes have a connection of their own.
    turns: Arc<AtomicU32>,
}

fn passing_to(server: u16) -> Stream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let frozen = Arc::new(AtomicBool::new(false));
    let cold = Arc::clone(&frozen);
    let turns = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&turns);
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().filter_map(Result::ok).enumerate() {
            let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let server_spoke = Arc::new(AtomicBool::new(true));
            let ways = [(true, client.try_clone().unwrap(), server.try_clone().unwrap()), (false, server, client)];
            for (asks, mut from, mut to) in ways {
                let (cold, turns, server_spoke) = (Arc::clone(&cold), Arc::clone(&counted), Arc::clone(&server_spoke));
                std::thread::spawn(move || {
                    let mut bytes = [0; 64 << 10];
                    while let Ok(count) = from.read(&mut bytes) {
                        if server_spoke.swap(!asks, Ordering::Relaxed) && asks && number == 0 {
                            turns.fetch_add(1, Ordering::Relaxed);
                        }
                        while cold.load(Ordering::Relaxed) {
                            std::thread::sleep(Duration::from_millis(20));
                        }
                        if count == 0 || to.write_all(&bytes[..count]).is_err() {
                            return;
                        }
                    }
                });
            }
        }
    });
    Stream { port, frozen, turns }
}

#[test]
fn a_server_that_freezes_is_shown_so_and_the_other_keeps_its_pace() {
    let Some(server) = PostgresServer::start("") else { return };
    let stream = passing_to(server.port());
    let mut source = open(&options(vec![at(stream.port, "postgres"), at(server.port(), "postgres")]));
    let start = Instant::now();
    while !source.sample().unwrap().servers.iter().all(|server| server.up.value().is_some()) {
        assert!(start.elapsed() < TIMEOUT, "never both there");
    }
    stream.frozen.store(true, Ordering::Relaxed);
    let (start, mut clock, mut oldest) = (Instant::now(), 0.0, 0.0_f64);
    loop {
        let reading = source.sample().unwrap();
        let other = reading.servers[1].up.value().expect("the other is there");
        let now = other.cluster.value().unwrap().now;
        assert!(now > clock, "the other is asked anew each time");
        clock = now;
        match reading.servers[0].up.missing() {
            Some(missing) => {
                assert_eq!(missing.reason, Reason::Unreachable);
                break;
            }
            None => oldest = oldest.max(reading.servers[0].age_seconds),
        }
        assert!(start.elapsed() < TIMEOUT, "still shown as if it answered");
    }
    // What was shown meanwhile said how old it was, and was given up when it was too old.
    assert!(oldest > 0.0 && oldest < Context::STALE_AFTER.as_secs_f64() + 5.0, "{oldest}");
    stream.frozen.store(false, Ordering::Relaxed);
    until_says(&mut source, "the return", |statistics| statistics.cluster.value().is_some());
}

#[test]
fn a_sample_with_everything_due_takes_at_most_six_round_trips() {
    let Some(server) = PostgresServer::start("shared_preload_libraries = 'pg_stat_statements'") else { return };
    server.sql("postgres", "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_buffercache");
    server.sql("postgres", include_str!("../fixtures/debates.sql"));
    let stream = passing_to(server.port());
    let mut all = options(vec![at(stream.port, "postgres")]);
    all.slow_interval = Interval::from_millis(1);
    all.tables.interval = Interval::from_millis(1);
    all.tables.indexes = true;
    all.statements.metrics = true;
    let mut source = open(&all);
    let there =
        |statistics: &Statistics| statistics.debates.value().is_some() && statistics.statements.value().is_some();
    until_says(&mut source, "debates and statements", there);
    let (before, samples) = (stream.turns.load(Ordering::Relaxed), 20);
    for _ in 0..samples {
        assert!(there(source.sample().unwrap().servers[0].up.value().expect("an answer")));
        std::thread::sleep(Duration::from_millis(20));
    }
    let turns = stream.turns.load(Ordering::Relaxed) - before;
    assert!(turns >= samples, "{turns}");
    assert!(turns <= 6 * samples, "{turns} round trips in {samples} samples");
    eprintln!("{turns} round trips in {samples} samples");
}
