//! What holds for our sessions, whatever the role, the database or the server says.
//!
//! Names are looked up along the search_path, and whoever owns a database may set it for all its sessions and fill its
//! schemas with functions and operators that fit better than PostgreSQL's own; they would run with our rights. So the
//! path holds nothing but `pg_catalog`, to which only superusers add. `pg_temp` is named because it would otherwise
//! come first.

use std::time::Duration;

use tokio_postgres::{Error, Row};

use crate::{PostgresOptions, text::Column};

/// Set in our session by its start options: where it is missing, a pooler took the options and dropped them.
const MARK: &str = "aura.limited";

/// Whose the server's session is from one query to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Session {
    /// Ours, for as long as the connection lasts: what it was told once holds.
    Own,
    /// A pooler may give us another for each transaction, so each query is a transaction that says what holds for it.
    Shared,
}

/// What the server is asked to hold us to.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub answer: Duration,
    statement: Duration,
    lock: Duration,
}

impl Limits {
    /// Of the connection that samples go over. No query may take so long that the sample is given up for it, and the
    /// connection with it: however long a query is allowed, here it ends before.
    pub(crate) fn of_samples(options: &PostgresOptions) -> Self {
        let answer = options.answer_timeout.get();
        Self { statement: options.statement_timeout.get().min(answer * 2 / 3), ..Self::of_others(options) }
    }

    /// Of connections that nobody waits for.
    pub(crate) fn of_others(options: &PostgresOptions) -> Self {
        Self {
            answer: options.answer_timeout.get(),
            statement: options.statement_timeout.get(),
            lock: options.lock_timeout.get(),
        }
    }

    /// So long so many queries of such a connection may take.
    pub(crate) fn timeout(&self, queries: u32) -> Duration {
        self.answer + self.statement * queries
    }

    fn settings(&self) -> [(&'static str, String); 4] {
        [
            ("search_path", "pg_catalog,pg_temp".to_owned()),
            ("statement_timeout", self.statement.as_millis().to_string()),
            ("lock_timeout", self.lock.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", "10000".to_owned()),
        ]
    }

    /// Options to start a session with: they hold from its first query on and win over those of role and database.
    pub(crate) fn options(&self) -> String {
        let settings = self.settings().map(|(name, value)| format!("-c {name}={value} "));
        settings.concat() + &format!("-c {MARK}=on")
    }

    /// Begins a transaction that is held to the same.
    pub(crate) fn begin(&self) -> String {
        let settings = self.settings().map(|(name, value)| format!("SET LOCAL {name} = {value}; "));
        "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; ".to_owned() + &settings.concat()
    }
}

/// Settings that a role, a database or a server may have, with what our queries and our connection need of them.
const NEEDED: [(&str, &str); 7] = [
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
    ("quote_all_identifiers", "off"),
    ("standard_conforming_strings", "on"),
    ("transform_null_equals", "off"),
    // Between two samples the session is idle. Version 14 and later.
    ("idle_session_timeout", "0"),
    // Version 17 and later.
    ("transaction_timeout", "0"),
];

/// What a new session says of itself.
pub(crate) struct Facts {
    pub version: u32,
    /// It has our start options.
    pub marked: bool,
    pub in_recovery: bool,
    /// Transactions are read only, because the server or the role has it so.
    pub read_only: bool,
    needed: Vec<Option<String>>,
}

/// Nothing but functions by their full names: this is asked before it is known what the search_path holds, so that it
/// must not have an operator.
pub(crate) fn facts_sql() -> String {
    let settings = ["server_version_num", MARK, "transaction_read_only"].into_iter();
    let settings = settings.chain(NEEDED.map(|(name, _)| name));
    let settings = settings.map(|name| format!("pg_catalog.current_setting('{name}', true)"));
    format!("SELECT pg_catalog.pg_is_in_recovery(), {}", settings.collect::<Vec<_>>().join(", "))
}

impl Facts {
    pub(crate) fn read(row: &Row) -> Result<Self, Error> {
        let text = |index| <Option<String> as Column>::at(row, index);
        let on = |index| Ok::<_, Error>(text(index)?.as_deref() == Some("on"));
        Ok(Self {
            in_recovery: row.try_get(0)?,
            version: text(1)?.and_then(|version| version.parse().ok()).unwrap_or(0),
            marked: on(2)?,
            read_only: on(3)?,
            needed: (0..NEEDED.len()).map(|index| text(index + 4)).collect::<Result<_, _>>()?,
        })
    }

    /// Makes the session what it must be. What is so already is left alone: a setting that the session has of its own
    /// is none of the server's any more.
    pub(crate) fn pins(&self) -> String {
        let mut sql = "SET default_transaction_read_only = on".to_owned();
        for ((name, value), now) in NEEDED.iter().zip(&self.needed) {
            if now.as_deref().is_some_and(|now| now != *value) {
                sql += &format!("; SET {name} = '{value}'");
            }
        }
        sql
    }
}
