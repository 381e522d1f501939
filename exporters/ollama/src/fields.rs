//! JSON that comes from servers of many versions, from look-alikes and through proxies: each field is read alone, so
//! that an odd one costs nothing but itself, and is named.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// No count of Ollama's is larger: 9 PB, and the largest number that every reader of JSON keeps exact.
const LARGEST: u64 = 1 << 53;

/// An object whose fields are still to be read. What a parser of the whole would stumble over (a number beyond all
/// bounds, half a surrogate pair, 1000 levels of brackets) stays in its field.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    fields: BTreeMap<String, &'a RawValue>,
    /// What could not be read, each in a few words.
    pub(crate) odd: Vec<String>,
}

impl<'a> Fields<'a> {
    /// The fields of this text, if it is an object.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok().map(|fields| Self { fields, odd: Vec::new() })
    }

    /// Whether there is something, whatever it is.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.raw(key).is_some()
    }

    /// Whether it is there at all: Ollama leaves out what is zero.
    pub(crate) fn is_left_out(&self, key: &str) -> bool {
        !self.fields.contains_key(key)
    }

    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        let raw = self.raw(key)?;
        self.or_odd(serde_json::from_str(raw).ok(), key, "text")
    }

    /// A number of things or bytes; `108.0` and `"108"` are how some write 108.
    pub(crate) fn count(&mut self, key: &str) -> Option<u64> {
        let raw = self.raw(key)?;
        let text: Option<String> = serde_json::from_str(raw).ok();
        self.or_odd(count(text.as_deref().unwrap_or(raw)), key, "number that can be counted to")
    }

    pub(crate) fn flag(&mut self, key: &str) -> Option<bool> {
        let raw = self.raw(key)?;
        self.or_odd(serde_json::from_str(raw).ok(), key, "flag")
    }

    pub(crate) fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let raw = self.raw(key)?;
        let items: Option<Vec<&RawValue>> = serde_json::from_str(raw).ok();
        let items = self.or_odd(items, key, "list")?;
        let texts = items.iter().map(|item| serde_json::from_str(item.get()).ok());
        let texts: Vec<Option<String>> = texts.collect();
        Some(texts.into_iter().filter_map(|text| self.or_odd(text, key, "list of texts")).collect())
    }

    /// An object in this one; empty where there is none.
    pub(crate) fn object(&mut self, key: &str) -> Fields<'a> {
        let Some(raw) = self.raw(key) else { return Fields::default() };
        self.or_odd(Fields::of(raw), key, "object").unwrap_or_default()
    }

    /// Objects in a list, or one that stands alone.
    pub(crate) fn objects(&mut self, key: &str) -> Vec<Fields<'a>> {
        let Some(raw) = self.raw(key) else { return Vec::new() };
        let list: Option<Vec<&'a RawValue>> = serde_json::from_str(raw).ok();
        match list {
            Some(list) => list.iter().filter_map(|entry| Fields::of(entry.get())).collect(),
            None => vec![self.object(key)],
        }
    }

    fn raw(&self, key: &str) -> Option<&'a str> {
        self.fields.get(key).map(|raw| raw.get()).filter(|raw| *raw != "null")
    }

    fn or_odd<T>(&mut self, value: Option<T>, key: &str, expected: &str) -> Option<T> {
        if value.is_none() {
            self.odd.push(format!("{key} is no {expected}"));
        }
        value
    }
}

fn count(text: &str) -> Option<u64> {
    let whole = text.parse::<u64>().ok().or_else(|| {
        let number = text.parse::<f64>().ok().filter(|number| number.fract() == 0.0)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and within the range")]
        (0.0..=LARGEST as f64).contains(&number).then_some(number as u64)
    });
    whole.filter(|&number| number <= LARGEST)
}

/// The entries of the list `models`, each read alone, and what is odd about them. An entry that cannot be read is left
/// out, as there is nothing by which to call it.
///
/// # Errors
/// There is no such list: this is no answer of Ollama's.
pub(crate) fn entries<T>(
    body: &[u8],
    mut read: impl FnMut(&mut Fields<'_>) -> Option<T>,
) -> Result<(Vec<T>, Vec<String>), String> {
    let text = String::from_utf8_lossy(body);
    let answer: BTreeMap<String, &RawValue> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let list = answer.get("models").ok_or("it has no list of models")?;
    // Null is how Ollama's language writes an empty list.
    let list: Option<Vec<&RawValue>> = serde_json::from_str(list.get()).map_err(|error| format!("models: {error}"))?;
    let (mut entries, mut odd) = (Vec::new(), Vec::new());
    for (index, entry) in list.unwrap_or_default().iter().enumerate() {
        let place = index + 1;
        let Some(mut fields) = Fields::of(entry.get()) else {
            odd.push(format!("entry {place} is no object: it is left out"));
            continue;
        };
        match read(&mut fields) {
            Some(entry) => {
                entries.push(entry);
                odd.extend(fields.odd.iter().map(|what| format!("entry {place}: {what}")));
            }
            None => odd.push(format!("entry {place} has no name: it is left out")),
        }
    }
    Ok((entries, odd))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_however_it_is_written_and_nothing_else_is() {
        for (text, expected) in [
            ("108", Some(108)),
            ("108.0", Some(108)),
            ("1.08e2", Some(108)),
            ("\"108\"", Some(108)),
            ("0", Some(0)),
            ("-0.0", Some(0)),
            ("9007199254740992", Some(LARGEST)),
            ("9007199254740993", None),
            ("18446744073709551616", None),
            ("1e400", None),
            ("-1", None),
            ("0.5", None),
            ("\"many\"", None),
            ("\"NaN\"", None),
            ("\"\"", None),
            ("true", None),
            ("[1]", None),
            ("{}", None),
        ] {
            let object = format!("{{\"size\": {text}, \"name\": \"a\"}}");
            let mut fields = Fields::of(&object).unwrap();
            assert_eq!(fields.count("size"), expected, "{text}");
            assert_eq!(fields.odd.is_empty(), expected.is_some(), "{text}");
            assert_eq!(fields.text("name").as_deref(), Some("a"), "{text}");
        }
    }
}
