//! Against real servers, of each version that is at hand: the values and names that postgres_exporter 0.20 has, nothing
//! twice, nothing that is not so, and nothing lost for a neighbour's sake.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    time::{Duration, Instant},
};

use aura_model::{Interval, Reason, Source};
use aura_postgres::{PostgresReading, Statistics};
use aura_tests::{POSTGRES_VERSIONS, PostgresServer};

use crate::{TIMEOUT, at, open, options, series, statistics, until_says};

const FILL: &str = "
CREATE SCHEMA sales;
CREATE TABLE t (a int PRIMARY KEY, b text);
INSERT INTO t SELECT n, 'x' FROM generate_series(1, 500) n;
CREATE TABLE sales.t (a int, long text);
ALTER TABLE sales.t ALTER long SET STORAGE EXTERNAL;
INSERT INTO sales.t SELECT n, repeat('y', 20000) FROM generate_series(1, 20) n;
CREATE TABLE never (a int);
CREATE TABLE parent (a int) PARTITION BY RANGE (a);
CREATE TABLE child PARTITION OF parent FOR VALUES FROM (0) TO (10);
INSERT INTO parent VALUES (1);
ANALYZE parent; VACUUM ANALYZE t;
SELECT count(long) FROM sales.t;
CREATE ROLE nobody NOLOGIN;
SELECT pg_create_physical_replication_slot('kept', true);
SELECT pg_create_logical_replication_slot('logic', 'test_decoding')";

/// What the server's own views say, under postgres_exporter's names; what it has as NULL is not there.
fn said(server: &PostgresServer) -> BTreeMap<String, f64> {
    let mut said = BTreeMap::new();
    let mut take = |sql: &str| {
        for line in server.sql("postgres", sql).lines() {
            let (key, value) = line.rsplit_once('|').unwrap();
            if !value.is_empty() {
                said.insert(key.to_owned(), value.parse::<f64>().unwrap());
            }
        }
    };
    let table = "format('{datname=postgres,relname=%s,schemaname=%s}', relname, schemaname)";
    for column in [
        "seq_scan",
        "seq_tup_read",
        "n_tup_ins",
        "n_live_tup",
        "n_dead_tup",
        "vacuum_count",
        "analyze_count",
        "idx_scan",
    ] {
        take(&format!("SELECT 'pg_stat_user_tables_{column}' || {table}, {column} FROM pg_stat_user_tables"));
    }
    for column in ["last_vacuum", "last_autovacuum", "last_analyze", "last_autoanalyze"] {
        take(&format!(
            "SELECT 'pg_stat_user_tables_{column}' || {table}, floor(coalesce(extract(epoch FROM {column}), 0)) \
             FROM pg_stat_user_tables"
        ));
    }
    for (name, column) in [("table_size_bytes", "pg_table_size(relid)"), ("index_size_bytes", "pg_indexes_size(relid)")]
    {
        take(&format!("SELECT 'pg_stat_user_tables_{name}' || {table}, {column} FROM pg_stat_user_tables"));
    }
    for part in ["heap", "idx", "toast", "tidx"] {
        for end in ["read", "hit"] {
            take(&format!(
                "SELECT 'pg_statio_user_tables_{part}_blocks_{end}' || {table}, {part}_blks_{end} FROM pg_statio_user_tables"
            ));
        }
    }
    take("SELECT format('pg_roles_connection_limit{rolname=%s}', rolname), rolconnlimit FROM pg_roles");
    take(
        "SELECT format('pg_replication_slots_slot_is_active{slot_name=%s,slot_type=%s}', slot_name, slot_type), active::int \
          FROM pg_replication_slots",
    );
    take(
        "SELECT format('pg_replication_slots_slot_current_wal_lsn{slot_name=%s,slot_type=%s}', slot_name, slot_type), \
          pg_current_wal_lsn() - '0/0' FROM pg_replication_slots",
    );
    take(
        "SELECT format('pg_replication_slots_wal_status{slot_name=%s,slot_type=%s,wal_status=%s}', slot_name, slot_type, \
          wal_status), 1 FROM pg_replication_slots WHERE wal_status IS NOT NULL",
    );
    take("SELECT format('pg_database_size_bytes{datname=%s}', datname), pg_database_size(oid) FROM pg_database");
    take("SELECT format('pg_database_connection_limit{datname=%s}', datname), datconnlimit FROM pg_database");
    said
}

