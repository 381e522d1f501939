//! A configuration as it was typed: a tree in which every value knows where it came from.

use std::{fmt, path::Path, sync::Arc};

use aura_yaml::Step;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: the value that holds when nobody says otherwise.
    Default,
    /// In a file; line and column count from 1.
    File {
        /// The file, as it was named to us.
        path: Arc<Path>,
        /// The line.
        line: usize,
        /// The character in the line.
        column: usize,
    },
    /// In an environment variable.
    Environment(Arc<str>),
    /// In a command-line flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File { path, line, column } => write!(formatter, "{}:{line}:{column}", path.display()),
            Self::Environment(name) => formatter.write_str(name),
            Self::Flag(name) => formatter.write_str(name),
        }
    }
}

/// One value and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it was written.
    pub origin: Origin,
    /// What was written.
    pub value: Value,
}

/// What was written. Scalars stay text: only the type that is wanted decides what they mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A single value.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of writing, without duplicates.
    Map(Vec<Entry>),
}

/// A key, where it was written, and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub origin: Origin,
    /// Its value.
    pub node: Node,
}

/// A single value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text that counts.
    pub text: String,
    /// The text as typed, where `${VARIABLE}` was put in: messages show this, never what the variable held.
    pub written: Option<String>,
    /// In quotes, so that `"true"` and `"5"` are words.
    pub quoted: bool,
}

impl Scalar {
    /// A value without quotes, as flags and variables give it.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), written: None, quoted: false }
    }

    /// A message about this value, with `${VARIABLE}` as it was written instead of what the variable holds.
    #[must_use]
    pub fn veil(&self, message: String) -> String {
        let Some(written) = self.written.as_ref().filter(|_| !self.text.is_empty()) else { return message };
        let quoted = format!("{:?}", self.text);
        let held = if message.contains(&quoted) { &quoted } else { &self.text };
        message.replace(held, written)
    }
}

impl Node {
    /// A tree without a value.
    #[must_use]
    pub fn empty() -> Self {
        Self { origin: Origin::Default, value: Value::Null }
    }

    /// This value at the end of a dotted path, all of it from one origin.
    #[must_use]
    pub fn nested(path: &str, origin: &Origin, value: Value) -> Self {
        let leaf = Self { origin: origin.clone(), value };
        path.rsplit('.').fold(leaf, |node, key| {
            let entry = Entry { key: key.to_owned(), origin: origin.clone(), node };
            Self { origin: origin.clone(), value: Value::Map(vec![entry]) }
        })
    }

    /// Lays a stronger layer over this one: mappings merge key by key, everything else is replaced. A section
    /// that is written without content takes nothing away.
    #[must_use]
    pub fn overlaid(self, stronger: Self) -> Self {
        match (self, stronger) {
            (weaker @ Self { value: Value::Map(_), .. }, Self { value: Value::Null, .. }) => weaker,
            (Self { value: Value::Map(mut entries), origin }, Self { value: Value::Map(over), .. }) => {
                for entry in over {
                    match entries.iter_mut().find(|known| known.key == entry.key) {
                        Some(known) => {
                            let weaker = std::mem::replace(&mut known.node, Self::empty());
                            known.node = weaker.overlaid(entry.node);
                            known.origin = entry.origin;
                        }
                        None => entries.push(entry),
                    }
                }
                Self { value: Value::Map(entries), origin }
            }
            (_, stronger) => stronger,
        }
    }

    /// The value under a key of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node),
            _ => None,
        }
    }

    /// The value at a dotted path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Self> {
        let (node, complete) = self.follow(path);
        complete.then_some(node)
    }

    /// The value at a dotted path, or else the nearest section or list around it.
    #[must_use]
    pub fn nearest(&self, path: &str) -> &Self {
        self.follow(path).0
    }

    /// Where the value at a dotted path was written, or else what is nearest around it.
    #[must_use]
    pub fn origin_of(&self, path: &str) -> &Origin {
        &self.nearest(path).origin
    }

    /// Every key as a dotted path, a section before what is in it.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let Value::Map(entries) = &self.value else { return Vec::new() };
        let mut keys = Vec::new();
        for Entry { key, node, .. } in entries {
            keys.push(key.clone());
            keys.extend(node.keys().iter().map(|path| format!("{key}.{path}")));
        }
        keys
    }

    /// As far down the path as there are values, and whether that is its end.
    fn follow(&self, path: &str) -> (&Self, bool) {
        let mut node = self;
        for step in path.split(['.', '[']) {
            let index = step.strip_suffix(']').and_then(|index| index.parse::<usize>().ok());
            let next = match (&node.value, index) {
                (Value::List(items), Some(index)) => items.get(index),
                _ => node.get(step),
            };
            match next {
                Some(next) => node = next,
                None => return (node, false),
            }
        }
        (node, true)
    }

    /// Takes out the value at the end of these steps, or the last one on the way that exists. False when there
    /// is nothing but the root.
    pub fn remove(&mut self, steps: &[Step]) -> bool {
        let Some((first, rest)) = steps.split_first() else { return false };
        let below = match (first, &mut self.value) {
            (Step::Key(key), Value::Map(entries)) => entries.iter().position(|entry| entry.key == *key),
            (Step::Index(index), Value::List(items)) => (*index < items.len()).then_some(*index),
            _ => None,
        };
        let Some(position) = below else { return false };
        match &mut self.value {
            Value::Map(entries) => {
                if !entries[position].node.remove(rest) {
                    entries.remove(position);
                }
            }
            Value::List(items) => {
                if !items[position].remove(rest) {
                    items.remove(position);
                }
            }
            Value::Null | Value::Scalar(_) => return false,
        }
        true
    }
}
