//! One log, followed: through rotation by renaming, copying or replacing, through torn lines and restarts.
//!
//! Writers rotate behind our back. A live file may be renamed (our open descriptor still reads the rest of it, and
//! late writers may still append to it), copied and cut (the copy holds what we have not read), packed and deleted,
//! and while the agent is down all of this may happen several times. What was read last is known again by its
//! inode, or by a hash of its beginning and of the bytes before the reading position.
//!
//! Everything that must not be counted twice stands in [`LogState`], position and numbers together; who keeps that
//! in one piece loses nothing when the process is killed.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use crate::{
    archives::{Archive, Contents, HEAD, Head, Opened, Position, archives, beginning, open_all, open_file, peek},
    counts::Counts,
    frame::LONGEST,
    options::Log,
    records::{count, take},
    sign::Key,
};

const BLOCK: usize = 256 << 10;
/// A renamed file is looked at so many more times for late writers.
const PATIENCE: u32 = 3;
/// So many of the newest archives are looked at for what was missed: more rotations than that between two looks are
/// not expected.
const NEAR: usize = 32;
/// Beginnings of finished files that are remembered; more than `NEAR`, so that no archive is taken for a new one.
const REMEMBERED: usize = 64;
/// A packed file that cannot be read may still be being written, for so long.
const PACKING: Duration = Duration::from_secs(60);

/// What outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogState {
    /// Whether the log was ever looked at; archives that were there before are not counted.
    begun: bool,
    current: Option<Position>,
    /// The file that was renamed, for as long as late writers may append to it.
    previous: Option<Position>,
    /// How often `previous` was looked at without finding more.
    quiet: u32,
    /// Beginnings of files that are finished.
    seen: VecDeque<Head>,
    pub(crate) counts: Counts,
}

/// What to count by.
pub(crate) struct Rules {
    pub(crate) kinds: usize,
    pub(crate) spikes: BTreeMap<String, u64>,
    pub(crate) key: Option<Key>,
    /// Milliseconds since 1970 at the beginning of the look.
    pub(crate) now: i64,
}

/// A log that is followed.
pub(crate) struct Follower {
    pub(crate) log: Log,
    pub(crate) state: LogState,
    current: Option<File>,
    previous: Option<File>,
}

/// How a log stands after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// The size of the live file; none when there is none.
    pub(crate) size: Option<u64>,
    /// Bytes that were not counted yet, an unfinished line among them.
    pub(crate) unread: u64,
}

impl Follower {
    pub(crate) fn new(log: Log, state: LogState) -> Self {
        Self { log, state, current: None, previous: None }
    }

    /// Reads what is new, until the deadline.
    pub(crate) fn look(&mut self, rules: &Rules, buffer: &mut Vec<u8>, deadline: Instant) -> io::Result<Look> {
        if !self.state.begun {
            self.begin();
        }
        self.read_previous(rules, buffer)?;
        let live = open(&self.log)?;
        let there = live.is_some();
        if self.current.is_none()
            && let Some(position) = &mut self.state.current
            && let Some(file) = &live
        {
            // Just restarted, or the file was away: is this the file that was read before, or a copy of it?
            let mut contents = Contents::Plain(file.try_clone()?);
            let known = position.offset > 0 || position.is(&file.metadata()?);
            if known && file.metadata()?.len() >= position.offset && position.recognise(&mut contents)? {
                position.move_to(&file.metadata()?);
                self.current = Some(file.try_clone()?);
            }
        }
        if let Some(live) = live {
            let same = match (&self.state.current, &self.current) {
                (Some(position), Some(_)) => position.is(&live.metadata()?) && position.holds(&live)?,
                _ => false,
            };
            let ready =
                if same { self.catch_up(&live, rules, buffer)? } else { self.turn(live, rules, buffer, deadline)? };
            if !ready {
                return self.rest(there);
            }
        } else if let (Some(position), Some(file)) = (&self.state.current, &self.current)
            && (position.offset == 0 || !position.holds(file)?)
        {
            // Cut and then renamed, or nothing was counted of it yet, so that nothing tells whether it was cut: the
            // copy is looked for when there is a live file again. To read on now would hide that there may be one.
            return self.rest(there);
        }
        self.read_current(rules, buffer, deadline)?;
        self.rest(there)
    }

