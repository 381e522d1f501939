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
use aura_model::{Context, Source};

pub use self::history::Window;
use self::{
    alerts::Alerts,
    derive::Vitals,
    history::History,
    message::{Alert, SystemUpdate},
};
use super::view::{Make, View};
use crate::{
    api::{FeedDescription, Routes},
    config::{Config, Thresholds},
    hub::{self, Hub, Published, Snapshot},
    telemetry::Events,
};

/// Rates are made over at least this long: the kernel counts CPU time in hundredths of a second, so over a tenth of
/// a second a rate would be off by a tenth.
const RATE_SPAN: Duration = Duration::from_millis(950);

/// One reading of the host, with the earlier one that its rates are made from.
#[derive(Clone)]
struct HostSample {
    now: Arc<Snapshot<Host>>,
    /// About a second earlier; none at the start.
    before: Option<Arc<Snapshot<Host>>>,
    interval: Duration,
    vitals: Vitals,
    /// Limits that are exceeded.
    alerts: Vec<Alert>,
    /// What GPUs did between the last two walks over their processes.
    walks: derive::Walks,
}

/// The host's state for people.
pub struct HostView {
    hub: Arc<Hub>,
    context: Context,
    events: Arc<Events>,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    recent: VecDeque<Arc<Snapshot<Host>>>,
    current: Option<Arc<HostSample>>,
    /// What the newest message says of the host itself.
    said: hub::State,
    history: History,
    alerts: Alerts,
    thresholds: Thresholds,
    walks: derive::Walks,
}

impl View for HostView {
    const FEED: FeedDescription = message::FEED;
    const ABOUT: &'static str = "The host.";
    const SOURCES: &'static [&'static str] = &[Host::NAME];
    type Message = SystemUpdate;

    fn take(self: &Arc<Self>, seq: u64) -> Option<Make<SystemUpdate>> {
        let host = self.hub.channel::<Host>()?;
        let sample = match host.latest() {
            Some(now) if !self.knows(&now) => self.add(now, host.interval()),
            _ => self.repeat(host.health().state)?,
        };
        let alerts = sample.alerts.iter().map(|alert| (alert.name, alert.severity)).collect();
        self.events.note(|counts| counts.alerts = alerts);
        let view = Arc::clone(self);
        Some(Box::new(move || derive::update(&sample, &view.hub, seq)))
    }

    /// Its own message does not say that it is late, so it has to come from a reading that is not.
    fn is_fresh(&self) -> bool {
        self.current().is_some()
    }

    fn set_watched(&self, watched: bool) {
        self.context.set_watched(watched);
    }

    fn routes() -> Routes<Arc<Self>> {
        routes::routes()
    }

    fn configure(&self, config: &Config) {
        self.state().thresholds = config.thresholds.clone();
    }
}

impl HostView {
    /// Nothing read yet. `context` hears whether somebody looks, `events` which limits are exceeded.
    #[must_use]
    pub fn new(hub: &Arc<Hub>, config: &Config, context: &Context, events: &Arc<Events>) -> Self {
        let state = State {
            recent: VecDeque::new(),
            current: None,
            said: hub::State::Starting,
            history: History::new(config.history.window.get(), config.history.resolution.get()),
            alerts: Alerts::default(),
            thresholds: config.thresholds.clone(),
            walks: derive::Walks::default(),
        };
        Self {
            hub: Arc::clone(hub),
            context: context.clone(),
            events: Arc::clone(events),
            started: Instant::now(),
            state: Mutex::new(state),
        }
    }

    fn knows(&self, reading: &Arc<Snapshot<Host>>) -> bool {
        self.state().current.as_ref().is_some_and(|sample| Arc::ptr_eq(&sample.now, reading))
    }

    /// Takes in a new reading.
    fn add(&self, now: Arc<Snapshot<Host>>, interval: Duration) -> Arc<HostSample> {
        let mut state = self.state();
        // A source that was restarted or paused leaves readings that are too old to compare with.
        let span = RATE_SPAN.max(interval.mul_f64(0.95));
        while state.recent.get(1).is_some_and(|second| now.taken.duration_since(second.taken) >= span) {
            state.recent.pop_front();
        }
        let before = state.recent.front().cloned();
        let vitals = derive::vitals(&now, before.as_deref());
        let State { history, alerts, thresholds, .. } = &mut *state;
        let clocks = history::Clocks { time: now.sampled_at, taken: now.taken, slept: slept() };
        if let Some(seconds) = history.push(clocks, &vitals) {
            let way = if seconds < 0.0 { "back" } else { "forward" };
            tracing::warn!("the machine's clock was set {way} by {:.1} s: the history moves with it", seconds.abs());
        }
        let alerts = alerts.judge(now.sampled_at, &vitals, thresholds);
        if let Some(gpus) = self.hub.channel::<Gpus>().and_then(|channel| channel.latest()) {
            state.walks.take(gpus);
        }
        state.recent.push_back(now.clone());
        let walks = state.walks.clone();
        let sample = Arc::new(HostSample { now, before, interval, vitals, alerts, walks });
        state.said = hub::State::Fresh;
        state.current = Some(sample.clone());
        sample
    }

    /// The newest reading once more, when its source fares otherwise than was said: a client must not take an old message
    /// for a fresh one because nothing follows it. Limits of old numbers are not exceeded.
    fn repeat(&self, fares: hub::State) -> Option<Arc<HostSample>> {
        let mut state = self.state();
        if fares == hub::State::Fresh || fares == state.said {
            return None;
        }
        let sample = Arc::new(HostSample { alerts: Vec::new(), ..HostSample::clone(state.current.as_ref()?) });
        state.said = fares;
        state.current = Some(sample.clone());
        Some(sample)
    }

    /// The newest reading, unless the source is off or too late for it to be shown as fresh.
    fn current(&self) -> Option<Arc<HostSample>> {
        let sample = self.state().current.clone()?;
        let off = self.hub.channel::<Host>().is_some_and(|host| host.latest().is_none());
        (sample.now.is_shown() && !off).then_some(sample)
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
