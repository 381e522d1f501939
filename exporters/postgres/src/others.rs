//! Tables of other databases than the one that we are connected to. PostgreSQL shows a database's tables only to those
//! who are connected to it, so each has a connection, a task and a deadline of its own: none waits for another.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicBool},
    time::{Duration, Instant},
};

use aura_model::{Backoff, Missing, Reason, Section};
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::{
    Database, Index, PostgresOptions, Table, TableSizes,
    ask::{Asked, Sample},
    connection::{Connection, drive, is_timeout},
    indexes,
    options::OtherDatabases,
    query::Columns,
    session::{Limits, Session},
    tables,
    target::Target,
};

/// Who does not answer is asked less and less often, down to this.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// The tables of one more database.
#[derive(Clone, Debug, Serialize)]
pub struct OtherDatabase {
    /// As in `pg_database.datname`.
    pub name: String,
    /// Its tables, or why they are not there.
    pub tables: Section<Arc<DatabaseTables>>,
}

/// What a database says of its tables.
#[derive(Debug, Serialize)]
pub struct DatabaseTables {
    /// When it was asked, Unix seconds.
    pub read_at: f64,
    /// Counters of each table.
    pub tables: Section<Arc<Vec<Table>>>,
    /// Sizes of tables.
    pub table_sizes: Section<Arc<TableSizes>>,
    /// Counters of each index; none unless they are asked for.
    pub indexes: Option<Section<Arc<Vec<Index>>>>,
}

/// The databases that are watched beside the main one.
pub(crate) struct Others {
    target: Target,
    options: PostgresOptions,
    stale_after: Duration,
    watched: BTreeMap<String, Watched>,
    left_out: Option<Missing>,
}

type Latest = Arc<Mutex<Section<Arc<DatabaseTables>>>>;

struct Watched {
    latest: Latest,
    task: JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Others {
    pub(crate) fn new(target: &Target, options: &PostgresOptions, stale_after: Duration) -> Self {
        let (target, options) = (target.clone(), options.clone());
        Self { target, options, stale_after, watched: BTreeMap::new(), left_out: None }
    }

    /// Starts to watch the databases that are wanted and exist, and stops with those that are gone.
    pub(crate) fn follow(&mut self, databases: &[Database], connected: &str, version: u32) {
        let wanted = wanted(&self.options.tables.databases, databases, connected);
        self.watched.retain(|name, _| wanted.contains(&name.as_str()));
        let most = self.options.tables.max_databases as usize;
        let room = most.saturating_sub(self.watched.len());
        let new: Vec<String> = wanted
            .iter()
            .filter(|name| !self.watched.contains_key(**name))
            .take(room)
            .map(|name| (*name).to_owned())
            .collect();
        for name in new {
            let detail = format!("tables of {name}: not asked yet");
            let latest: Latest = Arc::new(Mutex::new(Section::off(Reason::NotConfigured, detail)));
            let target = self.target.with_database(&name);
            let asking = Asking::new(target, &self.options, name.clone(), version, self.stale_after);
            let task = tokio::spawn(asking.run(Arc::clone(&latest)));
            self.watched.insert(name, Watched { latest, task });
        }
        let left = wanted.len() - self.watched.len();
        self.left_out = (left > 0).then(|| {
            let detail = format!("tables of {left} more databases: raise tables.max_databases ({most})");
            Missing::new(Reason::NotConfigured, detail)
        });
    }

    /// Why some are not watched, if so.
    pub(crate) fn left_out(&self) -> Option<Missing> {
        self.left_out.clone()
    }

    /// The newest that each has said.
    pub(crate) fn newest(&self) -> Vec<OtherDatabase> {
        let each = self.watched.iter().map(|(name, watched)| {
            let tables = watched.latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
            OtherDatabase { name: name.clone(), tables }
        });
        each.collect()
    }
}

/// Names of the databases that are wanted, in their order; one that is named and does not exist is among them, so that
/// the server's own words say so.
fn wanted<'a>(choice: &'a OtherDatabases, databases: &'a [Database], connected: &str) -> Vec<&'a str> {
    let mut names: Vec<&str> = match choice {
        OtherDatabases::All(_) => databases
            .iter()
            .filter(|database| database.allows_connections && !database.template)
            .map(|database| database.name.as_str())
            .collect(),
        OtherDatabases::Named(names) => names.iter().map(String::as_str).collect(),
    };
    let mut seen = BTreeSet::from([connected]);
    names.retain(|name| seen.insert(name));
    names
}

/// One database, its connection and its queries.
struct Asking {
    target: Target,
    limits: Limits,
    name: String,
    version: u32,
    interval: Duration,
    limit: u32,
    with_indexes: bool,
    stale_after: Duration,
    connection: Option<Connection>,
    session: Session,
    begin: String,
    raw: AtomicBool,
    tables: Asked<Vec<Table>>,
    table_sizes: Asked<TableSizes>,
    indexes: Asked<Vec<Index>>,
}

impl Asking {
    fn new(target: Target, options: &PostgresOptions, name: String, version: u32, stale_after: Duration) -> Self {
        Self {
            target,
            limits: Limits::of_others(options),
            name,
            version,
            interval: options.tables.interval.get(),
            limit: options.tables.limit,
            with_indexes: options.tables.indexes,
            stale_after,
            connection: None,
            session: Session::Own,
            begin: Limits::of_others(options).begin(),
            raw: AtomicBool::new(false),
            tables: Asked::new("stat_user_tables", Duration::ZERO),
            table_sizes: Asked::new("table_sizes", options.slow_interval.get()),
            indexes: Asked::new("stat_user_indexes", Duration::ZERO),
        }
    }

