//! The far sides of all six sources, and the agent that watches them.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{JoinHandle, sleep, spawn},
    time::Duration,
};

use aura_ollama_simulator::{Model, Settings, Simulator};
use aura_tests::{Agent, Machine, PostgresServer, Setup, wait_for};
use tempfile::TempDir;

use crate::gpu::stub::Driver;

/// All far sides but the host's files, which lie beside the agent.
pub(super) struct World {
    pub(super) driver: Driver,
    pub(super) ollama: Simulator,
    pub(super) postgres: PostgresServer,
    pub(super) impostor: Option<Impostor>,
    pub(super) writer: Writer,
    installation: TempDir,
}

/// The agent over all of them.
pub(super) struct Watched {
    pub(super) agent: Agent,
    pub(super) machine: Machine,
    config: String,
    reloads: AtomicU64,
}

/// From one sample of each source to the next, and of the control's host.
pub(super) const INTERVAL: &str = "500ms";

impl World {
    /// Where a program is missing that it takes, there is no world.
    pub(super) fn new() -> Option<Self> {
        let driver = Driver::new()?;
        let postgres = PostgresServer::start("autovacuum = off")?;
        let ollama = Simulator::start(Settings::default()).unwrap();
        ollama.install(Model::new("llama3.1:8b", 5 << 30));
        let installation = tempfile::tempdir().unwrap();
        for folder in ["logs", "ops/role_engine"] {
            fs::create_dir_all(installation.path().join(folder)).unwrap();
        }
        let writer = Writer::start(installation.path().join("logs/security_audit.jsonl"));
        let world = Self { driver, ollama, postgres, impostor: None, installation, writer };
        fs::write(world.registry(), REGISTRY).unwrap();
        Some(world)
    }

    pub(super) fn registry(&self) -> PathBuf {
        self.installation.path().join("ops/role_engine/role_registry_v2.json")
    }

    /// Another one takes PostgreSQL's place on the wire.
    pub(super) fn impersonate(&mut self, says: &'static [u8]) {
        self.postgres.kill();
        self.impostor = Some(Impostor::start(self.postgres.address(), says));
    }

    /// An agent that watches all six, each often.
    pub(super) fn agent(&self) -> Watched {
        let setup = Setup::default();
        let machine = Machine::beside(&setup);
        let sysfs = setup.folder().join("sys");
        fs::create_dir(&sysfs).unwrap();
        let (library, root) = (self.driver.library(), self.installation.path().to_owned());
        let config = format!(
            "storage: {{path: {storage}}}\nstale_after: 2s\nsources:\n  \
             host: {{interval: HOST, timeout: 1s}}\n  \
             gpu: {{interval: 500ms, timeout: 1s, nvml_library: {library}}}\n  \
             ollama: {{interval: 500ms, timeout: 1s, request_timeout: 3s, hosts: ['{ollama}']}}\n  \
             postgres: {{interval: 500ms, timeout: 2s, answer_timeout: 1s, servers: [{{url: '{postgres}'}}]}}\n  \
             audit: {{interval: 500ms, timeout: 1s, roots: [{root}]}}\n  \
             roles: {{interval: 500ms, timeout: 1s, roots: [{root}]}}\n",
            storage = setup.folder().join("state").display(),
            library = library.display(),
            ollama = self.ollama.url(),
            postgres = self.postgres.url("postgres"),
            root = root.display(),
        );
        // An outage is over soon after it is mended.
        let setup = setup.variable("AURA_BACKOFF_CEILING", "1s");
        let agent = setup.argument("--path.sysfs").argument(sysfs).config(&config.replace("HOST", "500ms"));
        let agent = agent.over(&machine).start();
        Watched { agent, machine, config, reloads: AtomicU64::new(0) }
    }
}

impl Watched {
    /// Lets the host open its files anew, as it does when its settings change; all other sources go on as they are.
    pub(super) fn reopen_host(&self) {
        let interval = 500 + self.reloads.fetch_add(1, Relaxed) % 2 + 1;
        let config = self.config.replace("HOST", &format!("{interval}ms"));
        fs::write(self.agent.folder().join("aura.yaml"), config).unwrap();
        self.agent.signal(rustix::process::Signal::HUP);
    }
}

/// Appends a line to the audit log now and then, as gateways do, and knows how many there are.
pub(super) struct Writer {
    path: PathBuf,
    state: Arc<WriterState>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct WriterState {
    /// Held while a line is written, and while the file is being replaced.
    file: Mutex<bool>,
    lines: AtomicU64,
    stop: AtomicBool,
}

impl Writer {
    fn start(path: PathBuf) -> Self {
        let state = Arc::new(WriterState::default());
        let (shared, file) = (Arc::clone(&state), path.clone());
        let thread = spawn(move || {
            while !shared.stop.load(Relaxed) {
                let away = shared.file.lock().unwrap();
                if !*away {
                    let mut log = OpenOptions::new().append(true).create(true).open(&file).unwrap();
                    let number = shared.lines.fetch_add(1, Relaxed);
                    writeln!(log, "{{\"ts\": {}, \"type\": \"beat\", \"number\": {number}}}", 1_765_800_000 + number)
                        .unwrap();
                }
                drop(away);
                sleep(Duration::from_millis(100));
            }
        });
        Self { path, state, thread: Some(thread) }
    }

    /// Lines that were written.
    pub(super) fn lines(&self) -> u64 {
        self.state.lines.load(Relaxed)
    }

    /// Puts something else where the log was; the log waits beside it.
    pub(super) fn replace(&self, by: impl FnOnce(&Path)) {
        let mut away = self.state.file.lock().unwrap();
        fs::rename(&self.path, self.aside()).unwrap();
        by(&self.path);
        *away = true;
    }

    /// Brings the log back.
    pub(super) fn bring_back(&self) {
        let mut away = self.state.file.lock().unwrap();
        fs::remove_file(&self.path).unwrap();
        fs::rename(self.aside(), &self.path).unwrap();
        *away = false;
    }

    fn aside(&self) -> PathBuf {
        self.path.with_file_name("put_aside")
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.state.stop.store(true, Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Takes connections where a server was, says something or nothing, and leaves it at that.
pub(super) struct Impostor {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Impostor {
    fn start(address: SocketAddr, says: &'static [u8]) -> Self {
        let listener = wait_for("the server's port", || TcpListener::bind(address).ok());
        listener.set_nonblocking(true).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = spawn(move || {
            let mut taken: Vec<TcpStream> = Vec::new();
            while !stopped.load(Relaxed) {
                match listener.accept() {
                    Ok((mut stream, _)) => {
                        let _ = stream.write_all(says);
                        taken.push(stream);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(Duration::from_millis(10)),
                    Err(error) => panic!("{error}"),
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Two roles, and nothing wrong with them.
pub(super) const REGISTRY: &str = r#"{"meta": {"version": "2"}, "roles": {
"Keeper": {"purpose": "Keeps", "capabilities": ["keep"], "scoring_profile": {"priority": 9, "confidence_weight": 0.9, "risk_factor": 0.9}},
"Finder": {"purpose": "Finds", "capabilities": ["find"], "scoring_profile": {"priority": 4, "confidence_weight": 0.5, "risk_factor": 0.2}}}}"#;
