//! Each database's counters, from pg_stat_database.

use aura_model::{Emit, Metric, Unit, counter, gauge, unknown};
use tokio_postgres::{Error, Row};

use crate::ask::{columns, rows};

columns! {
    /// One database.
    pub struct Database {
        /// Its number.
        pub id: i64 = "s.datid::bigint",
        /// Its number as a label.
        pub label: String = "s.datid::pg_catalog.text",
        /// Its name.
        pub name: String = "s.datname::pg_catalog.text",
        /// Whether it is a template, which nobody works in.
        pub template: bool = "d.datistemplate",
        /// Whether anybody may connect to it.
        pub allows_connections: bool = "d.datallowconn",
        /// Connections that it allows; -1 for any number.
        pub connection_limit: i32 = "d.datconnlimit",
        /// Age of its oldest unfrozen transaction, in transactions.
        pub frozen_age: i32 = "age(d.datfrozenxid)",
        /// Age of its oldest multixact.
        pub multixact_age: i32 = "mxid_age(d.datminmxid)",
        /// Backends connected to it.
        pub backends: i32 = "s.numbackends",
        /// Transactions committed.
        pub commits: i64 = "s.xact_commit",
        /// Transactions rolled back.
        pub rollbacks: i64 = "s.xact_rollback",
        /// Blocks read from outside the buffer cache.
        pub blocks_read: i64 = "s.blks_read",
        /// Blocks found in the buffer cache.
        pub blocks_hit: i64 = "s.blks_hit",
        /// Rows returned by scans.
        pub returned: i64 = "s.tup_returned",
        /// Rows fetched by index.
        pub fetched: i64 = "s.tup_fetched",
        /// Rows inserted.
        pub inserted: i64 = "s.tup_inserted",
        /// Rows updated.
        pub updated: i64 = "s.tup_updated",
        /// Rows deleted.
        pub deleted: i64 = "s.tup_deleted",
        /// Queries cancelled because they stood in the way of recovery.
        pub conflicts: i64 = "s.conflicts",
        /// Temporary files.
        pub temp_files: i64 = "s.temp_files",
        /// Bytes in temporary files.
        pub temp_bytes: i64 = "s.temp_bytes",
        /// Deadlocks.
        pub deadlocks: i64 = "s.deadlocks",
        /// Milliseconds spent reading blocks.
        pub read_ms: f64 = "s.blk_read_time",
        /// Milliseconds spent writing blocks.
        pub write_ms: f64 = "s.blk_write_time",
        /// When these counts began, Unix seconds.
        pub reset: Option<f64> = "extract(epoch FROM s.stats_reset)::float",
        /// Milliseconds spent executing statements; from version 14.
        pub active_ms: Option<f64> = "s.active_time",
        /// Queries cancelled because their tablespace was dropped.
        pub conflicts_tablespace: i64 = "pg_catalog.pg_stat_get_db_conflict_tablespace(s.datid)",
        /// Queries cancelled because of locks.
        pub conflicts_lock: i64 = "pg_catalog.pg_stat_get_db_conflict_lock(s.datid)",
        /// Queries cancelled because of old snapshots.
        pub conflicts_snapshot: i64 = "pg_catalog.pg_stat_get_db_conflict_snapshot(s.datid)",
        /// Queries cancelled because of pinned buffers.
        pub conflicts_bufferpin: i64 = "pg_catalog.pg_stat_get_db_conflict_bufferpin(s.datid)",
        /// Queries cancelled because of deadlocks.
        pub conflicts_deadlock: i64 = "pg_catalog.pg_stat_get_db_conflict_startup_deadlock(s.datid)",
        /// Uses of logical slots cancelled; from version 16.
        pub conflicts_slot: Option<i64> = "pg_catalog.pg_stat_get_db_conflict_logicalslot(s.datid)",
    }
}

/// The query for a version, given as `server_version_num`.
pub(crate) fn sql(version: u32) -> String {
    let columns = Database::select(|column| match column {
        "active_ms" if version < 140_000 => Some("NULL::float"),
        "conflicts_slot" if version < 160_000 => Some("NULL::bigint"),
        _ => None,
    });
    format!(
        "SELECT {columns} FROM pg_catalog.pg_stat_database s JOIN pg_catalog.pg_database d ON d.oid = \
        s.datid ORDER BY s.datid"
    )
}

pub(crate) fn read(answer: &[Row]) -> Result<Vec<Database>, Error> {
    rows(answer, Database::read)
}

type Databases = Vec<Database>;

macro_rules! each {
    ($kind:ident, $name:literal, $help:literal, $unit:expr, $value:expr) => {
        $kind($name, $help, $unit, &["datid", "datname"], |databases: &Databases, emit: &mut dyn Emit| {
            for database in databases {
                let value: fn(&Database) -> _ = $value;
                emit.sample(&[&database.label, &database.name], value(database).into());
            }
        })
    };
}

