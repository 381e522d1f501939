//! The tree into types: a serde deserializer that knows where each value was written.

use std::fmt;

use aura_model::Switch;
use aura_yaml::{Step, display_path};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Error as _, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, Visitor,
    value::{MapAccessDeserializer, StrDeserializer},
};

use super::{
    node::{Entry, Node, Origin, Scalar, Value},
    problem::{MAX_PROBLEMS, Problem, Problems, suggestion},
};

/// Reads the typed value and every mistake in the tree.
///
/// Serde stops at the first mistake. Every key has a default, so a wrong one is taken out of the tree and the
/// rest is read again, until nothing is wrong any more.
///
/// # Errors
/// All mistakes, in the order in which they are met.
pub(crate) fn deserialize<T: DeserializeOwned>(root: &Node) -> Result<T, Problems> {
    let mut problems = Problems::default();
    let mut tree = root.clone();
    loop {
        match T::deserialize(At(&tree)) {
            Ok(value) => return problems.or(value),
            Err(error) => {
                let mut steps = error.steps;
                steps.reverse();
                problems.0.push(Problem {
                    origin: error.origin.unwrap_or(Origin::Default),
                    path: display_path(&steps),
                    message: error.message,
                });
                if problems.0.len() == MAX_PROBLEMS || !tree.remove(&steps) {
                    return Err(problems);
                }
            }
        }
    }
}

/// A mistake on its way up: each level adds its step.
#[derive(Debug)]
struct Error {
    message: String,
    origin: Option<Origin>,
    steps: Vec<Step>,
}

impl Error {
    fn at(mut self, origin: &Origin) -> Self {
        self.origin.get_or_insert_with(|| origin.clone());
        self
    }

    fn below(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), origin: None, steps: Vec::new() }
    }

    /// Text that was found is not repeated: it may be a password in the wrong place.
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(flag) => format!("{flag}"),
            Unexpected::Unsigned(number) => format!("{number}"),
            Unexpected::Signed(number) => format!("{number}"),
            Unexpected::Float(number) => format!("{number}"),
            Unexpected::Unit => "nothing".to_owned(),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a section with keys".to_owned(),
            _ => "text".to_owned(),
        };
        Self::custom(format_args!("expected {}, found {found}", plain_words(&expected.to_string())))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::custom(format_args!("unknown key; {}", suggestion(field, known.iter().copied())))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::custom(format_args!("{variant:?} is none of {}", known.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("the key {field:?} is missing"))
    }
}

/// What serde calls a type, as a user would.
fn plain_words(expected: &str) -> String {
    match expected {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" | "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "a borrowed string" | "path string" => "text".to_owned(),
        "a sequence" => "a list".to_owned(),
        other if other.starts_with("struct ") || other == "a map" => "a section with keys".to_owned(),
        other => other.to_owned(),
    }
}

impl Scalar {
    fn is_switch(&self) -> bool {
        !self.quoted && self.text.parse::<Switch>().is_ok()
    }

    /// The value by YAML's core schema, where the wanted type leaves it open.
    fn visit_any<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Error> {
        if self.quoted {
            return visitor.visit_str(&self.text);
        }
        match self.text.as_str() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            text => match number(text) {
                Some(Number::Unsigned(number)) => visitor.visit_u64(number),
                Some(Number::Signed(number)) => visitor.visit_i64(number),
                Some(Number::Float(number)) => visitor.visit_f64(number),
                None => visitor.visit_str(text),
            },
        }
    }

    fn visit_number<'de, V: Visitor<'de>>(&self, visitor: V, whole: bool) -> Result<V::Value, Error> {
        match number(&self.text).filter(|_| !self.quoted) {
            Some(Number::Unsigned(number)) => visitor.visit_u64(number),
            Some(Number::Signed(number)) => visitor.visit_i64(number),
            Some(Number::Float(number)) if !whole => visitor.visit_f64(number),
            _ => Err(de::Error::invalid_type(Unexpected::Str(""), &visitor)),
        }
    }
}

fn veil(scalar: &Scalar, error: Error) -> Error {
    Error { message: scalar.veil(error.message), ..error }
}

enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