    /// What was there before us is history: it can be asked for, but it is not counted.
    fn begin(&mut self) {
        self.state.begun = true;
        for archive in archives(&self.log.path) {
            if let Ok(bytes) = beginning(&archive) {
                let mut position = Position::default();
                position.pass(&bytes);
                position.seal();
                self.remember(position.head());
            }
        }
    }

    fn remember(&mut self, head: Head) {
        if !self.state.seen.contains(&head) {
            self.state.seen.push_back(head);
            let excess = self.state.seen.len().saturating_sub(REMEMBERED);
            self.state.seen.drain(..excess);
        }
    }

    /// Of a file that was empty so far nothing tells whether it was filled, copied and cut meanwhile, but the copy.
    fn catch_up(&mut self, live: &File, rules: &Rules, buffer: &mut Vec<u8>) -> io::Result<bool> {
        let unread = self.state.current.as_ref().is_some_and(|position| position.offset == 0);
        if !unread || live.metadata()?.len() == 0 {
            return Ok(true);
        }
        // A copy that was made already, of a live file that was not cut yet, begins like it.
        let before = self.state.clone();
        let result = self.read_missed(live, &head(live)?, rules, buffer);
        Ok(self.succeeded(result, before))
    }

    /// Counts the archives that were never read.
    fn read_missed(&mut self, live: &File, but: &Head, rules: &Rules, buffer: &mut Vec<u8>) -> io::Result<()> {
        let missed = self.unseen(open_all(&self.log.path, live, NEAR)?, but);
        self.read_whole(&missed, rules, buffer)
    }

    /// After a failure everything is as it was before; the next look tries again.
    fn succeeded(&mut self, result: io::Result<()>, before: LogState) -> bool {
        let Err(error) = result else { return true };
        debug!(log = self.log.name, "rotation waits: {error}");
        self.state = before;
        self.previous = None;
        false
    }

    /// Another file has taken the live one's place, or the live one was cut: finishes what was before and begins
    /// anew. False when the time was too short or an archive is not complete yet; nothing has changed then.
    fn turn(&mut self, live: File, rules: &Rules, buffer: &mut Vec<u8>, deadline: Instant) -> io::Result<bool> {
        let before = self.state.clone();
        let Some(mut old) = self.state.current.clone() else {
            // What was written and rotated before we saw it live.
            let result = self.read_missed(&live, &Head::default(), rules, buffer);
            return self.conclude(result, before, live);
        };
        // Renamed while we hold it: the descriptor gives the rest, whatever became of the name.
        let held = match &self.current {
            Some(file) if old.holds(file)? => Some(file.try_clone()?),
            _ => None,
        };
        let empty = old.offset == 0;
        // One that was empty is read in one piece, when its copies were found: a part of it, kept at the deadline, would
        // hide from the next look that there may be copies.
        if held.is_some() && !empty {
            self.read_current(rules, buffer, deadline)?;
            if Instant::now() >= deadline {
                return Ok(false);
            }
            if let Some(position) = &self.state.current {
                old = position.clone();
            }
        }
        let before = self.state.clone();
        let result = self.finish(old, empty, held, &live, rules, buffer);
        self.conclude(result, before, live)
    }

    fn conclude(&mut self, result: io::Result<()>, before: LogState, live: File) -> io::Result<bool> {
        let done = self.succeeded(result, before);
        if done {
            self.start(live)?;
        }
        Ok(done)
    }

    fn start(&mut self, live: File) -> io::Result<()> {
        self.state.current = Some(Position::start(&live)?);
        self.current = Some(live);
        Ok(())
    }

