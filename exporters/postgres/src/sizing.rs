//! Sizes, on a connection of their own: for the size of a database the server looks at every file of it, which takes
//! seconds where there are many. Nothing waits for them, and they take a twentieth of the server's time at most: one
//! database is asked after the other, those first that were asked longest ago, until the time of a round is used up.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicBool},
    time::{Duration, Instant},
};

use aura_model::{GroupHealth, Missing, Reason, Section, Switch};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_postgres::{Client, Error, error::SqlState};

use crate::{
    DatabaseSize, DatabaseSizes, Listed, PostgresOptions, TableSizes,
    ask::{Asked, Sample},
    connection::{Connection, drive},
    failure,
    failure::quoted,
    query::Columns,
    session::{Limits, Session},
    sizes,
    tables::{self, some_of},
    target::Target,
};

/// One in so many seconds of the server's time.
const SHARE: u32 = 20;

/// A round takes at least so long, however short the interval.
const SHORTEST_ROUND: Duration = Duration::from_millis(100);

/// A size that cannot be read again is shown for so many intervals.
const KEPT_INTERVALS: u32 = 10;

/// The first sample waits so long for the first sizes.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What is known of sizes, and the task that reads them. It ends when this is dropped.
pub(crate) struct Sizing {
    latest: Latest,
    first: Option<oneshot::Receiver<()>>,
    task: JoinHandle<()>,
}

/// What was last read.
#[derive(Clone)]
pub(crate) struct Read {
    pub databases: Section<Arc<DatabaseSizes>>,
    pub tables: Section<Arc<TableSizes>>,
    pub health: Vec<GroupHealth>,
}

type Latest = Arc<Mutex<Read>>;

impl Drop for Sizing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sizing {
    /// Begins to read the sizes of a server of this version.
    pub(crate) fn start(target: &Target, options: &PostgresOptions, version: u32, stale_after: Duration) -> Self {
        let latest = Arc::new(Mutex::new(Read::nothing()));
        let (done, first) = oneshot::channel();
        let task = tokio::spawn(Measuring::new(target, options, version, stale_after).run(Arc::clone(&latest), done));
        Self { latest, first: Some(first), task }
    }

    /// Waits a moment for the first sizes, once.
    pub(crate) async fn first(&mut self) {
        if let Some(first) = self.first.take() {
            let _ = tokio::time::timeout(FIRST_WAIT, first).await;
        }
    }

