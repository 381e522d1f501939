//! YAML text into a tree with positions.
//!
//! Only what a configuration needs: one document of mappings, sequences and scalars. Anchors, aliases and tags
//! are refused, so a small file cannot unfold into a large one.

use std::{path::Path, sync::Arc};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::{
    interpolate::{Variables, interpolate},
    node::{Entry, Node, Origin, Scalar, Step, Value, display_path},
    problem::{Problem, Problems},
};

/// Deeper nesting than any configuration has, shallow enough for every stack.
const MAX_DEPTH: usize = 32;
/// More values than any configuration has; looking for duplicates among them takes no time yet.
const MAX_VALUES: usize = 10_000;

/// Reads one document. `${VARIABLE}` is filled in from `variables`, if there are any to fill in.
///
/// # Errors
/// Every mistake up to the first that leaves the rest without meaning.
pub fn parse(text: &str, path: &Path, variables: Option<&Variables<'_>>) -> Result<Node, Problems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        file: path.into(),
        variables,
        path: Vec::new(),
        problems: Problems::default(),
        values: 0,
    };
    match reader.document() {
        Ok(node) => reader.problems.or(node),
        Err(last) => {
            reader.problems.0.push(last);
            Err(reader.problems)
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    file: Arc<Path>,
    variables: Option<&'a Variables<'a>>,
    path: Vec<Step>,
    problems: Problems,
    values: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Node, Problem> {
        let mut root = Node::empty();
        let mut documents = 0;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(self.problem(span.start, "a second document (---): write one"));
                    }
                    let (event, span) = self.next()?;
                    root = self.node(event, span)?;
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Problem> {
        if self.path.len() > MAX_DEPTH {
            self.path.clear();
            return Err(self.problem(span.start, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.values += 1;
        if self.values > MAX_VALUES {
            self.path.clear();
            return Err(self.problem(span.start, format!("more than {MAX_VALUES} values: this is no configuration")));
        }
        let origin = self.origin(span.start);
        let (anchor, tag) = match &event {
            Event::Alias(_) => (1, false),
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag.is_some()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            _ => (0, false),
        };
        if anchor != 0 {
            return Err(self.problem(span.start, "anchors (&) and aliases (*) are not read here: write the value out"));
        }
        if tag {
            return Err(self.problem(span.start, "tags (!) are not read here: write the value without"));
        }
        let value = match event {
            Event::Scalar(text, style, ..) => self.scalar(&text, style, span.start),
            Event::SequenceStart(..) => self.list()?,
            Event::MappingStart(..) => self.map()?,
            _ => Value::Null,
        };
        Ok(Node { origin, value })
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, start: Marker) -> Value {
        let quoted = style != ScalarStyle::Plain;
        if !quoted && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
            return Value::Null;
        }
        let filled = self.variables.and_then(|variables| match interpolate(text, variables) {
            Ok(filled) => filled,
            Err(message) => {
                let problem = self.problem(start, message);
                self.problems.0.push(problem);
                None
            }
        });
        Value::Scalar(match filled {
            // A variable's value may be a number or a switch even where YAML wanted quotes around its name.
            Some(filled) => Scalar { text: filled, written: Some(text.to_owned()), quoted: false },
            None => Scalar { text: text.to_owned(), written: None, quoted },
        })
    }

    fn list(&mut self) -> Result<Value, Problem> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::List(items));
            }
            self.path.push(Step::Index(items.len()));
            let item = self.node(event, span)?;
            self.path.pop();
            items.push(item);
        }
    }

    fn map(&mut self) -> Result<Value, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Map(entries)),
                Event::Scalar(text, _, 0, None) => text.into_owned(),
                _ => return Err(self.problem(span.start, "a key must be a plain word")),
            };
            let origin = self.origin(span.start);
            self.path.push(Step::Key(key.clone()));
            let first = entries.iter().find(|entry| entry.key == key).map(|entry| entry.origin.clone());
            if let Some(first) = &first {
                let line = if let Origin::File { line, .. } = first { *line } else { 0 };
                let problem = self.problem(span.start, format!("written twice; the first is in line {line}"));
                self.problems.0.push(problem);
            }
            let (event, span) = self.next()?;
            let node = self.node(event, span)?;
            self.path.pop();
            if first.is_none() {
                entries.push(Entry { key, origin, node });
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.events.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn syntax(&self, error: &ScanError) -> Problem {
        Problem { path: String::new(), ..self.problem(*error.marker(), format!("not YAML: {}", error.info())) }
    }

    fn problem(&self, at: Marker, message: impl Into<String>) -> Problem {
        Problem { origin: self.origin(at), path: display_path(&self.path), message: message.into() }
    }

    fn origin(&self, at: Marker) -> Origin {
        Origin::File { path: self.file.clone(), line: at.line().max(1), column: at.col() + 1 }
    }
}
