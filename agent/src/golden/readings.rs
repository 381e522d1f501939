//! The fixed readings.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use aura_audit::{Audit, AuditOptions, AuditReading, FileOptions};
use aura_gpu::{Gpu, GpuReading, Identity, Process, Values, Vendor};
use aura_host::{Filesystem, Filesystems, Host, HostOptions, HostReading, Uname, Usage};
use aura_model::{Context, Missing, Name, Paths, Reason, Section, Source};
use aura_ollama::{Expiry, HostStatus, InstalledModel, LoadedModel, OllamaReading};
use aura_postgres::{
    Activity, Backend, Cluster, Database, DatabaseSize, DatabaseSizes, Debate, Debates, PostgresReading, Ranking,
    Rounds, Sender, Senders, ServerReading, Slot, Slots, SlowStatement, SlowStatements, Standby, Statistics, Table,
    TableSize, TableSizes, Vacuum, Vacuums,
};
use aura_roles::{RoleFiles, RolesOptions, RolesReading};

use super::{SECOND, seconds};

/// A recorded machine whose counters grow.
pub(super) struct Machine(PathBuf);

impl Machine {
    pub(super) fn new(folder: &Path) -> Self {
        let root = folder.join("machine");
        let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../exporters/host/tests/fixtures/vm-6.18");
        copy(&recorded, &root);
        Self(root)
    }

    pub(super) fn first(&self) -> HostReading {
        let root = &self.0;
        let paths = Paths {
            procfs: root.join("proc"),
            sysfs: root.join("sys"),
            rootfs: root.join("root"),
            udev: root.join("udev/data"),
        };
        let mut host = Host::open(&HostOptions::default(), &Context::new(paths)).unwrap();
        let mut reading = host.sample().unwrap();
        // What the kernel is asked for, and no file, is that of the machine that runs the test.
        reading.uname = Section::Fresh(Arc::new(Uname {
            sysname: "Linux".into(),
            release: "6.1.0".into(),
            version: "#1".into(),
            machine: "x86_64".into(),
            nodename: "box".into(),
            domainname: "(none)".into(),
        }));
        let mount = |device: &str, mountpoint: &str, usage: Option<Usage>, readonly: bool| Filesystem {
            device: device.into(),
            mountpoint: mountpoint.into(),
            fstype: "ext4".into(),
            major: "8".into(),
            minor: "1".into(),
            readonly,
            usage,
            error: usage.is_none().then(|| Name::from("stalled")),
        };
        let usage = |size: u64| Usage { size, free: size / 4, available: size / 5, files: 1000, files_free: 900 };
        reading.filesystem = Section::Fresh(Filesystems {
            mounts: vec![
                mount("/dev/sda1", "/", Some(usage(1 << 40)), false),
                mount("/dev/sdb1", "/media/disc", Some(usage(7 << 30)), true),
                mount("box:/export", "/mnt/nfs", None, false),
            ],
        });
        reading
    }

    /// Everything that is counted has grown.
    pub(super) fn second(&self) -> HostReading {
        for (file, named) in [("stat", 1), ("diskstats", 3), ("net/dev", 1)] {
            let path = self.0.join("proc").join(file);
            let text = fs::read_to_string(&path).unwrap();
            let grown = text.lines().map(|line| {
                let is_counted = file != "stat" || line.starts_with("cpu");
                let words = line.replace(':', ": ");
                let words = words.split_whitespace().enumerate().map(|(place, word)| match word.parse::<u64>() {
                    Ok(number) if is_counted && place >= named => (number + 10 * place as u64).to_string(),
                    _ => word.to_owned(),
                });
                words.collect::<Vec<_>>().join(" ") + "\n"
            });
            fs::write(&path, grown.collect::<String>()).unwrap();
        }
        self.first()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let path = entry.path();
        if path.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&path).unwrap(), target).unwrap();
        } else if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

pub(super) fn gpus() -> GpuReading {
    let identity = |index: u32, vendor, name: &str| {
        Arc::new(Identity {
            vendor,
            uuid: format!("GPU-{index}").into(),
            name: name.into(),
            pci_bus_id: format!("0000:0{index}:00.0").into(),
            device: format!("card{index}").into(),
            driver: "driver".into(),
        })
    };
    let values = Values {
        busy: Some(0.42),
        memory_busy: Some(0.1),
        memory_total: Some(24 << 30),
        memory_used: Some(9 << 30),
        memory_free: Some(15 << 30),
        temperature: Some(61.0),
        power: Some(180.5),
        power_limit: Some(350.0),
        clock_graphics: Some(1.5e9),
        fan_ratio: vec![0.3],
        performance_state: Some(2),
        ..Values::default()
    };
    let process = Process {
        pid: 77,
        name: Some("ollama".into()),
        memory: Some(5 << 30),
        busy: Some(0.4),
        gpu_instance: None,
        weights: Some("weights-one".into()),
        engines: Vec::new(),
    };
    let gpu = |index, vendor, name: &str, values, processes| Gpu {
        index,
        identity: identity(index, vendor, name),
        missing: None,
        values,
        unavailable: [("encoder_busy", Reason::NoSensor)].into(),
        xids: None,
        instances: Vec::new(),
        processes,
        walk: None,
    };
    let silent = Gpu {
        missing: Some(Missing::new(Reason::Unreachable, "the driver does not answer")),
        ..gpu(1, Vendor::Amd, "another GPU", Values::default(), None)
    };
    GpuReading {
        gpus: vec![gpu(0, Vendor::Nvidia, "a GPU", values, Some(vec![process])), silent],
        nvidia: None,
        hostname: "box".into(),
    }
}