    pub(crate) fn newest(&self) -> Read {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Read {
    pub(crate) fn nothing() -> Self {
        Self { databases: not_yet("database"), tables: not_yet("table_sizes"), health: Vec::new() }
    }
}

/// Nothing was read yet.
pub(crate) fn not_yet<T>(what: &str) -> Section<T> {
    Section::off(Reason::NotConfigured, format!("{what}: not asked yet"))
}

/// A database and what is known of its size.
#[derive(Default)]
struct Known {
    name: String,
    allowed: bool,
    asked: Option<Instant>,
    /// Bytes, when they were read, and the same in Unix seconds.
    size: Option<(i64, Instant, f64)>,
    /// Why it could not be read when it was last tried.
    failed: Option<String>,
}

struct Measuring {
    target: Target,
    limits: Limits,
    version: u32,
    every: Duration,
    with_tables: bool,
    limit: u32,
    stale_after: Duration,
    begin: String,
    raw: AtomicBool,
    connection: Option<Connection>,
    listed: Asked<Vec<Listed>>,
    databases: BTreeMap<i64, Known>,
    took: Duration,
    tables: Asked<TableSizes>,
    /// Why the last round ended early.
    missing: Option<Missing>,
    /// What was last said in the log.
    said: Option<Missing>,
}

impl Measuring {
    fn new(target: &Target, options: &PostgresOptions, version: u32, stale_after: Duration) -> Self {
        Self {
            target: target.clone(),
            limits: Limits::of_others(options),
            version,
            every: options.slow_interval.get(),
            with_tables: options.tables.enabled != Switch::Off,
            limit: options.tables.limit,
            stale_after,
            begin: Limits::of_others(options).begin(),
            raw: AtomicBool::new(false),
            connection: None,
            listed: Asked::new("database", Duration::ZERO),
            databases: BTreeMap::new(),
            took: Duration::ZERO,
            tables: Asked::new("table_sizes", options.slow_interval.get()),
            missing: None,
            said: None,
        }
    }

    async fn run(mut self, latest: Latest, done: oneshot::Sender<()>) {
        let mut done = Some(done);
        loop {
            let began = Instant::now();
            self.missing = self.round(&latest, began).await.err();
            self.publish(&latest);
            if let Some(done) = done.take() {
                let _ = done.send(());
            }
            let wait = self.every.max(began.elapsed() * SHARE);
            if wait > self.limits.timeout(1) {
                // A process of the server that only waits helps nobody.
                self.connection = None;
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Asks for what the time allows.
    async fn round(&mut self, latest: &Latest, began: Instant) -> Result<(), Missing> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.raw = AtomicBool::new(false);
                self.listed.forget();
                Box::pin(Connection::open(&self.target, &self.limits)).await?
            }
        };
        self.ask_lists(&mut connection).await?;
        let databases_began = Instant::now();
        let round = (self.every / SHARE).max(SHORTEST_ROUND);
        let mut shown = Instant::now();
        for id in self.in_turn() {
            if began.elapsed() > round {
                break;
            }
            let (over, pooled) = (OnceLock::new(), OnceLock::new());
            let sql = sizes::database_sql(id);
            let Connection { client, driver, session, .. } = &mut connection;
            let sample = self.sample(client, *session, &over, &pooled);
            let answer = drive(driver, self.limits.timeout(1), sample.query(&sql)).await?;
            self.note(id, answer.and_then(|rows| rows.first().map_or(Ok(None), |row| row.try_get(0))))?;
            if shown.elapsed() > SHORTEST_ROUND {
                self.publish(latest);
                shown = Instant::now();
            }
        }
        self.took = databases_began.elapsed();
        self.connection = Some(connection);
        Ok(())
    }

    /// Asks for the sizes of tables, and which databases there are.
    async fn ask_lists(&mut self, connection: &mut Connection) -> Result<(), Missing> {
        let (over, pooled) = (OnceLock::new(), OnceLock::new());
        let Connection { client, driver, session, .. } = connection;
        let (mut tables, mut listed) = (
            std::mem::replace(&mut self.tables, Asked::new("table_sizes", self.every)),
            std::mem::replace(&mut self.listed, Asked::new("database", Duration::ZERO)),
        );
        let sample = self.sample(client, *session, &over, &pooled);
        let (version, limit, before) = (self.version, self.limit, tables.value().cloned());
        tables.set_due(None);
        let work = async {
            if self.with_tables {
                let sql = || tables::sizes_sql(version, limit, before.as_deref());
                tables.ask(&sample, sql, tables::read_sizes).await;
            }
            listed.ask(&sample, sizes::databases_sql, Listed::all).await;
        };
        // What meets a lock is asked twice.
        let asked = drive(driver, self.limits.timeout(3), work).await;
        (self.tables, self.listed) = (tables, listed);
        asked.and(over.into_inner().map_or(Ok(()), Err))?;
        let listed = self.listed.answer();
        match listed.missing() {
            Some(missing) => return Err(missing.clone()),
            None => self.list(listed.value().map_or(&[], |listed| &listed[..])),
        }
        Ok(())
    }

    fn sample<'a>(
        &'a self,
        client: &'a Client,
        session: Session,
        over: &'a OnceLock<Missing>,
        pooled: &'a OnceLock<()>,
    ) -> Sample<'a> {
        Sample {
            client,
            now: Instant::now(),
            user: self.target.user(),
            server: &self.target.name,
            over,
            session,
            begin: &self.begin,
            raw: &self.raw,
            pooled,
            stale_after: self.stale_after,
        }
    }

