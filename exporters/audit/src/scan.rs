//! A JSON object, looked at once: its top-level fields are handed out as they stand, nothing is copied.
//!
//! Counting needs a handful of fields of each line and whether the line is sound, hundreds of megabytes a second.
//! The scan accepts exactly what JSON is (serde_json is the reference in the tests), with two liberties that the
//! logs need: bytes that are no UTF-8 and lone surrogates pass here, and become U+FFFD when text is decoded.

use std::borrow::Cow;

/// Deeper nesting is refused, as serde_json does.
const MAX_DEPTH: usize = 127;

/// Text between quotes as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    pub(crate) raw: &'a [u8],
    escaped: bool,
}

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar<'a> {
    Text(Text<'a>),
    Number(&'a [u8]),
    Bool(bool),
    Null,
    Object(&'a [u8]),
    Array,
}

/// Why there is no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This is no JSON.
    Wrong,
    /// It is sound as far as it goes.
    Unfinished,
    /// A sound beginning of another kind of value.
    NotObject,
}

/// Hands out the fields of the object at the start of `bytes`; returns where it ends.
pub(crate) fn object<'a>(bytes: &'a [u8], field: impl FnMut(Text<'a>, Scalar<'a>)) -> Result<usize, Fault> {
    let mut scanner = Scanner { bytes, at: 0 };
    scanner.space();
    match scanner.peek()? {
        b'{' => {
            scanner.at += 1;
            scanner.object(0, field)?;
            Ok(scanner.at)
        }
        _ => {
            scanner.value(0)?;
            Err(Fault::NotObject)
        }
    }
}

impl<'a> Text<'a> {
    /// The text with its escapes resolved; what is no text becomes U+FFFD.
    pub(crate) fn decode(self) -> Cow<'a, str> {
        if !self.escaped {
            return String::from_utf8_lossy(self.raw);
        }
        let mut out = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some(slash) = memchr::memchr(b'\\', rest) {
            out.push_str(&String::from_utf8_lossy(&rest[..slash]));
            let (letter, used) = escape(&rest[slash + 1..]);
            out.push(letter);
            rest = &rest[slash + 1 + used..];
        }
        out.push_str(&String::from_utf8_lossy(rest));
        Cow::Owned(out)
    }

    /// Whether it is this word; words have no escapes.
    pub(crate) fn is(self, word: &str) -> bool {
        self.raw == word.as_bytes()
    }
}

/// The letter that an escape means, and its length behind the backslash. The scan has seen that it is sound.
fn escape(rest: &[u8]) -> (char, usize) {
    let letter = match rest.first() {
        Some(b'u') => return unicode(rest),
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(&other) => char::from(other),
        None => char::REPLACEMENT_CHARACTER,
    };
    (letter, 1.min(rest.len()))
}

