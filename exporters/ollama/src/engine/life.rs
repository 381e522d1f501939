//! One engine from its first sight to its end.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use aura_model::{Missing, Name, Reason, Section};
use tokio::{runtime::Runtime, task::JoinHandle};

use super::{
    Counters, Engine, EngineKind, EngineState, Parent, Slot,
    ask::{Answer, Asker, Said},
    command_line::{CommandLine, Role},
    processes::{Process, seconds},
    sockets::Sockets,
    totals::Share,
};

/// So many questions without an answer in a row mean that it hangs.
const HANGS: u32 = 3;
/// An engine that does nothing is asked no more often: each question is a line in Ollama's log.
const AT_REST: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);

pub(crate) struct Life {
    pub(crate) process: Process,
    pub(crate) parent: Parent,
    /// What its sums are kept under.
    pub(crate) key: Name,
    /// Whether it used CPU time between the last two looks.
    moved: bool,
    connections: Option<u64>,
    /// Whether its own user listens where it says that it does.
    listens: bool,
    asker: Option<Box<Asker>>,
    asking: Option<JoinHandle<(Box<Asker>, Answer)>>,
    /// Its CPU time when it was last asked: if that moved, there may be news.
    asked_ticks: u64,
    answered: Option<Instant>,
    ready: Option<bool>,
    progress: Option<f64>,
    misses: u32,
    why: Option<String>,
    slots: Section<Vec<Slot>>,
    counters: Section<Counters>,
    /// Tokens generated up to a moment: those that are counted and those of the requests that run.
    live: VecDeque<(Instant, u64)>,
    rate: Option<f64>,
    any_origin: Option<bool>,
}

impl Life {
    /// `counts` when the server's other engines count: then what a new one counted is nothing.
    pub(crate) fn new(process: Process, parent: Parent, counts: bool, deadline: Duration) -> Option<Self> {
        let line = line(&process.role)?;
        let untold = |what: &str| Missing::new(Reason::Stale, format!("it has not told its {what} yet"));
        let counters = if counts { Section::Fresh(Counters::default()) } else { untold("counters").into_off() };
        Some(Self {
            key: line.key().clone(),
            moved: false,
            connections: None,
            listens: false,
            asker: line.port.and_then(|port| Asker::new(line.kind, port, deadline).ok()).map(Box::new),
            asking: None,
            asked_ticks: 0,
            answered: None,
            ready: None,
            progress: None,
            misses: 0,
            why: None,
            slots: untold("slots").into_off(),
            counters,
            live: if counts { VecDeque::from([(Instant::now(), 0)]) } else { VecDeque::new() },
            rate: None,
            any_origin: None,
            parent,
            process,
        })
    }

    fn line(&self) -> Option<&CommandLine> {
        line(&self.process.role)
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.line()?.port
    }

    /// Takes what a look saw; whether it worked since the last.
    pub(crate) fn look(&mut self, process: Process) -> bool {
        let moved = process.ticks != self.process.ticks;
        self.moved = moved;
        self.process = process;
        moved
    }

    /// Whether only the kernel knows what it does.
    pub(crate) fn is_silent(&self) -> bool {
        let tells_nothing = self.slots_now().is_none() && (self.moved || self.is_active());
        self.parent == Parent::Server && (!self.listens || tells_nothing)
    }

    fn slots_now(&self) -> Option<&Vec<Slot>> {
        self.slots.value().filter(|_| self.misses == 0)
    }

    /// Takes what the kernel's table of sockets says of it; whether it answers a request.
    pub(crate) fn connect(&mut self, sockets: Option<&Sockets>) -> bool {
        let ours = u64::from(self.asking.is_some());
        let seen = self.port().zip(sockets);
        self.connections = seen.map(|(port, sockets)| sockets.connected(port).saturating_sub(ours));
        self.listens = seen.is_some_and(|(port, sockets)| sockets.listens(port, self.process.uid));
        self.connections.is_some_and(|connections| connections > 0)
    }

