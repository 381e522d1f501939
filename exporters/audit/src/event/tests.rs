//! What the scan makes of a line is what somebody finds who parses all of it and looks fields up by their names.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// The result of judging a line.
#[derive(Debug, PartialEq)]
struct Judged {
    kind: String,
    level: &'static str,
    outcome: &'static str,
    time: Option<i64>,
    actor: Option<String>,
}

fn quick(line: &[u8], keys: &Keys) -> Result<Judged, Skipped> {
    let event = read(line, keys)?;
    Ok(Judged {
        kind: event.kind.name().into_owned(),
        level: event.level.word(),
        outcome: event.outcome.word(),
        time: event.time(),
        actor: event.actor().map(Cow::into_owned),
    })
}

/// The table again, from parsed JSON.
fn thorough(line: &str, keys: &Keys) -> Result<Judged, Skipped> {
    if line.trim().is_empty() {
        return Err(Skipped::Blank);
    }
    let mut values = serde_json::Deserializer::from_str(line).into_iter::<Value>();
    let fields = match values.next() {
        Some(Ok(Value::Object(fields))) => fields,
        Some(Ok(_)) => return Err(Skipped::NotObject),
        _ => return Err(Skipped::Unreadable),
    };
    if !line[values.byte_offset()..].trim().is_empty() {
        return Err(Skipped::Unreadable);
    }
    match (fields.get("entry"), fields.get("sig")) {
        (Some(Value::Object(entry)), Some(Value::String(_))) => Ok(judge(entry, keys)),
        _ => Ok(judge(&fields, keys)),
    }
}

fn judge(fields: &Map<String, Value>, keys: &Keys) -> Judged {
    let own = |key: &Option<String>| key.as_deref().and_then(|key| fields.get(key));
    let word = |value: Option<&Value>| value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let flag = |key: &str| fields.get(key).and_then(Value::as_bool);
    let number = |key: &str| fields.get(key).and_then(Value::as_f64);
    let action = fields.get("action").filter(|_| !fields.contains_key("event") && !fields.contains_key("type"));
    let kinds = [own(&keys.kind), fields.get("event"), fields.get("type"), action, fields.get("kind")];
    let kind = kinds.into_iter().find_map(word);
    let kind = kind.unwrap_or_else(|| keys.default_kind.clone().unwrap_or_else(|| "unknown".to_owned()));

    let violation = fields.get("violation").and_then(Value::as_object);
    let inner = |key: &str| fields.get(key).or_else(|| violation?.get(key));
    let blocked = inner("blocked").and_then(Value::as_bool) == Some(true);
    let safety = [word(fields.get("level")), word(inner("severity"))];
    let says = |words: &[&str]| safety.iter().flatten().any(|word| words.contains(&word.as_str()));
    let (allowed, success) = (flag("allowed"), flag("success"));
    let named = word(own(&keys.level)).or_else(|| word(fields.get("level"))).map(|word| word.to_ascii_lowercase());
    let level =
        match (named.as_deref(), kind.as_str()) {
            (Some("debug"), _) => "debug",
            (Some("info"), _) => "info",
            (Some("warn" | "warning"), _) => "warning",
            (Some("error" | "critical"), _) => "error",
            (_, "violation") if blocked => "error",
            _ if says(&["forbidden"]) => "error",
            (_, "safety_check") if allowed == Some(false) => {
                if says(&["dangerous"]) {
                    "error"
                } else {
                    "warning"
                }
            }
            (_, "violation") => "warning",
            _ if says(&["caution", "restricted", "dangerous"]) => "warning",
            (_, "policy_decision") if allowed == Some(false) => {
                if number("risk_score").is_some_and(|score| score >= 0.9) { "error" } else { "warning" }
            }
            (_, "command_executed") if success == Some(false) => "error",
            (_, "tool_failure" | "retrieval_failure") => "error",
            (_, "http") => match number("status") {
                Some(status) if status >= 500.0 => "error",
                Some(status) if status >= 400.0 => "warning",
                _ => "info",
            },
            (_, "rate_limited" | "approval_requested") => "warning",
            (_, "safe_mode_transition" | "safe_mode_status") if flag("active") == Some(false) => "warning",
            _ => "info",
        };
    let outcome = match (kind.as_str(), allowed, success) {
        ("approval_requested", ..) => "pending",
        ("approval_granted", ..) => "allowed",
        ("rate_limited", ..) => "limited",
        ("tool_failure" | "retrieval_failure", ..) => "failed",
        (_, Some(true), _) => "allowed",
        (_, Some(false), _) => "denied",
        (_, _, Some(true)) => "ok",
        (_, _, Some(false)) => "failed",
        _ => "none",
    };
    let times = [own(&keys.time), fields.get("ts"), fields.get("timestamp"), fields.get("timestamp_ms")];
    let time = match times.into_iter().flatten().next() {
        Some(Value::Number(number)) => number.as_f64().map(|number| match number {
            _ if number > 1e14 => (number / 1e3).round() as i64,
            _ if number > 1e11 => number.round() as i64,
            _ => (number * 1e3).round() as i64,
        }),
        Some(Value::String(text)) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
        _ => None,
    };
    let actors = [own(&keys.actor), fields.get("actor"), fields.get("user"), fields.get("source")];
    let writer = match kind.as_str() {
        "approval_requested" | "approval_granted" | "rate_limited" | "command_executed" | "tool_failure" => "gateway",
        "safe_mode_status" => "gateway",
        "policy_decision" | "safe_mode_transition" | "capability_state" | "tool_registry_loaded" | "http" => "api",
        "safety_check" | "action" | "violation" => "safety",
        "retrieval_failure" => "retrieval",
        _ => "",
    };
    let actor = actors.into_iter().find_map(word).or_else(|| (!writer.is_empty()).then(|| writer.to_owned()));
    Judged { kind, level, outcome, time, actor }
}

