//! Ten thousand tables: what a sample asks and publishes is bounded by the limit and not by their number.

use crate::{
    relay::Relay,
    watch::{at, away, open, options, sample, statistics, until},
};
use aura_model::{Context, Source};
use aura_postgres::Postgres;
use aura_tests::PostgresServer;

const TABLES: usize = 10_000;

#[test]
fn ten_thousand_tables_make_no_more_queries_and_no_more_rows() {
    let Some(server) = PostgresServer::start("max_locks_per_transaction = 1024\nautovacuum = off") else { return };
    let asked = |expected: usize| {
        let relay = Relay::counting(server.port());
        let mut watched = options(at(relay.port, "postgres"));
        // Behind the relay each trip is slow, and here the number counts.
        watched.answer_timeout = aura_model::Interval::from_secs(60);
        watched.statement_timeout = aura_model::Interval::from_secs(30);
        // Sizes have a connection of their own, whose trips are not a sample's.
        watched.slow_interval = aura_model::Interval::from_secs(3600);
        let mut source = Postgres::open(&watched, &Context::default()).unwrap();
        until(&mut source, "the tables", |reading| {
            away(reading).is_none()
                && statistics(reading).tables.value().is_some_and(|tables| tables.len() == expected)
                && statistics(reading).table_sizes.value().is_some_and(|sizes| sizes.tables.len() == expected)
        });
        // The connection for sizes says goodbye.
        std::thread::sleep(std::time::Duration::from_millis(500));
        sample(&mut source);
        let mut most = 0;
        for _ in 0..3 {
            let before = relay.trips();
            let reading = sample(&mut source);
            most = most.max(relay.trips() - before);
            let now = statistics(&reading);
            let limit = watched.tables.limit as usize;
            assert_eq!(now.tables.value().unwrap().len(), expected.min(limit));
            assert_eq!(now.table_sizes.value().unwrap().tables.len(), expected.min(limit));
        }
        most
    };
    server.sql("postgres", "CREATE TABLE largest AS SELECT repeat('x', 1000) FROM generate_series(1, 2000)");
    server.sql("postgres", "ANALYZE largest");
    let few = asked(1);
    for hundred in 0..TABLES / 100 {
        server.sql(
            "postgres",
            &format!(
                "DO $$ BEGIN FOR n IN {}..{} LOOP EXECUTE format('CREATE TABLE t_%s (a int PRIMARY KEY)', n); END LOOP; END $$",
                hundred * 100,
                hundred * 100 + 99
            ),
        );
    }
    let many = asked(500);
    assert_eq!((few, many), (few, few), "as many trips as with one table");
    assert!((1..=6).contains(&many), "{many} trips");
    // The largest is among those that are read.
    let mut source = open(at(server.port(), "postgres"));
    let reading = until(&mut source, "the tables", |reading| {
        away(reading).is_none() && statistics(reading).tables.value().is_some()
    });
    assert!(statistics(&reading).tables.value().unwrap().iter().any(|table| table.name == "largest"));
}
