//! Ollama's simulator as a process of its own, with an engine for each model in memory.

use std::{
    fs,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    os::unix::{fs::symlink, process::CommandExt},
    path::Path,
    process::Command,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Peer, Request, Response, get,
    peer::{free_address, open_to_all},
    tools, wait_until,
};

/// A process that others take for `ollama serve`. It and its engines are killed when this is dropped.
pub struct OllamaServer {
    peer: Peer,
    address: SocketAddr,
    folder: TempDir,
}

/// An engine that runs, as `/proc` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineProcess {
    /// Its process id.
    pub pid: Pid,
    /// That of its parent: of Ollama, or of who takes orphans.
    pub parent: Pid,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Its command line.
    pub arguments: Vec<String>,
}

impl OllamaServer {
    /// Starts it with these models, each as `NAME=GIB,SECONDS` (its memory and the time of a load), and with Ollama's
    /// variables. None where the simulator is not built.
    #[must_use]
    pub fn start(models: &str, variables: &[(&str, &str)]) -> Option<Self> {
        let program = tools::simulator()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        open_to_all(folder.path());
        let address = free_address();
        let mut command = Command::new(program);
        command.arg0("ollama").arg("serve").env("OLLAMA_HOST", address.to_string());
        command.env("OLLAMA_MODELS", folder.path().join("models")).env("AURA_SIMULATED_MODELS", models);
        command.envs(variables.iter().copied());
        let peer = Peer::start(&mut command, folder.path().join("log"));
        peer.wait_for_log("listening");
        Some(Self { peer, address, folder })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The response to a POST of this JSON.
    pub fn post(&self, path: &str, body: &Value) -> Response {
        Request::new("POST", path).body(&body.to_string()).send(self.address)
    }

    /// Has this file as the weights of a model, for an engine that reads them: a real one, by `AURA_SIMULATED_ENGINE`.
    ///
    /// # Panics
    /// When there is no such model.
    pub fn give_weights(&self, model: &str, file: &Path) {
        let described = self.post("/api/show", &json!({ "model": model })).json();
        let modelfile = described["modelfile"].as_str().unwrap_or_default();
        let from = modelfile.lines().find_map(|line| line.strip_prefix("FROM "));
        let path = Path::new(from.unwrap_or_else(|| panic!("{model}: {described}")));
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of our own");
        symlink(file, path).expect("a folder of our own");
    }

    /// Names of the models in memory.
    #[must_use]
    pub fn loaded(&self) -> Vec<String> {
        let listed = get(self.address, "/api/ps").json();
        let models = listed["models"].as_array().into_iter().flatten();
        models.filter_map(|model| model["name"].as_str().map(str::to_owned)).collect()
    }

    /// How many requests for a path came: each request is a line in its log.
    #[must_use]
    pub fn requests(&self, path: &str) -> usize {
        let path = format!("{path:?}");
        self.log().lines().filter(|line| line.starts_with("[GIN]") && line.ends_with(&path)).count()
    }

    /// Its engines, those too whose parent was killed, by process id.
    #[must_use]
    pub fn engines(&self) -> Vec<EngineProcess> {
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut engines: Vec<EngineProcess> = pids.filter_map(|pid| engine(pid, self.folder.path())).collect();
        engines.sort_by_key(|engine| engine.pid.as_raw_nonzero());
        engines
    }
}

/// The engine of this process id, if it is one whose weights lie in this folder.
fn engine(pid: i32, folder: &Path) -> Option<EngineProcess> {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    let arguments: Vec<String> = read("cmdline")?.split_terminator('\0').map(str::to_owned).collect();
    let after = |name: &str| arguments.iter().skip_while(|argument| *argument != name).nth(1);
    Path::new(after("--model")?).starts_with(folder).then_some(())?;
    // The name stands in parentheses and may have spaces.
    let parent = read("stat")?.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    let port = after("--port")?.parse().ok()?;
    Some(EngineProcess { pid: Pid::from_raw(pid)?, parent: Pid::from_raw(parent)?, port, arguments })
}

impl Drop for OllamaServer {
    fn drop(&mut self) {
        self.peer.kill();
        for engine in self.engines() {
            let _ = kill_process(engine.pid, Signal::KILL);
        }
        wait_until("its engines end", || self.engines().is_empty());
    }
}

impl Deref for OllamaServer {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.peer
    }
}

impl DerefMut for OllamaServer {
    fn deref_mut(&mut self) -> &mut Peer {
        &mut self.peer
    }
}
