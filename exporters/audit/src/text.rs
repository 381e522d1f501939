//! Looking for text in a record, and mending what no JSON text can hold.

use serde_json::Value;

/// Text that is looked for, in whatever case.
pub(crate) struct Needle {
    lowercase: String,
    /// Stands in a file as it is: no escapes are needed for it, and no letters outside ASCII.
    plain: bool,
}

impl Needle {
    pub(crate) fn new(text: &str) -> Self {
        let plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b'\\' | b'/'));
        Self { lowercase: text.to_lowercase(), plain }
    }

    pub(crate) fn is_in(&self, record: &[u8]) -> bool {
        if self.plain {
            return contains_ignoring_case(record, self.lowercase.as_bytes());
        }
        let text = String::from_utf8_lossy(crate::event::without_mark(record));
        let value = serde_json::from_str(&text).or_else(|_| serde_json::from_str(&without_lone_surrogates(&text)));
        value.is_ok_and(|value| self.is_in_value(&value))
    }

    fn is_in_value(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_in_text(text),
            Value::Array(items) => items.iter().any(|item| self.is_in_value(item)),
            Value::Object(fields) => {
                fields.iter().any(|(name, value)| self.is_in_text(name) || self.is_in_value(value))
            }
            _ => false,
        }
    }

    fn is_in_text(&self, text: &str) -> bool {
        text.to_lowercase().contains(&self.lowercase)
    }
}

/// `needle` is in lower case.
fn contains_ignoring_case(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((&first, rest)) = needle.split_first() else { return true };
    let mut places = memchr::memchr2_iter(first, first.to_ascii_uppercase(), haystack);
    places.any(|at| haystack.get(at + 1..at + needle.len()).is_some_and(|found| found.eq_ignore_ascii_case(rest)))
}

/// The same JSON with U+FFFD in place of escapes that are half a letter.
pub(crate) fn without_lone_surrogates(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(slash) = rest.find('\\') {
        out.push_str(&rest[..slash]);
        let unit = |at: usize| {
            let digits = rest.get(at..at + 6)?.strip_prefix("\\u")?;
            u32::from_str_radix(digits, 16).ok()
        };
        let length = match (unit(slash), unit(slash + 6)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => {
                out.push_str("\\ufffd");
                rest = &rest[slash + 6..];
                continue;
            }
            // The letter behind the backslash is no backslash of its own.
            _ => 1 + rest[slash + 1..].chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&rest[slash..slash + length]);
        rest = &rest[slash + length..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_found_however_it_is_written() {
        let found = |text: &str, line: &str| Needle::new(text).is_in(line.as_bytes());
        assert!(found("ECHO", r#"{"command": "an Echo"}"#));
        assert!(found("größe", r#"{"m": "GR\u00d6SSE, Gr\u00f6\u00dfe"}"#));
        assert!(found("say \"hi\"", r#"{"m": "Say \"Hi\""}"#));
        assert!(found("a/b", r#"{"m": "A\/B \ud800"}"#));
        assert!(!found("echo", r#"{"command": "ech", "o": 1}"#));
        assert!(found("", "{}"));
    }

    #[test]
    fn only_half_letters_are_replaced() {
        let mend = |json: &str| without_lone_surrogates(json);
        assert_eq!(mend(r#"{"a":"x\ud800y\\ud800 \ud83d\ude00"}"#), r#"{"a":"x\ufffdy\\ud800 \ud83d\ude00"}"#);
        assert_eq!(mend(r"\udc00\ud800\ud800\udc00"), r"\ufffd\ufffd\ud800\udc00");
    }
}
