//! What clients may say: a slower pace, and whatever the feed itself understands.

use std::time::Duration;

use aura_model::Interval;
use bytes::Bytes;
use serde::Deserialize;

use super::frame::{self, Opcode};

/// What a feed itself replies to a text message, to this client alone; none when it does not
/// understand it. Runs on the feed thread, so it must not wait.
pub type Replies = dyn Fn(&str) -> Option<String> + Send + Sync;

/// A message that says what was wrong and what to write instead.
pub fn error(code: &str, message: &str, hint: &str) -> String {
    let error = serde_json::json!({ "code": code, "message": message, "hint": hint });
    serde_json::json!({ "type": "error", "error": error }).to_string()
}

/// What the client's connection does about a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    Pace(Duration),
    Reply(Bytes),
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

pub(super) fn text(text: &str, own: Option<&Replies>) -> Reaction {
    match serde_json::from_str::<Command>(text) {
        Ok(Command::SetInterval { interval }) => return Reaction::Pace(interval.get()),
        Err(problem) if is_set_interval(text) => {
            let hint = r#"write {"type":"set_interval","interval":"5s"}"#;
            return reply(&error("bad_interval", &problem.to_string(), hint));
        }
        Err(_) => {}
    }
    let unknown = || {
        error(
            "unknown_message",
            "this feed does not understand the message",
            r#"the feed sends by itself; {"type":"set_interval","interval":"5s"} makes it slower"#,
        )
    };
    reply(&own.and_then(|own| own(text)).unwrap_or_else(unknown))
}

fn is_set_interval(text: &str) -> bool {
    serde_json::from_str::<Kind>(text).is_ok_and(|kind| kind.kind == "set_interval")
}

fn reply(text: &str) -> Reaction {
    Reaction::Reply(frame::build(Opcode::Text, text.as_bytes()))
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
        let own = |text: &str| (text == "hello").then(|| "world".to_owned());
        assert_eq!(reply_text(text("hello", Some(&own))), "world");
        assert!(reply_text(text("other", Some(&own))).contains("unknown_message"));
    }
}
