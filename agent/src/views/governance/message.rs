//! The messages of `/ws/governance` and `/api/governance`: names and shapes that dashboards of existing installations
//! use, and more. What is not known is `null` and says why under `missing`.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use aura_audit::{AuditEvent, Spike};
use aura_model::Missing;
use aura_roles::{Draft, Finding, Migration, Node, Role, TrustScale};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// The JSON schemas of the messages and answers, by their names.
#[must_use]
pub fn schema() -> String {
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is wanted")]
    struct Messages {
        governance_init: GovernanceUpdate,
        governance_update: GovernanceUpdate,
        roles_update: RolesUpdate,
        audit_update: AuditUpdate,
        api_governance_roles: RolesAnswer,
        api_governance_audit_logs: PageAnswer,
    }
    crate::api::schema::<Messages>()
}

/// One message.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GovernanceUpdate {
    /// `governance_init` for the first message to a client, with 20 events; `governance_update` after that, with 10.
    pub r#type: &'static str,
    /// One more with each message since the agent started.
    pub seq: u64,
    /// When the newest of the two sources was read, RFC 3339; `null` when neither was.
    pub sampled_at: Option<String>,
    /// When the message was made, RFC 3339.
    pub timestamp: String,
    /// The roles.
    pub roles: Option<RolesView>,
    /// The newest events, the newest first.
    pub audit_logs: Option<Vec<EventView>>,
    /// How the logs fare.
    pub audit: Option<AuditView>,
    /// Why what is `null` is missing, by its key.
    pub missing: BTreeMap<&'static str, Missing>,
}

/// Answers `{"type": "refresh_roles"}`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RolesUpdate {
    /// Always `roles_update`.
    pub r#type: &'static str,
    /// When the files were looked at, RFC 3339.
    pub sampled_at: Option<String>,
    /// When the answer was made, RFC 3339.
    pub timestamp: String,
    /// The roles.
    pub roles: Option<RolesView>,
    /// Why there are none.
    pub missing: BTreeMap<&'static str, Missing>,
}

/// Answers `{"type": "refresh_audit", "level": "all", "limit": 20}` from the newest 100 events;
/// `/api/governance/audit-logs` has all.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditUpdate {
    /// Always `audit_update`.
    pub r#type: &'static str,
    /// When the logs were looked at, RFC 3339.
    pub sampled_at: Option<String>,
    /// When the answer was made, RFC 3339.
    pub timestamp: String,
    /// The newest events, the newest first.
    pub audit_logs: Option<Vec<EventView>>,
    /// Why there are none.
    pub missing: BTreeMap<&'static str, Missing>,
}

/// Answers `/api/governance/roles`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RolesAnswer {
    /// Always `ok`; whatever else comes as an error.
    pub status: &'static str,
    /// When the answer was made, RFC 3339.
    pub timestamp: String,
    /// When the files were looked at, RFC 3339.
    pub sampled_at: String,
    /// The roles.
    pub data: RolesView,
}

/// Answers `/api/governance/audit-logs`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PageAnswer {
    /// Always `ok`; whatever else comes as an error.
    pub status: &'static str,
    /// The newest first.
    pub events: Vec<EventView>,
    /// How many events these are.
    pub count: usize,
    /// When the answer was made, RFC 3339.
    pub timestamp: String,
    /// The `cursor` of the page with older ones; `null` when there are none.
    pub next: Option<String>,
    /// Lines passed over that are no events.
    pub skipped: u64,
    /// False when the page ends early because it took too long: `next` goes on.
    pub complete: bool,
    /// Files that could not be read, and why.
    pub problems: Vec<String>,
}

/// Roles as a tree and as a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RolesView {
    /// The tree, of the first installation; all roles side by side where there is no taxonomy.
    pub root: Root,
    /// The roles of all installations, the most trusted first.
    pub roles: Vec<RoleView>,
    /// How many, and how new.
    pub meta: RolesMeta,
    /// Each installation.
    pub installations: Vec<InstallationView>,
}

/// The top of the tree; no role of its own.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Root {
    /// Always `System`.
    pub name: &'static str,
    /// The highest level of the scale.
    pub trust_level: u8,
    /// What the levels in the tree mean: `priority_1_10` or `taxonomy_0_5`.
    pub trust_scale: TrustScale,
    /// Roles without a parent.
    pub children: Vec<Node>,
}

/// A role and where it is from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RoleView {
    /// The installation.
    pub installation: String,
    /// The role.
    #[serde(flatten)]
    pub role: Role,
}

/// How many roles, and how new.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RolesMeta {
    /// Roles of all installations.
    pub total_roles: usize,
    /// When a role file last changed, RFC 3339.
    pub last_updated: Option<String>,
    /// The scale of the first role; each role names its own.
    pub trust_scale: Option<TrustScale>,
}

/// One installation.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InstallationView {
    /// Its folder's name.
    pub name: String,
    /// Its folder.
    pub root: PathBuf,
    /// Its registry's `meta`, as the file has it.
    pub meta: Map<String, Value>,
    /// When a role file last changed, RFC 3339.
    pub last_change: Option<String>,
    /// Drafts that wait for a decision.
    pub drafts_pending: usize,
    /// The newest drafts, 100 at most.
    pub drafts: Vec<Draft>,
    /// Migrations of the policies, the newest 100.
    pub migrations: Vec<Migration>,
    /// What is not as it should be, 100 at most.
    pub findings: Vec<Finding>,
}

/// How the logs fare.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditView {
    /// Each log.
    pub logs: Vec<LogView>,
    /// Kinds with more events within an hour than their limit.
    pub spikes: Vec<SpikeView>,
    /// What does not work as it should.
    pub problems: Vec<String>,
    /// Whether each line is counted once also over restarts; `null` without a folder for that.
    pub position_kept: Option<bool>,
}

/// One log. Numbers count from when it was first followed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LogView {
    /// Its name.
    pub name: String,
    /// Its live file.
    pub path: PathBuf,
    /// `following`, `waiting` or `unreadable`.
    pub state: &'static str,
    /// Why it cannot be read.
    pub missing: Option<Missing>,
    /// Size of the live file.
    pub size_bytes: Option<u64>,
    /// Bytes that are not counted yet.
    pub unread_bytes: u64,
    /// Events.
    pub events: u64,
    /// Lines that are no events.
    pub skipped: u64,
    /// How often something may have been lost.
    pub gaps: u64,
    /// The time of the event read last, RFC 3339.
    pub last_event: Option<String>,
    /// The kinds that are watched for spikes.
    pub watched: Vec<Spike>,
}

/// A spike.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SpikeView {
    /// The log.
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
