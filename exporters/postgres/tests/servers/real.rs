//! Against a real server: what is shown is what the server says, and each fault costs what it must and no more.

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use aura_model::{Interval, Reason, Source};
use aura_postgres::{Postgres, PostgresOptions, PostgresReading, ServerOptions};
use aura_tests::PostgresServer;

use crate::{at, open, statistics, until};

fn options(servers: Vec<ServerOptions>) -> PostgresOptions {
    PostgresOptions { answer_timeout: Interval::from_millis(1500), ..super::options(servers) }
}

#[test]
fn what_is_shown_is_what_the_server_says() {
    let Some(server) = PostgresServer::start("shared_preload_libraries = 'pg_stat_statements'") else { return };
    server.sql("postgres", "CREATE EXTENSION pg_stat_statements");
    server.sql(
        "postgres",
        "CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t SELECT n, 'x' FROM generate_series(1, 1000) n",
    );
    let mut options = options(vec![at(server.port(), "postgres")]);
    options.statements.metrics = true;
    let mut source = open(&options);
    let reading = until(&mut source, "the rows of t", |reading| {
        let tables = statistics(reading).tables.value();
        let sizes = statistics(reading).table_sizes.value();
        sizes.is_some_and(|sizes| sizes.tables.iter().any(|table| table.name == "t"))
            && statistics(reading).database_sizes.value().is_some_and(|sizes| sizes.without.is_none())
            && tables.is_some_and(|tables| tables.iter().any(|table| table.name == "t" && table.inserted == 1000))
    });
    let now = statistics(&reading);
    let shown: Vec<_> = now.missing().map(|(part, missing)| (part, missing.reason)).collect();
    assert_eq!(shown, [("debates", Reason::NoTable)]);
    let number = |sql: &str| server.sql("postgres", sql).parse::<f64>().unwrap_or_else(|_| panic!("{sql}"));
    let cluster = now.cluster.value().unwrap();
    assert!((cluster.started - number("SELECT extract(epoch FROM pg_postmaster_start_time())")).abs() < 1e-3);
    assert!(!cluster.in_recovery);
    let settings = now.settings.value().unwrap();
    assert_eq!(
        settings.get("max_connections"),
        Some(number("SELECT setting FROM pg_settings WHERE name = 'max_connections'"))
    );
    let buffers = number("SELECT pg_size_bytes(current_setting('shared_buffers'))");
    assert_eq!(settings.get("shared_buffers_bytes"), Some(buffers));
    let sizes = now.table_sizes.value().unwrap();
    let size = sizes.tables.iter().find(|table| table.name == "t").unwrap();
    assert_eq!(size.table_bytes.unwrap() as f64, number("SELECT pg_table_size('t')"));
    assert_eq!(size.index_bytes.unwrap() as f64, number("SELECT pg_indexes_size('t')"));
    let database = now.database_sizes.value().unwrap().databases.iter().find(|one| one.name == "template1").unwrap();
    assert_eq!(database.bytes.unwrap() as f64, number("SELECT pg_database_size('template1')"));
    assert!(!now.statements.value().unwrap().0.is_empty());
    // A counter that nobody moves any more must be equal; deadlocks never happened, so exactly 0.
    let postgres = now.databases.value().unwrap().iter().find(|one| one.name == "postgres").unwrap();
    assert_eq!(postgres.deadlocks, 0);
    let view = number("SELECT n_tup_ins + n_live_tup FROM pg_stat_user_tables WHERE relname = 't'");
    let table = now.tables.value().unwrap().iter().find(|table| table.name == "t").unwrap();
    assert_eq!((table.inserted + table.live) as f64, view);
}

