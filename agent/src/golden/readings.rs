//! The fixed readings.

mod postgres;

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
use aura_roles::{RoleFiles, RolesOptions, RolesReading};

pub(super) use self::postgres::postgres;
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
        status: HostStatus::Answering,
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
        requests: Default::default(),
        limits: None,
        commands: Default::default(),
    };
    let why = Missing::new(Reason::Unreachable, "10.0.0.7:11434: connection refused");
    let away = aura_ollama::HostReading {
        host: "10.0.0.7:11434".into(),
        url: "http://10.0.0.7:11434".into(),
        server: "10.0.0.7:11434".parse().unwrap(),
        status: HostStatus::Away,
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
