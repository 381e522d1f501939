//! The messages of `/ws/governance` and `/api/governance`: names and shapes that dashboards of existing installations
//! use, and more. What is not known is `null` and says why under `missing`.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use aura_audit::{AuditEvent, Spike};
use aura_model::Missing;
use aura_roles::{Draft, Finding, Migration, Node, Role, TrustScale};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::api::{FeedDescription, reply};

/// The feed of roles and audit logs.
pub(crate) const FEED: FeedDescription = FeedDescription::new::<GovernanceUpdate>(
    "governance",
    "Roles and audit logs of installations.",
    "A message with each change, within two looks at the files, and one every five seconds without any. It comes also without a \
     reading, and says under `missing` why.",
)
.requests(&[
    reply::<RolesUpdate>(r#"{"type": "refresh_roles"}"#),
    reply::<AuditUpdate>(r#"{"type": "refresh_audit", "level": "error", "limit": 20}"#),
]);

/// A message of `/ws/governance`, and what `/api/governance` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GovernanceUpdate {
    /// `governance_init` for the first message to a client, with 20 events; `governance_update` after that and at
    /// `/api/governance`, with 10.
    pub r#type: &'static str,
    /// Grows by one with each message since the agent started.
    pub seq: u64,
    /// When the newer of the two readings, of roles and of logs, was begun, RFC 3339 in UTC; `null` when there is
    /// neither.
    pub sampled_at: Option<String>,
    /// When the message was made, RFC 3339 in UTC.
    pub timestamp: String,
    /// The roles of all installations; `null` when they are not watched.
    pub roles: Option<RolesView>,
    /// The newest events of all logs, newest first; `null` when no log is watched.
    pub audit_logs: Option<Vec<EventView>>,
    /// How the logs fare; `null` when no log is watched.
    pub audit: Option<AuditView>,
    /// Why what is `null` is so, by its key.
    pub missing: BTreeMap<&'static str, Missing>,
}

/// What a client gets that sends `{"type": "refresh_roles"}`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RolesUpdate {
    /// Always `roles_update`.
    pub r#type: &'static str,
    /// When the files were last looked at, RFC 3339 in UTC; `null` when they are not.
    pub sampled_at: Option<String>,
    /// When the reply was made, RFC 3339 in UTC.
    pub timestamp: String,
    /// The roles of all installations; `null` when they are not watched.
    pub roles: Option<RolesView>,
    /// Why `roles` is `null`, under that key.
    pub missing: BTreeMap<&'static str, Missing>,
}

/// What a client gets that sends `{"type": "refresh_audit", "level": "all", "limit": 20}`: events of a level from the
/// newest 100. `/api/governance/audit-logs` has all.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditUpdate {
    /// Always `audit_update`.
    pub r#type: &'static str,
    /// When the logs were last looked at, RFC 3339 in UTC; `null` when they are not.
    pub sampled_at: Option<String>,
    /// When the reply was made, RFC 3339 in UTC.
    pub timestamp: String,
    /// The newest events, newest first; `null` when no log is watched.
    pub audit_logs: Option<Vec<EventView>>,
    /// Why `audit_logs` is `null`, under that key.
    pub missing: BTreeMap<&'static str, Missing>,
}

/// Roles, their tree, drafts, migrations and findings.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RolesResponse {
    /// Always `ok`: everything else comes as an error.
    pub status: &'static str,
    /// When the answer was made, RFC 3339 in UTC.
    pub timestamp: String,
    /// When the files were last looked at, RFC 3339 in UTC.
    pub sampled_at: String,
    /// The roles of all installations.
    pub data: RolesView,
}

/// A page of events of the audit logs.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditPage")]
pub struct PageResponse {
    /// Always `ok`: everything else comes as an error.
    pub status: &'static str,
    /// Events that fit, newest first.
    pub events: Vec<EventView>,
    /// How many events these are.
    pub count: usize,
    /// When the answer was made, RFC 3339 in UTC.
    pub timestamp: String,
    /// The `cursor` of the page with older ones; `null` when there are none.
    pub next: Option<String>,
    /// Lines passed over that are no events: blank, torn, no JSON objects, or longer than 1 MiB.
    pub skipped: u64,
    /// False when the page ends early, after two seconds of looking or 8 MiB: `next` goes on.
    pub complete: bool,
    /// Files that could not be read, each with why.
    pub problems: Vec<String>,
}