pub(super) fn ollama() -> OllamaReading {
    let now = seconds(SECOND);
    let loaded = |name: &str, digest: &str, expiry, stopping| LoadedModel {
        name: name.into(),
        digest: digest.into(),
        weights: (digest == "one").then(|| "weights-one".into()),
        setup: None,
        size: Some(6 << 30),
        size_vram: Some(5 << 30),
        family: Some("llama".into()),
        parameter_size: Some("8.0B".into()),
        quantization: Some("Q4_K_M".into()),
        context_length: Some(8192),
        expiry,
        expires_at: Some("2025-12-15T13:00:00.5+01:00".into()),
        stopping,
        crashed: false,
        loaded_at: Some(now - 600.0),
        last_used: Some(now - 90.0),
    };
    let installed = |name: &str, digest: &str, weights: Option<&str>, remote| InstalledModel {
        name: name.into(),
        digest: digest.into(),
        size: Some(4_900_000_000),
        modified_at: Some("2025-11-01T08:00:00.123456789+01:00".into()),
        family: Some("llama".into()),
        format: Some("gguf".into()),
        parameter_size: Some("8.0B".into()),
        parameter_count: Some(8_030_261_312),
        quantization: Some("Q4_K_M".into()),
        context_length: Some(131_072),
        capabilities: Some(vec!["completion".into(), "tools".into()]),
        weights: weights.map(Into::into),
        setup: None,
        remote,
    };
    let answering = aura_ollama::HostReading {
        host: "127.0.0.1:11434".into(),
        url: "http://127.0.0.1:11434".into(),
        server: "127.0.0.1:11434".parse().unwrap(),
        standing: HostStatus::Answering,
        since: now - 3600.0,
        missing: None,
        answered_at: Some(now),
        clock_offset_seconds: 1.5,
        version: Some("0.24.0".into()),
        installed: Section::Fresh(Arc::new(vec![
            installed("llama3.1:8b", "one", Some("weights-one"), false),
            installed("helper:latest", "two", None, false),
            installed("cloud:latest", "three", None, true),
        ])),
        loaded: Section::Fresh(Arc::new(vec![
            loaded("llama3.1:8b", "one", Expiry::At(now + 211.5), false),
            LoadedModel { loaded_at: None, last_used: None, ..loaded("helper:latest", "two", Expiry::Never, true) },
        ])),
        engines: off("ollama's engines"),
        odd: vec!["/api/tags: an entry without a name".into()],
        questions: Default::default(),
        limits: None,
        commands: Default::default(),
    };
    let why = Missing::new(Reason::Unreachable, "10.0.0.7:11434: connection refused");
    let away = aura_ollama::HostReading {
        host: "10.0.0.7:11434".into(),
        url: "http://10.0.0.7:11434".into(),
        server: "10.0.0.7:11434".parse().unwrap(),
        standing: HostStatus::Away,
        missing: Some(why.clone()),
        answered_at: None,
        version: None,
        installed: Section::Off { missing: why.clone() },
        loaded: Section::Off { missing: why.clone() },
        engines: Section::Off { missing: why },
        odd: Vec::new(),
        ..answering.clone()
    };
    OllamaReading { hosts: vec![answering, away] }
}

fn off<T>(what: &str) -> Section<T> {
    Section::off(Reason::NotConfigured, format!("{what} is not read in this test"))
}

/// A server ten seconds apart, beside one that does not answer.
pub(super) fn postgres() -> (PostgresReading, PostgresReading) {
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

pub(super) fn audit_files(folder: &Path) -> Vec<FileOptions> {
    let path = folder.join("security_audit.jsonl");
    let lines = [
        r#"{"ts": 1765800001.25, "type": "login", "level": "info", "actor": "ann", "status": 200}"#,
        r#"{"ts": 1765800002.25, "type": "tool_failure", "level": "error", "actor": "bob", "detail": {"id": 7}}"#,
        "no event",
        r#"{"ts": 1765800003.25, "type": "rate_limited", "level": "warning", "actor": "eve", "outcome": "denied"}"#,
    ];
    fs::write(&path, lines.map(|line| format!("{line}\n")).concat()).unwrap();
    vec![FileOptions { path, ..FileOptions::default() }]
}

pub(super) fn audit(folder: &Path) -> AuditReading {
    let options = AuditOptions { files: audit_files(folder), ..AuditOptions::default() };
    let mut audit = Audit::open(&options, &Context::default()).unwrap();
    audit.sample().unwrap();
    audit.sample().unwrap()
}

pub(super) fn roles() -> RolesReading {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../exporters/roles/fixtures/registry");
    let options = RolesOptions { roots: vec![root], ..RolesOptions::default() };
    let mut reading = RoleFiles::open(&options, &Context::default()).unwrap().sample().unwrap();
    for installation in &mut reading.installations {
        let mut roles = (**installation).clone();
        roles.root = "/srv/registry".into();
        roles.last_change = Some(seconds(super::FIRST));
        *installation = Arc::new(roles);
    }
    reading
}
