//! What each feature reads: tables of other databases, indexes, vacuums, standbys, probes.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use aura_model::{Interval, Reason, Source};
use aura_postgres::{All, OtherDatabases, PostgresOptions, ProbeError, ProbeModule, Prober, Statistics};
use aura_tests::PostgresServer;

use crate::{at, open, options, series, statistics as statistics_of, until_says};

#[test]
fn the_recorded_catalog_is_that_of_the_version_at_hand() {
    let Some(server) = PostgresServer::start("shared_preload_libraries = 'pg_stat_statements'") else { return };
    server.sql("postgres", "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_buffercache");
    let version: u32 = server.sql("postgres", "SHOW server_version_num").parse().unwrap();
    let path = format!("{}/tests/fixtures/catalogs/{}.txt", env!("CARGO_MANIFEST_DIR"), version / 10_000);
    for line in std::fs::read_to_string(path).unwrap().lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, recorded)) = line.strip_prefix("extension ").and_then(|rest| rest.split_once(' ')) {
            let sql = format!("SELECT extversion FROM pg_extension WHERE extname = '{name}'");
            assert_eq!(server.sql("postgres", &sql), recorded, "{name}");
            continue;
        }
        let (relation, columns) = line.split_once(": ").unwrap();
        let recorded: BTreeSet<&str> = columns.split(' ').collect();
        let sql = format!(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('{relation}') AND attnum <> 0 \
             AND (attnum > 0 OR attname = 'oid') AND NOT attisdropped \
             UNION SELECT unnest(proargnames) FROM pg_proc WHERE proname = '{relation}' \
             AND to_regclass('{relation}') IS NULL"
        );
        let answer = server.sql("postgres", &sql);
        let there: BTreeSet<&str> = answer.lines().collect();
        assert_eq!(there, recorded, "{relation}");
    }
}

#[test]
fn tables_and_indexes_of_other_databases_are_those_that_each_database_shows() {
    let Some(server) = PostgresServer::start("autovacuum = off") else { return };
    for (name, rows) in [("one", 10), ("two", 20), ("three", 30)] {
        server.sql("postgres", &format!("CREATE DATABASE {name}"));
        server.sql(name, "CREATE TABLE t (a int PRIMARY KEY, b text)");
        server.sql(name, &format!("INSERT INTO t SELECT n, 'x' FROM generate_series(1, {rows}) n"));
        server.sql(name, "SET enable_seqscan = off; SELECT * FROM t WHERE a = 1");
    }
    let mut all = options(vec![at(server.port(), "postgres")]);
    all.tables.databases = OtherDatabases::All(All::All);
    all.tables.indexes = true;
    let mut source = open(&all);
    let inserted = |statistics: &Statistics| {
        let of = |name: &str| {
            statistics.all_tables().find(|table| table.database == name && table.name == "t").map(|t| t.inserted)
        };
        [of("one"), of("two"), of("three")]
    };
    let reading = until_says(&mut source, "the rows of all", |statistics| {
        let scanned = statistics.others.iter().filter_map(|other| other.tables.value()?.indexes.as_ref()?.value());
        let scanned = scanned.filter(|indexes| indexes.iter().any(|index| index.name == "t_pkey" && index.scans > 0));
        inserted(statistics) == [Some(10), Some(20), Some(30)] && scanned.count() == 3
    });
    let statistics = statistics_of(&reading);
    assert_eq!(statistics.others.len(), 3);
    let missing: Vec<&str> = statistics.missing().map(|(part, _)| part).collect();
    assert_eq!(missing, ["statements", "debates"]);
    for other in &statistics.others {
        let tables = other.tables.value().unwrap();
        let size = tables.table_sizes.value().unwrap().tables.iter().find(|table| table.name == "t").unwrap();
        assert_eq!(size.table_bytes.unwrap().to_string(), server.sql(&other.name, "SELECT pg_table_size('t')"));
        let index = &tables.indexes.as_ref().unwrap().value().unwrap()[0];
        let view = "SELECT relname || ' ' || indexrelname || ' ' || idx_scan || ' ' || idx_tup_read || ' ' || idx_tup_fetch \
                    FROM pg_stat_user_indexes";
        let shown = format!("{} {} {} {} {}", index.table, index.name, index.scans, index.read, index.fetched);
        assert_eq!(shown, server.sql(&other.name, view));
    }
    // Each connection is one, and a database that goes away takes only its own part.
    let reading = source.sample().unwrap();
    let shown = series(&reading);
    for expected in [
        "pg_stat_user_tables_n_tup_ins{datname=two,relname=t,schemaname=public}",
        "pg_stat_user_tables_table_size_bytes{datname=three,relname=t,schemaname=public}",
        "pg_stat_user_indexes_idx_scans_total{datname=one,indexrelname=t_pkey,relname=t,schemaname=public}",
        "pg_statio_user_indexes_idx_blks_hit_total{datname=one,indexrelname=t_pkey,relname=t,schemaname=public}",
    ] {
        assert!(shown.contains_key(expected), "{expected}");
    }
    let count =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'aura' AND backend_type = 'client backend'";
    // And one for sizes, as long as they are read.
    assert!(["4", "5"].contains(&server.sql("postgres", count).as_str()));
    let own = |statistics: &Statistics| {
        let all = statistics.activity.value();
        all.is_some_and(|all| (4..=5).contains(&all.backends.iter().filter(|backend| backend.own).count()))
    };
    until_says(&mut source, "all of them known as our own", own);
    server.sql("postgres", "DROP DATABASE two WITH (FORCE)");
    let reading = until_says(&mut source, "two gone", |statistics| inserted(statistics) == [Some(10), None, Some(30)]);
    let statistics = statistics_of(&reading);
    assert_eq!(statistics.others.len(), 2);
}

