//! Events by page, the newest first, from live files and archives, for a person who looks.
//!
//! A page reads files of its own from their ends; it knows nothing of what is followed and counted, and disturbs
//! none of it. How much one page may read is limited: a page that stops there says so, and where to go on.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    event::{self, Level, Outcome},
    moment::{milliseconds, rfc3339},
    options::Log,
    sign::Key,
    stream::{Found, Stream},
    summary::summary,
    text::Needle,
};

/// So long may a page look for events.
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// So many bytes of records a page may hold.
const LONGEST_PAGE: usize = 8 << 20;

/// Which events are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// At most so many.
    pub limit: usize,
    /// So many newer ones are left out.
    pub offset: usize,
    /// Where an earlier page ended: its `next`.
    pub cursor: Option<String>,
    /// Only this log.
    pub log: Option<String>,
    /// Only this level.
    pub level: Option<Level>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only this actor.
    pub actor: Option<String>,
    /// Only this outcome.
    pub outcome: Option<Outcome>,
    /// Not before, in milliseconds since 1970.
    pub since: Option<i64>,
    /// Not after, in milliseconds since 1970.
    pub until: Option<i64>,
    /// Only lines that hold this, in whatever case.
    pub text: Option<String>,
}

/// Some events, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Page {
    /// The newest first.
    pub events: Vec<AuditEvent>,
    /// The `cursor` of the page with older ones; none when there are none.
    pub next: Option<String>,
    /// Lines passed over that were blank, torn, no JSON objects, or longer than 1 MiB.
    pub skipped: u64,
    /// False when the page ends early because it took too long: `next` goes on.
    pub complete: bool,
    /// How much was read for it.
    pub bytes_read: u64,
    /// Files that could not be read, and why.
    pub problems: Vec<String>,
}

/// An event of an audit log: a line, judged by one table for all the programs that write such logs.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AuditEvent {
    /// When it happened, by its own line, RFC 3339 in UTC; `null` when the line does not say.
    pub time: Option<String>,
    /// Whether the line has no time that can be read.
    pub time_missing: bool,
    /// What happened: what the line calls it, else what its log holds.
    pub kind: String,
    /// How severe it is.
    pub level: Level,
    /// Who did it; `null` when neither the line nor its kind says.
    pub actor: Option<String>,
    /// What became of what was asked for; `none` when nothing was.
    pub outcome: Outcome,
    /// One line for people, made from the fields.
    pub summary: String,
    /// All fields that are not told elsewhere here, as the log has them.
    pub details: Map<String, Value>,
    /// Of a signed record: `valid`, `invalid`, or `not_checked` when there is no key
    /// (`sources.audit.signing_key_file`). Absent on others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<&'static str>,
    /// Where its line stands.
    pub source: Place,
}

/// Where a line of an audit log stands.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "AuditPlace")]
pub struct Place {
    /// Name of the log.
    pub log: String,
    /// Path of the file.
    pub file: String,
    /// Where the line starts in the file, in bytes of what it holds unpacked.
    pub offset: u64,
    /// Number of the archive; 0 is the live file.
    pub archive: u32,
}

/// What cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The cursor is none of ours.
    #[error("{0:?} is no cursor: use the `next` of an earlier answer")]
    BadCursor(String),
    /// Its file is gone.
    #[error("the file that the cursor points into is gone: begin again without a cursor")]
    CursorGone,
    /// There is no such log.
    #[error("no log is named {name:?}; there are: {}", known.join(", "))]
    UnknownLog {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
}

/// Answers one page. Blocks for up to two seconds, and no longer than somebody waits for it: it ends soon after `gone`
/// is set.
///
/// # Errors
/// The request cannot be answered.
pub fn page(logs: &[Log], key: Option<&KeyRing>, request: &Request, gone: &AtomicBool) -> Result<Page, QueryError> {
    newest(logs, key, request, LONGEST_PAGE, Instant::now() + TIME_LIMIT, gone).map(|(page, _)| page)
}

/// The key that signatures are checked with.
pub struct KeyRing(pub(crate) Key);

impl KeyRing {
    /// The key in this file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &std::path::Path) -> io::Result<Self> {
        Key::read(path).map(Self)
    }
}

/// What an event is sorted by, and how long its record is.
pub(crate) type Weight = (i64, usize);

