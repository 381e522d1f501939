//! The debates of a server: read anew when they have changed, which triggers announce or a fingerprint shows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aura_model::{Missing, Reason, Section};

use crate::{
    Cluster, Debates, Ranking, Rounds,
    ask::{Asked, Sample},
    debates, failure,
};

/// Counting all rows of the debates may take this part of the server's time: one in so many.
const FINGERPRINT_SHARE: u32 = 50;

/// But a new debate is to be seen within two seconds: with a sample each second it is looked for at each second one
/// at least.
const LONGEST_FINGERPRINT_PAUSE: Duration = Duration::from_millis(900);

/// Where triggers announce what changes, they may still be silent about some of it.
const LONGEST_PAUSE_WITH_TRIGGERS: Duration = Duration::from_secs(10);

/// The queries about debates and what they last said.
pub(crate) struct AskedDebates {
    channels: Asked<debates::Channels>,
    /// Triggers announce every change of the debates, and we hear them.
    listens: bool,
    fingerprint: Asked<String>,
    read_fingerprint: Option<Arc<String>>,
    debates: Asked<Debates>,
    rankings: Asked<Vec<Ranking>>,
    rounds: Asked<Vec<Rounds>>,
}

impl AskedDebates {
    /// What has not changed is read again after so long.
    pub(crate) fn new(slow: Duration) -> Self {
        Self {
            channels: Asked::new("channels", slow),
            listens: false,
            fingerprint: Asked::new("debates", Duration::ZERO),
            read_fingerprint: None,
            debates: Asked::new("debates", slow),
            rankings: Asked::new("model_rankings", slow),
            rounds: Asked::new("debate_rounds", slow),
        }
    }

    /// A new connection: nothing that was known holds.
    pub(crate) fn forget(&mut self) {
        self.channels.forget();
        self.listens = false;
        self.fingerprint.forget();
        self.read_fingerprint = None;
        self.debates.forget();
        self.rankings.forget();
        self.rounds.forget();
    }

    /// Asks whether debates have changed. Which tables there are is known from the sample before, so that this goes out
    /// with all other queries.
    pub(crate) async fn ask_fingerprint(&mut self, sample: &Sample<'_>, before: &Cluster) {
        if !before.has_debates || !self.fingerprint.is_due(sample.now) {
            return;
        }
        let began = Instant::now();
        self.fingerprint.ask(sample, || debates::fingerprint_sql(before), debates::read_fingerprint).await;
        if self.fingerprint.value().is_some() {
            let longest = if self.listens { LONGEST_PAUSE_WITH_TRIGGERS } else { LONGEST_FINGERPRINT_PAUSE };
            let pause = (began.elapsed() * FINGERPRINT_SHARE).min(longest);
            self.fingerprint.set_due(Some(sample.now + pause));
        }
    }

    /// Asks for what has changed. The fingerprint was asked for the tables of the sample before: where one has come or
    /// gone since, it failed, or says nothing of the new one.
    pub(crate) async fn ask(
        &mut self,
        sample: &Sample<'_>,
        before: Option<&Cluster>,
        now: &Cluster,
        notified: &AtomicBool,
    ) {
        let tables = |cluster: &Cluster| (cluster.has_debates, cluster.has_rankings, cluster.has_rounds);
        if before.map(tables) != Some(tables(now)) {
            self.fingerprint.set_due(None);
        }
        if !now.has_debates {
            let database = &now.database;
            let detail = format!(
                "debates: database {database} has no table debates; an installation that never held one has none"
            );
            self.miss(Missing::new(Reason::NoTable, detail), sample);
            return;
        }
        let newest = self.fingerprint.value().cloned();
        // What was announced came with the answers before this.
        let announced = notified.swap(false, Ordering::Relaxed);
        if announced || (newest.is_some() && newest != self.read_fingerprint) {
            self.debates.set_due(None);
            self.rankings.set_due(None);
            self.rounds.set_due(None);
            self.read_fingerprint = newest;
        }
        tokio::join!(
            listen(&mut self.channels, &mut self.listens, sample, now, notified),
            self.debates.ask(sample, debates::debates_sql, debates::read),
            async {
                if now.has_rankings {
                    self.rankings.ask(sample, debates::rankings_sql, debates::read_rankings).await;
                } else {
                    let detail = "model_rankings: there is no such table: models are ranked by their debates alone";
                    self.rankings.miss(Missing::new(Reason::NoTable, detail), sample.server);
                }
            },
            async {
                if now.has_rounds {
                    self.rounds.ask(sample, debates::rounds_sql, debates::read_rounds).await;
                } else {
                    let detail = "debate_rounds: there is no such table: failed debates cannot be told from others";
                    self.rounds.miss(Missing::new(Reason::NoTable, detail), sample.server);
                }
            },
        );
    }

    /// There are no debates to read, and why.
    pub(crate) fn miss(&mut self, missing: Missing, sample: &Sample<'_>) {
        self.debates.miss(missing, sample.server);
        self.debates.set_due(None);
        self.read_fingerprint = None;
    }

    pub(crate) fn debates(&self) -> Section<Arc<Debates>> {
        self.debates.answer()
    }

    pub(crate) fn rankings(&self) -> Section<Arc<Vec<Ranking>>> {
        self.rankings.answer()
    }

    pub(crate) fn rounds(&self) -> Section<Arc<Vec<Rounds>>> {
        self.rounds.answer()
    }
}

/// Behind a pooler the session that listens is not ours for long, so there nobody does.
async fn listen(
    channels: &mut Asked<debates::Channels>,
    listens: &mut bool,
    sample: &Sample<'_>,
    cluster: &Cluster,
    notified: &AtomicBool,
) {
    if !sample.prepares || !channels.is_due(sample.now) {
        return;
    }
    let known = channels.value().map(|channels| channels.names.clone()).unwrap_or_default();
    channels.ask(sample, || debates::channels_sql(cluster), debates::read_channels).await;
    let Some(found) = channels.value() else { return };
    let mut heard = true;
    for name in found.names.iter().filter(|name| !known.contains(name)) {
        let listened = sample.client.query_typed(&format!("LISTEN {}", failure::quoted(name)), &[]).await;
        heard &= listened.is_ok();
        // What changed since the debates were read was announced to nobody.
        notified.store(true, Ordering::Relaxed);
    }
    *listens = heard && found.complete;
}