#[test]
fn other_databases_are_bounded_named_and_refused_alone() {
    let Some(server) = PostgresServer::start("") else { return };
    server.sql("postgres", "CREATE ROLE aura LOGIN");
    for name in ["one", "two", "shut"] {
        server.sql("postgres", &format!("CREATE DATABASE {name}"));
        server.sql(name, "CREATE TABLE t (a int)");
    }
    server.sql("postgres", "REVOKE CONNECT ON DATABASE shut FROM PUBLIC");
    let mut named = options(vec![at(server.port(), "aura")]);
    named.tables.databases = OtherDatabases::Named(vec!["shut".into(), "one".into(), "two".into(), "none".into()]);
    named.tables.max_databases = 2;
    let mut source = open(&named);
    let reading = until_says(&mut source, "one is read and shut refused", |statistics| {
        let of = |name: &str| statistics.others.iter().find(|other| other.name == name);
        of("one").is_some_and(|one| one.tables.value().is_some())
            && of("shut")
                .is_some_and(|shut| shut.tables.missing().is_some_and(|missing| missing.reason == Reason::NoPermission))
    });
    let statistics = statistics_of(&reading);
    assert_eq!(statistics.others.len(), 2);
    let detail = |statistics: &Statistics| {
        let missing = statistics.missing().find(|(part, _)| *part == "other_databases");
        missing.map(|(_, missing)| missing.detail.clone()).unwrap_or_default()
    };
    assert!(detail(statistics).contains("2 more databases: raise tables.max_databases (2)"), "{}", detail(statistics));
    named.tables.max_databases = 4;
    let mut source = open(&named);
    let reading = until_says(&mut source, "the one that does not exist", |statistics| {
        statistics.others.iter().any(|other| {
            other.name == "none"
                && other.tables.missing().is_some_and(|missing| missing.detail.contains("does not exist"))
        }) && detail(statistics).contains("GRANT CONNECT ON DATABASE \"shut\" TO \"aura\";")
    });
    let statistics = statistics_of(&reading);
    assert!(statistics.tables.value().is_some());
}

#[test]
fn published_tables_stay_when_larger_ones_come() {
    let Some(server) = PostgresServer::start("autovacuum = off") else { return };
    server.sql("postgres", "CREATE TABLE small (a int); CREATE TABLE smaller (a int)");
    let mut few = options(vec![at(server.port(), "postgres")]);
    few.tables.limit = 2;
    let mut source = open(&few);
    let names = |statistics: &Statistics| -> BTreeSet<String> {
        statistics.tables.value().into_iter().flat_map(|tables| tables.iter()).map(|table| table.name.clone()).collect()
    };
    let both = BTreeSet::from(["small".to_owned(), "smaller".to_owned()]);
    until_says(&mut source, "both", |statistics| names(statistics) == both);
    server.sql("postgres", "CREATE TABLE large AS SELECT n FROM generate_series(1, 10000) n");
    server.sql("postgres", "VACUUM ANALYZE large");
    let pages: i64 = server.sql("postgres", "SELECT relpages FROM pg_class WHERE relname = 'large'").parse().unwrap();
    assert!(pages > 1);
    for _ in 0..5 {
        assert_eq!(names(source.sample().unwrap().servers[0].up.value().unwrap()), both);
        std::thread::sleep(Duration::from_millis(120));
    }
    server.sql("postgres", "DROP TABLE smaller");
    until_says(&mut source, "the large one in the place of the dropped one", |statistics| {
        names(statistics) == BTreeSet::from(["small".to_owned(), "large".to_owned()])
    });
}

