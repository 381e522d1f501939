//! The debates of a server: read anew when they have changed, which triggers announce or a fingerprint shows.

mod access;
mod changes;
mod rows;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aura_model::{Missing, Reason, Section};

pub(crate) use self::access::TABLES;
pub use self::rows::{Debate, Debates, MOST_DEBATES, Ranking, Rounds};
use self::{
    access::Access,
    changes::{Channels, channels_sql, fingerprint_sql, listen, read_fingerprint},
};
use crate::{
    DebateOptions, PostgresOptions,
    ask::{Asked, Sample},
    query::Columns,
};

/// Counting all rows of the debates may take this part of the server's time: one in so many.
const FINGERPRINT_SHARE: u32 = 50;

/// But a new debate is to be seen within two seconds: with a sample each second it is looked for at each second one
/// at least.
const LONGEST_FINGERPRINT_INTERVAL: Duration = Duration::from_millis(900);

/// Where triggers announce what changes, they may still be silent about some of it.
const LONGEST_INTERVAL_WITH_TRIGGERS: Duration = Duration::from_secs(10);

/// Whether each table is read.
type Tables = [Access; 3];

/// Those that are read.
fn those_read(tables: &Tables) -> Vec<(&'static str, &Access)> {
    TABLES.into_iter().zip(tables).filter(|(_, access)| access.is_read()).collect()
}

/// The queries about debates and what they last said.
pub(crate) struct AskedDebates {
    options: DebateOptions,
    tables: Asked<Tables>,
    channels: Asked<Channels>,
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
    pub(crate) fn new(options: &PostgresOptions) -> Self {
        let slow = options.slow_interval.get();
        Self {
            options: options.debates.clone(),
            tables: Asked::new("debates", Duration::ZERO),
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
        self.tables.forget();
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
    pub(crate) async fn ask_first(&mut self, sample: &Sample<'_>, version: u32, before: Option<&Tables>) {
        let Self { options, tables, fingerprint, listens, .. } = self;
        tokio::join!(tables.ask(sample, || access::sql(options), access::read), async {
            let Some(before) = before.filter(|before| before[0].is_read() && fingerprint.is_due(sample.now)) else {
                return;
            };
            let began = Instant::now();
            let tables = those_read(before);
            let guard = access::guard(options, version, &tables);
            let names: Vec<&str> = tables.iter().map(|(name, _)| *name).collect();
            let sql = || fingerprint_sql(options, &names);
            fingerprint.ask_behind(sample, Some(&guard), sql, read_fingerprint).await;
            if fingerprint.value().is_some() {
                let longest = if *listens { LONGEST_INTERVAL_WITH_TRIGGERS } else { LONGEST_FINGERPRINT_INTERVAL };
                let wait = (began.elapsed() * FINGERPRINT_SHARE).min(longest);
                fingerprint.set_due(Some(sample.now + wait));
            }
        });
    }

    /// Which tables there are, when that is known.
    pub(crate) fn tables(&self) -> Option<&Arc<Tables>> {
        self.tables.value()
    }

    /// Asks for what has changed. The fingerprint was asked for the tables of the sample before: where one has come or
    /// gone since, it failed, or says nothing of the new one.
    pub(crate) async fn ask(
        &mut self,
        sample: &Sample<'_>,
        version: u32,
        before: Option<&Tables>,
        database: &str,
        notified: &AtomicBool,
    ) {
        let Some(now) = self.tables.value().cloned() else {
            if let Some(missing) = self.tables.answer().missing().cloned() {
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
        let channels = channels_sql(options, &names);
        let guard = |index: usize| access::guard(options, version, &[(TABLES[index], &now[index])]);
        let guards = [guard(0), guard(1), guard(2)];
        tokio::join!(
            listen(&mut self.channels, &mut self.listens, sample, channels, notified),
            self.debates.ask_behind(sample, Some(&guards[0]), || rows::debates_sql(options), rows::read),
            async {
                if now[1].is_read() {
                    let sql = || rows::rankings_sql(options);
                    self.rankings.ask_behind(sample, Some(&guards[1]), sql, Ranking::all).await;
                } else {
                    self.rankings.miss(no_rankings, sample.server);
                }
            },
            async {
                if now[2].is_read() {
                    let sql = || rows::rounds_sql(options);
                    self.rounds.ask_behind(sample, Some(&guards[2]), sql, Rounds::all).await;
                } else {
                    self.rounds.miss(no_rounds, sample.server);
                }
            },
        );
    }

    /// Why a table is not read, and what follows if it is not there.
    fn not_read(&self, tables: &Tables, index: usize, database: &str, absent: &str) -> Missing {
        let (table, schema) = (TABLES[index], &self.options.schema);
        match &tables[index] {
            Access::Refused { why, owner } => {
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
