//! YAML text as a tree with positions.
//!
//! Only what configurations and roles need: one document of mappings, sequences and scalars. Anchors, aliases and tags
//! are refused, so a small file cannot unfold into a large one, nor mean something else to another reader.

use std::fmt;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

/// Deeper nesting than any of our files has, shallow enough for every stack.
const MAX_DEPTH: usize = 32;
/// More values than any of our files has; looking for duplicates among them takes no time yet.
const MAX_VALUES: usize = 10_000;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Its first character.
    pub at: Position,
    /// What was written.
    pub value: Value,
}

/// A place in the text; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

/// What was written. Scalars stay text: who reads the tree decides what they mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A single value, and whether quotes or block style make it text whatever it looks like.
    Scalar(String, bool),
    /// A sequence.
    List(Vec<Tree>),
    /// A mapping in the order of writing, each key once, with where it stands.
    Map(Vec<(String, Position, Tree)>),
}

/// One step down the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a mapping.
    Key(String),
    /// Into a sequence.
    Index(usize),
}

/// The way from the root to a value, written `sources.host.interval` or `allowed_hosts[0]`.
#[must_use]
pub fn display_path(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// Where it was seen.
    pub at: Position,
    /// The value it concerns, as [`display_path`] writes it; empty when the whole text is meant.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}: ", self.at.line, self.at.column)?;
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        formatter.write_str(&self.message)
    }
}

/// Reads one document; `None` when the text holds nothing but white space and comments.
///
/// # Errors
/// Every mistake up to the first that leaves the rest without meaning; at least one.
pub fn parse(text: &str) -> Result<Option<Tree>, Vec<Mistake>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { events: Parser::new_from_str(text), path: Vec::new(), mistakes: Vec::new(), values: 0 };
    let document = reader.document();
    let mut mistakes = reader.mistakes;
    match document {
        Ok(root) if mistakes.is_empty() => return Ok(root),
        Ok(_) => {}
        Err(last) => mistakes.push(last),
    }
    Err(mistakes)
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    path: Vec<Step>,
    mistakes: Vec<Mistake>,
    values: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Option<Tree>, Mistake> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(self.mistake(span.start, "a second document (---): write one"));
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.next()?;
                    root = Some(self.node(event, span)?);
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Tree, Mistake> {
        if self.path.len() > MAX_DEPTH {
            self.path.clear();
            return Err(self.mistake(span.start, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.values += 1;
        if self.values > MAX_VALUES {
            self.path.clear();
            return Err(self.mistake(span.start, format!("more than {MAX_VALUES} values: this is no configuration")));
        }
        let (anchor, tag) = match &event {
            Event::Alias(_) => (1, false),
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag.is_some()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            _ => (0, false),
        };
        if anchor != 0 {
            return Err(self.mistake(span.start, "anchors (&) and aliases (*) are not read here: write the value out"));
        }
        if tag {
            return Err(self.mistake(span.start, "tags (!) are not read here: write the value without"));
        }
        let value = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(&*text, "" | "~" | "null" | "Null" | "NULL") => {
                Value::Null
            }
            Event::Scalar(text, style, ..) => Value::Scalar(text.into_owned(), style != ScalarStyle::Plain),
            Event::SequenceStart(..) => self.list()?,
            Event::MappingStart(..) => self.map()?,
            _ => Value::Null,
        };
        Ok(Tree { at: position(span.start), value })
    }

    fn list(&mut self) -> Result<Value, Mistake> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::List(items));
            }
            self.path.push(Step::Index(items.len()));
            items.push(self.node(event, span)?);
            self.path.pop();
        }
    }

    fn map(&mut self) -> Result<Value, Mistake> {
        let mut entries: Vec<(String, Position, Tree)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Map(entries)),
                Event::Scalar(text, _, 0, None) => text.into_owned(),
                _ => return Err(self.mistake(span.start, "a key must be a plain word")),
            };
            let at = position(span.start);
            self.path.push(Step::Key(key.clone()));
            let first = entries.iter().find(|entry| entry.0 == key).map(|entry| entry.1.line);
            if let Some(line) = first {
                let mistake = self.mistake(span.start, format!("written twice; the first is in line {line}"));
                self.mistakes.push(mistake);
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            self.path.pop();
            if first.is_none() {
                entries.push((key, at, value));
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Mistake> {
        match self.events.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                self.path.clear();
                Err(self.mistake(*error.marker(), format!("not YAML: {}", error.info())))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn mistake(&self, at: Marker, message: impl Into<String>) -> Mistake {
        Mistake { at: position(at), path: display_path(&self.path), message: message.into() }
    }
}

fn position(at: Marker) -> Position {
    Position { line: at.line().max(1), column: at.col() + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_unfold_or_hide_is_refused() {
        for text in [
            "a: &x [1]\nb: *x\n",
            "a: &x [1]\n",
            "a: &x {b: 1}\n",
            "a: &x 1\n",
            "&x a: 1\n",
            "--- &x\na: 1\n",
            "a: !!python/object x\n",
            "a: !!python/object/apply:os.system ['x']\n",
            "a: !x {b: 1}\n",
            "!x a: 1\n",
            "a: {!x b: 1}\n",
            "--- !x\na: 1\n",
            "a: [1, !!int 2]\n",
            "a: 1\na: 2\n",
            "a: 1\n---\nb: 2\n",
            "a: [1",
            "? [a]\n: 1\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse(&format!("a: {}{}", "[".repeat(100), "]".repeat(100))).is_err());
        assert!(parse(&format!("a: {}{}", "[".repeat(30), "]".repeat(30))).is_ok());
    }
}