    pub(crate) fn begin(&mut self, runtime: &Runtime) {
        if self.parent == Parent::Gone || self.process.stopped || !self.listens {
            return;
        }
        if !self.is_due() {
            self.rest();
            return;
        }
        let Some(mut asker) = self.asker.take() else { return };
        self.asked_ticks = self.process.ticks;
        self.asking = Some(runtime.spawn(async move {
            let answer = asker.ask().await;
            (asker, answer)
        }));
    }

    fn is_due(&self) -> bool {
        let Some(answered) = self.answered else { return true };
        let resting = self.ready == Some(true) && self.misses == 0 && !self.is_active();
        !resting || answered.elapsed() >= AT_REST
    }

    /// Whether it may have done something since its last answer, or does.
    pub(crate) fn is_active(&self) -> bool {
        let busy = self.slots.value().is_some_and(|slots| slots.iter().any(|slot| slot.busy));
        let connected = self.connections.is_some_and(|connections| connections > 0);
        busy || connected || self.ready != Some(true) || self.process.ticks != self.asked_ticks
    }

    /// It did nothing since its last answer: what it said then is true now.
    fn rest(&mut self) {
        if let Some(&(_, total)) = self.live.back() {
            self.count(Instant::now(), total);
        } else {
            self.rate = None;
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.asking.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Waits for the answer, if a question runs; whether the engine became ready with it.
    pub(crate) async fn finish(&mut self) -> bool {
        let Some(asking) = &mut self.asking else { return false };
        let (asker, answer) = match asking.await {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // Tasks are cancelled only with the runtime, and nobody waits then.
            Err(_) => return false,
        };
        self.asker = Some(asker);
        self.asking = None;
        self.take(answer)
    }

    fn take(&mut self, Answer { at, said, any_origin }: Answer) -> bool {
        self.any_origin = any_origin;
        let was_ready = self.ready;
        match said {
            Said::Nothing(why) => {
                self.misses += 1;
                self.why = Some(why);
                if self.misses >= HANGS {
                    self.rate = None;
                    self.slots = Section::off(Reason::Stale, "it does not answer");
                }
                return false;
            }
            Said::Loading(progress) => {
                self.ready = Some(false);
                self.progress = progress;
            }
            Said::Ready(slots, counters) => {
                self.ready = Some(true);
                self.progress = None;
                let before = self.slots.value().zip(self.answered);
                let speed =
                    slots.as_ref().ok().zip(before).and_then(|(now, (before, then))| speed(before, then, now, at));
                self.slots = slots.into();
                match counters {
                    Ok(counters) => {
                        let busy = self.slots.value().into_iter().flatten().filter_map(|slot| slot.generated_tokens);
                        let total = counters.generated_tokens + busy.sum::<u64>();
                        self.counters = Section::Fresh(counters);
                        self.count(at, total);
                    }
                    // What it once told stays in the sums.
                    Err(missing) if self.counters.value().is_none_or(|counters| *counters == Counters::default()) => {
                        self.counters = missing.into_off();
                        self.live.clear();
                        self.rate = speed;
                    }
                    Err(_) => self.rate = None,
                }
            }
        }
        self.misses = 0;
        self.why = None;
        self.answered = Some(at);
        self.ready == Some(true) && was_ready != Some(true)
    }

    /// A request that ends between two questions makes the live total fall for a moment: it never does.
    fn count(&mut self, at: Instant, total: u64) {
        let before = self.live.back().copied();
        let total = before.map_or(total, |(_, before)| total.max(before));
        self.rate = before.map(|before| rate(before, (at, total)));
        self.live.push_back((at, total));
        while self.live.get(1).is_some_and(|(then, _)| at.duration_since(*then) >= MINUTE) {
            self.live.pop_front();
        }
    }

    pub(crate) fn share(&self) -> Share {
        Share { ticks: self.process.ticks, counters: self.counters.value().copied() }
    }

    /// Whether it counts; none as long as it has not said.
    pub(crate) fn counts(&self) -> Option<bool> {
        match &self.counters {
            Section::Fresh(_) => Some(true),
            Section::Off { missing } => (missing.reason == Reason::NotConfigured).then_some(false),
        }
    }

    fn state(&self) -> EngineState {
        match self.ready {
            _ if self.process.stopped => EngineState::Stopped,
            _ if self.misses >= HANGS => EngineState::Hanging,
            _ if self.parent == Parent::Gone => EngineState::Unknown,
            Some(true) => EngineState::Ready,
            Some(false) => EngineState::Loading,
            // It has read nothing yet that it could answer with.
            None if !self.listens && self.port().is_some() && self.connections.is_some() => EngineState::Loading,
            None => EngineState::Unknown,
        }
    }

    /// Why the server may be waiting for it.
    pub(crate) fn stuck(&self) -> Option<&'static str> {
        match self.state() {
            EngineState::Stopped => Some("was stopped by a signal (`kill -CONT` lets it go on)"),
            EngineState::Hanging => Some("does not answer"),
            _ => None,
        }
    }

    /// Those that run: one a slot, and one a connection.
    fn requests(&self) -> Option<u64> {
        let busy = |slots: &Vec<Slot>| slots.iter().filter(|slot| slot.busy).count() as u64;
        self.slots_now().map(busy).or(self.connections)
    }

    pub(crate) fn reading(&self) -> Option<Engine> {
        let line = self.line()?;
        let stale = Missing::new(Reason::Stale, "its server is gone: it is not asked");
        let (child, state) = (self.parent == Parent::Server, self.state());
        let running = child && !matches!(state, EngineState::Stopped | EngineState::Hanging);
        let detail = match state {
            EngineState::Stopped => Some("it was stopped by a signal".to_owned()),
            _ if !line.odd.is_empty() => Some(line.odd.join(", ")),
            _ => self.why.clone(),
        };
        let minute = self.live.front().zip(self.live.back()).filter(|(first, last)| first.0 < last.0);
        Some(Engine {
            pid: self.process.id.pid,
            born: self.process.born,
            weights: line.weights.clone(),
            file: line.file.clone(),
            parent: self.parent,
            kind: line.kind,
            port: line.port,
            slots: line.slots,
            context: line.context,
            gpu_layers: line.gpu_layers,
            cache_type: line.cache_type.clone(),
            embedding: line.embedding,
            memory_bytes: self.process.memory_bytes,
            cpu_seconds: seconds(self.process.ticks),
            requests: self.requests().filter(|_| child),
            state,
            progress: self.progress,
            detail,
            activity: if child { self.slots.clone() } else { stale.clone().into_off() },
            counters: if child { self.counters.clone() } else { stale.into_off() },
            any_origin: self.any_origin,
            tokens_per_second: self.rate.filter(|_| running),
            tokens_per_second_minute: minute.map(|(first, last)| rate(*first, *last)).filter(|_| running),
        })
    }

    pub(crate) fn is_kind(&self, kind: EngineKind) -> bool {
        self.line().is_some_and(|line| line.kind == kind)
    }
}

/// A missing value as the section that says so.
trait IntoOff {
    fn into_off<T>(self) -> Section<T>;
}

impl IntoOff for Missing {
    fn into_off<T>(self) -> Section<T> {
        Section::Off { missing: self }
    }
}

fn line(role: &Arc<Role>) -> Option<&CommandLine> {
    match &**role {
        Role::Engine(line) => Some(line),
        Role::Server { .. } | Role::Other => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 tokens")]
fn rate((then, before): (Instant, u64), (now, total): (Instant, u64)) -> f64 {
    let seconds = now.duration_since(then).as_secs_f64();
    if seconds > 0.0 { total.saturating_sub(before) as f64 / seconds } else { 0.0 }
}

/// The speed of the requests that ran at both answers; none where there was none: what came and went in between is not
/// known.
fn speed(before: &[Slot], then: Instant, now: &[Slot], at: Instant) -> Option<f64> {
    let seen = now.iter().filter(|slot| slot.busy && slot.task.is_some()).filter_map(|slot| {
        let same = before.iter().find(|before| before.id == slot.id && before.task == slot.task)?;
        Some(rate((then, same.generated_tokens?), (at, slot.generated_tokens?)))
    });
    seen.reduce(|one, other| one + other)
}
