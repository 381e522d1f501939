//! The log: standard error, one line an event, whatever the words of others hold that are in it.

use std::io::{self, IsTerminal, Stderr, Write, stderr};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, Registry, fmt,
    layer::SubscriberExt,
    reload::{self, Handle},
    util::SubscriberInitExt,
};

use crate::config::{Log, LogFormat, LogLevel};

/// Changes the level of the running log.
pub(super) struct Logging(Handle<LevelFilter, Registry>);

impl Logging {
    /// Starts logging. The format stays as it is until the agent is started again.
    #[must_use]
    pub(super) fn start(log: &Log) -> Self {
        let (filter, handle) = reload::Layer::new(level(log.level));
        let colours = stderr().is_terminal();
        let layer = fmt::layer().with_writer(move || Lines { inner: stderr(), colours }).with_ansi(colours);
        let layer = match log.format {
            LogFormat::Text => layer.with_target(false).compact().boxed(),
            LogFormat::Json => layer.json().flatten_event(true).boxed(),
        };
        // A second start, in a test say, keeps the first log.
        let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
        Self(handle)
    }

    /// Puts another level in force.
    pub(super) fn set_level(&self, log: &Log) {
        let _ = self.0.reload(level(log.level));
    }
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Writes each event as one line. What a server, a file or a request says may hold a new line, which would look like an
/// event of ours, or signs that a terminal obeys or that turn the text around: those are written as escapes.
struct Lines<W = Stderr> {
    inner: W,
    /// Colours are ours; what would be others' is escaped before it comes here.
    colours: bool,
}

impl<W: Write> Write for Lines<W> {
    /// An event comes in one piece with a new line at its end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut safe = String::with_capacity(text.len());
        for letter in line.chars() {
            match letter {
                '\t' => safe.push(letter),
                '\x1b' if self.colours => safe.push(letter),
                '\n' => safe.push_str("\\n"),
                '\r' => safe.push_str("\\r"),
                letter if letter.is_control() || is_invisible(letter) => {
                    safe.push_str(&format!("\\u{:04x}", u32::from(letter)));
                }
                letter => safe.push(letter),
            }
        }
        safe.push('\n');
        self.inner.write_all(safe.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Ends of lines and paragraphs, marks that set the direction of text, and a byte order mark.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn logged(text: &str, format: LogFormat) -> String {
        #[derive(Clone, Default)]
        struct Kept(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
        impl Write for Kept {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = fmt::layer().with_writer(move || Lines { inner: writer.clone(), colours: false }).with_ansi(false);
        let layer = match format {
            LogFormat::Text => layer.with_target(false).compact().boxed(),
            LogFormat::Json => layer.json().flatten_event(true).boxed(),
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!(server = text, other = %text, "not connected: {text}");
        });
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    proptest! {
        #[test]
        fn no_text_makes_a_second_line_or_commands_a_terminal(
            text in "(\\PC|[\n\r\t\u{0}-\u{1f}\u{7f}-\u{9f}\u{200e}\u{202e}\u{2066}\u{2028}\u{2029}]){0,20}"
        ) {
            for format in [LogFormat::Text, LogFormat::Json] {
                let log = logged(&text, format);
                let line = log.strip_suffix('\n').unwrap();
                prop_assert!(!line.contains(|letter: char| letter != '\t' && letter.is_control()), "{:?}", line);
                prop_assert!(!line.contains(is_invisible), "{:?}", line);
                prop_assert_eq!(line.lines().count(), 1);
                if format == LogFormat::Json {
                    prop_assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{}", line);
                }
            }
        }
    }

    #[test]
    fn a_forged_event_is_seen_to_be_one() {
        let log = logged("no\n2026-01-01T00:00:00Z  INFO all is well \u{1b}[2J\u{202e}", LogFormat::Text);
        assert_eq!(log.lines().count(), 1);
        assert!(log.contains("\\n2026") && log.contains("\\u202e"), "{log}");
    }
}
