//! The message of `/ws/database` and `/api/database`, and its part `metrics`, which is all of `/api/database/metrics`.
//! What is not known is `null` or absent and says why under `missing`.

use std::collections::BTreeMap;

use aura_model::Missing;
use schemars::JsonSchema;
use serde::Serialize;

/// The JSON schema of the message.
#[must_use]
pub fn schema() -> String {
    crate::api::schema::<DatabaseUpdate>()
}

/// One message.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DatabaseUpdate {
    /// Always `database_update`.
    pub r#type: &'static str,
    /// One more with each message.
    pub seq: u64,
    /// When the servers were asked, or found not to be watched, RFC 3339.
    pub sampled_at: String,
    /// The same as `sampled_at`.
    pub timestamp: String,
    /// From one sample to the next, in seconds.
    pub interval_seconds: f64,
    /// The first server; `null` when no reading is on time.
    pub metrics: Option<Metrics>,
    /// The other servers.
    pub others: Vec<Metrics>,
    /// Why `metrics` is `null`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<&'static str, Missing>,
}

/// One server.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Metrics {
    /// Its name in the configuration.
    pub name: String,
    /// `connected`, `disconnected` when it does not answer, `error` when it does not let us in.
    pub status: &'static str,
    /// When it was asked, RFC 3339.
    pub timestamp: String,
    /// How long before that its values were read, while its newest sample has not returned; else 0.
    pub age_seconds: f64,
    /// Why it is not connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Where it is.
    pub host: String,
    /// The database that we are connected to.
    pub database: String,
    /// Its version.
    pub version: Option<String>,
    /// `primary` or `replica`.
    pub role: Option<&'static str>,
    /// Who is connected.
    pub connections: Option<Connections>,
    /// Size of the database that we are connected to.
    pub database_size: Option<Size>,
    /// The largest tables, up to 20.
    pub table_sizes: Option<Vec<TableSize>>,
    /// Statements that take more than 100 ms on average; absent when there is none or nobody counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_queries: Option<Vec<SlowQuery>>,
    /// Whether all is well, with the numbers behind it.
    pub health: Health,
    /// Rates of all databases together.
    pub activity: Option<Rates>,
    /// Each database.
    pub databases: Option<Vec<Database>>,
    /// Transactions that have been running for more than 30 s, longest first, up to 20.
    pub long_running: Option<Vec<Running>>,
    /// Backends that wait for a lock, and for whom, up to 20.
    pub blocked: Option<Vec<Blocked>>,
    /// Tables with most rows that wait for vacuum, up to 10.
    pub vacuum_debt: Option<Vec<VacuumDebt>>,
    /// Vacuums that run now.
    pub vacuums: Option<Vec<Vacuum>>,
    /// Replication.
    pub replication: Option<Replication>,
    /// Why something is `null` or absent, by its path.
    pub missing: BTreeMap<&'static str, Missing>,
}

/// Clients and their limit; our own connections are left out. All but the limit is `null` where the role may not see what
/// others do.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Connections {
    /// Clients whose query runs now.
    pub active: Option<u64>,
    /// Clients that wait for nothing.
    pub idle: Option<u64>,
    /// Clients inside a transaction that do nothing.
    pub idle_in_transaction: Option<u64>,
    /// Clients of all databases.
    pub total: Option<u64>,
    /// Clients of the database that we are connected to.
    pub this_database: Option<u64>,
    /// The server's own processes: not counted against the limit.
    pub background: Option<u64>,
    /// `max_connections`.
    pub max: Option<u64>,
    /// `total` by `max`, 0 to 100.
    pub utilization_percent: Option<f64>,
    /// Who holds them, most first, up to 20.
    pub holders: Option<Vec<Holder>>,
}

/// Who holds connections.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Holder {
    /// The role.
    pub user: String,
    /// What the client calls itself.
    pub application: String,
    /// Where it is; `null` for a local socket.
    pub client: Option<String>,
    /// The database.
    pub database: Option<String>,
    /// How many.
    pub count: u64,
}

/// A size.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Size {
    /// In bytes.
    pub bytes: i64,
    /// As PostgreSQL writes it.
    pub pretty: String,
    /// In MiB.
    pub mb: f64,
    /// How much it grew.
    #[serde(flatten)]
    pub growth: Growth,
}

/// How much something grew since it was first read, within the last hour; absent before the second reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Growth {
    /// By so many bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_bytes: Option<i64>,
    /// In so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_seconds: Option<f64>,
}

/// A table's size with everything that belongs to it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TableSize {
    /// Its database.
    pub database: String,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// In bytes, indexes and long values included.
    pub size_bytes: i64,
    /// As PostgreSQL writes it.
    pub size_pretty: String,
    /// How much it grew.
    #[serde(flatten)]
    pub growth: Growth,
}

/// A slow statement.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SlowQuery {
    /// The first 200 letters; `null` when it is another role's and we may not see it.
    pub query: Option<String>,
    /// How often it ran.
    pub calls: i64,
    /// Milliseconds in all.
    pub total_time_ms: f64,
    /// Milliseconds each time.
    pub mean_time_ms: f64,
    /// Rows in all.
    pub rows: i64,
    /// Its database.
    pub database: Option<String>,
}

