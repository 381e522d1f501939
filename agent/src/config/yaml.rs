//! YAML text as a configuration: every value with its file and line, `${VARIABLE}` filled in.

use std::{path::Path, sync::Arc};

use aura_yaml::{Position, Step, Tree, display_path};

use super::{
    interpolate::{Variables, interpolate},
    node::{Entry, Node, Origin, Scalar, Value},
    problem::{Problem, Problems},
};

/// Reads one document. `${VARIABLE}` is filled in from `variables`, if there are any to fill in.
///
/// # Errors
/// Every mistake in the YAML up to the first that leaves the rest without meaning, or else in the variables.
pub fn parse(text: &str, path: &Path, variables: Option<&Variables<'_>>) -> Result<Node, Problems> {
    let mut reader = Reader { file: path.into(), variables, path: Vec::new(), problems: Problems::default() };
    match aura_yaml::parse(text) {
        Ok(tree) => {
            let node = tree.map_or_else(Node::empty, |tree| reader.node(tree));
            reader.problems.or(node)
        }
        Err(mistakes) => Err(Problems(
            mistakes
                .into_iter()
                .map(|mistake| Problem {
                    origin: reader.origin(mistake.at),
                    path: mistake.path,
                    message: mistake.message,
                })
                .collect(),
        )),
    }
}

struct Reader<'a> {
    file: Arc<Path>,
    variables: Option<&'a Variables<'a>>,
    path: Vec<Step>,
    problems: Problems,
}

impl Reader<'_> {
    fn node(&mut self, tree: Tree) -> Node {
        let origin = self.origin(tree.at);
        let value = match tree.value {
            aura_yaml::Value::Null => Value::Null,
            aura_yaml::Value::Scalar(text, quoted) => Value::Scalar(self.scalar(text, quoted, &origin)),
            aura_yaml::Value::List(items) => {
                let items = items.into_iter().enumerate();
                Value::List(items.map(|(index, item)| self.below(Step::Index(index), item)).collect())
            }
            aura_yaml::Value::Map(entries) => {
                let entries = entries.into_iter().map(|(key, at, tree)| {
                    let node = self.below(Step::Key(key.clone()), tree);
                    Entry { key, origin: self.origin(at), node }
                });
                Value::Map(entries.collect())
            }
        };
        Node { origin, value }
    }

    fn below(&mut self, step: Step, tree: Tree) -> Node {
        self.path.push(step);
        let node = self.node(tree);
        self.path.pop();
        node
    }

    fn scalar(&mut self, text: String, quoted: bool, origin: &Origin) -> Scalar {
        let filled = self.variables.and_then(|variables| match interpolate(&text, variables) {
            Ok(filled) => filled,
            Err(message) => {
                let path = display_path(&self.path);
                self.problems.0.push(Problem { origin: origin.clone(), path, message });
                None
            }
        });
        match filled {
            // A variable's value may be a number or a switch even where YAML wanted quotes around its name.
            Some(filled) => Scalar { text: filled, written: Some(text), quoted: false },
            None => Scalar { text, written: None, quoted },
        }
    }

    fn origin(&self, at: Position) -> Origin {
        Origin::File { path: self.file.clone(), line: at.line, column: at.column }
    }
}
