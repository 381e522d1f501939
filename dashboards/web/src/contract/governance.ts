// Generated from docs/api.governance.schema.json: npm run contract.

/**
 * How severe an event is.
 */
export type Level = "debug" | "info" | "warning" | "error" | (string & {});
/**
 * What became of what was asked for.
 */
export type Outcome = "allowed" | "denied" | "pending" | "limited" | "ok" | "failed" | "none" | (string & {});
/**
 * How trust is counted. The two scales have nothing in common but the word.
 */
export type TrustScale = "priority_1_10" | "taxonomy_0_5" | (string & {});
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

export interface Messages {
  api_governance_audit_logs: PageAnswer;
  api_governance_roles: RolesAnswer;
  audit_update: AuditUpdate;
  governance_init: GovernanceUpdate;
  governance_update: GovernanceUpdate;
  roles_update: RolesUpdate;
}
/**
 * Answers `/api/governance/audit-logs`.
 */
export interface PageAnswer {
  /**
   * False when the page ends early because it took too long: `next` goes on.
   */
  complete: boolean;
  /**
   * How many events these are.
   */
  count: number;
  /**
   * The newest first.
   */
  events: EventView[];
  /**
   * The `cursor` of the page with older ones; `null` when there are none.
   */
  next: string | null;
  /**
   * Files that could not be read, and why.
   */
  problems: string[];
  /**
   * Lines passed over that are no events.
   */
  skipped: number;
  /**
   * Always `ok`; whatever else comes as an error.
   */
  status: string;
  /**
   * When the answer was made, RFC 3339.
   */
  timestamp: string;
}
/**
 * An event, with the names that older dashboards look for beside the others.
 */
export interface EventView {
  /**
   * Who did it; `null` when neither the line nor its kind says.
   */
  actor: string | null;
  /**
   * All other fields as the log has them.
   */
  details: {
    [k: string]: unknown;
  };
  /**
   * The same as `kind`.
   */
  event_type: string;
  /**
   * What happened.
   */
  kind: string;
  level: Level;
  /**
   * The same as `summary`.
   */
  message: string;
  outcome: Outcome;
  /**
   * Of a signed record: `valid`, `invalid` or `not_checked`.
   */
  signature?: string | null;
  source: Place;
  /**
   * One line, made from the fields.
   */
  summary: string;
  /**
   * When it happened, RFC 3339; `null` when the line does not say.
   */
  time: string | null;
  /**
   * The line has no time that can be read.
   */
  time_missing: boolean;
  /**
   * The same as `time`.
   */
  timestamp: string | null;
}
/**
 * Where an event stands.
 */
export interface Place {
  /**
   * The archive's number; 0 is the live file.
   */
  archive: number;
  /**
   * The file.
   */
  file: string;
  /**
   * The log's name.
   */
  log: string;
  /**
   * Where its line starts there, unpacked.
   */
  offset: number;
}
/**
 * Answers `/api/governance/roles`.
 */
export interface RolesAnswer {
  data: RolesView;
  /**
   * When the files were looked at, RFC 3339.
   */
  sampled_at: string;
  /**
   * Always `ok`; whatever else comes as an error.
   */
  status: string;
  /**
   * When the answer was made, RFC 3339.
   */
  timestamp: string;
}
/**
 * Roles as a tree and as a list.
 */
export interface RolesView {
  /**
   * Each installation.
   */
  installations: InstallationView[];
  meta: RolesMeta;
  /**
   * The roles of all installations, the most trusted first.
   */
  roles: RoleView[];
  root: Root;
}
/**
 * One installation.
 */
export interface InstallationView {
  /**
   * The newest drafts, 100 at most.
   */
  drafts: Draft[];
  /**
   * Drafts that wait for a decision.
   */
  drafts_pending: number;
  /**
   * What is not as it should be, 100 at most.
   */
  findings: Finding[];
  /**
   * When a role file last changed, RFC 3339.
   */
  last_change: string | null;
  /**
   * Its registry's `meta`, as the file has it.
   */
  meta: {
    [k: string]: unknown;
  };
  /**
   * Migrations of the policies, the newest 100.
   */
  migrations: Migration[];
  /**
   * Its folder's name.
   */
  name: string;
  /**
   * Its folder.
   */
  root: string;
}
/**
 * A draft.
 */
