//! Text that may be anything. PostgreSQL promises UTF-8 only for what a UTF-8 database checked itself: names of roles
//! and databases, running queries and all that an SQL_ASCII database holds come as the bytes that somebody once sent.

use tokio_postgres::{
    Error, Row,
    types::{FromSql, Type},
};

/// A column's value.
pub(crate) trait Column: Sized {
    fn at(row: &Row, index: usize) -> Result<Self, Error>;

    /// A value for tests: text is the column's name, numbers are its place.
    #[cfg(test)]
    fn example(name: &str, number: u8) -> Self;
}

macro_rules! plain {
    ($($type:ty: $example:expr;)*) => { $(
        impl Column for $type {
            fn at(row: &Row, index: usize) -> Result<Self, Error> {
                row.try_get(index)
            }

            #[cfg(test)]
            fn example(_: &str, number: u8) -> Self {
                let example: fn(u8) -> $type = $example;
                example(number)
            }
        }

        impl Column for Option<$type> {
            fn at(row: &Row, index: usize) -> Result<Self, Error> {
                row.try_get(index)
            }

            #[cfg(test)]
            fn example(name: &str, number: u8) -> Self {
                Some(<$type>::example(name, number))
            }
        }
    )* };
}
plain! {
    bool: |number| number % 2 == 0;
    i32: i32::from;
    i64: i64::from;
    f64: |number| f64::from(number) + 0.5;
}

impl Column for String {
    fn at(row: &Row, index: usize) -> Result<Self, Error> {
        row.try_get(index).map(|Text(text)| text)
    }

    #[cfg(test)]
    fn example(name: &str, _: u8) -> Self {
        name.to_owned()
    }
}

impl Column for Option<String> {
    fn at(row: &Row, index: usize) -> Result<Self, Error> {
        row.try_get::<_, Option<Text>>(index).map(|text| text.map(|Text(text)| text))
    }

    #[cfg(test)]
    fn example(name: &str, _: u8) -> Self {
        Some(name.to_owned())
    }
}

impl Column for Vec<String> {
    fn at(row: &Row, index: usize) -> Result<Self, Error> {
        row.try_get::<_, Vec<Text>>(index).map(|texts| texts.into_iter().map(|Text(text)| text).collect())
    }

    #[cfg(test)]
    fn example(name: &str, _: u8) -> Self {
        vec![name.to_owned()]
    }
}

impl Column for Option<Vec<String>> {
    fn at(row: &Row, index: usize) -> Result<Self, Error> {
        let texts: Option<Vec<Text>> = row.try_get(index)?;
        Ok(texts.map(|texts| texts.into_iter().map(|Text(text)| text).collect()))
    }

    #[cfg(test)]
    fn example(name: &str, number: u8) -> Self {
        Some(Vec::example(name, number))
    }
}

struct Text(String);

impl FromSql<'_> for Text {
    fn from_sql(_: &Type, bytes: &[u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(decode(bytes)))
    }

    fn accepts(kind: &Type) -> bool {
        <&str as FromSql>::accepts(kind)
    }
}

/// The text of these bytes: as it is, with those that are no UTF-8 as `\x{E9}`. Two texts that differ never become one,
/// so a backslash is doubled wherever it could be taken for one of ours.
fn decode(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains("\\x{")
    {
        return text.to_owned();
    }
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        text += &chunk.valid().replace('\\', "\\\\");
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{{{byte:02X}}}")));
    }
    text
}

/// As a label: what is not there is empty.
pub(crate) fn or_empty(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

/// The first so many letters.
pub(crate) fn cut(text: &mut String, letters: usize) {
    if let Some((end, _)) = text.char_indices().nth(letters) {
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_utf_8_is_shown_byte_by_byte() {
        for (bytes, text) in [
            (&b"caf\xC3\xA9"[..], "caf\u{e9}"),
            (b"caf\xE9", "caf\\x{E9}"),
            (b"a\\b", "a\\b"),
            (b"a\\b\xFF", "a\\\\b\\x{FF}"),
            (b"\\x{E9}", "\\\\x{E9}"),
            (b"cut \xE2\x82", "cut \\x{E2}\\x{82}"),
            (b"", ""),
        ] {
            assert_eq!(decode(bytes), text);
        }
    }

    /// Reads what `decode` wrote.
    fn encode(text: &str) -> Vec<u8> {
        if !text.contains("\\x{") {
            return text.as_bytes().to_vec();
        }
        let (mut bytes, mut rest) = (Vec::new(), text);
        while let Some(letter) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("\\\\") {
                bytes.push(b'\\');
                rest = after;
            } else if let Some(after) = rest.strip_prefix("\\x{") {
                bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
                rest = &after[3..];
            } else {
                bytes.extend_from_slice(letter.to_string().as_bytes());
                rest = &rest[letter.len_utf8()..];
            }
        }
        bytes
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            Just(b"\\x{E9}".to_vec()),
            Just(b"\\".to_vec()),
            Just("é".as_bytes().to_vec()),
            any::<u8>().prop_map(|byte| vec![byte])
        ];
        proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn nothing_is_lost(bytes in bytes()) {
            prop_assert_eq!(encode(&decode(&bytes)), bytes);
        }
    }
}
