//! The example file, the JSON schema and the reference page: all made from the types, their defaults and their
//! doc comments, so none of them can say something else than the code does.

use std::path::Path;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Json};

use super::{
    Config, environment,
    node::{Node, Value},
    show::scalar,
    yaml,
};

/// The JSON schema of the file.
#[must_use]
pub fn schema() -> Json {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Config>();
    schema.insert("title".to_owned(), "Configuration of Aura Agent".into());
    let mut schema = schema.to_value();
    for kind in schema["$defs"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        // A section may stand there without content, as in the example file.
        if kind["type"] == "object" {
            kind["type"] = Json::from(vec!["object", "null"]);
        }
    }
    schema
}

/// The JSON schema as a file.
#[must_use]
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

/// A file with every key at its default: it changes nothing until a `#` is taken away.
#[must_use]
pub fn example() -> String {
    let mut text = "# Configuration of Aura Agent. Every key has a default that works, shown behind its #.\n\
         # A value may hold ${VARIABLE} or ${VARIABLE:default}; $$ is a dollar sign.\n\
         # `aura check FILE` says what is wrong with a file, `aura config show` what holds and why.\n"
        .to_owned();
    let table = Table::new();
    for key in table.keys.iter().filter(|key| !key.within_inline) {
        let indent = "  ".repeat(key.depth);
        text.push('\n');
        for line in wrap(&key.description, 100 - indent.len()) {
            text.push_str(&format!("{indent}# {line}\n"));
        }
        let name = key.name();
        text.push_str(&match key.kind {
            Kind::Section => format!("{indent}{name}:\n"),
            Kind::Inline | Kind::Value => match flow(&key.default) {
                value if value.is_empty() => match &key.example {
                    Some(example) => format!("{indent}#{name}:  # such as {example}\n"),
                    None => format!("{indent}#{name}:\n"),
                },
                value => format!("{indent}#{name}: {value}\n"),
            },
        });
    }
    text
}

/// The reference page, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = include_str!("reference.md").to_owned();
    for key in Table::new().keys.iter().filter(|key| !key.within_inline) {
        let description = wrap(&key.description, 110).join("\n");
        match key.kind {
            Kind::Section => {
                let hashes = "#".repeat(key.depth + 3);
                text.push_str(&format!("\n{hashes} {}\n\n{description}\n", key.path));
            }
            Kind::Inline | Kind::Value => {
                let default = match flow(&key.default) {
                    value if value.is_empty() => "none".to_owned(),
                    value => format!("`{value}`"),
                };
                let variable = match key.kind {
                    Kind::Inline => format!("`{}_...`", environment::variable(&key.path)),
                    _ => format!("`{}`", environment::variable(&key.path)),
                };
                let flag = super::flags::flag_of(&key.path).map_or(String::new(), |flag| format!(" · flag: `{flag}`"));
                let kind = &key.type_name;
                text.push_str(&format!(
                    "\n`{}`: {kind}  \ndefault: {default} · variable: {variable}{flag}\n\n{description}\n",
                    key.path
                ));
            }
        }
    }
    text
}

/// The defaults as a tree in the order of declaration.
pub(crate) fn defaults(config: &Config) -> Node {
    // JSON is YAML, and its text keeps the order of fields, which a map of values would not.
    let text = serde_json::to_string(config).unwrap_or_default();
    yaml::parse(&text, Path::new(""), None).unwrap_or_else(|_| Node::empty())
}

#[derive(PartialEq)]
enum Kind {
    Section,
    /// A section of a type that occurs several times: written in one line.
    Inline,
    Value,
}

struct Key {
    path: String,
    depth: usize,
    kind: Kind,
    within_inline: bool,
    description: String,
    example: Option<String>,
    type_name: String,
    default: Node,
}

impl Key {
    fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }
}

/// All keys, each below its section.
struct Table {
    schema: Json,
    keys: Vec<Key>,
}

impl Table {
    fn new() -> Self {
        let mut table = Self { schema: schema(), keys: Vec::new() };
        let root = table.schema.clone();
        table.add_all(&defaults(&Config::default()), &root, "", 0, false);
        table
    }

