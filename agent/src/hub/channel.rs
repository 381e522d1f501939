//! Where a source's thread leaves its readings, and where everybody finds the newest.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use aura_model::{Interval, Missing, Reason, Source, Stopwatch};
use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use super::{AnyReading, Published, Snapshot};

/// After so many of its intervals a reading is late: its source is shown as stale. The reading itself is shown until it
/// is too old, see [`Snapshot::is_shown`].
pub const FRESH_INTERVALS: u32 = 3;

/// A source's newest reading and its health.
pub struct Channel<S: Source> {
    latest: watch::Sender<Option<Arc<Snapshot<S>>>>,
    progress: Mutex<Progress>,
    /// What still holds of the newest reading when that is too old, made once for it.
    outdated: Mutex<Option<Outdated<S>>>,
    /// Whoever wants to know of each reading.
    listeners: Mutex<Vec<Arc<Notify>>>,
}

struct Outdated<S: Source> {
    of: Weak<Snapshot<S>>,
    left: Option<Arc<Snapshot<S>>>,
}

/// What the source's thread last said.
#[derive(Clone, Debug)]
struct Progress {
    interval: Duration,
    timeout: Duration,
    /// A sample that was begun and has not returned.
    begun: Option<Stopwatch>,
    /// Why there is no reading; none while it works.
    missing: Option<Missing>,
    counts: Counts,
}

/// What is counted of a source since the agent started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Samples that gave a reading.
    pub samples: u64,
    /// Samples that failed, and attempts to open that did.
    pub failures: u64,
    /// Ticks that passed while a sample was still running.
    pub missed: u64,
    /// Panics of the source's code; each is a bug, and costs this source alone.
    pub panics: u64,
}

/// The state of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was read yet.
    Starting,
    /// The newest reading is on time.
    Fresh,
    /// The newest reading is late, or the last attempt failed.
    Stale,
    /// There is nothing to read, or nobody asked for it.
    Off,
}

impl State {
    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Off => "off",
        }
    }
}

/// The state of a source, with the reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// The source's, as in `aura_source_up{source=...}`.
    pub name: &'static str,
    /// In one word.
    pub state: State,
    /// Why, when it is not fresh.
    pub missing: Option<Missing>,
    /// When the newest reading was taken.
    pub sampled_at: Option<Timestamp>,
    /// How old the newest reading is.
    pub age: Option<Duration>,
    /// How long the newest reading took.
    pub duration: Option<Duration>,
    /// From one sample to the next.
    pub interval: Duration,
    /// What was counted.
    pub counts: Counts,
}

impl Health {
    /// That of what is put together from sources when it is asked for: it is never late.
    pub(crate) fn derived(name: &'static str, interval: Duration) -> Self {
        Self {
            name,
            state: State::Fresh,
            missing: None,
            sampled_at: None,
            age: None,
            duration: None,
            interval,
            counts: Counts::default(),
        }
    }
}

impl<S: Source> Channel<S> {
    pub(super) fn new() -> Self {
        let progress = Progress {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            begun: None,
            missing: None,
            counts: Counts::default(),
        };
        Self {
            latest: watch::Sender::new(None),
            progress: Mutex::new(progress),
            outdated: Mutex::new(None),
            listeners: Mutex::default(),
        }
    }

    /// The newest reading, unless it is too old to be shown.
    pub fn latest(&self) -> Option<Arc<Snapshot<S>>> {
        self.latest.borrow().clone().filter(|snapshot| snapshot.is_shown())
    }

    /// The newest reading, or what is left to say of it when it is too old to be shown.
    pub fn latest_or_outdated(&self) -> Option<Arc<Snapshot<S>>> {
        let newest = self.latest.borrow().clone()?;
        if newest.is_shown() {
            return Some(newest);
        }
        let of = Arc::downgrade(&newest);
        let mut outdated = self.outdated.lock().unwrap_or_else(PoisonError::into_inner);
        if outdated.as_ref().is_none_or(|known| !known.of.ptr_eq(&of)) {
            let health = self.health();
            let why = || Missing::new(Reason::Stale, "the newest reading is too old");
            let missing = health.missing.unwrap_or_else(why);
            let left = S::outdated(&newest.reading, &missing).map(|reading| {
                Arc::new(Snapshot::new(reading, newest.sampled_at, newest.watch, newest.stale_after, newest.number))
            });
            *outdated = Some(Outdated { of, left });
        }
        outdated.as_ref().and_then(|known| known.left.clone())
    }