mod each_version_is_shown_as_its_own_views_have_it {
    aura_tests::for_each_postgres!(super::is_shown_as_its_own_views_have_it);
}

fn is_shown_as_its_own_views_have_it(major: u32) {
    let Some(server) = PostgresServer::start_version(major, "autovacuum = off\nwal_level = logical") else { return };
    for statement in FILL.split(';') {
        server.sql("postgres", statement);
    }
    for name in ["a/b", "quo\"\"te", "comma,{x}"] {
        server.sql("postgres", &format!("CREATE DATABASE \"{name}\""));
    }
    let mut source = open(&options(vec![at(server.port(), "postgres")]));
    // Counters come with a delay of up to a second, and reading the views moves some of their own.
    let start = Instant::now();
    loop {
        let before = said(&server);
        std::thread::sleep(Duration::from_millis(1200));
        let reading = until_says(&mut source, "sizes", |now| {
            now.table_sizes.value().is_some() && now.database_sizes.value().is_some()
        });
        let (shown, after) = (series(&reading), said(&server));
        let differs: Vec<String> = before
            .iter()
            .filter(|(key, value)| after.get(*key) == Some(value) && shown.get(*key) != Some(value))
            .map(|(key, value)| format!("{key}: {value}, shown {:?}", shown.get(key)))
            .collect();
        // What the views do not have is not made up.
        let more: Vec<&String> = shown
            .keys()
            .filter(|key| key.starts_with("pg_stat_user_tables_") || key.starts_with("pg_statio_user_tables_"))
            .filter(|key| key.contains("_scan{") || key.starts_with("pg_statio"))
            .filter(|key| !before.contains_key(*key) && !after.contains_key(*key))
            .collect();
        if differs.is_empty() && more.is_empty() {
            for state in ["active", "idle", "disabled"] {
                let zero = format!(
                    "pg_stat_activity_count{{application_name=,backend_type=,datname=a/b,state={state},usename=,wait_event=,wait_event_type=}}"
                );
                assert_eq!(shown.get(&zero), Some(&0.0), "{major}");
            }
            assert!(!shown.keys().any(|key| key.contains("application_name=aura")), "our own sessions are not counted");
            let parent = "pg_stat_user_tables_analyze_count{datname=postgres,relname=parent,schemaname=public}";
            assert_eq!(shown.contains_key(parent), major >= 14, "{major}");
            let slots =
                shown.keys().filter(|key| key.starts_with("pg_stat_database_conflicts_confl_active_logicalslot"));
            assert_eq!(slots.count() > 0, major >= 16, "{major}");
            let place = format!("server=127.0.0.1:{}", server.port());
            for name in ["pg_static{", "pg_stat_database_conflicts_confl_lock{"] {
                assert!(shown.keys().any(|key| key.starts_with(name) && key.contains(&place)), "{major}: {name}");
            }
            break;
        }
        assert!(start.elapsed() < TIMEOUT, "version {major}: {differs:#?} {more:#?}");
    }
}