pub(crate) const METRICS: &[Metric<Databases>] = &[
    each!(gauge, "pg_stat_database_numbackends", "Number of backends connected to this database.", Unit::None, |d| {
        i64::from(d.backends)
    }),
    each!(counter, "pg_stat_database_xact_commit", "Transactions that were committed.", Unit::None, |d| d.commits),
    each!(counter, "pg_stat_database_xact_rollback", "Transactions that were rolled back.", Unit::None, |d| d
        .rollbacks),
    each!(counter, "pg_stat_database_blks_read", "Blocks read from outside the buffer cache.", Unit::None, |d| {
        d.blocks_read
    }),
    each!(counter, "pg_stat_database_blks_hit", "Blocks found in the buffer cache.", Unit::None, |d| d.blocks_hit),
    each!(counter, "pg_stat_database_tup_returned", "Rows returned by queries.", Unit::None, |d| d.returned),
    each!(counter, "pg_stat_database_tup_fetched", "Rows fetched by queries.", Unit::None, |d| d.fetched),
    each!(counter, "pg_stat_database_tup_inserted", "Rows inserted.", Unit::None, |d| d.inserted),
    each!(counter, "pg_stat_database_tup_updated", "Rows updated.", Unit::None, |d| d.updated),
    each!(counter, "pg_stat_database_tup_deleted", "Rows deleted.", Unit::None, |d| d.deleted),
    each!(
        counter,
        "pg_stat_database_conflicts",
        "Queries cancelled due to conflicts with recovery.",
        Unit::None,
        |d| { d.conflicts }
    ),
    each!(counter, "pg_stat_database_temp_files", "Temporary files created by queries.", Unit::None, |d| d.temp_files),
    each!(counter, "pg_stat_database_temp_bytes", "Data written to temporary files, in bytes.", Unit::Bytes, |d| {
        d.temp_bytes
    }),
    each!(counter, "pg_stat_database_deadlocks", "Deadlocks detected.", Unit::None, |d| d.deadlocks),
    each!(counter, "pg_stat_database_blk_read_time", "Time spent reading blocks, in milliseconds.", Unit::None, |d| {
        d.read_ms
    }),
    each!(counter, "pg_stat_database_blk_write_time", "Time spent writing blocks, in milliseconds.", Unit::None, |d| {
        d.write_ms
    }),
    counter(
        "pg_stat_database_stats_reset",
        "When these statistics were last reset, Unix seconds; absent if never.",
        Unit::Seconds,
        &["datid", "datname"],
        |databases, emit| {
            for database in databases {
                emit.maybe(&[&database.label, &database.name], database.reset.map(f64::floor));
            }
        },
    ),
    counter(
        "pg_stat_database_active_time_seconds_total",
        "Time spent executing statements, in seconds.",
        Unit::Seconds,
        &["datid", "datname"],
        |databases, emit| {
            for database in databases {
                let seconds = database.active_ms.map(|milliseconds| milliseconds / 1000.0);
                emit.maybe(&[&database.label, &database.name], seconds);
            }
        },
    ),
];

/// postgres_exporter names the server in these alone.
const CONFLICT_LABELS: &[&str] = &["server", "datid", "datname"];

macro_rules! conflict {
    ($name:literal, $help:literal, $unit:expr, $value:expr) => {
        counter($name, $help, $unit, CONFLICT_LABELS, |databases: &Databases, emit: &mut dyn Emit| {
            for database in databases {
                let value: fn(&Database) -> _ = $value;
                emit.sample(&[&database.label, &database.name], value(database).into());
            }
        })
    };
}

pub(crate) const CONFLICTS: &[Metric<Databases>] = &[
    conflict!(
        "pg_stat_database_conflicts_confl_tablespace",
        "Queries cancelled due to dropped tablespaces.",
        Unit::None,
        |d| d.conflicts_tablespace
    ),
    conflict!("pg_stat_database_conflicts_confl_lock", "Queries cancelled due to lock timeouts.", Unit::None, |d| d
        .conflicts_lock),
    conflict!(
        "pg_stat_database_conflicts_confl_snapshot",
        "Queries cancelled due to old snapshots.",
        Unit::None,
        |d| d.conflicts_snapshot
    ),
    conflict!(
        "pg_stat_database_conflicts_confl_bufferpin",
        "Queries cancelled due to pinned buffers.",
        Unit::None,
        |d| d.conflicts_bufferpin
    ),
    conflict!("pg_stat_database_conflicts_confl_deadlock", "Queries cancelled due to deadlocks.", Unit::None, |d| d
        .conflicts_deadlock),
    unknown(
        "pg_stat_database_conflicts_confl_active_logicalslot",
        "Uses of logical replication slots cancelled due to conflicts with recovery; from PostgreSQL 16.",
        Unit::None,
        CONFLICT_LABELS,
        |databases, emit| {
            for database in databases {
                emit.maybe(&[&database.label, &database.name], database.conflicts_slot);
            }
        },
    ),
];

pub(crate) const LIMITS: &[Metric<Databases>] = &[gauge(
    "pg_database_connection_limit",
    "Connections that the database allows; -1 for any number.",
    Unit::None,
    &["datname"],
    |databases, emit| {
        for database in databases {
            emit.one(&database.name, i64::from(database.connection_limit));
        }
    },
)];

pub(crate) const WRAPAROUND: &[Metric<Databases>] = &[
    gauge(
        "pg_database_wraparound_age_datfrozenxid_seconds",
        "Age of the oldest transaction that is not frozen, in transactions (the name says seconds, as upstream).",
        Unit::None,
        &["datname"],
        |databases, emit| {
            for database in databases {
                emit.one(&database.name, i64::from(database.frozen_age));
            }
        },
    ),
    gauge(
        "pg_database_wraparound_age_datminmxid_seconds",
        "Age of the oldest multixact, in multixacts (the name says seconds, as upstream).",
        Unit::None,
        &["datname"],
        |databases, emit| {
            for database in databases {
                emit.one(&database.name, i64::from(database.multixact_age));
            }
        },
    ),
];
