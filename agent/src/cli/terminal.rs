//! What the command line prints. Names of mounts, processes, models, databases and roles are whatever somebody called
//! them, and a terminal does what it is told between the letters of a name: move, erase, set a title, paste. So what is
//! for people has no control characters but the line ends and tabs that are ours.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, ErrorKind, IsTerminal, Write},
};

/// Writes for people, to standard output; a reader that has seen enough (`| head`) is no failure.
pub(crate) fn print(text: impl AsRef<str>) -> anyhow::Result<()> {
    write(shown(text.as_ref(), is_ours, escape).as_bytes())
}

/// Writes what programs read: byte for byte, unless a person looks.
pub(crate) fn print_for_programs(text: &str) -> anyhow::Result<()> {
    if io::stdout().is_terminal() { print(text) } else { write(text.as_bytes()) }
}

/// Writes for people, to standard error.
pub fn print_error(text: &str) {
    eprintln!("{}", shown(text, is_ours, escape));
}

/// Somebody's text as one that stays on its line: `\u{1b}` for what has no shape.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    shown(text, |_| false, escape)
}

/// JSON in which every such character is written as JSON writes it.
pub(super) fn json(text: &str) -> String {
    let unit = |character: char, out: &mut String| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    };
    shown(text, is_ours, unit).into_owned()
}

fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn is_ours(character: char) -> bool {
    matches!(character, '\n' | '\t')
}

fn escape(character: char, out: &mut String) {
    match character {
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        other => _ = write!(out, "\\u{{{:x}}}", u32::from(other)),
    }
}

/// Whether it tells a terminal to do something, or turns the order of what stands around it.
fn commands(character: char) -> bool {
    let turns = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'].contains(&character)
        || ('\u{202a}'..='\u{202e}').contains(&character)
        || ('\u{2066}'..='\u{2069}').contains(&character);
    character.is_control() || turns
}

fn shown(text: &str, stays: fn(char) -> bool, write: fn(char, &mut String)) -> Cow<'_, str> {
    let hidden = |character: char| commands(character) && !stays(character);
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if hidden(character) { write(character, &mut out) } else { out.push(character) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_would_do_is_shown_instead() {
        assert_eq!(
            visible("a\x1b]0;title\x07\r\nb\u{9b}2J\u{202e}\x7f"),
            "a\\u{1b}]0;title\\u{7}\\r\\nb\\u{9b}2J\\u{202e}\\u{7f}"
        );
        assert_eq!(visible("Müller 模型 🦙"), "Müller 模型 🦙");
    }

    proptest! {
        #[test]
        fn no_text_commands_a_terminal(text in "(\\PC|\\pC|[\x00-\x1f\u{7f}-\u{9f}\u{2066}]){0,20}") {
            prop_assert!(!visible(&text).contains(commands));
            prop_assert!(!shown(&text, is_ours, escape).contains(|c| commands(c) && !is_ours(c)));
            let document = json(&serde_json::to_string(&text).unwrap());
            prop_assert!(!document.contains(commands));
            prop_assert_eq!(serde_json::from_str::<String>(&document).unwrap(), text);
        }
    }
}
