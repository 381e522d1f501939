// What a made-up machine's databases say.

const GiB = 1024 ** 3;

export default {
  feed: "database",
  off: { postgres: ["not_configured", "no server is named, and there is no socket of one on this machine"] },
  message: ({ interval, second, full }) => ({
    type: "database_update",
    interval_seconds: interval,
    ...databases(second, full),
  }),
};

function databases(second, full) {
  const wave = (home, swing, period) => home + swing * Math.sin(second / period);
  const active = Math.round(wave(4, 3, 7));
  const idle = Math.round(wave(17, 3, 23));
  const degraded = full || second % 60 > 40;
  const size = Math.round((8.42 + second / 1e5) * GiB);
  const main = {
    name: "main",
    status: "connected",
    timestamp: new Date().toISOString(),
    age_seconds: 0.04,
    host: "127.0.0.1:5432",
    database: "aura_db",
    version: "16.4",
    role: "primary",
    connections: {
      active,
      idle,
      idle_in_transaction: 1,
      total: active + idle + 1,
      max: 100,
      this_database: active + idle,
      background: 7,
      utilization_percent: active + idle + 1,
      holders: [],
    },
    database_size: { bytes: size, mb: Math.round(size / 1024 ** 2), pretty: `${(size / GiB).toFixed(2)} GB` },
    health: {
      accepting_connections: true,
      uptime_seconds: 1.31e6 + second,
      long_running_queries: 1,
      blocked_queries: degraded ? 1 : 0,
      status: degraded ? "degraded" : "healthy",
      reasons: degraded ? ["1 backend waits for a lock"] : [],
    },
    activity: {
      window_seconds: 5,
      commits_per_second: wave(148, 31, 9),
      rollbacks_per_second: 0.4,
      rows_per_second: { returned: wave(9_120, 800, 9), fetched: 4_100, inserted: 31, updated: 12, deleted: 0 },
      deadlocks: 0,
      temp_bytes_per_second: 0,
      rollback_ratio: 0.0027,
      cache_hit_ratio: 0.9931,
    },
    slow_queries: [
      {
        query: "SELECT d.*, r.elo FROM debates d JOIN model_rankings r ON r.model = d.winner WHERE d.finished > $1",
        calls: 812,
        rows: 81_200,
        total_time_ms: 335_031.2,
        mean_time_ms: 412.6,
      },
    ],
    long_running: [
      { pid: 2210, seconds: 74 + (second % 90), query: "COPY embeddings (id, vector) FROM stdin", state: "active" },
    ],
    blocked: degraded
      ? [
          {
            pid: 2307,
            seconds: 12 + (second % 60),
            query: "UPDATE model_rankings SET elo = $1 WHERE model = $2",
            blocked_by: [{ pid: 2210, state: "idle in transaction", query: "SELECT 1" }],
          },
        ]
      : [],
    replication: {
      is_replica: false,
      lag_seconds: null,
      receivers: [{ application: "standby", state: "streaming", lag_bytes: 24_576, lag_seconds: 0.02 }],
    },
    missing: {},
  };
  if (!full) return { metrics: main, others: [], missing: {} };
  const away = { ...main, name: "archive", status: "disconnected", host: "db2.lan:5432", version: null, role: null };
  for (const key of [
    "connections",
    "database_size",
    "activity",
    "slow_queries",
    "long_running",
    "blocked",
    "replication",
  ])
    away[key] = null;
  away.error = "db2.lan:5432: connection refused; is the server running?";
  away.health = { accepting_connections: false, status: "unknown", reasons: [] };
  delete main.slow_queries;
  main.missing = { slow_queries: { reason: "not_configured", detail: "run: CREATE EXTENSION pg_stat_statements;" } };
  return { metrics: main, others: [away], missing: {} };
}
