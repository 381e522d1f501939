//! The agent as a user starts it.

use std::{
    env,
    ffi::OsStr,
    fs,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Exposition, Feed, Machine, Peer, Request, Response, get, needs,
    peer::{free_address, open_to_all},
    tools, wait_for, wait_until,
};

/// How the agent is to be started.
pub struct Setup {
    command: Command,
    folder: TempDir,
    listen: Option<String>,
}

/// How a start ended that was not to succeed.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub log: String,
}

/// The running agent.
pub struct Agent {
    peer: Peer,
    address: SocketAddr,
    folder: TempDir,
}

impl Default for Setup {
    fn default() -> Self {
        Self::by(Command::new(tools::aura()))
    }
}

impl Setup {
    fn by(mut command: Command) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        open_to_all(folder.path());
        let home = folder.path().join("home");
        fs::create_dir(&home).expect("a folder of our own");
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AURA_")) {
            command.env_remove(name);
        }
        command.current_dir(&home).env("HOME", &home).env("TMPDIR", &home);
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "STATE_DIRECTORY", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        Self { command, folder, listen: Some("127.0.0.1:0".to_owned()) }
    }

    /// As a user who may nothing: `nobody` when the test runs as root, else the one who runs the test.
    #[must_use]
    pub fn unprivileged() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return Some(Self::default());
        }
        let setpriv = needs("setpriv")?;
        // The folder of the build may be closed to others.
        let mut setup = Self::by(Command::new(setpriv));
        let binary = setup.folder().join("aura");
        fs::copy(tools::aura(), &binary).expect("room for a copy of the binary");
        setup.command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--"]).arg(binary);
        Some(setup)
    }

    /// In another system's root folder; the binary lies in it.
    ///
    /// # Panics
    /// When the binary cannot be copied there.
    #[must_use]
    pub fn inside(root: &Path, binary: &str) -> Self {
        let mut setup = Self::by(Command::new("chroot"));
        setup.command.arg(root).arg(binary);
        setup
    }

    /// A flag or another argument.
    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The address to listen on instead of a free port of 127.0.0.1; `None` leaves it to the configuration.
    #[must_use]
    pub fn listen(mut self, address: Option<&str>) -> Self {
        self.listen = address.map(str::to_owned);
        self
    }

    /// A configuration file with this text.
    #[must_use]
    pub fn config(self, text: &str) -> Self {
        let file = self.write("aura.yaml", text);
        self.argument("--config.file").argument(file)
    }

    /// Writes a file into the folder that goes with the agent.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder().join(name);
        fs::write(&file, text).expect("a folder of our own");
        file
    }

    /// The folder that goes with the agent; its home is the folder `home` in it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Over a small machine of files instead of this one.
    #[must_use]
    pub fn over(self, machine: &Machine) -> Self {
        self.argument("--path.procfs").argument(machine.procfs())
    }

    /// Starts it and waits until it has a first reading.
    #[must_use]
    pub fn start(self) -> Agent {
        let agent = self.announced();
        wait_until("the first reading", || agent.get("/-/ready").status == 200);
        agent
    }

    /// Starts it and waits until it listens.
    #[must_use]
    pub fn announced(mut self) -> Agent {
        let mut peer = self.spawn();
        let address = wait_for("the agent's address", || {
            let log = peer.log();
            assert!(peer.ended().is_none(), "the agent has ended:\n{log}");
            let (_, rest) = log.split_once("open http")?;
            let (address, _) = rest.split_once("://")?.1.split_once('/')?;
            address.replace("localhost", "127.0.0.1").parse().ok()
        });
        Agent { peer, address, folder: self.folder }
    }

    /// Starts it and waits until it ends by itself.
    #[must_use]
    pub fn fail(mut self) -> Ended {
        let mut peer = self.spawn();
        let status = peer.wait();
        Ended { code: status.code(), log: peer.log() }
    }

    fn spawn(&mut self) -> Peer {
        if let Some(address) = &self.listen {
            self.command.arg(format!("--web.listen-address={address}"));
        }
        Peer::start(&mut self.command, self.folder.path().join("log"))
    }
}

impl Agent {
    /// Starts it with defaults.
    #[must_use]
    pub fn start() -> Self {
        Setup::default().start()
    }

    /// An address that nobody listens on now.
    #[must_use]
    pub fn free_address() -> SocketAddr {
        free_address()
    }

    /// Runs `aura` with these arguments to its end.
    #[must_use]
    pub fn run(arguments: &[&str]) -> Ended {
        arguments.iter().fold(Setup::default().listen(None), Setup::argument).fail()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder that goes with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The response to a GET.
    #[must_use]
    pub fn get(&self, path: &str) -> Response {
        get(self.address, path)
    }

    /// The response to a request.
    #[must_use]
    pub fn send(&self, request: &Request) -> Response {
        request.send(self.address)
    }

    /// The JSON of the response to a GET.
    #[must_use]
    pub fn json(&self, path: &str) -> Value {
        self.get(path).json()
    }

    /// A scrape.
    #[must_use]
    pub fn scrape(&self, path: &str) -> Exposition {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        Exposition::parse(&answer.text())
    }

    /// A client of the host's feed.
    #[must_use]
    pub fn feed(&self) -> Feed {
        Feed::connect(self.address)
    }
}

impl Deref for Agent {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.peer
    }
}

impl DerefMut for Agent {
    fn deref_mut(&mut self) -> &mut Peer {
        &mut self.peer
    }
}
