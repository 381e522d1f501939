//! PostgreSQL as people want it: derived from readings, published as the feed `database`.

mod derive;
mod growth;
pub mod message;
mod routes;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use aura_model::{Missing, Reason, Source};
use aura_postgres::{Postgres, PostgresOptions, Prober};
use jiff::Timestamp;

pub use self::routes::routes;
use self::{growth::Sizes, message::DatabaseUpdate};
use crate::{
    hub::{Hub, Snapshot},
    views::time::rfc3339,
};

/// Rates are made over about this long: the server hands its counters on only once a second or less.
const RATE_SPAN: Duration = Duration::from_secs(10);

/// PostgreSQL's state for people: fed with each reading, read by the feed and the routes.
#[derive(Default)]
pub struct PostgresView {
    hub: Arc<Hub>,
    /// Asks database servers that a request names.
    prober: RwLock<Arc<Prober>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    recent: VecDeque<Arc<Snapshot<Postgres>>>,
    current: Option<Arc<Moment>>,
    sizes: Sizes,
    seq: u64,
}

/// One reading, with the earlier one that its rates are made from.
pub struct Moment {
    now: Arc<Snapshot<Postgres>>,
    before: Option<Arc<Snapshot<Postgres>>>,
    interval: Duration,
    /// One more with each reading.
    pub seq: u64,
}

impl PostgresView {
    /// Nothing read yet.
    #[must_use]
    pub fn new(hub: Arc<Hub>, options: &PostgresOptions) -> Self {
        Self { hub, prober: RwLock::new(Arc::new(Prober::new(options))), state: Mutex::default() }
    }

    /// After a reload.
    pub fn set_options(&self, options: &PostgresOptions) {
        *self.prober.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Prober::new(options));
    }

    fn prober(&self) -> Arc<Prober> {
        Arc::clone(&self.prober.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in a new reading.
    pub fn take(&self, now: Arc<Snapshot<Postgres>>, interval: Duration) -> Arc<Moment> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.recent.get(1).is_some_and(|second| now.taken.duration_since(second.taken) >= RATE_SPAN) {
            state.recent.pop_front();
        }
        let before = state.recent.front().cloned();
        state.sizes.take(&now.reading);
        state.seq += 1;
        state.recent.push_back(Arc::clone(&now));
        let moment = Arc::new(Moment { now, before, interval, seq: state.seq });
        state.current = Some(Arc::clone(&moment));
        moment
    }

    /// The newest reading, unless the source is too late for it to be shown as fresh.
    pub fn current(&self) -> Option<Arc<Moment>> {
        let moment = self.state.lock().unwrap_or_else(PoisonError::into_inner).current.clone()?;
        moment.now.is_shown().then_some(moment)
    }

    /// The feed's message of a moment.
    pub fn update(&self, moment: &Moment) -> DatabaseUpdate {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let sampled_at = rfc3339(moment.now.sampled_at);
        let each = moment.now.reading.servers.iter().enumerate().map(|(index, server)| {
            let before = moment.before.as_ref().and_then(|before| {
                let seconds = moment.now.taken.duration_since(before.taken).as_secs_f64();
                let earlier = before.reading.servers.get(index)?;
                Some((earlier, seconds - server.age_seconds + earlier.age_seconds))
            });
            derive::metrics(server, before, &state.sizes, &sampled_at)
        });
        let mut servers = each.collect::<VecDeque<_>>();
        DatabaseUpdate {
            r#type: "database_update",
            seq: moment.seq,
            timestamp: sampled_at.clone(),
            sampled_at: sampled_at.clone(),
            interval_seconds: moment.interval.as_secs_f64(),
            metrics: servers.pop_front(),
            others: servers.into(),
            missing: BTreeMap::new(),
        }
    }

    /// The message of a time without a reading.
    pub fn absence(&self, missing: Missing, interval: Duration) -> DatabaseUpdate {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.seq += 1;
        let now = rfc3339(Timestamp::now());
        DatabaseUpdate {
            r#type: "database_update",
            seq: state.seq,
            timestamp: now.clone(),
            sampled_at: now,
            interval_seconds: interval.as_secs_f64(),
            metrics: None,
            others: Vec::new(),
            missing: BTreeMap::from([("metrics", missing)]),
        }
    }
}

/// Why there is no reading.
pub fn why(hub: &Hub) -> Missing {
    let health = hub.sources().iter().map(|source| source.health()).find(|health| health.name == Postgres::NAME);
    health.and_then(|health| health.missing).unwrap_or_else(|| {
        let detail = "PostgreSQL was not read yet, or is switched off: sources.postgres.enabled";
        Missing::new(Reason::NotConfigured, detail)
    })
}

#[cfg(test)]
mod tests;
