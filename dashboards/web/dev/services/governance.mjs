// What a made-up machine's audit logs and roles say.

export default {
  feed: "governance",
  off: {
    audit: ["not_configured", "no audit logs are named"],
    roles: ["not_configured", "no root folder is named"],
  },
  message: ({ started, second, full }) => ({ type: "governance_update", ...governance(started, second, full) }),
};

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
