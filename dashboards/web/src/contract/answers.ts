// Generated from docs/api.answers.schema.json: npm run contract.

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

export interface Answers {
  "/api/database/metrics": Metrics;
  "/api/debates": DebateUpdate;
  "/api/system/history": Window;
  "/api/system/stats": Stats;
  "/v1/debate/history": History;
  "/v1/debate/leaderboard": Leaderboard;
  "/v1/models/health": Health2;
  "/v1/models/load": Accepted;
  "/v1/models/status": Status;
  "/v1/models/{name}/load": Done;
  "/v1/models/{name}/unload": Done;
  error: ErrorAnswer;
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
/**
 * One message.
 */
export interface DebateUpdate {
  /**
   * How many there are, by status; `null` when they could not be read.
   */
  counts: Counts | null;
  /**
   * Models by rating.
   */
  leaderboard: Model[];
  /**
   * Why something is `null` or empty, by its path.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * Which number means what.
   *
   * @minItems 2
   * @maxItems 2
   */
  notes: [string, string];
  /**
   * The newest debates, newest first.
   */
  recent: Shown[];
  /**
   * When PostgreSQL was asked, RFC 3339.
   */
  sampled_at: string;
  /**
   * One more with each message.
   */
  seq: number;
  /**
   * The server that holds the debates; `null` when none does.
   */
  server: string | null;
  /**
   * The same, under the name of the older message `model_stats_update`.
   */
  stats: Row[];
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
 * How many debates there are.
 */
export interface Counts {
  /**
   * Given up.
   */
  cancelled: number;
  /**
   * Finished: only these count for a model.
   */
  completed: number;
  /**
   * Not begun.
   */
  pending: number;
  /**
   * Under way.
   */
  running: number;
  /**
   * All that were read.
   */
  total: number;
  /**
   * Finished, but an argument is an error message.
   */
  with_errors: number | null;
  /**
   * Finished, but no round is stored.
   */
  without_rounds: number | null;
}
/**
 * What the debates say of a model.
 */
export interface Model {
  /**
   * Most wins in a row.
   */
  best_streak: number;
  /**
   * Wins in a row up to now; negative for losses, 0 after a draw.
   */
  current_streak: number;
  /**
   * Wins by debates that somebody won, 0 to 1; `null` without one.
   */
  decided_win_rate: number | null;
  /**
   * Its name for people; `null` when it is not ranked.
   */
  display_name: string | null;
  /**
   * Debates without a winner.
   */
  draws: number;
  /**
   * The stored rating, else the recomputed one: what the place is made from.
   */
  elo: number | null;
  /**
   * The rating computed from all finished debates in their order, from 1500 with K 32; `null` when not all were
   * read.
   */
  elo_recomputed: number | null;
  /**
   * The stored rating; the installation does not always update it.
   */
  elo_stored: number | null;
  /**
   * When its last debate ended.
   */
  last_debate_at: string | null;
  /**
   * Debates lost.
   */
  losses: number;
  /**
   * Its newest debates, newest first.
   */
  matches: Match[];
  /**
   * Mean points from the judge.
   */
  mean_score: number | null;
  /**
   * Its name.
   */
  model: string;
  /**
   * Its place by `elo`, from 1; equal ratings share a place.
   */
  rank: number;
  /**
   * Whether the installation has a row for it in its ranking.
   */
  ranked: boolean;
  /**
   * The numbers that the installation's ranking has, where they differ from the debates.
   */
  stored: Stored | null;
  /**
   * All three together.
   */
  total_debates: number;
  /**
   * Wins by all debates, 0 to 1, as the dashboards show it; `null` without a debate.
   */
  win_rate: number | null;
  /**
   * Debates won.
   */
  wins: number;
  /**
   * Finished debates in which an argument is an error message.
   */
  with_errors: number | null;
}
/**
 * One debate from the point of view of a model.
 */
export interface Match {
  /**
   * When it ended.
   */
  completed_at: string | null;
  /**
   * The debate.
   */
  debate_id: string;
  /**
   * The stored change of its rating.
   */
  elo_change: number | null;
  /**
   * Who stood against it.
   */
  opponent: string;
  /**
   * `win`, `loss` or `draw`.
   */
  result: string;
}
/**
 * The ranking's own numbers.
 */
export interface Stored {
  /**
   * Stored draws.
   */
  draws: number | null;
  /**
   * Stored losses.
   */
  losses: number | null;
  /**
   * Stored number of debates.
   */
  total_debates: number | null;
  /**
   * Stored wins.
   */
  wins: number | null;
}
/**
 * One debate.
 */
export interface Shown {
  /**
   * The stored rating before is not what the debate before left: the installation was started anew in between.
   */
  chain_broken: boolean;
  /**
   * When it ended.
   */
  completed_at: string | null;
  /**
   * Its number.
   */
  debate_id: string;
  /**
   * Finished without a winner.
   */
  draw: boolean;
  /**
   * How long it took.
   */
  duration_seconds: number | null;
  /**
   * Stored rating of A before.
   */
  elo_before_a: number | null;
  /**
   * Stored rating of B before.
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
   * An argument is an error message, so the result means nothing; `null` when the rounds could not be read.
   */
  has_errors: boolean | null;
  /**
   * The judge is one of the two.
   */
  judge_debates: boolean;
  /**
   * Who judges.
   */
  judge_model: string | null;
  /**
   * How far the points are apart, 0 to 1.
   */
  margin: number | null;
  /**
   * Who speaks for it.
   */
  model_a: string;
  /**
   * Who speaks against it.
   */
  model_b: string;
  /**
   * The judge's points for A.
   */
  score_a: number | null;
  /**
   * The judge's points for B.
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
   * The topic's category.
   */
  topic_category: string | null;
  /**
   * How many rounds were meant.
   */
  total_rounds: number | null;
  /**
   * Stored turns; `null` when the rounds could not be read.
   */
  turns: number | null;
  /**
   * What the judge said.
   */
  verdict: string | null;
  /**
   * Who won; `null` for a draw and for what is not finished.
   */
  winner: string | null;
  /**
   * The chance that the ratings before gave the winner, 0 to 1.
   */
  winner_expected: number | null;
}
/**
 * A model's line in the older shape.
 */
export interface Row {
  /**
   * The stored rating, else the recomputed one.
   */
  elo_rating: number | null;
  /**
   * Debates lost.
   */
  losses: number;
  /**
   * The model.
   */
  model_name: string;
  /**
   * Debates.
   */
  total_debates: number;
  /**
   * Debates won.
   */
  wins: number;
}
/**
 * The answer of `/api/system/history`.
 */
export interface Window {
  /**
   * When the machine's clock was set within the window: what is older is shown as if it had been set already.
   */
  clock_steps: Step[];
  /**
   * A value a row, `null` where it was not known.
   */
  series: {
    [k: string]: (number | null)[];
  };
  /**
   * From one row to the next; a larger step is a gap in which nothing was read.
   */
  step_seconds: number;
  /**
   * Unix seconds of each row.
   */
  times: number[];
  /**
   * How far back was asked for.
   */
  window_seconds: number;
}
/**
 * The clock was set.
 */
export interface Step {
  /**
   * By how much; negative when it was set back.
   */
  seconds: number;
  /**
   * When, Unix seconds of the new clock.
   */
  time: number;
}
/**
 * The answer.
 */
export interface Stats {
  /**
   * Use of all CPUs.
   */
  cpu_percent: number | null;
  /**
   * Used space of the root file system.
   */
  disk_percent: number | null;
  /**
   * Requests that failed on the agent's side since it started.
   */
  error_count: number;
  /**
   * Memory of the first GPU, in MiB.
   */
  gpu_memory_total_mb: number | null;
  /**
   * Memory in use of the first GPU, in MiB.
   */
  gpu_memory_used_mb: number | null;
  /**
   * Load of the first GPU.
   */
  gpu_percent: number | null;
  /**
   * Used memory in MiB.
   */
  memory_mb: number | null;
  /**
   * Used memory.
   */
  memory_percent: number | null;
  /**
   * KiB a second, both directions together.
   */
  network_kbs: number | null;
  /**
   * Requests answered since the agent started.
   */
  requests_total: number;
  /**
   * The hottest sensor, in degrees Celsius.
   */
  temperature: number | null;
  /**
   * How long the agent has been running.
   */
  uptime_seconds: number;
}
/**
 * Answers `/v1/debate/history`.
 */
export interface History {
  debates: Shown[];
}
/**
 * Answers `/v1/debate/leaderboard`.
 */
export interface Leaderboard {
  leaderboard: Line[];
}
export interface Line {
  draws: number;
  elo: number | null;
  losses: number;
  model: string;
  ranked: boolean;
  total_debates: number;
  win_rate: number | null;
  wins: number;
}
/**
 * `/v1/models/health`.
 */
export interface Health2 {
  available_models?: string[] | null;
  /**
   * Why it is unhealthy.
   */
  error?: ErrorBody | null;
  hosts: Host[];
  loaded_models?: string[] | null;
  ollama_url: string | null;
  /**
   * `healthy` or `unhealthy`.
   */
  status: string;
}
/**
 * What every error says.
 */
export interface ErrorBody {
  /**
   * A word for programs.
   */
  code: string;
  /**
   * What would help.
   */
  hint: string | null;
  /**
   * A sentence for people.
   */
  message: string;
  /**
   * After how many seconds it is worth to try again.
   */
  retry_after_s: number | null;
}
/**
 * A server.
 */
export interface Host {
  /**
   * When it last answered in full, RFC 3339.
   */
  answered_at: string | null;
  /**
   * Why it does not answer, as a sentence.
   */
  detail: string | null;
  /**
   * `HOST:PORT`.
   */
  host: string;
  /**
   * Models on its disk.
   */
  models_installed: number | null;
  /**
   * Models in its memory.
   */
  models_loaded: number | null;
  /**
   * Why it does not answer, as a code.
   */
  reason: string | null;
  /**
   * Since when, RFC 3339.
   */
  since: string;
  /**
   * `answering`, `busy` (it listens and keeps silent) or `away`.
   */
  state: string;
  /**
   * Its URL.
   */
  url: string;
  /**
   * Its version.
   */
  version: string | null;
}
/**
 * Answers a load of all.
 */
export interface Accepted {
  jobs: AcceptedJob[];
}
export interface AcceptedJob {
  host: string;
  job: number;
  model: string;
}
/**
 * `/v1/models/status`.
 */
export interface Status {
  available_models: string[] | null;
  current_ram_gb: number | null;
  loaded_models: string[];
  max_concurrent: number | null;
  max_ram_gb: number | null;
  missing: {
    [k: string]: Missing;
  };
  mode_mappings: {
    [k: string]: string;
  } | null;
  model_details: {
    [k: string]: Details;
  };
  sampled_at: string | null;
}
export interface Details {
  always_loaded: boolean;
  idle_minutes: number | null;
  last_used: string | null;
  loaded_at: string | null;
  ram_gb: number | null;
  /**
   * How long it stays unused; 0 is for ever.
   */
  timeout_minutes: number | null;
}
/**
 * Answers a load or an unload.
 */
export interface Done {
  host: string;
  /**
   * Its number in the feed.
   */
  job: number;
  /**
   * Whether it is loaded; still false when the answer is 202.
   */
  loaded?: boolean | null;
  model: string;
  /**
   * How long it took, when it is done.
   */
  seconds: number | null;
  /**
   * Whether it is unloaded.
   */
  unloaded?: boolean | null;
}
/**
 * An error as it is answered.
 */
export interface ErrorAnswer {
  error: ErrorBody;
}
