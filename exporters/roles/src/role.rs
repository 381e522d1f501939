//! One role, as its file has it and as it is meant.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// How trust is counted. The two scales have nothing in common but the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum TrustScale {
    /// The priority of a registry's role, 1 to 10.
    #[serde(rename = "priority_1_10")]
    Priority,
    /// The trust level of a taxonomy's role, 0 to 5.
    #[serde(rename = "taxonomy_0_5")]
    Taxonomy,
}

impl TrustScale {
    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Priority => "priority_1_10",
            Self::Taxonomy => "taxonomy_0_5",
        }
    }

    fn holds(self, level: f64) -> bool {
        match self {
            Self::Priority => (1.0..=10.0).contains(&level),
            Self::Taxonomy => (0.0..=5.0).contains(&level),
        }
    }
}

/// The taxonomy's words for its levels.
const TRUST_WORDS: [&str; 6] = ["untrusted", "basic", "standard", "elevated", "privileged", "admin"];

/// A role.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: Option<String>,
    /// How far it is trusted, on `trust_scale`.
    pub trust_level: f64,
    /// The scale.
    pub trust_scale: TrustScale,
    /// The taxonomy's word for the level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_word: Option<&'static str>,
    /// 0 to 1.
    pub risk_factor: f64,
    /// 0 to 1.
    pub confidence_weight: f64,
    /// Which of the numbers above the file does not say: they are the installation's defaults.
    pub assumed: Vec<&'static str>,
    /// What it may do: `capabilities` and `responsibilities` together.
    pub capabilities: Vec<String>,
    /// How it behaves.
    pub behaviors: Vec<String>,
    /// Whom it works with.
    pub interactions: Vec<String>,
    /// Its version, as the installation's REST view has it: 1.0 when the file does not say.
    pub version: String,
    /// Where it comes from: `registry`, `taxonomy`, or the path of its YAML file.
    pub origin: String,
    /// Its parent in the taxonomy, as its own entry has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_role: Option<String>,
    /// Its children in the taxonomy, as its own entry has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub child_roles: Vec<String>,
    /// All other keys, as the file has them.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub other: Map<String, Value>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Finding {
    /// What it is: `unreadable_file`, `not_an_object`, `trust_out_of_range`, `number_out_of_range`, `missing_parent`,
    /// `missing_child`, `several_parents`, `cycle`, `too_deep` or `too_many_files`.
    pub kind: &'static str,
    /// The role or file that it is about.
    pub subject: String,
    /// What was found, in a sentence.
    pub detail: String,
}

impl Finding {
    pub(crate) fn new(kind: &'static str, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), detail: detail.into() }
    }
}

impl Role {
    /// The role of this entry. Values out of range are kept and reported.
    pub(crate) fn read(
        name: &str,
        entry: &Map<String, Value>,
        scale: TrustScale,
        origin: &str,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let profile = entry.get("scoring_profile").and_then(Value::as_object);
        let scored = |key: &str| profile.and_then(|profile| profile.get(key)).and_then(Value::as_f64);
        let mut assumed = Vec::new();
        let mut or = |value: Option<f64>, key: &'static str, default: f64| {
            value.unwrap_or_else(|| {
                assumed.push(key);
                default
            })
        };
        let trust = match scale {
            TrustScale::Priority => scored("priority"),
            TrustScale::Taxonomy => entry.get("trust_level").and_then(Value::as_f64),
        };
        let trust_level = or(trust, "trust_level", if scale == TrustScale::Priority { 5.0 } else { 0.0 });
        let risk_factor = or(scored("risk_factor"), "risk_factor", 0.5);
        let confidence_weight = or(scored("confidence_weight"), "confidence_weight", 0.5);
        if !scale.holds(trust_level) {
            let detail = format!("trust level {trust_level} is not on the scale {}", scale.word());
            findings.push(Finding::new("trust_out_of_range", name, detail));
        }
        for (key, value) in [("risk_factor", risk_factor), ("confidence_weight", confidence_weight)] {
            if !(0.0..=1.0).contains(&value) {
                findings.push(Finding::new("number_out_of_range", name, format!("{key} {value} is not from 0 to 1")));
            }
        }
        let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut capabilities = strings(entry.get("capabilities"));
        for responsibility in strings(entry.get("responsibilities")) {
            if !capabilities.contains(&responsibility) {
                capabilities.push(responsibility);
            }
        }
        let known = [
            "name",
            "purpose",
            "capabilities",
            "responsibilities",
            "behaviors",
            "interactions",
            "scoring_profile",
            "version",
            "trust_level",
            "parent_role",
            "child_roles",
        ];
        let other = entry.iter().filter(|(key, _)| !known.contains(&key.as_str()));
        let tree = scale == TrustScale::Taxonomy;
        Self {
            name: name.to_owned(),
            purpose: text("purpose"),
            trust_level,
            trust_scale: scale,
            trust_word: TRUST_WORDS
                .iter()
                .enumerate()
                .find(|(level, _)| tree && *level as f64 == trust_level)
                .map(|(_, word)| *word),
            risk_factor,
            confidence_weight,
            assumed,
            capabilities,
            behaviors: strings(entry.get("behaviors")),
            interactions: strings(entry.get("interactions")),
            version: text("version").unwrap_or_else(|| "1.0".to_owned()),
            origin: origin.to_owned(),
            parent_role: text("parent_role").filter(|_| tree),
            child_roles: if tree { strings(entry.get("child_roles")) } else { Vec::new() },
            other: other.map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }
}

/// The texts of a list, each once.
fn strings(value: Option<&Value>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for text in value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !texts.iter().any(|known| known == text) {
            texts.push(text.to_owned());
        }
    }
    texts
}