    /// Counts the rest of the old file and all files between it and the live one. One that was `empty` when it was
    /// last seen may have been filled, copied and cut before it was renamed, so copies older than it are new too.
    fn finish(
        &mut self,
        mut old: Position,
        empty: bool,
        held: Option<File>,
        live: &File,
        rules: &Rules,
        buffer: &mut Vec<u8>,
    ) -> io::Result<()> {
        self.state.counts.rotations += 1;
        old.seal();
        let mut younger = open_all(&self.log.path, live, NEAR)?;
        let mut place = None;
        for (index, opened) in younger.iter().enumerate() {
            let mut contents = opened.contents()?;
            let named = opened.was(&old);
            // At the start of a file only its inode tells it from others.
            if (named || old.offset > 0) && patient(&opened.archive, old.recognise(&mut contents))?.unwrap_or(false) {
                place = Some((index, contents, named));
                break;
            }
        }
        let head = match &held {
            Some(file) => head(file)?,
            None => old.head(),
        };
        let archive = match &place {
            Some((index, ..)) => {
                let archive = younger[*index].archive.clone();
                let older = younger.split_off(*index + 1);
                younger.truncate(*index);
                if empty {
                    younger.extend(self.unseen(older, &head));
                }
                Some(archive)
            }
            None => {
                younger = self.unseen(younger, &head);
                None
            }
        };
        self.remember(head);
        match (held, place, archive) {
            (Some(file), ..) => self.retire(old, Some(file), rules, buffer)?,
            (None, Some((_, Contents::Plain(file), true)), _) => self.retire(old, Some(file), rules, buffer)?,
            (None, Some((_, mut contents, _)), Some(archive)) => {
                let result = self.consume(&mut contents, &mut old, true, rules, buffer, None);
                self.settle(&archive, result)?;
            }
            // Of a file that was empty when it was last seen nothing is known to be lost.
            _ if old.offset == 0 => {}
            _ => {
                self.state.counts.gaps += 1;
                let from = old.offset;
                warn!(log = self.log.name, "the file read last is gone: lines from byte {from} to its end may be lost");
            }
        }
        self.read_whole(&younger, rules, buffer)
    }

    /// Counts archives from their beginning, the oldest first.
    fn read_whole(&mut self, archives: &[Opened], rules: &Rules, buffer: &mut Vec<u8>) -> io::Result<()> {
        for opened in archives.iter().rev() {
            let mut contents = opened.contents()?;
            let mut position = opened.position();
            // Late writers may still append to the newest.
            let open = opened.archive.number == 1 && !opened.archive.packed;
            let result = self.consume(&mut contents, &mut position, !open, rules, buffer, None);
            self.settle(&opened.archive, result)?;
            position.seal();
            self.state.counts.rotations += 1;
            match contents {
                Contents::Plain(file) if open => {
                    self.remember(head(&file)?);
                    self.retire(position, Some(file), rules, buffer)?;
                }
                _ => self.remember(position.head()),
            }
        }
        Ok(())
    }

    /// Those that were never read.
    fn unseen(&self, archives: Vec<Opened>, but: &Head) -> Vec<Opened> {
        let previous = self.state.previous.as_ref();
        let known = |opened: &Opened| match opened.beginning() {
            _ if previous.is_some_and(|previous| opened.was(previous)) => true,
            Ok(bytes) => but.begins(&bytes) || self.state.seen.iter().any(|head| head.begins(&bytes)),
            // Broken or not complete yet: reading it will tell.
            Err(_) => false,
        };
        archives.into_iter().filter(|archive| !known(archive)).collect()
    }

    /// An archive that is broken for good is a gap; one that may still be being written is waited for.
    fn settle(&mut self, archive: &Archive, result: io::Result<()>) -> io::Result<()> {
        if patient(archive, result)?.is_none() {
            self.state.counts.gaps += 1;
            warn!(log = self.log.name, "{} is broken: what it held is lost", archive.path.display());
        }
        Ok(())
    }

    /// Keeps the renamed file for late writers. The one before it is finished now.
    fn retire(&mut self, old: Position, file: Option<File>, rules: &Rules, buffer: &mut Vec<u8>) -> io::Result<()> {
        self.close_previous(rules, buffer)?;
        self.state.previous = Some(old);
        self.state.quiet = 0;
        self.previous = file;
        self.read_previous(rules, buffer)
    }

    fn read_previous(&mut self, rules: &Rules, buffer: &mut Vec<u8>) -> io::Result<()> {
        let Some(mut position) = self.state.previous.clone() else { return Ok(()) };
        let before = position.offset;
        match &self.previous {
            Some(file) => {
                let mut contents = Contents::Plain(file.try_clone()?);
                seek(&mut contents, position.offset)?;
                self.consume(&mut contents, &mut position, false, rules, buffer, None)?;
            }
            None => {
                if let Some((archive, mut contents)) = self.find_previous(&mut position)? {
                    let packed = archive.packed;
                    let result = self.consume(&mut contents, &mut position, packed, rules, buffer, None);
                    self.settle(&archive, result)?;
                    match contents {
                        Contents::Plain(file) => self.previous = Some(file),
                        Contents::Packed(_) => {
                            self.state.previous = None;
                            return Ok(());
                        }
                    }
                }
            }
        }
        position.seal();
        self.state.quiet = if position.offset == before { self.state.quiet + 1 } else { 0 };
        self.state.previous = Some(position);
        if self.state.quiet > PATIENCE { self.close_previous(rules, buffer) } else { Ok(()) }
    }

