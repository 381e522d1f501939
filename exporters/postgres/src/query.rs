//! A query of a sample: what is asked, how often, and what becomes of its answer. Each stands beside the row that it
//! gives; the table in `queries` lists them all.

use std::time::Duration;

use aura_model::Missing;
use tokio_postgres::{Error, Row};

use crate::{Features, PostgresOptions, ask::Asked};

/// A query that has one answer of type `T`.
pub(crate) struct Query<T: 'static> {
    /// Its name under `pg_scrape_collector_*` and `aura_postgres_missing_info`, and in messages.
    pub name: &'static str,
    pub every: Every,
    pub told: Told,
    /// Goes out in a second round trip, once it is known which extensions the database has.
    pub needs_features: bool,
    /// What to ask of this server, given what it said before.
    pub sql: fn(&Known<'_>, &Asked<T>) -> Ask,
    pub read: fn(&[Row]) -> Result<T, Error>,
    /// The server shows a role without rights some rows with nothing in them: what is made of such an answer would be
    /// false, so that it counts as refused.
    pub hides: fn(&T) -> bool,
}

impl<T> Query<T> {
    /// A query of every sample that any server answers.
    pub(crate) const fn new(
        name: &'static str,
        sql: fn(&Known<'_>, &Asked<T>) -> Ask,
        read: fn(&[Row]) -> Result<T, Error>,
    ) -> Self {
        Self { name, every: Every::Sample, told: Told::Collector, needs_features: false, sql, read, hides: |_| false }
    }
}

/// How often a query is asked. Under `pg_scrape_collector_*` the queries stand in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Every {
    /// At each sample; what it costs the server is paid each second.
    Sample,
    /// `slow_interval`: what is expensive or hardly ever changes.
    Slow,
    Seconds(u64),
    /// `tables.interval`.
    Tables,
}

impl Every {
    /// None is zero.
    pub(crate) fn interval(self, options: &PostgresOptions) -> Duration {
        match self {
            Self::Sample => Duration::ZERO,
            Self::Slow => options.slow_interval.get(),
            Self::Seconds(seconds) => Duration::from_secs(seconds),
            Self::Tables => options.tables.interval.get(),
        }
    }
}

/// What is published of a query beside its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// How long it took and whether it succeeded, and why its answer is missing.
    Collector,
    /// Why its answer is missing.
    Missing,
    /// The same, unless that is because nobody asked for it or the server does not have it.
    Refused,
    Nothing,
}

/// What is known of a server before it is asked.
pub(crate) struct Known<'a> {
    /// `server_version_num`.
    pub version: u32,
    pub options: &'a PostgresOptions,
    pub user: &'a str,
    /// Whether it was a standby at the last sample; none before the first.
    pub in_recovery: Option<bool>,
    /// None in the first round trip.
    pub features: Option<&'a Features>,
}

/// What a server is asked.
pub(crate) enum Ask {
    Sql(String),
    /// Not wanted, or not now.
    Nothing,
    /// There is nothing to ask, and why.
    Missing(Missing),
}

impl From<String> for Ask {
    fn from(sql: String) -> Self {
        Self::Sql(sql)
    }
}

/// One row of an answer, as [`columns!`] declares it.
pub(crate) trait Columns: Sized {
    /// Takes the row apart.
    fn read(row: &Row) -> Result<Self, Error>;

    fn all(rows: &[Row]) -> Result<Vec<Self>, Error> {
        rows.iter().map(Self::read).collect()
    }

    /// For an aggregate or a select without a table, which have exactly one row.
    fn one(rows: &[Row]) -> Result<Self, Error> {
        Self::read(&rows[0])
    }
}

/// Declares one row of an answer: each field with the SQL that gives it, in one place.
macro_rules! columns {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty = $sql:expr,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[allow(missing_docs, reason = "many a column is what its name says")]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        impl $name {
            /// The select list; `instead` gives what an old or new version has in the place of a column.
            pub(crate) fn select(instead: impl Fn(&str) -> Option<&'static str>) -> String {
                [$((stringify!($field), $sql)),*].map(|(name, sql)| instead(name).unwrap_or(sql)).join(", ")
            }

            /// A row with a value of its own in each column.
            #[cfg(test)]
            #[allow(dead_code, reason = "some answers are never published")]
            pub(crate) fn example() -> Self {
                let mut number = 1..;
                Self { $($field: crate::text::Column::example(stringify!($field), number.next().unwrap_or_default()),)* }
            }
        }

        impl crate::query::Columns for $name {
            fn read(row: &tokio_postgres::Row) -> Result<Self, tokio_postgres::Error> {
                let mut index = 0..;
                Ok(Self { $($field: crate::text::Column::at(row, index.next().unwrap_or_default())?,)* })
            }
        }
    };
}
pub(crate) use columns;
