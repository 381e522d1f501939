//! What is on disk, what is in memory, and the one load that runs at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as PlainMutex, MutexGuard, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, Notify, Semaphore};

use crate::{Fault, Model, duration::FOREVER, model::full_name};

/// What a server is like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its version.
    pub version: String,
    /// Bytes of memory for models.
    pub memory: u64,
    /// `OLLAMA_MAX_QUEUE`: requests that wait for a load.
    pub max_queue: usize,
    /// `OLLAMA_NUM_PARALLEL`: requests that one model answers at once.
    pub parallel: usize,
    /// `OLLAMA_KEEP_ALIVE`.
    pub keep_alive: Duration,
    /// From one token to the next.
    pub token_time: Duration,
    /// Whether `/api/ps` lists a model while it loads, as versions up to 0.24 do.
    pub lists_loading: bool,
    /// Whether `/api/tags` tells capabilities and lengths, as versions from 0.30 do.
    pub tells_capabilities: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: "0.24.0".into(),
            memory: 16 << 30,
            max_queue: 512,
            parallel: 1,
            keep_alive: Duration::from_secs(300),
            token_time: Duration::from_millis(1),
            lists_loading: true,
            tells_capabilities: false,
        }
    }
}

/// What the routes share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    state: PlainMutex<State>,
    /// Held by the load that runs; others wait in line.
    pub(crate) loading: Mutex<()>,
    /// Requests that wait for a load or run one.
    pub(crate) pending: AtomicUsize,
    /// Rings when a model becomes idle or is unloaded.
    pub(crate) changed: Notify,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: PlainMutex::default(),
            loading: Mutex::default(),
            pending: AtomicUsize::default(),
            changed: Notify::new(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.unload_expired();
        state
    }
}

/// The models and their state.
#[derive(Default)]
pub(crate) struct State {
    installed: Vec<Model>,
    running: Vec<Running>,
    faults: HashMap<&'static str, Fault>,
    asked: HashMap<String, u64>,
}

/// A model in memory, or on its way there.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) model: Model,
    pub(crate) expires_at: Timestamp,
    pub(crate) keep: Duration,
    pub(crate) in_flight: usize,
    pub(crate) loading: bool,
    pub(crate) slots: Arc<Semaphore>,
}

impl State {
    pub(crate) fn install(&mut self, model: Model) {
        self.delete(&model.name);
        self.installed.push(model);
        // What was changed last comes first.
        self.installed.sort_by_key(|model| std::cmp::Reverse(model.modified_at));
    }

    pub(crate) fn delete(&mut self, name: &str) -> bool {
        let before = self.installed.len();
        let name = full_name(name);
        self.installed.retain(|model| model.name != name);
        self.installed.len() < before
    }

    pub(crate) fn installed(&self) -> &[Model] {
        &self.installed
    }

    pub(crate) fn find(&self, name: &str) -> Option<Model> {
        let name = full_name(name);
        self.installed.iter().find(|model| model.name == name).cloned()
    }

    /// As `/api/ps` lists them: the latest to expire first.
    pub(crate) fn running(&self) -> Vec<Running> {
        let mut running = self.running.clone();
        running.sort_by_key(|running| std::cmp::Reverse(running.expires_at));
        running
    }

    pub(crate) fn is_loaded(&self, model: &Model) -> bool {
        self.running.iter().any(|running| !running.loading && running.model.digest == model.digest)
    }

    pub(crate) fn slots(&self, model: &Model) -> Option<Arc<Semaphore>> {
        let running = self.running.iter().find(|running| running.model.digest == model.digest)?;
        Some(Arc::clone(&running.slots))
    }

    pub(crate) fn memory_in_use(&self) -> u64 {
        self.running.iter().map(|running| running.model.memory).sum()
    }

    /// Makes room: the idle model with the shortest time goes; false when all are busy.
    pub(crate) fn evict(&mut self) -> bool {
        let idle = self.running.iter().enumerate().filter(|(_, running)| running.in_flight == 0);
        let Some((index, _)) = idle.min_by_key(|(_, running)| running.keep) else { return false };
        self.running.remove(index);
        true
    }

    pub(crate) fn add(&mut self, model: Model, keep: Duration, loading: bool, parallel: usize) {
        let slots = Arc::new(Semaphore::new(parallel));
        self.running.push(Running { model, expires_at: later(keep), keep, in_flight: 0, loading, slots });
    }

    pub(crate) fn loaded(&mut self, model: &Model) {
        for running in self.of(&model.name) {
            running.loading = false;
            running.expires_at = later(running.keep);
        }
    }

    pub(crate) fn remove(&mut self, model: &Model) {
        self.running.retain(|running| running.model.digest != model.digest);
    }

    /// A request with this keep-alive came: it replaces the one before.
    pub(crate) fn touch(&mut self, name: &str, keep: Option<Duration>) {
        for running in self.of(name) {
            running.keep = keep.unwrap_or(running.keep);
            if running.in_flight == 0 {
                running.expires_at = later(running.keep);
            }
        }
    }

    pub(crate) fn begin_request(&mut self, name: &str) -> bool {
        let mut found = false;
        for running in self.of(name) {
            running.in_flight += 1;
            found = true;
        }
        found
    }

    pub(crate) fn end_request(&mut self, name: &str) {
        for running in self.of(name) {
            running.in_flight = running.in_flight.saturating_sub(1);
            if running.in_flight == 0 {
                running.expires_at = later(running.keep);
            }
        }
        self.unload_expired();
    }

    /// Unloads a model, or marks it as stopping while it still answers somebody.
    pub(crate) fn expire(&mut self, name: &str) {
        for running in self.of(name) {
            running.keep = Duration::ZERO;
            running.expires_at = Timestamp::now();
        }
        self.unload_expired();
    }

    pub(crate) fn forget_running(&mut self) {
        self.running.clear();
    }

    pub(crate) fn set_fault(&mut self, path: &'static str, fault: Option<Fault>) {
        match fault {
            Some(fault) => self.faults.insert(path, fault),
            None => self.faults.remove(path),
        };
    }

    pub(crate) fn note(&mut self, path: &str) -> Option<Fault> {
        *self.asked.entry(path.to_owned()).or_default() += 1;
        self.faults.get(path).cloned()
    }

    pub(crate) fn asked(&self, path: &str) -> u64 {
        self.asked.get(path).copied().unwrap_or(0)
    }

    fn unload_expired(&mut self) {
        let now = Timestamp::now();
        self.running.retain(|running| running.in_flight > 0 || running.loading || running.expires_at > now);
    }

    fn of(&mut self, name: &str) -> impl Iterator<Item = &mut Running> {
        let name = full_name(name);
        self.running.iter_mut().filter(move |running| running.model.name == name)
    }
}

fn later(keep: Duration) -> Timestamp {
    let keep = SignedDuration::try_from(keep.min(FOREVER)).unwrap_or(SignedDuration::MAX);
    Timestamp::now().checked_add(keep).unwrap_or(Timestamp::MAX)
}
