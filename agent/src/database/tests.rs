use aura_postgres::{Activity, Backend};

use super::derive::{connections, pretty};

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
    let activity = Activity { backends, databases: vec![] };
    let all = connections(&activity, "aura", Some(10.0), true);
    assert_eq!((all.active, all.idle, all.idle_in_transaction), (Some(1), Some(1), Some(1)));
    assert_eq!((all.total, all.this_database, all.background), (3, 2, 2));
    assert_eq!((all.max, all.utilization_percent), (Some(10), Some(30.0)));
    assert_eq!(all.holders.iter().map(|holder| holder.count).collect::<Vec<_>>(), [2, 1]);
    let blind = connections(&activity, "aura", None, false);
    assert_eq!((blind.active, blind.total, blind.utilization_percent), (None, 3, None));
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
