//! Loads and unloads: one at a time on each server, in the order in which they were asked for.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aura_model::{Name, Source};
use aura_ollama::{Action, Done, KeepAlive, Ollama, Server, Target};
use jiff::Timestamp;
use tokio::sync::watch;

use super::explain;
use crate::{
    hub::Hub,
    views::{
        ollama::message::{self, JobError},
        time::rfc3339,
    },
};

/// Jobs that wait on one server; more are refused.
const WAITING: usize = 64;
/// Finished jobs that are remembered, and how long.
const FINISHED: usize = 32;
const REMEMBERED: Duration = Duration::from_secs(300);

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub(super) host: Name,
    pub(super) server: Server,
    pub(super) target: Target,
    pub(super) action: Action,
    pub(super) keep_alive: KeepAlive,
    /// Whether what was not named may go with it.
    pub(super) force: bool,
    /// Loads that were asked for together: they stop when one drives another out.
    pub(super) batch: Option<u64>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Progress {
    Queued,
    Running(Instant),
    Finished { at: Instant, took: Duration, result: Result<Done, JobError> },
}

/// One order and how far it is.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) order: Order,
    pub(super) progress: Progress,
    requested_at: Timestamp,
}

/// All jobs.
pub(super) struct Jobs {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    hub: Arc<Hub>,
}

#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    next: u64,
    /// Servers on which somebody works.
    busy: HashSet<Name>,
}

/// What became of an order.
#[derive(Debug, PartialEq)]
pub(super) struct Accepted {
    pub(super) id: u64,
    /// Nobody works on this server yet: the caller sees to it.
    pub(super) idle: bool,
}

impl Jobs {
    /// None yet. Each change rings for Ollama in the hub.
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, state: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// Takes an order, unless the same waits or runs already: then that is the one.
    /// `None` when too many wait.
    pub(super) fn submit(&self, order: Order) -> Option<Accepted> {
        let mut state = self.state();
        state.forget_old();
        let unfinished =
            |job: &&Job| !matches!(job.progress, Progress::Finished { .. }) && job.order.host == order.host;
        let same = |job: &&Job| Order { batch: order.batch, ..job.order.clone() } == order;
        if let Some(job) = state.jobs.iter().filter(unfinished).find(same) {
            return Some(Accepted { id: job.id, idle: false });
        }
        if state.jobs.iter().filter(unfinished).count() >= WAITING {
            return None;
        }
        state.next += 1;
        let id = state.next;
        let idle = state.busy.insert(order.host.clone());
        state.jobs.push(Job { id, order, progress: Progress::Queued, requested_at: Timestamp::now() });
        drop(state);
        self.ring();
        Some(Accepted { id, idle })
    }

    /// The next job of a server, which runs from now on. `None` when there is none: the caller stops working then.
    pub(super) fn next(&self, host: &Name) -> Option<Job> {
        let mut state = self.state();
        let waiting = state.jobs.iter_mut().find(|job| job.order.host == *host && job.progress == Progress::Queued);
        let Some(job) = waiting else {
            state.busy.remove(host);
            return None;
        };
        job.progress = Progress::Running(Instant::now());
        let job = job.clone();
        drop(state);
        self.ring();
        Some(job)
    }

    /// A job has ended.
    pub(super) fn finish(&self, id: u64, result: Result<Done, JobError>) {
        if let Some(job) = self.state().jobs.iter_mut().find(|job| job.id == id) {
            let at = Instant::now();
            let took = match job.progress {
                Progress::Running(begun) => at.duration_since(begun),
                Progress::Queued | Progress::Finished { .. } => Duration::ZERO,
            };
            job.progress = Progress::Finished { at, took, result };
        }
        self.ring();
    }

    /// Models that earlier jobs of a batch have loaded, and when.
    pub(super) fn loaded_by(&self, batch: u64) -> Vec<(Name, Instant)> {
        let state = self.state();
        let done =
            state.jobs.iter().filter(|job| job.order.batch == Some(batch)).filter_map(|job| match &job.progress {
                Progress::Finished { at, result: Ok(_), .. } => Some((job.order.target.name.clone(), *at)),
                _ => None,
            });
        done.collect()
    }

    /// A number that no other batch has.
    pub(super) fn new_batch(&self) -> u64 {
        let mut state = self.state();
        state.next += 1;
        state.next
    }

