//! Who is connected and does what, from pg_stat_activity: one query, from which all counts are made here.

use std::collections::BTreeMap;

use aura_model::{Emit, Metric, Unit, Value, rows};
use serde::Serialize;
use tokio_postgres::{Error, Row};

use crate::{
    query::{Columns, Query, columns},
    text::{self, Column, or_empty},
};

/// The states that a client backend may be in.
const STATES: [&str; 6] =
    ["active", "idle", "idle in transaction", "idle in transaction (aborted)", "fastpath function call", "disabled"];

/// Limits of the histogram of idle times, in seconds.
const IDLE_BUCKETS: [(f64, &str); 9] = [
    (1.0, "1"),
    (2.0, "2"),
    (5.0, "5"),
    (15.0, "15"),
    (30.0, "30"),
    (60.0, "60"),
    (90.0, "90"),
    (120.0, "120"),
    (300.0, "300"),
];

columns! {
    /// One backend. What another role's backend does is only shown to members of pg_read_all_stats.
    pub struct Backend {
        pub pid: i32 = "a.pid",
        /// It is ours: this connection, or one to another database of the server.
        pub own: bool = "a.pid = pg_catalog.pg_backend_pid() OR coalesce(a.application_name = \
            pg_catalog.current_setting('application_name') AND \
            a.usename = current_user \
            AND a.client_addr IS NOT DISTINCT FROM pg_catalog.inet_client_addr(), false)",
        /// Its database; none for background processes.
        pub database: Option<String> = "a.datname::pg_catalog.text",
        pub user: Option<String> = "a.usename::pg_catalog.text",
        /// What the client calls itself.
        pub application: Option<String> = "a.application_name",
        /// Where the client is; none for a local socket.
        pub client: Option<String> = "pg_catalog.host(a.client_addr)",
        /// `client backend`, or a kind of background process.
        pub kind: Option<String> = "a.backend_type",
        /// `active`, `idle` and so on.
        pub state: Option<String> = "a.state",
        /// What kind of thing it waits for.
        pub wait_kind: Option<String> = "a.wait_event_type",
        /// What it waits for.
        pub wait: Option<String> = "a.wait_event",
        /// When its transaction began, Unix seconds.
        pub transaction_began: Option<f64> = "extract(epoch FROM a.xact_start)::float",
        /// Age of its transaction in seconds.
        pub transaction_seconds: Option<f64> = "extract(epoch FROM pg_catalog.clock_timestamp() - \
            a.xact_start)::float",
        /// Age of its query in seconds.
        pub query_seconds: Option<f64> = "extract(epoch FROM pg_catalog.clock_timestamp() - a.query_start)::float",
        /// Seconds in its state.
        pub state_seconds: Option<f64> = "extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change)::float",
        /// The first 200 letters of what it runs; not of idle ones. Bytes that are no letters of our database, as where
        /// one is cut in two at the end, are none that it can cut: short ones are cut here.
        pub query: Option<String> = "CASE WHEN a.state <> 'idle' THEN CASE WHEN pg_catalog.octet_length(a.query) <= 1024 \
            THEN a.query ELSE pg_catalog.left(a.query, 200) END END",
        /// The processes that it waits for, with commas between.
        pub blocked_by: Option<String> =
            "CASE WHEN a.wait_event_type = 'Lock' THEN \
            pg_catalog.array_to_string(pg_catalog.pg_blocking_pids(a.pid), ',') END",
    }
}

/// Everybody who is connected.
#[derive(Debug, Serialize)]
pub struct Activity {
    /// All backends, background processes too.
    pub backends: Vec<Backend>,
    /// Names of databases, so that those without a backend have a count too.
    #[serde(skip)]
    pub databases: Vec<String>,
    /// What others do is hidden from our role: then nothing can be counted.
    #[serde(skip)]
    pub hides: bool,
}

impl Backend {
    /// Whether it serves a client that is not us.
    #[must_use]
    pub fn is_client(&self) -> bool {
        !self.own && self.kind.as_deref() == Some("client backend")
    }

    /// Whether it is one of autovacuum's.
    fn vacuums(&self) -> bool {
        self.kind.as_deref() == Some("autovacuum worker")
    }
}

pub(crate) const QUERY: Query<Activity> =
    Query { hides: |activity| activity.hides, ..Query::new("stat_activity", |_, _| sql().into(), read) };