#[test]
fn settings_are_the_servers_and_not_those_of_the_agents_own_session() {
    let Some(server) = PostgresServer::start("statement_timeout = 7s") else { return };
    server.sql("postgres", "CREATE ROLE aura LOGIN; GRANT pg_monitor TO aura; ALTER ROLE aura SET enable_sort = off");
    let mut patient = options(vec![at(server.port(), "aura")]);
    // What a role forbids the planner makes queries seem expensive, so that the server compiles them first.
    patient.answer_timeout = Interval::from_secs(20);
    patient.timeout = Interval::from_secs(20);
    let mut source = open(&patient);
    let reading = until(&mut source, "the settings", |reading| statistics(reading).settings.value().is_some());
    let shown = statistics(&reading).settings.value().unwrap().clone();
    // Those without a unit, which are shown as the server writes them; those of a TCP connection differ on psql's socket.
    let said = server.sql(
        "postgres",
        "SELECT name, CASE setting WHEN 'on' THEN '1' WHEN 'off' THEN '0' ELSE setting END FROM pg_settings
         WHERE (vartype = 'bool' OR vartype IN ('integer', 'real') AND unit IS NULL) AND name NOT LIKE 'tcp_%'",
    );
    let mut absent = Vec::new();
    for (name, value) in said.lines().filter_map(|line| line.split_once('|')) {
        match shown.get(&name.replace('.', "_")) {
            Some(shown) => assert_eq!(Some(shown), value.parse().ok(), "{name}"),
            None => absent.push(name),
        }
    }
    assert_eq!(absent, ["default_transaction_read_only", "enable_sort", "transaction_read_only"]);
    assert_eq!(shown.get("statement_timeout_seconds"), None);
}

#[test]
fn new_debates_are_read_and_unchanged_ones_are_not() {
    let Some(server) = PostgresServer::start("") else { return };
    server.sql("postgres", include_str!("../fixtures/debates.sql"));
    let mut quiet = options(vec![at(server.port(), "postgres")]);
    quiet.slow_interval = Interval::from_secs(3600);
    let mut source = open(&quiet);
    let count = |reading: &PostgresReading| statistics(reading).debates.value().map(|debates| debates.debates.len());
    let empty = until(&mut source, "no debates", |reading| count(reading) == Some(0));
    assert_eq!(statistics(&empty).rankings.value().unwrap().len(), 3);
    let same = source.sample().unwrap();
    let again = source.sample().unwrap();
    let (same, again) = (statistics(&same).debates.value().unwrap(), statistics(&again).debates.value().unwrap());
    assert!(std::sync::Arc::ptr_eq(same, again), "nothing had changed");
    server.sql(
        "postgres",
        "INSERT INTO debates (id, topic, model_a, model_b, winner, status, started_at, completed_at) VALUES \
         ('00000000-0000-4000-8000-000000000001', 'Is it?', 'red:1b', 'blue:3b', 'red:1b', 'completed', \
         '2025-12-01 06:00:00', '2025-12-01 06:02:30')",
    );
    let began = Instant::now();
    let reading = until(&mut source, "the new debate", |reading| count(reading) == Some(1));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let debate = &statistics(&reading).debates.value().unwrap().debates[0];
    assert_eq!(debate.completed_at.as_deref(), Some("2025-12-01T06:02:30.000"));
    assert_eq!(debate.duration_seconds, Some(150.0));
    server.sql("postgres", "UPDATE debates SET winner = NULL");
    until(&mut source, "the changed winner", |reading| {
        statistics(reading).debates.value().is_some_and(|debates| debates.debates[0].winner.is_none())
    });
    server.sql(
        "postgres",
        "INSERT INTO debate_rounds (debate_id, round_number, round_type, model_name, argument) \
        SELECT id, 1, 'opening', 'red:1b', '[Error: no]' FROM debates",
    );
    until(&mut source, "the failed round", |reading| {
        statistics(reading).rounds.value().is_some_and(|rounds| rounds.iter().any(|round| round.errors == 1))
    });
    server.sql("postgres", "DROP TABLE debate_rounds, debates, model_rankings");
    until(&mut source, "no tables", |reading| {
        statistics(reading).debates.missing().is_some_and(|missing| missing.reason == Reason::NoTable)
    });
}

