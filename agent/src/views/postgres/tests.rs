use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aura_model::{Context, Interval, Missing, Reason, Source};
use aura_postgres::{Activity, All, Backend, OtherDatabases, Postgres, PostgresOptions, ServerOptions};
use aura_tests::PostgresServer;
use serde_json::Value;

use super::{
    PostgresView, View,
    derive::{connections, pretty},
};
use crate::{
    config::Config,
    hub::{Hub, Snapshot},
};

fn backend(pid: i32, kind: &str, database: Option<&str>, state: Option<&str>) -> Backend {
    Backend {
        pid,
        own: pid == 1,
        database: database.map(Into::into),
        user: Some("app".into()),
        application: Some("web".into()),
        client: None,
        kind: Some(kind.into()),
        state: state.map(Into::into),
        wait_kind: None,
        wait: None,
        transaction_began: None,
        transaction_seconds: None,
        query_seconds: None,
        state_seconds: None,
        query: None,
        blocked_by: None,
    }
}

#[test]
fn clients_are_counted_without_us_and_without_the_servers_own_processes() {
    let backends = vec![
        backend(1, "client backend", Some("aura"), Some("active")),
        backend(2, "client backend", Some("aura"), Some("active")),
        backend(3, "client backend", Some("aura"), Some("idle")),
        backend(4, "client backend", Some("other"), Some("idle in transaction")),
        backend(5, "checkpointer", None, None),
        backend(6, "autovacuum worker", Some("aura"), Some("active")),
    ];
    let activity = Activity { backends, databases: vec![], hides: false };
    let all = connections(&activity, "aura", Some(10.0));
    assert_eq!((all.active, all.idle, all.idle_in_transaction), (Some(1), Some(1), Some(1)));
    assert_eq!((all.total, all.this_database, all.background), (Some(3), Some(2), Some(2)));
    assert_eq!((all.max, all.utilization_percent), (Some(10), Some(30.0)));
    assert_eq!(all.holders.unwrap().iter().map(|holder| holder.count).collect::<Vec<_>>(), [2, 1]);
}

/// The expected texts are PostgreSQL's own.
#[test]
fn sizes_as_postgresql_writes_them() {
    for (bytes, expected) in [
        (0, "0 bytes"),
        (10_239, "10239 bytes"),
        (10_240, "10 kB"),
        (10_485_247, "10239 kB"),
        (10_485_248, "10 MB"),
        (7_500_000, "7324 kB"),
        (1_000_000_000_000, "931 GB"),
    ] {
        assert_eq!(pretty(bytes), expected, "{bytes}");
    }
}

/// A real server and the feed over it.
struct Shown {
    server: PostgresServer,
    source: Postgres,
    database: PostgresView,
}

const INTERVAL: Duration = Duration::from_millis(200);

fn message(source: &mut Postgres, database: &PostgresView) -> Value {
    let taken = Instant::now();
    let reading = source.sample().expect("a reading");
    let sample = database.add(Arc::new(Snapshot::of(reading, taken)), INTERVAL).expect("a new reading");
    serde_json::to_value(database.update(&sample, 1)).expect("JSON")
}

impl Shown {
    fn start() -> Option<Self> {
        let settings = "shared_preload_libraries = 'pg_stat_statements'\nautovacuum = off\ndeadlock_timeout = 50ms";
        let server = PostgresServer::start(settings)?;
        server.sql("postgres", "CREATE EXTENSION pg_stat_statements");
        server.sql("postgres", "CREATE DATABASE other");
        let mut options = PostgresOptions {
            servers: vec![ServerOptions {
                name: Some("main".into()),
                host: Some("127.0.0.1".into()),
                port: Some(server.port()),
                user: Some("postgres".into()),
                database: Some("postgres".into()),
                ..ServerOptions::default()
            }],
            interval: Interval::from_millis(200),
            slow_interval: Interval::from_millis(100),
            ..PostgresOptions::default()
        };
        options.tables.interval = Interval::from_millis(100);
        options.tables.databases = OtherDatabases::All(All::All);
        let source = Postgres::open(&options, &Context::default()).expect("a server");
        Some(Self { server, source, database: PostgresView::new(&Arc::default(), &Config::default()) })
    }

