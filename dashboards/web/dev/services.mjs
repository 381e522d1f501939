// What a made-up machine's other sources say: models, databases, audit logs and roles.

const GiB = 1024 ** 3;

/** The health of all sources: in `bare` nothing but the host, in `full` some that are away. */
export function health(scenario, interval) {
  const fresh = (name, age = 0.04, took = 0.0011, every = interval) => ({
    name,
    state: "fresh",
    reason: null,
    detail: null,
    age_seconds: age,
    interval_seconds: every,
    duration_seconds: took,
  });
  const off = (name, reason, detail) => ({
    ...fresh(name),
    state: "off",
    reason,
    detail,
    age_seconds: null,
    duration_seconds: null,
  });
  const host = [fresh("host", 0.002, 0.00071), fresh("processes", 2.1, 0.0083, 10)];
  if (scenario === "bare") {
    return [
      ...host,
      off(
        "gpu",
        "no_sensor",
        "no GPU: no AMD or Intel card below /sys/class/drm; there seems to be no NVIDIA driver here",
      ),
      off("ollama", "not_configured", "nothing listens on 127.0.0.1:11434, and no server is named"),
      off("postgres", "not_configured", "no server is named, and there is no socket of one on this machine"),
      off("audit", "not_configured", "no audit logs are named"),
      off("roles", "not_configured", "no root folder is named"),
    ];
  }
  return [...host, fresh("gpu", 0.03, 0.0042), fresh("ollama"), fresh("postgres"), fresh("audit"), fresh("roles")];
}

/** The messages of the other feeds, new each time they are asked for; null for a feed that has nothing to say. */
export function makeServices(scenario = "usual", interval = 1) {
  const started = Date.now();
  let seq = 0;
  return () => {
    if (scenario === "bare") return { models: null, database: null, governance: null };
    seq += 1;
    const at = Date.now();
    const sampled = new Date(at).toISOString();
    const envelope = { seq, sampled_at: sampled, timestamp: sampled };
    const second = (at - started) / 1000;
    const full = scenario === "full";
    return {
      models: { type: "model_update", interval_seconds: interval, ...envelope, ...models(second, full) },
      database: { type: "database_update", interval_seconds: interval, ...envelope, ...databases(second, full) },
      governance: { type: "governance_update", ...envelope, ...governance(started, second, full) },
    };
  };
}

const STOCK = [
  ["llama3.1:8b", 4.7, "8.0B", "Q4_K_M"],
  ["qwen2.5-coder:7b", 4.4, "7.6B", "Q4_K_M"],
  ["deepseek-r1:14b", 9.0, "14.8B", "Q4_K_M"],
  ["mistral-small:24b", 14.3, "23.6B", "Q4_K_M"],
  ["phi3.5:3.8b", 2.2, "3.8B", "Q4_0"],
  ["nomic-embed-text:latest", 0.27, "137M", "F16"],
];

function digest(name) {
  return Buffer.from(name.padEnd(32, ".")).toString("hex").slice(0, 64);
}

function models(second, full) {
  const here = "127.0.0.1:11434";
  const loaded = (name, size, onGpu, more) => ({
    name,
    host: here,
    digest: digest(name),
    state: "loaded",
    memory_usage: Math.round(size * GiB),
    memory_vram: Math.round(size * onGpu * GiB),
    memory_ram: Math.round(size * (1 - onGpu) * GiB),
    idle_minutes: 0,
    always_loaded: false,
    unloads_in_seconds: null,
    parameter_size: "8.0B",
    quantization: "Q4_K_M",
    context_length: 8192,
    ...more,
  });
  const idle = (second + 94) % 300;
  const loading = second % 40;
  const hours = (ago) => new Date(Date.now() - ago * 3_600_000).toISOString();
  const answering = {
    host: here,
    url: `http://${here}/`,
    state: "answering",
    since: hours(31),
    version: "0.33.0",
    reason: null,
    detail: null,
  };
  return {
    loaded_models: [
      loaded("llama3.1:8b", 9, 1, { always_loaded: true, idle_minutes: (second % 20) / 60, context_length: 16_384 }),
      loaded("qwen2.5-coder:7b", 6.67, 1, {
        parameter_size: "7.6B",
        idle_minutes: idle / 60,
        unloads_in_seconds: 300 - idle,
      }),
      ...(full
        ? [
            loaded("<img src=x onerror=alert(1)>/a-model-with-quite-a-long-name:70b-instruct-q4_K_M", 41.2, 0.44, {
              state: "stopping",
              parameter_size: null,
            }),
          ]
        : []),
    ],
    installed_models: STOCK.map(([name, size, parameter_size, quantization]) => ({
      name,
      host: here,
      digest: digest(name),
      loaded: ["llama3.1:8b", "qwen2.5-coder:7b"].includes(name),
      size: Math.round(size * GiB),
      parameter_size,
      quantization,
      remote: false,
    })),
    memory_usage: full
      ? { current_gb: null, vram_gb: null, ram_gb: null, max_gb: null }
      : { current_gb: 15.67, vram_gb: 15.67, ram_gb: 0, max_gb: null },
    hosts: full
      ? [
          answering,
          {
            host: "gpu2.lan:11434",
            url: "http://gpu2.lan:11434/",
            state: "away",
            since: hours(0.2),
            version: null,
            reason: "unreachable",
            detail: "gpu2.lan:11434: connection refused",
          },
        ]
      : [answering],
    controls: {
      enabled: true,
      jobs: [
        {
          id: 1,
          host: here,
          model: "deepseek-r1:14b",
          action: "load",
          requested_at: hours(loading / 3600),
          state: loading < 25 ? "running" : "done",
          position: null,
          seconds: Math.min(loading, 25),
          error: null,
        },
        ...(full
          ? [
              {
                id: 2,
                host: here,
                model: "mistral-small:24b",
                action: "load",
                requested_at: hours(0.1),
                state: "failed",
                position: null,
                seconds: 1.4,
                error: {
                  code: "model_failed",
                  message: "model requires more system memory (71 GiB) than is available (48 GiB)",
                  hint: "",
                },
              },
            ]
          : []),
      ],
    },
    missing: full
      ? { memory_usage: { reason: "unreachable", detail: "gpu2.lan:11434 does not answer, so the sum is not known" } }
      : {},
  };
}

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

