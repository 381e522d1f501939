//! Who is connected and does what, from pg_stat_activity: one query, from which all counts are made here.

use std::collections::BTreeMap;

use aura_model::{Emit, Metric, Unit, Value, gauge};
use serde::Serialize;
use tokio_postgres::{Error, Row};

use crate::{
    ask::{columns, rows},
    text::{self, Column},
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
        /// Its process.
        pub pid: i32 = "a.pid",
        /// It is ours: this connection, or one to another database of the server.
        pub own: bool = "a.pid = pg_catalog.pg_backend_pid() OR coalesce(a.application_name = \
            pg_catalog.current_setting('application_name') AND \
            a.usename = current_user \
            AND a.client_addr IS NOT DISTINCT FROM pg_catalog.inet_client_addr(), false)",
        /// Its database; none for background processes.
        pub database: Option<String> = "a.datname::pg_catalog.text",
        /// Its role.
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
}

impl Backend {
    /// Whether it serves a client that is not us.
    #[must_use]
    pub fn is_client(&self) -> bool {
        !self.own && self.kind.as_deref() == Some("client backend")
    }
}

pub(crate) fn sql() -> String {
    let columns = Backend::select(|_| None);
    let names = "(SELECT pg_catalog.array_to_string(pg_catalog.array_agg(datname), '/') FROM pg_catalog.pg_database)";
    format!(
        "SELECT {columns}, CASE WHEN a.pid = pg_catalog.pg_backend_pid() THEN {names} END FROM \
        pg_catalog.pg_stat_activity a"
    )
}

pub(crate) fn read(answer: &[Row]) -> Result<Activity, Error> {
    let mut databases = Vec::new();
    for row in answer {
        if let Some(names) = <Option<String> as Column>::at(row, row.len() - 1)? {
            databases = names.split('/').map(str::to_owned).collect();
        }
    }
    let mut backends = rows(answer, Backend::read)?;
    for query in backends.iter_mut().filter_map(|backend| backend.query.as_mut()) {
        text::cut(query, 200);
    }
    Ok(Activity { backends, databases })
}

type Key<'a> = [&'a str; 7];

/// Count and longest transaction of the backends with the same labels.
fn groups(activity: &Activity) -> BTreeMap<Key<'_>, (u64, f64)> {
    let mut groups: BTreeMap<Key<'_>, (u64, f64)> = BTreeMap::new();
    for backend in &activity.backends {
        let (Some(database), Some(state)) = (&backend.database, &backend.state) else { continue };
        fn text(part: &Option<String>) -> &str {
            part.as_deref().unwrap_or_default()
        }
        let key = [
            database.as_str(),
            state.as_str(),
            text(&backend.user),
            text(&backend.application),
            text(&backend.kind),
            text(&backend.wait_kind),
            text(&backend.wait),
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

const LABELS: &[&str] =
    &["datname", "state", "usename", "application_name", "backend_type", "wait_event_type", "wait_event"];

pub(crate) const METRICS: &[Metric<Activity>] = &[
    gauge("pg_stat_activity_count", "Number of connections in this state.", Unit::None, LABELS, |activity, emit| {
        for (key, (count, _)) in groups(activity) {
            emit.sample(&key, count.into());
        }
    }),
    gauge(
        "pg_stat_activity_max_tx_duration",
        "Age of the longest transaction in this state, in seconds.",
        Unit::Seconds,
        LABELS,
        |activity, emit| {
            for (key, (_, longest)) in groups(activity) {
                emit.sample(&key, longest.into());
            }
        },
    ),
];

/// Transactions that are under way, without autovacuum's and our own.
fn transactions(activity: &Activity) -> impl Iterator<Item = f64> {
    let counts = |backend: &&Backend| {
        let vacuums = backend.query.as_deref().is_some_and(|query| query.starts_with("autovacuum:"));
        !backend.own && !vacuums && backend.state.as_deref() != Some("idle")
    };
    activity.backends.iter().filter(counts).filter_map(|backend| backend.transaction_seconds)
}

pub(crate) const LONG_RUNNING: &[Metric<Activity>] = &[
    gauge("pg_long_running_transactions", "Number of transactions under way.", Unit::None, &[], |activity, emit| {
        emit.value(transactions(activity).count());
    }),
    gauge(
        "pg_long_running_transactions_oldest_timestamp_seconds",
        "Age of the oldest transaction under way, in seconds.",
        Unit::Seconds,
        &[],
        |activity, emit| emit.maybe(&[], transactions(activity).reduce(f64::max)),
    ),
];

pub(crate) const AUTOVACUUM: &[Metric<Activity>] = &[gauge(
    "pg_stat_activity_autovacuum_timestamp_seconds",
    "When the vacuum of this table by autovacuum began, Unix seconds.",
    Unit::Seconds,
    &["relname"],
    |activity, emit| {
        for backend in &activity.backends {
            let table = backend.query.as_deref().and_then(|query| query.strip_prefix("autovacuum: VACUUM "));
            let (Some(table), Some(age)) = (table, backend.transaction_seconds) else { continue };
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let table = table.split_whitespace().next().unwrap_or_default();
            emit.one(table, (now.as_secs_f64() - age).floor());
        }
    },
)];

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
    for backend in activity.backends.iter().filter(|backend| backend.kind.as_deref() == Some("client backend")) {
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
            pid: 1,
            own: false,
            database: Some(database.into()),
            user: Some("app".into()),
            application: Some("web".into()),
            client: None,
            kind: Some("client backend".into()),
            state: Some(state.into()),
            wait_kind: None,
            wait: None,
            transaction_seconds: Some(seconds),
            query_seconds: Some(seconds),
            state_seconds: Some(seconds),
            query: None,
            blocked_by: None,
        }
    }

    #[test]
    fn every_state_of_every_database_is_counted_once() {
        let backends =
            vec![backend("aura", "active", 2.0), backend("aura", "active", 5.0), backend("aura", "idle", 1.0)];
        let activity = Activity { backends, databases: vec!["aura".into(), "other".into()] };
        let groups = groups(&activity);
        assert_eq!(groups[&["aura", "active", "app", "web", "client backend", "", ""]], (2, 5.0));
        assert_eq!(groups[&["aura", "disabled", "", "", "", "", ""]], (0, 0.0));
        assert!(!groups.contains_key(&["aura", "active", "", "", "", "", ""]));
        assert_eq!(groups.len(), 2 * STATES.len());
    }
}
