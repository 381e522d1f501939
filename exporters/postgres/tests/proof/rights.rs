//! Rights that are taken away while the source runs, and connections that run out.

use aura_model::Reason;
use aura_postgres::PostgresReading;
use aura_tests::PostgresServer;

use crate::watch::{at, away, open, open_without_sizes, sample, statistics, until};

#[test]
fn what_is_revoked_is_missing_with_the_sql_that_grants_it_and_all_else_goes_on() {
    let Some(server) = PostgresServer::start("") else { return };
    server.sql("postgres", include_str!("../fixtures/debates.sql"));
    server.sql(
        "postgres",
        "CREATE ROLE aura LOGIN; GRANT pg_monitor TO aura; \
         GRANT SELECT ON debates, debate_rounds, model_rankings TO aura",
    );
    let mut source = open(at(server.port(), "aura"));
    let all = until(&mut source, "the debates", |reading| statistics(reading).debates.value().is_some());
    let now = statistics(&all);
    assert!(now.wal.value().is_some() && now.rankings.value().is_some() && now.rounds.value().is_some());

    server.sql("postgres", "REVOKE pg_monitor FROM aura; REVOKE SELECT ON debates, model_rankings FROM aura");
    let denied = |reading: &PostgresReading| {
        let now = statistics(reading);
        [now.wal.missing(), now.debates.missing()]
            .iter()
            .all(|missing| missing.is_some_and(|missing| missing.reason == Reason::NoPermission))
    };
    let less = until(&mut source, "the loss of rights", denied);
    let now = statistics(&less);
    for (missing, sql) in [
        (now.wal.missing(), "GRANT pg_monitor TO \"aura\";"),
        (now.debates.missing(), "GRANT SELECT ON debates TO \"aura\";"),
    ] {
        assert!(missing.unwrap().detail.contains(sql), "{missing:?}");
    }
    assert!(!now.cluster.value().unwrap().sees_all);
    assert_eq!(less.servers[0].connects, 1, "the connection lasts");
    // What was asked once and refused is not asked again at each sample: the server would log each refusal.
    for _ in 0..5 {
        let reading = sample(&mut source);
        let now = statistics(&reading);
        assert!(denied(&reading));
        assert!(now.databases.value().is_some() && now.locks.value().is_some());
        assert!(now.settings.value().is_some() && now.tables.value().is_some() && now.table_sizes.value().is_some());
    }
    let log = std::fs::read_to_string(server.folder().join("log")).unwrap();
    for what in ["function pg_ls_waldir", "table debates"] {
        let times = log.matches(&format!("permission denied for {what}")).count();
        assert!((1..=2).contains(&times), "{what}: refused {times} times\n{log}");
    }
}

#[test]
fn a_role_that_may_no_longer_connect_keeps_its_connection_and_is_told_what_to_grant() {
    let Some(server) = PostgresServer::start("") else { return };
    server.sql("postgres", "CREATE ROLE aura LOGIN");
    let mut source = open(at(server.port(), "aura"));
    statistics(&sample(&mut source));
    server.sql("postgres", "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC");
    statistics(&sample(&mut source));
    server.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'aura'");
    let refused = until(&mut source, "the refusal", |reading| {
        away(reading).is_some_and(|missing| missing.reason == Reason::NoPermission)
    });
    let missing = away(&refused).unwrap();
    assert!(missing.detail.contains("GRANT CONNECT ON DATABASE \"postgres\" TO \"aura\";"), "{missing}");
    server.sql("postgres", "GRANT CONNECT ON DATABASE postgres TO aura");
    until(&mut source, "the return", |reading| away(reading).is_none());
}

#[test]
fn when_connections_run_out_the_one_that_is_lost_comes_back_when_there_is_room() {
    let Some(server) =
        PostgresServer::start("max_connections = 5\nsuperuser_reserved_connections = 1\nmax_wal_senders = 0")
    else {
        return;
    };
    server.sql("postgres", "CREATE ROLE aura LOGIN");
    let open = || open_without_sizes(at(server.port(), "aura"));
    let mut first = open();
    let mut others: Vec<_> = (0..3).map(|_| open()).collect();
    statistics(&sample(&mut first));
    for other in &mut others {
        until(other, "room", |reading| away(reading).is_none());
    }
    // All four are taken: the one that loses its own finds it given to somebody else.
    let mut late = open();
    let refused = sample(&mut late);
    let missing = away(&refused).unwrap();
    assert!(missing.detail.contains("raise max_connections"), "{missing}");
    assert_eq!(missing.reason, Reason::Unreachable);
    statistics(&sample(&mut first));
    others.pop();
    let back = until(&mut late, "room", |reading| away(reading).is_none());
    assert_eq!(back.servers[0].connects, 1);
}
