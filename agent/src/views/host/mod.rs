//! The host as people want it: rates and percentages derived from raw readings, the feed's message, the history,
//! the limits. This is the one place where readings are divided by time.

mod alerts;
mod derive;
mod history;
pub mod message;
mod routes;
pub(crate) mod stats;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aura_gpu::Gpus;
use aura_host::Host;

use self::{alerts::Alerts, history::History, message::Alert};
pub use self::{derive::Vitals, history::Window, routes::routes};
use crate::{
    config::{self, Thresholds},
    hub::{Hub, Snapshot},
    telemetry::Events,
};

/// Rates are made over at least this long: the kernel counts CPU time in hundredths of a second, so over a tenth of
/// a second a rate would be off by a tenth.
const RATE_SPAN: Duration = Duration::from_millis(950);

/// One reading of the host, with the earlier one that its rates are made from.
pub struct Moment {
    /// The reading.
    pub now: Arc<Snapshot<Host>>,
    /// The reading before, about a second earlier; none at the start.
    pub before: Option<Arc<Snapshot<Host>>>,
    /// One more with each reading.
    pub seq: u64,
    /// From one reading to the next.
    pub interval: Duration,
    /// The few numbers that are remembered and limited.
    pub vitals: Vitals,
    /// Limits that are exceeded.
    pub alerts: Vec<Alert>,
    /// What GPUs did between the last two walks over their processes.
    walks: derive::Walks,
}

/// The host's state for people: fed with each reading, read by the feed and the API.
pub struct HostView {
    hub: Arc<Hub>,
    pub(super) events: Arc<Events>,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    recent: VecDeque<Arc<Snapshot<Host>>>,
    current: Option<Arc<Moment>>,
    history: History,
    alerts: Alerts,
    thresholds: Thresholds,
    walks: derive::Walks,
    seq: u64,
}

impl HostView {
    /// Nothing read yet.
    #[must_use]
    pub fn new(hub: Arc<Hub>, events: Arc<Events>, history: &config::History, thresholds: Thresholds) -> Self {
        let state = State {
            recent: VecDeque::new(),
            current: None,
            history: History::new(history.window.get(), history.resolution.get()),
            alerts: Alerts::default(),
            thresholds,
            walks: derive::Walks::default(),
            seq: 0,
        };
        Self { hub, events, started: Instant::now(), state: Mutex::new(state) }
    }

    /// Puts other limits in force.
    pub fn set_thresholds(&self, thresholds: Thresholds) {
        self.state().thresholds = thresholds;
    }

    /// Takes in a new reading.
    pub fn take(&self, now: Arc<Snapshot<Host>>, interval: Duration) -> Arc<Moment> {
        let mut state = self.state();
        // A source that was restarted or paused leaves readings that are too old to compare with.
        let span = RATE_SPAN.max(interval.mul_f64(0.95));
        while state.recent.get(1).is_some_and(|second| now.taken.duration_since(second.taken) >= span) {
            state.recent.pop_front();
        }
        let before = state.recent.front().cloned();
        let vitals = derive::vitals(&now, before.as_deref());
        let State { history, alerts, thresholds, .. } = &mut *state;
        let moment = history::Clocks { time: now.sampled_at, taken: now.taken, slept: slept() };
        if let Some(seconds) = history.push(moment, &vitals) {
            let way = if seconds < 0.0 { "back" } else { "forward" };
            tracing::warn!("the machine's clock was set {way} by {:.1} s: the history moves with it", seconds.abs());
        }
        let alerts = alerts.judge(now.sampled_at, &vitals, thresholds);
        if let Some(gpus) = self.hub.channel::<Gpus>().and_then(|channel| channel.latest()) {
            state.walks.take(gpus);
        }
        state.seq += 1;
        state.recent.push_back(now.clone());
        let (seq, walks) = (state.seq, state.walks.clone());
        let moment = Arc::new(Moment { now, before, seq, interval, vitals, alerts, walks });
        state.current = Some(moment.clone());
        moment
    }

    /// The newest reading under a new number: its message is to say that no newer one came, and why.
    pub fn repeat(&self) -> Option<Arc<Moment>> {
        let mut state = self.state();
        let last = state.current.clone()?;
        state.seq += 1;
        let moment = Arc::new(Moment {
            now: last.now.clone(),
            before: last.before.clone(),
            seq: state.seq,
            interval: last.interval,
            vitals: last.vitals,
            alerts: Vec::new(),
            walks: last.walks.clone(),
        });
        state.current = Some(moment.clone());
        Some(moment)
    }

    /// The newest reading, unless the source is off or too late for it to be shown as fresh.
    pub fn current(&self) -> Option<Arc<Moment>> {
        let moment = self.state().current.clone()?;
        let off = self.hub.channel::<Host>().is_some_and(|host| host.latest().is_none());
        (moment.now.is_shown() && !off).then_some(moment)
    }

    /// Appends the feed's message of a moment.
    pub fn encode(&self, moment: &Moment, out: &mut Vec<u8>) {
        let update = derive::update(moment, &self.hub);
        if let Err(error) = serde_json::to_writer(out, &update) {
            tracing::error!("the message of feed system could not be encoded: {error}");
        }
    }

    /// Whether there ever was a reading.
    pub fn was_sampled(&self) -> bool {
        self.state().seq > 0
    }

    /// The remembered numbers of the last `window`.
    pub fn history(&self, window: Duration) -> Window {
        self.state().history.window(window)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the machine has slept since it was started.
#[cfg(all(target_os = "linux", not(feature = "portable")))]
fn slept() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let since = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    since(ClockId::Boottime).saturating_sub(since(ClockId::Monotonic))
}

/// Not known here: the sleep of a machine is taken for a clock that was set.
#[cfg(not(all(target_os = "linux", not(feature = "portable"))))]
fn slept() -> Duration {
    Duration::ZERO
}

#[cfg(test)]
mod tests;
