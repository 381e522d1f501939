//! Proposals for roles, in the three shapes that their makers give them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::role::{Finding, Reader};

/// A draft of a role, from a file in `ops/role_engine/drafts`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "RoleDraft")]
pub struct Draft {
    /// Its number, or its file's name where it has none.
    pub id: String,
    /// Who made it: `create`, `propose`, `evolver` or `unknown`.
    pub shape: &'static str,
    /// The role that it is about.
    pub role: Option<String>,
    /// `proposed`, `draft`, `committed` or what else the file says.
    pub status: String,
    /// Whether it waits for somebody's decision.
    pub pending: bool,
    /// When it was made, in Unix seconds.
    pub created: Option<f64>,
    /// 0 to 1: what the draft says, else the proposed role's own.
    pub risk: Option<f64>,
    /// Why it is proposed.
    pub reason: Option<String>,
    /// How many pieces of evidence it names.
    pub evidence: usize,
    /// The proposed role, as the file has it.
    pub proposal: Value,
}

impl Draft {
    pub(crate) fn read(stem: &str, value: &Value, findings: &mut Vec<Finding>) -> Self {
        let mut reader = Reader { subject: stem, findings };
        let meta = |key: &str| value.get("meta").and_then(|meta| meta.get(key));
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let (shape, proposal) = match (value.get("spec"), value.get("original"), value.get("proposal")) {
            (Some(spec), ..) => ("create", spec),
            (_, Some(_), Some(proposal)) => ("evolver", proposal),
            (_, _, Some(proposal)) => ("propose", proposal),
            _ => ("unknown", &Value::Null),
        };
        let status = reader.text("status", meta("status")).unwrap_or_else(|| "proposed".to_owned());
        let own_risk = proposal.get("scoring_profile").and_then(|profile| profile.get("risk_factor"));
        Self {
            id: text(value.get("id")).unwrap_or_else(|| stem.to_owned()),
            shape,
            role: text(value.get("original")).or_else(|| text(proposal.get("name"))),
            pending: matches!(status.as_str(), "proposed" | "draft"),
            status,
            created: reader.number("ts", meta("ts")),
            risk: reader.number("risk", meta("risk").or(own_risk)),
            reason: reader.text("reason", value.get("reason")),
            evidence: value.get("evidence").and_then(Value::as_array).map_or(0, Vec::len),
            proposal: proposal.clone(),
        }
    }
}

/// A migration of the policies, from `migration_audit.json`. What its entry does not say is `null`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "RoleMigration")]
pub struct Migration {
    /// Its number, as text.
    pub migration_id: Option<String>,
    /// Version of the policies before.
    pub from_version: Option<String>,
    /// Version of the policies after.
    pub to_version: Option<String>,
    /// When it ran, as the file has it: local time without a zone.
    pub timestamp: Option<String>,
    /// What became of it, in the file's word.
    pub status: Option<String>,
    /// Where the version before is kept.
    pub backup_path: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

impl Migration {
    pub(crate) fn read(value: &Value) -> Self {
        let text = |key: &str| match value.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        };
        Self {
            migration_id: text("migration_id"),
            from_version: text("from_version"),
            to_version: text("to_version"),
            timestamp: text("timestamp"),
            status: text("status"),
            backup_path: text("backup_path"),
            error: text("error"),
        }
    }
}