fn sql() -> String {
    let columns = Backend::select(|_| None);
    let names = "(SELECT pg_catalog.array_agg(datname::pg_catalog.text) FROM pg_catalog.pg_database)";
    // Those who may see a process see what kind it is; a client cannot hide behind the same words in a query of its own.
    let hides = "coalesce(a.backend_type IS NULL AND a.query = '<insufficient privilege>', false)";
    format!(
        "SELECT {columns}, {hides}, CASE WHEN a.pid = pg_catalog.pg_backend_pid() THEN {names} END FROM \
        pg_catalog.pg_stat_activity a"
    )
}

fn read(answer: &[Row]) -> Result<Activity, Error> {
    let (mut databases, mut hides) = (Vec::new(), false);
    for row in answer {
        hides |= row.try_get::<_, bool>(row.len() - 2)?;
        if let Some(names) = <Option<Vec<String>> as Column>::at(row, row.len() - 1)? {
            databases = names;
        }
    }
    let mut backends = Backend::all(answer)?;
    for query in backends.iter_mut().filter_map(|backend| backend.query.as_mut()) {
        text::cut(query, 200);
    }
    Ok(Activity { backends, databases, hides })
}

type Key<'a> = [&'a str; 7];

/// Count and longest transaction of the backends with the same labels.
fn groups(activity: &Activity) -> BTreeMap<Key<'_>, (u64, f64)> {
    let mut groups: BTreeMap<Key<'_>, (u64, f64)> = BTreeMap::new();
    for backend in activity.backends.iter().filter(|backend| !backend.own) {
        let (Some(database), Some(state)) = (&backend.database, &backend.state) else { continue };
        let key = [
            database.as_str(),
            state.as_str(),
            or_empty(&backend.user),
            or_empty(&backend.application),
            or_empty(&backend.kind),
            or_empty(&backend.wait_kind),
            or_empty(&backend.wait),
        ];
        let group = groups.entry(key).or_default();
        group.0 += 1;
        group.1 = group.1.max(backend.transaction_seconds.unwrap_or(0.0));
    }
    // No backend in a state is a count too: alerts compare with it.
    for database in &activity.databases {
        for state in STATES {
            let next = groups.range([database, state, "", "", "", "", ""]..).next();
            if next.is_none_or(|(key, _)| key[..2] != [database.as_str(), state]) {
                groups.insert([database, state, "", "", "", "", ""], (0, 0.0));
            }
        }
    }
    groups
}

pub(crate) const METRICS: &[Metric<Activity>] = rows! { |activity|
    for ([datname, state, usename, application_name, backend_type, wait_event_type, wait_event], group)
        in groups(activity)
        => { datname, state, usename, application_name, backend_type, wait_event_type, wait_event } {
        gauge "pg_stat_activity_count" = group.0, "Number of connections in this state, without our own.";
        gauge "pg_stat_activity_max_tx_duration" in Seconds = group.1,
            "Age of the longest transaction in this state, in seconds.";
    }
};

/// Transactions that are under way, without autovacuum's and our own.
fn transactions(activity: &Activity) -> impl Iterator<Item = f64> {
    let counts = |backend: &&Backend| !backend.own && !backend.vacuums() && backend.state.as_deref() != Some("idle");
    activity.backends.iter().filter(counts).filter_map(|backend| backend.transaction_seconds)
}

pub(crate) const LONG_RUNNING: &[Metric<Activity>] = rows! { |activity|
    gauge "pg_long_running_transactions" = transactions(activity).count(), "Number of transactions under way.";
    gauge "pg_long_running_transactions_oldest_timestamp_seconds" in Seconds = transactions(activity).reduce(f64::max),
        "Age of the oldest transaction under way, in seconds.";
};

pub(crate) const AUTOVACUUM: &[Metric<Activity>] = rows! { |activity|
    for ([datname, schemaname, relname], since) in vacuums(activity) => { datname, schemaname, relname } {
        gauge "pg_stat_activity_autovacuum_timestamp_seconds" in Seconds = since,
            "When autovacuum began to vacuum or analyze this table, Unix seconds.";
    }
};

/// The tables that autovacuum is at, and since when: of two workers at one table the first counts.
fn vacuums(activity: &Activity) -> BTreeMap<[&str; 3], f64> {
    let mut began: BTreeMap<[&str; 3], f64> = BTreeMap::new();
    for backend in &activity.backends {
        let (Some((schema, table)), Some(since)) = (vacuumed(backend), backend.transaction_began) else { continue };
        let key = [or_empty(&backend.database), schema, table];
        began.entry(key).and_modify(|first| *first = first.min(since)).or_insert(since);
    }
    began
}

