//! The message of `/ws/database` and `/api/database`, and its part `metrics`, which is all of `/api/database/metrics`.
//! What is not known is `null` or absent and says why under `missing`.

use std::collections::BTreeMap;

use aura_model::Missing;
use schemars::JsonSchema;
use serde::Serialize;

use crate::api::FeedDescription;

/// The feed of the database servers.
pub(crate) const FEED: FeedDescription = FeedDescription::new::<DatabaseUpdate>(
    "database",
    "PostgreSQL servers: connections, rates, sizes, locks, vacuums, replication.",
    "A message with each reading, and one when readings stop to come. It comes also without a reading: then `metrics` is `null` and \
     `missing` says why.",
);

/// A message of `/ws/database`, and what `/api/database` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DatabaseUpdate {
    /// Always `database_update`.
    pub r#type: &'static str,
    /// Grows by one with each message since the agent started.
    pub seq: u64,
    /// When the newest reading of the servers was begun, RFC 3339 in UTC; when the message was made, while there is
    /// none.
    pub sampled_at: String,
    /// The same as `sampled_at`.
    pub timestamp: String,
    /// Seconds from one sample to the next (`sources.postgres.interval`).
    pub interval_seconds: f64,
    /// The first server of the configuration; `null` while no reading is on time.
    pub metrics: Option<Metrics>,
    /// The other servers, in the order of the configuration.
    pub others: Vec<Metrics>,
    /// Why `metrics` is `null`; absent when it is not.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<&'static str, Missing>,
}

/// A PostgreSQL server. What the agent's role may not see is `null` or absent, and `missing` names the right that it
/// lacks.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ServerMetrics")]
pub struct Metrics {
    /// The server's name in the configuration; `host:port` unless one is given.
    pub name: String,
    /// `connected`; `disconnected` when it does not answer; `error` when it does not let the agent in.
    pub status: &'static str,
    /// When the sample was begun, RFC 3339 in UTC.
    pub timestamp: String,
    /// How many seconds before that the values were read, while the newest sample of this server has not returned;
    /// else 0.
    pub age_seconds: f64,
    /// Why it is not connected, as a sentence; absent when it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its address as `host:port`, or the path of its socket.
    pub host: String,
    /// Name of the database that the agent is connected to.
    pub database: String,
    /// Its version: `17.2`; `null` while it is not connected.
    pub version: Option<String>,
    /// `primary`, or `replica` while it replays another server's changes (`pg_is_in_recovery()`).
    pub role: Option<&'static str>,
    /// Who is connected, from pg_stat_activity.
    pub connections: Option<Connections>,
    /// Size of the database that the agent is connected to (`pg_database_size`), read every `slow_interval`.
    pub database_size: Option<Size>,
    /// The 20 largest tables of all databases that are looked into, largest first, read every `slow_interval`.
    pub table_sizes: Option<Vec<TableSize>>,
    /// Statements that take more than 100 ms on average, from pg_stat_statements; absent when there is none, or the
    /// extension is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_queries: Option<Vec<SlowQuery>>,
    /// Whether all is well, with the numbers behind it.
    pub health: Health,
    /// Rates of all databases together, from pg_stat_database; `null` until there are two readings, and when the
    /// counters were reset.
    pub activity: Option<Rates>,
    /// Each database that can be connected to, from pg_stat_database.
    pub databases: Option<Vec<Database>>,
    /// Transactions of clients that have been running for more than 30 s (pg_stat_activity), longest first, 20 at
    /// most.
    pub long_running: Option<Vec<Running>>,
    /// Clients that wait for a lock, and for whom (pg_stat_activity, `pg_blocking_pids()`), 20 at most.
    pub blocked: Option<Vec<Blocked>>,
    /// The 10 tables with most dead rows, most first, from pg_stat_user_tables; without those that have none.
    pub vacuum_debt: Option<Vec<VacuumDebt>>,
    /// Vacuums that run now, from pg_stat_progress_vacuum.
    pub vacuums: Option<Vec<Vacuum>>,
    /// Who follows whom, and how far behind.
    pub replication: Option<Replication>,
    /// Why something is `null` or absent, by its path here; the sentence has the SQL that would grant a right.
    pub missing: BTreeMap<&'static str, Missing>,
}

/// Clients and their limit, from pg_stat_activity. The agent's own connections are left out. All but `max` is `null`
/// where the agent's role may not see what others do (`pg_monitor`).
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Connections {
    /// Clients whose query runs now.
    pub active: Option<u64>,
    /// Clients that wait for nothing.
    pub idle: Option<u64>,
    /// Clients inside a transaction that do nothing, aborted ones included: they hold their locks.
    pub idle_in_transaction: Option<u64>,
    /// Clients of all databases.
    pub total: Option<u64>,
    /// Clients of the database that the agent is connected to.
    pub this_database: Option<u64>,
    /// The server's own processes, which are not counted against the limit.
    pub background: Option<u64>,
    /// Setting `max_connections`.
    pub max: Option<u64>,
    /// `total` as a share of `max`, 0 to 100.
    pub utilization_percent: Option<f64>,
    /// Who holds connections, most first, 20 at most.
    pub holders: Option<Vec<Holder>>,
}

