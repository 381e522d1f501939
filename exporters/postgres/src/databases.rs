//! Each database's counters, from pg_stat_database.

use aura_model::{Metric, rows};

use crate::{
    groups::SERVER,
    query::{Columns, Query, columns},
};

columns! {
    /// One database.
    pub struct Database {
        pub id: i64 = "s.datid::bigint",
        /// Its number as a label.
        pub label: String = "s.datid::pg_catalog.text",
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
        pub inserted: i64 = "s.tup_inserted",
        pub updated: i64 = "s.tup_updated",
        pub deleted: i64 = "s.tup_deleted",
        /// Queries cancelled because they stood in the way of recovery.
        pub conflicts: i64 = "s.conflicts",
        pub temp_files: i64 = "s.temp_files",
        pub temp_bytes: i64 = "s.temp_bytes",
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

pub(crate) const QUERY: Query<Vec<Database>> =
    Query::new("stat_database", |known, _| sql(known.version).into(), Database::all);

/// The query for a version, given as `server_version_num`.
fn sql(version: u32) -> String {
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

pub(crate) const METRICS: &[Metric<Vec<Database>>] = rows! { |databases|
    for database in databases => { datid: database.label, datname: database.name } {
        gauge "pg_stat_database_numbackends" = database.backends, "Number of backends connected to this database.";
        counter "pg_stat_database_xact_commit" = database.commits, "Transactions that were committed.";
        counter "pg_stat_database_xact_rollback" = database.rollbacks, "Transactions that were rolled back.";
        counter "pg_stat_database_blks_read" = database.blocks_read, "Blocks read from outside the buffer cache.";
        counter "pg_stat_database_blks_hit" = database.blocks_hit, "Blocks found in the buffer cache.";
        counter "pg_stat_database_tup_returned" = database.returned, "Rows returned by queries.";
        counter "pg_stat_database_tup_fetched" = database.fetched, "Rows fetched by queries.";
        counter "pg_stat_database_tup_inserted" = database.inserted, "Rows inserted.";
        counter "pg_stat_database_tup_updated" = database.updated, "Rows updated.";
        counter "pg_stat_database_tup_deleted" = database.deleted, "Rows deleted.";
        counter "pg_stat_database_conflicts" = database.conflicts, "Queries cancelled due to conflicts with recovery.";
        counter "pg_stat_database_temp_files" = database.temp_files, "Temporary files created by queries.";
        counter "pg_stat_database_temp_bytes" in Bytes = database.temp_bytes,
            "Data written to temporary files, in bytes.";
        counter "pg_stat_database_deadlocks" = database.deadlocks, "Deadlocks detected.";
        counter "pg_stat_database_blk_read_time" = database.read_ms, "Time spent reading blocks, in milliseconds.";
        counter "pg_stat_database_blk_write_time" = database.write_ms, "Time spent writing blocks, in milliseconds.";
        counter "pg_stat_database_stats_reset" in Seconds = database.reset.map(f64::floor),
            "When these statistics were last reset, Unix seconds; absent if never.";
        counter "pg_stat_database_active_time_seconds_total" in Seconds = database.active_ms.map(|time| time / 1000.0),
            "Time spent executing statements, in seconds.";
    }
};

// postgres_exporter names the server in these alone.
pub(crate) const CONFLICTS: &[Metric<Vec<Database>>] = rows! { |databases|
    for database in databases => { server: SERVER, datid: database.label, datname: database.name } {
        counter "pg_stat_database_conflicts_confl_tablespace" = database.conflicts_tablespace,
            "Queries cancelled due to dropped tablespaces.";
        counter "pg_stat_database_conflicts_confl_lock" = database.conflicts_lock,
            "Queries cancelled due to lock timeouts.";
        counter "pg_stat_database_conflicts_confl_snapshot" = database.conflicts_snapshot,
            "Queries cancelled due to old snapshots.";
        counter "pg_stat_database_conflicts_confl_bufferpin" = database.conflicts_bufferpin,
            "Queries cancelled due to pinned buffers.";
        counter "pg_stat_database_conflicts_confl_deadlock" = database.conflicts_deadlock,
            "Queries cancelled due to deadlocks.";
        unknown "pg_stat_database_conflicts_confl_active_logicalslot" = database.conflicts_slot,
            "Uses of logical replication slots cancelled due to conflicts with recovery; from PostgreSQL 16.";
    }
};

pub(crate) const LIMITS: &[Metric<Vec<Database>>] = rows! { |databases|
    for database in databases => { datname: database.name } {
        gauge "pg_database_connection_limit" = database.connection_limit,
            "Connections that the database allows; -1 for any number.";
    }
};

pub(crate) const WRAPAROUND: &[Metric<Vec<Database>>] = rows! { |databases|
    for database in databases => { datname: database.name } {
        gauge "pg_database_wraparound_age_datfrozenxid_seconds" = database.frozen_age,
            "Age of the oldest transaction that is not frozen, in transactions (the name says seconds, as upstream).";
        gauge "pg_database_wraparound_age_datminmxid_seconds" = database.multixact_age,
            "Age of the oldest multixact, in multixacts (the name says seconds, as upstream).";
    }
};