fn number(text: &str) -> Option<Number> {
    let starts = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    let plausible = starts && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E'));
    if !plausible {
        return None;
    }
    let unsigned = text.parse().ok().map(Number::Unsigned);
    unsigned.or_else(|| text.parse().ok().map(Number::Signed)).or_else(|| text.parse().ok().map(Number::Float))
}

/// A value about to be read.
#[derive(Clone, Copy)]
struct At<'a>(&'a Node);

impl<'de> Deserializer<'de> for At<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Scalar(scalar) => scalar.visit_any(visitor).map_err(|error| veil(scalar, error)),
            Value::List(items) => visitor.visit_seq(Items { items, index: 0 }),
            Value::Map(entries) => visitor.visit_map(Entries { entries, index: 0 }),
        }
        .map_err(|error| error.at(&self.0.origin))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Scalar(scalar) => {
                visitor.visit_str(&scalar.text).map_err(|error| veil(scalar, error).at(&self.0.origin))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.whole_number(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Scalar(scalar) => {
                scalar.visit_number(visitor, false).map_err(|error| veil(scalar, error).at(&self.0.origin))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Where a list is wanted, one value is a list of one, and a variable holds its values with commas between.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Null => visitor.visit_seq(Items { items: &[], index: 0 }),
            Value::Scalar(scalar) => {
                let items = self.split(scalar);
                visitor.visit_seq(Items { items: &items, index: 0 }).map_err(|mut error| {
                    // Nobody wrote a list, so no place in it is named.
                    error.steps.pop();
                    error
                })
            }
            _ => self.deserialize_any(visitor),
        }
        .map_err(|error| error.at(&self.0.origin))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Null => visitor.visit_map(Entries { entries: &[], index: 0 }),
            _ => self.deserialize_any(visitor),
        }
    }

    /// Where a whole section is switched, what was meant is known.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Scalar(scalar) if keys.contains(&"enabled") && scalar.is_switch() => {
                let Scalar { text, .. } = scalar;
                let message = format!("expected a section with keys, found {text}: write {{enabled: {text}}}");
                Err(Error::custom(message).at(&self.0.origin))
            }
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Scalar(scalar) => {
                let variant: StrDeserializer<'_, Error> = scalar.text.as_str().into_deserializer();
                visitor.visit_enum(variant).map_err(|error| veil(scalar, error))
            }
            Value::Map(entries) => visitor.visit_enum(MapAccessDeserializer::new(Entries { entries, index: 0 })),
            _ => self.deserialize_any(visitor),
        }
        .map_err(|error| error.at(&self.0.origin))
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.whole_number(visitor)
    }
    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.whole_number(visitor)
    }
    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.whole_number(visitor)
    }
    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.whole_number(visitor)
    }
    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.whole_number(visitor)
    }
    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.whole_number(visitor)
    }
    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.whole_number(visitor)
    }
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

impl At<'_> {
    fn whole_number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Scalar(scalar) => {
                scalar.visit_number(visitor, true).map_err(|error| veil(scalar, error).at(&self.0.origin))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn split(self, scalar: &Scalar) -> Vec<Node> {
        if !matches!(self.0.origin, Origin::Environment(_)) {
            return vec![self.0.clone()];
        }
        let items = scalar.text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(|item| Node { origin: self.0.origin.clone(), value: Value::Scalar(Scalar::plain(item)) }).collect()
    }
}

struct Items<'a> {
    items: &'a [Node],
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(item) = self.items.get(self.index) else { return Ok(None) };
        let step = Step::Index(self.index);
        self.index += 1;
        seed.deserialize(At(item)).map(Some).map_err(|error| error.at(&item.origin).below(step))
    }
}

struct Entries<'a> {
    entries: &'a [Entry],
    index: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(entry) = self.entries.get(self.index) else { return Ok(None) };
        let key: StrDeserializer<'_, Error> = entry.key.as_str().into_deserializer();
        let located = |error: Error| error.at(&entry.origin).below(Step::Key(entry.key.clone()));
        seed.deserialize(key).map(Some).map_err(located)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let entry = &self.entries[self.index];
        self.index += 1;
        let located = |error: Error| error.at(&entry.node.origin).below(Step::Key(entry.key.clone()));
        seed.deserialize(At(&entry.node)).map_err(located)
    }
}
