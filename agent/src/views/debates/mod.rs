//! The debates as people want them: standings derived from the rows, the feed's message, the older routes.

mod message;
mod routes;
mod standings;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aura_model::{Missing, Reason, Source};
use aura_postgres::{Debates, Postgres, PostgresReading, Ranking, Rounds, ServerReading, Statistics};

pub use self::message::{DebateUpdate, Row};
use self::standings::{Standings, Tables, standings};
use super::{
    postgres::why,
    time::rfc3339,
    view::{Make, View},
};
use crate::{
    api::{FeedDescription, Routes},
    hub::{Hub, Snapshot},
};

/// So many debates go into each message; the history has all that were read.
const RECENT: usize = 20;

/// Which number means what.
const NOTES: [&str; 2] = [
    "win_rate counts draws in the total; decided_win_rate leaves them out",
    "elo is the stored rating, or the recomputed one where the installation has none",
];

/// The debates' state for people.
pub struct DebatesView {
    hub: Arc<Hub>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The newest reading that the feed or its twins may show.
    current: Option<Arc<DebatesSample>>,
    /// Whether the feed has said it.
    is_said: bool,
    /// What the standings were made from: they are made anew only when these are others.
    rows: Option<StoredRows>,
    standings: Option<Arc<Standings>>,
    /// Grows with every change of the standings.
    revision: u64,
    /// Standings are being made.
    is_busy: bool,
}

/// One reading.
struct DebatesSample {
    now: Arc<Snapshot<Postgres>>,
    server: Option<String>,
    standings: Option<Arc<Standings>>,
    missing: BTreeMap<&'static str, Missing>,
}

impl View for DebatesView {
    const FEED: FeedDescription = message::FEED;
    const ABOUT: &'static str =
        "Debates of models, from the tables of an installation: see [PostgreSQL](sources/postgres.md).";
    const SOURCES: &'static [&'static str] = &[Postgres::NAME];
    type Message = DebateUpdate;

    fn take(self: &Arc<Self>, seq: u64) -> Option<Make<DebateUpdate>> {
        if let Some(now) = self.hub.channel::<Postgres>()?.latest() {
            self.add(now);
        }
        let mut state = self.state();
        let sample = state.current.clone().filter(|_| !state.is_said)?;
        state.is_said = true;
        Some(Box::new(move || sample.update(seq)))
    }

    /// Without a reading there is no message that would say so.
    fn is_fresh(&self) -> bool {
        self.current().is_some()
    }

    fn routes() -> Routes<Arc<Self>> {
        routes::routes()
    }
}

impl DebatesView {
    /// Nothing read yet.
    #[must_use]
    pub fn new(hub: &Arc<Hub>) -> Self {
        Self { hub: Arc::clone(hub), state: Mutex::default() }
    }

    /// Takes in a reading. The standings of other rows than before are made beside the event loop; until they are there,
    /// the reading before is shown.
    fn add(self: &Arc<Self>, now: Arc<Snapshot<Postgres>>) {
        let mut state = self.state();
        if state.is_busy || state.current.as_ref().is_some_and(|current| current.now.taken == now.taken) {
            return;
        }
        match StoredRows::of(&now.reading) {
            Some(rows) if !state.rows.as_ref().is_some_and(|known| known.is_same(&rows)) => {
                state.is_busy = true;
                tokio::spawn(Arc::clone(self).compute(now, rows));
            }
            Some(_) => state.show(now),
            None => {
                state.put(None, None);
                state.show(now);
            }
        }
    }

    async fn compute(self: Arc<Self>, now: Arc<Snapshot<Postgres>>, rows: StoredRows) {
        let computed = tokio::task::spawn_blocking(move || (Arc::new(standings(&rows.tables())), rows)).await;
        let mut state = self.state();
        state.is_busy = false;
        match computed {
            Ok((standings, rows)) => state.put(Some(rows), Some(standings)),
            // A panic, which was logged: old standings of other rows are not shown.
            Err(_) => state.put(StoredRows::of(&now.reading), None),
        }
        state.show(now);
        drop(state);
        self.hub.notify(Postgres::NAME);
    }

    /// The newest reading, unless the source is too late for it to be shown as fresh.
    fn current(&self) -> Option<Arc<DebatesSample>> {
        self.state().current.clone().filter(|sample| sample.now.is_shown())
    }

    /// The leaderboard's rows in the older shape, or why there are none.
    pub(super) fn rows(&self) -> Result<Arc<Vec<Row>>, Missing> {
        let late = || why(self.hub.channel::<Postgres>().as_deref());
        let sample = self.current().ok_or_else(late)?;
        match &sample.standings {
            Some(standings) => Ok(Arc::clone(&standings.rows)),
            None => Err(sample.missing.get("leaderboard").cloned().unwrap_or_else(late)),
        }
    }

