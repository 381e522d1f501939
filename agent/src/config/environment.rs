//! Environment variables as a layer: `web.listen_address` is `AURA_WEB_LISTEN_ADDRESS`.
//!
//! Section and key are joined with the same `_` that keys contain, which is what people expect. It is not
//! ambiguous, because a variable is looked up among the keys that exist (a test keeps them apart). A list takes
//! its values with commas between them, or as YAML in brackets.

use std::path::Path;

use aura_model::BACKOFF_CEILING;

use super::{
    interpolate::Variables,
    node::{Node, Origin, Scalar, Value},
    problem::{Problem, Problems, nearest},
    yaml,
};

const PREFIX: &str = "AURA_";
/// Says where the file is; not a key.
const CONFIG_FILE: &str = "AURA_CONFIG_FILE";
/// Where systemd says that the unit may write (a list; the first counts).
const STATE_DIRECTORY: &str = "STATE_DIRECTORY";

/// The variable that sets a key.
pub(super) fn variable(path: &str) -> String {
    PREFIX.to_owned() + &path.replace('.', "_").to_uppercase()
}

/// The folder that systemd gives the unit, as a default: whatever anybody says about it wins.
pub(super) fn state_directory(variables: &Variables<'_>) -> Node {
    let folders = variables(STATE_DIRECTORY).unwrap_or_default();
    match folders.split(':').next() {
        None | Some("") => Node::empty(),
        Some(first) => {
            let origin = Origin::Environment(STATE_DIRECTORY.into());
            Node::nested("storage.path", &origin, Value::Scalar(Scalar::plain(first)))
        }
    }
}

/// What variables set of the keys that the defaults have, and a warning for each variable that looks like ours and is
/// not.
pub(super) fn layer(variables: &[(String, String)], defaults: &Node, problems: &mut Problems) -> (Node, Vec<String>) {
    let mut layer = Node::empty();
    let mut warnings = Vec::new();
    let is_key = |name: &str| name.starts_with(PREFIX) && ![CONFIG_FILE, BACKOFF_CEILING].contains(&name);
    let ours: Vec<_> = variables.iter().filter(|(name, _)| is_key(name)).collect();
    if ours.is_empty() {
        return (layer, warnings);
    }
    let keys: Vec<(String, String)> = defaults.keys().into_iter().map(|key| (variable(&key), key)).collect();
    for (name, value) in ours {
        let Some((_, path)) = keys.iter().find(|(known, _)| known == name) else {
            match nearest(name, keys.iter().map(|(known, _)| known.as_str())) {
                Some(meant) => problems.0.push(Problem {
                    origin: Origin::Environment(name.as_str().into()),
                    path: String::new(),
                    message: format!("sets no key; did you mean {meant}?"),
                }),
                // Other programs of the same name have variables too, so this does not stop the agent.
                None => warnings.push(format!("environment variable {name} sets no key of this agent")),
            }
            continue;
        };
        let origin = Origin::Environment(name.as_str().into());
        match read(value, &origin) {
            Ok(Some(value)) => layer = layer.overlaid(Node::nested(path, &origin, value)),
            Ok(None) => {}
            Err(message) => problems.0.push(Problem { origin, path: path.clone(), message }),
        }
    }
    (layer, warnings)
}

/// What a variable says; nothing when it is empty.
fn read(value: &str, origin: &Origin) -> Result<Option<Value>, String> {
    if value.is_empty() {
        return Ok(None);
    }
    let brackets = (value.starts_with('[') && value.ends_with(']')) || (value.starts_with('{') && value.ends_with('}'));
    if !brackets {
        return Ok(Some(Value::Scalar(Scalar::plain(value))));
    }
    let node = yaml::parse(value, Path::new(""), None).map_err(|problems| problems.0[0].message.clone())?;
    Ok(Some(moved(node, origin).value))
}

/// The same tree, all of it from one origin: positions inside a variable help nobody.
fn moved(mut node: Node, origin: &Origin) -> Node {
    node.origin = origin.clone();
    match &mut node.value {
        Value::List(items) => {
            for item in items {
                *item = moved(std::mem::replace(item, Node::empty()), origin);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                entry.origin = origin.clone();
                entry.node = moved(std::mem::replace(&mut entry.node, Node::empty()), origin);
            }
        }
        Value::Null | Value::Scalar(_) => {}
    }
    node
}