fn unicode(rest: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let digits = std::str::from_utf8(rest.get(at..at + 4)?).ok()?;
        u32::from_str_radix(digits, 16).ok()
    };
    let Some(high) = unit(1) else { return (char::REPLACEMENT_CHARACTER, rest.len()) };
    if (0xd800..0xdc00).contains(&high)
        && rest.get(5..7) == Some(br"\u")
        && let Some(low @ 0xdc00..0xe000) = unit(7)
    {
        let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 11);
    }
    (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 5)
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Result<u8, Fault> {
        self.bytes.get(self.at).copied().ok_or(Fault::Unfinished)
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek()? != byte {
            return Err(Fault::Wrong);
        }
        self.at += 1;
        Ok(())
    }

    /// Behind `{`.
    fn object(&mut self, depth: usize, mut field: impl FnMut(Text<'a>, Scalar<'a>)) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::Wrong);
        }
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.expect(b'"')?;
            let name = self.text()?;
            self.space();
            self.expect(b':')?;
            self.space();
            let value = self.value(depth + 1)?;
            field(name, value);
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Fault::Wrong),
            }
            self.space();
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::Wrong);
        }
        self.space();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Fault::Wrong),
            }
            self.space();
        }
    }

    fn value(&mut self, depth: usize) -> Result<Scalar<'a>, Fault> {
        let start = self.at;
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.text().map(Scalar::Text)
            }
            b'{' => {
                self.at += 1;
                self.object(depth, |_, _| {})?;
                Ok(Scalar::Object(&self.bytes[start..self.at]))
            }
            b'[' => {
                self.at += 1;
                self.array(depth)?;
                Ok(Scalar::Array)
            }
            b't' => self.word(b"true", Scalar::Bool(true)),
            b'f' => self.word(b"false", Scalar::Bool(false)),
            b'n' => self.word(b"null", Scalar::Null),
            _ => {
                self.number()?;
                Ok(Scalar::Number(&self.bytes[start..self.at]))
            }
        }
    }

    fn word(&mut self, word: &[u8], value: Scalar<'a>) -> Result<Scalar<'a>, Fault> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        Err(if word.starts_with(rest) { Fault::Unfinished } else { Fault::Wrong })
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits()?,
            _ => return Err(Fault::Wrong),
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let b'+' | b'-' = self.peek()? {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        if !self.peek()?.is_ascii_digit() {
            return Err(Fault::Wrong);
        }
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        Ok(())
    }

    /// Behind the opening quote, to behind the closing one.
    fn text(&mut self) -> Result<Text<'a>, Fault> {
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain(&self.bytes[self.at..]);
            match self.peek()? {
                b'"' => {
                    let raw = &self.bytes[start..self.at];
                    self.at += 1;
                    return Ok(Text { raw, escaped });
                }
                b'\\' => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                _ => return Err(Fault::Wrong),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        let letter = self.peek()?;
        self.at += 1;
        match letter {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                for _ in 0..4 {
                    if !self.peek()?.is_ascii_hexdigit() {
                        return Err(Fault::Wrong);
                    }
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err(Fault::Wrong),
        }
    }
}

/// How many bytes from the start are neither a quote, nor a backslash, nor a control character; eight at a time.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES * 128;
    // Exact up to the first marked byte, which is all that is looked at.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut at = 0;
    while let Some(&chunk) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(chunk);
        let quotes = zero(word ^ (ONES * u64::from(b'"')));
        let slashes = zero(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let marks = quotes | slashes | controls;
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes[at..].iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
    rest.map_or(bytes.len(), |found| at + found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    fn fields(line: &str) -> Vec<(String, String)> {
        let mut all = Vec::new();
        let end = object(line.as_bytes(), |name, value| {
            all.push((name.decode().into_owned(), format!("{value:?}")));
        });
        assert_eq!(end, Ok(line.len()), "{line}");
        all
    }

    #[test]
    fn every_kind_of_value() {
        let all = fields(r#"{"t": "x", "n": -1.5e3, "b": true, "z": null, "o": {"a": [1, {}]}, "a": [], "\u0061": 1}"#);
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["t", "n", "b", "z", "o", "a", "a"]);
    }

    #[test]
    fn surrogates_and_broken_text_become_replacement_characters() {
        let decode = |raw: &[u8]| Text { raw, escaped: true }.decode().into_owned();
        assert_eq!(decode(br"\ud83d\ude00!"), "\u{1f600}!");
        assert_eq!(decode(br"a\ud800b"), "a\u{fffd}b");
        assert_eq!(decode(br"\ud800\ud800"), "\u{fffd}\u{fffd}");
        assert_eq!(decode(br"\udc00\n"), "\u{fffd}\n");
        assert_eq!(decode(b"\xff\\t"), "\u{fffd}\t");
    }

    #[test]
    fn faults_are_told_apart() {
        for (line, fault) in [
            ("", Fault::Unfinished),
            ("{\"a\": tr", Fault::Unfinished),
            ("{\"a\": \"x", Fault::Unfinished),
            ("[1, 2]", Fault::NotObject),
            ("7", Fault::NotObject),
            ("not json", Fault::Wrong),
            ("{\"a\": 1 \"b\"", Fault::Wrong),
            ("{\"a\": 01}", Fault::Wrong),
            ("{\"a\": \"\u{1}\"}", Fault::Wrong),
        ] {
            assert_eq!(object(line.as_bytes(), |_, _| {}), Err(fault), "{line:?}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        assert_eq!(object(deep.as_bytes(), |_, _| {}), Err(Fault::Wrong));
    }

    /// JSON-like text, mostly sound.
    fn jsonish() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
            r#""([ -!#-\[\]-~µ]|\\["\\/bfnrtu]|\\u[0-9a-f]{4}){0,12}""#,
        ];
        let value = leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
                prop::collection::vec(("[a-z]{1,3}", inner), 0..4).prop_map(|pairs| {
                    let pairs: Vec<String> =
                        pairs.iter().map(|(name, value)| format!("\"{name}\" : {value}")).collect();
                    format!("{{{}}}", pairs.join(","))
                }),
            ]
        });
        (value, prop::option::of((any::<prop::sample::Index>(), "[{}\\[\\]\":,0-9a-z \\\\]?"))).prop_map(
            |(value, damage)| match damage {
                Some((index, put)) if !value.is_empty() => {
                    let at = (0..=index.index(value.len())).rev().find(|&at| value.is_char_boundary(at)).unwrap_or(0);
                    let after = value[at..].chars().next().map_or(at, |letter| at + letter.len_utf8());
                    format!("{}{put}{}", &value[..at], &value[after..])
                }
                _ => value,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn sound_is_what_serde_json_calls_sound(line in jsonish()) {
            let expected = serde_json::from_str::<IgnoredAny>(&line).is_ok();
            let found = match object(line.as_bytes(), |_, _| {}) {
                Ok(end) => line[end..].trim().is_empty(),
                // Behind a value that is no object nothing is looked at.
                Err(Fault::NotObject) => serde_json::Deserializer::from_str(&line).into_iter::<IgnoredAny>().next()
                    .is_some_and(|first| first.is_ok()) && expected,
                Err(_) => false,
            };
            prop_assert_eq!(found, expected, "{}", line);
        }

        #[test]
        fn texts_are_decoded_as_serde_json_does(line in r#""([ -!#-\[\]-~µ]|\\["\\/bfnrt]|\\u00[0-9a-f]{2}){0,30}""#) {
            let wrapped = format!("{{\"x\":{line}}}");
            let expected: String = serde_json::from_str(&line).unwrap();
            object(wrapped.as_bytes(), |_, value| {
                let Scalar::Text(text) = value else { panic!("{value:?}") };
                assert_eq!(text.decode(), expected);
            }).unwrap();
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = object(&bytes, |name, _| { name.decode(); });
            let mut wrapped = b"{\"".to_vec();
            wrapped.extend(bytes);
            let _ = object(&wrapped, |name, _| { name.decode(); });
        }
    }
}
