// Generated from docs/api.openapi.json: npm run contract.

/**
 * Why a value is not there, as a code that programs can act on.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Reason".
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
 * How severe an event is.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Level".
 */
export type Level = "debug" | "info" | "warning" | "error" | (string & {});
/**
 * What became of what was asked for.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Outcome".
 */
export type Outcome = "allowed" | "denied" | "pending" | "limited" | "ok" | "failed" | "none" | (string & {});
/**
 * How trust is counted. The two scales have nothing in common but the word.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "TrustScale".
 */
export type TrustScale = "priority_1_10" | "taxonomy_0_5" | (string & {});

/**
 * What a GET of each path is answered with.
 */
export interface Answers {
  "/api/database": DatabaseUpdate;
  "/api/database/metrics": ServerMetrics;
  "/api/debates": DebateUpdate;
  "/api/governance": GovernanceUpdate;
  "/api/governance/audit-logs": AuditPage;
  "/api/governance/roles": RolesResponse;
  "/api/models": ModelUpdate;
  "/api/system": SystemUpdate;
  "/api/system/history": SystemHistory;
  "/api/system/stats": SystemStats;
  "/v1/debate/history": DebateHistory;
  "/v1/debate/leaderboard": Leaderboard;
  "/v1/models/health": ModelsHealth;
  "/v1/models/status": ModelsStatus;
}
/**
 * A message of `/ws/database`, and what `/api/database` answers.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "DatabaseUpdate".
 */
