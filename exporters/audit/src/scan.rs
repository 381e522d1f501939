//! A JSON object, looked at once: its top-level fields are handed out as they stand, nothing is copied.
//!
//! Counting needs a handful of fields of each line and whether the line is sound, hundreds of megabytes a second.
//! So the scan hands out slices of the line and no values made from them, and its steps pass nothing on but a
//! position, which stays in registers.
//!
//! It accepts exactly what JSON is (serde_json is the reference in the tests), with two liberties that the logs need:
//! bytes that are no UTF-8 and lone surrogates pass here, and become U+FFFD when text is decoded.

use std::borrow::Cow;

/// Deeper nesting is refused, as serde_json does.
const MAX_DEPTH: usize = 127;

/// Text between quotes as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    pub(crate) raw: &'a [u8],
}

/// A field's value as it stands in the file; the scan has seen that it is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scalar<'a> {
    raw: &'a [u8],
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
#[inline]
pub(crate) fn object<'a>(bytes: &'a [u8], field: impl FnMut(Text<'a>, Scalar<'a>)) -> Result<usize, Fault> {
    let at = space(bytes, 0);
    if peek(bytes, at)? == b'{' {
        return fields(bytes, at + 1, 0, field);
    }
    value(bytes, at, 0)?;
    Err(Fault::NotObject)
}

impl<'a> Scalar<'a> {
    /// The text, where it is one.
    pub(crate) fn text(self) -> Option<Text<'a>> {
        match self.raw {
            [b'"', raw @ .., b'"'] => Some(Text { raw }),
            _ => None,
        }
    }

    /// A number's digits.
    pub(crate) fn number(self) -> Option<&'a str> {
        match self.raw.first()? {
            b'-' | b'0'..=b'9' => std::str::from_utf8(self.raw).ok(),
            _ => None,
        }
    }

    /// True or false.
    pub(crate) fn flag(self) -> Option<bool> {
        match self.raw.first() {
            Some(b't') => Some(true),
            Some(b'f') => Some(false),
            _ => None,
        }
    }

    /// An object with its braces.
    pub(crate) fn object(self) -> Option<&'a [u8]> {
        (self.raw.first() == Some(&b'{')).then_some(self.raw)
    }
}

impl<'a> Text<'a> {
    /// The text with its escapes resolved; what is no text becomes U+FFFD.
    pub(crate) fn decode(self) -> Cow<'a, str> {
        let mut rest = self.raw;
        let Some(mut slash) = memchr::memchr(b'\\', rest) else { return String::from_utf8_lossy(rest) };
        let mut out = String::with_capacity(rest.len());
        loop {
            out.push_str(&String::from_utf8_lossy(&rest[..slash]));
            let (letter, used) = letter(&rest[slash + 1..]);
            out.push(letter);
            rest = &rest[slash + 1 + used..];
            match memchr::memchr(b'\\', rest) {
                Some(next) => slash = next,
                None => break,
            }
        }
        out.push_str(&String::from_utf8_lossy(rest));
        Cow::Owned(out)
    }

    /// Whether it is this word.
    pub(crate) fn is(self, word: &str) -> bool {
        self.raw == word.as_bytes() || (self.raw.contains(&b'\\') && self.decode() == word)
    }
}

/// The letter that an escape means, and its length behind the backslash. The scan has seen that it is sound.
fn letter(rest: &[u8]) -> (char, usize) {
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

/// What the steps of the scan return: where they ended.
type End = Result<usize, Fault>;

fn peek(bytes: &[u8], at: usize) -> Result<u8, Fault> {
    bytes.get(at).copied().ok_or(Fault::Unfinished)
}

fn space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

fn expect(bytes: &[u8], at: usize, byte: u8) -> End {
    if peek(bytes, at)? == byte { Ok(at + 1) } else { Err(Fault::Wrong) }
}

/// Behind `{`.
#[inline]
fn fields<'a>(bytes: &'a [u8], at: usize, depth: usize, mut field: impl FnMut(Text<'a>, Scalar<'a>)) -> End {
    if depth > MAX_DEPTH {
        return Err(Fault::Wrong);
    }
    let mut at = space(bytes, at);
    if peek(bytes, at)? == b'}' {
        return Ok(at + 1);
    }
    loop {
        let name = expect(bytes, at, b'"')?;
        let behind = text(bytes, name)?;
        let name = Text { raw: &bytes[name..behind - 1] };
        let start = space(bytes, expect(bytes, space(bytes, behind), b':')?);
        let end = value(bytes, start, depth + 1)?;
        field(name, Scalar { raw: &bytes[start..end] });
        at = space(bytes, end);
        match peek(bytes, at)? {
            b',' => at = space(bytes, at + 1),
            b'}' => return Ok(at + 1),
            _ => return Err(Fault::Wrong),
        }
    }
}

