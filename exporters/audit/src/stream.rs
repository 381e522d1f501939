//! One log from its end to its beginning, over all its files, and the cursor that says where somebody was in it.

use std::{
    fs::{self, File},
    io::{self, Read},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant, UNIX_EPOCH},
};

use crate::{
    archives::{Archive, archives, open_file, unpacked},
    backward::{Backward, END, Step},
    event,
    forward::{self, Match, Matches, Most, Verdict},
    options::Log,
    position::{Identity, hash, identity, peek},
    query::{Filter, QueryError},
};

/// A log whose lines have been older than `since` by an hour for so long has nothing newer before them.
const SLACK_MS: i64 = 3_600_000;
const SLACK_BYTES: u64 = 1 << 20;
/// So many bytes of wanted records are kept of a packed file while it is read.
const LONGEST_MATCHES: usize = 8 << 20;
/// How much of a file's beginning names it in a cursor.
const BEGINNING: usize = 256;
const BEGINNING_WITHOUT_LINE: usize = 40;
/// How much before a place names it.
const MARK: usize = 64;
/// So many of the newest files are opened at once: they may be renamed or packed while a page is read.
const OPENED: usize = 3;
/// While files are rotated, one may have no name for a moment.
const ATTEMPTS: u32 = 5;
const RETRY_AFTER: Duration = Duration::from_millis(20);
/// A packed file that takes longer than this is left out of what is searched.
const LONGEST_PASS: Duration = Duration::from_millis(1500);

/// An event that is wanted.
pub(crate) struct Found {
    pub(crate) record: Vec<u8>,
    pub(crate) offset: u64,
    pub(crate) archive: Archive,
    pub(crate) sort_time: i64,
    cursor: Place,
}

/// Where to go on.
#[derive(Clone)]
struct Place {
    offset: u64,
    /// What stands before it.
    before: Vec<u8>,
}

/// A file of the log, as it was when the page was begun.
struct Listed {
    archive: Archive,
    identity: Option<Identity>,
    size: u64,
    file: Option<File>,
}

/// One log, from its end to its beginning.
pub(crate) struct Stream<'a> {
    pub(crate) log: &'a Log,
    gone: &'a AtomicBool,
    /// The files that are left, the oldest first; the last one is the one that is read.
    files: Vec<Listed>,
    backward: Option<Backward>,
    /// What the packed file gave that is read.
    matches: Option<Matches>,
    /// Where to begin in the first file.
    from: u64,
    pub(crate) found: Option<Found>,
    pub(crate) exhausted: bool,
    /// Records without a time are sorted beside their neighbours.
    last_time: i64,
    /// For how many bytes all records have been too old.
    too_old: u64,
    pub(crate) skipped: u64,
    pub(crate) read: u64,
    pub(crate) problems: Vec<String>,
}

impl<'a> Stream<'a> {
    /// From its end, or from where an earlier page ended.
    pub(crate) fn new(log: &'a Log, gone: &'a AtomicBool, cursor: Option<&str>) -> Result<Self, QueryError> {
        let mut stream = Self {
            log,
            gone,
            files: list(log),
            backward: None,
            matches: None,
            from: END,
            found: None,
            exhausted: false,
            last_time: i64::MAX,
            too_old: 0,
            skipped: 0,
            read: 0,
            problems: Vec::new(),
        };
        let Some(cursor) = cursor else { return Ok(stream) };
        for attempt in 1.. {
            match stream.go_to(cursor) {
                Err(QueryError::CursorGone) if attempt < ATTEMPTS && !gone.load(Ordering::Relaxed) => {
                    thread::sleep(RETRY_AFTER);
                    stream.files = list(log);
                }
                result => {
                    result?;
                    break;
                }
            }
        }
        Ok(stream)
    }

