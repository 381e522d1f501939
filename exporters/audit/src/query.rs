//! Events by page, the newest first, from live files and archives, for a person who looks.
//!
//! A page reads files of its own from their ends; it knows nothing of what is followed and counted, and disturbs
//! none of it. How much one page may read is limited: a page that stops there says so, and where to go on.

use std::{
    fs::File,
    io::{self, Read},
    time::{Duration, Instant, UNIX_EPOCH},
};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    archives::{Archive, archives, hash},
    backward::{Backward, END},
    event::{self, Level, Outcome},
    moment::{milliseconds, rfc3339},
    options::Log,
    sign::Key,
    summary::summary,
    text::Needle,
};

/// So long may a page look for events.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many bytes of records a page may hold.
const LONGEST_PAGE: usize = 8 << 20;
/// A log whose lines have been older than `since` by an hour for so long has nothing newer before them.
const SLACK_MS: i64 = 3_600_000;
const SLACK_BYTES: u64 = 1 << 20;
/// How much of a file's beginning names it in a cursor.
const BEGINNING: usize = 256;
const BEGINNING_WITHOUT_LINE: usize = 40;

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

/// An event as people want it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AuditEvent {
    /// When it happened, RFC 3339; `null` when the line does not say.
    pub time: Option<String>,
    /// The line has no time that can be read.
    pub time_missing: bool,
    /// What happened.
    pub kind: String,
    /// How severe it is.
    pub level: Level,
    /// Who did it; `null` when neither the line nor its kind says.
    pub actor: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// One line, made from the fields.
    pub summary: String,
    /// All other fields as the log has them.
    pub details: Map<String, Value>,
    /// Of a signed record: `valid`, `invalid` or `not_checked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<&'static str>,
    /// Where it stands.
    pub source: Place,
}

/// Where an event stands.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Place {
    /// The log's name.
    pub log: String,
    /// The file.
    pub file: String,
    /// Where its line starts there, unpacked.
    pub offset: u64,
    /// The archive's number; 0 is the live file.
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
    #[error("no log is named {name:?}; there are: {known}")]
    UnknownLog {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

/// Answers one page. Blocks for up to two seconds.
///
/// # Errors
/// The request cannot be answered.
pub fn page(logs: &[Log], key: Option<&KeyRing>, request: &Request) -> Result<Page, QueryError> {
    page_within(logs, key, request, LONGEST_PAGE, Instant::now() + PATIENCE)
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

pub(crate) fn page_within(
    logs: &[Log],
    key: Option<&KeyRing>,
    request: &Request,
    longest: usize,
    deadline: Instant,
) -> Result<Page, QueryError> {
    let logs: Vec<&Log> = logs.iter().filter(|log| request.log.as_ref().is_none_or(|name| *name == log.name)).collect();
    if let (Some(name), true) = (&request.log, logs.is_empty()) {
        return Err(QueryError::UnknownLog { name: name.clone(), known: "see the logs in /api/governance".to_owned() });
    }
    let filter = Filter { request, needle: request.text.as_deref().map(Needle::new) };
    let mut streams = Vec::new();
    for log in logs {
        let mut stream = Stream::new(log);
        if let Some(cursor) = &request.cursor {
            stream.go_to(cursor)?;
        }
        stream.advance(&filter, deadline);
        streams.push(stream);
    }
    let mut page = Page { complete: true, ..Page::default() };
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
                page.events.extend(found.event(stream.log, key));
            }
        }
        stream.advance(&filter, deadline);
    }
    let done = streams.iter().all(|stream| stream.found.is_none() && stream.exhausted);
    page.complete = !streams.iter().any(|stream| stream.found.is_none() && !stream.exhausted);
    page.next = (!done).then(|| streams.iter().map(Stream::cursor).collect::<Vec<_>>().join("_"));
    for stream in streams {
        page.skipped += stream.skipped + stream.backward.as_ref().map_or(0, |(_, backward)| backward.too_long);
        page.bytes_read += stream.read + stream.backward.as_ref().map_or(0, |(_, backward)| backward.read);
        page.problems.extend(stream.problems);
    }
    Ok(page)
}