#[test]
fn what_a_role_may_not_see_is_absent_and_named_with_the_right_that_is_missing() {
    for major in [POSTGRES_VERSIONS[0], 15, POSTGRES_VERSIONS[POSTGRES_VERSIONS.len() - 1]] {
        let Some(server) = PostgresServer::start_version(major, "") else { continue };
        server.sql("postgres", "CREATE ROLE plain LOGIN");
        server.sql("postgres", "CREATE DATABASE shut");
        server.sql("postgres", "REVOKE CONNECT ON DATABASE shut FROM PUBLIC");
        let mut source = open(&options(vec![at(server.port(), "plain")]));
        // On a busy machine one may be too slow to measure, and is measured again.
        let is_sized = |now: &Statistics| {
            let sizes = now.database_sizes.value().into_iter().flat_map(|sizes| &sizes.databases);
            sizes.filter(|one| one.name == "postgres").any(|one| one.bytes.is_some())
        };
        let reading = until_says(&mut source, "sizes", is_sized);
        let missing: BTreeMap<&str, _> = statistics(&reading).missing().collect();
        for part in ["stat_activity", "database", "wal"] {
            let missing = missing.get(part).unwrap_or_else(|| panic!("{major}: {part} in {missing:?}"));
            assert_eq!(missing.reason, Reason::NoPermission, "{missing}");
            assert!(missing.detail.contains("GRANT pg_monitor TO \"plain\";"), "{missing}");
        }
        let shown = series(&reading);
        assert!(!shown.keys().any(|key| key.starts_with("pg_stat_activity") || key.starts_with("pg_process_idle")));
        assert!(!shown.contains_key("pg_database_size_bytes{datname=shut}"));
        assert!(shown.contains_key("pg_database_size_bytes{datname=postgres}"));
        server.sql("postgres", "GRANT pg_monitor TO plain");
        // A refusal is not repeated each second; who connects anew asks anew.
        let mut source = open(&options(vec![at(server.port(), "plain")]));
        until_says(&mut source, "everything", |now| {
            let all =
                now.database_sizes.value().is_some_and(|sizes| sizes.databases.iter().all(|one| one.bytes.is_some()));
            all && now.activity.value().is_some()
        });
    }
}

#[test]
fn a_locked_table_costs_its_own_size_alone() {
    let Some(server) = PostgresServer::start("") else { return };
    server.sql(
        "postgres",
        "CREATE TABLE free (a int PRIMARY KEY, b text); CREATE TABLE held (a int PRIMARY KEY, b text)",
    );
    server.sql("postgres", "CREATE TABLE indexed (a int PRIMARY KEY); INSERT INTO free VALUES (1, 'x')");
    let mut few = options(vec![at(server.port(), "postgres")]);
    // More tables than are shown, so that sizes decide which: those are looked at too.
    few.tables.limit = 2;
    for options in [few, options(vec![at(server.port(), "postgres")])] {
        std::thread::scope(|scope| {
            let locks =
                "BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE; REINDEX INDEX indexed_pkey; SELECT pg_sleep(120)";
            let holder = scope.spawn(|| {
                let mut psql = server.psql("postgres");
                let _ = psql.args(["-c", locks]).status();
            });
            let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
            let start = Instant::now();
            while server.sql("postgres", sleeping) == "0" {
                assert!(start.elapsed() < TIMEOUT, "the lock");
                std::thread::sleep(Duration::from_millis(50));
            }
            let mut source = open(&options);
            let reading = until_says(&mut source, "sizes", |now| {
                now.table_sizes.value().is_some() && now.tables.value().is_some()
            });
            let size = |name: &str| {
                let sizes = statistics(&reading).table_sizes.value().unwrap();
                sizes.tables.iter().find(|table| table.name == name).map(|table| table.table_bytes)
            };
            assert!(matches!(size("free"), Some(Some(bytes)) if bytes > 0));
            if options.tables.limit > 2 {
                assert_eq!((size("held"), size("indexed")), (Some(None), Some(None)));
                let missing: BTreeMap<&str, _> = statistics(&reading).missing().collect();
                assert!(missing["table_sizes"].detail.contains("\"public\".\"held\""), "{}", missing["table_sizes"]);
            }
            assert!(statistics(&reading).health.iter().all(|health| health.success), "nothing was refused");
            server.sql(
                "postgres",
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
            );
            holder.join().unwrap();
            until_says(&mut source, "all sizes", |now| {
                now.table_sizes.value().is_some_and(|sizes| {
                    sizes.without.is_none() && sizes.tables.iter().all(|table| table.table_bytes.is_some())
                })
            });
        });
    }
}