    async fn run(mut self, latest: Latest) {
        let mut backoff = Backoff::new(self.interval * 2, LONGEST_WAIT.max(self.interval));
        loop {
            let answer = self.ask().await;
            let wait = if answer.is_ok() {
                backoff.reset();
                self.interval
            } else {
                backoff.wait()
            };
            let section = match answer {
                Ok(tables) => Section::Fresh(Arc::new(tables)),
                Err(missing) if is_timeout(&missing) && self.is_recent(&latest) => {
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Err(missing) => Section::Off { missing },
            };
            let before =
                std::mem::replace(&mut *latest.lock().unwrap_or_else(PoisonError::into_inner), section.clone());
            if let Some(missing) = section.missing()
                && before.missing() != Some(missing)
            {
                let server = &*self.target.name;
                tracing::warn!(source = "postgres", server, "tables of {} are not read: {missing}", self.name);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Whether what was last read is worth showing while there is no answer.
    fn is_recent(&self, latest: &Latest) -> bool {
        let limit = self.stale_after.max(self.interval * 3).as_secs_f64();
        let latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.value().is_some_and(|tables| (0.0..=limit).contains(&(crate::unix_now() - tables.read_at)))
    }

    async fn ask(&mut self) -> Result<DatabaseTables, Missing> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.tables.forget();
                self.table_sizes.forget();
                self.indexes.forget();
                self.raw = AtomicBool::new(false);
                Box::pin(Connection::open(&self.target, &self.limits)).await?
            }
        };
        if connection.session == Session::Shared {
            self.session = Session::Shared;
        }
        let (over, pooled) = (OnceLock::new(), OnceLock::new());
        let sample = Sample {
            client: &connection.client,
            now: Instant::now(),
            user: self.target.user(),
            server: &self.target.name,
            over: &over,
            session: self.session,
            begin: &self.begin,
            raw: &self.raw,
            pooled: &pooled,
            stale_after: self.stale_after,
        };
        let (version, limit, with_indexes) = (self.version, self.limit, self.with_indexes);
        let (known, known_sizes, known_indexes) =
            (self.tables.value().cloned(), self.table_sizes.value().cloned(), self.indexes.value().cloned());
        let (asked_tables, asked_sizes, asked_indexes) = (&mut self.tables, &mut self.table_sizes, &mut self.indexes);
        let work = async {
            tokio::join!(
                asked_tables.ask(&sample, || tables::sql(version, limit, known.as_deref()), Table::all),
                async {
                    let sql = || tables::sizes_sql(version, limit, known_sizes.as_deref());
                    asked_sizes.ask(&sample, sql, tables::read_sizes).await;
                },
                async {
                    if with_indexes {
                        asked_indexes.ask(&sample, || indexes::sql(limit, known_indexes.as_deref()), Index::all).await;
                    }
                },
            );
        };
        // Each may meet a lock and be asked twice.
        let timeout = self.limits.timeout(6);
        let asked = drive(&mut connection.driver, timeout, Box::pin(work)).await;
        if pooled.get().is_some() {
            self.session = Session::Shared;
        }
        let named = |missing: Missing| Missing::new(missing.reason, format!("{}: {}", self.name, missing.detail));
        asked.and(over.into_inner().map_or(Ok(()), Err)).map_err(named)?;
        self.connection = Some(connection);
        Ok(DatabaseTables {
            read_at: crate::unix_now(),
            tables: self.tables.answer(),
            table_sizes: self.table_sizes.answer(),
            indexes: with_indexes.then(|| self.indexes.answer()),
        })
    }
}
