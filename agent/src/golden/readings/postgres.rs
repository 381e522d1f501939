//! A server with its statistics and debates.

use std::sync::Arc;

use aura_model::{Reason, Section};
use aura_postgres::{
    Activity, Backend, Cluster, Database, DatabaseSize, DatabaseSizes, Debate, Debates, PostgresReading, Ranking,
    Rounds, Sender, Senders, ServerReading, Slot, Slots, SlowStatement, SlowStatements, Standby, Statistics, Table,
    TableSize, TableSizes, Vacuum, Vacuums,
};

use super::off;
use crate::golden::{SECOND, seconds};

/// A server ten seconds apart, beside one that does not answer.
pub(in crate::golden) fn postgres() -> (PostgresReading, PostgresReading) {
    // Sizes were read half a second earlier than their reading.
    let at = seconds(SECOND);
    (servers(0, at - 10.5), servers(1, at - 0.5))
}

fn servers(step: i64, read_at: f64) -> PostgresReading {
    let server = ServerReading {
        name: "main".into(),
        address: "127.0.0.1:5432".into(),
        user: "aura".into(),
        database: "postgres".into(),
        up: Section::Fresh(Arc::new(statistics(step, read_at))),
        seconds: 0.01,
        age_seconds: 0.0,
        scrapes: 2,
        connects: 1,
    };
    let silent = ServerReading {
        name: "other".into(),
        address: "10.0.0.8:5432".into(),
        up: Section::off(Reason::NoPermission, "10.0.0.8:5432: password authentication failed for user \"aura\""),
        ..server.clone()
    };
    PostgresReading { servers: vec![server, silent] }
}

fn statistics(step: i64, read_at: f64) -> Statistics {
    Statistics {
        version: 150_013,
        cluster: Section::Fresh(Arc::new(cluster(read_at))),
        databases: Section::Fresh(Arc::new(vec![database(1, "postgres", step), database(2, "app", 3 * step)])),
        activity: Section::Fresh(Arc::new(Activity { backends: backends(), databases: vec![], hides: false })),
        locks: off("locks"),
        senders: Section::Fresh(Arc::new(Senders(vec![Sender {
            application: Some("standby".into()),
            client: Some("10.0.0.9".into()),
            network: Some("10.0.0.9/32".into()),
            pid: "9".into(),
            state: Some("streaming".into()),
            sync_state: Some("async".into()),
            slot: None,
            wal_bytes: Some(1e9),
            lag_bytes: Some(4096.0),
            replay_lag_seconds: Some(0.25),
        }]))),
        receivers: off("receivers"),
        standby: Section::Fresh(Arc::new(Standby { silent_seconds: None, cut_off: None })),
        vacuums: Section::Fresh(Arc::new(Vacuums(vec![Vacuum {
            database: Some("postgres".into()),
            table: Some("public.t".into()),
            phase: Some("scanning heap".into()),
            blocks: Some(200),
            scanned: Some(50),
            vacuumed: Some(0),
            index_rounds: Some(0),
            most_dead: None,
            dead: None,
        }]))),
        buffer_cache: off("buffer_cache"),
        slots: Section::Fresh(Arc::new(Slots(vec![Slot {
            name: "left".into(),
            kind: "physical".into(),
            database: None,
            active: false,
            current_bytes: Some(1e9),
            confirmed_bytes: None,
            kept_bytes: Some(16_777_216.0),
            safe_bytes: None,
            wal_status: Some("reserved".into()),
        }]))),
        settings: off("settings"),
        database_sizes: Section::Fresh(Arc::new(DatabaseSizes {
            databases: vec![
                DatabaseSize { name: "postgres".into(), bytes: Some(8_000_000 + step * 4096), read_at },
                DatabaseSize { name: "app".into(), bytes: None, read_at },
            ],
            without: None,
        })),
        roles: off("roles"),
        wal: off("wal"),
        features: off("features"),
        tables: Section::Fresh(Arc::new(vec![table("t", 120), table("clean", 0)])),
        table_sizes: Section::Fresh(Arc::new(TableSizes {
            read_at,
            tables: vec![size("t", 40_000 + 8192 * step), size("clean", 8192)],
            without: None,
        })),
        indexes: off("indexes"),
        others: Vec::new(),
        left_out: None,
        slow_statements: Section::Fresh(Arc::new(SlowStatements(vec![SlowStatement {
            query: Some("SELECT pg_sleep($1)".into()),
            database: Some("postgres".into()),
            calls: 3,
            total_ms: 900.5,
            mean_ms: 300.2,
            rows: 3,
        }]))),
        statements: off("statements"),
        debates: Section::Fresh(Arc::new(debates())),
        rankings: Section::Fresh(Arc::new(vec![Ranking {
            model: "red:1b".into(),
            display_name: "Red".into(),
            elo: Some(1516),
            wins: Some(7),
            losses: Some(0),
            draws: Some(0),
            total_debates: Some(7),
            specialty: None,
        }])),
        rounds: Section::Fresh(Arc::new(vec![
            Rounds { debate: "debate-1".into(), turns: 6, errors: 0 },
            Rounds { debate: "debate-2".into(), turns: 6, errors: 2 },
        ])),
        health: Vec::new(),
    }
}

