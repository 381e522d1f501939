//! Several hosts of one server, and roles whose settings are not those that the agent needs.

use aura_postgres::{PostgresReading, ServerOptions};
use aura_tests::PostgresServer;

use crate::watch::{at, away, first, open, sample, statistics, until};

fn in_recovery(reading: &PostgresReading) -> bool {
    statistics(reading).cluster.value().unwrap().in_recovery
}

fn url(text: String) -> ServerOptions {
    ServerOptions { url: Some(text.into()), ..ServerOptions::default() }
}

#[test]
fn the_host_that_is_what_is_wanted_is_taken() {
    let Some(primary) = PostgresServer::start("wal_level = replica") else { return };
    let standby = primary.standby("second");
    primary.sql("postgres", "CREATE ROLE reader LOGIN; ALTER ROLE reader SET default_transaction_read_only = on");
    let hosts = [
        format!("127.0.0.1:1,127.0.0.1:{},127.0.0.1:{}", primary.port(), standby.port()),
        format!("127.0.0.1:1,127.0.0.1:{},127.0.0.1:{}", standby.port(), primary.port()),
    ];
    for (wanted, expected) in [
        ("any", [false, true]),
        ("read-write", [false, false]),
        ("primary", [false, false]),
        ("standby", [true, true]),
        ("read-only", [true, true]),
        ("prefer-standby", [true, true]),
    ] {
        for (hosts, expected) in hosts.iter().zip(expected) {
            let mut source = open(url(format!("postgres://postgres@{hosts}/postgres?target_session_attrs={wanted}")));
            let reading = until(&mut source, wanted, |reading| away(reading).is_none());
            assert_eq!(in_recovery(&reading), expected, "{wanted} of {hosts}");
        }
    }
    // A role that may only read does not make a primary anything else.
    let hosts = &hosts[1];
    first(url(format!("postgres://reader@{hosts}/postgres?target_session_attrs=read-write"))).unwrap();
    first(url(format!("postgres://postgres@{hosts}/postgres?load_balance_hosts=random"))).unwrap();
    let only = format!("postgres://postgres@127.0.0.1:{}/postgres", standby.port());
    let missing = first(url(format!("{only}?target_session_attrs=primary"))).unwrap_err();
    assert!(missing.detail.contains("is a standby") && missing.detail.contains("a primary"), "{missing}");
    standby.stop();
    let mut source = open(url(format!("postgres://postgres@{hosts}/postgres?target_session_attrs=prefer-standby")));
    assert!(!in_recovery(&until(&mut source, "the primary", |reading| away(reading).is_none())));
}

#[test]
fn no_setting_of_a_role_changes_what_is_read() {
    let Some(server) = PostgresServer::start("") else { return };
    server.sql("postgres", include_str!("../fixtures/debates.sql"));
    server.sql(
        "postgres",
        "CREATE ROLE aura LOGIN; GRANT pg_monitor TO aura; \
         GRANT SELECT ON debates, debate_rounds, model_rankings TO aura; \
         INSERT INTO debates (topic, model_a, model_b, status, completed_at) VALUES \
         ('Is it?', 'red:1b', 'blue:3b', 'completed', '2026-01-02 03:04:05')",
    );
    let settings = [
        "default_transaction_read_only = on",
        "default_transaction_isolation = serializable",
        "default_transaction_deferrable = on",
        "statement_timeout = 1",
        "lock_timeout = 1",
        "idle_in_transaction_session_timeout = 1",
        "idle_session_timeout = 50",
        "DateStyle = 'German'",
        "IntervalStyle = 'iso_8601'",
        "bytea_output = 'escape'",
        "extra_float_digits = -15",
        "standard_conforming_strings = off",
        "transform_null_equals = on",
        "quote_all_identifiers = on",
        "row_security = off",
        "TimeZone = 'Asia/Tokyo'",
        "client_encoding = 'LATIN1'",
        "search_path = ''",
        "client_min_messages = debug5",
        "constraint_exclusion = on",
        "jit_above_cost = 0",
    ];
    for setting in settings {
        server.sql("postgres", &format!("ALTER ROLE aura SET {setting}"));
    }
    let mut source = open(at(server.port(), "aura"));
    let reading = until(&mut source, "the debate", |reading| {
        away(reading).is_none() && statistics(reading).debates.value().is_some()
    });
    let debates = statistics(&reading).debates.value().unwrap();
    assert_eq!(debates.debates[0].completed_at.as_deref(), Some("2026-01-02T03:04:05.000"));
    for round in 0..5 {
        // Longer than a session may be idle.
        std::thread::sleep(std::time::Duration::from_millis(120));
        let reading = sample(&mut source);
        let missing: Vec<_> = statistics(&reading).missing().filter(|(part, _)| *part != "statements").collect();
        assert!(missing.is_empty(), "round {round}: {missing:?}");
        assert_eq!(reading.servers[0].connects, 1, "round {round}");
    }
}