/// A page, and the weight of each of its events.
pub(crate) fn newest(
    logs: &[Log],
    key: Option<&KeyRing>,
    request: &Request,
    longest: usize,
    deadline: Instant,
    gone: &AtomicBool,
) -> Result<(Page, Vec<Weight>), QueryError> {
    let wanted: Vec<&Log> =
        logs.iter().filter(|log| request.log.as_ref().is_none_or(|name| *name == log.name)).collect();
    if let (Some(name), true) = (&request.log, wanted.is_empty()) {
        let known = logs.iter().map(|log| log.name.clone()).collect();
        return Err(QueryError::UnknownLog { name: name.clone(), known });
    }
    let filter = Filter { request, needle: request.text.as_deref().map(Needle::new) };
    let mut streams = Vec::new();
    for log in wanted {
        let mut stream = Stream::new(log, gone, request.cursor.as_deref())?;
        stream.advance(&filter, deadline);
        streams.push(stream);
    }
    let mut page = Page { complete: true, ..Page::default() };
    let mut weights = Vec::new();
    let (mut left_out, mut size) = (0, 0);
    while page.events.len() < request.limit && size < longest {
        let newest = streams
            .iter_mut()
            .filter(|stream| stream.found.is_some())
            .max_by_key(|stream| stream.found.as_ref().map(|found| found.sort_time));
        let Some(stream) = newest else { break };
        if let Some(found) = stream.found.take() {
            if left_out < request.offset {
                left_out += 1;
            } else {
                size += found.record.len();
                if let Some(event) = found.event(stream.log, key) {
                    weights.push((found.sort_time, found.record.len()));
                    page.events.push(event);
                }
            }
        }
        if gone.load(Ordering::Relaxed) {
            break;
        }
        stream.advance(&filter, deadline);
    }
    let done = streams.iter().all(|stream| stream.found.is_none() && stream.exhausted);
    page.complete = !streams.iter().any(|stream| stream.found.is_none() && !stream.exhausted);
    page.next = (!done).then(|| streams.iter().map(Stream::cursor).collect::<Vec<_>>().join("_"));
    for mut stream in streams {
        stream.close();
        page.skipped += stream.skipped;
        page.bytes_read += stream.read;
        page.problems.extend(stream.problems);
    }
    Ok((page, weights))
}

pub(crate) struct Filter<'a> {
    pub(crate) request: &'a Request,
    needle: Option<Needle>,
}

impl Filter<'_> {
    /// Whether the record is wanted, and its time. `Err` when it is no event at all.
    pub(crate) fn wants(&self, record: &[u8], log: &Log) -> Result<(bool, Option<i64>), event::Skipped> {
        let event = event::read(record, &log.keys)?;
        let time = event.time();
        let Request { level, kind, actor, outcome, since, until, .. } = self.request;
        let wanted = level.is_none_or(|level| level == event.level)
            && outcome.is_none_or(|outcome| outcome == event.outcome)
            && kind.as_ref().is_none_or(|kind| event.kind.name() == *kind)
            && actor.as_ref().is_none_or(|actor| event.actor().is_some_and(|found| found == *actor))
            && since.is_none_or(|since| time.is_some_and(|time| time >= since))
            && until.is_none_or(|until| time.is_some_and(|time| time <= until))
            && self.needle.as_ref().is_none_or(|needle| needle.is_in(record));
        Ok((wanted, time))
    }
}

impl Found {
    fn event(&self, log: &Log, key: Option<&KeyRing>) -> Option<AuditEvent> {
        let event = event::read(&self.record, &log.keys).ok()?;
        let mut fields = fields(event.signed.map_or(&self.record, |(entry, _)| entry));
        let kind = event.kind.name().into_owned();
        let time = event.time.and_then(milliseconds).and_then(rfc3339);
        let summary = summary(&kind, &fields);
        let keys = &log.keys;
        let times = [keys.time.as_deref(), Some("ts"), Some("timestamp"), Some("timestamp_ms")];
        if time.is_some()
            && let Some(name) = times.into_iter().flatten().find(|name| fields.contains_key(*name))
        {
            fields.remove(name);
        }
        let kinds = [keys.kind.as_deref(), Some("event"), Some("type"), Some("action"), Some("kind")];
        if let Some(name) = kinds.into_iter().flatten().find(|name| fields.get(*name).is_some_and(|v| *v == *kind)) {
            fields.remove(name);
        }
        Some(AuditEvent {
            time_missing: time.is_none(),
            time,
            kind,
            level: event.level,
            actor: event.actor().map(std::borrow::Cow::into_owned),
            outcome: event.outcome,
            summary,
            details: fields,
            signature: event.signed.map(|(entry, sig)| Key::check(key.map(|ring| &ring.0), entry, sig).word()),
            source: Place {
                log: log.name.clone(),
                file: self.archive.path.display().to_string(),
                offset: self.offset,
                archive: self.archive.number,
            },
        })
    }
}

/// The fields of a record that the scan has called sound. What no JSON text can hold (lone surrogates, bytes that are
/// no UTF-8) is replaced first.
fn fields(record: &[u8]) -> Map<String, Value> {
    let text = String::from_utf8_lossy(event::without_mark(record));
    if let Ok(fields) = serde_json::from_str(&text) {
        return fields;
    }
    match serde_json::from_str(&crate::text::without_lone_surrogates(&text)) {
        Ok(fields) => fields,
        // A number that no float holds: the line is shown as it is.
        Err(_) => Map::from_iter([("line".to_owned(), Value::from(text.into_owned()))]),
    }
}
