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
    /// None until its first request has ended: nothing runs down yet.
    ends_at: Option<Timestamp>,
    pub(crate) keep: Duration,
    pub(crate) in_flight: usize,
    pub(crate) loading: bool,
    pub(crate) slots: Arc<Semaphore>,
}

impl Running {
    /// What `/api/ps` says: as long as nothing runs down it is reckoned from now, and moves.
    pub(crate) fn expires_at(&self) -> Timestamp {
        self.ends_at.unwrap_or_else(|| later(self.keep))
    }

    fn idle(&mut self) {
        self.ends_at = Some(later(self.keep));
    }
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

    /// As `/api/ps` lists them: the latest to expire first, by whole seconds.
    pub(crate) fn running(&self) -> Vec<Running> {
        let mut running = self.running.clone();
        running.sort_by_key(|running| std::cmp::Reverse(running.expires_at().as_second()));
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

    pub(crate) fn add(&mut self, model: Model, keep: Duration, parallel: usize) {
        let slots = Arc::new(Semaphore::new(parallel));
        self.running.push(Running { model, ends_at: None, keep, in_flight: 0, loading: true, slots });
    }

    pub(crate) fn loaded(&mut self, model: &Model) {
        for running in self.holding(model) {
            running.loading = false;
        }
    }

    pub(crate) fn remove(&mut self, model: &Model) {
        self.running.retain(|running| running.model.digest != model.digest);
    }

    /// A request with this keep-alive came: it replaces the one before.
    pub(crate) fn begin(&mut self, model: &Model, keep: Option<Duration>) {
        for running in self.holding(model) {
            running.keep = keep.unwrap_or(running.keep);
            running.in_flight += 1;
        }
    }

    /// It has ended, and the time runs down from now.
    pub(crate) fn end(&mut self, model: &Model) {
        self.holding(model).for_each(end);
        self.unload_expired();
    }

    /// Unloads a model, or marks it as stopping while it still answers somebody.
    pub(crate) fn expire(&mut self, model: &Model) {
        self.holding(model).for_each(expire);
        self.unload_expired();
    }

    /// The same by the name that is listed, for tests.
    pub(crate) fn begin_named(&mut self, name: &str) -> bool {
        self.named(name).map(|running| running.in_flight += 1).count() > 0
    }

    pub(crate) fn end_named(&mut self, name: &str) {
        self.named(name).filter(|running| running.in_flight > 0).for_each(end);
        self.unload_expired();
    }

    pub(crate) fn expire_named(&mut self, name: &str) {
        self.named(name).for_each(expire);
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
        self.running.retain(|running| {
            running.in_flight > 0 || running.loading || running.ends_at.is_none_or(|ends_at| ends_at > now)
        });
    }

    /// Ollama tells runners apart by their weights: several names may mean one of them.
    fn holding(&mut self, model: &Model) -> impl Iterator<Item = &mut Running> {
        let digest = model.digest.clone();
        self.running.iter_mut().filter(move |running| running.model.digest == digest)
    }

    fn named(&mut self, name: &str) -> impl Iterator<Item = &mut Running> {
        let name = full_name(name);
        self.running.iter_mut().filter(move |running| running.model.name == name)
    }
}

fn end(running: &mut Running) {
    running.in_flight = running.in_flight.saturating_sub(1);
    if running.in_flight == 0 {
        running.idle();
    }
}

fn expire(running: &mut Running) {
    running.keep = Duration::ZERO;
    running.ends_at = Some(Timestamp::now());
}

fn later(keep: Duration) -> Timestamp {
    let keep = SignedDuration::try_from(keep.min(FOREVER)).unwrap_or(SignedDuration::MAX);
    Timestamp::now().checked_add(keep).unwrap_or(Timestamp::MAX)
}