#[test]
fn a_running_vacuum_is_shown_with_its_phase() {
    let Some(server) = PostgresServer::start("autovacuum = off") else { return };
    server.sql("postgres", "CREATE TABLE t AS SELECT n, repeat('x', 500) b FROM generate_series(1, 20000) n");
    let mut source = open(&options(vec![at(server.port(), "postgres")]));
    std::thread::scope(|scope| {
        let vacuum = "SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1; VACUUM t";
        let running = scope.spawn(|| server.attempt(vacuum));
        let reading = until_says(&mut source, "the vacuum", |statistics| {
            statistics.vacuums.value().is_some_and(|vacuums| {
                vacuums.0.iter().any(|one| one.blocks.is_some_and(|blocks| blocks > 0) && one.scanned.is_some())
            })
        });
        let statistics = statistics_of(&reading);
        let vacuums = statistics.vacuums.value().unwrap();
        assert_eq!(vacuums.0.len(), 1);
        let one = &vacuums.0[0];
        assert_eq!((one.database.as_deref(), one.table.as_deref()), (Some("postgres"), Some("t")));
        let blocks = server.sql("postgres", "SELECT pg_relation_size('t') / 8192");
        assert_eq!(one.blocks.unwrap().to_string(), blocks);
        let shown = series(&source.sample().unwrap());
        let phases: Vec<_> =
            shown.keys().filter(|key| key.starts_with("pg_stat_progress_vacuum_phase{datname=postgres,")).collect();
        assert_eq!(phases.len(), 7, "{phases:?}");
        server.sql("postgres", "SELECT pg_cancel_backend(pid) FROM pg_stat_progress_vacuum");
        running.join().unwrap();
    });
    until_says(&mut source, "no vacuum", |statistics| {
        statistics.vacuums.value().is_some_and(|vacuums| vacuums.0.is_empty())
    });
}

#[test]
fn a_standby_says_whom_it_receives_from() {
    let Some(primary) = PostgresServer::start("wal_level = replica\nmax_wal_senders = 4") else { return };
    let primary_view = open(&options(vec![at(primary.port(), "postgres")])).sample().unwrap();
    let statistics = primary_view.servers[0].up.value().unwrap();
    assert!(statistics.missing().all(|(part, _)| part != "stat_wal_receiver"), "a primary does not miss it");
    let standby = primary.standby("of_the_test");
    let mut source = open(&options(vec![at(standby.port(), "postgres")]));
    let reading = until_says(&mut source, "streaming", |statistics| {
        let receivers = statistics.receivers.value();
        receivers.is_some_and(|all| all.0.iter().any(|one| one.status.as_deref() == Some("streaming")))
    });
    let statistics = statistics_of(&reading);
    let receiver = &statistics.receivers.value().unwrap().0[0];
    assert_eq!((receiver.host.as_deref(), receiver.slot.as_deref()), (Some("127.0.0.1"), Some("of_the_test")));
    primary.sql("postgres", "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n");
    let written: f64 = primary.sql("postgres", "SELECT pg_current_wal_lsn() - '0/0'").parse().unwrap();
    until_says(&mut source, "what the primary wrote", |statistics| {
        let flushed = statistics.receivers.value().and_then(|all| all.0.first()?.flushed_bytes);
        flushed.is_some_and(|flushed| flushed >= written)
    });
    let shown = series(&source.sample().unwrap());
    let status = "pg_stat_wal_receiver_status{slot_name=of_the_test,upstream_host=127.0.0.1}";
    assert_eq!(shown.get(status), Some(&2.0), "{shown:#?}");
    assert_eq!(shown["pg_replication_is_replica{}"], 1.0);
}

fn prober(target: String) -> Prober {
    let mut options = PostgresOptions::default();
    options.probe.targets = vec![target];
    options.probe.timeout = Interval::from_secs(2);
    options.probe.modules = vec![ProbeModule {
        name: "watch".into(),
        user: "postgres".into(),
        database: Some("postgres".into()),
        ..ProbeModule::default()
    }];
    Prober::new(&options)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn a_probe_asks_the_target_once_for_all_who_ask_at_the_same_time() {
    let Some(server) = PostgresServer::start("") else { return };
    let target = format!("127.0.0.1:{}", server.port());
    let prober = prober(target.clone());
    let (one, other) = block_on(async {
        tokio::join!(prober.probe(Some(&target), Some("watch")), prober.probe(Some(&target), Some("watch")))
    });
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(Arc::ptr_eq(&one, &other), "the second shares what the first was told");
    let shown = series(&one);
    for name in ["pg_up{}", "pg_stat_database_xact_commit{", "pg_settings_max_connections{}", "pg_static{"] {
        assert!(shown.keys().any(|key| key.starts_with(name)), "{name}");
    }
    std::thread::sleep(Duration::from_millis(1100));
    let later = block_on(prober.probe(Some(&target), Some("watch"))).unwrap();
    assert!(!Arc::ptr_eq(&one, &later), "an answer is shared for a second and no longer");
    let elsewhere = block_on(prober.probe(Some("127.0.0.1:1"), Some("watch")));
    assert_eq!(elsewhere.unwrap_err(), ProbeError::NotAllowed("127.0.0.1:1".into()));
}

#[test]
fn a_probe_of_a_server_that_never_answers_ends_with_its_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let began = Instant::now();
    let reading = block_on(prober(target.clone()).probe(Some(&target), Some("watch"))).unwrap();
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    let missing = reading.servers[0].up.missing().unwrap();
    assert_eq!(missing.reason, Reason::Unreachable);
    assert!(missing.detail.contains("probe.timeout"), "{missing}");
}