    fn add_all(&mut self, defaults: &Node, schema: &Json, prefix: &str, depth: usize, within_inline: bool) {
        let (Value::Map(entries), Some(properties)) = (&defaults.value, schema["properties"].as_object()) else {
            return;
        };
        let references: Vec<&str> = properties.values().filter_map(|property| property["$ref"].as_str()).collect();
        for entry in entries {
            let Some(property) = properties.get(&entry.key) else { continue };
            let resolved = self.resolve(property);
            let path = if prefix.is_empty() { entry.key.clone() } else { format!("{prefix}.{}", entry.key) };
            let is_section = matches!(entry.node.value, Value::Map(_)) && resolved["properties"].is_object();
            let repeated = property["$ref"].as_str().is_some_and(|name| count(&references, name) > 1);
            let kind = match (is_section, repeated) {
                (true, true) => Kind::Inline,
                (true, false) => Kind::Section,
                (false, _) => Kind::Value,
            };
            let inline = kind == Kind::Inline;
            let description = property["description"].as_str().or(resolved["description"].as_str()).unwrap_or_default();
            self.keys.push(Key {
                depth,
                kind,
                within_inline,
                description: description.to_owned(),
                example: property["examples"][0].as_str().map(str::to_owned),
                type_name: self.type_name(property),
                default: entry.node.clone(),
                path: path.clone(),
            });
            self.add_all(&entry.node, &resolved, &path, depth + 1, within_inline || inline);
        }
    }

    fn resolve(&self, schema: &Json) -> Json {
        let named = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/"));
        named.map_or_else(|| schema.clone(), |name| self.schema["$defs"][name].clone())
    }

    /// What may be written, in a few words.
    fn type_name(&self, property: &Json) -> String {
        match property["$ref"].as_str() {
            Some("#/$defs/Interval") => return "duration".to_owned(),
            Some("#/$defs/Switch") => return "auto, true or false".to_owned(),
            _ => {}
        }
        let schema = self.resolve(property);
        let empty = Map::new();
        let object = schema.as_object().unwrap_or(&empty);
        if let Some(words) = object.get("enum").and_then(Json::as_array) {
            return words.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", ");
        }
        if let Some(choices) = object.get("oneOf").and_then(Json::as_array) {
            return choices.iter().filter_map(|choice| choice["const"].as_str()).collect::<Vec<_>>().join(", ");
        }
        if let Some(choices) = object.get("anyOf").and_then(Json::as_array) {
            let names = choices.iter().filter(|choice| choice["type"] != "null").map(|choice| self.type_name(choice));
            return names.collect::<Vec<_>>().join(" or ");
        }
        let kind = match &schema["type"] {
            Json::Array(kinds) => kinds.iter().find_map(|kind| kind.as_str().filter(|kind| *kind != "null")),
            kind => kind.as_str(),
        };
        match kind {
            Some("string") => "text".to_owned(),
            Some("integer") => "whole number".to_owned(),
            Some("number") => "number".to_owned(),
            Some("boolean") => "true or false".to_owned(),
            Some("array") => format!("list of {}", self.type_name(&schema["items"])),
            Some("object") if schema["additionalProperties"].is_object() => {
                format!("section of names, each with a {}", self.type_name(&schema["additionalProperties"]))
            }
            Some("object") => {
                let keys = schema["properties"].as_object().map(|keys| keys.keys().cloned().collect::<Vec<_>>());
                format!("section of {}", keys.unwrap_or_default().join(", "))
            }
            _ => "value".to_owned(),
        }
    }
}

fn count(references: &[&str], name: &str) -> usize {
    // Durations and switches are shared by many keys, but they are no sections and never get here.
    references.iter().filter(|reference| **reference == name).count()
}

/// A value in one line, as YAML; nothing for null.
pub(super) fn flow(node: &Node) -> String {
    match &node.value {
        Value::Null => String::new(),
        Value::Scalar(value) => scalar(value),
        Value::List(items) if items.len() == 1 && matches!(items[0].value, Value::Scalar(_)) => flow(&items[0]),
        Value::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let pairs = entries.iter().map(|entry| match flow(&entry.node) {
                value if value.is_empty() => format!("{}: null", entry.key),
                value => format!("{}: {value}", entry.key),
            });
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Breaks a description into lines of at most so many characters, keeping its paragraphs.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split("\n\n") {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}