    /// Looks for the next event that is wanted.
    pub(crate) fn advance(&mut self, filter: &Filter<'_>, deadline: Instant) {
        let mut steps = 0_u32;
        while !self.exhausted {
            if self.matches.is_some() {
                if self.next_match() {
                    return;
                }
                continue;
            }
            let Some(backward) = &mut self.backward else {
                if !self.open(filter, deadline) {
                    return;
                }
                continue;
            };
            let Some(archive) = self.files.last().map(|listed| &listed.archive) else { return };
            let cursor = backward.offset();
            // A look at the clock costs as much as a short line; one at what was loaded does not.
            steps += 1;
            let mut look = steps.is_multiple_of(64);
            match backward.next() {
                Ok(Step::Record(offset, record)) => match filter.wants(record, self.log) {
                    Ok((wanted, time)) => {
                        self.last_time = time.unwrap_or(self.last_time);
                        if wanted {
                            let record = record.to_vec();
                            let before = backward.before(cursor, MARK).unwrap_or_default();
                            let cursor = Place { offset: cursor, before };
                            let (archive, sort_time) = (archive.clone(), self.last_time);
                            self.found = Some(Found { record, offset, archive, sort_time, cursor });
                            self.too_old = 0;
                            return;
                        }
                        self.exhausted = too_old(&mut self.too_old, filter, record, time);
                    }
                    Err(_) => self.skipped += 1,
                },
                Ok(Step::More) => look = true,
                Ok(Step::End) => self.next_file(),
                Err(error) => {
                    self.problems.push(format!("{}: {error}", archive.path.display()));
                    self.next_file();
                }
            }
            if look && (Instant::now() >= deadline || self.gone.load(Ordering::Relaxed)) {
                return;
            }
        }
    }

    /// Begins the next file. False when there was no time for it.
    fn open(&mut self, filter: &Filter<'_>, deadline: Instant) -> bool {
        let Some(listed) = self.files.last_mut() else {
            self.exhausted = true;
            return true;
        };
        let file = match listed.file.take().map_or_else(|| open_listed(self.log, listed), Ok) {
            Ok(file) => file,
            Err(error) => {
                // The live file may not be there yet; an archive that was deleted meanwhile is one less.
                if error.kind() != io::ErrorKind::NotFound {
                    self.problems.push(format!("{}: {error}", listed.archive.path.display()));
                }
                self.next_file();
                return true;
            }
        };
        if self.last_time == i64::MAX {
            // A log without times is as new as its file.
            let modified = file.metadata().and_then(|metadata| metadata.modified());
            let since = modified.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            self.last_time = since.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(i64::MAX);
        }
        if listed.archive.packed {
            return self.search(&file, filter, deadline);
        }
        if peek(&file, 0, 4).is_ok_and(|beginning| event::utf16(&beginning)) {
            let path = listed.archive.path.display();
            self.problems
                .push(format!("{path}: this is UTF-16, so no line of it can be read: let it be written as UTF-8"));
        }
        let from = std::mem::replace(&mut self.from, END);
        self.backward = Some(Backward::new(&listed.archive, file, self.log.framing, from));
        true
    }

    /// Finds what is wanted in a packed file. False when there was no time for it: another page has more.
    fn search(&mut self, file: &File, filter: &Filter<'_>, deadline: Instant) -> bool {
        let begun = Instant::now();
        let most = Most {
            matches: filter.request.limit.saturating_add(filter.request.offset).saturating_add(1),
            bytes: LONGEST_MATCHES,
            mark: MARK,
        };
        let stop = || Instant::now() >= deadline || self.gone.load(Ordering::Relaxed);
        let mut old = 0;
        let judge = |record: &[u8]| {
            let (wanted, time) = filter.wants(record, self.log)?;
            Ok(match (wanted, too_old(&mut old, filter, record, time)) {
                (_, true) => Verdict::TooOld,
                (true, false) => Verdict::Wanted(time),
                (false, false) => Verdict::Passed(time),
            })
        };
        let path = || self.files.last().map(|listed| listed.archive.path.display().to_string()).unwrap_or_default();
        match forward::search(file, self.log.framing, self.from, &most, stop, judge) {
            Ok(matches) if matches.stopped => {
                self.read += matches.read;
                if begun.elapsed() < LONGEST_PASS {
                    return false;
                }
                self.problems.push(format!("{}: it takes too long to unpack, so it was not searched", path()));
                self.next_file();
            }
            Ok(matches) => {
                self.read += matches.read;
                self.matches = Some(matches);
            }
            Err(error) => {
                self.problems.push(format!("{}: {error}", path()));
                self.next_file();
            }
        }
        true
    }