struct Filter<'a> {
    request: &'a Request,
    needle: Option<Needle>,
}

impl Filter<'_> {
    /// Whether the record is wanted, and its time. `Err` when it is no event at all.
    fn wants(&self, record: &[u8], log: &Log) -> Result<(bool, Option<i64>), event::Skipped> {
        let event = event::read(record, &log.keys)?;
        let time = event.time();
        let Request { level, kind, actor, outcome, since, until, .. } = self.request;
        let wanted = level.is_none_or(|level| level == event.level)
            && outcome.is_none_or(|outcome| outcome == event.outcome)
            && kind.as_ref().is_none_or(|kind| event.kind.decode() == *kind)
            && actor.as_ref().is_none_or(|actor| event.actor().is_some_and(|found| found == *actor))
            && since.is_none_or(|since| time.is_some_and(|time| time >= since))
            && until.is_none_or(|until| time.is_some_and(|time| time <= until))
            && self.needle.as_ref().is_none_or(|needle| needle.is_in(record));
        Ok((wanted, time))
    }
}

struct Found {
    record: Vec<u8>,
    offset: u64,
    end: u64,
    archive: Archive,
    sort_time: i64,
}

/// One log, from its end to its beginning.
struct Stream<'a> {
    log: &'a Log,
    /// The files that are left, the oldest first.
    files: Vec<Archive>,
    backward: Option<(Archive, Backward)>,
    /// Where to begin in the first file.
    from: u64,
    found: Option<Found>,
    exhausted: bool,
    /// Records without a time are sorted beside their neighbours.
    last_time: i64,
    /// For how many bytes all records have been too old.
    too_old: u64,
    skipped: u64,
    read: u64,
    problems: Vec<String>,
}

impl<'a> Stream<'a> {
    fn new(log: &'a Log) -> Self {
        let live = Archive { number: 0, path: log.path.clone(), packed: false };
        let mut files: Vec<Archive> = std::iter::once(live).chain(archives(&log.path)).collect();
        files.reverse();
        Self {
            log,
            files,
            backward: None,
            from: END,
            found: None,
            exhausted: false,
            last_time: i64::MAX,
            too_old: 0,
            skipped: 0,
            read: 0,
            problems: Vec::new(),
        }
    }

    /// Looks for the next event that is wanted.
    fn advance(&mut self, filter: &Filter<'_>, deadline: Instant) {
        let mut steps = 0_u32;
        while !self.exhausted {
            // A look at the clock costs as much as a short line.
            steps += 1;
            if steps.is_multiple_of(64) && Instant::now() >= deadline {
                return;
            }
            if self.backward.is_none() {
                self.open();
                continue;
            }
            let Some((archive, backward)) = &mut self.backward else { return };
            let end = backward.offset();
            match backward.next() {
                Ok(Some((offset, record))) => match filter.wants(record, self.log) {
                    Ok((wanted, time)) => {
                        self.last_time = time.unwrap_or(self.last_time);
                        if wanted {
                            let (record, archive, sort_time) = (record.to_vec(), archive.clone(), self.last_time);
                            self.found = Some(Found { record, offset, end, archive, sort_time });
                            self.too_old = 0;
                            return;
                        }
                        let old = filter.request.since.zip(time).is_some_and(|(since, time)| time < since - SLACK_MS);
                        self.too_old = if old { self.too_old + record.len() as u64 } else { 0 };
                        self.exhausted = self.too_old > SLACK_BYTES;
                    }
                    Err(_) => self.skipped += 1,
                },
                Ok(None) => self.close(),
                Err(error) => {
                    self.problems.push(format!("{}: {error}", archive.path.display()));
                    self.close();
                }
            }
        }
    }

