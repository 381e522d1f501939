import { type Message, type Missing, parseMessage } from "./envelope";

/** The messages of `/ws/governance` and `/api/governance`, as far as the page shows them. */
export interface GovernanceUpdate extends Message {
  roles?: Roles | null;
  /** The newest events, the newest first. */
  audit_logs?: AuditEvent[] | null;
  audit?: {
    logs?: AuditLog[] | null;
    spikes?: (Watched & { log?: string })[] | null;
    problems?: string[] | null;
  } | null;
  missing?: Record<string, Missing>;
}

export interface Roles {
  roles?: Role[] | null;
  installations?: Installation[] | null;
}

export interface Role {
  name: string;
  trust_level?: number | null;
  trust_scale?: "priority_1_10" | "taxonomy_0_5" | (string & {}) | null;
  trust_word?: string | null;
}

export interface Installation {
  name: string;
  drafts_pending?: number | null;
  drafts?: Draft[] | null;
  findings?: { kind: string; subject: string; detail: string }[] | null;
}

export interface Draft {
  id: string;
  shape?: string | null;
  role?: string | null;
  pending?: boolean | null;
  /** Unix seconds. */
  created?: number | null;
  /** 0 to 1. */
  risk?: number | null;
  reason?: string | null;
}

export interface AuditEvent {
  time?: string | null;
  kind: string;
  level: "debug" | "info" | "warning" | "error" | (string & {});
  actor?: string | null;
  outcome?: string | null;
  summary?: string | null;
  source?: { log?: string | null; file?: string | null; offset?: number | null } | null;
}

export interface AuditLog {
  name: string;
  state: "following" | "waiting" | "unreadable" | (string & {});
  missing?: Missing | null;
  events?: number | null;
  watched?: Watched[] | null;
}

/** How many events of a kind came within an hour and within 15 minutes. */
export interface Watched {
  kind: string;
  count?: number | null;
  recent?: number | null;
  limit?: number | null;
  spike?: boolean | null;
}

/** The agent sends one with each change, and otherwise so often, in seconds. */
const USUAL_INTERVAL = 5;

export function parseGovernance(text: string): GovernanceUpdate | null {
  return parseMessage<GovernanceUpdate>(text, ["governance_init", "governance_update"], USUAL_INTERVAL);
}