fn cluster(now: f64) -> Cluster {
    Cluster {
        database: "postgres".into(),
        now,
        started: now - 86_400.0,
        in_recovery: false,
        wal_bytes: Some(1e9),
        replay_lag_seconds: None,
        last_replay_seconds: None,
        has_primary: None,
        sees_all: true,
        checkpoints_timed: 1,
        checkpoints_requested: 1,
        checkpoint_write_ms: 1.0,
        checkpoint_sync_ms: 1.0,
        buffers_checkpoint: 1,
        buffers_clean: 1,
        maxwritten_clean: 1,
        buffers_backend: None,
        buffers_backend_fsync: None,
        buffers_alloc: 1,
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

fn database(id: i64, name: &str, step: i64) -> Database {
    Database {
        id,
        label: id.to_string(),
        name: name.into(),
        template: false,
        allows_connections: true,
        connection_limit: -1,
        frozen_age: 1_000_000,
        multixact_age: 1,
        backends: 4,
        commits: 1000 + 120 * step,
        rollbacks: 10 + step,
        blocks_read: 500 + 10 * step,
        blocks_hit: 9500 + 990 * step,
        returned: 5000 + 300 * step,
        fetched: 4000 + 200 * step,
        inserted: 300 + 20 * step,
        updated: 200 + 10 * step,
        deleted: 100 + 5 * step,
        conflicts: 0,
        temp_files: step,
        temp_bytes: 8192 * step,
        deadlocks: 1,
        read_ms: 0.0,
        write_ms: 0.0,
        reset: None,
        active_ms: None,
        conflicts_tablespace: 0,
        conflicts_lock: 0,
        conflicts_snapshot: 0,
        conflicts_bufferpin: 0,
        conflicts_deadlock: 0,
        conflicts_slot: None,
    }
}

fn backends() -> Vec<Backend> {
    let backend = |pid: i32, state: &str, query: &str| Backend {
        pid,
        own: pid == 1,
        database: Some("postgres".into()),
        user: Some("app".into()),
        application: Some("web".into()),
        client: Some("10.0.0.5".into()),
        kind: Some("client backend".into()),
        state: Some(state.into()),
        wait_kind: None,
        wait: None,
        transaction_began: None,
        transaction_seconds: Some(f64::from(pid) * 20.0),
        query_seconds: Some(3.5),
        state_seconds: Some(3.5),
        query: Some(query.into()),
        blocked_by: None,
    };
    vec![
        backend(1, "active", "our own"),
        backend(2, "idle in transaction", "UPDATE t"),
        Backend {
            wait_kind: Some("Lock".into()),
            blocked_by: Some("2".into()),
            ..backend(3, "active", "DELETE FROM t")
        },
        Backend { kind: Some("checkpointer".into()), database: None, ..backend(4, "", "") },
    ]
}

fn table(name: &str, dead: i64) -> Table {
    Table {
        database: "postgres".into(),
        schema: "public".into(),
        name: name.into(),
        id: 1,
        seq_scans: 1,
        seq_rows: 1,
        index_scans: None,
        index_rows: None,
        inserted: 1,
        updated: 1,
        deleted: 1,
        hot_updated: 1,
        live: 1000,
        dead,
        changed: 1,
        last_vacuum: Some(1_765_700_000.0),
        last_autovacuum: Some(1_765_800_000.0),
        last_analyze: None,
        last_autoanalyze: None,
        vacuums: 1,
        autovacuums: 1,
        analyzes: 1,
        autoanalyzes: 1,
        heap_read: None,
        heap_hit: None,
        index_read: None,
        index_hit: None,
        toast_read: None,
        toast_hit: None,
        toast_index_read: None,
        toast_index_hit: None,
    }
}

fn size(name: &str, bytes: i64) -> TableSize {
    TableSize {
        id: 1,
        database: "postgres".into(),
        schema: "public".into(),
        name: name.into(),
        table_bytes: Some(bytes),
        index_bytes: Some(16_384),
        locked: false,
    }
}

fn debates() -> Debates {
    let debate = |number: u32, winner: Option<&str>, status: &str| Debate {
        id: format!("debate-{number}"),
        topic: "Is it?".into(),
        category: Some("reasoning".into()),
        model_a: "red:1b".into(),
        model_b: "blue:3b".into(),
        judge: Some("blue:3b".into()),
        winner: winner.map(Into::into),
        elo_change_a: Some(16),
        elo_change_b: Some(-16),
        elo_before_a: Some(1500),
        elo_before_b: Some(1500),
        score_a: Some(80.0),
        score_b: Some(62.5),
        verdict: Some("A \"clear\" win.".into()),
        started_at: Some(format!("2025-12-01T06:0{number}:00.000")),
        completed_at: (status == "completed").then(|| format!("2025-12-01T06:0{number}:30.000")),
        duration_seconds: (status == "completed").then_some(30.0),
        status: Some(status.into()),
        total_rounds: Some(3),
    };
    let debates = vec![
        debate(1, Some("red:1b"), "completed"),
        debate(2, None, "completed"),
        debate(3, Some("blue:3b"), "completed"),
        debate(4, None, "running"),
    ];
    Debates { debates, truncated: false }
}
