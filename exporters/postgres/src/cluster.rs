//! What the server as a whole counts: uptime, WAL, checkpoints, archiving. One row, one query.

use aura_model::{Metric, rows};

use crate::query::{Columns, Query, columns};

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

pub(crate) const QUERY: Query<Cluster> = Query::new("cluster", |known, _| sql(known.version).into(), Cluster::one);

/// The query for a version, given as `server_version_num`.
fn sql(version: u32) -> String {
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

pub(crate) const BGWRITER: &[Metric<Cluster>] = rows! { |cluster|
    counter "pg_stat_bgwriter_buffers_alloc_total" = cluster.buffers_alloc, "Number of buffers allocated.";
    counter "pg_stat_bgwriter_buffers_backend_fsync_total" = cluster.buffers_backend_fsync,
        "Number of times a backend had to execute its own fsync call; from version 17 out of pg_stat_io.";
    counter "pg_stat_bgwriter_buffers_backend_total" = cluster.buffers_backend,
        "Number of buffers written directly by a backend; from version 17 out of pg_stat_io.";
    counter "pg_stat_bgwriter_buffers_checkpoint_total" = cluster.buffers_checkpoint,
        "Number of buffers written during checkpoints.";
    counter "pg_stat_bgwriter_buffers_clean_total" = cluster.buffers_clean,
        "Number of buffers written by the background writer.";
    counter "pg_stat_bgwriter_checkpoint_sync_time_total" = cluster.checkpoint_sync_ms,
        "Time spent syncing files in checkpoints, in milliseconds.";
    counter "pg_stat_bgwriter_checkpoint_write_time_total" = cluster.checkpoint_write_ms,
        "Time spent writing files in checkpoints, in milliseconds.";
    counter "pg_stat_bgwriter_checkpoints_req_total" = cluster.checkpoints_requested,
        "Number of requested checkpoints.";
    counter "pg_stat_bgwriter_checkpoints_timed_total" = cluster.checkpoints_timed, "Number of scheduled checkpoints.";
    counter "pg_stat_bgwriter_maxwritten_clean_total" = cluster.maxwritten_clean,
        "Number of times the background writer stopped a cleaning scan because it had written too many buffers.";
    counter "pg_stat_bgwriter_stats_reset_total" in Seconds = cluster.bgwriter_reset.map(f64::floor),
        "When these statistics were last reset, Unix seconds.";
};

/// As postgres_exporter has them, only where the server has the view.
pub(crate) const CHECKPOINTER: &[Metric<Cluster>] = rows! { |cluster|
    counter "pg_stat_checkpointer_num_timed_total" = cluster.restartpoints_done.map(|_| cluster.checkpoints_timed),
        "Number of scheduled checkpoints due to timeout.";
    counter "pg_stat_checkpointer_num_requested_total" = cluster.restartpoints_done.map(|_| cluster.checkpoints_requested),
        "Number of requested checkpoints that have been performed.";
    counter "pg_stat_checkpointer_restartpoints_timed_total" = cluster.restartpoints_timed,
        "Number of scheduled restartpoints due to timeout or after a failed attempt to perform it.";
    counter "pg_stat_checkpointer_restartpoints_req_total" = cluster.restartpoints_requested,
        "Number of requested restartpoints.";
    counter "pg_stat_checkpointer_restartpoints_done_total" = cluster.restartpoints_done,
        "Number of restartpoints that have been performed.";
    counter "pg_stat_checkpointer_write_time_total" = cluster.restartpoints_done.map(|_| cluster.checkpoint_write_ms),
        "Time spent writing files in checkpoints and restartpoints, in milliseconds.";
    counter "pg_stat_checkpointer_sync_time_total" = cluster.restartpoints_done.map(|_| cluster.checkpoint_sync_ms),
        "Time spent syncing files in checkpoints and restartpoints, in milliseconds.";
    counter "pg_stat_checkpointer_buffers_written_total" = cluster.restartpoints_done.map(|_| cluster.buffers_checkpoint),
        "Number of buffers written during checkpoints and restartpoints.";
    counter "pg_stat_checkpointer_stats_reset_total" in Seconds = cluster.checkpointer_reset.map(f64::floor),
        "When these statistics were last reset, Unix seconds.";
};

pub(crate) const ARCHIVER: &[Metric<Cluster>] = rows! { |cluster|
    counter "pg_stat_archiver_archived_count" = cluster.archived,
        "Number of WAL files that have been successfully archived.";
    counter "pg_stat_archiver_failed_count" = cluster.archive_failed,
        "Number of failed attempts for archiving WAL files.";
    gauge "pg_stat_archiver_last_archive_age" in Seconds = cluster.last_archive_age,
        "Time in seconds since the last WAL segment was successfully archived.";
};

pub(crate) const REPLICATION: &[Metric<Cluster>] = rows! { |cluster|
    gauge "pg_replication_is_replica" = cluster.in_recovery, "Whether the server replays another server's changes.";
    gauge "pg_replication_lag" in Seconds = cluster.replay_lag_seconds,
        "The same as pg_replication_lag_seconds, under its older name.";
    gauge "pg_replication_lag_seconds" in Seconds = cluster.replay_lag_seconds,
        "Age of the newest replayed transaction in seconds; 0 when all that was received is replayed.";
    gauge "pg_replication_last_replay_seconds" in Seconds = cluster.last_replay_seconds,
        "Age of the newest replayed transaction in seconds.";
};

pub(crate) const POSTMASTER: &[Metric<Cluster>] = rows! { |cluster|
    gauge "pg_postmaster_start_time_seconds" in Seconds = cluster.started, "When the server started, Unix seconds.";
};

pub(crate) const XLOG: &[Metric<Cluster>] = rows! { |cluster|
    gauge "pg_xlog_location_bytes" in Bytes = cluster.wal_bytes,
        "Position in the write-ahead log: written, or received on a standby.";
};

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A standby that has done nothing.
    pub(crate) fn cluster() -> Cluster {
        Cluster {
            now: 1000.0,
            in_recovery: true,
            replay_lag_seconds: Some(0.0),
            last_replay_seconds: None,
            has_primary: None,
            ..Cluster::example()
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