    pub(super) fn find(&self, id: u64) -> Option<Job> {
        self.state().jobs.iter().find(|job| job.id == id).cloned()
    }

    /// Rings at every change.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Grows with every change.
    pub(super) fn revision(&self) -> u64 {
        *self.changed.borrow()
    }

    /// As they are shown.
    pub(super) fn shown(&self) -> Vec<message::Job> {
        let mut state = self.state();
        state.forget_old();
        state.jobs.iter().map(|job| shown(job, &state.jobs)).collect()
    }

    fn ring(&self) {
        self.changed.send_modify(|count| *count += 1);
        self.hub.notify(Ollama::NAME);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_old(&mut self) {
        let mut finished = self.jobs.iter().filter(|job| matches!(job.progress, Progress::Finished { .. })).count();
        self.jobs.retain(|job| match job.progress {
            Progress::Finished { at, .. } if finished > FINISHED || at.elapsed() > REMEMBERED => {
                finished -= 1;
                false
            }
            _ => true,
        });
    }
}

fn shown(job: &Job, all: &[Job]) -> message::Job {
    let Order { host, target, action, .. } = &job.order;
    let before = |other: &&Job| {
        other.id < job.id && other.order.host == *host && !matches!(other.progress, Progress::Finished { .. })
    };
    let (state, seconds, note, error) = match &job.progress {
        Progress::Queued => ("queued", None, None, None),
        Progress::Running(begun) => ("running", Some(begun.elapsed().as_secs_f64()), None, None),
        Progress::Finished { took, result: Ok(done), .. } => {
            ("done", Some(took.as_secs_f64()), explain::note(done), None)
        }
        Progress::Finished { took, result: Err(error), .. } => {
            ("failed", Some(took.as_secs_f64()), None, Some(error.clone()))
        }
    };
    message::Job {
        id: job.id,
        host: host.clone(),
        model: target.name.clone(),
        action: match action {
            Action::Load => "load",
            Action::Unload => "unload",
        },
        state,
        position: (state == "queued").then(|| all.iter().filter(before).count()),
        requested_at: rfc3339(job.requested_at),
        seconds: seconds.map(|seconds| (seconds * 1000.0).round() / 1000.0),
        note,
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(model: &str, action: Action) -> Order {
        Order {
            host: "box:1".into(),
            server: "box:1".parse().unwrap(),
            target: model.into(),
            action,
            keep_alive: KeepAlive::Default,
            force: false,
            batch: None,
        }
    }

    #[test]
    fn one_at_a_time_in_their_order_and_each_once() {
        let jobs = Jobs::new(Arc::default());
        let host: Name = "box:1".into();
        assert_eq!(jobs.submit(order("a", Action::Load)), Some(Accepted { id: 1, idle: true }));
        assert_eq!(jobs.submit(order("b", Action::Load)), Some(Accepted { id: 2, idle: false }));
        assert_eq!(jobs.submit(order("a", Action::Load)), Some(Accepted { id: 1, idle: false }));
        assert_eq!(jobs.submit(order("a", Action::Unload)), Some(Accepted { id: 3, idle: false }));
        let states = |jobs: &Jobs| jobs.shown().iter().map(|job| (job.state, job.position)).collect::<Vec<_>>();
        assert_eq!(states(&jobs), [("queued", Some(0)), ("queued", Some(1)), ("queued", Some(2))]);
        for id in 1..=3 {
            assert_eq!(jobs.next(&host).map(|job| job.id), Some(id));
            jobs.finish(id, Ok(Done::default()));
        }
        assert!(jobs.next(&host).is_none());
        assert_eq!(states(&jobs), [("done", None); 3]);
        assert_eq!(jobs.submit(order("a", Action::Load)), Some(Accepted { id: 4, idle: true }));
    }

    #[test]
    fn neither_those_that_wait_nor_those_that_are_finished_grow_without_end() {
        let jobs = Jobs::new(Arc::default());
        let host: Name = "box:1".into();
        for number in 0..WAITING {
            assert!(jobs.submit(order(&number.to_string(), Action::Load)).is_some());
        }
        assert_eq!(jobs.submit(order("one more", Action::Load)), None);
        while let Some(job) = jobs.next(&host) {
            jobs.finish(job.id, Ok(Done::default()));
        }
        assert_eq!(jobs.shown().len(), FINISHED);
    }
}
