//! What the server as a whole counts: uptime, WAL, checkpoints, archiving. One row, one query.

use aura_model::{Metric, Unit, counter, gauge};

use crate::ask::columns;

columns! {
    /// The server as a whole.
    pub struct Cluster {
        /// The database that we are connected to.
        pub database: String = "pg_catalog.current_database()::pg_catalog.text",
        /// The server's clock, Unix seconds.
        pub now: f64 = "extract(epoch FROM pg_catalog.clock_timestamp())::float",
        /// When the server started, Unix seconds.
        pub started: f64 = "extract(epoch FROM pg_catalog.pg_postmaster_start_time())::float",
        /// It replays another server's changes.
        pub in_recovery: bool = "pg_catalog.pg_is_in_recovery()",
        /// Position in the WAL: written, or received on a standby.
        pub wal_bytes: Option<f64> =
            "((CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn() ELSE \
            pg_catalog.pg_current_wal_lsn() END) - '0/0')::float",
        /// Age of the newest replayed transaction; zero on a primary and when all that was received is replayed.
        pub replay_lag_seconds: Option<f64> =
            "(CASE WHEN NOT pg_catalog.pg_is_in_recovery() OR pg_catalog.pg_last_wal_receive_lsn() = \
            pg_catalog.pg_last_wal_replay_lsn() THEN 0 \
             ELSE greatest(0, extract(epoch FROM pg_catalog.now() - \
             pg_catalog.pg_last_xact_replay_timestamp())) END)::float",
        /// Age of the newest replayed transaction, whether or not there was anything to replay.
        pub last_replay_seconds: Option<f64> = "extract(epoch FROM pg_catalog.now() - \
            pg_catalog.pg_last_xact_replay_timestamp())::float",
        /// On a standby: whether it is told of a server to receive from; none when the role may not see it.
        pub has_primary: Option<bool> = "(SELECT setting <> '' FROM pg_catalog.pg_settings WHERE \
            name = 'primary_conninfo' AND pg_catalog.pg_is_in_recovery())",
        /// Whether we may see other roles' activity.
        pub sees_all: bool = "pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')",
        /// Checkpoints that were due by time.
        pub checkpoints_timed: i64 = "b.checkpoints_timed",
        /// Checkpoints that were asked for.
        pub checkpoints_requested: i64 = "b.checkpoints_req",
        /// Milliseconds spent writing in checkpoints.
        pub checkpoint_write_ms: f64 = "b.checkpoint_write_time",
        /// Milliseconds spent syncing in checkpoints.
        pub checkpoint_sync_ms: f64 = "b.checkpoint_sync_time",
        /// Buffers written by checkpoints.
        pub buffers_checkpoint: i64 = "b.buffers_checkpoint",
        /// Buffers written by the background writer.
        pub buffers_clean: i64 = "b.buffers_clean",
        /// Rounds that the background writer ended early.
        pub maxwritten_clean: i64 = "b.maxwritten_clean",
        /// Buffers written by backends themselves.
        pub buffers_backend: Option<i64> = "b.buffers_backend",
        /// Times a backend had to sync a file itself.
        pub buffers_backend_fsync: Option<i64> = "b.buffers_backend_fsync",
        /// Buffers allocated.
        pub buffers_alloc: i64 = "b.buffers_alloc",
        /// When these counts began, Unix seconds.
        pub bgwriter_reset: Option<f64> = "extract(epoch FROM b.stats_reset)::float",
        /// WAL files archived.
        pub archived: i64 = "a.archived_count",
        /// Failed attempts to archive.
        pub archive_failed: i64 = "a.failed_count",
        /// Seconds since a file was last archived.
        pub last_archive_age: Option<f64> = "extract(epoch FROM pg_catalog.now() - a.last_archived_time)::float",
        /// Restart points that were due by time.
        pub restartpoints_timed: Option<i64> = "NULL::bigint",
        /// Restart points that were asked for.
        pub restartpoints_requested: Option<i64> = "NULL::bigint",
        /// Restart points that were done.
        pub restartpoints_done: Option<i64> = "NULL::bigint",
        /// When the checkpointer's counts began, Unix seconds; from version 17.
        pub checkpointer_reset: Option<f64> = "NULL::float",
    }
}

/// Version 17 moved the checkpoints to a view of their own and the backends' writes to pg_stat_io. There backends are
/// all who are neither checkpointer nor background writer, as they were in the old counter.
fn since_17(column: &str) -> Option<&'static str> {
    Some(match column {
        "checkpoints_timed" => "c.num_timed",
        "checkpoints_requested" => "c.num_requested",
        "checkpoint_write_ms" => "c.write_time",
        "checkpoint_sync_ms" => "c.sync_time",
        "buffers_checkpoint" => "c.buffers_written",
        "buffers_backend" => "(io.written / pg_catalog.current_setting('block_size')::bigint)::bigint",
        "buffers_backend_fsync" => "io.fsyncs",
        "restartpoints_timed" => "c.restartpoints_timed",
        "restartpoints_requested" => "c.restartpoints_req",
        "restartpoints_done" => "c.restartpoints_done",
        "checkpointer_reset" => "extract(epoch FROM c.stats_reset)::float",
        _ => return None,
    })
}

