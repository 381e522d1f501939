//! What clients may say: a slower pace, and whatever the feed itself understands.

use std::time::Duration;

use aura_model::Interval;
use bytes::Bytes;
use serde::Deserialize;

use super::frame::{self, Opcode};
use crate::api::ErrorBody;

/// A message from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

/// What a feed says to a message from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Understood; there is nothing to say.
    Nothing,
    /// A text message to this client alone.
    Text(String),
    /// A binary message to this client alone.
    Binary(Vec<u8>),
    /// Not understood: text gets an error message, binary closes the connection with 1003.
    Unknown,
}

impl Answer {
    /// A message that says what was wrong and what to write instead.
    pub fn error(code: &'static str, message: &str, hint: &str) -> Self {
        let (message, hint) = (message.to_owned(), Some(hint.to_owned()));
        let error = ErrorBody { code, message, hint, retry_after_s: None };
        Self::Text(serde_json::json!({ "type": "error", "error": error }).to_string())
    }
}

/// A feed's own understanding of messages from clients. Runs on the feed thread, so it must not wait.
pub type Answering = dyn Fn(Request<'_>) -> Answer + Send + Sync;

/// What the client's connection does about a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    Nothing,
    Pace(Duration),
    Reply(Bytes),
    Unsupported,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Command {
    SetInterval { interval: Interval },
}

/// The part of a message that says what it is.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

pub(super) fn text(text: &str, own: Option<&Answering>) -> Reaction {
    match serde_json::from_str::<Command>(text) {
        Ok(Command::SetInterval { interval }) => return Reaction::Pace(interval.get()),
        Err(error) if is_set_interval(text) => {
            let hint = r#"write {"type":"set_interval","interval":"5s"}"#;
            return error_reply("bad_interval", &error.to_string(), hint);
        }
        Err(_) => {}
    }
    match own.map_or(Answer::Unknown, |own| own(Request::Text(text))) {
        Answer::Unknown => error_reply(
            "unknown_message",
            "this feed does not understand the message",
            r#"the feed sends by itself; {"type":"set_interval","interval":"5s"} makes it slower"#,
        ),
        answer => reply(answer),
    }
}

pub(super) fn binary(bytes: &[u8], own: Option<&Answering>) -> Reaction {
    reply(own.map_or(Answer::Unknown, |own| own(Request::Binary(bytes))))
}

fn is_set_interval(text: &str) -> bool {
    serde_json::from_str::<Kind>(text).is_ok_and(|kind| kind.kind == "set_interval")
}

fn reply(answer: Answer) -> Reaction {
    match answer {
        Answer::Nothing => Reaction::Nothing,
        Answer::Text(text) => Reaction::Reply(frame::build(Opcode::Text, text.as_bytes())),
        Answer::Binary(bytes) => Reaction::Reply(frame::build(Opcode::Binary, &bytes)),
        Answer::Unknown => Reaction::Unsupported,
    }
}

fn error_reply(code: &'static str, message: &str, hint: &str) -> Reaction {
    reply(Answer::error(code, message, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply_text(reaction: Reaction) -> String {
        let Reaction::Reply(frame) = reaction else { panic!("{reaction:?} is no reply") };
        let start = if frame[1] == 126 { 4 } else { 2 };
        String::from_utf8(frame[start..].to_vec()).unwrap()
    }

    #[test]
    fn a_client_sets_its_pace() {
        let set = |interval| text(&format!(r#"{{"type":"set_interval","interval":{interval}}}"#), None);
        assert_eq!(set("\"5s\""), Reaction::Pace(Duration::from_secs(5)));
        for wrong in ["\"0s\"", "5", "\"soon\"", "null"] {
            let reply = reply_text(set(wrong));
            assert!(reply.contains(r#""code":"bad_interval""#), "{wrong}: {reply}");
        }
    }

    #[test]
    fn what_nobody_understands_gets_an_error_or_closes() {
        for unknown in ["", "hello", "{}", r#"{"type":"dance"}"#, r#"{"type":7}"#, "[[[["] {
            let reply = reply_text(text(unknown, None));
            assert!(reply.contains(r#""type":"error""#) && reply.contains("unknown_message"), "{unknown}: {reply}");
        }
        assert_eq!(binary(b"\x00", None), Reaction::Unsupported);
        let own = |request: Request<'_>| match request {
            Request::Text("hello") => Answer::Text("world".into()),
            Request::Text("hush") => Answer::Nothing,
            _ => Answer::Unknown,
        };
        assert_eq!(reply_text(text("hello", Some(&own))), "world");
        assert_eq!(text("hush", Some(&own)), Reaction::Nothing);
        assert!(reply_text(text("other", Some(&own))).contains("unknown_message"));
    }
}
