//! One query of a sample: when it is due, what it last said, and what went wrong with it. A query that fails costs
//! only its own part of the reading.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aura_model::{GroupHealth, Missing, Reason, Section, Stopwatch};
use tokio_postgres::{Client, Error, Row, Statement, error::SqlState};

use crate::{
    PostgresOptions, failure,
    query::{Ask, Known, Query},
    session::Session,
};

/// A query that will fail again is not repeated each second: the server would log each failure.
const RETRY_REFUSED_AFTER: Duration = Duration::from_secs(60);

/// What all queries of a sample share.
pub(crate) struct Sample<'a> {
    pub client: &'a Client,
    pub now: Instant,
    pub user: &'a str,
    pub server: &'a str,
    /// Why the connection is over, if a query found out.
    pub over: &'a OnceLock<Missing>,
    pub session: Session,
    /// What begins a transaction in a session that is not ours alone.
    pub begin: &'a str,
    /// The server cannot make UTF-8 of all that it has: it is asked for the bytes as they are.
    pub raw: &'a AtomicBool,
    /// Set when a prepared query is gone: a pooler gave us another session.
    pub pooled: &'a OnceLock<()>,
    /// So long an answer is shown that no newer one follows, unless it is seldom asked for.
    pub stale_after: Duration,
}

impl Sample<'_> {
    /// Asks what has no text in its answer and is not asked often.
    pub(crate) async fn query(&self, sql: &str) -> Result<Vec<Row>, Error> {
        match self.session {
            Session::Shared => in_transaction(self, "", sql).await,
            Session::Own => self.client.query_typed(sql, &[]).await,
        }
    }
}

/// Text comes as the bytes that the server has.
const RAW: &str = "client_encoding = 'SQL_ASCII'";

/// Asks in a transaction of its own that begins with these statements; if one of them fails, nothing is asked. All
/// goes out at once: no other query can come between, and it takes one round trip.
async fn in_transaction(sample: &Sample<'_>, first: &str, sql: &str) -> Result<Vec<Row>, Error> {
    let raw = sample.session == Session::Shared && sample.raw.load(Ordering::Relaxed);
    let raw = if raw { format!("SET LOCAL {RAW}; ") } else { String::new() };
    let first = format!("{}{raw}{first}", sample.begin);
    let (begun, rows, ended) = tokio::join!(
        biased;
        sample.client.batch_execute(&first),
        sample.client.query_typed(sql, &[]),
        sample.client.batch_execute("COMMIT"),
    );
    begun?;
    let rows = rows?;
    ended.map(|()| rows)
}

/// A query and its last answer.
pub(crate) struct Asked<T> {
    name: &'static str,
    every: Duration,
    due: Option<Instant>,
    answer: Section<Arc<T>>,
    /// When the answer was asked for.
    asked: Option<Stopwatch>,
    /// The newest question had no answer in time, and what is shown is an earlier one.
    is_late: bool,
    took: Duration,
    /// It has failed in a way that a text in another encoding may be the cause of.
    met_encoding: bool,
    prepared: Option<(String, Statement)>,
    hides: fn(&T) -> bool,
}

impl<T> Asked<T> {
    /// A query that was never asked; zero asks at each sample.
    pub(crate) fn new(name: &'static str, every: Duration) -> Self {
        let answer = Section::off(Reason::NotConfigured, format!("{name}: not asked yet"));
        Self {
            name,
            every,
            due: None,
            answer,
            asked: None,
            is_late: false,
            took: Duration::ZERO,
            met_encoding: false,
            prepared: None,
            hides: |_| false,
        }
    }

    /// This query, which was never asked.
    pub(crate) fn of(query: &Query<T>, options: &PostgresOptions) -> Self {
        Self { hides: query.hides, ..Self::new(query.name, query.every.interval(options)) }
    }

    /// Asks this query if it is due and there is something to ask.
    pub(crate) async fn ask_query(&mut self, query: &Query<T>, sample: &Sample<'_>, known: &Known<'_>) {
        if !self.is_due(sample.now) {
            return;
        }
        let sql = match (query.sql)(known, self) {
            Ask::Sql(sql) => sql,
            Ask::Nothing => return,
            Ask::Missing(missing) => return self.miss(missing, sample.server),
        };
        let had_met_encoding = self.met_encoding;
        self.ask(sample, || sql.clone(), query.read).await;
        // What cannot be had with texts may be had without.
        if self.met_encoding
            && !had_met_encoding
            && let Ask::Sql(other) = (query.sql)(known, self)
            && other != sql
        {
            self.due = None;
            self.ask(sample, || other, query.read).await;
        }
    }

    /// Asks if it is due.
    pub(crate) async fn ask(
        &mut self,
        sample: &Sample<'_>,
        sql: impl FnOnce() -> String,
        read: impl FnOnce(&[Row]) -> Result<T, Error>,
    ) {
        self.ask_behind(sample, None, sql, read).await;
    }

