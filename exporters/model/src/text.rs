//! The text of files that people write, with whatever their editors do to it.

const HELP: &str = "save it as UTF-8";

/// The text of a file: UTF-8, without the byte order mark that some editors and PowerShell put in front of it.
///
/// # Errors
/// It is something else, and how to write it instead; what it holds is not repeated.
pub fn text(bytes: &[u8]) -> Result<&str, String> {
    let bytes = unmarked(bytes)?;
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("is not UTF-8 text: line {line} has bytes that are no character; {HELP}")
    })
}

/// The bytes behind the byte order mark, for readers who take a wrong byte for a wrong letter and go on.
///
/// # Errors
/// It is UTF-16, of which nothing could be read so.
pub fn unmarked(bytes: &[u8]) -> Result<&[u8], String> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => Ok(rest),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(format!("is UTF-16 text: {HELP}")),
        // UTF-16 without its mark: no text has a zero byte.
        [0, letter, ..] | [letter, 0, ..] if *letter != 0 => Err(format!("is UTF-16 text, or none: {HELP}")),
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_utf8_says_what_it_is_and_what_to_do() {
        let utf16 = |order: fn(u16) -> [u8; 2], mark: bool| {
            let words = "web: {}\n".encode_utf16();
            let letters = mark.then_some(0xfeff).into_iter().chain(words);
            text(&letters.flat_map(order).collect::<Vec<u8>>()).unwrap_err()
        };
        for message in [
            utf16(u16::to_le_bytes, true),
            utf16(u16::to_be_bytes, true),
            utf16(u16::to_le_bytes, false),
            utf16(u16::to_be_bytes, false),
        ] {
            assert!(message.contains("UTF-16") && message.contains("save it as UTF-8"), "{message}");
        }
        let message = text(b"a\nb\xff").unwrap_err();
        assert!(message.contains("not UTF-8") && message.contains("line 2"), "{message}");
        assert_eq!(text(b""), Ok(""));
    }

    proptest! {
        #[test]
        fn a_mark_changes_nothing(content in "[^\u{0}\u{feff}]{0,40}") {
            prop_assert_eq!(text(content.as_bytes()), Ok(&*content));
            let marked = format!("\u{feff}{content}");
            prop_assert_eq!(text(marked.as_bytes()), Ok(&*content));
        }
    }
}