    /// Takes in which databases there are.
    fn list(&mut self, listed: &[Listed]) {
        self.databases.retain(|id, _| listed.iter().any(|one| one.id == *id));
        for Listed { id, name, allowed } in listed {
            let known = self.databases.entry(*id).or_default();
            known.name.clone_from(name);
            known.allowed = *allowed;
        }
    }

    /// The databases that we may ask for, longest not asked first.
    fn in_turn(&self) -> Vec<i64> {
        let allowed = self.databases.iter().filter(|(_, known)| known.allowed);
        let mut turns: Vec<(Option<Instant>, i64)> = allowed.map(|(id, known)| (known.asked, *id)).collect();
        turns.sort_unstable();
        turns.into_iter().map(|(_, id)| id).collect()
    }

    /// Takes in a size, or why there is none; an error means that the connection is over.
    fn note(&mut self, id: i64, answer: Result<Option<i64>, Error>) -> Result<(), Missing> {
        let Some(known) = self.databases.get_mut(&id) else { return Ok(()) };
        let now = Instant::now();
        known.asked = Some(now);
        known.failed = None;
        match answer {
            Ok(bytes) => known.size = bytes.map(|bytes| (bytes, now, crate::unix_now())),
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_DATABASE) => drop(self.databases.remove(&id)),
            Err(error) => {
                let missing = failure::asking(&error, "database", self.target.user());
                if failure::ends_connection(&error) {
                    return Err(missing);
                }
                known.failed = Some(missing.detail);
            }
        }
        Ok(())
    }

    fn publish(&mut self, latest: &Latest) {
        let now = Instant::now();
        let longest = self.every * KEPT_INTERVALS;
        let each = self.databases.values().map(|known| {
            let tried = known.failed.is_some() || self.missing.is_some();
            let size = known.size.filter(|(_, read, _)| known.allowed && !(tried && now - *read > longest));
            let read_at = size.map_or(0.0, |(_, _, at)| at);
            DatabaseSize { name: known.name.clone(), bytes: size.map(|(bytes, ..)| bytes), read_at }
        });
        let databases: Vec<DatabaseSize> = each.collect();
        let without = self.without();
        if without != self.said {
            if let Some(missing) = &without {
                tracing::info!(source = "postgres", server = &*self.target.name, "not read: {missing}");
            }
            self.said.clone_from(&without);
        }
        let success = without.as_ref().is_none_or(|missing| missing.reason == Reason::NoPermission);
        let mut health = vec![GroupHealth { group: "database", duration: self.took, success }];
        if self.with_tables {
            health.push(self.tables.health());
        }
        let databases = match &self.missing {
            Some(missing) if databases.iter().all(|one| one.bytes.is_none()) => {
                Section::Off { missing: missing.clone() }
            }
            _ => Section::Fresh(Arc::new(DatabaseSizes { databases, without })),
        };
        let tables = match &self.missing {
            Some(missing) if self.with_tables => Section::Off { missing: missing.clone() },
            _ => self.tables.answer(),
        };
        *latest.lock().unwrap_or_else(PoisonError::into_inner) = Read { databases, tables, health };
    }

    /// Why sizes are missing or old.
    fn without(&self) -> Option<Missing> {
        if let Some(missing) = &self.missing {
            return Some(missing.clone());
        }
        let of = |wanted: fn(&Known) -> bool| -> Vec<String> {
            self.databases.values().filter(|known| wanted(known)).map(|known| quoted(&known.name)).collect()
        };
        let failed = of(|known| known.allowed && known.failed.is_some());
        if let Some(why) = self.databases.values().find_map(|known| known.failed.as_ref()) {
            return Some(Missing::new(Reason::Unreadable, format!("{why} (size of {})", some_of(&failed))));
        }
        let closed = of(|known| !known.allowed);
        (!closed.is_empty()).then(|| {
            let (names, user) = (some_of(&closed), quoted(self.target.user()));
            let detail = format!("database: not the size of {names}; run: GRANT pg_monitor TO {user};");
            Missing::new(Reason::NoPermission, detail)
        })
    }
}