/// Behind `[`.
fn array(bytes: &[u8], at: usize, depth: usize) -> End {
    if depth > MAX_DEPTH {
        return Err(Fault::Wrong);
    }
    let mut at = space(bytes, at);
    if peek(bytes, at)? == b']' {
        return Ok(at + 1);
    }
    loop {
        at = space(bytes, value(bytes, at, depth + 1)?);
        match peek(bytes, at)? {
            b',' => at = space(bytes, at + 1),
            b']' => return Ok(at + 1),
            _ => return Err(Fault::Wrong),
        }
    }
}

fn value(bytes: &[u8], at: usize, depth: usize) -> End {
    match peek(bytes, at)? {
        b'"' => text(bytes, at + 1),
        b'{' => fields(bytes, at + 1, depth, |_, _| {}),
        b'[' => array(bytes, at + 1, depth),
        b't' => word(bytes, at, b"true"),
        b'f' => word(bytes, at, b"false"),
        b'n' => word(bytes, at, b"null"),
        _ => number(bytes, at),
    }
}

fn word(bytes: &[u8], at: usize, word: &[u8]) -> End {
    let rest = &bytes[at..];
    if rest.starts_with(word) {
        return Ok(at + word.len());
    }
    Err(if word.starts_with(rest) { Fault::Unfinished } else { Fault::Wrong })
}

fn number(bytes: &[u8], mut at: usize) -> End {
    if peek(bytes, at)? == b'-' {
        at += 1;
    }
    at = match peek(bytes, at)? {
        b'0' => at + 1,
        _ => digits(bytes, at)?,
    };
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let b'+' | b'-' = peek(bytes, at)? {
            at += 1;
        }
        at = digits(bytes, at)?;
    }
    Ok(at)
}

fn digits(bytes: &[u8], mut at: usize) -> End {
    if !peek(bytes, at)?.is_ascii_digit() {
        return Err(Fault::Wrong);
    }
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    Ok(at)
}

/// Behind the opening quote, to behind the closing one.
fn text(bytes: &[u8], mut at: usize) -> End {
    loop {
        at += plain(&bytes[at..]);
        match peek(bytes, at)? {
            b'"' => return Ok(at + 1),
            b'\\' => at = escape(bytes, at + 1)?,
            _ => return Err(Fault::Wrong),
        }
    }
}

fn escape(bytes: &[u8], at: usize) -> End {
    match peek(bytes, at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 1),
        b'u' => {
            for at in at + 1..at + 5 {
                if !peek(bytes, at)?.is_ascii_hexdigit() {
                    return Err(Fault::Wrong);
                }
            }
            Ok(at + 5)
        }
        _ => Err(Fault::Wrong),
    }
}

/// How many bytes from the start are neither a quote, nor a backslash, nor a control character; eight at a time.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES * 128;
    let mut at = 0;
    while let Some(&chunk) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(chunk);
        // A byte that is too small borrows, which its high bit shows where it was not set before. What the borrow does
        // to the bytes behind it does not matter: only the first one marked is looked at.
        let quotes = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
        let slashes = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
        let controls = word.wrapping_sub(ONES * 0x20);
        let marks = (quotes | slashes | controls) & !word & HIGHS;
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
        let decode = |raw: &[u8]| Text { raw }.decode().into_owned();
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
                assert_eq!(value.text().unwrap().decode(), expected);
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