    fn until(&mut self, what: &str, expected: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let metrics = message(&mut self.source, &self.database)["metrics"].take();
            if expected(&metrics) {
                return metrics;
            }
            assert!(start.elapsed() < Duration::from_secs(40), "never seen: {what}; {metrics:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Each item that people ask for, against what the server says.
#[test]
fn people_see_sizes_holders_blockers_slow_queries_and_debts_as_the_server_has_them() {
    let Some(mut shown) = Shown::start() else { return };
    shown.server.sql("postgres", "CREATE TABLE t (a int PRIMARY KEY, b text)");
    shown.server.sql("postgres", "INSERT INTO t SELECT n, 'x' FROM generate_series(1, 5000) n");
    shown.server.sql("other", "CREATE TABLE far AS SELECT n FROM generate_series(1, 5000) n");
    shown.server.sql("postgres", "DELETE FROM t WHERE a > 4000");
    let long = format!("SELECT pg_sleep(0.3) /* {} */", "y".repeat(400));
    shown.server.sql("postgres", &long);
    let calm = shown.until("sizes, debts and slow queries", |metrics| {
        let debts = metrics["vacuum_debt"].as_array().is_some_and(|debts| debts.iter().any(|d| d["dead_rows"] == 1000));
        let far = metrics["table_sizes"].as_array().is_some_and(|all| all.iter().any(|t| t["table"] == "far"));
        debts
            && far
            && metrics["database_size"].is_object()
            && metrics["slow_queries"].is_array()
            && metrics["health"]["status"] == "healthy"
    });
    assert_eq!(
        (&calm["status"], &calm["name"], &calm["role"]),
        (&"connected".into(), &"main".into(), &"primary".into())
    );
    let number = |sql: &str| shown.server.sql("postgres", sql).parse::<i64>().expect(sql);
    assert_eq!(calm["connections"]["max"], number("SHOW max_connections"));
    assert_eq!(calm["database_size"]["bytes"], number("SELECT pg_database_size('postgres')"));
    let pretty = shown.server.sql("postgres", "SELECT pg_size_pretty(pg_database_size('postgres'))");
    assert_eq!(calm["database_size"]["pretty"], pretty.as_str());
    let of = |name: &str| {
        let all = calm["table_sizes"].as_array().expect("sizes");
        all.iter().find(|table| table["table"] == name).cloned().expect("a size")
    };
    assert_eq!(of("t")["size_bytes"], number("SELECT pg_total_relation_size('t')"));
    assert_eq!((&of("far")["database"], &of("t")["database"]), (&"other".into(), &"postgres".into()));
    let slow = calm["slow_queries"].as_array().expect("slow queries");
    let sleep =
        slow.iter().find(|one| one["query"].as_str().is_some_and(|text| text.contains("pg_sleep"))).expect("it");
    assert_eq!(
        (sleep["calls"].as_i64(), sleep["query"].as_str().map(|text| text.chars().count())),
        (Some(1), Some(200))
    );
    assert!(sleep["mean_time_ms"].as_f64() >= Some(300.0));

    // A holder that does nothing, and one who waits for it.
    std::thread::scope(|scope| {
        let server = &shown.server;
        let hold = "BEGIN; UPDATE t SET b = 'held' WHERE a = 1; SELECT pg_sleep(60)";
        let holder = scope.spawn(|| server.attempt(hold));
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'";
        let start = Instant::now();
        while server.sql("postgres", waiting) == "0" && start.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let waiter = scope.spawn(|| server.attempt("UPDATE t SET b = 'wanted' WHERE a = 1"));
        let start = Instant::now();
        let blocked = loop {
            let message = message(&mut shown.source, &shown.database);
            if message["metrics"]["blocked"].as_array().is_some_and(|blocked| !blocked.is_empty()) {
                break message["metrics"].clone();
            }
            assert!(start.elapsed() < Duration::from_secs(30), "nobody waits: {message:#}");
            std::thread::sleep(Duration::from_millis(50));
        };
        assert_eq!(blocked["health"]["status"], "degraded");
        assert_eq!(blocked["health"]["blocked_queries"], 1);
        assert_eq!(blocked["health"]["reasons"][0], "1 backends wait for a lock");
        let one = &blocked["blocked"][0];
        let pid = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        assert_eq!(one["pid"].to_string(), server.sql("postgres", pid));
        let by =
            server.sql("postgres", "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' LIMIT 1");
        assert_eq!(one["blocked_by"][0]["pid"].to_string(), by);
        assert_eq!(one["blocked_by"][0]["query"], "SELECT pg_sleep(60)");
        let holders = blocked["connections"]["holders"].as_array().expect("holders");
        assert!(holders.iter().any(|holder| holder["application"] == "psql" && holder["count"] == 2), "{holders:?}");
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND pid <> pg_backend_pid()";
        server.sql("postgres", end);
        holder.join().expect("psql");
        waiter.join().expect("psql");
    });
    shown.until("calm again", |metrics| {
        metrics["health"]["status"] == "healthy" && metrics["blocked"].as_array().is_some_and(Vec::is_empty)
    });
    shown.server.stop();
    let away = shown.until("the stop", |metrics| metrics["status"] == "disconnected");
    assert!(away["error"].as_str().is_some_and(|error| error.contains("127.0.0.1")), "{away:#}");
    assert!(away["connections"].is_null() && away["database_size"].is_null() && away["databases"].is_null());
    assert_eq!(away["health"]["accepting_connections"], false);
}

#[test]
fn without_a_reading_the_message_says_why_once() {
    let hub = Arc::new(Hub::default());
    let channel = hub.register::<Postgres>();
    let view = Arc::new(PostgresView::new(&hub, &Config::default()));
    let say = |seq| Some(serde_json::to_value(view.take(seq)?()).expect("JSON"));
    assert_eq!(say(1).expect("a message")["missing"]["metrics"]["reason"], "stale");
    channel.off(Missing::new(Reason::Unreachable, "no server answers"));
    let one = say(2).expect("a message");
    assert!(one["metrics"].is_null());
    assert_eq!(one["missing"]["metrics"]["reason"], "unreachable");
    assert_eq!(one["missing"]["metrics"]["detail"], "no server answers");
    assert_eq!(one["seq"], 2);
    assert!(say(3).is_none(), "each reason is said once");
}
