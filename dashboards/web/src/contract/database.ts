// Generated from docs/api.database.schema.json: npm run contract.

/**
 * Why a value is not there, as a code that programs can act on.
 */
export type Reason =
  | "no_sensor"
  | "not_configured"
  | "unreachable"
  | "no_table"
  | "no_permission"
  | "stale"
  | "unreadable"
  | (string & {});

/**
 * One message.
 */
export interface DatabaseUpdate {
  /**
   * From one sample to the next, in seconds.
   */
  interval_seconds: number;
  /**
   * The first server; `null` when no reading is on time.
   */
  metrics: Metrics | null;
  /**
   * Why `metrics` is `null`.
   */
  missing?: {
    [k: string]: Missing;
  };
  /**
   * The other servers.
   */
  others: Metrics[];
  /**
   * When the servers were asked, or found not to be watched, RFC 3339.
   */
  sampled_at: string;
  /**
   * One more with each message.
   */
  seq: number;
  /**
   * The same as `sampled_at`.
   */
  timestamp: string;
  /**
   * Always `database_update`.
   */
  type: string;
}
/**
 * One server.
 */
export interface Metrics {
  /**
   * Rates of all databases together.
   */
  activity: Rates | null;
  /**
   * How long before that its values were read, while its newest sample has not returned; else 0.
   */
  age_seconds: number;
  /**
   * Backends that wait for a lock, and for whom, up to 20.
   */
  blocked: Blocked[] | null;
  /**
   * Who is connected.
   */
  connections: Connections | null;
  /**
   * The database that we are connected to.
   */
  database: string;
  /**
   * Size of the database that we are connected to.
   */
  database_size: Size | null;
  /**
   * Each database.
   */
  databases: Database[] | null;
  /**
   * Why it is not connected.
   */
  error?: string | null;
  health: Health;
  /**
   * Where it is.
   */
  host: string;
  /**
   * Transactions that have been running for more than 30 s, longest first, up to 20.
   */
  long_running: Running[] | null;
  /**
   * Why something is `null` or absent, by its path.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * Its name in the configuration.
   */
  name: string;
  /**
   * Replication.
   */
  replication: Replication | null;
  /**
   * `primary` or `replica`.
   */
  role: string | null;
  /**
   * Statements that take more than 100 ms on average; absent when there is none or nobody counts.
   */
  slow_queries?: SlowQuery[] | null;
  /**
   * `connected`, `disconnected` when it does not answer, `error` when it does not let us in.
   */
  status: string;
  /**
   * The largest tables, up to 20.
   */
  table_sizes: TableSize[] | null;
  /**
   * When it was asked, RFC 3339.
   */
  timestamp: string;
  /**
   * Tables with most rows that wait for vacuum, up to 10.
   */
  vacuum_debt: VacuumDebt[] | null;
  /**
   * Vacuums that run now.
   */
  vacuums: Vacuum[] | null;
  /**
   * Its version.
   */
  version: string | null;
}
/**
 * Rates over the last seconds.
 */
export interface Rates {
  /**
   * Blocks found in the buffer cache by all that were wanted; `null` when none was.
   */
  cache_hit_ratio: number | null;
  /**
   * Transactions committed a second.
   */
  commits_per_second: number;
  /**
   * Deadlocks in the window.
   */
  deadlocks: number;
  /**
   * Rolled back by all; `null` without a transaction.
   */
  rollback_ratio: number | null;
  /**
   * Transactions rolled back a second.
   */
  rollbacks_per_second: number;
  rows_per_second: RowRates;
  /**
   * Bytes written to temporary files a second.
   */
  temp_bytes_per_second: number;
  /**
   * Over so many seconds.
   */
  window_seconds: number;
}
/**
 * Rows a second.
 */