    /// Asks if it is due, in a transaction that begins with these statements.
    pub(crate) async fn ask_behind(
        &mut self,
        sample: &Sample<'_>,
        first: Option<&str>,
        sql: impl FnOnce() -> String,
        read: impl FnOnce(&[Row]) -> Result<T, Error>,
    ) {
        if !self.is_due(sample.now) {
            return;
        }
        let asked = Stopwatch::start();
        let sql = sql();
        let mut result = self.run(sample, first, &sql).await;
        // A lock that was taken between looking for locks and reading: now it is seen.
        if matches!(&result, Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)) {
            result = self.run(sample, first, &sql).await;
        }
        let result = result.and_then(|rows| read(&rows));
        self.met_encoding |= result.as_ref().is_err_and(failure::may_be_encoding);
        self.took = sample.now.elapsed();
        self.due = Some(sample.now + self.every);
        let missing = match result {
            Ok(answer) if (self.hides)(&answer) => failure::hidden(self.name, sample.user),
            Ok(answer) => {
                if self.answer.missing().is_some_and(|missing| missing.reason != Reason::NotConfigured) {
                    tracing::info!(source = "postgres", server = sample.server, "{}: read again", self.name);
                }
                self.answer = Section::Fresh(Arc::new(answer));
                self.asked = Some(asked);
                self.is_late = false;
                return;
            }
            Err(error) => {
                if matches!(error.code(), Some(&SqlState::INVALID_SQL_STATEMENT_NAME | &SqlState::DUPLICATE_PSTATEMENT))
                {
                    let _ = sample.pooled.set(());
                    self.prepared = None;
                }
                self.is_late = matches!(error.code(), Some(&SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE));
                if self.is_late && self.is_recent(sample.stale_after) {
                    return;
                }
                let missing = failure::asking(&error, self.name, sample.user);
                if failure::ends_connection(&error) {
                    let _ = sample.over.set(missing.clone());
                }
                missing
            }
        };
        if matches!(missing.reason, Reason::NoPermission | Reason::NoTable | Reason::NotConfigured) {
            self.due = Some(sample.now + self.every.max(RETRY_REFUSED_AFTER));
        }
        self.miss(missing, sample.server);
    }

    /// Asks, and once more for bytes as they are where the server has text that cannot be made UTF-8.
    async fn run(&mut self, sample: &Sample<'_>, begin: Option<&str>, sql: &str) -> Result<Vec<Row>, Error> {
        let answer = self.run_once(sample, begin, sql).await;
        match answer {
            Err(error) if failure::is_encoding(&error) && !sample.raw.swap(true, Ordering::Relaxed) => {
                if sample.session == Session::Own {
                    sample.client.batch_execute(&format!("SET {RAW}")).await?;
                }
                self.run_once(sample, begin, sql).await
            }
            answer => answer,
        }
    }

    /// What is asked at each sample is prepared once for each connection: planning is most of what a short query costs
    /// the server.
    async fn run_once(&mut self, sample: &Sample<'_>, begin: Option<&str>, sql: &str) -> Result<Vec<Row>, Error> {
        if begin.is_some() || sample.session == Session::Shared {
            return in_transaction(sample, begin.unwrap_or_default(), sql).await;
        }
        if !self.every.is_zero() {
            return sample.client.query_typed(sql, &[]).await;
        }
        let statement = match &self.prepared {
            Some((known, statement)) if known == sql => statement.clone(),
            _ => {
                let statement = sample.client.prepare(sql).await?;
                self.prepared = Some((sql.to_owned(), statement.clone()));
                statement
            }
        };
        sample.client.query(&statement, &[]).await
    }

    /// Whether there is an answer that is worth showing while the server has no time for a newer one.
    fn is_recent(&self, stale_after: Duration) -> bool {
        let limit = stale_after.max(self.every * 3);
        self.answer.value().is_some() && self.asked.is_some_and(|asked| asked.elapsed() <= limit)
    }

    /// Whether it is time to ask.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| now >= due)
    }

    /// Whether it has failed, since the connection began, perhaps because of a text that is no letters of our
    /// database's encoding.
    pub(crate) fn met_encoding(&self) -> bool {
        self.met_encoding
    }

    /// Asks earlier or later than usual.
    pub(crate) fn set_due(&mut self, due: Option<Instant>) {
        self.due = due;
    }

    /// There is nothing to ask; said once in the log.
    pub(crate) fn miss(&mut self, missing: Missing, server: &str) {
        if self.answer.missing() != Some(&missing) && missing.reason != Reason::Unreachable {
            tracing::info!(source = "postgres", server, "not read: {missing}");
        }
        self.answer = Section::Off { missing };
    }

    /// A new connection, perhaps to another server behind the same address: nothing that was known holds.
    pub(crate) fn forget(&mut self) {
        self.due = None;
        self.met_encoding = false;
        self.prepared = None;
        if self.answer.value().is_some() {
            self.answer = Section::off(Reason::Stale, format!("{}: not read since the connection was lost", self.name));
        }
    }

    pub(crate) fn answer(&self) -> Section<Arc<T>> {
        self.answer.clone()
    }

    pub(crate) fn value(&self) -> Option<&Arc<T>> {
        self.answer.value()
    }

    /// Whether it was asked since the connection began.
    pub(crate) fn was_asked(&self) -> bool {
        self.due.is_some()
    }

    pub(crate) fn health(&self) -> GroupHealth {
        GroupHealth { group: self.name, duration: self.took, success: self.answer.value().is_some() && !self.is_late }
    }
}
