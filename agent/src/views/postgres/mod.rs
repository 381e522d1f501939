//! PostgreSQL as people want it: rates and shares derived from readings, and why there is no reading.

mod derive;
mod growth;
pub mod message;
mod routes;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aura_model::{Missing, Reason, Source};
use aura_postgres::{Postgres, Prober};
use jiff::Timestamp;

use self::{
    growth::Sizes,
    message::{DatabaseUpdate, Metrics},
};
use super::{Make, Parts, View, time::rfc3339};
use crate::{
    api::{FeedDescription, Routes},
    config::Config,
    hub::{Channel, Hub, Published, Snapshot},
};

/// Rates are made over about this long: the server hands its counters on only once a second or less.
const RATE_SPAN: Duration = Duration::from_secs(10);

/// PostgreSQL's state for people.
pub struct PostgresView {
    hub: Arc<Hub>,
    /// Asks servers that a request names.
    prober: Mutex<Arc<Prober>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    recent: VecDeque<Arc<Snapshot<Postgres>>>,
    current: Option<Arc<PostgresSample>>,
    sizes: Sizes,
    /// Why there is no reading, once that was said.
    absent: Option<Reason>,
}

/// One reading, with the earlier one that its rates are made from.
struct PostgresSample {
    now: Arc<Snapshot<Postgres>>,
    before: Option<Arc<Snapshot<Postgres>>>,
    interval: Duration,
}

impl View for PostgresView {
    const FEED: FeedDescription = message::FEED;
    const ABOUT: &'static str = "Servers of PostgreSQL: see [PostgreSQL](sources/postgres.md).";
    const SOURCES: &'static [&'static str] = &[Postgres::NAME];
    type Message = DatabaseUpdate;

    fn open(parts: &Parts<'_>) -> Arc<Self> {
        Arc::new(Self::new(parts.hub, parts.config))
    }

    fn take(self: &Arc<Self>, seq: u64) -> Option<Make<DatabaseUpdate>> {
        let channel = self.hub.channel::<Postgres>();
        if let Some((channel, now)) = channel.as_ref().and_then(|channel| Some((channel, channel.latest()?))) {
            let sample = self.add(now, channel.interval())?;
            let view = Arc::clone(self);
            return Some(Box::new(move || view.update(&sample, seq)));
        }
        // Why there is no reading changes rarely: each reason is said once.
        let missing = why(channel.as_deref());
        if self.state().absent.replace(missing.reason) == Some(missing.reason) {
            return None;
        }
        let interval = channel.map_or(Duration::from_secs(1), |channel| channel.interval());
        let now = rfc3339(Timestamp::now());
        Some(Box::new(move || absence(missing, interval, now, seq)))
    }

    fn routes() -> Routes<Arc<Self>> {
        routes::routes()
    }

    fn configure(&self, config: &Config) {
        *self.prober.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Prober::new(&config.sources.postgres));
    }
}

impl PostgresView {
    /// Nothing read yet.
    #[must_use]
    pub fn new(hub: &Arc<Hub>, config: &Config) -> Self {
        let prober = Mutex::new(Arc::new(Prober::new(&config.sources.postgres)));
        Self { hub: Arc::clone(hub), prober, state: Mutex::default() }
    }

    /// Takes in a reading; none when it was taken in already.
    fn add(&self, now: Arc<Snapshot<Postgres>>, interval: Duration) -> Option<Arc<PostgresSample>> {
        let mut state = self.state();
        state.absent = None;
        if state.current.as_ref().is_some_and(|current| current.now.taken == now.taken) {
            return None;
        }
        while state.recent.get(1).is_some_and(|second| now.taken.duration_since(second.taken) >= RATE_SPAN) {
            state.recent.pop_front();
        }
        let before = state.recent.front().cloned();
        state.sizes.take(&now.reading);
        state.recent.push_back(Arc::clone(&now));
        let sample = Arc::new(PostgresSample { now, before, interval });
        state.current = Some(Arc::clone(&sample));
        Some(sample)
    }

    /// The feed's message of a sample.
    fn update(&self, sample: &PostgresSample, seq: u64) -> DatabaseUpdate {
        let mut servers = self.metrics(sample);
        let sampled_at = rfc3339(sample.now.sampled_at);
        DatabaseUpdate {
            r#type: "database_update",
            seq,
            timestamp: sampled_at.clone(),
            sampled_at,
            interval_seconds: sample.interval.as_secs_f64(),
            metrics: servers.pop_front(),
            others: servers.into(),
            missing: BTreeMap::new(),
        }
    }

    /// Each server.
    fn metrics(&self, sample: &PostgresSample) -> VecDeque<Metrics> {
        let sampled_at = rfc3339(sample.now.sampled_at);
        let state = self.state();
        let each = sample.now.reading.servers.iter().enumerate().map(|(index, server)| {
            let before = sample.before.as_ref().and_then(|before| {
                let seconds = sample.now.taken.duration_since(before.taken).as_secs_f64();
                let earlier = before.reading.servers.get(index)?;
                Some((earlier, seconds - server.age_seconds + earlier.age_seconds))
            });
            derive::metrics(server, before, &state.sizes, &sampled_at)
        });
        each.collect()
    }

    /// The first server, or why nothing is known of it.
    fn first(&self) -> Result<Metrics, Missing> {
        let sample = self.state().current.clone().filter(|sample| sample.now.is_shown());
        sample
            .and_then(|sample| self.metrics(&sample).pop_front())
            .ok_or_else(|| why(self.hub.channel::<Postgres>().as_deref()))
    }

    fn prober(&self) -> Arc<Prober> {
        self.prober.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The message of a time without a reading.
fn absence(missing: Missing, interval: Duration, now: String, seq: u64) -> DatabaseUpdate {
    DatabaseUpdate {
        r#type: "database_update",
        seq,
        timestamp: now.clone(),
        sampled_at: now,
        interval_seconds: interval.as_secs_f64(),
        metrics: None,
        others: Vec::new(),
        missing: BTreeMap::from([("metrics", missing)]),
    }
}

/// Why there is no reading.
pub(super) fn why(channel: Option<&Channel<Postgres>>) -> Missing {
    channel.and_then(|channel| channel.health().missing).unwrap_or_else(|| {
        let detail = "PostgreSQL was not read yet, or is switched off: sources.postgres.enabled";
        Missing::new(Reason::NotConfigured, detail)
    })
}

#[cfg(test)]
mod tests;