export interface RowRates {
  /**
   * Deleted.
   */
  deleted: number;
  /**
   * Inserted.
   */
  inserted: number;
  /**
   * Returned by scans.
   */
  returned: number;
  /**
   * Updated.
   */
  updated: number;
}
/**
 * A backend that waits for a lock.
 */
export interface Blocked {
  /**
   * Those that it waits for.
   */
  blocked_by: Blocker[];
  /**
   * Where.
   */
  database: string | null;
  /**
   * Its process.
   */
  pid: number;
  /**
   * The first 200 letters of its query.
   */
  query: string | null;
  /**
   * How long its query has been running.
   */
  seconds: number | null;
  /**
   * Who waits.
   */
  user: string | null;
}
/**
 * A backend that others wait for.
 */
export interface Blocker {
  /**
   * Its process.
   */
  pid: number;
  /**
   * The first 200 letters of its query.
   */
  query: string | null;
  /**
   * What it does; `idle in transaction` holds its locks without doing anything.
   */
  state: string | null;
  /**
   * Whose it is.
   */
  user: string | null;
}
/**
 * Clients and their limit; our own connection is left out.
 */
export interface Connections {
  /**
   * Clients whose query runs now.
   */
  active: number | null;
  /**
   * The server's own processes: not counted against the limit.
   */
  background: number;
  /**
   * Who holds them, most first, up to 20.
   */
  holders: Holder[];
  /**
   * Clients that wait for nothing.
   */
  idle: number | null;
  /**
   * Clients inside a transaction that do nothing.
   */
  idle_in_transaction: number | null;
  /**
   * `max_connections`.
   */
  max: number | null;
  /**
   * Clients of the database that we are connected to.
   */
  this_database: number;
  /**
   * Clients of all databases.
   */
  total: number;
  /**
   * `total` by `max`, 0 to 100.
   */
  utilization_percent: number | null;
}
/**
 * Who holds connections.
 */
export interface Holder {
  /**
   * What the client calls itself.
   */
  application: string;
  /**
   * Where it is; `null` for a local socket.
   */
  client: string | null;
  /**
   * How many.
   */
  count: number;
  /**
   * The database.
   */
  database: string | null;
  /**
   * The role.
   */
  user: string;
}
/**
 * A size.
 */
export interface Size {
  /**
   * In bytes.
   */
  bytes: number;
  /**
   * By so many bytes.
   */
  growth_bytes?: number | null;
  /**
   * In so many seconds.
   */
  growth_seconds?: number | null;
  /**
   * In MiB.
   */
  mb: number;
  /**
   * As PostgreSQL writes it.
   */
  pretty: string;
}
/**
 * One database.
 */
export interface Database {
  /**
   * Backends connected to it.
   */
  backends: number;
  /**
   * Blocks found in the buffer cache by all, since the counts began.
   */
  cache_hit_ratio: number | null;
  /**
   * Deadlocks since the counts began.
   */
  deadlocks: number;
  /**
   * By so many bytes.
   */
  growth_bytes?: number | null;
  /**
   * In so many seconds.
   */
  growth_seconds?: number | null;
  /**
   * Its name.
   */
  name: string;
  /**
   * Rates over the last seconds.
   */
  rates: Rates | null;
  /**
   * Transactions rolled back by all, since the counts began.
   */
  rollback_ratio: number | null;
  /**
   * Its size in bytes.
   */
  size_bytes: number | null;
  /**
   * How much of the transaction numbers is used before the server must stop, 0 to 100.
   */
  wraparound_percent: number;
}
/**
 * Whether all is well.
 */
export interface Health {
  /**
   * It accepts connections.
   */
  accepting_connections: boolean;
  /**
   * Backends that wait for a lock.
   */
  blocked_queries: number | null;
  /**
   * Queries that have been running for more than 30 s.
   */
  long_running_queries: number | null;
  /**
   * What is not well, with its number.
   */
  reasons: string[];
  /**
   * `healthy`, `degraded`, or `unknown` when it could not be judged.
   */
  status: string;
  /**
   * How long it has been running.
   */
  uptime_seconds: number | null;
}
/**
 * A transaction that takes long.
 */
