//! A response's text so that people can compare it: a value a line, what no two runs share replaced, everything else byte
//! for byte.

use std::{net::SocketAddr, path::Path};

use jiff::Timestamp;

/// Numbers that grow with the time that a test takes, and with how often it has to ask.
const TIMED: [&str; 6] =
    ["seq", "age_seconds", "duration_seconds", "size_age_seconds", "uptime_seconds", "requests_total"];

pub(super) struct Masks {
    begun: Timestamp,
    folder: String,
    address: String,
}

impl Masks {
    pub(super) fn new(folder: &Path, address: SocketAddr) -> Self {
        Self { begun: Timestamp::now(), folder: folder.display().to_string(), address: address.to_string() }
    }

    /// JSON with one value a line, its bytes and their order kept.
    pub(super) fn spread(&self, text: &str) -> String {
        let text = text.replace(&self.folder, "FOLDER").replace(&self.address, "ADDRESS");
        // Where this checkout lies is no part of what is compared.
        let text = text.replace(env!("CARGO_MANIFEST_DIR"), "AGENT");
        let (mut out, mut depth, mut rest, mut key) = (String::new(), 0_usize, &text[..], String::new());
        while let Some(letter) = rest.chars().next() {
            let mut length = letter.len_utf8();
            match letter {
                '"' => {
                    length = string(rest);
                    let content = &rest[1..length - 1];
                    // A page's cursor tells the file by its inode.
                    let is_cursor = key == "next" && out.ends_with(':');
                    out += match content {
                        _ if is_cursor => "\"CURSOR\"",
                        _ if self.is_new(content) => "\"NOW\"",
                        _ => &rest[..length],
                    };
                    if rest[length..].starts_with(':') {
                        content.clone_into(&mut key);
                    }
                }
                '{' | '[' => {
                    depth += 1;
                    out.push(letter);
                    if !rest[1..].starts_with(['}', ']']) {
                        line(&mut out, depth);
                    }
                }
                '}' | ']' => {
                    depth = depth.saturating_sub(1);
                    if !out.ends_with(['{', '[']) {
                        line(&mut out, depth);
                    }
                    out.push(letter);
                }
                ',' if depth > 0 => {
                    out.push(letter);
                    line(&mut out, depth);
                }
                '0'..='9' | '-' if TIMED.contains(&&*key) && out.ends_with(':') => {
                    length = rest.find([',', '}']).unwrap_or(rest.len());
                    out += "TIMED";
                }
                _ => out.push(letter),
            }
            rest = &rest[length..];
        }
        out.push('\n');
        out
    }

    /// Whether this is a time of this test.
    fn is_new(&self, text: &str) -> bool {
        text.parse::<Timestamp>().is_ok_and(|time| (time.duration_since(self.begun)).as_secs().abs() < 86_400)
    }
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', 2 * depth));
}

/// Length of the string that begins here, with its quotes.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text[1..].find(|letter: char| {
        let ends = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}