    /// The next of what a packed file gave; false when that was all.
    fn next_match(&mut self) -> bool {
        let (Some(matches), Some(listed)) = (&mut self.matches, self.files.last()) else { return false };
        if let Some(Match { offset, record, end, before, time, skipped }) = matches.found.pop_back() {
            self.skipped += skipped;
            self.last_time = time.unwrap_or(self.last_time);
            let cursor = Place { offset: end, before };
            let (archive, sort_time) = (listed.archive.clone(), self.last_time);
            self.found = Some(Found { record, offset, archive, sort_time, cursor });
            self.from = offset;
            return true;
        }
        if std::mem::take(&mut matches.more) {
            // It is read again, up to what was given last.
            self.matches = None;
        } else {
            self.skipped += matches.skipped;
            self.exhausted = matches.too_old;
            self.next_file();
        }
        false
    }

    fn next_file(&mut self) {
        self.close();
        (self.matches, self.from) = (None, END);
        self.files.pop();
    }

    pub(crate) fn close(&mut self) {
        if let Some(backward) = self.backward.take() {
            self.skipped += backward.too_long;
            self.read += backward.read;
        }
    }

    /// Which log, which file by its beginning, and where in it by what stands before: it holds when files are renamed and
    /// packed. Of files that are all the same it says the how many-eth from the oldest it is.
    pub(crate) fn cursor(&self) -> String {
        let log = self.log_mark();
        let Some((listed, older)) = self.files.split_last().filter(|_| !self.exhausted || self.found.is_some()) else {
            return format!("{log}.end.0.0.0");
        };
        let place = match (&self.found, &self.backward) {
            (Some(found), _) => found.cursor.clone(),
            (None, Some(backward)) if backward.offset() != END => {
                let offset = backward.offset();
                Place { offset, before: backward.before(offset, MARK).unwrap_or_default() }
            }
            // Nothing was read of it yet: it is known by its end.
            _ if !listed.archive.packed && self.from == END => {
                let before = self.open_again(listed).and_then(|file| {
                    let length = listed.size.min(MARK as u64);
                    peek(&file, listed.size - length, length as usize)
                });
                Place { offset: listed.size, before: before.unwrap_or_default() }
            }
            _ => Place { offset: self.from, before: Vec::new() },
        };
        let beginning = self.beginning(listed).unwrap_or_default();
        let Place { offset, before } = place;
        let length = before.len();
        let mark = if before.is_empty() { "0".to_owned() } else { hash(&before)[..12].to_owned() };
        let twins = older.iter().filter(|other| {
            self.beginning(other).is_some_and(|other| other == beginning)
                && self.stands_before(other, offset, length, &mark, false)
        });
        format!("{log}.{beginning}.{:x}.{length:x}-{mark}.{offset:x}", twins.count())
    }

    fn go_to(&mut self, cursor: &str) -> Result<(), QueryError> {
        let bad = || QueryError::BadCursor(cursor.chars().take(100).collect());
        let mark = self.log_mark();
        for part in cursor.split('_') {
            let words: Vec<&str> = part.split('.').collect();
            let [log, file, twin, before, offset] = words[..] else { return Err(bad()) };
            let offset = u64::from_str_radix(offset, 16).map_err(|_| bad())?;
            let twin = usize::from_str_radix(twin, 16).map_err(|_| bad())?;
            if log != mark {
                continue;
            }
            if file == "end" {
                self.exhausted = true;
                return Ok(());
            }
            let (length, before) = before.split_once('-').ok_or_else(bad)?;
            let length = usize::from_str_radix(length, 16).ok().filter(|length| *length <= MARK).ok_or_else(bad)?;
            let alike: Vec<usize> = (0..self.files.len())
                .filter(|&index| self.beginning(&self.files[index]).is_some_and(|beginning| beginning == file))
                .collect();
            let only = alike.len() == 1;
            let same: Vec<usize> = alike
                .into_iter()
                .filter(|&index| self.stands_before(&self.files[index], offset, length, before, only))
                .collect();
            let Some(&index) = same.get(twin.min(same.len().saturating_sub(1))) else {
                return Err(QueryError::CursorGone);
            };
            self.files.truncate(index + 1);
            self.from = offset;
        }
        Ok(())
    }