export interface Running {
  /**
   * What the client calls itself.
   */
  application: string | null;
  /**
   * Where.
   */
  database: string | null;
  /**
   * Its process.
   */
  pid: number;
  /**
   * The first 200 letters of its query.
   */
  query: string | null;
  /**
   * How long the transaction has been running.
   */
  seconds: number;
  /**
   * What it does.
   */
  state: string | null;
  /**
   * Who runs it.
   */
  user: string | null;
}
/**
 * A value that is not there: the code for programs, the sentence for people.
 */
export interface Missing {
  /**
   * What was tried and what would help; names the file, view or address.
   */
  detail: string;
  reason: Reason;
}
/**
 * Replication.
 */
export interface Replication {
  /**
   * Slots that nobody uses and that keep WAL.
   */
  inactive_slots: InactiveSlot[] | null;
  /**
   * It replays another server's changes.
   */
  is_replica: boolean;
  /**
   * How far it is behind, in seconds; 0 when all that was received is replayed.
   */
  lag_seconds: number | null;
  /**
   * Those that receive its changes.
   */
  receivers: Receiver[] | null;
}
/**
 * A slot that nobody uses.
 */
export interface InactiveSlot {
  /**
   * WAL that is kept for it.
   */
  kept_bytes: number | null;
  /**
   * Its name.
   */
  name: string;
}
/**
 * A receiver of changes.
 */
export interface Receiver {
  /**
   * What it calls itself.
   */
  application: string | null;
  /**
   * Where it is.
   */
  client: string | null;
  /**
   * How far it is behind.
   */
  lag_bytes: number | null;
  /**
   * How long it takes.
   */
  lag_seconds: number | null;
  /**
   * `streaming`, `catchup` and so on.
   */
  state: string | null;
}
/**
 * A slow statement.
 */
export interface SlowQuery {
  /**
   * How often it ran.
   */
  calls: number;
  /**
   * Its database.
   */
  database: string | null;
  /**
   * Milliseconds each time.
   */
  mean_time_ms: number;
  /**
   * The first 200 letters; `null` when it is another role's and we may not see it.
   */
  query: string | null;
  /**
   * Rows in all.
   */
  rows: number;
  /**
   * Milliseconds in all.
   */
  total_time_ms: number;
}
/**
 * A table's size with everything that belongs to it.
 */
export interface TableSize {
  /**
   * Its database.
   */
  database: string;
  /**
   * By so many bytes.
   */
  growth_bytes?: number | null;
  /**
   * In so many seconds.
   */
  growth_seconds?: number | null;
  /**
   * Its schema.
   */
  schema: string;
  /**
   * In bytes, indexes and long values included.
   */
  size_bytes: number;
  /**
   * As PostgreSQL writes it.
   */
  size_pretty: string;
  /**
   * Its name.
   */
  table: string;
}
/**
 * A table whose dead rows wait for vacuum.
 */
export interface VacuumDebt {
  /**
   * Its database.
   */
  database: string;
  /**
   * Rows that wait, estimated.
   */
  dead_rows: number;
  /**
   * When either vacuum last ran, Unix seconds.
   */
  last_vacuum: number | null;
  /**
   * Rows that are alive, estimated.
   */
  live_rows: number;
  /**
   * Its schema.
   */
  schema: string;
  /**
   * Its name.
   */
  table: string;
}
/**
 * A vacuum that runs.
 */
export interface Vacuum {
  /**
   * Its database.
   */
  database: string | null;
  /**
   * What it does; `null` when it is another role's and we may not see it.
   */
  phase: string | null;
  /**
   * How much of the table it has scanned, 0 to 100.
   */
  scanned_percent: number | null;
  /**
   * Its table: by name in the database that we are connected to, by number elsewhere.
   */
  table: string | null;
}
