//! Locks that are held or waited for, by database and mode.

use aura_model::{Metric, Unit, gauge};

use crate::query::{Columns, Query, columns};

/// Modes as postgres_exporter writes them; each is published for each database, 0 where there is none.
const MODES: [&str; 9] = [
    "accesssharelock",
    "rowsharelock",
    "rowexclusivelock",
    "shareupdateexclusivelock",
    "sharelock",
    "sharerowexclusivelock",
    "exclusivelock",
    "accessexclusivelock",
    "sireadlock",
];

columns! {
    /// The locks of one mode in one database; a database without locks has one row without a mode.
    pub struct Locks {
        pub database: String = "d.datname::pg_catalog.text",
        /// The mode in lower case.
        pub mode: Option<String> = "pg_catalog.lower(l.mode)",
        pub count: i64 = "pg_catalog.count(l.mode)",
    }
}

pub(crate) const QUERY: Query<Vec<Locks>> = Query::new("locks", |_, _| sql().into(), Locks::all);

fn sql() -> String {
    let columns = Locks::select(|_| None);
    format!(
        "SELECT {columns} FROM pg_catalog.pg_database d LEFT JOIN pg_catalog.pg_locks l ON l.database = d.oid \
         AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() GROUP BY 1, 2"
    )
}

pub(crate) const METRICS: &[Metric<Vec<Locks>>] = &[gauge(
    "pg_locks_count",
    "Number of locks, those that are waited for too; without our own.",
    Unit::None,
    &["datname", "mode"],
    |locks, emit| {
        let mut databases: Vec<&str> = locks.iter().map(|lock| lock.database.as_str()).collect();
        databases.sort_unstable();
        databases.dedup();
        for database in databases {
            for mode in MODES {
                let held = locks.iter().find(|lock| lock.database == database && lock.mode.as_deref() == Some(mode));
                emit.sample(&[database, mode], held.map_or(0, |lock| lock.count).into());
            }
        }
    },
)];
