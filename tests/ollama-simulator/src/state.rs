//! What is on disk and what is in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as PlainMutex, MutexGuard, PoisonError, atomic::AtomicUsize},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, Notify, Semaphore};

use crate::{Fault, Model, Settings, engine::Engine, name::Name, random::Random};

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
        eprintln!("to have the order of models again: AURA_TEST_SEED={}", settings.seed);
        let state = State { random: Random::new(settings.seed), ..State::default() };
        Self {
            settings,
            state: PlainMutex::new(state),
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
    random: Random,
    loads: u64,
}

/// A model in memory, or on its way there.
#[derive(Clone)]
pub(crate) struct Running {
    /// Which load it came from.
    pub(crate) id: u64,
    pub(crate) model: Model,
    /// Tokens of context that each slot has.
    pub(crate) context: u64,
    /// None until its first request has ended: nothing runs down yet.
    ends_at: Option<Timestamp>,
    keep: SignedDuration,
    in_flight: usize,
    /// It has to make room when it is idle. Nobody is told.
    leaving: bool,
    pub(crate) loading: bool,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) engine: Option<Arc<Engine>>,
    /// Held while its engine is asked how it is.
    pub(crate) pinged: Arc<Mutex<()>>,
}

impl Running {
    /// What `/api/ps` says: as long as nothing runs down it is reckoned from now, and moves.
    pub(crate) fn expires_at(&self) -> Timestamp {
        self.ends_at.unwrap_or_else(|| later(self.keep))
    }

    fn end(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.in_flight == 0 {
            self.ends_at = Some(later(self.keep));
        }
    }

    fn expire(&mut self) {
        self.keep = SignedDuration::ZERO;
        self.ends_at = Some(Timestamp::now());
    }

    fn is_over(&self, now: Timestamp) -> bool {
        let is_over = self.leaving || self.ends_at.is_some_and(|ends_at| ends_at <= now);
        is_over && self.in_flight == 0 && !self.loading
    }
}

impl State {
    pub(crate) fn install(&mut self, model: Model) {
        self.delete(&model.name);
        self.installed.push(model);
        self.installed.sort_by_key(|model| std::cmp::Reverse(model.modified_at));
    }

    pub(crate) fn delete(&mut self, name: &str) -> bool {
        let Some(name) = Name::parse(name) else { return false };
        let before = self.installed.len();
        self.installed.retain(|model| !is_called(model, &name));
        self.installed.len() < before
    }

    /// As `/api/tags` lists them: what was changed last comes first, by whole seconds. Within a second any order will do.
    pub(crate) fn installed(&mut self) -> Vec<Model> {
        let mut installed = self.installed.clone();
        self.random.shuffle(&mut installed);
        installed.sort_by_key(|model| std::cmp::Reverse(model.modified_at.as_second()));
        installed
    }

    pub(crate) fn find(&self, name: &Name) -> Option<Model> {
        self.installed.iter().find(|model| is_called(model, name)).cloned()
    }

    /// The latest to expire first, by whole seconds.
    pub(crate) fn running(&self) -> Vec<Running> {
        let mut running = self.running.clone();
        running.sort_by_key(|running| std::cmp::Reverse(running.expires_at().as_second()));
        running
    }

    /// The same as `/api/ps` lists them: within a second in any order.
    pub(crate) fn listed(&mut self) -> Vec<Running> {
        self.random.shuffle(&mut self.running);
        self.running()
    }

    /// What holds these weights, loading or loaded. Names and manifests do not matter.
    pub(crate) fn holder(&self, weights: &str) -> Option<Running> {
        self.running.iter().find(|running| running.model.weights == weights).cloned()
    }

    pub(crate) fn count(&self) -> usize {
        self.running.len()
    }

    pub(crate) fn memory_in_use(&self) -> u64 {
        self.running.iter().map(|running| running.model.memory).sum()
    }

    /// Makes room: the idle model with the shortest time goes, or else the one with the shortest time, once it is idle.
    pub(crate) fn evict(&mut self) {
        let loaded = self.running.iter_mut().filter(|running| !running.loading);
        if let Some(chosen) = loaded.min_by_key(|running| (running.in_flight > 0, running.keep)) {
            chosen.leaving = true;
        }
        self.unload_expired();
    }

    /// Lets this one go when it is idle.
    pub(crate) fn let_go(&mut self, id: u64) {
        self.by_id(id).for_each(|running| running.leaving = true);
        self.unload_expired();
    }

    pub(crate) fn add(&mut self, model: Model, context: u64, keep: SignedDuration, parallel: usize) -> u64 {
        self.loads += 1;
        self.running.push(Running {
            id: self.loads,
            model,
            context,
            ends_at: None,
            keep,
            in_flight: 0,
            leaving: false,
            loading: true,
            slots: Arc::new(Semaphore::new(parallel)),
            engine: None,
            pinged: Arc::default(),
        });
        self.loads
    }

    pub(crate) fn loaded(&mut self, id: u64, engine: Option<&Arc<Engine>>) {
        for running in self.by_id(id) {
            running.loading = false;
            running.engine = engine.cloned();
        }
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.running.retain(|running| running.id != id);
    }

    /// A request with this keep-alive came: it replaces the one before.
    pub(crate) fn begin(&mut self, id: u64, keep: Option<SignedDuration>) {
        for running in self.by_id(id) {
            running.keep = keep.unwrap_or(running.keep);
            running.in_flight += 1;
        }
    }

    /// It has ended, and the time runs down from now.
    pub(crate) fn end(&mut self, id: u64) {
        self.by_id(id).for_each(Running::end);
        self.unload_expired();
    }

    /// Unloads what holds these weights, or marks it as stopping while it still answers somebody.
    pub(crate) fn expire(&mut self, weights: &str) {
        let holders = self.running.iter_mut().filter(|running| running.model.weights == weights);
        holders.for_each(Running::expire);
        self.unload_expired();
    }

    /// The same by the name that is listed, for tests.
    pub(crate) fn begin_named(&mut self, name: &str) -> bool {
        self.named(name).map(|running| running.in_flight += 1).count() > 0
    }

    pub(crate) fn end_named(&mut self, name: &str) {
        self.named(name).filter(|running| running.in_flight > 0).for_each(Running::end);
        self.unload_expired();
    }

    pub(crate) fn expire_named(&mut self, name: &str) {
        self.named(name).for_each(Running::expire);
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
        self.running.retain(|running| !running.is_over(now));
    }

    fn by_id(&mut self, id: u64) -> impl Iterator<Item = &mut Running> {
        self.running.iter_mut().filter(move |running| running.id == id)
    }

    fn named(&mut self, name: &str) -> impl Iterator<Item = &mut Running> {
        let name = Name::parse(name);
        self.running.iter_mut().filter(move |running| name.as_ref().is_some_and(|name| is_called(&running.model, name)))
    }
}

fn is_called(model: &Model, name: &Name) -> bool {
    Name::parse(&model.name).is_some_and(|own| own.is(name))
}

fn later(keep: SignedDuration) -> Timestamp {
    Timestamp::now().checked_add(keep).unwrap_or(if keep.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}
