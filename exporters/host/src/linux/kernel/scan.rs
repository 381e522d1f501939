//! Taking kernel text apart without allocating.

use memchr::memchr;

/// The lines of a file, without their ends; an unfinished last line counts.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (line, after) = rest.split_at(memchr(b'\n', rest).unwrap_or(rest.len()));
            rest = after.get(1..).unwrap_or_default();
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    })
}

/// The words of a line.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|byte| !is_space(*byte))?;
        let word = &rest[start..];
        let (word, after) = word.split_at(word.iter().position(|byte| is_space(*byte)).unwrap_or(word.len()));
        rest = after;
        Some(word)
    })
}

/// The kernel separates by spaces and tabs; a form feed or the like is not worth a table look-up a byte.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// A whole decimal number that fits; nothing else.
pub(crate) fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// A whole hexadecimal number that fits, without a sign or `0x`.
pub(crate) fn hexadecimal(word: &[u8]) -> Option<u64> {
    let text = str::from_utf8(word).ok().filter(|text| !text.starts_with('+'))?;
    u64::from_str_radix(text, 16).ok()
}

/// A decimal number with a point; no words (`inf`, `nan`) and no exponent, which the kernel never writes.
pub(crate) fn float(word: &[u8]) -> Option<f64> {
    let digits = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    str::from_utf8(word).ok().filter(|_| word.iter().all(digits))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_and_words_are_those_of_the_standard_library(text in "[ab \t\n]{0,40}") {
            let expected: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
            let expected: Vec<Vec<&str>> = expected.into_iter().filter(|words| !words.is_empty()).collect();
            let read = lines(text.as_bytes()).map(|line| words(line).map(|word| str::from_utf8(word).unwrap()).collect());
            let read: Vec<Vec<&str>> = read.filter(|words: &Vec<&str>| !words.is_empty()).collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn a_number_is_read_as_the_standard_library_reads_it(text in "[0-9]{0,22}[ a-z+-]?") {
            let expected = text.parse::<u64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
            prop_assert_eq!(number(text.as_bytes()), expected);
        }
    }

    #[test]
    fn words_are_no_numbers() {
        for text in ["inf", "nan", "-inf", "1e3", "", ".", "1.2.3"] {
            assert_eq!(float(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(float(b"0.31"), Some(0.31));
    }
}
