//! What this machine leaves a server of Ollama, and how that server is set: from /proc and the control groups of its process.
//! What another machine's server may take nobody here can see.

use std::{
    fs,
    path::{Path, PathBuf},
};

use aura_model::{Name, Paths};
use serde::Serialize;

use crate::HostReading;

/// What a server may take, as far as its process tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Limits {
    /// Its process.
    pub pid: u32,
    /// Bytes of RAM that its models may take at most: the least of the machine's and its control groups' limits.
    pub memory: Option<u64>,
    /// How it is set; none where its environment may not be read.
    pub settings: Option<ServerSettings>,
}

impl Limits {
    /// How many models it keeps in memory beside so many GPUs, where that is known.
    #[must_use]
    pub fn max_loaded(&self, gpus: usize) -> Option<u64> {
        let of_each = 3 * gpus.max(1) as u64;
        Some(self.settings.as_ref()?.max_loaded.unwrap_or(of_each))
    }
}

/// What a server's environment says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerSettings {
    /// `OLLAMA_MAX_LOADED_MODELS`; none where it is not set, which means three for each GPU, and three on a CPU.
    pub max_loaded: Option<u64>,
    /// `OLLAMA_NUM_PARALLEL`: slots of each model; one where it is not set.
    pub parallel: u64,
    /// `OLLAMA_CONTEXT_LENGTH`; none where it is not set, which means a length by the memory of the GPUs.
    pub context_length: Option<u64>,
    /// `OLLAMA_KV_CACHE_TYPE`: `f16` where it is not set.
    pub cache_type: Name,
}

/// The process of a server of this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    procfs: PathBuf,
    cgroups: PathBuf,
    pid: u32,
    /// The server's version.
    pub(crate) version: Option<Name>,
}

impl Machine {
    /// That of this server, where it was found on this machine.
    #[must_use]
    pub fn of(paths: &Paths, host: &HostReading) -> Option<Self> {
        let pid = host.limits.as_ref()?.pid;
        Some(Self { version: host.version.clone(), ..Self::new(paths, pid) })
    }

    pub(crate) fn new(paths: &Paths, pid: u32) -> Self {
        Self { procfs: paths.procfs.clone(), cgroups: paths.sysfs.join("fs/cgroup"), pid, version: None }
    }

    /// What it may take at most.
    pub(crate) fn limits(&self) -> Limits {
        let groups = self.groups().into_iter().filter_map(|group| group.limit());
        let memory = groups.chain(self.meminfo("MemTotal")).min();
        Limits { pid: self.pid, memory, settings: self.settings() }
    }

    /// Bytes that it may take now, and what sets that limit.
    pub(crate) fn available(&self) -> Option<(u64, &'static str)> {
        let groups = self.groups().into_iter().filter_map(|group| Some((group.left()?, "its control group leaves")));
        let machine = self.meminfo("MemAvailable").map(|bytes| (bytes, "are available on this machine"));
        groups.chain(machine).min_by_key(|(bytes, _)| *bytes)
    }

    /// How it is set, where that may be read: by its own user, and by root.
    pub(crate) fn settings(&self) -> Option<ServerSettings> {
        let environment = fs::read(self.procfs.join(self.pid.to_string()).join("environ")).ok()?;
        // A process that has just been started or is about to end has none, and one without a path has not been read.
        let environment = String::from_utf8_lossy(&environment).into_owned();
        if environment.is_empty() {
            return None;
        }
        let variable = |name: &str| {
            let value = environment.split('\0').find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
            Some(value.trim().trim_matches(['"', '\''])).filter(|value| !value.is_empty())
        };
        let number = |name| variable(name).and_then(|value| value.parse::<u64>().ok()).filter(|&number| number > 0);
        Some(ServerSettings {
            max_loaded: number("OLLAMA_MAX_LOADED_MODELS"),
            parallel: number("OLLAMA_NUM_PARALLEL").unwrap_or(1),
            context_length: number("OLLAMA_CONTEXT_LENGTH"),
            cache_type: variable("OLLAMA_KV_CACHE_TYPE").unwrap_or("f16").into(),
        })
    }

    fn meminfo(&self, field: &str) -> Option<u64> {
        let text = fs::read_to_string(self.procfs.join("meminfo")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    }

    /// Its control group and those above it, as both versions of them are mounted.
    fn groups(&self) -> Vec<Group> {
        let text = fs::read_to_string(self.procfs.join(self.pid.to_string()).join("cgroup")).unwrap_or_default();
        let mut groups = Vec::new();
        for line in text.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            let (root, files) = match controllers {
                "" => (self.cgroups.clone(), V2),
                _ if controllers.split(',').any(|controller| controller == "memory") => {
                    (self.cgroups.join("memory"), V1)
                }
                _ => continue,
            };
            let path = Path::new(path.trim_start_matches('/'));
            groups.extend(path.ancestors().map(|path| Group { folder: root.join(path), files }));
        }
        groups
    }
}