export interface Draft {
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
 */
export interface Finding {
  /**
   * What was found, in a sentence.
   */
  detail: string;
  /**
   * What it is: `unreadable_file`, `not_an_object`, `trust_out_of_range`, `number_out_of_range`, `missing_parent`,
   * `missing_child`, `several_parents`, `cycle`, `too_deep` or `too_many_files`.
   */
  kind: string;
  /**
   * The role or file that it is about.
   */
  subject: string;
}
/**
 * A migration of the policies.
 */
export interface Migration {
  /**
   * Where the version before is kept.
   */
  backup_path: string | null;
  /**
   * What went wrong.
   */
  error: string | null;
  /**
   * The version before.
   */
  from_version: string | null;
  /**
   * Its number.
   */
  migration_id: string | null;
  /**
   * What became of it.
   */
  status: string | null;
  /**
   * When, as the file has it: local time without a zone.
   */
  timestamp: string | null;
  /**
   * The version after.
   */
  to_version: string | null;
}
/**
 * How many roles, and how new.
 */
export interface RolesMeta {
  /**
   * When a role file last changed, RFC 3339.
   */
  last_updated: string | null;
  /**
   * Roles of all installations.
   */
  total_roles: number;
  /**
   * The scale of the first role; each role names its own.
   */
  trust_scale: TrustScale | null;
}
/**
 * A role and where it is from.
 */
export interface RoleView {
  /**
   * Which of the numbers above the file does not say: they are the installation's defaults.
   */
  assumed: string[];
  /**
   * How it behaves.
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
   * 0 to 1.
   */
  confidence_weight: number;
  /**
   * The installation.
   */
  installation: string;
  /**
   * Whom it works with.
   */
  interactions: string[];
  /**
   * Its name.
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
   * What it is for.
   */
  purpose: string | null;
  /**
   * 0 to 1.
   */
  risk_factor: number;
  /**
   * How far it is trusted, on `trust_scale`.
   */
  trust_level: number;
  trust_scale: TrustScale;
  /**
   * The taxonomy's word for the level.
   */
  trust_word?: string | null;
  /**
   * Its version, as the installation's REST view has it: 1.0 when the file does not say.
   */
  version: string;
}
/**
 * The top of the tree; no role of its own.
 */
export interface Root {
  /**
   * Roles without a parent.
   */
  children: Node[];
  /**
   * Always `System`.
   */
  name: string;
  /**
   * The highest level of the scale.
   */
  trust_level: number;
  trust_scale: TrustScale;
}
/**
 * A role's place in the tree.
 */
export interface Node {
  /**
   * Those below it, the most trusted first.
   */
  children: Node[];
  /**
   * The role.
   */
  name: string;
  /**
   * How far it is trusted, on its role's scale.
   */
  trust_level: number;
}
/**
 * Answers `{"type": "refresh_audit", "level": "all", "limit": 20}` from the newest 100 events;
 * `/api/governance/audit-logs` has all.
 */
export interface AuditUpdate {
  /**
   * The newest events, the newest first.
   */
  audit_logs: EventView[] | null;
  /**
   * Why there are none.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * When the logs were looked at, RFC 3339.
   */
  sampled_at: string | null;
  /**
   * When the answer was made, RFC 3339.
   */
  timestamp: string;
  /**
   * Always `audit_update`.
   */
  type: string;
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
 * One message.
 */
export interface GovernanceUpdate {
  /**
   * How the logs fare.
   */
  audit: AuditView | null;
  /**
   * The newest events, the newest first.
   */
  audit_logs: EventView[] | null;
  /**
   * Why what is `null` is missing, by its key.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * The roles.
   */
  roles: RolesView | null;
  /**
   * When the newest of the two sources was read, RFC 3339; `null` when neither was.
   */
  sampled_at: string | null;
  /**
   * One more with each message since the agent started.
   */
  seq: number;
  /**
   * When the message was made, RFC 3339.
   */
  timestamp: string;
  /**
   * `governance_init` for the first message to a client, with 20 events; `governance_update` after that, with 10.
   */
  type: string;
}
/**
 * How the logs fare.
 */
export interface AuditView {
  /**
   * Each log.
   */
  logs: LogView[];
  /**
   * Whether each line is counted once also over restarts; `null` without a folder for that.
   */
  position_kept: boolean | null;
  /**
   * What does not work as it should.
   */
  problems: string[];
  /**
   * Kinds with more events within an hour than their limit.
   */
  spikes: SpikeView[];
}
/**
 * One log. Numbers count from when it was first followed.
 */
export interface LogView {
  /**
   * Events.
   */
  events: number;
  /**
   * How often something may have been lost.
   */
  gaps: number;
  /**
   * The time of the event read last, RFC 3339.
   */
  last_event: string | null;
  /**
   * Why it cannot be read.
   */
  missing: Missing | null;
  /**
   * Its name.
   */
  name: string;
  /**
   * Its live file.
   */
  path: string;
  /**
   * Size of the live file.
   */
  size_bytes: number | null;
  /**
   * Lines that are no events.
   */
  skipped: number;
  /**
   * `following`, `waiting` or `unreadable`.
   */
  state: string;
  /**
   * Bytes that are not counted yet.
   */
  unread_bytes: number;
  /**
   * The kinds that are watched for spikes.
   */
  watched: Spike[];
}
/**
 * How many events of a kind came lately.
 */
export interface Spike {
  /**
   * Events a second in the last 15 minutes, less those in the last hour: above zero it is getting more.
   */
  acceleration: number;
  /**
   * Events within the last hour, by their own times.
   */
  count: number;
  /**
   * The kind.
   */
  kind: string;
  /**
   * More within an hour is a spike.
   */
  limit: number;
  /**
   * Events within the last 15 minutes.
   */
  recent: number;
  /**
   * Whether the limit is passed.
   */
  spike: boolean;
}
/**
 * A spike.
 */
export interface SpikeView {
  /**
   * Events a second in the last 15 minutes, less those in the last hour: above zero it is getting more.
   */
  acceleration: number;
  /**
   * Events within the last hour, by their own times.
   */
  count: number;
  /**
   * The kind.
   */
  kind: string;
  /**
   * More within an hour is a spike.
   */
  limit: number;
  /**
   * The log.
   */
  log: string;
  /**
   * Events within the last 15 minutes.
   */
  recent: number;
  /**
   * Whether the limit is passed.
   */
  spike: boolean;
}
/**
 * Answers `{"type": "refresh_roles"}`.
 */
export interface RolesUpdate {
  /**
   * Why there are none.
   */
  missing: {
    [k: string]: Missing;
  };
  /**
   * The roles.
   */
  roles: RolesView | null;
  /**
   * When the files were looked at, RFC 3339.
   */
  sampled_at: string | null;
  /**
   * When the answer was made, RFC 3339.
   */
  timestamp: string;
  /**
   * Always `roles_update`.
   */
  type: string;
}
