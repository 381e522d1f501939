//! A YAML role as JSON has it: mappings, lists and scalars of one document, nothing that could unfold.

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use serde_json::{Map, Number, Value};

/// Deeper nesting than a role has.
const DEEPEST: usize = 32;

/// Reads one document.
///
/// # Errors
/// What is wrong with it, with the line.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { events: Parser::new_from_str(text) };
    let mut document = Value::Null;
    let mut documents = 0;
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(document),
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err("a second document (---): write one role a file".to_owned());
                }
                let event = reader.next()?;
                document = reader.value(event, 0)?;
            }
            _ => {}
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>, String> {
        match self.events.next() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(error.to_string()),
            None => Ok(Event::StreamEnd),
        }
    }

    fn value(&mut self, event: Event<'a>, depth: usize) -> Result<Value, String> {
        if depth > DEEPEST {
            return Err(format!("nested deeper than {DEEPEST} levels"));
        }
        refuse(&event)?;
        match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) => Ok(plain(&text)),
            Event::Scalar(text, ..) => Ok(Value::String(text.into_owned())),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => return Ok(Value::Array(items)),
                        event => items.push(self.value(event, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut fields = Map::new();
                loop {
                    let event = self.next()?;
                    refuse(&event)?;
                    let name = match event {
                        Event::MappingEnd => return Ok(Value::Object(fields)),
                        Event::Scalar(name, ..) => name.into_owned(),
                        _ => return Err("a key that is no text".to_owned()),
                    };
                    let event = self.next()?;
                    let value = self.value(event, depth + 1)?;
                    if fields.insert(name.clone(), value).is_some() {
                        return Err(format!("the key {name:?} twice"));
                    }
                }
            }
            Event::Alias(_) => Err("an alias (*): write the value again".to_owned()),
            _ => Err("the document ends too early".to_owned()),
        }
    }
}

/// Refuses what could unfold, or mean something else to whoever else reads the file.
fn refuse(event: &Event<'_>) -> Result<(), String> {
    let (Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag)) =
        event
    else {
        return Ok(());
    };
    match (anchor, tag) {
        (_, Some(_)) => Err("a tag (!): write plain values".to_owned()),
        (1.., _) => Err("an anchor (&): write the value again where it is needed".to_owned()),
        (0, None) => Ok(()),
    }
}

/// A scalar without quotes, by YAML's core schema.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
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
    }
}
