import { type Message, type Missing, parseMessage } from "./envelope";

/** The messages of `/ws/database` and `/api/database`, as far as the page shows them. */
export interface DatabaseUpdate extends Message {
  metrics?: Server | null;
  others?: Server[] | null;
}

export interface Server {
  name: string;
  status: "connected" | "disconnected" | "error" | (string & {});
  error?: string | null;
  host?: string | null;
  database?: string | null;
  version?: string | null;
  role?: string | null;
  connections?: {
    active?: number | null;
    idle?: number | null;
    idle_in_transaction?: number | null;
    total?: number | null;
    max?: number | null;
    utilization_percent?: number | null;
  } | null;
  database_size?: { bytes?: number | null } | null;
  health?: {
    uptime_seconds?: number | null;
    long_running_queries?: number | null;
    blocked_queries?: number | null;
    status?: "healthy" | "degraded" | "unknown" | (string & {}) | null;
    reasons?: string[] | null;
  } | null;
  activity?: {
    commits_per_second?: number | null;
    rollbacks_per_second?: number | null;
    /** 0 to 1. */
    rollback_ratio?: number | null;
    cache_hit_ratio?: number | null;
  } | null;
  slow_queries?: { query?: string | null; calls?: number | null; mean_time_ms?: number | null }[] | null;
  long_running?: { pid: number; seconds?: number | null; query?: string | null; state?: string | null }[] | null;
  blocked?:
    | {
        pid: number;
        seconds?: number | null;
        query?: string | null;
        blocked_by?: { pid: number; query?: string | null; state?: string | null }[] | null;
      }[]
    | null;
  replication?: {
    is_replica?: boolean | null;
    lag_seconds?: number | null;
    receivers?: { application?: string | null; lag_seconds?: number | null; lag_bytes?: number | null }[] | null;
  } | null;
  missing?: Record<string, Missing>;
}

export function parseDatabase(text: string): DatabaseUpdate | null {
  return parseMessage<DatabaseUpdate>(text, ["database_update"]);
}