const NAMES: [&str; 24] = [
    "ts",
    "timestamp",
    "timestamp_ms",
    "event",
    "type",
    "action",
    "kind",
    "level",
    "severity",
    "actor",
    "user",
    "source",
    "allowed",
    "success",
    "active",
    "risk_score",
    "status",
    "blocked",
    "violation",
    "entry",
    "sig",
    "when",
    "what",
    "x",
];

const WORDS: [&str; 30] = [
    "approval_requested",
    "approval_granted",
    "rate_limited",
    "command_executed",
    "tool_failure",
    "safe_mode_status",
    "policy_decision",
    "safe_mode_transition",
    "capability_state",
    "http",
    "safety_check",
    "action",
    "violation",
    "retrieval_failure",
    "warn",
    "WARNING",
    "Critical",
    "error",
    "debug",
    "info",
    "forbidden",
    "dangerous",
    "caution",
    "restricted",
    "safe",
    "",
    "2025-12-15T12:00:07.250Z",
    "2025-12-15T14:00:07+02:00",
    "no time",
    "µ <b>\u{1}\"\\",
];

/// A text as JSON may write it: letters as they are, or any of them as an escape.
fn quoted(text: &str, escaped: u8) -> String {
    let mut out = String::from('"');
    for (at, letter) in text.chars().enumerate() {
        let must = letter < ' ' || matches!(letter, '"' | '\\');
        if must || (escaped > 0 && at % usize::from(escaped) == 0) {
            out += &format!("\\u{:04x}", u32::from(letter));
        } else {
            out.push(letter);
        }
    }
    out + "\""
}

/// Mostly nothing is escaped, as in real logs.
fn text(from: &'static [&'static str]) -> impl Strategy<Value = String> {
    let escaped = prop_oneof![6 => Just(0), 1 => 1..4u8];
    (prop::sample::select(from), escaped).prop_map(|(text, escaped)| quoted(text, escaped))
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => text(&WORDS),
        3 => prop::sample::select(vec!["true", "false", "null"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["0.89", "0.9", "9e-1", "399", "404.5", "5e2", "503", "-7", "0"]).prop_map(str::to_owned),
        1 => (0..2_000_000_000u64, 0..1000u64).prop_map(|(whole, thousandths)| format!("{whole}.{thousandths:03}")),
        1 => (1_000_000_000_000..2_000_000_000_000u64).prop_map(|milliseconds| milliseconds.to_string()),
        1 => (1_000_000_000_000..2_000_000_000_000u64).prop_map(|milliseconds| format!("{milliseconds}000")),
    ]
}

fn object() -> impl Strategy<Value = String> {
    let wrap = |pairs: Vec<(String, String)>| {
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        format!("{{{}}}", pairs.join(", "))
    };
    let fields = |value: BoxedStrategy<String>| prop::collection::vec((text(&NAMES), value), 0..8).prop_map(wrap);
    let nested = scalar().boxed().prop_recursive(3, 24, 6, move |inner| {
        let fields = prop::collection::vec((text(&NAMES), inner.clone()), 0..8).prop_map(wrap);
        prop_oneof![fields, prop::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(",")))]
    });
    prop_oneof![
        8 => fields(nested.clone().boxed()),
        // As signed logs have it.
        1 => (fields(nested.boxed()), "[0-9a-f]{4}").prop_map(|(entry, sig)| format!(r#"{{"entry": {entry}, "sig": "{sig}"}}"#)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn a_line_is_judged_as_if_it_were_parsed(
        line in object(),
        torn in prop::option::weighted(0.1, any::<prop::sample::Index>()),
        behind in prop_oneof![8 => Just(""), 1 => Just(" \r"), 1 => Just("{}")],
        own in prop::option::weighted(0.2, Just(())),
    ) {
        let mut line = line + behind;
        if let Some(torn) = torn {
            let at = torn.index(line.len() + 1);
            line.truncate((0..=at).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0));
        }
        let name = |name: &str| own.map(|()| name.to_owned());
        let keys = Keys { time: name("when"), kind: name("what"), level: name("x"), actor: name("x"), default_kind: name("given") };
        prop_assert_eq!(quick(line.as_bytes(), &keys), thorough(&line, &keys), "{}", line);
    }
}

#[test]
fn what_is_no_event_is_told_apart() {
    let keys = Keys::default();
    for line in ["", "  \r", "7", "[1] x", "\"a\"", "{\"a\"", "{} {}", "{\"ts\": 1}x", "nul", "null"] {
        assert_eq!(quick(line.as_bytes(), &keys), thorough(line, &keys), "{line:?}");
    }
    let lone = json!({"type": "http", "status": 500}).to_string().replace("http", r"h\ud800p");
    assert_eq!(quick(lone.as_bytes(), &keys).unwrap().kind, "h\u{fffd}p");
    assert_eq!(quick(b"{\"type\": \"a\xffb\"}", &keys).unwrap().kind, "a\u{fffd}b");
}
