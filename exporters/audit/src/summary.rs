//! One line about an event, for people.

use serde_json::{Map, Value};

/// Letters at most.
const LONGEST: usize = 200;

/// What happened, from the fields that say it.
pub(crate) fn summary(kind: &str, fields: &Map<String, Value>) -> String {
    let get = |name: &str| fields.get(name).map(word).unwrap_or_default();
    let says = |name: &str| fields.get(name).and_then(Value::as_bool);
    let text = match kind {
        "approval_requested" => format!("approval requested: {} ({})", get("tool"), get("action_id")),
        "approval_granted" => format!("approval granted: {} ({})", get("tool"), get("action_id")),
        "rate_limited" => format!("rate limited: {}", get("key")),
        "command_executed" if says("success") == Some(false) => {
            format!("command failed with {}: {}", get("exit_code"), get("command"))
        }
        "command_executed" => format!("command executed: {}", get("command")),
        "tool_failure" => format!("tool failed: {} ({})", get("tool"), get("error_code")),
        "safe_mode_status" | "safe_mode_transition" => {
            format!("safe mode {}", says("active").map_or("?", |active| if active { "on" } else { "off" }))
        }
        "policy_decision" => {
            let word = if says("allowed") == Some(true) { "allowed" } else { "denied" };
            format!("{} {word} at {}: {}", get("action"), get("route"), get("reason"))
        }
        "http" => format!("{} {} answered {} in {} ms", get("method"), get("path"), get("status"), get("duration_ms")),
        "safety_check" => {
            let word = if says("allowed") == Some(true) { "allowed" } else { "not allowed" };
            format!("{} {word}, {}, {} violations", get("tool"), get("level"), get("violation_count"))
        }
        "violation" => {
            let inner = |name: &str| fields.get("violation").and_then(|violation| violation.get(name)).map(word);
            let blocked = fields.get("violation").and_then(|violation| violation.get("blocked")?.as_bool());
            let word = if blocked == Some(true) { " (blocked)" } else { "" };
            format!("{}{word}: {}", inner("type").unwrap_or_default(), inner("message").unwrap_or_default())
        }
        "retrieval_failure" => {
            format!("retrieval from {} failed: {} {}", get("collection"), get("error"), get("message"))
        }
        _ => match fields.get("message") {
            Some(Value::String(message)) if !message.is_empty() => message.clone(),
            _ => pairs(kind, fields),
        },
    };
    // Control characters would break the line.
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LONGEST).collect()
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "?".to_owned(),
        other => other.to_string(),
    }
}

fn pairs(kind: &str, fields: &Map<String, Value>) -> String {
    let mut text = kind.to_owned();
    let plain = |value: &Value| !matches!(value, Value::Object(_) | Value::Array(_) | Value::Null);
    let told = |name: &str| !matches!(name, "ts" | "timestamp" | "timestamp_ms" | "event" | "type" | "kind");
    for (name, value) in fields.iter().filter(|(name, value)| told(name) && plain(value)) {
        if text.len() > LONGEST {
            break;
        }
        text.push_str(&format!(" {name}={}", word(value)));
    }
    text
}
