//! A program that is measured, and what the system says about it.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    process::Pid,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

use crate::client::Client;

/// Nothing that is measured takes longer to answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A running program that listens; it ends with this.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// Memory in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// Pages that are in memory, those included that other programs share.
    pub(crate) resident: u64,
    /// The same with each shared page divided by how many share it.
    pub(crate) proportional: u64,
    /// Pages that no file backs: heap and stacks.
    pub(crate) anonymous: u64,
}

impl Program {
    /// Starts the agent; `settings` are environment variables.
    pub(crate) fn agent(settings: &[(&str, &str)]) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(agent_binary()?);
        command.args(["--log.level=error", &format!("--web.listen-address={address}")]);
        command.envs(settings.iter().copied());
        Self::spawn(command, address)
    }

    /// Starts the agent with this configuration.
    pub(crate) fn agent_with(config: &Path) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(agent_binary()?);
        command.arg("--config.file").arg(config);
        command.args(["--log.level=error", &format!("--web.listen-address={address}")]);
        Self::spawn(command, address)
    }

    /// Starts the peer, if it is there.
    pub(crate) fn node_exporter() -> Result<Option<Self>> {
        let Some(path) = node_exporter_binary() else { return Ok(None) };
        let address = free_address()?;
        let mut command = Command::new(path);
        command.args(["--log.level=error", &format!("--web.listen-address={address}")]);
        Self::spawn(command, address).map(Some)
    }

    /// Whether the database's peer is there.
    pub(crate) fn has_postgres_exporter() -> bool {
        postgres_exporter_binary().is_some()
    }

    /// Starts the database's peer for the server at this URL.
    pub(crate) fn postgres_exporter(url: &str) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(postgres_exporter_binary().context("postgres_exporter has gone")?);
        command.args(["--log.level=error", &format!("--web.listen-address={address}")]);
        command.env("DATA_SOURCE_NAME", url);
        Self::spawn(command, address)
    }

    /// Starts this benchmark itself with these arguments; it listens nowhere.
    pub(crate) fn own(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::spawn(command, free_address()?)
    }

    /// Starts this benchmark itself as a server of `kind`.
    pub(crate) fn own_server(kind: &str, argument: &str) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", kind, &address.to_string(), argument]);
        Self::spawn(command, address)
    }

    fn spawn(mut command: Command, address: SocketAddr) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("{} does not start", command.get_program().display()))?;
        Ok(Self { child, address })
    }

    /// Waits until the program answers `path` with a text that holds `needle`.
    pub(crate) fn wait_for(&self, path: &str, needle: &str) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < TIMEOUT {
            if let Ok(mut client) = Client::connect(self.address)
                && let Ok(answer) = client.get(path, None)
                && answer.status == 200
                && answer.contains(needle)
            {
                return Ok(());
            }
            thread::sleep(Duration::from_micros(500));
        }
        bail!("{}{path} did not answer with {needle:?} in {TIMEOUT:?}", self.address)
    }

    /// Keeps its first thread, which has the event loop, on the first CPU.
    pub(crate) fn pin(&self) -> Result<()> {
        pin(Some(Pid::from_child(&self.child)), |cpus| cpus.first().copied())
    }

    /// CPU time of all its threads, by the scheduler's own clock.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu_of(self.child.id())
    }

    /// Its memory now.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let field = |name: &str| -> Result<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
            Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
        };
        Ok(Memory { resident: field("Rss:")?, proportional: field("Pss:")?, anonymous: field("Anonymous:")? })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps this thread on the last CPU, away from a server that was pinned.
pub(crate) fn pin_this_thread() -> Result<()> {
    pin(None, |cpus| cpus.last().copied())
}

fn pin(thread: Option<Pid>, choose: fn(&[usize]) -> Option<usize>) -> Result<()> {
    let allowed = sched_getaffinity(None)?;
    let cpus: Vec<_> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    let mut one = CpuSet::new();
    one.set(choose(&cpus).context("no CPU")?);
    Ok(sched_setaffinity(thread, &one)?)
}

/// CPU time of all threads of a process, by the scheduler's own clock.
pub(crate) fn cpu_of(pid: u32) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that has just ended is no error.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        total += running(&text)?;
    }
    Ok(total)
}

/// CPU time of this thread.
pub(crate) fn thread_cpu() -> Result<Duration> {
    running(&fs::read_to_string("/proc/thread-self/schedstat")?)
}

fn running(schedstat: &str) -> Result<Duration> {
    Ok(Duration::from_nanos(schedstat.split(' ').next().context("empty schedstat")?.parse()?))
}

/// The release binary beside which this benchmark was built.
pub(crate) fn agent_binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let path = own.ancestors().nth(2).context("no folder above the benchmark")?.join("aura");
    if !path.exists() {
        bail!("{} is missing: cargo build --release", path.display());
    }
    Ok(path)
}

/// Debian's name and upstream's.
pub(crate) fn node_exporter_binary() -> Option<PathBuf> {
    program(["prometheus-node-exporter", "node_exporter"])
}

/// Debian's name and upstream's.
pub(crate) fn postgres_exporter_binary() -> Option<PathBuf> {
    program(["prometheus-postgres-exporter", "postgres_exporter"])
}

fn program(names: [&str; 2]) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let candidates = std::env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name)));
    candidates.into_iter().find(|path| Path::new(path).exists())
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
