//! Signed records: HMAC-SHA-256 over the entry's compact JSON.

use std::{fs, io, path::Path};

use aws_lc_rs::hmac;

use crate::scan::Text;

/// A longer key file is something else.
const LONGEST_KEY: u64 = 4096;

/// The key of signed logs.
pub(crate) struct Key(hmac::Key);

/// What is known about a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Valid,
    Invalid,
    NotChecked,
}

impl Verdict {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::NotChecked => "not_checked",
        }
    }
}

impl Key {
    /// The key in this file, without the line break that an editor leaves.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.len() > LONGEST_KEY {
            return Err(io::Error::other("longer than a key is"));
        }
        let bytes = fs::read(path)?;
        if crate::event::utf16(&bytes) {
            return Err(io::Error::other("it is UTF-16: write it as UTF-8"));
        }
        let bytes = crate::event::without_mark(&bytes);
        let end = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
        if end == 0 {
            return Err(io::Error::other("there is no key in it"));
        }
        Ok(Self::new(&bytes[..end]))
    }

    pub(crate) fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// Checks an entry as it stands in the file. The writer signs it without white space between its parts, in
    /// the same order, so taking the white space away gives what was signed.
    pub(crate) fn check(key: Option<&Self>, entry: &[u8], signature: Text<'_>) -> Verdict {
        let Some(Self(key)) = key else { return Verdict::NotChecked };
        match unhex(signature.raw) {
            Some(tag) if hmac::verify(key, &compact(entry), &tag).is_ok() => Verdict::Valid,
            _ => Verdict::Invalid,
        }
    }
}

fn compact(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for &byte in json {
        if quoted || !byte.is_ascii_whitespace() {
            out.push(byte);
        }
        match byte {
            b'"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && byte == b'\\' && !escaped;
    }
    out
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks(2).map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event, options::Keys};

    fn verdict(key: Option<&Key>, line: &str) -> Verdict {
        let keys = Keys::default();
        let event = event::read(line.as_bytes(), &keys).unwrap();
        let (entry, signature) = event.signed.unwrap();
        Key::check(key, entry, signature)
    }

    #[test]
    fn a_signature_covers_the_entry_without_white_space() {
        let key = Key::new(b"a key for this test");
        let signed = hmac::sign(&key.0, br#"{"ts":1.5,"actor":"a \" b","payload":{"n":[1,2]}}"#);
        let signature: String = signed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let line = |entry: &str| format!("{{\"entry\": {entry}, \"sig\": \"{signature}\"}}");
        let good = line(r#"{"ts": 1.5, "actor": "a \" b", "payload": {"n": [1, 2]}}"#);
        assert_eq!(verdict(Some(&key), &good), Verdict::Valid);
        assert_eq!(verdict(None, &good), Verdict::NotChecked);
        assert_eq!(verdict(Some(&Key::new(b"another")), &good), Verdict::Invalid);
        let changed = line(r#"{"ts": 1.5, "actor": "a \"  b", "payload": {"n": [1, 2]}}"#);
        assert_eq!(verdict(Some(&key), &changed), Verdict::Invalid);
        assert_eq!(verdict(Some(&key), r#"{"entry": {}, "sig": "no hex"}"#), Verdict::Invalid);
    }
}
