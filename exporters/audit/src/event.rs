//! What a line means: kind, level, outcome, time and actor, by one table for all the writers there are.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    moment,
    options::Keys,
    scan::{self, Fault, Scalar, Text},
};

/// How severe an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

/// What became of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Outcome {
    Allowed,
    Denied,
    Pending,
    Limited,
    Ok,
    Failed,
    None,
}

impl Level {
    /// All levels, by their number.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warning, Self::Error];

    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The level that a log names, `warn` and `critical` among them.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        let known = [
            ("debug", Self::Debug),
            ("info", Self::Info),
            ("warn", Self::Warning),
            ("warning", Self::Warning),
            ("error", Self::Error),
            ("critical", Self::Error),
        ];
        known.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, level)| level)
    }
}

impl Outcome {
    /// All outcomes, by their number.
    pub const ALL: [Self; 7] =
        [Self::Allowed, Self::Denied, Self::Pending, Self::Limited, Self::Ok, Self::Failed, Self::None];

    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Pending => "pending",
            Self::Limited => "limited",
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::None => "none",
        }
    }

    /// The outcome of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word().eq_ignore_ascii_case(word))
    }
}

/// A record, judged.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) level: Level,
    pub(crate) outcome: Outcome,
    pub(crate) time: Option<Scalar<'a>>,
    /// Who did it, where a field says so.
    named: Option<Text<'a>>,
    /// The record that is signed, as it stands, and its signature.
    pub(crate) signed: Option<(&'a [u8], Text<'a>)>,
}

/// A kind's name, as it stands in the file unless it has escapes.
#[derive(Clone, Debug)]
pub(crate) struct Kind<'a>(Cow<'a, [u8]>);

impl<'a> Kind<'a> {
    fn read(text: Text<'a>) -> Self {
        Self(match text.raw.contains(&b'\\') {
            true => Cow::Owned(text.decode().into_owned().into_bytes()),
            false => Cow::Borrowed(text.raw),
        })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What is no text becomes U+FFFD.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

/// Why a line is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skipped {
    Blank,
    /// Torn, or never JSON.
    Unreadable,
    NotObject,
}

impl Event<'_> {
    /// Milliseconds since 1970; none when the line has no time that can be read.
    pub(crate) fn time(&self) -> Option<i64> {
        self.time.and_then(moment::milliseconds)
    }

    /// Who did it: as the line says, else as its kind tells.
    pub(crate) fn actor(&self) -> Option<Cow<'_, str>> {
        let kind = match self.named {
            Some(name) => return Some(name.decode()),
            None => self.kind.bytes(),
        };
        let writer = match kind {
            b"approval_requested"
            | b"approval_granted"
            | b"rate_limited"
            | b"command_executed"
            | b"tool_failure"
            | b"safe_mode_status" => "gateway",
            b"policy_decision" | b"safe_mode_transition" | b"capability_state" | b"tool_registry_loaded" | b"http" => {
                "api"
            }
            b"safety_check" | b"action" | b"violation" => "safety",
            b"retrieval_failure" => "retrieval",
            _ => return None,
        };
        Some(Cow::Borrowed(writer))
    }
}

/// Judges one line.
pub(crate) fn read<'a>(line: &'a [u8], keys: &'a Keys) -> Result<Event<'a>, Skipped> {
    let line = without_mark(line);
    match line.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(Skipped::Blank),
        Some(b'{') => {}
        // No field of it is asked for.
        Some(_) => return Err(skipped(scan::object(line, |_, _| {}).err())),
    }
    let own = keys.any();
    let mut fields = Fields::default();
    let end =
        scan::object(line, |name, value| fields.put(name, value, keys, own)).map_err(|fault| skipped(Some(fault)))?;
    if !line[end..].iter().all(u8::is_ascii_whitespace) {
        return Err(Skipped::Unreadable);
    }
    let mut signed = None;
    if let (Some(entry), Some(signature)) =
        (fields.entry.and_then(Scalar::object), fields.signature.and_then(Scalar::text))
    {
        signed = Some((entry, signature));
        fields = Fields::default();
        // The whole line was sound, so its part is.
        let _ = scan::object(entry, |name, value| fields.put(name, value, keys, own));
    }
    Ok(fields.judge(keys, own, signed))
}