    /// The renamed file after a restart: it has a number now, and may be packed.
    fn find_previous(&self, position: &mut Position) -> io::Result<Option<(Archive, Contents)>> {
        for archive in archives(&self.log.path) {
            let Ok(mut contents) = Contents::open(&archive) else { continue };
            let named = match &contents {
                Contents::Plain(file) => position.is(&file.metadata()?),
                Contents::Packed(_) => false,
            };
            if (named || position.offset > 0) && position.recognise(&mut contents).unwrap_or(false) {
                return Ok(Some((archive, contents)));
            }
        }
        Ok(None)
    }

    /// An unfinished last line of a file that nobody writes any more is a record, sound or torn.
    fn close_previous(&mut self, rules: &Rules, buffer: &mut Vec<u8>) -> io::Result<()> {
        let Some(mut position) = self.state.previous.take() else { return Ok(()) };
        if let Some(file) = self.previous.take() {
            let mut contents = Contents::Plain(file);
            seek(&mut contents, position.offset)?;
            self.consume(&mut contents, &mut position, true, rules, buffer, None)?;
        }
        position.seal();
        self.remember(position.head());
        Ok(())
    }

    fn read_current(&mut self, rules: &Rules, buffer: &mut Vec<u8>, deadline: Instant) -> io::Result<()> {
        let (Some(file), Some(mut position)) = (&self.current, self.state.current.clone()) else { return Ok(()) };
        let mut contents = Contents::Plain(file.try_clone()?);
        seek(&mut contents, position.offset)?;
        self.consume(&mut contents, &mut position, false, rules, buffer, Some(deadline))?;
        position.seal();
        self.state.current = Some(position);
        Ok(())
    }

    /// Counts records from here on. At the end of a file that is complete, what is left is a record too.
    fn consume(
        &mut self,
        contents: &mut Contents,
        position: &mut Position,
        complete: bool,
        rules: &Rules,
        buffer: &mut Vec<u8>,
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        let Log { framing, keys, .. } = &self.log;
        let counts = &mut self.state.counts;
        let mut filled = 0;
        loop {
            if filled == buffer.len() {
                buffer.resize((filled * 2).clamp(BLOCK, LONGEST + BLOCK), 0);
            }
            let read = match contents.read(&mut buffer[filled..]) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            filled += read;
            let used = take(*framing, keys, &buffer[..filled], position, counts, rules);
            position.pass(&buffer[..used]);
            counts.bytes += used as u64;
            buffer.copy_within(used..filled, 0);
            filled -= used;
            if filled > LONGEST {
                counts.skipped.too_long += u64::from(!position.skipping);
                position.skipping = true;
                position.pass(&buffer[..filled]);
                counts.bytes += filled as u64;
                filled = 0;
            }
            if read == 0 {
                break;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(());
            }
        }
        if complete && filled > 0 {
            if !position.skipping {
                count(&buffer[..filled], keys, counts, rules);
            }
            position.pass(&buffer[..filled]);
            counts.bytes += filled as u64;
        }
        Ok(())
    }

    /// A file that was renamed away may still hold what is not counted, while there is no live one.
    fn rest(&self, there: bool) -> io::Result<Look> {
        let size = self.current.as_ref().map(File::metadata).transpose()?.map_or(0, |metadata| metadata.len());
        let offset = self.state.current.as_ref().map_or(0, |position| position.offset);
        Ok(Look { size: there.then_some(size), unread: size.saturating_sub(offset) })
    }
}

/// How a file begins now.
fn head(file: &File) -> io::Result<Head> {
    let mut position = Position::default();
    position.pass(&peek(file, 0, HEAD)?);
    position.seal();
    Ok(position.head())
}

fn open(log: &Log) -> io::Result<Option<File>> {
    match open_file(&log.path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn seek(contents: &mut Contents, offset: u64) -> io::Result<()> {
    match contents {
        Contents::Plain(file) => file.seek(SeekFrom::Start(offset)).map(drop),
        Contents::Packed(_) => Ok(()),
    }
}

/// `None` for an archive that is broken for good; the error for one that may still be being written.
fn patient<T>(archive: &Archive, result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            let modified = archive.path.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|time| SystemTime::now().duration_since(time).ok());
            if archive.packed && age.is_none_or(|age| age > PACKING) { Ok(None) } else { Err(error) }
        }
    }
}