/// Clients of one role, program, address and database.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Holder {
    /// Name of the role; empty when it is not known.
    pub user: String,
    /// What the clients call themselves (`application_name`); empty when they say nothing.
    pub application: String,
    /// Address that they connect from; `null` for a local socket.
    pub client: Option<String>,
    /// Name of their database; `null` for those that have none, as receivers of WAL.
    pub database: Option<String>,
    /// How many connections.
    pub count: u64,
}

/// A size, and how it grew.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DatabaseSize")]
pub struct Size {
    /// In bytes.
    pub bytes: i64,
    /// As PostgreSQL writes it (`pg_size_pretty`): `42 MB`.
    pub pretty: String,
    /// In MiB.
    pub mb: f64,
    /// How much it grew.
    #[serde(flatten)]
    pub growth: Growth,
}

/// How much something grew within the last hour; absent before the second reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Growth {
    /// By so many bytes; negative when it shrank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_bytes: Option<i64>,
    /// In so many seconds: the time between the oldest size that is remembered and the newest, an hour at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_seconds: Option<f64>,
}

/// A table's size with everything that belongs to it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TableSize {
    /// Name of its database.
    pub database: String,
    /// Name of its schema.
    pub schema: String,
    /// The table, without its schema.
    pub table: String,
    /// In bytes, indexes and long values (TOAST) included.
    pub size_bytes: i64,
    /// As PostgreSQL writes it (`pg_size_pretty`).
    pub size_pretty: String,
    /// How much it grew.
    #[serde(flatten)]
    pub growth: Growth,
}

/// A statement that takes more than 100 ms on average, from pg_stat_statements. Counts are since its statistics were
/// reset.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SlowQuery {
    /// Its first 200 letters, constants as `$1`; `null` when it is another role's and the agent's may not see it.
    pub query: Option<String>,
    /// How often it ran.
    pub calls: i64,
    /// Milliseconds that all runs took.
    pub total_time_ms: f64,
    /// Milliseconds that a run took on average.
    pub mean_time_ms: f64,
    /// Rows that all runs returned or changed.
    pub rows: i64,
    /// Name of its database; `null` when that is gone.
    pub database: Option<String>,
}

/// Whether all is well, with the numbers behind it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ServerHealth")]
pub struct Health {
    /// The agent is connected.
    pub accepting_connections: bool,
    /// Seconds since the server was started (`pg_postmaster_start_time()`).
    pub uptime_seconds: Option<f64>,
    /// Queries of clients that have been running for more than 30 s; `null` where the agent's role may not see them.
    pub long_running_queries: Option<u64>,
    /// Clients that wait for a lock; `null` where the agent's role may not see them.
    pub blocked_queries: Option<u64>,
    /// `degraded` when somebody waits for a lock or a standby is cut off, else `healthy`; `unknown` when it cannot be
    /// judged.
    pub status: &'static str,
    /// What is not well, each with its number in a sentence. Not all of it makes the server `degraded`.
    pub reasons: Vec<String>,
}

/// What pg_stat_database counted over the last seconds, by these seconds. Absent as a whole when a counter was set
/// back.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rates {
    /// Seconds between the two readings.
    pub window_seconds: f64,
    /// Transactions committed a second.
    pub commits_per_second: f64,
    /// Transactions rolled back a second.
    pub rollbacks_per_second: f64,
    /// Transactions rolled back as a share of all, 0 to 1; `null` without a transaction.
    pub rollback_ratio: Option<f64>,
    /// Blocks found in the server's buffers as a share of all that were wanted, 0 to 1; `null` when none was.
    pub cache_hit_ratio: Option<f64>,
    /// Rows a second.
    pub rows_per_second: RowRates,
    /// Deadlocks in the window.
    pub deadlocks: i64,
    /// Bytes a second written to temporary files, as by sorts that `work_mem` does not hold.
    pub temp_bytes_per_second: f64,
}

/// Rows a second, from pg_stat_database.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct RowRates {
    /// Live rows that scans fetched or index entries that they returned (`tup_returned`).
    pub returned: f64,
    /// Rows inserted.
    pub inserted: f64,
    /// Rows updated.
    pub updated: f64,
    /// Rows deleted.
    pub deleted: f64,
}

/// A database, from pg_stat_database. Counts are since its statistics were reset.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Database {
    /// As in `pg_database.datname`.
    pub name: String,
    /// Its size in bytes (`pg_database_size`), read every `slow_interval`; `null` where the agent's role may not ask.
    pub size_bytes: Option<i64>,
    /// How many seconds ago that was read.
    pub size_age_seconds: Option<f64>,
    /// How much it grew.
    #[serde(flatten)]
    pub growth: Growth,
    /// Connections to it, the agent's included.
    pub backends: i32,
    /// Blocks found in the server's buffers as a share of all that were wanted, 0 to 1; `null` when none was.
    pub cache_hit_ratio: Option<f64>,
    /// Transactions rolled back as a share of all, 0 to 1; `null` without a transaction.
    pub rollback_ratio: Option<f64>,
    /// Deadlocks that the server has resolved.
    pub deadlocks: i64,
    /// How much of the transaction numbers is used before the server must stop (`age(datfrozenxid)`), 0 to 100.
    /// Vacuum brings it down.
    pub wraparound_percent: f64,
    /// Rates over the last seconds; `null` until there are two readings, and when the counters were reset.
    pub rates: Option<Rates>,
}