/// The query for a version, given as `server_version_num`.
pub(crate) fn sql(version: u32) -> String {
    if version < 170_000 {
        return format!(
            "SELECT {} FROM pg_catalog.pg_stat_bgwriter b, pg_catalog.pg_stat_archiver a",
            Cluster::select(|_| None)
        );
    }
    // Version 18 counts bytes, because one write may carry several blocks.
    let written = if version < 180_000 {
        "(coalesce(writes, 0) + coalesce(extends, 0)) * op_bytes"
    } else {
        "coalesce(write_bytes, 0) + coalesce(extend_bytes, 0)"
    };
    format!(
        "SELECT {} FROM pg_catalog.pg_stat_bgwriter b, pg_catalog.pg_stat_archiver a, \
        pg_catalog.pg_stat_checkpointer c, \
         (SELECT pg_catalog.sum({written})::bigint AS written, pg_catalog.sum(fsyncs)::bigint AS fsyncs FROM \
         pg_catalog.pg_stat_io \
         WHERE object = 'relation' AND backend_type NOT IN ('checkpointer', 'background writer')) io",
        Cluster::select(since_17)
    )
}

pub(crate) const BGWRITER: &[Metric<Cluster>] = &[
    counter(
        "pg_stat_bgwriter_buffers_alloc_total",
        "Number of buffers allocated.",
        Unit::None,
        &[],
        |cluster, emit| emit.value(cluster.buffers_alloc),
    ),
    counter(
        "pg_stat_bgwriter_buffers_backend_fsync_total",
        "Number of times a backend had to execute its own fsync call; from version 17 out of pg_stat_io.",
        Unit::None,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.buffers_backend_fsync),
    ),
    counter(
        "pg_stat_bgwriter_buffers_backend_total",
        "Number of buffers written directly by a backend; from version 17 out of pg_stat_io.",
        Unit::None,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.buffers_backend),
    ),
    counter(
        "pg_stat_bgwriter_buffers_checkpoint_total",
        "Number of buffers written during checkpoints.",
        Unit::None,
        &[],
        |cluster, emit| emit.value(cluster.buffers_checkpoint),
    ),
    counter(
        "pg_stat_bgwriter_buffers_clean_total",
        "Number of buffers written by the background writer.",
        Unit::None,
        &[],
        |cluster, emit| emit.value(cluster.buffers_clean),
    ),
    counter(
        "pg_stat_bgwriter_checkpoint_sync_time_total",
        "Time spent syncing files in checkpoints, in milliseconds.",
        Unit::None,
        &[],
        |cluster, emit| emit.value(cluster.checkpoint_sync_ms),
    ),
    counter(
        "pg_stat_bgwriter_checkpoint_write_time_total",
        "Time spent writing files in checkpoints, in milliseconds.",
        Unit::None,
        &[],
        |cluster, emit| emit.value(cluster.checkpoint_write_ms),
    ),
    counter(
        "pg_stat_bgwriter_checkpoints_req_total",
        "Number of requested checkpoints.",
        Unit::None,
        &[],
        |cluster, emit| emit.value(cluster.checkpoints_requested),
    ),
    counter(
        "pg_stat_bgwriter_checkpoints_timed_total",
        "Number of scheduled checkpoints.",
        Unit::None,
        &[],
        |cluster, emit| emit.value(cluster.checkpoints_timed),
    ),
    counter(
        "pg_stat_bgwriter_maxwritten_clean_total",
        "Number of times the background writer stopped a cleaning scan because it had written too many buffers.",
        Unit::None,
        &[],
        |cluster, emit| emit.value(cluster.maxwritten_clean),
    ),
    counter(
        "pg_stat_bgwriter_stats_reset_total",
        "When these statistics were last reset, Unix seconds.",
        Unit::Seconds,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.bgwriter_reset.map(f64::floor)),
    ),
];

