//! Where one record ends and the next begins.

use crate::{
    options::Framing,
    scan::{self, Fault},
};

/// A longer record is skipped and counted.
pub(crate) const LONGEST: usize = 1 << 20;

/// Hands out the complete records at the start of `bytes`; returns how many bytes they take, parting included.
pub(crate) fn split<'a>(framing: Framing, bytes: &'a [u8], mut record: impl FnMut(&'a [u8])) -> usize {
    split_behind(framing, bytes, 0, |split| match split {
        Split::Record(bytes) => record(bytes),
        Split::Empty(lines) => (0..lines.len()).for_each(|at| record(&lines[at..at])),
    })
}

/// What stands between two partings.
pub(crate) enum Split<'a> {
    Record(&'a [u8]),
    /// The ends of lines without anything.
    Empty(&'a [u8]),
}

/// The same, where it is known that no line ends in the first `seen` bytes.
pub(crate) fn split_behind<'a>(
    framing: Framing,
    bytes: &'a [u8],
    seen: usize,
    mut record: impl FnMut(Split<'a>),
) -> usize {
    match framing {
        Framing::Lines => {
            let (mut start, mut from) = (0, seen);
            loop {
                while let Some(end) = line_end(bytes, from) {
                    record(Split::Record(&bytes[start..end]));
                    start = end + 1;
                    from = start;
                    if bytes[start..].starts_with(b"\n\n") {
                        break;
                    }
                }
                let empty = empty_lines(&bytes[start..]);
                if empty < 2 {
                    return start;
                }
                record(Split::Empty(&bytes[start..start + empty]));
                start += empty;
                from = start;
            }
        }
        Framing::Values => {
            let mut start = parting(bytes);
            while let Some(end) = value_end(&bytes[start..]) {
                record(Split::Record(&bytes[start..start + end]));
                start += end;
                start += parting(&bytes[start..]);
            }
            start
        }
    }
}

/// Where the line ends that goes on here. To call for a search costs more than to look at a short line.
fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    let mut near = from;
    if let Some(&chunk) = bytes[from..].first_chunk::<8>() {
        let word = u64::from_le_bytes(chunk) ^ (ONES * u64::from(b'\n'));
        let ends = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if ends != 0 {
            return Some(from + (ends.trailing_zeros() / 8) as usize);
        }
        near += 8;
    }
    memchr::memchr(b'\n', &bytes[near..]).map(|end| near + end)
}

/// How many empty lines are at the start.
fn empty_lines(bytes: &[u8]) -> usize {
    let words = bytes.chunks_exact(8).take_while(|word| **word == [b'\n'; 8]).count() * 8;
    words + bytes[words..].iter().take_while(|byte| **byte == b'\n').count()
}

/// Where the record that has grown too long ends, if that can be seen.
pub(crate) fn resume(framing: Framing, bytes: &[u8]) -> Option<usize> {
    match framing {
        Framing::Lines => memchr::memchr(b'\n', bytes).map(|end| end + 1),
        Framing::Values => next_start(bytes),
    }
}

/// The length of the white space, `\n` pairs and byte order marks at the start.
pub(crate) fn parting(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match &bytes[at..] {
            [b' ' | b'\t' | b'\r' | b'\n', ..] => at += 1,
            [b'\\', b'n', ..] => at += 2,
            [0xef, 0xbb, 0xbf, ..] => at += 3,
            _ => return at,
        }
    }
}

/// The end of the first value, sound or not, if it has one yet.
fn value_end(bytes: &[u8]) -> Option<usize> {
    if bytes.is_empty() {
        return None;
    }
    // A raw line break is never inside a record, so it ends a torn one. It is looked for no farther than it matters: to
    // the end of all bytes for each record would be a cost without bounds.
    match scan::object(bytes, |_, _| {}) {
        Ok(end) => Some(end),
        Err(Fault::Unfinished) => memchr::memchr(b'\n', bytes),
        Err(Fault::Wrong | Fault::NotObject) => {
            let start = next_start(&bytes[1..]).map(|start| start + 1);
            memchr::memchr(b'\n', &bytes[..start.unwrap_or(bytes.len())]).or(start)
        }
    }
}

/// The next place where a record may begin: behind a parting, at a brace.
fn next_start(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(found) = memchr::memchr(b'{', &bytes[from..]) {
        let at = from + found;
        if bytes[..at].ends_with(b"\\n") || bytes[..at].ends_with(b"\n") {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(framing: Framing, text: &str) -> (Vec<String>, usize) {
        let mut records = Vec::new();
        let used = split(framing, text.as_bytes(), |record| records.push(String::from_utf8_lossy(record).into_owned()));
        (records, used)
    }

    #[test]
    fn values_are_parted_by_two_characters_but_not_inside_text() {
        let text = r#"{"a": "x\n{}\n"}\n{"b": 1}\n {"c": "#;
        let (found, used) = records(Framing::Values, text);
        assert_eq!(found, [r#"{"a": "x\n{}\n"}"#, r#"{"b": 1}"#]);
        assert_eq!(&text[used..], r#"{"c": "#);
    }

    #[test]
    fn after_a_torn_value_the_next_is_found() {
        let text = "{\"a\": {\"b\"{\"c\": 1}\\n{\"d\": 2}\n{\"e\":\n{\"f\": 3}\n";
        let (found, used) = records(Framing::Values, text);
        let sound: Vec<&String> =
            found.iter().filter(|text| serde_json::from_str::<serde_json::Value>(text).is_ok()).collect();
        assert_eq!(sound, ["{\"d\": 2}", "{\"f\": 3}"]);
        assert_eq!((found.len(), used), (4, text.len()), "{found:?}");
    }

    proptest! {
        /// However the bytes arrive, the records are the same.
        #[test]
        fn records_do_not_depend_on_how_much_is_seen_at_once(
            texts in prop::collection::vec("([a-z{}\"]|\\\\n|µ){0,8}", 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            lines in any::<bool>(),
        ) {
            let framing = if lines { Framing::Lines } else { Framing::Values };
            let parting = if lines { "\n" } else { "\\n" };
            let whole: String = texts.iter()
                .map(|text| format!("{}{parting}", serde_json::json!({"x": text})))
                .collect();
            let (expected, used) = records(framing, &whole);
            prop_assert_eq!(expected.len(), texts.len());
            prop_assert_eq!(used, whole.len());
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).collect();
            ends.push(whole.len());
            ends.sort_unstable();
            let (mut start, mut found) = (0, Vec::new());
            for end in ends {
                let mut some = Vec::new();
                start += split(framing, &whole.as_bytes()[start..end], |record| some.push(record.to_vec()));
                found.extend(some);
            }
            let expected: Vec<Vec<u8>> = expected.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