    /// Grows with every change of the standings.
    pub(super) fn revision(&self) -> u64 {
        self.state().revision
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, rows: Option<StoredRows>, standings: Option<Arc<Standings>>) {
        if standings.is_some() || self.standings.is_some() {
            self.revision += 1;
        }
        (self.rows, self.standings) = (rows, standings);
    }

    fn show(&mut self, now: Arc<Snapshot<Postgres>>) {
        self.current = Some(Arc::new(DebatesSample::new(now, self.standings.clone())));
        self.is_said = false;
    }
}

impl DebatesSample {
    fn new(now: Arc<Snapshot<Postgres>>, standings: Option<Arc<Standings>>) -> Self {
        let mut missing = BTreeMap::new();
        let servers = &now.reading.servers;
        let Some((server, statistics, debates)) = holder(&now.reading) else {
            let why = servers.iter().find_map(|server| match server.up.value() {
                Some(statistics) => statistics.debates.missing().cloned(),
                None => server.up.missing().cloned(),
            });
            let unknown = || Missing::new(Reason::NotConfigured, "no PostgreSQL server is watched");
            missing.insert("leaderboard", why.unwrap_or_else(unknown));
            return Self { now, server: None, standings, missing };
        };
        if debates.truncated {
            let detail = format!(
                "there are more than the {} debates that are read, so ratings cannot be recomputed",
                aura_postgres::MOST_DEBATES
            );
            missing.insert("leaderboard.elo_recomputed", Missing::new(Reason::Unreadable, detail));
        }
        for (path, why) in [
            ("leaderboard.elo_stored", statistics.rankings.missing()),
            ("recent.has_errors", statistics.rounds.missing()),
        ] {
            if let Some(why) = why {
                missing.insert(path, why.clone());
            }
        }
        if standings.is_none() {
            let detail = "the standings could not be computed, which is a bug: please report what the log says";
            missing.insert("leaderboard", Missing::new(Reason::Unreadable, detail));
        }
        let server = Some(server.address.clone());
        Self { now, server, standings, missing }
    }

    /// The feed's message.
    fn update(&self, seq: u64) -> DebateUpdate {
        let sampled_at = rfc3339(self.now.sampled_at);
        let standings = self.standings.as_deref();
        DebateUpdate {
            r#type: "debate_update",
            seq,
            timestamp: sampled_at.clone(),
            sampled_at,
            server: self.server.clone(),
            leaderboard: standings.map(|standings| standings.models.clone()).unwrap_or_default(),
            stats: standings.map(|standings| Arc::clone(&standings.rows)).unwrap_or_default(),
            recent: standings
                .map(|standings| standings.debates.iter().take(RECENT).cloned().collect())
                .unwrap_or_default(),
            counts: standings.map(|standings| standings.counts.clone()),
            notes: NOTES,
            missing: self.missing.clone(),
        }
    }
}

/// The first server that holds debates.
fn holder(reading: &PostgresReading) -> Option<(&ServerReading, &Statistics, &Arc<Debates>)> {
    reading.servers.iter().find_map(|server| {
        let statistics = server.up.value()?;
        Some((server, &**statistics, statistics.debates.value()?))
    })
}

/// What the tables hold. A reading shares them with the one before while nobody changes them.
struct StoredRows {
    debates: Arc<Debates>,
    rankings: Option<Arc<Vec<Ranking>>>,
    rounds: Option<Arc<Vec<Rounds>>>,
}

impl StoredRows {
    fn of(reading: &PostgresReading) -> Option<Self> {
        let (_, statistics, debates) = holder(reading)?;
        Some(Self {
            debates: Arc::clone(debates),
            rankings: statistics.rankings.value().cloned(),
            rounds: statistics.rounds.value().cloned(),
        })
    }

    fn tables(&self) -> Tables<'_> {
        Tables {
            debates: &self.debates.debates,
            truncated: self.debates.truncated,
            rankings: self.rankings.as_ref().map(|rankings| &rankings[..]),
            rounds: self.rounds.as_ref().map(|rounds| &rounds[..]),
        }
    }

    /// Whether both are the same rows, not only equal ones.
    fn is_same(&self, other: &Self) -> bool {
        fn same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
            one.map(Arc::as_ptr) == other.map(Arc::as_ptr)
        }
        Arc::ptr_eq(&self.debates, &other.debates)
            && same(self.rankings.as_ref(), other.rankings.as_ref())
            && same(self.rounds.as_ref(), other.rounds.as_ref())
    }
}
