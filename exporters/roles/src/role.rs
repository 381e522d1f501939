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

/// A role of an installation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Role {
    /// Its key in the registry or taxonomy, or the name of its file.
    pub name: String,
    /// What it is for; `null` when its file does not say.
    pub purpose: Option<String>,
    /// How far it is trusted, on `trust_scale`.
    pub trust_level: f64,
    /// The scale that `trust_level` is on.
    pub trust_scale: TrustScale,
    /// The taxonomy's word for the level; absent on roles of a registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_word: Option<&'static str>,
    /// How risky what it does is, 0 to 1, by its file.
    pub risk_factor: f64,
    /// How much weight its word has, 0 to 1, by its file.
    pub confidence_weight: f64,
    /// Which of the numbers above the file does not say: they are the installation's defaults.
    pub assumed: Vec<&'static str>,
    /// What it may do: `capabilities` and `responsibilities` together.
    pub capabilities: Vec<String>,
    /// How it behaves, by its file.
    pub behaviors: Vec<String>,
    /// Whom it works with, by its file.
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
    /// What it is: `unreadable_file`, `not_an_object`, `wrong_type`, `trust_out_of_range`, `number_out_of_range`,
    /// `missing_parent`, `missing_child`, `several_parents`, `cycle`, `too_deep` or `too_many_files`.
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
        let mut reader = Reader { subject: name, findings };
        let profile = reader.object("scoring_profile", entry.get("scoring_profile"));
        let mut scored = |key: &str| reader.number(key, profile.and_then(|profile| profile.get(key)));
        let mut assumed = Vec::new();
        let mut or = |value: Option<f64>, key: &'static str, default: f64| {
            value.unwrap_or_else(|| {
                assumed.push(key);
                default
            })
        };
        let (priority, risk_factor, confidence_weight) =
            (scored("priority"), scored("risk_factor"), scored("confidence_weight"));
        let trust = match scale {
            TrustScale::Priority => priority,
            TrustScale::Taxonomy => {
                let level = entry.get("trust_level");
                level_of_word(level).or_else(|| reader.number("trust_level", level))
            }
        };
        let trust_level = or(trust, "trust_level", if scale == TrustScale::Priority { 5.0 } else { 0.0 });
        let risk_factor = or(risk_factor, "risk_factor", 0.5);
        let confidence_weight = or(confidence_weight, "confidence_weight", 0.5);
        if !scale.holds(trust_level) {
            let detail = format!("trust level {trust_level} is not on the scale {}", scale.word());
            reader.findings.push(Finding::new("trust_out_of_range", name, detail));
        }
        for (key, value) in [("risk_factor", risk_factor), ("confidence_weight", confidence_weight)] {
            if !(0.0..=1.0).contains(&value) {
                let detail = format!("{key} {value} is not from 0 to 1");
                reader.findings.push(Finding::new("number_out_of_range", name, detail));
            }
        }
        let mut capabilities = reader.texts("capabilities", entry);
        for responsibility in reader.texts("responsibilities", entry) {
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
            purpose: reader.text("purpose", entry.get("purpose")),
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
            behaviors: reader.texts("behaviors", entry),
            interactions: reader.texts("interactions", entry),
            version: match entry.get("version") {
                // `version: 2.0` without quotes is a number to YAML and to JSON.
                Some(Value::Number(number)) => number.to_string(),
                version => reader.text("version", version).unwrap_or_else(|| "1.0".to_owned()),
            },
            origin: origin.to_owned(),
            parent_role: if tree { reader.text("parent_role", entry.get("parent_role")) } else { None },
            child_roles: if tree { reader.texts("child_roles", entry) } else { Vec::new() },
            other: other.map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }
}

/// The level that a word of the taxonomy means.
fn level_of_word(value: Option<&Value>) -> Option<f64> {
    let word = value?.as_str()?.trim();
    TRUST_WORDS.iter().position(|known| known.eq_ignore_ascii_case(word)).map(|level| level as f64)
}

/// Takes values out of an entry that people have written. What is not there is nothing to report; what is there and
/// cannot be taken is, as otherwise a default would stand for it unseen.
pub(crate) struct Reader<'a> {
    pub(crate) subject: &'a str,
    pub(crate) findings: &'a mut Vec<Finding>,
}

impl Reader<'_> {
    /// A number, also one in quotes.
    pub(crate) fn number(&mut self, key: &str, value: Option<&Value>) -> Option<f64> {
        let value = present(value)?;
        let number = match value {
            Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            other => other.as_f64(),
        };
        self.or_report(number, key, value, "a number")
    }

    pub(crate) fn text(&mut self, key: &str, value: Option<&Value>) -> Option<String> {
        let value = present(value)?;
        self.or_report(value.as_str().map(str::to_owned), key, value, "a text")
    }

    fn object<'v>(&mut self, key: &str, value: Option<&'v Value>) -> Option<&'v Map<String, Value>> {
        let value = present(value)?;
        self.or_report(value.as_object(), key, value, "an object with keys")
    }

    /// The texts of a list, each once.
    fn texts(&mut self, key: &str, entry: &Map<String, Value>) -> Vec<String> {
        let Some(value) = present(entry.get(key)) else { return Vec::new() };
        let mut texts: Vec<String> = Vec::new();
        for item in self.or_report(value.as_array(), key, value, "a list of texts").into_iter().flatten() {
            if let Some(text) = self.or_report(item.as_str(), key, item, "a text")
                && !texts.iter().any(|known| known == text)
            {
                texts.push(text.to_owned());
            }
        }
        texts
    }

    fn or_report<T>(&mut self, taken: Option<T>, key: &str, value: &Value, expected: &str) -> Option<T> {
        if taken.is_none() {
            let shown: String = value.to_string().chars().take(40).collect();
            self.findings.push(Finding::new("wrong_type", self.subject, format!("{key} {shown} is not {expected}")));
        }
        taken
    }
}

fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}
