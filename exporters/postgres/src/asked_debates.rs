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
    DebateOptions, Debates, Ranking, Rounds,
    ask::{Asked, Sample},
    debates, failure,
    session::Session,
    standing::{self, Standing, TABLES},
};

/// Counting all rows of the debates may take this part of the server's time: one in so many.
const FINGERPRINT_SHARE: u32 = 50;

/// But a new debate is to be seen within two seconds: with a sample each second it is looked for at each second one
/// at least.
const LONGEST_FINGERPRINT_PAUSE: Duration = Duration::from_millis(900);

/// Where triggers announce what changes, they may still be silent about some of it.
const LONGEST_PAUSE_WITH_TRIGGERS: Duration = Duration::from_secs(10);

/// What may be said of each table.
type Standings = [Standing; 3];

/// Those that are read.
fn those_read(standings: &Standings) -> Vec<(&'static str, &Standing)> {
    TABLES.into_iter().zip(standings).filter(|(_, standing)| standing.is_read()).collect()
}

/// The queries about debates and what they last said.
pub(crate) struct AskedDebates {
    options: DebateOptions,
    standings: Asked<Standings>,
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
    pub(crate) fn new(slow: Duration, options: &DebateOptions) -> Self {
        Self {
            options: options.clone(),
            standings: Asked::new("debates", Duration::ZERO),
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
        self.standings.forget();
        self.channels.forget();
        self.listens = false;
        self.fingerprint.forget();
        self.read_fingerprint = None;
        self.debates.forget();
        self.rankings.forget();
        self.rounds.forget();
    }

    /// Asks which tables there are, and whether debates have changed: in those of the sample before, so that all goes
    /// out with the other queries.
    pub(crate) async fn ask_first(&mut self, sample: &Sample<'_>, version: u32, before: Option<&Standings>) {
        let Self { options, standings, fingerprint, listens, .. } = self;
        tokio::join!(standings.ask(sample, || standing::sql(options), standing::read), async {
            let Some(before) = before.filter(|before| before[0].is_read() && fingerprint.is_due(sample.now)) else {
                return;
            };
            let began = Instant::now();
            let tables = those_read(before);
            let guard = standing::guard(options, version, &tables);
            let names: Vec<&str> = tables.iter().map(|(name, _)| *name).collect();
            let sql = || debates::fingerprint_sql(options, &names);
            fingerprint.ask_behind(sample, Some(&guard), sql, debates::read_fingerprint).await;
            if fingerprint.value().is_some() {
                let longest = if *listens { LONGEST_PAUSE_WITH_TRIGGERS } else { LONGEST_FINGERPRINT_PAUSE };
                let pause = (began.elapsed() * FINGERPRINT_SHARE).min(longest);
                fingerprint.set_due(Some(sample.now + pause));
            }
        });
    }

    /// Which tables there are, when that is known.
    pub(crate) fn standings(&self) -> Option<&Arc<Standings>> {
        self.standings.value()
    }

    /// Asks for what has changed. The fingerprint was asked for the tables of the sample before: where one has come or
    /// gone since, it failed, or says nothing of the new one.
    pub(crate) async fn ask(
        &mut self,
        sample: &Sample<'_>,
        version: u32,
        before: Option<&Standings>,
        database: &str,
        notified: &AtomicBool,
    ) {
        let Some(now) = self.standings.value().cloned() else {
            if let Some(missing) = self.standings.answer().missing().cloned() {
                self.miss(missing, sample);
            }
            return;
        };
        if before != Some(&*now) {
            self.fingerprint.set_due(None);
        }
        if !now[0].is_read() {
            let missing = self.not_read(&now, 0, database, "an installation that never held one has none");
            self.miss(missing, sample);
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
        let no_rankings = self.not_read(&now, 1, database, "models are ranked by their debates alone");
        let no_rounds = self.not_read(&now, 2, database, "failed debates cannot be told from others");
        let options = &self.options;
        let names: Vec<&str> = those_read(&now).iter().map(|(name, _)| *name).collect();
        let channels = debates::channels_sql(options, &names);
        let guard = |index: usize| standing::guard(options, version, &[(TABLES[index], &now[index])]);
        let guards = [guard(0), guard(1), guard(2)];
        tokio::join!(
            listen(&mut self.channels, &mut self.listens, sample, channels, notified),
            self.debates.ask_behind(sample, Some(&guards[0]), || debates::debates_sql(options), debates::read),
            async {
                if now[1].is_read() {
                    let sql = || debates::rankings_sql(options);
                    self.rankings.ask_behind(sample, Some(&guards[1]), sql, debates::read_rankings).await;
                } else {
                    self.rankings.miss(no_rankings, sample.server);
                }
            },
            async {
                if now[2].is_read() {
                    let sql = || debates::rounds_sql(options);
                    self.rounds.ask_behind(sample, Some(&guards[2]), sql, debates::read_rounds).await;
                } else {
                    self.rounds.miss(no_rounds, sample.server);
                }
            },
        );
    }

    /// Why a table is not read, and what follows if it is not there.
    fn not_read(&self, standings: &Standings, index: usize, database: &str, absent: &str) -> Missing {
        let (table, schema) = (TABLES[index], &self.options.schema);
        match &standings[index] {
            Standing::Refused { why, owner } => {
                let detail = format!(
                    "{table}: {schema}.{table} {why}: its code would run with our rights; if {owner}, who owns it, is \
                     trusted, add {owner:?} to sources.postgres.debates.trusted_owners"
                );
                Missing::new(Reason::NotConfigured, detail)
            }
            _ => {
                let detail = format!(
                    "{table}: database {database} has no table {table} in schema {schema}: {absent}; \
                     sources.postgres.debates.schema names another schema"
                );
                Missing::new(Reason::NoTable, detail)
            }
        }
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
    sql: String,
    notified: &AtomicBool,
) {
    if sample.session == Session::Shared || !channels.is_due(sample.now) {
        return;
    }
    let known = channels.value().map(|channels| channels.names.clone()).unwrap_or_default();
    channels.ask(sample, || sql, debates::read_channels).await;
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
