//! A YAML role as JSON has it.

use aura_yaml::Tree;
use serde_json::{Number, Value};

/// Reads one document.
///
/// # Errors
/// The first that is wrong with it, with its line.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let tree = aura_yaml::parse(text).map_err(|mistakes| mistakes[0].to_string())?;
    Ok(tree.map_or(Value::Null, json))
}

fn json(tree: Tree) -> Value {
    match tree.value {
        aura_yaml::Value::Null => Value::Null,
        aura_yaml::Value::Scalar(text, true) => Value::String(text),
        aura_yaml::Value::Scalar(text, false) => plain(&text),
        aura_yaml::Value::List(items) => items.into_iter().map(json).collect(),
        aura_yaml::Value::Map(entries) => entries.into_iter().map(|(key, _, tree)| (key, json(tree))).collect(),
    }
}

/// A scalar without quotes, by YAML's core schema.
fn plain(text: &str) -> Value {
    match text {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let numeric = text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.'));
    if numeric {
        if let Ok(number) = text.parse::<i64>() {
            return number.into();
        }
        if let Some(number) = text.parse().ok().and_then(Number::from_f64) {
            return Value::Number(number);
        }
    }
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_role_reads_like_its_json() {
        let text = "name: Night Watch\npurpose: 'true'\nversion: \"1.0\"\nactive: true\nnothing: ~\ncapabilities: [watch, wake]\n\
                    scoring_profile:\n  priority: 3\n  risk_factor: 0.2\nbehaviors:\n  - quiet\n";
        let expected = json!({
            "name": "Night Watch", "purpose": "true", "version": "1.0", "active": true, "nothing": null,
            "capabilities": ["watch", "wake"], "scoring_profile": {"priority": 3, "risk_factor": 0.2}, "behaviors": ["quiet"],
        });
        assert_eq!(parse(text), Ok(expected));
        assert_eq!(parse(""), Ok(Value::Null));
    }
}