    /// Wakes at each new reading.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Snapshot<S>>>> {
        self.latest.subscribe()
    }

    /// From one sample to the next.
    pub fn interval(&self) -> Duration {
        self.progress().interval
    }

    pub(crate) fn schedule(&self, interval: Interval, timeout: Interval) {
        let mut progress = self.progress();
        progress.interval = interval.get();
        progress.timeout = timeout.get();
    }

    /// The source is switched off or not there: its last reading goes with it.
    pub fn off(&self, missing: Missing) {
        self.progress().missing = Some(missing);
        self.latest.send_replace(None);
        self.notify();
    }

    pub(super) fn begin(&self, begun: Stopwatch) {
        self.progress().begun = Some(begun);
    }

    pub(crate) fn publish(&self, snapshot: Snapshot<S>) {
        {
            let mut progress = self.progress();
            progress.begun = None;
            progress.missing = None;
            progress.counts.samples += 1;
        }
        self.latest.send_replace(Some(Arc::new(snapshot)));
        self.notify();
    }

    /// What is to be read is not there, which is no failure.
    pub(super) fn absent(&self, missing: Missing) {
        let mut progress = self.progress();
        progress.begun = None;
        progress.missing = Some(missing);
    }

    /// An attempt to open or to sample failed; the last reading stays until it is too old.
    pub(super) fn failed(&self, missing: Missing) {
        let mut progress = self.progress();
        progress.begun = None;
        progress.missing = Some(missing);
        progress.counts.failures += 1;
    }

    pub(super) fn missed(&self, ticks: u64) {
        self.progress().counts.missed += ticks;
    }

    pub(super) fn panicked(&self) {
        self.progress().counts.panics += 1;
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Source> Published for Channel<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn part(&self) -> &'static str {
        S::PART
    }

    fn reading(&self) -> Option<Arc<dyn AnyReading>> {
        self.latest_or_outdated().map(|snapshot| snapshot as Arc<dyn AnyReading>)
    }

    fn health(&self) -> Health {
        let latest = self.latest.borrow().clone();
        let progress = self.progress().clone();
        let age = latest.as_ref().map(|snapshot| snapshot.taken.elapsed());
        let ran = latest.as_ref().map(|snapshot| snapshot.watch.elapsed());
        let (state, missing) = judge(&progress, ran);
        Health {
            name: S::NAME,
            state,
            missing,
            sampled_at: latest.as_ref().map(|snapshot| snapshot.sampled_at),
            age,
            duration: latest.map(|snapshot| snapshot.duration),
            interval: progress.interval,
            counts: progress.counts,
        }
    }

    fn groups(&self) -> Vec<&'static str> {
        S::groups().iter().map(|group| group.name).collect()
    }

    fn listen(&self, listener: Arc<Notify>) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    fn notify(&self) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|listener| listener.notify_one());
    }

    /// What is off can only be found, which is told, or be off for another reason.
    fn next_look(&self) -> Duration {
        const OFF: Duration = Duration::from_secs(30);
        /// Whether a reading is late is looked at when it is, not a moment before.
        const JUST_AFTER: Duration = Duration::from_millis(50);
        match self.health().state {
            State::Starting => self.interval(),
            State::Fresh | State::Stale => self.interval() * FRESH_INTERVALS + JUST_AFTER,
            State::Off => OFF,
        }
    }
}

fn judge(progress: &Progress, age: Option<Duration>) -> (State, Option<Missing>) {
    let hanging = progress.begun.map(|begun| begun.elapsed()).filter(|&since| since > progress.timeout);
    if let Some(since) = hanging {
        let detail = format!("the sample begun {:.1} s ago has not returned", since.as_secs_f64());
        return (State::Stale, Some(Missing::new(Reason::Stale, detail)));
    }
    match (age, &progress.missing) {
        (None, None) => {
            (State::Starting, Some(Missing::new(Reason::Stale, "not read yet: the first sample has not returned")))
        }
        (None, Some(missing)) => (State::Off, Some(missing.clone())),
        (Some(_), Some(missing)) => (State::Stale, Some(missing.clone())),
        (Some(age), None) if age > progress.interval * FRESH_INTERVALS => {
            let detail = format!("the newest reading is {:.1} s old", age.as_secs_f64());
            (State::Stale, Some(Missing::new(Reason::Stale, detail)))
        }
        (Some(_), None) => (State::Fresh, None),
    }
}