/// The schema and table that a worker of autovacuum is at. It says so in place of a query, without quotes:
/// `autovacuum: VACUUM ANALYZE public.t (to prevent wraparound)`, `autovacuum: BRIN summarize public.t_idx 128`.
fn vacuumed(backend: &Backend) -> Option<(&str, &str)> {
    let work = backend.query.as_deref().filter(|_| backend.vacuums())?.strip_prefix("autovacuum: ")?;
    let name = match work.strip_prefix("BRIN summarize ") {
        Some(index) => index.rsplit_once(' ').map_or(index, |(index, _)| index),
        None => ["VACUUM ANALYZE ", "VACUUM ", "ANALYZE "].iter().find_map(|word| work.strip_prefix(word))?,
    };
    name.strip_suffix(" (to prevent wraparound)").unwrap_or(name).split_once('.')
}

pub(crate) const IDLE: &[Metric<Activity>] = &[Metric {
    family: aura_model::Family {
        name: "pg_process_idle_seconds",
        help: "How long client backends have been idle.",
        kind: aura_model::Kind::Histogram,
        unit: Unit::Seconds,
        labels: &[],
    },
    take: idle,
}];

fn idle(activity: &Activity, emit: &mut dyn Emit) {
    let mut times: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for backend in activity.backends.iter().filter(|backend| backend.is_client()) {
        let (Some(state), Some(seconds)) = (&backend.state, backend.state_seconds) else { continue };
        if state.starts_with("idle") {
            let application = backend.application.as_deref().unwrap_or_default();
            times.entry((state, application)).or_default().push(seconds);
        }
    }
    for ((state, application), times) in times {
        let labels = |limit| [("state", state), ("application_name", application), ("le", limit)];
        for (limit, label) in IDLE_BUCKETS {
            let within = times.iter().filter(|time| **time <= limit).count();
            emit.labelled("_bucket", &labels(label), within.into());
        }
        let all: Value = times.len().into();
        emit.labelled("_bucket", &labels("+Inf"), all);
        emit.labelled("_sum", &labels("")[..2], times.iter().sum::<f64>().into());
        emit.labelled("_count", &labels("")[..2], all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(database: &str, state: &str, seconds: f64) -> Backend {
        Backend {
            own: false,
            database: Some(database.into()),
            user: Some("app".into()),
            application: Some("web".into()),
            kind: Some("client backend".into()),
            state: Some(state.into()),
            wait_kind: None,
            wait: None,
            transaction_seconds: Some(seconds),
            ..Backend::example()
        }
    }

    #[test]
    fn every_state_of_every_database_is_counted_once() {
        let backends =
            vec![backend("aura", "active", 2.0), backend("aura", "active", 5.0), backend("aura", "idle", 1.0)];
        let activity = Activity { backends, databases: vec!["aura".into(), "o/ther".into()], hides: false };
        let groups = groups(&activity);
        assert_eq!(groups[&["aura", "active", "app", "web", "client backend", "", ""]], (2, 5.0));
        assert_eq!(groups[&["aura", "disabled", "", "", "", "", ""]], (0, 0.0));
        assert!(!groups.contains_key(&["aura", "active", "", "", "", "", ""]));
        assert_eq!(groups.len(), 2 * STATES.len());
    }

    /// Texts as PostgreSQL 13 to 18 write them.
    #[test]
    fn the_table_that_autovacuum_is_at_is_read_from_what_it_says() {
        for (kind, query, expected) in [
            ("autovacuum worker", "autovacuum: VACUUM public.t", Some(("public", "t"))),
            ("autovacuum worker", "autovacuum: VACUUM ANALYZE sales.t", Some(("sales", "t"))),
            ("autovacuum worker", "autovacuum: ANALYZE public.my table", Some(("public", "my table"))),
            ("autovacuum worker", "autovacuum: VACUUM public.t (to prevent wraparound)", Some(("public", "t"))),
            ("autovacuum worker", "autovacuum: VACUUM pg_toast.pg_toast_16384", Some(("pg_toast", "pg_toast_16384"))),
            ("autovacuum worker", "autovacuum: BRIN summarize public.t_a_idx 128", Some(("public", "t_a_idx"))),
            ("autovacuum worker", "", None),
            ("client backend", "autovacuum: VACUUM public.t", None),
        ] {
            let one = Backend { kind: Some(kind.into()), query: Some(query.into()), ..backend("aura", "active", 1.0) };
            assert_eq!(vacuumed(&one), expected, "{query}");
        }
    }
}