#[test]
fn a_role_without_rights_sees_what_it_may_and_is_told_what_to_grant() {
    let Some(server) = PostgresServer::start("") else { return };
    server.sql("postgres", include_str!("../fixtures/debates.sql"));
    server.sql("postgres", "CREATE ROLE aura LOGIN");
    let mut source = open(&options(vec![at(server.port(), "aura")]));
    let reading = until(&mut source, "debates denied", |reading| {
        statistics(reading).debates.missing().is_some_and(|missing| missing.reason == Reason::NoPermission)
    });
    let now = statistics(&reading);
    assert!(!now.cluster.value().unwrap().sees_all);
    let wal = now.wal.missing().unwrap();
    assert_eq!(wal.reason, Reason::NoPermission);
    assert!(wal.detail.contains("GRANT pg_monitor TO \"aura\";"), "{wal}");
    let debates = now.debates.missing().unwrap();
    assert!(debates.detail.contains("GRANT SELECT ON debates TO \"aura\";"), "{debates}");
    assert!(now.databases.value().is_some() && now.locks.value().is_some() && now.settings.value().is_some());
}

#[test]
fn a_server_that_is_killed_and_comes_back_is_read_again() {
    let Some(server) = PostgresServer::start("") else { return };
    let socket =
        ServerOptions { host: Some(server.folder().to_string_lossy().into_owned()), ..at(server.port(), "postgres") };
    let mut source = open(&options(vec![socket]));
    let first = source.sample().unwrap();
    assert_eq!((statistics(&first).version > 0, first.servers[0].connects), (true, 1));
    server.kill();
    let away = until(&mut source, "the loss", |reading| reading.servers[0].up.value().is_none());
    assert_eq!(away.servers[0].up.missing().unwrap().reason, Reason::Unreachable);
    server.start_again();
    let back = until(&mut source, "the return", |reading| reading.servers[0].up.value().is_some());
    assert_eq!(back.servers[0].connects, 2);
    server.stop();
    until(&mut source, "the stop", |reading| reading.servers[0].up.value().is_none());
    server.start_again();
    until(&mut source, "the second return", |reading| reading.servers[0].up.value().is_some());
}

#[test]
fn when_all_connections_are_taken_it_says_so_and_the_one_that_lasts_goes_on() {
    let Some(server) =
        PostgresServer::start("max_connections = 6\nsuperuser_reserved_connections = 1\nmax_wal_senders = 0")
    else {
        return;
    };
    server.sql("postgres", "CREATE ROLE aura LOGIN");
    let mine = options(vec![at(server.port(), "aura")]);
    let mut source = open(&mine);
    statistics(&source.sample().unwrap());
    let mut others: Vec<Postgres> = (0..6).map(|_| open(&mine)).collect();
    let refused = others.iter_mut().filter_map(|other| other.sample().unwrap().servers[0].up.missing().cloned());
    let refused: Vec<_> = refused.collect();
    assert!(!refused.is_empty());
    for missing in &refused {
        assert!(missing.detail.contains("max_connections"), "{missing}");
    }
    statistics(&source.sample().unwrap());
}

/// Accepts connections and never says anything.
fn hung() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let streams: Vec<TcpStream> = listener.incoming().filter_map(Result::ok).collect();
        drop(streams);
    });
    port
}

#[test]
fn a_server_that_never_answers_is_late_alone() {
    let Some(server) = PostgresServer::start("") else { return };
    let servers = vec![at(server.port(), "postgres"), at(hung(), "postgres")];
    let mut source = open(&options(servers));
    statistics(&source.sample().unwrap());
    for _ in 0..10 {
        let began = Instant::now();
        let reading = source.sample().unwrap();
        // Far below the timeout of an answer: the sample does not wait for the hung one.
        assert!(began.elapsed() < Duration::from_millis(1200), "{:?}", began.elapsed());
        assert!(reading.servers[0].up.value().is_some());
        assert_eq!(reading.servers[1].up.missing().unwrap().reason, Reason::Unreachable);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn garbage_is_no_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 64];
            let _ = stream.read(&mut request);
            let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let mut source = open(&options(vec![at(port, "postgres")]));
    let reading = source.sample().unwrap();
    assert_eq!(reading.servers[0].up.missing().unwrap().reason, Reason::Unreachable);
}