#[test]
fn the_largest_are_the_largest_although_nobody_analyzed_them() {
    for major in [POSTGRES_VERSIONS[0], 15, POSTGRES_VERSIONS[POSTGRES_VERSIONS.len() - 1]] {
        let Some(server) = PostgresServer::start_version(major, "autovacuum = off") else { continue };
        server.sql(
            "postgres",
            "DO $$ BEGIN FOR i IN 1..30 LOOP EXECUTE format('CREATE TABLE small%s AS SELECT 1 AS a', i); END LOOP; END $$",
        );
        server.sql("postgres", "CREATE TABLE grown (a text); CREATE TABLE long (a text)");
        server.sql("postgres", "ALTER TABLE long ALTER a SET STORAGE EXTERNAL");
        server.sql("postgres", "ANALYZE");
        // Never analyzed, grown since, and long values that lie elsewhere.
        server.sql("postgres", "CREATE TABLE huge AS SELECT g a, repeat('x', 500) t FROM generate_series(1, 5000) g");
        server.sql("postgres", "INSERT INTO grown SELECT repeat('x', 500) FROM generate_series(1, 5000)");
        server.sql("postgres", "INSERT INTO long SELECT repeat('x', 100000) FROM generate_series(1, 50)");
        // What was counted is told with a delay.
        std::thread::sleep(Duration::from_millis(1500));
        let mut few = options(vec![at(server.port(), "postgres")]);
        few.tables.limit = 3;
        let mut source = open(&few);
        let reading =
            until_says(&mut source, "sizes", |now| now.table_sizes.value().is_some() && now.tables.value().is_some());
        let now = statistics(&reading);
        let mut sized: Vec<&str> =
            now.table_sizes.value().unwrap().tables.iter().map(|table| table.name.as_str()).collect();
        let mut counted: Vec<&str> = now.tables.value().unwrap().iter().map(|table| table.name.as_str()).collect();
        sized.sort_unstable();
        counted.sort_unstable();
        assert_eq!(sized, ["grown", "huge", "long"], "{major}");
        assert_eq!(counted, ["grown", "huge", "long"], "{major}");
    }
}