fn skipped(fault: Option<Fault>) -> Skipped {
    match fault {
        Some(Fault::NotObject) => Skipped::NotObject,
        Some(Fault::Wrong | Fault::Unfinished) | None => Skipped::Unreadable,
    }
}

/// Without the byte order mark that editors and shells of Windows put first: into a file, and by appending one file to
/// another also elsewhere.
pub(crate) fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}

/// Whether text begins as UTF-16 does: with its mark, or with every other byte of its letters empty.
pub(crate) fn utf16(beginning: &[u8]) -> bool {
    matches!(beginning, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{', 0, _, 0, ..] | [0, b'{', 0, _, ..])
}

/// The fields that say something about an event.
#[derive(Default)]
struct Fields<'a> {
    time: Option<Scalar<'a>>,
    ts: Option<Scalar<'a>>,
    timestamp: Option<Scalar<'a>>,
    timestamp_ms: Option<Scalar<'a>>,
    own_kind: Option<Scalar<'a>>,
    event: Option<Scalar<'a>>,
    r#type: Option<Scalar<'a>>,
    action: Option<Scalar<'a>>,
    kind: Option<Scalar<'a>>,
    own_level: Option<Scalar<'a>>,
    level: Option<Scalar<'a>>,
    severity: Option<Scalar<'a>>,
    own_actor: Option<Scalar<'a>>,
    actor: Option<Scalar<'a>>,
    user: Option<Scalar<'a>>,
    source: Option<Scalar<'a>>,
    allowed: Option<Scalar<'a>>,
    success: Option<Scalar<'a>>,
    active: Option<Scalar<'a>>,
    risk_score: Option<Scalar<'a>>,
    status: Option<Scalar<'a>>,
    blocked: Option<Scalar<'a>>,
    violation: Option<Scalar<'a>>,
    entry: Option<Scalar<'a>>,
    signature: Option<Scalar<'a>>,
}

impl<'a> Fields<'a> {
    fn put(&mut self, name: Text<'_>, value: Scalar<'a>, keys: &Keys, own: bool) {
        if own {
            let is = |key: &Option<String>| key.as_ref().is_some_and(|key| name.is(key));
            for (key, place) in [
                (&keys.time, &mut self.time),
                (&keys.kind, &mut self.own_kind),
                (&keys.level, &mut self.own_level),
                (&keys.actor, &mut self.own_actor),
            ] {
                if is(key) {
                    *place = Some(value);
                }
            }
        }
        let place = match name.raw {
            b"ts" => &mut self.ts,
            b"timestamp" => &mut self.timestamp,
            b"timestamp_ms" => &mut self.timestamp_ms,
            b"event" => &mut self.event,
            b"type" => &mut self.r#type,
            b"action" => &mut self.action,
            b"kind" => &mut self.kind,
            b"level" => &mut self.level,
            b"severity" => &mut self.severity,
            b"actor" => &mut self.actor,
            b"user" => &mut self.user,
            b"source" => &mut self.source,
            b"allowed" => &mut self.allowed,
            b"success" => &mut self.success,
            b"active" => &mut self.active,
            b"risk_score" => &mut self.risk_score,
            b"status" => &mut self.status,
            b"blocked" => &mut self.blocked,
            b"violation" => &mut self.violation,
            b"entry" => &mut self.entry,
            b"sig" => &mut self.signature,
            // Nobody writes them so, but JSON may.
            raw if raw.contains(&b'\\') => {
                let name = name.decode();
                if !name.contains('\\') {
                    self.put(Text { raw: name.as_bytes() }, value, keys, false);
                }
                return;
            }
            _ => return,
        };
        *place = Some(value);
    }

    fn judge(&mut self, keys: &'a Keys, own: bool, signed: Option<(&'a [u8], Text<'a>)>) -> Event<'a> {
        let kind = self.kind(keys);
        if let Some(violation) = self.violation.and_then(Scalar::object) {
            let mut inner = Fields::default();
            let _ = scan::object(violation, |name, value| inner.put(name, value, keys, own));
            self.blocked = self.blocked.or(inner.blocked);
            self.severity = self.severity.or(inner.severity);
        }
        Event {
            level: self.level(kind.bytes()),
            outcome: self.outcome(kind.bytes()),
            kind,
            time: self.time.or(self.ts).or(self.timestamp).or(self.timestamp_ms),
            named: [self.own_actor, self.actor, self.user, self.source].into_iter().find_map(text),
            signed,
        }
    }

    fn kind(&self, keys: &'a Keys) -> Kind<'a> {
        let action = if self.event.is_none() && self.r#type.is_none() { self.action } else { None };
        let read = [self.own_kind, self.event, self.r#type, action, self.kind].into_iter().find_map(text);
        match read {
            Some(text) => Kind::read(text),
            None => Kind(Cow::Borrowed(keys.default_kind.as_deref().unwrap_or("unknown").as_bytes())),
        }
    }

    fn level(&self, kind: &[u8]) -> Level {
        let own = text(self.own_level).or(text(self.level));
        if let Some(level) = own.and_then(|word| Level::of(&word.decode())) {
            return level;
        }
        let says = |words: &[&str]| {
            [self.level, self.severity].into_iter().filter_map(text).any(|text| words.iter().any(|word| text.is(word)))
        };
        let (allowed, success) = (flag(self.allowed), flag(self.success));
        let number = |value: Option<Scalar<'_>>| value?.number()?.parse::<f64>().ok();
        match kind {
            b"violation" if flag(self.blocked) == Some(true) => Level::Error,
            _ if says(&["forbidden"]) => Level::Error,
            b"safety_check" if allowed == Some(false) && says(&["dangerous"]) => Level::Error,
            b"violation" | b"safety_check" if allowed == Some(false) || kind == b"violation" => Level::Warning,
            _ if says(&["caution", "restricted", "dangerous"]) => Level::Warning,
            b"policy_decision" if allowed == Some(false) => {
                if number(self.risk_score).is_some_and(|score| score >= 0.9) { Level::Error } else { Level::Warning }
            }
            b"command_executed" if success == Some(false) => Level::Error,
            b"tool_failure" | b"retrieval_failure" => Level::Error,
            b"http" => match number(self.status) {
                Some(status) if status >= 500.0 => Level::Error,
                Some(status) if status >= 400.0 => Level::Warning,
                _ => Level::Info,
            },
            b"rate_limited" | b"approval_requested" => Level::Warning,
            b"safe_mode_transition" | b"safe_mode_status" if flag(self.active) == Some(false) => Level::Warning,
            _ => Level::Info,
        }
    }

    fn outcome(&self, kind: &[u8]) -> Outcome {
        match kind {
            b"approval_requested" => Outcome::Pending,
            b"approval_granted" => Outcome::Allowed,
            b"rate_limited" => Outcome::Limited,
            b"tool_failure" | b"retrieval_failure" => Outcome::Failed,
            _ => match (flag(self.allowed), flag(self.success)) {
                (Some(true), _) => Outcome::Allowed,
                (Some(false), _) => Outcome::Denied,
                (_, Some(true)) => Outcome::Ok,
                (_, Some(false)) => Outcome::Failed,
                _ => Outcome::None,
            },
        }
    }
}

fn text(value: Option<Scalar<'_>>) -> Option<Text<'_>> {
    value?.text().filter(|text| !text.raw.is_empty())
}

fn flag(value: Option<Scalar<'_>>) -> Option<bool> {
    value?.flag()
}

#[cfg(test)]
mod tests;
