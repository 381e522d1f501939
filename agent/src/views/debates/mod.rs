//! The debates as people want them: standings derived from the rows, the feed's message, the older routes.

mod message;
mod routes;
mod standings;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aura_model::{Missing, Reason};
use aura_postgres::{Debates as Rows, Postgres, Ranking, Rounds};

pub(crate) use self::routes::{History, Leaderboard};
use self::standings::{Standings, Tables, standings};
pub use self::{message::DebateUpdate, routes::routes};
use crate::{hub::Snapshot, views::time::rfc3339};

/// So many debates go into each message; the history has all that were read.
const RECENT: usize = 20;

/// Which number means what.
const NOTES: [&str; 2] = [
    "win_rate counts draws in the total; decided_win_rate leaves them out",
    "elo is the stored rating, or the recomputed one where the installation has none",
];

/// The debates' state for people: fed with each reading, read by the feed and the routes.
#[derive(Default)]
pub struct DebatesView(Mutex<State>);

/// Debates, rankings and rounds.
type Known = (Arc<Rows>, Option<Arc<Vec<Ranking>>>, Option<Arc<Vec<Rounds>>>);

#[derive(Default)]
struct State {
    current: Option<Arc<Moment>>,
    /// The rows that the standings were made from: they are made anew only when these are others.
    rows: Option<Known>,
    standings: Option<Arc<Standings>>,
    seq: u64,
}

/// One reading.
pub struct Moment {
    now: Arc<Snapshot<Postgres>>,
    /// One more with each reading.
    pub seq: u64,
    server: Option<String>,
    standings: Option<Arc<Standings>>,
    missing: BTreeMap<&'static str, Missing>,
}

impl DebatesView {
    /// Takes in a new reading.
    pub fn take(&self, now: Arc<Snapshot<Postgres>>) -> Arc<Moment> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing = BTreeMap::new();
        let servers = &now.reading.servers;
        let holder = servers.iter().find_map(|server| {
            let statistics = server.up.value()?;
            Some((server.address.clone(), statistics, statistics.debates.value()?))
        });
        let server = holder.as_ref().map(|(address, ..)| address.clone());
        match holder {
            None => {
                let why = servers.iter().find_map(|server| match server.up.value() {
                    Some(statistics) => statistics.debates.missing().cloned(),
                    None => server.up.missing().cloned(),
                });
                let unknown = || Missing::new(Reason::NotConfigured, "no PostgreSQL server is watched");
                missing.insert("leaderboard", why.unwrap_or_else(unknown));
                (state.rows, state.standings) = (None, None);
            }
            Some((_, statistics, debates)) => {
                let (rankings, rounds) = (statistics.rankings.value(), statistics.rounds.value());
                let same = state.rows.as_ref().is_some_and(|(known, known_rankings, known_rounds)| {
                    Arc::ptr_eq(known, debates)
                        && same(known_rankings.as_ref(), rankings)
                        && same(known_rounds.as_ref(), rounds)
                });
                if !same {
                    let tables = Tables {
                        debates: &debates.debates,
                        truncated: debates.truncated,
                        rankings: rankings.map(|rankings| &rankings[..]),
                        rounds: rounds.map(|rounds| &rounds[..]),
                    };
                    state.standings = Some(Arc::new(standings(&tables)));
                    state.rows = Some((Arc::clone(debates), rankings.cloned(), rounds.cloned()));
                }
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
            }
        }
        state.seq += 1;
        let moment = Arc::new(Moment { now, seq: state.seq, server, standings: state.standings.clone(), missing });
        state.current = Some(moment.clone());
        moment
    }

    /// The newest reading, unless the source is too late for it to be shown as fresh.
    pub fn current(&self) -> Option<Arc<Moment>> {
        let moment = self.0.lock().unwrap_or_else(PoisonError::into_inner).current.clone()?;
        moment.now.is_shown().then_some(moment)
    }
}

fn same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

impl Moment {
    /// The feed's message.
    pub fn update(&self) -> DebateUpdate {
        let sampled_at = rfc3339(self.now.sampled_at);
        let standings = self.standings.as_deref();
        let models = standings.map_or(&[][..], |standings| &standings.models);
        DebateUpdate {
            r#type: "debate_update",
            seq: self.seq,
            timestamp: sampled_at.clone(),
            sampled_at,
            server: self.server.clone(),
            leaderboard: models.to_vec(),
            stats: standings::rows(models),
            recent: standings
                .map(|standings| standings.debates.iter().take(RECENT).cloned().collect())
                .unwrap_or_default(),
            counts: standings.map(|standings| standings.counts.clone()),
            notes: NOTES,
            missing: self.missing.clone(),
        }
    }
}