/// Roles as a tree and as a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RolesView {
    /// The top of the tree, of the first installation: that of its taxonomy, else all roles side by side.
    pub root: Root,
    /// The roles of all installations, the most trusted first.
    pub roles: Vec<RoleView>,
    /// How many there are, and how new.
    pub meta: RolesMeta,
    /// Each installation with its drafts, migrations and findings.
    pub installations: Vec<InstallationView>,
}

/// The top of the tree; no role of its own.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RoleRoot")]
pub struct Root {
    /// Always `System`.
    pub name: &'static str,
    /// The highest level of the scale: 10 or 5.
    pub trust_level: u8,
    /// What the levels in the tree mean.
    pub trust_scale: TrustScale,
    /// Roles without a parent.
    pub children: Vec<Node>,
}

/// A role and where it is from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RoleView {
    /// Name of its installation.
    pub installation: String,
    /// The role.
    #[serde(flatten)]
    pub role: Role,
}

/// How many roles there are, and how new they are.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RolesMeta {
    /// Roles of all installations.
    pub total_roles: usize,
    /// When one of the role files last changed, RFC 3339 in UTC; `null` when there is none.
    pub last_updated: Option<String>,
    /// The scale of the first role; `null` without one. Each role names its own.
    pub trust_scale: Option<TrustScale>,
}

/// An installation: a folder of `sources.roles.roots`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InstallationView {
    /// Name of its folder.
    pub name: String,
    /// Path of its folder.
    pub root: PathBuf,
    /// What its registry says of itself (`meta`), as the file has it.
    pub meta: Map<String, Value>,
    /// When one of its role files last changed, RFC 3339 in UTC; `null` when there is none.
    pub last_change: Option<String>,
    /// Drafts that wait for somebody's decision.
    pub drafts_pending: usize,
    /// The newest drafts, 100 at most.
    pub drafts: Vec<Draft>,
    /// The newest migrations of the policies, 100 at most, newest last.
    pub migrations: Vec<Migration>,
    /// What is not as it should be, 100 at most.
    pub findings: Vec<Finding>,
}

/// How the logs fare.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditView {
    /// Each log that is followed.
    pub logs: Vec<LogView>,
    /// Kinds of events of which more came within an hour than `sources.audit.spikes` allows.
    pub spikes: Vec<SpikeView>,
    /// What does not work as it should, in sentences: files that cannot be read, positions that cannot be kept.
    pub problems: Vec<String>,
    /// Whether each line is counted once also over restarts of the agent; `null` without `storage.path`.
    pub position_kept: Option<bool>,
}

/// A log. Numbers count from when it was first followed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LogView {
    /// Its name: that of the configuration, else that of its file.
    pub name: String,
    /// Path of its live file.
    pub path: PathBuf,
    /// `following`; `waiting`, when there is no such file yet; `unreadable`, when it may not be read.
    pub state: &'static str,
    /// Why it cannot be read; `null` when it can.
    pub missing: Option<Missing>,
    /// Size of the live file in bytes; `null` when there is none.
    pub size_bytes: Option<u64>,
    /// Bytes that are not counted yet: the agent catches up, or a last line has no end.
    pub unread_bytes: u64,
    /// Events counted.
    pub events: u64,
    /// Lines that are no events: blank, torn, no JSON objects, or longer than 1 MiB.
    pub skipped: u64,
    /// How often lines may have been missed.
    pub gaps: u64,
    /// The time of the event that was read last, by its own line, RFC 3339; `null` when that has none.
    pub last_event: Option<String>,
    /// The kinds that `sources.audit.spikes` watches.
    pub watched: Vec<Spike>,
}

/// A kind of event of which more came within an hour than its limit.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SpikeView {
    /// Name of the log.
    pub log: String,
    /// What is too much of.
    #[serde(flatten)]
    pub spike: Spike,
}

/// An event, with the names that older dashboards look for beside the others.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventView {
    /// The same as `time`.
    pub timestamp: Option<String>,
    /// The same as `kind`.
    pub event_type: String,
    /// The same as `summary`.
    pub message: String,
    /// The event.
    #[serde(flatten)]
    pub event: Arc<AuditEvent>,
}

impl From<AuditEvent> for EventView {
    fn from(event: AuditEvent) -> Self {
        Self {
            timestamp: event.time.clone(),
            event_type: event.kind.clone(),
            message: event.summary.clone(),
            event: Arc::new(event),
        }
    }
}
