//! Engines: Ollama starts one for each model in memory and talks to it over HTTP on loopback. Since 0.30 it is a
//! `llama-server`, before it was Ollama's own program as `ollama runner`, which tells how far a load is and nothing else.
//!
//! Here is the side of Ollama: it starts one, asks whether it is ready or well, hands requests to it and kills it.

mod batch;
mod metrics;
mod process;
mod slots;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
};

pub use self::process::llama_server;
use crate::{LoadBehaviour, Model, Settings};

/// The variable that says what only a simulator has to be told.
const PLAN: &str = "AURA_SIMULATED_PLAN";

/// What an engine is started for.
pub(crate) struct Launch<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) model: &'a Model,
    /// Tokens of each slot.
    pub(crate) context: u64,
    pub(crate) load: &'a LoadBehaviour,
}

/// What a simulated engine does that weights would make a real one do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Plan {
    load_milliseconds: u64,
    /// The load never ends.
    hangs: bool,
    /// The load ends in exit status 1.
    fails: bool,
    token_microseconds: u64,
    orphan_seconds: u64,
}

/// A running engine. It is killed when this is dropped.
pub(crate) struct Engine {
    pid: Pid,
    address: SocketAddr,
    /// None while it runs.
    ended: Arc<Mutex<Option<ExitStatus>>>,
}

impl Engine {
    /// Starts the program with the command line that Ollama gives it.
    pub(crate) fn start(program: &Path, launch: &Launch<'_>) -> io::Result<Self> {
        // As Ollama does it: a port that was free a moment ago.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let plan = Plan {
            load_milliseconds: launch.model.load_time.as_millis() as u64,
            hangs: *launch.load == LoadBehaviour::Hangs,
            fails: matches!(launch.load, LoadBehaviour::Fails(_)),
            token_microseconds: launch.settings.token_time.as_micros() as u64,
            orphan_seconds: launch.settings.orphans_stay.as_secs(),
        };
        let mut command = Command::new(program);
        if launch.settings.is_older() {
            command.arg0("ollama").args(["runner", "--ollama-engine"]);
        }
        command.args(arguments(launch, address.port())).env(PLAN, json!(plan).to_string());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let ended = Arc::new(Mutex::new(None));
        let engine = Self { pid: Pid::from_child(&child), address, ended: Arc::clone(&ended) };
        // Ollama waits for each engine as well: none is left as a zombie.
        std::thread::Builder::new().name("engine".into()).spawn(move || {
            let status = child.wait();
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(status.unwrap_or_default());
        })?;
        Ok(engine)
    }

    /// Waits until it has loaded.
    ///
    /// # Errors
    /// It has ended instead: what Ollama says then.
    pub(crate) async fn ready(&self, load: &LoadBehaviour) -> Result<(), String> {
        loop {
            if let Some(status) = *self.ended() {
                return Err(match load {
                    LoadBehaviour::Fails(text) => text.clone(),
                    _ => format!("llama-server process has terminated: {}", how(status)),
                });
            }
            if self.health().await.is_ok_and(|is_ready| is_ready) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether it runs and answers in time.
    pub(crate) async fn is_well(&self, timeout: Duration) -> bool {
        self.ended().is_none()
            && tokio::time::timeout(timeout, self.health())
                .await
                .is_ok_and(|answer| answer.is_ok_and(|is_ready| is_ready))
    }

    /// Whether it is ready.
    async fn health(&self) -> io::Result<bool> {
        let mut stream = BufReader::new(TcpStream::connect(self.address).await?);
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").await?;
        let status = head(&mut stream).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        // In words where it is a llama-server, in a number before.
        Ok(status == 200 && (body["status"] == "ok" || body["status"] == 0))
    }

    /// Hands it a request on a connection of its own, which closes with what is returned.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> io::Result<EngineResponse> {
        let mut stream = BufReader::new(TcpStream::connect(self.address).await?);
        let body = body.to_string();
        let length = body.len();
        stream.write_all(format!("POST {path} HTTP/1.0\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes()).await?;
        match head(&mut stream).await? {
            200 => Ok(EngineResponse(stream.lines())),
            _ => {
                let mut text = String::new();
                stream.read_to_string(&mut text).await?;
                Err(io::Error::other(text))
            }
        }
    }

    fn ended(&self) -> MutexGuard<'_, Option<ExitStatus>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.ended().is_none() {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

/// An engine's answer as it comes: lines of `data: {..}`.
pub(crate) struct EngineResponse(Lines<BufReader<TcpStream>>);

impl EngineResponse {
    /// The next event; none when the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        while let Ok(Some(line)) = self.0.next_line().await {
            if let Some(event) = line.strip_prefix("data: ") {
                return serde_json::from_str(event).ok();
            }
        }
        None
    }
}

/// Reads an answer's head, and returns its status.
async fn head(stream: &mut BufReader<TcpStream>) -> io::Result<u16> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    while !line.trim_end().is_empty() {
        line.clear();
        stream.read_line(&mut line).await?;
    }
    status.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// As Go tells how a process ended.
fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(9)) => "signal: killed".into(),
        (None, signal) => format!("signal: {}", signal.unwrap_or(0)),
    }
}

fn arguments(launch: &Launch<'_>, port: u16) -> Vec<String> {
    let Launch { settings, model, context, .. } = launch;
    let slots = settings.slots(model) as u64;
    let weights = settings.models.join(format!("blobs/sha256-{}", model.weights));
    if settings.is_older() {
        let port = port.to_string();
        return ["--model", &weights.to_string_lossy(), "--port", &port].map(str::to_owned).into();
    }
    let mut line = format!(
        "--port {port} --host 127.0.0.1 --no-webui --offline -c {} -np {slots} --log-verbosity 4 --no-log-prefix \
         --no-log-timestamps --no-jinja --chat-template chatml",
        context * slots
    );
    if let Some(kind) = &settings.cache_type {
        line += &format!(" --cache-type-k {kind} --cache-type-v {kind}");
    }
    line += " --flash-attn auto";
    line += &if model.only_embeds() {
        let batch = (*context).min(2048);
        format!(" --embedding -b {batch} -ub {batch}")
    } else {
        " -b 512 -ub 512".into()
    };
    let mut arguments = vec!["--model".to_owned(), weights.to_string_lossy().into_owned()];
    arguments.extend(line.split(' ').map(str::to_owned));
    arguments
}