const EVENTS = [
  ["command_executed", "info", "planner", "ok", "ran pytest -q in 14 s"],
  ["tool_failure", "error", "coder", "failed", "web_search: no answer within 10 s"],
  ["policy_decision", "info", "router", "allowed", "write to /srv/models allowed by rule 12"],
  ["rate_limited", "warning", "mira", "limited", "rate limited: 61 requests in a minute"],
  ["approval_requested", "warning", "coder", "pending", "asks to run docker compose up -d"],
  ["approval_granted", "info", "mira", "allowed", "docker compose up -d"],
  ["safety_check", "warning", "critic", "denied", "refused: removes files outside of the workspace"],
  ["role_changed", "info", "architect", "none", "role reviewer: priority 6 to 7"],
  ["http", "info", null, "ok", "GET /v1/models 200"],
];

function governance(started, second, full) {
  const count = Math.floor(second / 4);
  const audit_logs = Array.from({ length: 20 }, (_, index) => {
    const number = count - index;
    const [kind, level, actor, outcome, summary] = EVENTS[((number % EVENTS.length) + EVENTS.length) % EVENTS.length];
    const time = new Date(started + number * 4000).toISOString();
    return {
      time,
      time_missing: false,
      kind,
      event_type: kind,
      message: summary,
      details: {},
      level,
      actor,
      outcome,
      summary: full && index === 1 ? `<script>alert("${summary}")</script>` : summary,
      source: {
        log: "security_audit",
        file: "/opt/aura/logs/security_audit.jsonl",
        offset: 1e6 + number * 180,
        archive: 0,
      },
    };
  });
  const watched = [
    { kind: "tool_failure", count: full ? 19 : 6, recent: 3, limit: 15, acceleration: 0.001, spike: full },
    { kind: "approval_requested", count: 4, recent: 1, limit: 20, acceleration: 0, spike: false },
    { kind: "rate_limited", count: 2, recent: 1, limit: 10, acceleration: 0, spike: false },
  ];
  const log = (name, state, events, more = {}) => ({
    name,
    path: `/opt/aura/logs/${name}.jsonl`,
    state,
    events,
    unread_bytes: 0,
    skipped: 0,
    gaps: 0,
    missing: null,
    watched: [],
    ...more,
  });
  return {
    roles: roles(started, full),
    audit_logs,
    audit: {
      logs: [
        log("security_audit", "following", 18_204 + count, { watched }),
        log("provenance", "following", 5_120),
        log("mcp_tool_spans", "following", 96_377),
        full
          ? log("debate_audit", "unreadable", 0, {
              missing: { reason: "no_permission", detail: "/opt/aura/logs/debate_audit.jsonl: permission denied" },
            })
          : log("debate_audit", "waiting", 0),
      ],
      spikes: watched.filter(({ spike }) => spike).map((spike) => ({ log: "security_audit", ...spike })),
      problems: [],
      position_kept: true,
    },
    missing: {},
  };
}

function roles(started, full) {
  const registry = { architect: 9, planner: 8, reviewer: 7, critic: 7, coder: 6, tester: 6, writer: 4 };
  const taxonomy = { operator: [4, "privileged"], agent: [2, "standard"], guest: [1, "basic"] };
  const role = (name, trust_level, more) => ({
    name,
    installation: "aura",
    trust_level,
    trust_scale: "priority_1_10",
    purpose: `what a ${name} does`,
    capabilities: ["read_files", "web_search"],
    behaviors: [],
    interactions: [],
    parent_role: null,
    child_roles: [],
    risk_factor: 0.3,
    confidence_weight: 1,
    assumed: [],
    version: "1.0",
    origin: "registry",
    other: {},
    ...more,
  });
  const all = [
    ...Object.entries(registry).map(([name, level]) => role(name, level)),
    ...Object.entries(taxonomy).map(([name, [level, trust_word]]) =>
      role(name, level, { trust_word, trust_scale: "taxonomy_0_5", origin: "taxonomy" }),
    ),
  ];
  return {
    meta: { total_roles: all.length, last_updated: new Date(started).toISOString(), trust_scale: null },
    root: {
      name: "architect",
      trust_level: 9,
      trust_scale: "priority_1_10",
      children: [{ name: "planner", trust_level: 8, children: [] }],
    },
    roles: all,
    installations: [
      {
        name: "aura",
        root: "/opt/aura",
        meta: {},
        migrations: [],
        last_change: new Date(started).toISOString(),
        drafts_pending: 1,
        drafts: [
          {
            id: "d-0192",
            shape: "evolver",
            role: "researcher",
            status: "proposed",
            pending: true,
            created: started / 1000 - 9_400,
            risk: 0.35,
            evidence: 3,
            proposal: { purpose: "finds sources" },
            reason: "often asked for by planner",
          },
        ],
        findings: [
          { kind: "missing_parent", subject: "guest", detail: 'its parent "visitor" is no role' },
          ...(full ? [{ kind: "unreadable_file", subject: "roles/<i>x</i>.yaml", detail: "not YAML: line 3" }] : []),
        ],
      },
    ],
  };
}