#[test]
fn a_database_that_is_slow_to_measure_costs_its_own_size_and_the_hint_mends_it() {
    let Some(server) = PostgresServer::start("") else { return };
    server.sql("postgres", "CREATE DATABASE big");
    let number = server.sql("postgres", "SELECT oid FROM pg_database WHERE datname = 'big'");
    let folder = server.folder().join("data/base").join(number);
    for number in 0..60_000 {
        File::create(folder.join(format!("x{number}"))).unwrap();
    }
    let bytes = |reading: &PostgresReading, name: &str| {
        let sizes = statistics(reading).database_sizes.value().unwrap();
        sizes.databases.iter().find(|one| one.name == name).and_then(|one| one.bytes)
    };
    let mut hasty = options(vec![at(server.port(), "postgres")]);
    hasty.statement_timeout = Interval::from_millis(25);
    let mut source = open(&hasty);
    let reading = until_says(&mut source, "the others' sizes", |now| {
        now.database_sizes.value().is_some_and(|sizes| {
            sizes.without.is_some() && sizes.databases.iter().filter(|one| one.bytes.is_some()).count() == 3
        })
    });
    assert_eq!(bytes(&reading, "big"), None);
    let missing: BTreeMap<&str, _> = statistics(&reading).missing().collect();
    let detail = &missing["database"].detail;
    assert!(detail.contains("raise statement_timeout") && detail.contains("\"big\""), "{detail}");
    // As it says, and far beyond the timeout of an answer.
    let mut patient = options(vec![at(server.port(), "postgres")]);
    patient.statement_timeout = Interval::from_secs(300);
    let mut source = open(&patient);
    let start = Instant::now();
    let mut read = false;
    while start.elapsed() < Duration::from_secs(4) || !read {
        let reading = source.sample().unwrap();
        assert!(reading.servers[0].up.value().is_some(), "{:?}", reading.servers[0].up.missing());
        assert_eq!(reading.servers[0].connects, 1);
        read |= statistics(&reading).database_sizes.value().is_some() && bytes(&reading, "big").is_some();
        assert!(start.elapsed() < TIMEOUT);
        std::thread::sleep(Duration::from_millis(100));
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_standby_that_feeds_another_shows_it_and_one_that_is_cut_off_says_since_when() {
    let Some(primary) = PostgresServer::start("wal_level = replica\nmax_wal_senders = 8") else { return };
    let middle = primary.standby("middle");
    let last = middle.standby("last");
    let mut source = open(&options(vec![at(middle.port(), "postgres")]));
    let reading = until_says(&mut source, "the last", |now| {
        now.senders.value().is_some_and(|senders| senders.0.iter().any(|one| one.lag_bytes.is_some()))
            && now.standby.value().is_some_and(|standby| standby.cut_off == Some(false))
    });
    let shown = series(&reading);
    let sender = shown.keys().find(|key| key.starts_with("pg_stat_replication_pg_wal_lsn_diff{")).unwrap();
    assert!(sender.contains("client_addr=127.0.0.1/32,") && sender.contains("slot_name=last"), "{sender}");
    assert!(sender.contains("pid="), "{sender}");
    let receiver = "pg_stat_wal_receiver_flushed_lsn{slot_name=middle,status=streaming,upstream_host=127.0.0.1}";
    assert!(shown.contains_key(receiver), "{shown:#?}");
    primary.stop();
    let stopped = Instant::now();
    let cut = until_says(&mut source, "the cut", |now| {
        now.standby.value().is_some_and(|standby| standby.cut_off == Some(true))
    });
    assert!(stopped.elapsed() >= Duration::from_secs(5), "not at once");
    let silent = statistics(&cut).standby.value().unwrap().silent_seconds.unwrap();
    assert!(silent >= 9.0, "{silent}");
    let shown = series(&cut);
    assert_eq!(shown["pg_replication_lag_seconds{}"], 0.0, "postgres_exporter's sense of it");
    assert_eq!(shown["aura_postgres_standby_cut_off{}"], 1.0);
    // Who looks first when it is cut off already knows that it hears nothing, and counts from there.
    let mut later = open(&options(vec![at(middle.port(), "postgres")]));
    until_says(&mut later, "the cut, seen later", |now| {
        now.standby.value().is_some_and(|standby| standby.cut_off == Some(true))
    });
    primary.start_again();
    until_says(&mut source, "the return", |now| {
        now.standby.value().is_some_and(|standby| standby.cut_off == Some(false) && standby.silent_seconds < Some(9.0))
    });
    drop(last);
}

#[test]
fn workers_of_autovacuum_are_shown_with_their_tables_and_each_once() {
    let settings = "autovacuum_naptime = 1s\nautovacuum_vacuum_threshold = 10\nautovacuum_vacuum_scale_factor = 0\n\
                    autovacuum_analyze_threshold = 10\nautovacuum_analyze_scale_factor = 0\n\
                    autovacuum_vacuum_cost_delay = 100ms\nautovacuum_vacuum_cost_limit = 3";
    let Some(server) = PostgresServer::start(settings) else { return };
    for name in ["one", "two"] {
        server.sql("postgres", &format!("CREATE DATABASE {name}"));
        server.sql(name, "CREATE TABLE busy AS SELECT g, repeat('x', 300) t FROM generate_series(1, 20000) g");
        server.sql(name, "UPDATE busy SET t = t || 'y' WHERE g % 2 = 0");
    }
    let mut source = open(&options(vec![at(server.port(), "postgres")]));
    let start = Instant::now();
    loop {
        let shown = series(&source.sample().unwrap());
        let of = |name: &str| {
            let key = format!(
                "pg_stat_activity_autovacuum_timestamp_seconds{{datname={name},relname=busy,schemaname=public}}"
            );
            shown.contains_key(&key)
        };
        if of("one") && of("two") {
            break;
        }
        assert!(start.elapsed() < TIMEOUT, "no two workers at once");
        std::thread::sleep(Duration::from_millis(100));
    }
}
