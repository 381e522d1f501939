//! The effective configuration, each value with the place that gave it.

use super::{
    Loaded,
    node::{Node, Origin, Scalar, Value},
    reference::{defaults, flow},
};

impl Loaded {
    /// The effective configuration as YAML. Behind each value stands where it comes from; a value that was filled
    /// in from `${VARIABLE}` is shown as it was written, because nobody knows what the variable holds.
    #[must_use]
    pub fn show(&self) -> String {
        let mut text = match &self.file {
            Some(file) => format!("# file: {}\n", file.display()),
            None => "# no file\n".to_owned(),
        };
        section(&defaults(&self.config), Some(&self.typed), 0, &mut text);
        text
    }
}

fn section(effective: &Node, typed: Option<&Node>, depth: usize, text: &mut String) {
    let Value::Map(entries) = &effective.value else { return };
    for entry in entries {
        let typed = typed.and_then(|typed| typed.get(&entry.key));
        let indent = "  ".repeat(depth);
        let key = &entry.key;
        if matches!(&entry.node.value, Value::Map(entries) if !entries.is_empty()) {
            text.push_str(&format!("{indent}{key}:\n"));
            section(&entry.node, typed, depth + 1, text);
        } else {
            let shown = match typed {
                Some(typed) if has_variable(typed) => flow(&as_written(typed)),
                _ => flow(&entry.node),
            };
            let origin = typed.map_or(&Origin::Default, |typed| &typed.origin);
            let line = format!("{indent}{key}: {shown}");
            text.push_str(&format!("{line:<48}  # {origin}\n"));
        }
    }
}

fn has_variable(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(scalar) => scalar.written.is_some(),
        Value::List(items) => items.iter().any(has_variable),
        Value::Map(entries) => entries.iter().any(|entry| has_variable(&entry.node)),
        Value::Null => false,
    }
}

fn as_written(node: &Node) -> Node {
    let value = match &node.value {
        Value::Scalar(scalar) => Value::Scalar(Scalar {
            text: scalar.written.clone().unwrap_or_else(|| scalar.text.clone()),
            written: None,
            quoted: true,
        }),
        Value::List(items) => Value::List(items.iter().map(as_written).collect()),
        other => other.clone(),
    };
    Node { origin: node.origin.clone(), value }
}

/// A scalar as YAML: bare when it reads back as itself, else in double quotes.
pub(super) fn scalar(scalar: &Scalar) -> String {
    let text = &scalar.text;
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.');
    // A colon is only a mark of YAML before a space or at the end; 127.0.0.1:9205 is a word.
    let address = text.contains('.') && text.chars().all(|c| harmless(c) || c == ':') && !text.ends_with(':');
    let word = starts_well && text.chars().all(harmless);
    let reserved = matches!(text.to_lowercase().as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off");
    let is_number = text.parse::<f64>().is_ok();
    let duration = text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<aura_model::Interval>().is_ok();
    match scalar.quoted {
        false => text.strip_suffix(".0").filter(|_| is_number).unwrap_or(text).to_owned(),
        true if (word || duration || (address && !is_number)) && !reserved => text.clone(),
        true => serde_json::to_string(text).unwrap_or_default(),
    }
}