/// Whether all is well.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Health {
    /// It accepts connections.
    pub accepting_connections: bool,
    /// How long it has been running.
    pub uptime_seconds: Option<f64>,
    /// Queries that have been running for more than 30 s.
    pub long_running_queries: Option<u64>,
    /// Backends that wait for a lock.
    pub blocked_queries: Option<u64>,
    /// `healthy`, `degraded`, or `unknown` when it could not be judged.
    pub status: &'static str,
    /// What is not well, with its number.
    pub reasons: Vec<String>,
}

/// Rates over the last seconds.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rates {
    /// Over so many seconds.
    pub window_seconds: f64,
    /// Transactions committed a second.
    pub commits_per_second: f64,
    /// Transactions rolled back a second.
    pub rollbacks_per_second: f64,
    /// Rolled back by all; `null` without a transaction.
    pub rollback_ratio: Option<f64>,
    /// Blocks found in the buffer cache by all that were wanted; `null` when none was.
    pub cache_hit_ratio: Option<f64>,
    /// Rows read, inserted, updated and deleted a second.
    pub rows_per_second: RowRates,
    /// Deadlocks in the window.
    pub deadlocks: i64,
    /// Bytes written to temporary files a second.
    pub temp_bytes_per_second: f64,
}

/// Rows a second.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct RowRates {
    /// Returned by scans.
    pub returned: f64,
    /// Inserted.
    pub inserted: f64,
    /// Updated.
    pub updated: f64,
    /// Deleted.
    pub deleted: f64,
}

/// One database.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size_bytes: Option<i64>,
    /// How long ago that was read, in seconds.
    pub size_age_seconds: Option<f64>,
    /// How much it grew.
    #[serde(flatten)]
    pub growth: Growth,
    /// Backends connected to it.
    pub backends: i32,
    /// Blocks found in the buffer cache by all, since the counts began.
    pub cache_hit_ratio: Option<f64>,
    /// Transactions rolled back by all, since the counts began.
    pub rollback_ratio: Option<f64>,
    /// Deadlocks since the counts began.
    pub deadlocks: i64,
    /// How much of the transaction numbers is used before the server must stop, 0 to 100.
    pub wraparound_percent: f64,
    /// Rates over the last seconds.
    pub rates: Option<Rates>,
}

/// A transaction that takes long.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Running {
    /// Its process.
    pub pid: i32,
    /// Who runs it.
    pub user: Option<String>,
    /// Where.
    pub database: Option<String>,
    /// What the client calls itself.
    pub application: Option<String>,
    /// What it does.
    pub state: Option<String>,
    /// How long the transaction has been running.
    pub seconds: f64,
    /// The first 200 letters of its query.
    pub query: Option<String>,
}

/// A backend that waits for a lock.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Blocked {
    /// Its process.
    pub pid: i32,
    /// Who waits.
    pub user: Option<String>,
    /// Where.
    pub database: Option<String>,
    /// How long its query has been running.
    pub seconds: Option<f64>,
    /// The first 200 letters of its query.
    pub query: Option<String>,
    /// Those that it waits for.
    pub blocked_by: Vec<Blocker>,
}

/// A backend that others wait for.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Blocker {
    /// Its process.
    pub pid: i32,
    /// Whose it is.
    pub user: Option<String>,
    /// What it does; `idle in transaction` holds its locks without doing anything.
    pub state: Option<String>,
    /// The first 200 letters of its query.
    pub query: Option<String>,
}

/// A vacuum that runs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Vacuum {
    /// Its database.
    pub database: Option<String>,
    /// Its table: by name in the database that we are connected to, by number elsewhere.
    pub table: Option<String>,
    /// What it does; `null` when it is another role's and we may not see it.
    pub phase: Option<String>,
    /// How much of the table it has scanned, 0 to 100.
    pub scanned_percent: Option<f64>,
}

/// A table whose dead rows wait for vacuum.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VacuumDebt {
    /// Its database.
    pub database: String,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// Rows that wait, estimated.
    pub dead_rows: i64,
    /// Rows that are alive, estimated.
    pub live_rows: i64,
    /// When either vacuum last ran, Unix seconds.
    pub last_vacuum: Option<f64>,
}

/// Replication.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Replication {
    /// It replays another server's changes.
    pub is_replica: bool,
    /// How far it is behind, in seconds; 0 when all that was received is replayed, `null` when it is cut off.
    pub lag_seconds: Option<f64>,
    /// How long, at least, a standby has heard nothing from the server that it receives from.
    pub silent_seconds: Option<f64>,
    /// Whether a standby should receive changes and does not.
    pub cut_off: Option<bool>,
    /// Those that receive its changes.
    pub receivers: Option<Vec<Receiver>>,
    /// Slots that nobody uses and that keep WAL.
    pub inactive_slots: Option<Vec<InactiveSlot>>,
}

/// A receiver of changes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Receiver {
    /// What it calls itself.
    pub application: Option<String>,
    /// Where it is.
    pub client: Option<String>,
    /// `streaming`, `catchup` and so on.
    pub state: Option<String>,
    /// How far it is behind.
    pub lag_bytes: Option<f64>,
    /// How long it takes.
    pub lag_seconds: Option<f64>,
}

/// A slot that nobody uses.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InactiveSlot {
    /// Its name.
    pub name: String,
    /// WAL that is kept for it.
    pub kept_bytes: Option<f64>,
}