export interface DatabaseUpdate {
  /**
   * Seconds from one sample to the next (`sources.postgres.interval`).
   */
  interval_seconds: number;
  /**
   * The first server of the configuration; `null` while no reading is on time.
   */
  metrics: ServerMetrics | null;
  /**
   * Why `metrics` is `null`; absent when it is not.
   */
  missing?: {
    [k: string]: Missing;
  };
  /**
   * The other servers, in the order of the configuration.
   */
  others: ServerMetrics[];
  /**
   * When the newest reading of the servers was begun, RFC 3339 in UTC; when the message was made, while there is
   * none.
   */
  sampled_at: string;
  /**
   * Grows by one with each message since the agent started.
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
 * A PostgreSQL server. What the agent's role may not see is `null` or absent, and `missing` names the right that it
 * lacks.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "ServerMetrics".
 */
export interface ServerMetrics {
  /**
   * Rates of all databases together, from pg_stat_database; `null` until there are two readings, and when the
   * counters were reset.
   */
  activity: Rates | null;
  /**
   * How many seconds before that the values were read, while the newest sample of this server has not returned;
   * else 0.
   */
  age_seconds: number;
  /**
   * Clients that wait for a lock, and for whom (pg_stat_activity, `pg_blocking_pids()`), 20 at most.
   */
  blocked: BlockedBackend[] | null;
  /**
   * Who is connected, from pg_stat_activity.
   */
  connections: Connections | null;
  /**
   * Name of the database that the agent is connected to.
   */
  database: string;
  /**
   * Size of the database that the agent is connected to (`pg_database_size`), read every `slow_interval`.
   */
  database_size: DatabaseSize | null;
  /**
   * Each database that can be connected to, from pg_stat_database.
   */
  databases: Database[] | null;
  /**
   * Why it is not connected, as a sentence; absent when it is.
   */
  error?: string | null;
  health: ServerHealth;
  /**
   * Its address as `host:port`, or the path of its socket.
   */
  host: string;
  /**
   * Transactions of clients that have been running for more than 30 s (pg_stat_activity), longest first, 20 at
   * most.
   */
  long_running: RunningTransaction[] | null;
  /**
   * Why something is `null` or absent, by its path here; the sentence has the SQL that would grant a right.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * The server's name in the configuration; `host:port` unless one is given.
   */
  name: string;
  /**
   * Who follows whom, and how far behind.
   */
  replication: Replication | null;
  /**
   * `primary`, or `replica` while it replays another server's changes (`pg_is_in_recovery()`).
   */
  role: string | null;
  /**
   * Statements that take more than 100 ms on average, from pg_stat_statements; absent when there is none, or the
   * extension is not there.
   */
  slow_queries?: SlowQuery[] | null;
  /**
   * `connected`; `disconnected` when it does not answer; `error` when it does not let the agent in.
   */
  status: string;
  /**
   * The 20 largest tables of all databases that are looked into, largest first, read every `slow_interval`.
   */
  table_sizes: TableSize[] | null;
  /**
   * When the sample was begun, RFC 3339 in UTC.
   */
  timestamp: string;
  /**
   * The 10 tables with most dead rows, most first, from pg_stat_user_tables; without those that have none.
   */
  vacuum_debt: VacuumDebt[] | null;
  /**
   * Vacuums that run now, from pg_stat_progress_vacuum.
   */
  vacuums: Vacuum[] | null;
  /**
   * Its version: `17.2`; `null` while it is not connected.
   */
  version: string | null;
}
/**
 * What pg_stat_database counted over the last seconds, by these seconds. Absent as a whole when a counter was set
 * back.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Rates".
 */
export interface Rates {
  /**
   * Blocks found in the server's buffers as a share of all that were wanted, 0 to 1; `null` when none was.
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
   * Transactions rolled back as a share of all, 0 to 1; `null` without a transaction.
   */
  rollback_ratio: number | null;
  /**
   * Transactions rolled back a second.
   */
  rollbacks_per_second: number;
  rows_per_second: RowRates;
  /**
   * Bytes a second written to temporary files, as by sorts that `work_mem` does not hold.
   */
  temp_bytes_per_second: number;
  /**
   * Seconds between the two readings.
   */
  window_seconds: number;
}
/**
 * Rows a second, from pg_stat_database.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "RowRates".
 */
export interface RowRates {
  /**
   * Rows deleted.
   */
  deleted: number;
  /**
   * Rows inserted.
   */
  inserted: number;
  /**
   * Live rows that scans fetched or index entries that they returned (`tup_returned`).
   */
  returned: number;
  /**
   * Rows updated.
   */
  updated: number;
}
/**
 * A client that waits for a lock, from pg_stat_activity.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "BlockedBackend".
 */
export interface BlockedBackend {
  /**
   * Those that it waits for (`pg_blocking_pids()`).
   */
  blocked_by: BlockingBackend[];
  /**
   * Name of its database.
   */
  database: string | null;
  /**
   * Number of its server process.
   */
  pid: number;
  /**
   * The first 200 letters of its query.
   */
  query: string | null;
  /**
   * How long its query has been running, in seconds.
   */
  seconds: number | null;
  /**
   * Name of the role that waits.
   */
  user: string | null;
}
/**
 * A server process that others wait for. All but its number is `null` when it is gone or hidden.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "BlockingBackend".
 */
export interface BlockingBackend {
  /**
   * Its number; 0 for a prepared transaction.
   */
  pid: number;
  /**
   * The first 200 letters of its newest query.
   */
  query: string | null;
  /**
   * What it does; `idle in transaction` holds its locks without doing anything.
   */
  state: string | null;
  /**
   * Name of its role.
   */
  user: string | null;
}
/**
 * Clients and their limit, from pg_stat_activity. The agent's own connections are left out. All but `max` is `null`
 * where the agent's role may not see what others do (`pg_monitor`).
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Connections".
 */
export interface Connections {
  /**
   * Clients whose query runs now.
   */
  active: number | null;
  /**
   * The server's own processes, which are not counted against the limit.
   */
  background: number | null;
  /**
   * Who holds connections, most first, 20 at most.
   */
  holders: Holder[] | null;
  /**
   * Clients that wait for nothing.
   */
  idle: number | null;
  /**
   * Clients inside a transaction that do nothing, aborted ones included: they hold their locks.
   */
  idle_in_transaction: number | null;
  /**
   * Setting `max_connections`.
   */
  max: number | null;
  /**
   * Clients of the database that the agent is connected to.
   */
  this_database: number | null;
  /**
   * Clients of all databases.
   */
  total: number | null;
  /**
   * `total` as a share of `max`, 0 to 100.
   */
  utilization_percent: number | null;
}
/**
 * Clients of one role, program, address and database.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Holder".
 */
export interface Holder {
  /**
   * What the clients call themselves (`application_name`); empty when they say nothing.
   */
  application: string;
  /**
   * Address that they connect from; `null` for a local socket.
   */
  client: string | null;
  /**
   * How many connections.
   */
  count: number;
  /**
   * Name of their database; `null` for those that have none, as receivers of WAL.
   */
  database: string | null;
  /**
   * Name of the role; empty when it is not known.
   */
  user: string;
}
/**
 * A size, and how it grew.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "DatabaseSize".
 */
export interface DatabaseSize {
  /**
   * In bytes.
   */
  bytes: number;
  /**
   * By so many bytes; negative when it shrank.
   */
  growth_bytes?: number | null;
  /**
   * In so many seconds: the time between the oldest size that is remembered and the newest, an hour at most.
   */
  growth_seconds?: number | null;
  /**
   * In MiB.
   */
  mb: number;
  /**
   * As PostgreSQL writes it (`pg_size_pretty`): `42 MB`.
   */
  pretty: string;
}
/**
 * A database, from pg_stat_database. Counts are since its statistics were reset.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Database".
 */
export interface Database {
  /**
   * Connections to it, the agent's included.
   */
  backends: number;
  /**
   * Blocks found in the server's buffers as a share of all that were wanted, 0 to 1; `null` when none was.
   */
  cache_hit_ratio: number | null;
  /**
   * Deadlocks that the server has resolved.
   */
  deadlocks: number;
  /**
   * By so many bytes; negative when it shrank.
   */
  growth_bytes?: number | null;
  /**
   * In so many seconds: the time between the oldest size that is remembered and the newest, an hour at most.
   */
  growth_seconds?: number | null;
  /**
   * As in `pg_database.datname`.
   */
  name: string;
  /**
   * Rates over the last seconds; `null` until there are two readings, and when the counters were reset.
   */
  rates: Rates | null;
  /**
   * Transactions rolled back as a share of all, 0 to 1; `null` without a transaction.
   */
  rollback_ratio: number | null;
  /**
   * How many seconds ago that was read.
   */
  size_age_seconds: number | null;
  /**
   * Its size in bytes (`pg_database_size`), read every `slow_interval`; `null` where the agent's role may not ask.
   */
  size_bytes: number | null;
  /**
   * How much of the transaction numbers is used before the server must stop (`age(datfrozenxid)`), 0 to 100.
   * Vacuum brings it down.
   */
  wraparound_percent: number;
}
/**
 * Whether all is well, with the numbers behind it.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "ServerHealth".
 */
export interface ServerHealth {
  /**
   * The agent is connected.
   */
  accepting_connections: boolean;
  /**
   * Clients that wait for a lock; `null` where the agent's role may not see them.
   */
  blocked_queries: number | null;
  /**
   * Queries of clients that have been running for more than 30 s; `null` where the agent's role may not see them.
   */
  long_running_queries: number | null;
  /**
   * What is not well, each with its number in a sentence. Not all of it makes the server `degraded`.
   */
  reasons: string[];
  /**
   * `degraded` when somebody waits for a lock or a standby is cut off, else `healthy`; `unknown` when it cannot be
   * judged.
   */
  status: string;
  /**
   * Seconds since the server was started (`pg_postmaster_start_time()`).
   */
  uptime_seconds: number | null;
}
/**
 * A transaction that takes long, from pg_stat_activity.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "RunningTransaction".
 */
export interface RunningTransaction {
  /**
   * What the client calls itself (`application_name`).
   */
  application: string | null;
  /**
   * Name of its database.
   */
  database: string | null;
  /**
   * Number of its server process.
   */
  pid: number;
  /**
   * The first 200 letters of its newest query.
   */
  query: string | null;
  /**
   * How long the transaction has been running, in seconds.
   */
  seconds: number;
  /**
   * What it does: `active`, `idle in transaction` and others.
   */
  state: string | null;
  /**
   * Name of the role that runs it.
   */
  user: string | null;
}
/**
 * Why something is not there: the code for programs, the sentence for people.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Missing".
 */
export interface Missing {
  /**
   * What was tried and what would help; names the file, view or address.
   */
  detail: string;
  reason: Reason;
}
/**
 * Who follows whom, and how far behind.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Replication".
 */
export interface Replication {
  /**
   * Whether a standby should receive changes and does not; `null` on a primary.
   */
  cut_off: boolean | null;
  /**
   * Replication slots that nobody uses and that keep WAL, from pg_replication_slots: they fill the disk.
   */
  inactive_slots: InactiveSlot[] | null;
  /**
   * Whether it replays another server's changes (`pg_is_in_recovery()`).
   */
  is_replica: boolean;
  /**
   * How far it is behind, in seconds: the age of the newest change that it has replayed, 0 when all that was
   * received is. `null` on a primary, and when it is cut off.
   */
  lag_seconds: number | null;
  /**
   * Those that receive its changes, from pg_stat_replication.
   */
  receivers: ReplicationReceiver[] | null;
  /**
   * How long, at least, a standby has heard nothing from the server that it receives from (pg_stat_wal_receiver),
   * in seconds.
   */
  silent_seconds: number | null;
}
/**
 * A replication slot that nobody uses, from pg_replication_slots.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "InactiveSlot".
 */
export interface InactiveSlot {
  /**
   * Bytes of WAL that are kept for it; `null` when it keeps none.
   */
  kept_bytes: number | null;
  /**
   * As in `pg_replication_slots.slot_name`.
   */
  name: string;
}
/**
 * Who receives the server's changes, from pg_stat_replication.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "ReplicationReceiver".
 */
export interface ReplicationReceiver {
  /**
   * What it calls itself (`application_name`).
   */
  application: string | null;
  /**
   * Address that it connects from; `null` for a local socket.
   */
  client: string | null;
  /**
   * Bytes of WAL that it has not replayed yet.
   */
  lag_bytes: number | null;
  /**
   * How long the newest WAL took until it was replayed there (`replay_lag`), in seconds; `null` when there was
   * none lately.
   */
  lag_seconds: number | null;
  /**
   * `startup`, `catchup`, `streaming`, `backup` or `stopping`.
   */
  state: string | null;
}
/**
 * A statement that takes more than 100 ms on average, from pg_stat_statements. Counts are since its statistics were
 * reset.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "SlowQuery".
 */
export interface SlowQuery {
  /**
   * How often it ran.
   */
  calls: number;
  /**
   * Name of its database; `null` when that is gone.
   */
  database: string | null;
  /**
   * Milliseconds that a run took on average.
   */
  mean_time_ms: number;
  /**
   * Its first 200 letters, constants as `$1`; `null` when it is another role's and the agent's may not see it.
   */
  query: string | null;
  /**
   * Rows that all runs returned or changed.
   */
  rows: number;
  /**
   * Milliseconds that all runs took.
   */
  total_time_ms: number;
}
/**
 * A table's size with everything that belongs to it.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "TableSize".
 */
export interface TableSize {
  /**
   * Name of its database.
   */
  database: string;
  /**
   * By so many bytes; negative when it shrank.
   */
  growth_bytes?: number | null;
  /**
   * In so many seconds: the time between the oldest size that is remembered and the newest, an hour at most.
   */
  growth_seconds?: number | null;
  /**
   * Name of its schema.
   */
  schema: string;
  /**
   * In bytes, indexes and long values (TOAST) included.
   */
  size_bytes: number;
  /**
   * As PostgreSQL writes it (`pg_size_pretty`).
   */
  size_pretty: string;
  /**
   * The table, without its schema.
   */
  table: string;
}
/**
 * A table whose dead rows wait for vacuum, from pg_stat_user_tables.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "VacuumDebt".
 */
export interface VacuumDebt {
  /**
   * Name of its database.
   */
  database: string;
  /**
   * Rows that wait, as the server estimates (`n_dead_tup`).
   */
  dead_rows: number;
  /**
   * When it was last vacuumed, by hand or by autovacuum, in Unix seconds; `null` when it never was.
   */
  last_vacuum: number | null;
  /**
   * Rows that are alive, as the server estimates (`n_live_tup`).
   */
  live_rows: number;
  /**
   * Name of its schema.
   */
  schema: string;
  /**
   * The table, without its schema.
   */
  table: string;
}
/**
 * A vacuum that runs, from pg_stat_progress_vacuum.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Vacuum".
 */
export interface Vacuum {
  /**
   * Name of its database.
   */
  database: string | null;
  /**
   * What it does: `scanning heap`, `vacuuming indexes` and others; `null` when it is another role's and the
   * agent's may not see it.
   */
  phase: string | null;
  /**
   * How much of the table it has scanned, 0 to 100.
   */
  scanned_percent: number | null;
  /**
   * Its table: by name in the database that the agent is connected to, by number elsewhere.
   */
  table: string | null;
}
/**
 * A message of `/ws/debates`, and what `/api/debates` answers. Times of debates are those of the installation's
 * clock without a zone, usually UTC. Only finished debates count.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "DebateUpdate".
 */
export interface DebateUpdate {
  /**
   * How many debates there are, by status; `null` when they could not be read.
   */
  counts: DebateCounts | null;
  /**
   * Every model that has debated or has a row in the installation's ranking, by rating, best first.
   */
  leaderboard: DebateModel[];
  /**
   * Why something is `null` or empty, by its path here.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * What is easily taken for something else, in two sentences.
   *
   * @minItems 2
   * @maxItems 2
   */
  notes: [string, string];
  /**
   * The 20 newest debates, newest first.
   */
  recent: Debate[];
  /**
   * When PostgreSQL was asked, RFC 3339 in UTC.
   */
  sampled_at: string;
  /**
   * Grows by one with each reading of PostgreSQL since the agent started.
   */
  seq: number;
  /**
   * Address of the server that holds the debates; `null` when none does.
   */
  server: string | null;
  /**
   * The same, under the name and in the shape of the older message `model_stats_update`.
   */
  stats: DebateModelRow[];
  /**
   * The same as `sampled_at`.
   */
  timestamp: string;
  /**
   * Always `debate_update`.
   */
  type: string;
}
/**
 * How many debates there are, by their status.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "DebateCounts".
 */
export interface DebateCounts {
  /**
   * Given up (`cancelled`).
   */
  cancelled: number;
  /**
   * Finished (`completed`): only these count for a model.
   */
  completed: number;
  /**
   * Not begun (`pending`).
   */
  pending: number;
  /**
   * Under way (`running`).
   */
  running: number;
  /**
   * All that were read.
   */
  total: number;
  /**
   * Finished, but an argument is an error message; `null` when rounds could not be read.
   */
  with_errors: number | null;
  /**
   * Finished, but no round is stored; `null` when rounds could not be read.
   */
  without_rounds: number | null;
}
/**
 * What the finished debates say of a model.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "DebateModel".
 */
export interface DebateModel {
  /**
   * Most wins in a row.
   */
  best_streak: number;
  /**
   * Wins in a row up to now; negative for losses, 0 after a draw.
   */
  current_streak: number;
  /**
   * Wins as a share of the debates that somebody won, 0 to 1; `null` without one.
   */
  decided_win_rate: number | null;
  /**
   * Its name for people, from the installation's ranking; `null` when it is not ranked.
   */
  display_name: string | null;
  /**
   * Debates without a winner.
   */
  draws: number;
  /**
   * The stored rating, else the recomputed one: what the place is made from. `null` when there is neither.
   */
  elo: number | null;
  /**
   * The rating computed from all finished debates in their order, from 1500 with K = 32; `null` when not all were
   * read.
   */
  elo_recomputed: number | null;
  /**
   * The stored rating (`model_rankings`); the installation does not always update it.
   */
  elo_stored: number | null;
  /**
   * When its last debate ended; `null` without one.
   */
  last_debate_at: string | null;
  /**
   * Debates lost.
   */
  losses: number;
  /**
   * Its 10 newest debates, newest first.
   */
  matches: Match[];
  /**
   * Mean of the judge's points for it, 0 to 100; `null` when none are stored.
   */
  mean_score: number | null;
  /**
   * The model as Ollama names it, with its tag.
   */
  model: string;
  /**
   * Its place by `elo`, from 1; equal ratings share a place.
   */
  rank: number;
  /**
   * Whether the installation has a row for it in its ranking (`model_rankings`).
   */
  ranked: boolean;
  /**
   * What the installation's ranking counts, where that differs from the debates; `null` where it does not.
   */
  stored: StoredRanking | null;
  /**
   * All three together.
   */
  total_debates: number;
  /**
   * Wins as a share of all its debates, 0 to 1, as older dashboards show it; `null` without a debate.
   */
  win_rate: number | null;
  /**
   * Debates won.
   */
  wins: number;
  /**
   * Its finished debates in which an argument is an error message; `null` when rounds could not be read.
   */
  with_errors: number | null;
}
/**
 * A debate from the point of view of a model.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Match".
 */
export interface Match {
  /**
   * When it ended.
   */
  completed_at: string | null;
  /**
   * The debate's number, as text.
   */
  debate_id: string;
  /**
   * The stored change of its rating; `null` when none is stored.
   */
  elo_change: number | null;
  /**
   * Name of the model that stood against it.
   */
  opponent: string;
  /**
   * `win`, `loss` or `draw`.
   */
  result: string;
}
/**
 * What the installation's ranking counts (`model_rankings`).
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "StoredRanking".
 */
export interface StoredRanking {
  /**
   * Debates without a winner.
   */
  draws: number | null;
  /**
   * Debates lost.
   */
  losses: number | null;
  /**
   * All its debates.
   */
  total_debates: number | null;
  /**
   * Debates won.
   */
  wins: number | null;
}
/**
 * A debate, from the tables `debates` and `debate_rounds`.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Debate".
 */
export interface Debate {
  /**
   * A stored rating before it is not what that model's debate before left: the installation was started anew in
   * between.
   */
  chain_broken: boolean;
  /**
   * When it ended; `null` while it has not.
   */
  completed_at: string | null;
  /**
   * Its number, as text.
   */
  debate_id: string;
  /**
   * Finished without a winner.
   */
  draw: boolean;
  /**
   * Seconds from `started_at` to `completed_at`; `null` when one of them is.
   */
  duration_seconds: number | null;
  /**
   * Stored rating of A before it.
   */
  elo_before_a: number | null;
  /**
   * Stored rating of B before it.
   */
  elo_before_b: number | null;
  /**
   * Stored change for A.
   */
  elo_change_a: number | null;
  /**
   * Stored change for B.
   */
  elo_change_b: number | null;
  /**
   * An argument is an error message, so the result means nothing; `null` when rounds could not be read.
   */
  has_errors: boolean | null;
  /**
   * Whether the judge is one of the two.
   */
  judge_debates: boolean;
  /**
   * Name of the model that judges; `null` without one.
   */
  judge_model: string | null;
  /**
   * How far the points are apart, as a share of 100: 0 to 1.
   */
  margin: number | null;
  /**
   * Name of the model that speaks for it.
   */
  model_a: string;
  /**
   * Name of the model that speaks against it.
   */
  model_b: string;
  /**
   * The judge's points for A, 0 to 100; `null` when none are stored.
   */
  score_a: number | null;
  /**
   * The judge's points for B, 0 to 100; `null` when none are stored.
   */
  score_b: number | null;
  /**
   * When it began.
   */
  started_at: string | null;
  /**
   * `pending`, `running`, `completed` or `cancelled`.
   */
  status: string | null;
  /**
   * What it is about.
   */
  topic: string;
  /**
   * The topic's category; `null` without one.
   */
  topic_category: string | null;
  /**
   * How many rounds were meant.
   */
  total_rounds: number | null;
  /**
   * Stored turns; `null` when rounds could not be read.
   */
  turns: number | null;
  /**
   * What the judge said; `null` when nothing is stored.
   */
  verdict: string | null;
  /**
   * Name of the model that won; `null` for a draw and for what is not finished.
   */
  winner: string | null;
  /**
   * The chance that the stored ratings before gave the winner, 0 to 1; `null` without a winner or ratings.
   */
  winner_expected: number | null;
}
/**
 * A model of the leaderboard in the older shape.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "DebateModelRow".
 */
export interface DebateModelRow {
  /**
   * The stored rating, else the recomputed one; `null` when there is neither.
   */
  elo_rating: number | null;
  /**
   * Debates lost.
   */
  losses: number;
  /**
   * The model's name.
   */
  model_name: string;
  /**
   * Finished debates.
   */
  total_debates: number;
  /**
   * Debates won.
   */
  wins: number;
}
/**
 * A message of `/ws/governance`, and what `/api/governance` answers.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "GovernanceUpdate".
 */
export interface GovernanceUpdate {
  /**
   * How the logs fare; `null` when no log is watched.
   */
  audit: AuditView | null;
  /**
   * The newest events of all logs, newest first; `null` when no log is watched.
   */
  audit_logs: EventView[] | null;
  /**
   * Why what is `null` is so, by its key.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * The roles of all installations; `null` when they are not watched.
   */
  roles: RolesView | null;
  /**
   * When the newer of the two readings, of roles and of logs, was begun, RFC 3339 in UTC; `null` when there is
   * neither.
   */
  sampled_at: string | null;
  /**
   * Grows by one with each message since the agent started.
   */
  seq: number;
  /**
   * When the message was made, RFC 3339 in UTC.
   */
  timestamp: string;
  /**
   * `governance_init` for the first message to a client, with 20 events; `governance_update` after that and at
   * `/api/governance`, with 10.
   */
  type: string;
}
/**
 * How the logs fare.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "AuditView".
 */
export interface AuditView {
  /**
   * Each log that is followed.
   */
  logs: LogView[];
  /**
   * Whether each line is counted once also over restarts of the agent; `null` without `storage.path`.
   */
  position_kept: boolean | null;
  /**
   * What does not work as it should, in sentences: files that cannot be read, positions that cannot be kept.
   */
  problems: string[];
  /**
   * Kinds of events of which more came within an hour than `sources.audit.spikes` allows.
   */
  spikes: SpikeView[];
}
/**
 * A log. Numbers count from when it was first followed.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "LogView".
 */
export interface LogView {
  /**
   * Events counted.
   */
  events: number;
  /**
   * How often lines may have been missed.
   */
  gaps: number;
  /**
   * The time of the event that was read last, by its own line, RFC 3339; `null` when that has none.
   */
  last_event: string | null;
  /**
   * Why it cannot be read; `null` when it can.
   */
  missing: Missing | null;
  /**
   * Its name: that of the configuration, else that of its file.
   */
  name: string;
  /**
   * Path of its live file.
   */
  path: string;
  /**
   * Size of the live file in bytes; `null` when there is none.
   */
  size_bytes: number | null;
  /**
   * Lines that are no events: blank, torn, no JSON objects, or longer than 1 MiB.
   */
  skipped: number;
  /**
   * `following`; `waiting`, when there is no such file yet; `unreadable`, when it may not be read.
   */
  state: string;
  /**
   * Bytes that are not counted yet: the agent catches up, or a last line has no end.
   */
  unread_bytes: number;
  /**
   * The kinds that `sources.audit.spikes` watches.
   */
  watched: Spike[];
}
/**
 * How many events of a kind that is watched came lately.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Spike".
 */
export interface Spike {
  /**
   * Events a second in the last 15 minutes, less those a second in the last hour: above zero it is getting more.
   */
  acceleration: number;
  /**
   * Events within the last hour, by their own times.
   */
  count: number;
  /**
   * The kind of event.
   */
  kind: string;
  /**
   * More than this within an hour is a spike (`sources.audit.spikes`).
   */
  limit: number;
  /**
   * Events within the last 15 minutes, by their own times.
   */
  recent: number;
  /**
   * Whether the limit is passed.
   */
  spike: boolean;
}
/**
 * A kind of event of which more came within an hour than its limit.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "SpikeView".
 */
export interface SpikeView {
  /**
   * Events a second in the last 15 minutes, less those a second in the last hour: above zero it is getting more.
   */
  acceleration: number;
  /**
   * Events within the last hour, by their own times.
   */
  count: number;
  /**
   * The kind of event.
   */
  kind: string;
  /**
   * More than this within an hour is a spike (`sources.audit.spikes`).
   */
  limit: number;
  /**
   * Name of the log.
   */
  log: string;
  /**
   * Events within the last 15 minutes, by their own times.
   */
  recent: number;
  /**
   * Whether the limit is passed.
   */
  spike: boolean;
}
/**
 * An event, with the names that older dashboards look for beside the others.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "EventView".
 */
export interface EventView {
  /**
   * Who did it; `null` when neither the line nor its kind says.
   */
  actor: string | null;
  /**
   * All fields that are not told elsewhere here, as the log has them.
   */
  details: {
    [k: string]: unknown;
  };
  /**
   * The same as `kind`.
   */
  event_type: string;
  /**
   * What happened: what the line calls it, else what its log holds.
   */
  kind: string;
  level: Level;
  /**
   * The same as `summary`.
   */
  message: string;
  outcome: Outcome;
  /**
   * Of a signed record: `valid`, `invalid`, or `not_checked` when there is no key
   * (`sources.audit.signing_key_file`). Absent on others.
   */
  signature?: string | null;
  source: AuditPlace;
  /**
   * One line for people, made from the fields.
   */
  summary: string;
  /**
   * When it happened, by its own line, RFC 3339 in UTC; `null` when the line does not say.
   */
  time: string | null;
  /**
   * Whether the line has no time that can be read.
   */
  time_missing: boolean;
  /**
   * The same as `time`.
   */
  timestamp: string | null;
}
/**
 * Where a line of an audit log stands.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "AuditPlace".
 */
export interface AuditPlace {
  /**
   * Number of the archive; 0 is the live file.
   */
  archive: number;
  /**
   * Path of the file.
   */
  file: string;
  /**
   * Name of the log.
   */
  log: string;
  /**
   * Where the line starts in the file, in bytes of what it holds unpacked.
   */
  offset: number;
}
/**
 * Roles as a tree and as a list.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "RolesView".
 */
export interface RolesView {
  /**
   * Each installation with its drafts, migrations and findings.
   */
  installations: InstallationView[];
  meta: RolesMeta;
  /**
   * The roles of all installations, the most trusted first.
   */
  roles: RoleView[];
  root: RoleRoot;
}
/**
 * An installation: a folder of `sources.roles.roots`.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "InstallationView".
 */
export interface InstallationView {
  /**
   * The newest drafts, 100 at most.
   */
  drafts: RoleDraft[];
  /**
   * Drafts that wait for somebody's decision.
   */
  drafts_pending: number;
  /**
   * What is not as it should be, 100 at most.
   */
  findings: Finding[];
  /**
   * When one of its role files last changed, RFC 3339 in UTC; `null` when there is none.
   */
  last_change: string | null;
  /**
   * What its registry says of itself (`meta`), as the file has it.
   */
  meta: {
    [k: string]: unknown;
  };
  /**
   * The newest migrations of the policies, 100 at most, newest last.
   */
  migrations: RoleMigration[];
  /**
   * Name of its folder.
   */
  name: string;
  /**
   * Path of its folder.
   */
  root: string;
}
/**
 * A draft of a role, from a file in `ops/role_engine/drafts`.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "RoleDraft".
 */
export interface RoleDraft {
  /**
   * When it was made, in Unix seconds.
   */
  created: number | null;
  /**
   * How many pieces of evidence it names.
   */
  evidence: number;
  /**
   * Its number, or its file's name where it has none.
   */
  id: string;
  /**
   * Whether it waits for somebody's decision.
   */
  pending: boolean;
  /**
   * The proposed role, as the file has it.
   */
  proposal: {
    [k: string]: unknown;
  };
  /**
   * Why it is proposed.
   */
  reason: string | null;
  /**
   * 0 to 1: what the draft says, else the proposed role's own.
   */
  risk: number | null;
  /**
   * The role that it is about.
   */
  role: string | null;
  /**
   * Who made it: `create`, `propose`, `evolver` or `unknown`.
   */
  shape: string;
  /**
   * `proposed`, `draft`, `committed` or what else the file says.
   */
  status: string;
}
/**
 * Something that is not as it should be.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Finding".
 */
export interface Finding {
  /**
   * What was found, in a sentence.
   */
  detail: string;
  /**
   * What it is: `unreadable_file`, `not_an_object`, `wrong_type`, `trust_out_of_range`, `number_out_of_range`,
   * `missing_parent`, `missing_child`, `several_parents`, `cycle`, `too_deep` or `too_many_files`.
   */
  kind: string;
  /**
   * The role or file that it is about.
   */
  subject: string;
}
/**
 * A migration of the policies, from `migration_audit.json`. What its entry does not say is `null`.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "RoleMigration".
 */
export interface RoleMigration {
  /**
   * Where the version before is kept.
   */
  backup_path: string | null;
  /**
   * What went wrong.
   */
  error: string | null;
  /**
   * Version of the policies before.
   */
  from_version: string | null;
  /**
   * Its number, as text.
   */
  migration_id: string | null;
  /**
   * What became of it, in the file's word.
   */
  status: string | null;
  /**
   * When it ran, as the file has it: local time without a zone.
   */
  timestamp: string | null;
  /**
   * Version of the policies after.
   */
  to_version: string | null;
}
/**
 * How many roles there are, and how new they are.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "RolesMeta".
 */
export interface RolesMeta {
  /**
   * When one of the role files last changed, RFC 3339 in UTC; `null` when there is none.
   */
  last_updated: string | null;
  /**
   * Roles of all installations.
   */
  total_roles: number;
  /**
   * The scale of the first role; `null` without one. Each role names its own.
   */
  trust_scale: TrustScale | null;
}
/**
 * A role and where it is from.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "RoleView".
 */
export interface RoleView {
  /**
   * Which of the numbers above the file does not say: they are the installation's defaults.
   */
  assumed: string[];
  /**
   * How it behaves, by its file.
   */
  behaviors: string[];
  /**
   * What it may do: `capabilities` and `responsibilities` together.
   */
  capabilities: string[];
  /**
   * Its children in the taxonomy, as its own entry has them.
   */
  child_roles?: string[];
  /**
   * How much weight its word has, 0 to 1, by its file.
   */
  confidence_weight: number;
  /**
   * Name of its installation.
   */
  installation: string;
  /**
   * Whom it works with, by its file.
   */
  interactions: string[];
  /**
   * Its key in the registry or taxonomy, or the name of its file.
   */
  name: string;
  /**
   * Where it comes from: `registry`, `taxonomy`, or the path of its YAML file.
   */
  origin: string;
  /**
   * All other keys, as the file has them.
   */
  other?: {
    [k: string]: unknown;
  };
  /**
   * Its parent in the taxonomy, as its own entry has it.
   */
  parent_role?: string | null;
  /**
   * What it is for; `null` when its file does not say.
   */
  purpose: string | null;
  /**
   * How risky what it does is, 0 to 1, by its file.
   */
  risk_factor: number;
  /**
   * How far it is trusted, on `trust_scale`.
   */
  trust_level: number;
  trust_scale: TrustScale;
  /**
   * The taxonomy's word for the level; absent on roles of a registry.
   */
  trust_word?: string | null;
  /**
   * Its version, as the installation's REST view has it: 1.0 when the file does not say.
   */
  version: string;
}
/**
 * The top of the tree; no role of its own.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "RoleRoot".
 */
export interface RoleRoot {
  /**
   * Roles without a parent.
   */
  children: RoleNode[];
  /**
   * Always `System`.
   */
  name: string;
  /**
   * The highest level of the scale: 10 or 5.
   */
  trust_level: number;
  trust_scale: TrustScale;
}
/**
 * A role's place in the tree.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "RoleNode".
 */
export interface RoleNode {
  /**
   * The roles below it, the most trusted first.
   */
  children: RoleNode[];
  /**
   * Name of the role.
   */
  name: string;
  /**
   * How far it is trusted, on its role's scale.
   */
  trust_level: number;
}
/**
 * A page of events of the audit logs.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "AuditPage".
 */
export interface AuditPage {
  /**
   * False when the page ends early, after two seconds of looking or 8 MiB: `next` goes on.
   */
  complete: boolean;
  /**
   * How many events these are.
   */
  count: number;
  /**
   * Events that fit, newest first.
   */
  events: EventView[];
  /**
   * The `cursor` of the page with older ones; `null` when there are none.
   */
  next: string | null;
  /**
   * Files that could not be read, each with why.
   */
  problems: string[];
  /**
   * Lines passed over that are no events: blank, torn, no JSON objects, or longer than 1 MiB.
   */
  skipped: number;
  /**
   * Always `ok`: everything else comes as an error.
   */
  status: string;
  /**
   * When the answer was made, RFC 3339 in UTC.
   */
  timestamp: string;
}
/**
 * Roles, their tree, drafts, migrations and findings.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "RolesResponse".
 */
export interface RolesResponse {
  data: RolesView;
  /**
   * When the files were last looked at, RFC 3339 in UTC.
   */
  sampled_at: string;
  /**
   * Always `ok`: everything else comes as an error.
   */
  status: string;
  /**
   * When the answer was made, RFC 3339 in UTC.
   */
  timestamp: string;
}
/**
 * A message of `/ws/models`, and what `/api/models` answers.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "ModelUpdate".
 */
export interface ModelUpdate {
  /**
   * Names of the models on disk of all servers that answer, each once; `null` when none answers.
   */
  available_models: string[] | null;
  controls: Controls;
  /**
   * What the models on this machine take of electricity; `null` where no device counts its energy.
   */
  energy: Energy | null;
  /**
   * What those processes did, by model, those that have ended included; `null` as `engines`.
   */
  engine_work: EngineWork[] | null;
  /**
   * The processes that hold the models of servers on this machine; `null` where none can be seen.
   */
  engines: OllamaEngine[] | null;
  /**
   * Every server of `sources.ollama.hosts`, also those that do not answer.
   */
  hosts: OllamaHost[];
  /**
   * Models on disk of all servers that answer (`GET /api/tags`), with all that is known of them; `null` when none
   * answers.
   */
  installed_models: InstalledModel[] | null;
  /**
   * Seconds from one sample to the next (`sources.ollama.interval`).
   */
  interval_seconds: number;
  /**
   * Models in memory of all servers that answer (`GET /api/ps`), one after the other; `null` when none answers.
   */
  loaded_models: LoadedModel[] | null;
  memory_usage: MemoryUsage;
  /**
   * Why what is `null` is so, by its path here; `hosts.HOST` says why a server does not answer,
   * `hosts.HOST.entries` what is odd about its answers, and `hosts.HOST.engines` why its processes cannot be seen.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * Always `null`: Ollama knows no modes. Older dashboards read it.
   */
  mode_mappings: {
    [k: string]: string;
  } | null;
  /**
   * The leaderboard of the debates in its older shape, as `stats` of the feed `debates`; `null` when it cannot be read.
   */
  model_stats: DebateModelRow[] | null;
  /**
   * When the newest reading of Ollama was begun, RFC 3339 in UTC; `null` while none is on time.
   */
  sampled_at: string | null;
  /**
   * Grows by one with each message since the agent started.
   */
  seq: number;
  /**
   * The same as `sampled_at`; when the message was made, while that is `null`.
   */
  timestamp: string;
  /**
   * Always `model_update`.
   */
  type: string;
}
/**
 * Loading and unloading through the agent.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Controls".
 */
export interface Controls {
  /**
   * Whether those who may change something can load and unload: `sources.ollama.controls` is on, and there are
   * users or a control token.
   */
  enabled: boolean;
  /**
   * What was asked for: what waits, what runs, and for five minutes what is finished.
   */
  jobs: Job[];
}
/**
 * A load or unload that was asked for through the agent. On each server one runs at a time.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Job".
 */
export interface Job {
  /**
   * `load` or `unload`.
   */
  action: string;
  /**
   * What went wrong; `null` unless it is `failed`.
   */
  error: JobError | null;
  /**
   * The server that it is for, as `HOST:PORT`.
   */
  host: string;
  /**
   * Its number, from 1: the `job` of the answer to the request.
   */
  id: number;
  /**
   * The model's name with its tag.
   */
  model: string;
  /**
   * What there is to say of one that is `done`: that nothing was to be done, what went with it, how long it stays; else `null`.
   */
  note: string | null;
  /**
   * How many come before it on its server; `null` unless it is `queued`.
   */
  position: number | null;
  /**
   * When it was asked for, RFC 3339.
   */
  requested_at: string;
  /**
   * How long it has been running, or ran, in seconds; `null` while it is `queued`.
   */
  seconds: number | null;
  /**
   * `queued`, `running`, `done` or `failed`.
   */
  state: string;
}
/**
 * Why a job failed.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "JobError".
 */
export interface JobError {
  /**
   * A word for programs, such as `not_enough_memory`: the codes of the load's route.
   */
  code: string;
  /**
   * What to try.
   */
  hint: string;
  /**
   * A sentence for people, with Ollama's own words where it gave some.
   */
  message: string;
}
/**
 * Energy, counted by GPUs and the processor, and divided by who computed: what a device counted while one model alone did
 * is that model's, and nothing is divided by guess. All sums begin when the agent does.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Energy".
 */
export interface Energy {
  /**
   * What prices are in (`energy.currency`).
   */
  currency: string;
  /**
   * Each device that counts its energy.
   */
  devices: DeviceEnergy[];
  /**
   * Each model that was in memory while it was counted.
   */
  models: ModelEnergy[];
  /**
   * Price of a kilowatt hour (`energy.price_per_kwh`); `null` where none is configured.
   */
  price_per_kwh: number | null;
}
/**
 * What a device counted while no model computed on it alone.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "DeviceEnergy".
 */
export interface DeviceEnergy {
  /**
   * The GPU's unique number, or the processor's package: `package-0`.
   */
  device: string;
  /**
   * What a day of rest costs; `null` without a price.
   */
  rest_cost_per_day: number | null;
  /**
   * Mean power while no model computed on it, in watts; `null` until it rested for 10 s.
   */
  rest_watts: number | null;
  /**
   * Joules while several models computed on it, or one and somebody else.
   */
  shared_joules: number;
}
/**
 * What a model took of electricity.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "ModelEnergy".
 */
export interface ModelEnergy {
  /**
   * What a thousand generated tokens cost, by `watt_hours_per_1000_tokens`; `null` without a price.
   */
  cost_per_1000_tokens: number | null;
  /**
   * Tokens that it generated in answers which no other model's work overlapped; the numbers below rest on these.
   */
  generated_tokens: number;
  /**
   * The server that it is on, as `HOST:PORT`.
   */
  host: string;
  /**
   * Joules that all devices counted while it alone computed on them.
   */
  joules: number;
  /**
   * Its name with its tag.
   */
  model: string;
  /**
   * Energy of a thousand generated tokens, in watt hours, with their prompts and all that the devices take anyway; `null`
   * until such an answer ended, and where the engine does not count its tokens.
   */
  watt_hours_per_1000_tokens: number | null;
  /**
   * The same without what the devices take at rest; `null` until that is known too.
   */
  watt_hours_per_1000_tokens_above_rest: number | null;
}
/**
 * What all engines of the same weights did since the agent watches.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "EngineWork".
 */
export interface EngineWork {
  /**
   * Tokens of prompts that were in the cache.
   */
  cached_tokens: number | null;
  /**
   * CPU time of all of them, in seconds.
   */
  cpu_seconds: number;
  /**
   * Engines that ended, by how.
   */
  ends: {
    [k: string]: number;
  };
  /**
   * Tokens that were generated. They are counted when an answer ends.
   */
  generated_tokens: number | null;
  /**
   * Seconds spent with generating, summed over slots.
   */
  generation_seconds: number | null;
  /**
   * The server, as `HOST:PORT`.
   */
  host: string;
  /**
   * Ends after which tokens are missing in the counts: what was done after the last question.
   */
  lives_cut: number;
  /**
   * The names of the model, as in `engines`.
   */
  models: string[];
  /**
   * Seconds spent with prompts, summed over slots.
   */
  prompt_seconds: number | null;
  /**
   * Tokens of prompts that were computed; `null`, as are the other counts, while no engine counts them.
   */
  prompt_tokens: number | null;
  /**
   * From when on this counts, RFC 3339.
   */
  since: string;
  /**
   * Engines that were started.
   */
  starts: number;
}
/**
 * The process that holds a model: `llama-server` of Ollama 0.30 and later, or an older `ollama runner`, which tells less.
 * Seen on the same machine alone.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "OllamaEngine".
 */
export interface OllamaEngine {
  /**
   * It lets web pages of any origin use it: every page that a user of that machine has open (Ollama 0.33 does; see
   * `docs/security.md`). `null` while it has not said.
   */
  any_origin: boolean | null;
  /**
   * Type of the numbers in its KV cache: `q8_0`; `null` where it is the usual `f16`.
   */
  cache_type: string | null;
  /**
   * Tokens of context that each slot has.
   */
  context_length: number | null;
  /**
   * Tokens of prompts and answers that its busy slots hold now.
   */
  context_used: number | null;
  /**
   * CPU time of all its threads so far, in seconds.
   */
  cpu_seconds: number;
  /**
   * What is wrong with it, in words; `null` when nothing is.
   */
  detail: string | null;
  /**
   * It makes embeddings and no text.
   */
  embedding: boolean;
  /**
   * Layers that were asked to be on GPUs; `null` where the engine decides.
   */
  gpu_layers: number | null;
  /**
   * The server that it is of, as `HOST:PORT`.
   */
  host: string;
  /**
   * Bytes of its memory in RAM, mapped weights included (`VmRSS`).
   */
  memory_bytes: number | null;
  /**
   * The names that it answers: all that have its weights, first that which metrics have (`model`), which is kept when the
   * model was deleted or Ollama is gone; the first digits of the weights while no name is known. Empty where the weights
   * are no file of Ollama's store.
   */
  models: string[];
  /**
   * Its Ollama is gone: nobody uses it and nobody ends it, and its memory is lost until somebody does.
   */
  orphaned: boolean;
  /**
   * The process's number.
   */
  pid: number;
  /**
   * `llama-server` or `runner`.
   */
  program: string;
  /**
   * Requests that run in it now: its busy slots, or Ollama's connections to its port where it does not tell.
   */
  requests: number | null;
  /**
   * Requests that it can answer at once.
   */
  slots: number | null;
  /**
   * How many of its slots answer one; `null` while it does not say.
   */
  slots_busy: number | null;
  /**
   * When it was started, RFC 3339.
   */
  started_at: string;
  /**
   * `loading`, `ready`, `hanging` (it has not answered several times in a row), `stopped` (by a signal), or `unknown`.
   */
  state: string;
  /**
   * Tokens a second generated between its last two answers, in all slots.
   */
  tokens_per_second: number | null;
  /**
   * Tokens a second generated over the last minute, or since it was started.
   */
  tokens_per_second_minute: number | null;
}
/**
 * A server of Ollama.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "OllamaHost".
 */
export interface OllamaHost {
  /**
   * When it last answered in full, RFC 3339; `null` when it never did.
   */
  answered_at: string | null;
  /**
   * The same as a sentence with what would help; `null` when it answers.
   */
  detail: string | null;
  /**
   * Its address as `HOST:PORT`, which names it everywhere.
   */
  host: string;
  /**
   * Models that it keeps in memory at most (`OLLAMA_MAX_LOADED_MODELS`; three for each GPU, and on a CPU, where it is not
   * set); `null` where its environment may not be read.
   */
  max_models: number | null;
  /**
   * Models on its disk; `null` while they are not known.
   */
  models_installed: number | null;
  /**
   * Models in its memory; `null` while they are not known.
   */
  models_loaded: number | null;
  /**
   * Why it does not answer, as a code; `null` when it does.
   */
  reason: string | null;
  /**
   * When it came into this state, RFC 3339.
   */
  since: string;
  /**
   * `answering`; `busy`, when it listens and keeps silent, as while it loads a large model; or `away`.
   */
  state: string;
  /**
   * Its URL as configured.
   */
  url: string;
  /**
   * Its version (`GET /api/version`); `null` until it has said it.
   */
  version: string | null;
}
/**
 * A model on disk, as Ollama lists it (`GET /api/tags`, `POST /api/show`).
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "InstalledModel".
 */
export interface InstalledModel {
  /**
   * What it can do: `completion`, `tools`, `vision` and others (`POST /api/show`); `null` until that was asked.
   */
  capabilities: string[] | null;
  /**
   * The longest context that it was made for, in tokens (`POST /api/show`); `null` until that was asked.
   */
  context_length: number | null;
  /**
   * What tells this version of it from others (SHA-256 of its manifest).
   */
  digest: string;
  /**
   * Architecture: `llama`.
   */
  family: string | null;
  /**
   * Format of its file: `gguf`.
   */
  format: string | null;
  /**
   * The server that it is on, as `HOST:PORT`.
   */
  host: string;
  /**
   * Whether it would answer without a load: its weights are in memory, under whichever name (`loaded_models` has the one
   * that loaded them), and started with the same parameters.
   */
  loaded: boolean;
  /**
   * When it was pulled or made, RFC 3339 as Ollama writes it.
   */
  modified_at: string | null;
  /**
   * Its name with its tag: `llama3.1:8b`.
   */
  name: string;
  /**
   * Number of parameters; `null` from versions that do not say.
   */
  parameter_count: number | null;
  /**
   * Number of parameters as Ollama writes it: `7.6B`.
   */
  parameter_size: string | null;
  /**
   * How its weights are quantised: `Q4_K_M`.
   */
  quantization: string | null;
  /**
   * A model in the cloud, which takes no memory here and is never loaded.
   */
  remote: boolean;
  /**
   * Bytes on disk.
   */
  size: number | null;
}
/**
 * A model in memory, as Ollama lists it (`GET /api/ps`).
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "LoadedModel".
 */
export interface LoadedModel {
  /**
   * It stays until somebody unloads it or it has to make room.
   */
  always_loaded: boolean;
  /**
   * Context that is allocated for it, in tokens; `null` from versions that do not say.
   */
  context_length: number | null;
  /**
   * What tells this version of it from others (SHA-256 of its manifest).
   */
  digest: string;
  /**
   * When it is unloaded unless it is used before, as Ollama writes it, by Ollama's clock.
   */
  expires_at: string | null;
  /**
   * Architecture: `llama`.
   */
  family: string | null;
  /**
   * What its process takes of each GPU, as the GPU's driver tells; told by the file of the weights. `null` when no
   * process on this machine is known to run it.
   */
  gpu_memory: GpuMemory[] | null;
  /**
   * The server that it is on, as `HOST:PORT`.
   */
  host: string;
  /**
   * Minutes since `last_used`, to a tenth. A long answer that is still being made counts as idle.
   */
  idle_minutes: number | null;
  /**
   * When the agent last saw it finish a request (`expires_at` moved), RFC 3339; `null` when it did not yet.
   */
  last_used: string | null;
  /**
   * When the agent first saw it in memory, RFC 3339; `null` when it was there before the agent.
   */
  loaded_at: string | null;
  /**
   * Bytes of them in RAM: `memory_usage` less `memory_vram`.
   */
  memory_ram: number | null;
  /**
   * Bytes of memory in all (`size`).
   */
  memory_usage: number | null;
  /**
   * Bytes of them on GPUs (`size_vram`).
   */
  memory_vram: number | null;
  /**
   * The name that loaded it, with its tag: `llama3.1:8b`.
   */
  name: string;
  /**
   * Number of parameters as Ollama writes it: `7.6B`.
   */
  parameter_size: string | null;
  /**
   * How its weights are quantised: `Q4_K_M`.
   */
  quantization: string | null;
  /**
   * `loaded`; `stopping` when its time is over and it still finishes a request; `crashed` when its engine has ended, as
   * seen on this machine, and Ollama has not noticed: it takes no memory, and the next request loads it anew.
   */
  state: string;
  /**
   * Seconds until then by Ollama's clock, to a tenth; `null` when it stays, or Ollama does not say.
   */
  unloads_in_seconds: number | null;
  /**
   * What it is to the model on disk that has its name now: `current`; `older`, when the name means other weights by now; or
   * `deleted`. Ollama unloads by name, so the latter two go only at `expires_at` or to make room. `null` when it is not known
   * what is on disk.
   */
  version: string | null;
}
/**
 * What a process that runs a model takes of a GPU.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "GpuMemory".
 */
export interface GpuMemory {
  /**
   * Bytes of the GPU's memory; `null` when the driver does not tell.
   */
  bytes: number | null;
  /**
   * The GPU's number: `id` in `metrics.gpu` of the feed `system`.
   */
  gpu: number;
  /**
   * The process's number.
   */
  pid: number;
  /**
   * The GPU's unique number.
   */
  uuid: string;
}
/**
 * Memory of all loaded models of all servers together, in GiB to three digits. A sum of which a part is not known is
 * `null`: so is all of it while one server does not answer.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "MemoryUsage".
 */
export interface MemoryUsage {
  /**
   * In all.
   */
  current_gb: number | null;
  /**
   * How much there may be: RAM, or what the server's control groups leave of it, and the GPUs' memory. `null` unless there is
   * one server, on this machine, whose process is seen.
   */
  max_gb: number | null;
  /**
   * In RAM.
   */
  ram_gb: number | null;
  /**
   * On GPUs.
   */
  vram_gb: number | null;
}
/**
 * A message of `/ws/system`, and what `/api/system` answers.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "SystemUpdate".
 */
export interface SystemUpdate {
  /**
   * Limits of `thresholds` that have been exceeded for as long as `for` asks; the worse of the two where both are.
   * Empty while the host is not read.
   */
  alerts: Alert[];
  /**
   * Seconds from one reading of the host to the next, as `sources.host.interval` says.
   */
  interval_seconds: number;
  metrics: HostMetrics;
  /**
   * Why what is `null` or absent in `metrics` is so, by its path there (`cpu.frequency`). Empty when all was read.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * When the newest reading of the host was begun, RFC 3339 in UTC with milliseconds. The same as in the message
   * before when that is repeated because no newer reading came.
   */
  sampled_at: string;
  /**
   * Grows by one with each message since the agent started, also while nobody listens: a gap shows what a slow
   * client has skipped.
   */
  seq: number;
  /**
   * The state of every source of the agent, not only of the host.
   */
  sources: SourceState[];
  /**
   * The same as `sampled_at`, under the name that older dashboards read.
   */
  timestamp: string;
  /**
   * Always `system_update`.
   */
  type: string;
}
/**
 * A limit of `thresholds` that is exceeded.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Alert".
 */
export interface Alert {
  /**
   * What is limited, as its key below `thresholds`: `cpu`, `memory`, `swap`, `disk`, `temperature`,
   * `load_per_cpu`, `pressure_cpu`, `pressure_memory` or `pressure_io`.
   */
  name: string;
  /**
   * Which limit it is: `warning` or `critical`.
   */
  severity: string;
  /**
   * When a reading first lay above this limit, RFC 3339; all since then did too.
   */
  since: string;
  /**
   * The limit that it exceeds, in `unit`.
   */
  threshold: number;
  /**
   * `percent`, `celsius` or `tasks per CPU`.
   */
  unit: string;
  /**
   * The value of the newest reading, in `unit`.
   */
  value: number;
}
/**
 * The host: what was read of it, and what was derived of two readings. On Linux from `/proc` and `/sys`; elsewhere
 * what the system tells, which is less.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "HostMetrics".
 */
export interface HostMetrics {
  cpu: Cpu;
  disk: Disk;
  /**
   * A row for each GPU, from `sources.gpu`. Absent without one; a card that was seen keeps its row while it cannot
   * be read.
   */
  gpu?: Gpu[] | null;
  /**
   * Memory and swap from `/proc/meminfo`; `null` when it cannot be read, or says no `MemAvailable` (before Linux
   * 3.14).
   */
  memory: Memory | null;
  /**
   * Network interfaces from `/proc/net/dev`; `null` when it cannot be read.
   */
  network: Network | null;
  platform: Platform;
  /**
   * Pressure stall information from `/proc/pressure`; absent when the kernel does not have it (`CONFIG_PSI`,
   * `psi=1`).
   */
  pressure?: Pressure | null;
  /**
   * The processes that use most, from `/proc/PID`; `null` until the table was read, and on other systems than
   * Linux.
   */
  processes: Processes | null;
  /**
   * Temperatures by the name of their chip, from `/sys/class/hwmon`; where no chip has any, of
   * `/sys/class/thermal`, by the zone's type. Absent without a sensor.
   */
  temperature?: {
    [k: string]: Temperature[];
  } | null;
  /**
   * The same as the message's `sampled_at`.
   */
  timestamp: string;
}
/**
 * Processors. Shares of time are made of what `/proc/stat` counted in each mode since the reading about a second
 * before: `null` until there are two.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Cpu".
 */
export interface Cpu {
  /**
   * Hardware threads that are online, as lines of `/proc/stat`.
   */
  count_logical: number | null;
  /**
   * Cores; `null` when the kernel does not say (`core_id` in `/sys/devices/system/cpu`).
   */
  count_physical: number | null;
  /**
   * Clock in MHz, from cpufreq in `/sys/devices/system/cpu`; `null` where there is none, as in most virtual
   * machines.
   */
  frequency: Frequency | null;
  /**
   * Tasks that run, are ready to run or wait for a disk, averaged over 1, 5 and 15 minutes (`/proc/loadavg`).
   *
   * @minItems 3
   * @maxItems 3
   */
  load_average: [number, number, number] | null;
  /**
   * Share of the time of all CPUs together in each mode of `/proc/stat`: `user`, `nice`, `system`, `idle`,
   * `iowait`, `irq`, `softirq` and `steal`. They add up to 100.
   */
  mode_percent: {
    [k: string]: number;
  } | null;
  /**
   * `usage_percent` of each CPU, in the order of their numbers. One that came online since the reading before is
   * left out.
   */
  per_cpu_percent: number[] | null;
  /**
   * Share of the time of all CPUs together in which they neither idled nor waited for a disk (`idle`, `iowait`), 0
   * to 100.
   */
  usage_percent: number | null;
}
/**
 * Clock of the processors in MHz.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Frequency".
 */
export interface Frequency {
  /**
   * Mean of all CPUs now (`scaling_cur_freq`, else `cpuinfo_cur_freq`).
   */
  current: number;
  /**
   * The highest that any CPU can do (`cpuinfo_max_freq`, else `scaling_max_freq`); `null` when none says.
   */
  max: number | null;
  /**
   * The lowest that any CPU can do (`cpuinfo_min_freq`, else `scaling_min_freq`); `null` when none says.
   */
  min: number | null;
}
/**
 * Disks and file systems. What stands up to `free_gb` is about the root file system, as older dashboards want it,
 * and `null` when that is not watched or does not answer.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Disk".
 */
export interface Disk {
  /**
   * Every disk that `sources.host.disk` lets through, as `/proc/diskstats` lists them; empty on other systems than
   * Linux.
   */
  devices: Device[];
  /**
   * Every mount that `sources.host.filesystem` lets through, as the kernel lists them (`mountinfo`).
   */
  filesystems: Filesystem[];
  /**
   * Bytes that users can still fill: less than `total` less `used` where some are kept for root.
   */
  free: number | null;
  /**
   * `free` in GiB.
   */
  free_gb: number | null;
  /**
   * Read and written by all disks together, without those that pass everything on to others (`dm-*`, `md*`) and
   * zram; `null` until there are two readings.
   */
  io: DiskSpeed | null;
  /**
   * Where the root file system is mounted: `/`, and `C:\` on Windows.
   */
  path: string;
  /**
   * `used` as a share of `used` and `free`, as `df` has it, 0 to 100.
   */
  percent: number | null;
  /**
   * Size of the root file system in bytes.
   */
  total: number | null;
  /**
   * `total` in GiB.
   */
  total_gb: number | null;
  /**
   * `total` less what is free, in bytes.
   */
  used: number | null;
  /**
   * `used` in GiB.
   */
  used_gb: number | null;
}
/**
 * A disk, from `/proc/diskstats`. Rates are over about the last second: `null` until there are two readings, and
 * when a counter was set back.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Device".
 */
export interface Device {
  /**
   * Share of time in which at least one request was under way, 0 to 100. A disk that works on many at once may be
   * far from its limit at 100.
   */
  busy_percent: number | null;
  /**
   * Its name in `/dev`: `nvme0n1`.
   */
  device: string;
  /**
   * Bytes read a second.
   */
  read_bytes_per_second: number | null;
  /**
   * Reads completed a second.
   */
  reads_per_second: number | null;
  /**
   * Bytes written a second.
   */
  write_bytes_per_second: number | null;
  /**
   * Writes completed a second.
   */
  writes_per_second: number | null;
}
/**
 * A mounted file system. Sizes come from `statvfs`, and are `null` while it does not answer, as a network file
 * system whose server is gone.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Filesystem".
 */
export interface Filesystem {
  /**
   * Bytes that are not in use and open to users.
   */
  available: number | null;
  /**
   * What is mounted: `/dev/nvme0n1p2`, `server:/export`.
   */
  device: string;
  /**
   * Why sizes are missing, as a sentence; `null` when they are not.
   */
  error: string | null;
  /**
   * Inodes that there are; 0 where the file system has no fixed number.
   */
  files: number | null;
  /**
   * Inodes that are not in use.
   */
  files_free: number | null;
  /**
   * Bytes that are not in use.
   */
  free: number | null;
  /**
   * Type of the file system: `ext4`, `nfs4`.
   */
  fstype: string;
  /**
   * Where it is mounted, seen from the root that `paths.rootfs` names.
   */
  mountpoint: string;
  /**
   * `used` as a share of `used` and `available`, as `df` has it, 0 to 100.
   */
  percent: number | null;
  /**
   * Whether it is mounted read-only.
   */
  readonly: boolean;
  /**
   * Size in bytes.
   */
  size: number | null;
  /**
   * `size` less `free`, in bytes.
   */
  used: number | null;
}
/**
 * What all disks together read and write, in MiB a second, over about the last second.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "DiskSpeed".
 */
export interface DiskSpeed {
  /**
   * MiB read a second.
   */
  read_speed_mb: number;
  /**
   * MiB written a second.
   */
  write_speed_mb: number;
}
/**
 * A GPU: NVIDIA's by its driver's library (NVML), AMD's and Intel's by `/sys/class/drm`. What a card or its driver
 * does not give is `null`, and all is while it cannot be read; then `reason` and `detail` say why. `*_mb` are MiB
 * here, as older dashboards have them.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Gpu".
 */
export interface Gpu {
  /**
   * Clock of the chip in MHz.
   */
  clock_mhz: number | null;
  /**
   * Share of time in which the video decoder worked, 0 to 100; NVIDIA only.
   */
  decoder_percent: number | null;
  /**
   * The same as a sentence; `null` when it is read.
   */
  detail: string | null;
  /**
   * Memory errors that could not be corrected since the driver was loaded; `null` without error correction.
   */
  ecc_uncorrected: number | null;
  /**
   * Share of time in which the video encoder worked, 0 to 100; NVIDIA only.
   */
  encoder_percent: number | null;
  /**
   * Speed of its fastest fan as a share of the highest, 0 to 100; `null` without a fan of its own.
   */
  fan_percent: number | null;
  /**
   * Its number, from 0: the same for as long as the agent runs.
   */
  id: number;
  /**
   * Partitions of the card (MIG); empty without any.
   */
  instances: GpuInstance[];
  /**
   * The newest error report of NVIDIA's driver (XID) since the agent began to listen; `null` when there was none.
   */
  last_error: GpuError | null;
  /**
   * Share of time in which something ran on it, 0 to 100. For Intel's cards that of the busiest engine, made of
   * what processes used, and `null` when somebody's work is hidden.
   */
  load_percent: number | null;
  /**
   * Clock of the memory in MHz.
   */
  memory_clock_mhz: number | null;
  /**
   * `memory_used_mb` as a share of `memory_total_mb`, 0 to 100.
   */
  memory_percent: number | null;
  /**
   * All its memory, in MiB.
   */
  memory_total_mb: number | null;
  /**
   * Memory in use, in MiB.
   */
  memory_used_mb: number | null;
  /**
   * Its name as the vendor sells it; for many AMD and Intel cards its PCI number.
   */
  name: string;
  /**
   * Power that it may draw, in watts.
   */
  power_limit_watts: number | null;
  /**
   * Power that it draws, in watts.
   */
  power_watts: number | null;
  /**
   * The processes that use it, those with most memory first; `null` when the driver does not tell.
   */
  processes: GpuProcess[] | null;
  /**
   * Why nothing of it can be read, as a code: it is lost, asleep or without a driver, or its reading is late.
   * `null` when it is read.
   */
  reason: string | null;
  /**
   * Temperature of the chip in degrees Celsius (the edge, with AMD).
   */
  temperature: number | null;
  /**
   * Temperature of its memory in degrees Celsius.
   */
  temperature_memory: number | null;
  /**
   * From where on it lowers its clocks, in degrees Celsius.
   */
  temperature_slowdown: number | null;
  /**
   * What holds its clocks down now: words such as `sw_power_cap` or `hw_thermal_slowdown`, none when nothing does.
   * `null` when it does not say.
   */
  throttle: string[] | null;
  /**
   * Its unique number (`GPU-...`); `pci-` and its place on the bus where it has none.
   */
  uuid: string;
  /**
   * Who made it: `nvidia`, `amd` or `intel`.
   */
  vendor: string;
}
/**
 * A partition of an NVIDIA card (MIG).
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "GpuInstance".
 */
export interface GpuInstance {
  /**
   * Number of its GPU instance; `null` when the driver does not say.
   */
  id: number | null;
  /**
   * All its memory, in MiB.
   */
  memory_total_mb: number | null;
  /**
   * Memory in use, in MiB.
   */
  memory_used_mb: number | null;
  /**
   * Its kind: `1g.10gb`.
   */
  profile: string;
  /**
   * Its unique number (`MIG-...`).
   */
  uuid: string;
}
/**
 * An error that NVIDIA's driver reported (XID).
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "GpuError".
 */
export interface GpuError {
  /**
   * When the last one came, RFC 3339.
   */
  at: string | null;
  /**
   * Its number in NVIDIA's list: 79 is a card that fell off the bus.
   */
  code: number;
  /**
   * Reports with this number since the agent began to listen.
   */
  count: number;
}
/**
 * A process that uses a GPU. NVML names them for NVIDIA's cards; for others `/proc/PID/fdinfo` does, of those
 * processes that the agent may look into.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "GpuProcess".
 */
export interface GpuProcess {
  /**
   * Share of time in which the GPU worked for it, 0 to 100: its busiest engine. `null` when it was not measured.
   */
  load_percent: number | null;
  /**
   * Its memory on the GPU, in MiB; `null` when the driver does not tell.
   */
  memory_mb: number | null;
  /**
   * Name of the model that it runs, when it is a runner of an Ollama on this machine; told by the file of the
   * weights that it was started with. `null` when none is known.
   */
  model: string | null;
  /**
   * Its name (`comm` of `/proc/PID/stat`); `null` when it is gone or hidden.
   */
  name: string | null;
  /**
   * Its number, as the host counts.
   */
  pid: number;
}
/**
 * Memory in bytes, from `/proc/meminfo`.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Memory".
 */
export interface Memory {
  /**
   * What programs can get without swapping, caches that can be dropped included (`MemAvailable`).
   */
  available: number;
  /**
   * `available` in GiB.
   */
  available_gb: number;
  /**
   * Buffers of block devices (`Buffers`); `null` on other systems than Linux.
   */
  buffers: number | null;
  /**
   * Page cache and memory of tmpfs (`Cached`); `null` on other systems than Linux.
   */
  cached: number | null;
  /**
   * Memory that is used for nothing, not even for caches (`MemFree`); small on a healthy machine.
   */
  free: number;
  /**
   * `used` as a share of `total`, 0 to 100.
   */
  percent: number;
  /**
   * Swap space; `null` when the kernel does not say.
   */
  swap: Swap | null;
  /**
   * Memory that the kernel manages (`MemTotal`): a little less than is built in.
   */
  total: number;
  /**
   * `total` in GiB.
   */
  total_gb: number;
  /**
   * `total` less `available`.
   */
  used: number;
  /**
   * `used` in GiB.
   */
  used_gb: number;
}
/**
 * Swap space in bytes (`SwapTotal`, `SwapFree` of `/proc/meminfo`): all zero without any.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Swap".
 */
export interface Swap {
  /**
   * What is not in use.
   */
  free: number;
  /**
   * `used` as a share of `total`, 0 to 100; `null` without swap.
   */
  percent: number | null;
  /**
   * All swap devices and files together.
   */
  total: number;
  /**
   * `total` less `free`.
   */
  used: number;
}
/**
 * All network interfaces, from `/proc/net/dev`. Sums leave out loopback and the host's ends of containers and
 * virtual machines (`veth*`, `docker*`, `br-*`, `virbr*`, `vnet*`, `tap*`), whose bytes pass another interface once
 * more.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Network".
 */
export interface Network {
  /**
   * Bytes received since the machine started.
   */
  bytes_recv: number;
  /**
   * Bytes sent since the machine started; starts again when an interface is made anew.
   */
  bytes_sent: number;
  /**
   * Packets received with an error since the machine started: bad checksums, overruns (`errs`).
   */
  errors_in: number;
  /**
   * Packets that could not be sent since the machine started (`errs`).
   */
  errors_out: number;
  /**
   * Every interface that `sources.host.network` lets through, loopback and those that the sums leave out included.
   */
  interfaces: Interface[];
  /**
   * Packets received since the machine started.
   */
  packets_recv: number;
  /**
   * Packets sent since the machine started.
   */
  packets_sent: number;
  /**
   * Sent and received a second; `null` until there are two readings.
   */
  speed: NetworkSpeed | null;
}
/**
 * A network interface, from `/proc/net/dev` and `/sys/class/net`. Rates are over about the last second: `null` until
 * there are two readings, and when a counter was set back.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Interface".
 */
export interface Interface {
  /**
   * Its name: `enp6s0`.
   */
  device: string;
  /**
   * State of the link as the kernel says it (`operstate`): `up`, `down`, `unknown` and others; `null` when it does
   * not say.
   */
  operstate: string | null;
  /**
   * Bytes received a second.
   */
  receive_bytes_per_second: number | null;
  /**
   * Packets received with an error since the interface was made (`errs`).
   */
  receive_errors: number;
  /**
   * Speed of the link in bytes a second (`speed`); `null` where there is none, as with Wi-Fi, bridges and links
   * that are down.
   */
  speed_bytes: number | null;
  /**
   * Bytes sent a second.
   */
  transmit_bytes_per_second: number | null;
  /**
   * Packets that could not be sent since the interface was made (`errs`).
   */
  transmit_errors: number;
}
/**
 * What the counted interfaces send and receive together, in MiB a second, over about the last second.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "NetworkSpeed".
 */
export interface NetworkSpeed {
  /**
   * MiB received a second.
   */
  download_mb: number;
  /**
   * MiB sent a second.
   */
  upload_mb: number;
}
/**
 * What the machine is. Each is `null` when it cannot be read.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Platform".
 */
export interface Platform {
  /**
   * When the kernel started, RFC 3339 (`btime` of `/proc/stat`): moves when the clock is set.
   */
  boot_time: string | null;
  /**
   * Name of the distribution (`PRETTY_NAME` of `os-release`).
   */
  distribution: string | null;
  /**
   * Name of the machine (`uname`). In a container that of the container, unless it shares the host's.
   */
  hostname: string | null;
  /**
   * Architecture (`uname`): `x86_64`.
   */
  machine: string | null;
  /**
   * Name of the first processor, from `/proc/cpuinfo`; `null` where that names none.
   */
  processor: string | null;
  /**
   * Release of the kernel (`uname`): `6.12.57+deb13-amd64`.
   */
  release: string | null;
  /**
   * Name of the kernel (`uname`): `Linux`.
   */
  system: string | null;
  /**
   * Seconds from `boot_time` to the sample.
   */
  uptime_seconds: number | null;
}
/**
 * Pressure stall information of the whole machine, from `/proc/pressure`: the share of time in which tasks could not
 * go on for want of something. Each is `null` when its file cannot be read.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Pressure".
 */
export interface Pressure {
  /**
   * Tasks waited for a CPU.
   */
  cpu: Stall | null;
  /**
   * Tasks waited for disks.
   */
  io: Stall | null;
  /**
   * Tasks waited for memory: for pages that were swapped out or dropped, and for room to be made.
   */
  memory: Stall | null;
}
/**
 * The share of time in which some, and in which all tasks waited.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Stall".
 */
export interface Stall {
  /**
   * All tasks waited at once: that time is lost. `null` where the kernel does not say, as for CPUs before Linux
   * 5.13.
   */
  full: Averages | null;
  some: Averages;
}
/**
 * Percent of the time, 0 to 100, as the kernel averages it.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Averages".
 */
export interface Averages {
  /**
   * Over the last 10 seconds.
   */
  avg10: number;
  /**
   * Over the last five minutes.
   */
  avg300: number;
  /**
   * Over the last minute.
   */
  avg60: number;
}
/**
 * The processes that use most. The table is expensive to read, so it is read every 10 seconds, and with each reading
 * while somebody looks at the page.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Processes".
 */
export interface Processes {
  /**
   * Tasks that wait for a disk (`procs_blocked` of `/proc/stat`), at the sample of the host.
   */
  blocked: number | null;
  /**
   * Tasks that run or are ready to run (`procs_running` of `/proc/stat`), at the sample of the host.
   */
  running: number | null;
  /**
   * When the table was read, RFC 3339.
   */
  sampled_at: string | null;
  /**
   * Those that used most CPU time since the table was read before, most first.
   */
  top_cpu: Process[];
  /**
   * Those that hold most memory, most first.
   */
  top_memory: Process[];
  /**
   * Processes that there are.
   */
  total: number | null;
}
/**
 * A process, from `/proc/PID/stat`.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Process".
 */
export interface Process {
  /**
   * Share of the time of one CPU that it used since the table was read before: more than 100 with several threads.
   * `null` until it was seen twice.
   */
  cpu_percent: number | null;
  /**
   * Its memory in RAM in bytes (resident set), parts that it shares with others included.
   */
  memory_bytes: number;
  /**
   * `memory_bytes` as a share of all memory, 0 to 100; `null` when that is not known.
   */
  memory_percent: number | null;
  /**
   * Its name as the kernel has it (`comm`): 15 bytes at most.
   */
  name: string;
  /**
   * Process id.
   */
  pid: number;
  /**
   * Name of the user that it belongs to, or the user's number where it has no name.
   */
  user: string | null;
}
/**
 * A temperature in degrees Celsius.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Temperature".
 */
export interface Temperature {
  /**
   * Where the chip protects itself (`temp*_crit`); `null` when it does not say.
   */
  critical: number | null;
  /**
   * The newest reading.
   */
  current: number;
  /**
   * Where the chip calls it high (`temp*_max`); `null` when it does not say.
   */
  high: number | null;
  /**
   * What it is of, in the chip's words (`temp*_label`): `Package id 0`; else the name of the sensor.
   */
  label: string;
}
/**
 * How a source of the agent fares: whether its readings come in time.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "SourceState".
 */
export interface SourceState {
  /**
   * Seconds since its newest reading was begun; `null` before the first.
   */
  age_seconds: number | null;
  /**
   * The same as a sentence that names the file, view or address; `null` when it is `fresh`.
   */
  detail: string | null;
  /**
   * How long its newest sample took, in seconds; `null` before the first.
   */
  duration_seconds: number | null;
  /**
   * Seconds from one of its samples to the next.
   */
  interval_seconds: number;
  /**
   * The source's name, as below `sources` in the configuration.
   */
  name: string;
  /**
   * Why it is not `fresh`, as a code; `null` when it is.
   */
  reason: string | null;
  /**
   * `fresh`: the newest reading is on time. `stale`: it is late, or the last sample failed. `starting`: none came
   * yet. `off`: switched off, or nothing to read.
   */
  state: string;
}
/**
 * What is remembered of the host, as columns of one length. The machine's sleep and the time without an agent are
 * gaps in `times`.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "SystemHistory".
 */
export interface SystemHistory {
  /**
   * When the machine's clock was set within the window, oldest first, 16 at most. Times before are those of the
   * clock as it is set now: in order, and as far apart as they were.
   */
  clock_steps: ClockStep[];
  /**
   * A column for each series, by its name: the mean of the readings of each row, `null` where the value was not
   * known.
   */
  series: {
    /**
     * Use of all CPUs together, 0 to 100.
     */
    cpu_percent?: (number | null)[];
    /**
     * Bytes a second that all disks read.
     */
    disk_read_bytes_per_second?: (number | null)[];
    /**
     * Bytes a second that all disks write.
     */
    disk_write_bytes_per_second?: (number | null)[];
    /**
     * Load average over one minute.
     */
    load1?: (number | null)[];
    /**
     * Used memory as a share of all, 0 to 100.
     */
    memory_percent?: (number | null)[];
    /**
     * Bytes a second that the counted interfaces receive.
     */
    network_receive_bytes_per_second?: (number | null)[];
    /**
     * Bytes a second that the counted interfaces send.
     */
    network_transmit_bytes_per_second?: (number | null)[];
    /**
     * Share of the last 10 seconds in which some task waited for a CPU, 0 to 100.
     */
    pressure_cpu_percent?: (number | null)[];
    /**
     * Share of the last 10 seconds in which some task waited for a disk, 0 to 100.
     */
    pressure_io_percent?: (number | null)[];
    /**
     * Share of the last 10 seconds in which some task waited for memory, 0 to 100.
     */
    pressure_memory_percent?: (number | null)[];
    /**
     * Used swap as a share of all, 0 to 100.
     */
    swap_percent?: (number | null)[];
    /**
     * The hottest sensor, in degrees Celsius.
     */
    temperature_celsius?: (number | null)[];
  };
  /**
   * Seconds from one row to the next (`history.resolution`). A longer pause between two `times` is a gap in which
   * nothing was read.
   */
  step_seconds: number;
  /**
   * Unix seconds of each row, oldest first.
   */
  times: number[];
  /**
   * How far back was asked for, in seconds.
   */
  window_seconds: number;
}
/**
 * The machine's clock was set.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "ClockStep".
 */
export interface ClockStep {
  /**
   * By how many seconds; negative when it was set back.
   */
  seconds: number;
  /**
   * When, in Unix seconds of the clock as it was set.
   */
  time: number;
}
/**
 * The few flat numbers that older monitors poll. What is not known is `null`.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "SystemStats".
 */
export interface SystemStats {
  /**
   * Use of all CPUs together, 0 to 100.
   */
  cpu_percent: number | null;
  /**
   * Used space of the root file system, 0 to 100.
   */
  disk_percent: number | null;
  /**
   * Requests that were answered with a status of 500 or above since the agent started.
   */
  error_count: number;
  /**
   * All memory of the first GPU, in MiB.
   */
  gpu_memory_total_mb: number | null;
  /**
   * Memory in use of the first GPU, in MiB.
   */
  gpu_memory_used_mb: number | null;
  /**
   * Load of the first GPU, 0 to 100.
   */
  gpu_percent: number | null;
  /**
   * Used memory in MiB: all less what is available.
   */
  memory_mb: number | null;
  /**
   * Used memory as a share of all, 0 to 100.
   */
  memory_percent: number | null;
  /**
   * KiB a second that the counted interfaces send and receive together.
   */
  network_kbs: number | null;
  /**
   * Requests that the agent has answered since it started.
   */
  requests_total: number;
  /**
   * The hottest sensor of the machine, in degrees Celsius; no GPU's, unless the kernel lists it among the sensors.
   */
  temperature: number | null;
  /**
   * Seconds since the agent started.
   */
  uptime_seconds: number;
}
/**
 * Finished debates.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "DebateHistory".
 */
export interface DebateHistory {
  /**
   * Newest first.
   */
  debates: Debate[];
}
/**
 * The leaderboard in the older shape.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "Leaderboard".
 */
export interface Leaderboard {
  /**
   * Every model, by rating, best first.
   */
  leaderboard: LeaderboardLine[];
}
/**
 * A model of the leaderboard in the older shape.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "LeaderboardLine".
 */
export interface LeaderboardLine {
  /**
   * Debates without a winner.
   */
  draws: number;
  /**
   * The stored rating, else the recomputed one; `null` when there is neither.
   */
  elo: number | null;
  /**
   * Debates lost.
   */
  losses: number;
  /**
   * The model as Ollama names it, with its tag.
   */
  model: string;
  /**
   * Whether the installation has a row for it in its ranking (`model_rankings`).
   */
  ranked: boolean;
  /**
   * All three together.
   */
  total_debates: number;
  /**
   * Wins as a share of all its debates, 0 to 1; `null` without a debate.
   */
  win_rate: number | null;
  /**
   * Debates won.
   */
  wins: number;
}
/**
 * Whether every server of Ollama is there. One that is busy is.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "ModelsHealth".
 */
export interface ModelsHealth {
  /**
   * Names of the models on disk; absent when `unhealthy`.
   */
  available_models?: string[] | null;
  /**
   * Why it is unhealthy; absent when `healthy`.
   */
  error?: ErrorBody | null;
  /**
   * Every server.
   */
  hosts: OllamaHost[];
  /**
   * Names of the models in memory; absent when `unhealthy`.
   */
  loaded_models?: string[] | null;
  /**
   * URL of the first server that is away, else of the first of all; `null` when none is watched.
   */
  ollama_url: string | null;
  /**
   * `healthy` or `unhealthy`.
   */
  status: string;
}
/**
 * What every error says.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "ErrorBody".
 */
export interface ErrorBody {
  /**
   * A word for programs. One code means the same at every route.
   */
  code: string;
  /**
   * What would help; `null` when there is nothing to try.
   */
  hint: string | null;
  /**
   * A sentence for people: what is wrong, with the value or name that is.
   */
  message: string;
  /**
   * After how many seconds it is worth to try again, as the header `Retry-After` says too; `null` when it is not.
   */
  retry_after_s: number | null;
}
/**
 * What is loaded, in the shape of the gateway of existing installations. What is not known is `null` and says why
 * under `missing`.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "ModelsStatus".
 */
export interface ModelsStatus {
  /**
   * Names of the models on disk.
   */
  available_models: string[] | null;
  /**
   * Memory of all loaded models together, on GPUs too, in GiB; `null` unless every server answers.
   */
  current_ram_gb: number | null;
  /**
   * Names of the models in memory.
   */
  loaded_models: string[];
  /**
   * How many models all servers keep in memory at most; `null` where one's environment may not be read.
   */
  max_concurrent: number | null;
  /**
   * How much memory its models may take, RAM and GPUs together, in GiB; `null` unless there is one server, on this machine,
   * whose process is seen.
   */
  max_ram_gb: number | null;
  /**
   * Why what is `null` is so, by its path here.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * Always `null`: Ollama knows no modes.
   */
  mode_mappings: {
    [k: string]: string;
  } | null;
  /**
   * What is known of each loaded model, by its name.
   */
  model_details: {
    [k: string]: LoadedModelDetails;
  };
  /**
   * When the newest reading of Ollama was begun, RFC 3339 in UTC.
   */
  sampled_at: string | null;
}
/**
 * A model in memory, in the shape of the gateway of existing installations.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "LoadedModelDetails".
 */
export interface LoadedModelDetails {
  /**
   * It stays until somebody unloads it or it has to make room.
   */
  always_loaded: boolean;
  /**
   * Minutes since `last_used`, to a tenth.
   */
  idle_minutes: number | null;
  /**
   * When the agent last saw it finish a request, RFC 3339; `null` when it did not yet.
   */
  last_used: string | null;
  /**
   * When the agent first saw it in memory, RFC 3339; `null` when it was there before the agent.
   */
  loaded_at: string | null;
  /**
   * Its memory, on GPUs too, in GiB to three digits.
   */
  ram_gb: number | null;
  /**
   * Minutes that it stays unused, to a tenth; 0 when it stays for ever, `null` until it was used.
   */
  timeout_minutes: number | null;
}
/**
 * A load that waits for its turn.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "AcceptedJob".
 */
export interface AcceptedJob {
  /**
   * The server that it is for, as `HOST:PORT`.
   */
  host: string;
  /**
   * Its number among `controls.jobs` of the feed.
   */
  job: number;
  /**
   * The model's name with its tag.
   */
  model: string;
}
/**
 * The loads that a load of all has brought about.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "AcceptedJobs".
 */
export interface AcceptedJobs {
  /**
   * Each with its number; empty when all that are installed are loaded, or as many as the server keeps.
   */
  jobs: AcceptedJob[];
  /**
   * Models that are not loaded, as the server keeps no more in memory (`OLLAMA_MAX_LOADED_MODELS`; three for each GPU, and on
   * a CPU, where it is not set). Empty also where that number is not known.
   */
  left_out: string[];
}
/**
 * What a client gets that sends `{"type": "refresh_audit", "level": "all", "limit": 20}`: events of a level from the
 * newest 100. `/api/governance/audit-logs` has all.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "AuditUpdate".
 */
export interface AuditUpdate {
  /**
   * The newest events, newest first; `null` when no log is watched.
   */
  audit_logs: EventView[] | null;
  /**
   * Why `audit_logs` is `null`, under that key.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * When the logs were last looked at, RFC 3339 in UTC; `null` when they are not.
   */
  sampled_at: string | null;
  /**
   * When the reply was made, RFC 3339 in UTC.
   */
  timestamp: string;
  /**
   * Always `audit_update`.
   */
  type: string;
}
/**
 * An error, of whichever route.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "ErrorResponse".
 */
export interface ErrorResponse {
  error: ErrorBody;
}
/**
 * What a load takes, in bytes; what is not known is `null`.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "LoadMemory".
 */
export interface LoadMemory {
  /**
   * What was available: the least of RAM, the server's control groups, and the GPUs where it uses them.
   */
  available_bytes: number | null;
  /**
   * Buffers for computing, at least.
   */
  buffers_bytes: number | null;
  /**
   * Whether all of it is known. A load is refused only then.
   */
  complete: boolean;
  /**
   * The KV cache: slots times context times what a token takes.
   */
  kv_cache_bytes: number | null;
  /**
   * The sum of what is known.
   */
  total_bytes: number;
  /**
   * The model's files.
   */
  weights_bytes: number | null;
}
/**
 * What became of a load or unload.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "ModelChange".
 */
export interface ModelChange {
  /**
   * It was not in memory, so nothing was asked of Ollama.
   */
  already: boolean;
  /**
   * The name under which it was in memory and is now gone, where that was another; absent otherwise.
   */
  gone?: string | null;
  /**
   * The server that it was for, as `HOST:PORT`.
   */
  host: string;
  /**
   * Its number among `controls.jobs` of the feed.
   */
  job: number;
  /**
   * Whether it is loaded: true with 200, false with 202. Absent after an unload.
   */
  loaded?: boolean | null;
  /**
   * What the load takes as reckoned before it: absent after an unload, for what was in memory, and where the server's
   * process is not seen.
   */
  memory?: LoadMemory | null;
  /**
   * The model's name with its tag.
   */
  model: string;
  /**
   * What else there is to say: how long it stays where Ollama left that as it was, what is still in memory. Absent where
   * there is nothing.
   */
  note?: string | null;
  /**
   * How long it took, in seconds; `null` with 202.
   */
  seconds: number | null;
  /**
   * Whether it is unloaded: true with 200, false with 202. Absent after a load.
   */
  unloaded?: boolean | null;
}
/**
 * What a client gets that sends `{"type": "refresh_roles"}`.
 *
 * This interface was referenced by `Answers`'s JSON-Schema
 * via the `definition` "RolesUpdate".
 */
export interface RolesUpdate {
  /**
   * Why `roles` is `null`, under that key.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * The roles of all installations; `null` when they are not watched.
   */
  roles: RolesView | null;
  /**
   * When the files were last looked at, RFC 3339 in UTC; `null` when they are not.
   */
  sampled_at: string | null;
  /**
   * When the reply was made, RFC 3339 in UTC.
   */
  timestamp: string;
  /**
   * Always `roles_update`.
   */
  type: string;
}