/// A transaction that takes long, from pg_stat_activity.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RunningTransaction")]
pub struct Running {
    /// Number of its server process.
    pub pid: i32,
    /// Name of the role that runs it.
    pub user: Option<String>,
    /// Name of its database.
    pub database: Option<String>,
    /// What the client calls itself (`application_name`).
    pub application: Option<String>,
    /// What it does: `active`, `idle in transaction` and others.
    pub state: Option<String>,
    /// How long the transaction has been running, in seconds.
    pub seconds: f64,
    /// The first 200 letters of its newest query.
    pub query: Option<String>,
}

/// A client that waits for a lock, from pg_stat_activity.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BlockedBackend")]
pub struct Blocked {
    /// Number of its server process.
    pub pid: i32,
    /// Name of the role that waits.
    pub user: Option<String>,
    /// Name of its database.
    pub database: Option<String>,
    /// How long its query has been running, in seconds.
    pub seconds: Option<f64>,
    /// The first 200 letters of its query.
    pub query: Option<String>,
    /// Those that it waits for (`pg_blocking_pids()`).
    pub blocked_by: Vec<Blocker>,
}

/// A server process that others wait for. All but its number is `null` when it is gone or hidden.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BlockingBackend")]
pub struct Blocker {
    /// Its number; 0 for a prepared transaction.
    pub pid: i32,
    /// Name of its role.
    pub user: Option<String>,
    /// What it does; `idle in transaction` holds its locks without doing anything.
    pub state: Option<String>,
    /// The first 200 letters of its newest query.
    pub query: Option<String>,
}

/// A vacuum that runs, from pg_stat_progress_vacuum.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Vacuum {
    /// Name of its database.
    pub database: Option<String>,
    /// Its table: by name in the database that the agent is connected to, by number elsewhere.
    pub table: Option<String>,
    /// What it does: `scanning heap`, `vacuuming indexes` and others; `null` when it is another role's and the
    /// agent's may not see it.
    pub phase: Option<String>,
    /// How much of the table it has scanned, 0 to 100.
    pub scanned_percent: Option<f64>,
}

/// A table whose dead rows wait for vacuum, from pg_stat_user_tables.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VacuumDebt {
    /// Name of its database.
    pub database: String,
    /// Name of its schema.
    pub schema: String,
    /// The table, without its schema.
    pub table: String,
    /// Rows that wait, as the server estimates (`n_dead_tup`).
    pub dead_rows: i64,
    /// Rows that are alive, as the server estimates (`n_live_tup`).
    pub live_rows: i64,
    /// When it was last vacuumed, by hand or by autovacuum, in Unix seconds; `null` when it never was.
    pub last_vacuum: Option<f64>,
}

/// Who follows whom, and how far behind.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Replication {
    /// Whether it replays another server's changes (`pg_is_in_recovery()`).
    pub is_replica: bool,
    /// How far it is behind, in seconds: the age of the newest change that it has replayed, 0 when all that was
    /// received is. `null` on a primary, and when it is cut off.
    pub lag_seconds: Option<f64>,
    /// How long, at least, a standby has heard nothing from the server that it receives from (pg_stat_wal_receiver),
    /// in seconds.
    pub silent_seconds: Option<f64>,
    /// Whether a standby should receive changes and does not; `null` on a primary.
    pub cut_off: Option<bool>,
    /// Those that receive its changes, from pg_stat_replication.
    pub receivers: Option<Vec<Receiver>>,
    /// Replication slots that nobody uses and that keep WAL, from pg_replication_slots: they fill the disk.
    pub inactive_slots: Option<Vec<InactiveSlot>>,
}

/// Who receives the server's changes, from pg_stat_replication.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReplicationReceiver")]
pub struct Receiver {
    /// What it calls itself (`application_name`).
    pub application: Option<String>,
    /// Address that it connects from; `null` for a local socket.
    pub client: Option<String>,
    /// `startup`, `catchup`, `streaming`, `backup` or `stopping`.
    pub state: Option<String>,
    /// Bytes of WAL that it has not replayed yet.
    pub lag_bytes: Option<f64>,
    /// How long the newest WAL took until it was replayed there (`replay_lag`), in seconds; `null` when there was
    /// none lately.
    pub lag_seconds: Option<f64>,
}

/// A replication slot that nobody uses, from pg_replication_slots.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InactiveSlot {
    /// As in `pg_replication_slots.slot_name`.
    pub name: String,
    /// Bytes of WAL that are kept for it; `null` when it keeps none.
    pub kept_bytes: Option<f64>,
}