    fn open(&mut self) {
        let Some(archive) = self.files.pop() else {
            self.exhausted = true;
            return;
        };
        let from = std::mem::replace(&mut self.from, END);
        if self.last_time == i64::MAX {
            // A log without times is as new as its file.
            let modified = std::fs::metadata(&archive.path).and_then(|metadata| metadata.modified());
            let since = modified.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            self.last_time = since.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(i64::MAX);
        }
        match Backward::new(archive.clone(), self.log.framing, from) {
            Ok(backward) => self.backward = Some((archive, backward)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.problems.push(format!("{}: {error}", archive.path.display())),
        }
    }

    fn close(&mut self) {
        if let Some((_, backward)) = self.backward.take() {
            self.skipped += backward.too_long;
            self.read += backward.read;
        }
    }

    /// Which log, which file by its beginning, and where in it: it holds when files are renamed and packed.
    fn cursor(&self) -> String {
        let log = self.log_mark();
        let place = match (&self.found, &self.backward) {
            (Some(found), _) => Some((&found.archive, found.end)),
            (None, Some((archive, backward))) => Some((archive, backward.offset())),
            (None, None) => None,
        };
        match place.or_else(|| self.files.last().map(|archive| (archive, END))) {
            Some((archive, offset)) if !self.exhausted || self.found.is_some() => {
                format!("{log}.{}.{offset:x}", beginning(archive).unwrap_or_default())
            }
            _ => format!("{log}.end.0"),
        }
    }

    fn go_to(&mut self, cursor: &str) -> Result<(), QueryError> {
        let bad = || QueryError::BadCursor(cursor.chars().take(100).collect());
        let mark = self.log_mark();
        for part in cursor.split('_') {
            let mut words = part.split('.');
            let (Some(log), Some(file), Some(offset), None) = (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(bad());
            };
            let offset = u64::from_str_radix(offset, 16).map_err(|_| bad())?;
            if log != mark {
                continue;
            }
            if file == "end" {
                self.exhausted = true;
                return Ok(());
            }
            let Some(index) = self.files.iter().rposition(|archive| beginning(archive).is_some_and(|id| id == file))
            else {
                return Err(QueryError::CursorGone);
            };
            self.files.truncate(index + 1);
            self.from = offset;
        }
        Ok(())
    }

    fn log_mark(&self) -> String {
        hash(self.log.path.as_os_str().as_encoded_bytes())[..8].to_owned()
    }
}

/// A file's beginning as a short name: its first line's, where that is complete.
fn beginning(archive: &Archive) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(&archive.path).ok()?;
    let read = if archive.packed {
        flate2::read::MultiGzDecoder::new(file).take(BEGINNING as u64).read_to_end(&mut bytes)
    } else {
        file.take(BEGINNING as u64).read_to_end(&mut bytes)
    };
    read.ok()?;
    match memchr::memchr(b'\n', &bytes) {
        Some(end) => bytes.truncate(end),
        None if bytes.len() < BEGINNING => bytes.truncate(BEGINNING_WITHOUT_LINE),
        None => {}
    }
    (!bytes.is_empty()).then(|| hash(&bytes))
}

impl Found {
    fn event(&self, log: &Log, key: Option<&KeyRing>) -> Option<AuditEvent> {
        let event = event::read(&self.record, &log.keys).ok()?;
        let mut fields = fields(event.signed.map_or(&self.record, |(entry, _)| entry));
        let kind = event.kind.decode().into_owned();
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
    let text = String::from_utf8_lossy(record);
    if let Ok(fields) = serde_json::from_str(&text) {
        return fields;
    }
    match serde_json::from_str(&crate::text::without_lone_surrogates(&text)) {
        Ok(fields) => fields,
        // A number that no float holds: the line is shown as it is.
        Err(_) => Map::from_iter([("line".to_owned(), Value::from(text.into_owned()))]),
    }
}