struct Group {
    folder: PathBuf,
    files: Files,
}

/// What the files of a group are called: its limit, what it uses, and what of that files on disk back.
#[derive(Clone, Copy)]
struct Files {
    limit: &'static str,
    used: &'static str,
    backed: [&'static str; 2],
}

const V2: Files = Files { limit: "memory.max", used: "memory.current", backed: ["active_file", "inactive_file"] };
const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    backed: ["total_active_file", "total_inactive_file"],
};

/// No machine has so much: it is how the older groups write that there is no limit.
const NO_LIMIT: u64 = 1 << 60;

impl Group {
    fn limit(&self) -> Option<u64> {
        self.number(self.files.limit).filter(|&limit| limit < NO_LIMIT)
    }

    /// What it leaves: what files back is given back before anybody is killed.
    fn left(&self) -> Option<u64> {
        let (limit, used) = (self.limit()?, self.number(self.files.used)?);
        let stat = fs::read_to_string(self.folder.join("memory.stat")).unwrap_or_default();
        let backed = self.files.backed.iter().filter_map(|name| {
            let value = stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
            value.trim().parse::<u64>().ok()
        });
        Some(limit.saturating_sub(used.saturating_sub(backed.sum())))
    }

    fn number(&self, file: &str) -> Option<u64> {
        fs::read_to_string(self.folder.join(file)).ok()?.trim().parse().ok()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    /// A machine with these files, each below its root.
    pub(crate) fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let paths = Paths { procfs: root.path().join("proc"), sysfs: root.path().join("sys"), ..Paths::default() };
        let machine = Machine::new(&paths, 42);
        (root, machine)
    }

    const MEMINFO: (&str, &str) =
        ("proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB\n");

    #[test]
    fn the_least_of_the_machine_and_each_group_above_the_process_counts() {
        let (_root, plain) = machine(&[MEMINFO]);
        assert_eq!(plain.available().unwrap().0, 8 * GIB);
        assert_eq!(plain.limits().memory, Some(16 * GIB));
        let (gib, half) = (GIB.to_string(), (GIB / 2).to_string());
        let (_root, grouped) = machine(&[
            MEMINFO,
            ("proc/42/cgroup", "0::/system.slice/ollama.service\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "max\n"),
            ("sys/fs/cgroup/system.slice/ollama.service/memory.max", &(4 * GIB).to_string()),
            ("sys/fs/cgroup/system.slice/ollama.service/memory.current", &(3 * GIB).to_string()),
            (
                "sys/fs/cgroup/system.slice/ollama.service/memory.stat",
                &format!("anon 5\nactive_file {half}\ninactive_file {half}\n"),
            ),
        ]);
        assert_eq!(grouped.available(), Some((2 * GIB, "its control group leaves")));
        assert_eq!(grouped.limits().memory, Some(4 * GIB));
        let (_root, older) = machine(&[
            MEMINFO,
            ("proc/42/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712"),
            ("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", &gib),
            ("sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes", &half),
        ]);
        assert_eq!(older.available().unwrap().0, GIB / 2);
        let (_root, nothing) = machine(&[]);
        assert_eq!((nothing.available(), nothing.limits().memory), (None, None));
    }

    #[test]
    fn settings_are_those_of_the_environment_where_it_may_be_read() {
        let (_root, unread) = machine(&[MEMINFO]);
        assert_eq!(unread.settings(), None);
        let (_root, empty) = machine(&[("proc/42/environ", "")]);
        assert_eq!(empty.settings(), None);
        let (_root, bare) = machine(&[("proc/42/environ", "PATH=/bin\0OLLAMA_MAX_LOADED_MODELS=0\0")]);
        let defaults = ServerSettings { max_loaded: None, parallel: 1, context_length: None, cache_type: "f16".into() };
        assert_eq!(bare.settings(), Some(defaults));
        assert_eq!([0, 1, 2].map(|gpus| bare.limits().max_loaded(gpus)), [Some(3), Some(3), Some(6)]);
        assert_eq!(unread.limits().max_loaded(0), None);
        let (_root, set) = machine(&[(
            "proc/42/environ",
            "OLLAMA_MAX_LOADED_MODELS= \"2\" \0OLLAMA_NUM_PARALLEL=4\0OLLAMA_CONTEXT_LENGTH=8192\0OLLAMA_KV_CACHE_TYPE='q8_0'\0",
        )]);
        let expected =
            ServerSettings { max_loaded: Some(2), parallel: 4, context_length: Some(8192), cache_type: "q8_0".into() };
        assert_eq!(set.settings(), Some(expected));
        assert_eq!(set.limits().max_loaded(8), Some(2));
    }
}