    /// Whether these bytes stand before this place. To unpack a file for that is only worth it where there are others.
    fn stands_before(&self, listed: &Listed, offset: u64, length: usize, before: &str, only: bool) -> bool {
        if length == 0 || (listed.archive.packed && only) {
            return true;
        }
        let Some(from) = offset.checked_sub(length as u64) else { return false };
        let read = || {
            let file = self.open_again(listed)?;
            if !listed.archive.packed {
                return peek(&file, from, length);
            }
            let mut unpacked = unpacked(&file)?;
            io::copy(&mut unpacked.by_ref().take(from), &mut io::sink())?;
            let mut bytes = Vec::new();
            unpacked.take(length as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().is_ok_and(|bytes| bytes.len() == length && hash(&bytes).starts_with(before))
    }

    fn open_again(&self, listed: &Listed) -> io::Result<File> {
        match &listed.file {
            Some(file) => file.try_clone(),
            None => open_listed(self.log, listed),
        }
    }

    /// A file's beginning as a short name: its first line's, where that is complete.
    fn beginning(&self, listed: &Listed) -> Option<String> {
        let file = self.open_again(listed).ok()?;
        let mut bytes = Vec::new();
        if listed.archive.packed {
            unpacked(&file).ok()?.take(BEGINNING as u64).read_to_end(&mut bytes).ok()?;
        } else {
            bytes = peek(&file, 0, BEGINNING).ok()?;
        }
        match memchr::memchr(b'\n', &bytes) {
            Some(end) => bytes.truncate(end),
            None if bytes.len() < BEGINNING => bytes.truncate(BEGINNING_WITHOUT_LINE),
            None => {}
        }
        (!bytes.is_empty()).then(|| hash(&bytes))
    }

    fn log_mark(&self) -> String {
        hash(self.log.path.as_os_str().as_encoded_bytes())[..8].to_owned()
    }
}

/// Whether records have been too old for so long that none before them is wanted.
fn too_old(bytes: &mut u64, filter: &Filter<'_>, record: &[u8], time: Option<i64>) -> bool {
    let old = filter.request.since.zip(time).is_some_and(|(since, time)| time < since - SLACK_MS);
    *bytes = if old { *bytes + record.len() as u64 } else { 0 };
    *bytes > SLACK_BYTES
}

/// The files of a log, the oldest first, at a moment when none was renamed.
fn list(log: &Log) -> Vec<Listed> {
    let look = || {
        let live = Archive { number: 0, path: log.path.clone(), packed: false };
        let files = std::iter::once(live).chain(archives(&log.path)).enumerate().map(|(index, archive)| {
            let file = (index < OPENED).then(|| open_file(&archive.path).ok()).flatten();
            let metadata = match &file {
                Some(file) => file.metadata(),
                None => fs::metadata(&archive.path),
            };
            let metadata = metadata.ok();
            let size = metadata.as_ref().map_or(0, fs::Metadata::len);
            Listed { archive, identity: metadata.as_ref().map(identity), size, file }
        });
        files.collect::<Vec<Listed>>()
    };
    let mut files = look();
    for _ in 1..ATTEMPTS {
        let again = look();
        let same = again.len() == files.len()
            && again.iter().zip(&files).all(|(one, other)| {
                one.archive == other.archive
                    && one.identity == other.identity
                    && one.file.is_some() == other.file.is_some()
            });
        files = again;
        if same {
            break;
        }
        thread::sleep(RETRY_AFTER / 10);
    }
    files.reverse();
    files
}

/// The file that was listed, also where it has another name by now.
fn open_listed(log: &Log, listed: &Listed) -> io::Result<File> {
    let is_it = |file: &File| file.metadata().is_ok_and(|now| Some(identity(&now)) == listed.identity);
    let file = open_file(&listed.archive.path);
    match file {
        Ok(file) if is_it(&file) || listed.identity.is_none() => Ok(file),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => {
            let others = archives(&log.path).into_iter().filter(|archive| archive.packed == listed.archive.packed);
            let found = others.filter_map(|archive| open_file(&archive.path).ok()).find(is_it);
            found.ok_or_else(|| io::ErrorKind::NotFound.into())
        }
    }
}
