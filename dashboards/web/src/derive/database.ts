import type { ServerMetrics as Server } from "../contract/types";
import { describeReason } from "../feed/envelope";
import { bytes, duration, plain, text, UNKNOWN } from "../format/format";

/** A query that somebody should look at. */
export interface Trouble {
  kind: "blocked" | "long" | "slow";
  /** Null when we may not see it. */
  query: string | null;
  /** How bad it is, in words. */
  measure: string;
}

/** The worst query of each kind: the one that waits longest, the one that runs longest, the slowest on average. */
export function worstQueries(server: Server): Trouble[] {
  const troubles: Trouble[] = [];
  const blocked = most(server.blocked, ({ seconds }) => seconds);
  if (blocked) {
    const by = (blocked.blocked_by ?? []).map(({ pid, state }) => `${pid}${state ? ` (${state})` : ""}`).join(", ");
    const measure = `${duration(blocked.seconds)}${by && `, by ${by}`}`;
    troubles.push({ kind: "blocked", query: blocked.query ?? null, measure });
  }
  const long = most(server.long_running, ({ seconds }) => seconds);
  if (long) troubles.push({ kind: "long", query: long.query ?? null, measure: duration(long.seconds) });
  const slow = most(server.slow_queries, ({ mean_time_ms }) => mean_time_ms);
  if (slow) {
    const mean = Number.isFinite(slow.mean_time_ms) ? (slow.mean_time_ms as number) / 1000 : null;
    troubles.push({ kind: "slow", query: slow.query ?? null, measure: `${duration(mean)} on average` });
  }
  return troubles;
}

function most<T>(rows: T[] | null | undefined, measure: (row: T) => number | null | undefined): T | null {
  const size = (row: T) => measure(row) ?? Number.NEGATIVE_INFINITY;
  return (rows ?? []).reduce<T | null>((worst, row) => (worst && size(worst) >= size(row) ? worst : row), null);
}

/** Whether all is well, as a word and the colour that it deserves. */
export function verdict(server: Server): { word: string; level: "good" | "warning" | "critical" | "" } {
  if (server.status === "disconnected") return { word: "does not answer", level: "critical" };
  if (server.status === "error") return { word: "does not let us in", level: "critical" };
  switch (server.health?.status) {
    case "healthy":
      return { word: "healthy", level: "good" };
    case "degraded":
      return { word: "degraded", level: "warning" };
    default:
      return { word: "not judged", level: "" };
  }
}

/** How far replication is behind, in words; what it is behind depends on the server's side of it. */
export function replicationLag({ replication }: Server): string {
  if (!replication) return UNKNOWN;
  if (replication.is_replica) return `${duration(replication.lag_seconds)} behind`;
  const receivers = replication.receivers;
  if (!receivers) return UNKNOWN;
  if (receivers.length === 0) return "no receivers";
  const last = most(receivers, ({ lag_bytes, lag_seconds }) => lag_bytes ?? lag_seconds);
  const behind = Number.isFinite(last?.lag_bytes) ? text(bytes(last?.lag_bytes)) : duration(last?.lag_seconds);
  return `${receivers.length === 1 ? "1 receiver" : `${receivers.length} receivers`}, ${behind} behind`;
}

/** Transactions committed and rolled back a second. */
export function transactions({ activity }: Server): string {
  const { commits_per_second: commits, rollbacks_per_second: rollbacks } = activity ?? {};
  const known = Number.isFinite(commits) && Number.isFinite(rollbacks);
  return text(plain(known ? (commits as number) + (rollbacks as number) : null, 1));
}

/** How many statements are slow; null when nobody counts. */
export function slowCount({ slow_queries, missing }: Server): number | null {
  return slow_queries ? slow_queries.length : missing?.["slow_queries"] ? null : 0;
}

/** Where the panel has a dash, by the path in the message. */
const SHOWN: Record<string, string> = {
  connections: "Connections",
  "connections.active": "Active, idle",
  "connections.max": "Limit of connections",
  database_size: "Size",
  databases: "Rates",
  slow_queries: "Slow queries",
  "health.uptime_seconds": "State",
  "replication.receivers": "Replication",
};

/** Why there are dashes, in sentences. */
export function whyDashes({ missing }: Server): string[] {
  return Object.entries(missing ?? {}).flatMap(([path, { reason, detail }]) =>
    SHOWN[path] ? [`${SHOWN[path]}: ${describeReason(reason, detail)}`] : [],
  );
}