/// As postgres_exporter has them, only where the server has the view.
pub(crate) const CHECKPOINTER: &[Metric<Cluster>] = &[
    counter(
        "pg_stat_checkpointer_num_timed_total",
        "Number of scheduled checkpoints due to timeout.",
        Unit::None,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.restartpoints_done.map(|_| cluster.checkpoints_timed)),
    ),
    counter(
        "pg_stat_checkpointer_num_requested_total",
        "Number of requested checkpoints that have been performed.",
        Unit::None,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.restartpoints_done.map(|_| cluster.checkpoints_requested)),
    ),
    counter(
        "pg_stat_checkpointer_restartpoints_timed_total",
        "Number of scheduled restartpoints due to timeout or after a failed attempt to perform it.",
        Unit::None,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.restartpoints_timed),
    ),
    counter(
        "pg_stat_checkpointer_restartpoints_req_total",
        "Number of requested restartpoints.",
        Unit::None,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.restartpoints_requested),
    ),
    counter(
        "pg_stat_checkpointer_restartpoints_done_total",
        "Number of restartpoints that have been performed.",
        Unit::None,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.restartpoints_done),
    ),
    counter(
        "pg_stat_checkpointer_write_time_total",
        "Time spent writing files in checkpoints and restartpoints, in milliseconds.",
        Unit::None,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.restartpoints_done.map(|_| cluster.checkpoint_write_ms)),
    ),
    counter(
        "pg_stat_checkpointer_sync_time_total",
        "Time spent syncing files in checkpoints and restartpoints, in milliseconds.",
        Unit::None,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.restartpoints_done.map(|_| cluster.checkpoint_sync_ms)),
    ),
    counter(
        "pg_stat_checkpointer_buffers_written_total",
        "Number of buffers written during checkpoints and restartpoints.",
        Unit::None,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.restartpoints_done.map(|_| cluster.buffers_checkpoint)),
    ),
    counter(
        "pg_stat_checkpointer_stats_reset_total",
        "When these statistics were last reset, Unix seconds.",
        Unit::Seconds,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.checkpointer_reset.map(f64::floor)),
    ),
];

pub(crate) const ARCHIVER: &[Metric<Cluster>] = &[
    counter(
        "pg_stat_archiver_archived_count",
        "Number of WAL files that have been successfully archived.",
        Unit::None,
        &[],
        |cluster, emit| emit.value(cluster.archived),
    ),
    counter(
        "pg_stat_archiver_failed_count",
        "Number of failed attempts for archiving WAL files.",
        Unit::None,
        &[],
        |cluster, emit| emit.value(cluster.archive_failed),
    ),
    gauge(
        "pg_stat_archiver_last_archive_age",
        "Time in seconds since the last WAL segment was successfully archived.",
        Unit::Seconds,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.last_archive_age),
    ),
];

pub(crate) const REPLICATION: &[Metric<Cluster>] = &[
    gauge(
        "pg_replication_is_replica",
        "Whether the server replays another server's changes.",
        Unit::None,
        &[],
        |cluster, emit| emit.value(cluster.in_recovery),
    ),
    gauge(
        "pg_replication_lag",
        "The same as pg_replication_lag_seconds, under its older name.",
        Unit::Seconds,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.replay_lag_seconds),
    ),
    gauge(
        "pg_replication_lag_seconds",
        "Age of the newest replayed transaction in seconds; 0 when all that was received is replayed.",
        Unit::Seconds,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.replay_lag_seconds),
    ),
    gauge(
        "pg_replication_last_replay_seconds",
        "Age of the newest replayed transaction in seconds.",
        Unit::Seconds,
        &[],
        |cluster, emit| emit.maybe(&[], cluster.last_replay_seconds),
    ),
];

pub(crate) const POSTMASTER: &[Metric<Cluster>] = &[gauge(
    "pg_postmaster_start_time_seconds",
    "When the server started, Unix seconds.",
    Unit::Seconds,
    &[],
    |cluster, emit| emit.value(cluster.started),
)];

pub(crate) const XLOG: &[Metric<Cluster>] = &[gauge(
    "pg_xlog_location_bytes",
    "Position in the write-ahead log: written, or received on a standby.",
    Unit::Bytes,
    &[],
    |cluster, emit| emit.maybe(&[], cluster.wal_bytes),
)];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A standby that has done nothing.
    pub(crate) fn cluster() -> Cluster {
        Cluster {
            database: "postgres".into(),
            now: 1000.0,
            started: 0.0,
            in_recovery: true,
            wal_bytes: None,
            replay_lag_seconds: Some(0.0),
            last_replay_seconds: None,
            has_primary: None,
            sees_all: true,
            checkpoints_timed: 0,
            checkpoints_requested: 0,
            checkpoint_write_ms: 0.0,
            checkpoint_sync_ms: 0.0,
            buffers_checkpoint: 0,
            buffers_clean: 0,
            maxwritten_clean: 0,
            buffers_backend: None,
            buffers_backend_fsync: None,
            buffers_alloc: 0,
            bgwriter_reset: None,
            archived: 0,
            archive_failed: 0,
            last_archive_age: None,
            restartpoints_timed: None,
            restartpoints_requested: None,
            restartpoints_done: None,
            checkpointer_reset: None,
        }
    }

    /// Columns as the manuals of the versions list them.
    #[test]
    fn each_version_is_asked_for_what_it_has() {
        for (version, has, has_not) in [
            (130_023, "b.checkpoints_timed", "pg_stat_checkpointer"),
            (160_010, "b.buffers_backend_fsync", "pg_stat_io"),
            (170_006, "c.num_timed", "b.checkpoints"),
            (170_006, "op_bytes", "write_bytes"),
            (170_006, "io.fsyncs", "b.buffers_backend"),
            (180_001, "write_bytes", "op_bytes"),
        ] {
            let sql = sql(version);
            assert!(sql.contains(has) && !sql.contains(has_not), "{version}: {sql}");
        }
    }
}
