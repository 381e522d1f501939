//! One log, followed: through rotation by renaming, copying or replacing, through torn lines and restarts.
//!
//! Writers rotate behind our back. As long as the live file holds, where it was counted, what was counted, there is
//! nothing to it but reading on. What else may have happened is found out in [`turn`](crate::turn).
//!
//! Everything that must not be counted twice stands in [`LogState`], positions and numbers together; who keeps that
//! in one piece loses nothing when the process is killed.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use tracing::debug;

use crate::{
    archives::{archives, open_file},
    clock::Clock,
    counts::Counts,
    event,
    frame::LONGEST,
    lines::{self, Lines, Told},
    options::Log,
    position::{Head, Position, common},
    records::{count, take},
    sign::Key,
    turn::{Known, NEAR, Unpacking, tells},
};

const BLOCK: usize = 256 << 10;
/// A renamed file is looked at so many more times for late writers.
const PATIENCE: u32 = 3;

/// What outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LogState {
    /// Whether the log was ever looked at; archives that were there before are not counted.
    pub(crate) begun: bool,
    pub(crate) current: Option<Position>,
    /// Other files that were counted; those that are not done may still grow.
    pub(crate) known: VecDeque<Known>,
    /// Beginnings of files that were finished when beginnings were all that was remembered.
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    pub(crate) seen: VecDeque<Head>,
    /// Lines that were counted lately, in whatever file.
    pub(crate) lines: Lines,
    pub(crate) counts: Counts,
}

impl LogState {
    /// Whether these values can be true. What is kept may have been damaged.
    pub(crate) fn is_sound(&self) -> bool {
        self.current.as_ref().is_none_or(Position::is_sound)
            && self.known.iter().all(|known| known.at.is_sound())
            && self.counts.is_sound()
    }
}

/// What to count by.
pub(crate) struct Rules {
    pub(crate) kinds: usize,
    pub(crate) spikes: BTreeMap<String, u64>,
    pub(crate) key: Option<Key>,
    pub(crate) clock: Clock,
}

/// A log that is followed.
pub(crate) struct Follower {
    pub(crate) log: Log,
    pub(crate) state: LogState,
    pub(crate) current: Option<File>,
    /// Files that may still grow.
    pub(crate) open: Vec<File>,
    pub(crate) unpacking: Option<Unpacking>,
}

/// How a log stands after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// The size of the live file; none when there is none.
    pub(crate) size: Option<u64>,
    /// Bytes that were not counted yet, an unfinished line among them.
    pub(crate) unread: u64,
    /// The time was too short.
    pub(crate) behind: bool,
}

impl Follower {
    pub(crate) fn new(log: Log, state: LogState) -> Self {
        Self { log, state, current: None, open: Vec::new(), unpacking: None }
    }

    /// Reads what is new, until the deadline.
    pub(crate) fn look(&mut self, rules: &Rules, buffer: &mut Vec<u8>, deadline: Instant) -> io::Result<Look> {
        let live = match open_file(&self.log.path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if !self.state.begun {
            self.begin()?;
            if let Some(live) = &live {
                self.state.current = Some(Position::at(live, 0, false)?);
                self.current = Some(live.try_clone()?);
            }
            self.state.begun = true;
            return self.read_current(live.as_ref(), rules, buffer, deadline);
        }
        self.read_growing(rules, buffer, deadline)?;
        let Some(live) = live else {
            // Where nothing was counted yet, nothing tells whether the file was copied and cut before it was renamed:
            // the copy is looked for when there is a live file again. To read on now would hide that there may be one.
            let held = match (&mut self.state.current, &self.current) {
                (Some(position), Some(file)) => position.offset > 0 && position.holds(file)?,
                _ => false,
            };
            return if held { self.read_current(None, rules, buffer, deadline) } else { self.rest(None, false) };
        };
        let metadata = live.metadata()?;
        let same = match &mut self.state.current {
            // Where nothing was counted that other files do not have, nothing tells whether it was copied away and cut.
            Some(position) if position.is(&metadata) && tells(&self.log, position, &live)? => position.holds(&live)?,
            _ => false,
        };
        if same {
            if self.current.is_none() {
                self.current = Some(live.try_clone()?);
            }
        } else {
            match self.turn(&live, rules, buffer, deadline) {
                Ok(true) => {}
                Ok(false) => return self.rest(Some(&live), true),
                Err(error) => {
                    debug!(log = self.log.name, "rotation waits: {error}");
                    return self.rest(Some(&live), false);
                }
            }
        }
        self.read_current(Some(&live), rules, buffer, deadline)
    }

    fn read_current(
        &mut self,
        live: Option<&File>,
        rules: &Rules,
        buffer: &mut Vec<u8>,
        deadline: Instant,
    ) -> io::Result<Look> {
        let mut behind = false;
        if let (Some(file), Some(mut position)) = (&self.current, self.state.current.clone()) {
            let file = file.try_clone()?;
            behind = !self.consume_file(&file, &mut position, rules, buffer, Some(deadline))?;
            position.seal();
            self.state.current = Some(position);
        }
        self.rest(live, behind)
    }

    /// What a person should know about the text of this log.
    pub(crate) fn finding(&self) -> Option<String> {
        let beginning = self.state.current.as_ref()?.beginning();
        event::utf16(beginning).then(|| {
            format!(
                "{}: this is UTF-16, so no line of it can be read: let it be written as UTF-8",
                self.log.path.display()
            )
        })
    }

    /// Late lines of files that were renamed, and the rest of copies that were still being made.
    fn read_growing(&mut self, rules: &Rules, buffer: &mut Vec<u8>, deadline: Instant) -> io::Result<()> {
        for index in 0..self.state.known.len() {
            let Some(mut known) = self.state.known.get(index).filter(|known| !known.done).cloned() else { continue };
            if known.is_packed() {
                continue;
            }
            let Some(file) = self.find_growing(&mut known.at)? else {
                known.quiet += 1;
                known.done = known.quiet > PATIENCE;
                self.state.known[index] = known;
                continue;
            };
            let before = known.at.offset;
            let copied = self.counted_live(&file, &known.at)?.max(self.counted_lines(&file, &known.at)?);
            if copied > before {
                known.at = Position::at(&file, copied, false)?;
            }
            self.consume_file(&file, &mut known.at, rules, buffer, Some(deadline))?;
            known.at.seal();
            known.quiet = if known.at.offset == before { known.quiet + 1 } else { 0 };
            if known.quiet > PATIENCE {
                // An unfinished last line of a file that nobody writes any more is a record, sound or torn.
                self.finish_file(&file, &mut known.at, rules, buffer)?;
                self.open.retain(|file| file.metadata().map_or(true, |metadata| !known.at.is(&metadata)));
                known.at = known.at.finished();
                known.done = true;
            }
            self.state.known[index] = known;
        }
        Ok(())
    }

    /// A copy that grows is still being made: what was counted in the live file is not new. Says how far that reaches.
    fn counted_live(&self, file: &File, at: &Position) -> io::Result<u64> {
        let size = file.metadata()?.len();
        let Some(position) = self.state.current.as_ref().filter(|_| size > at.offset) else { return Ok(0) };
        if position.identity() == at.identity() {
            return Ok(0);
        }
        if position.offset > 0 && position.clone().holds(file)? {
            return Ok(position.offset);
        }
        if let Some(current) = &self.current
            && position.clone().holds(current)?
        {
            // A copy is a beginning; what only begins alike is none.
            let most = position.offset.min(size);
            return Ok(if common(file, current, most)? == most { most } else { 0 });
        }
        // The live file was cut meanwhile.
        let (agreed, ends) = position.agrees(file)?;
        Ok(if agreed > 0 && ends { size } else { agreed })
    }

    /// The same for what was counted in any file.
    fn counted_lines(&self, mut file: &File, at: &Position) -> io::Result<u64> {
        let new = file.metadata()?.len().saturating_sub(at.offset);
        if new == 0 || new > lines::MOST || at.skipping {
            return Ok(0);
        }
        file.seek(SeekFrom::Start(at.offset))?;
        Ok(match self.state.lines.tell(&self.log, file)? {
            Told::Exactly(bytes, _) | Told::AtLeast(bytes) => at.offset + bytes,
            Told::Nothing => 0,
        })
    }

    /// The file that may still grow; after a restart it has a number now.
    fn find_growing(&mut self, at: &mut Position) -> io::Result<Option<File>> {
        for file in &self.open {
            if at.is(&file.metadata()?) {
                return if at.holds(file)? { file.try_clone().map(Some) } else { Ok(None) };
            }
        }
        for archive in archives(&self.log.path).into_iter().filter(|archive| !archive.packed).take(NEAR) {
            let Ok(file) = open_file(&archive.path) else { continue };
            if at.is(&file.metadata()?) && at.holds(&file)? {
                self.open.push(file.try_clone()?);
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// Counts records from the position on. True at the end of the file.
    pub(crate) fn consume_file(
        &mut self,
        mut file: &File,
        position: &mut Position,
        rules: &Rules,
        buffer: &mut Vec<u8>,
        deadline: Option<Instant>,
    ) -> io::Result<bool> {
        file.seek(SeekFrom::Start(position.offset))?;
        self.consume(&mut file, position, false, rules, buffer, deadline).map(|(ended, _)| ended)
    }

    /// What is left of a file that is complete is a record too.
    pub(crate) fn finish_file(
        &mut self,
        mut file: &File,
        position: &mut Position,
        rules: &Rules,
        buffer: &mut Vec<u8>,
    ) -> io::Result<()> {
        file.seek(SeekFrom::Start(position.offset))?;
        self.consume(&mut file, position, true, rules, buffer, None).map(drop)
    }

    /// Counts records from here on; says whether this was the end, and how many bytes in the buffer are left. At the end
    /// of a file that is complete, what is left is a record too.
    pub(crate) fn consume(
        &mut self,
        contents: &mut impl Read,
        position: &mut Position,
        complete: bool,
        rules: &Rules,
        buffer: &mut Vec<u8>,
        deadline: Option<Instant>,
    ) -> io::Result<(bool, usize)> {
        let Log { framing, keys, .. } = &self.log;
        let LogState { counts, lines, .. } = &mut self.state;
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
            let used = take(*framing, keys, &buffer[..filled], filled - read, position, counts, rules);
            position.pass(&buffer[..used]);
            lines.add(&self.log, &buffer[..used]);
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
                return Ok((false, filled));
            }
        }
        if complete && filled > 0 {
            if !position.skipping {
                count(&buffer[..filled], keys, counts, rules);
                lines.add(&self.log, &buffer[..filled]);
            }
            position.pass(&buffer[..filled]);
            counts.bytes += filled as u64;
        }
        Ok((true, filled))
    }

    /// A file that was renamed away may still hold what is not counted, while there is no live one.
    fn rest(&self, live: Option<&File>, behind: bool) -> io::Result<Look> {
        let offset = self.state.current.as_ref().map_or(0, |position| position.offset);
        let mut unread = 0;
        if let Some(file) = &self.current {
            unread += file.metadata()?.len().saturating_sub(offset);
        }
        let size = live.map(File::metadata).transpose()?.map(|metadata| metadata.len());
        if let (Some(live), Some(size)) = (live, size) {
            let metadata = live.metadata()?;
            if !self.state.current.as_ref().is_some_and(|position| position.is(&metadata)) {
                unread += size;
            }
        }
        Ok(Look { size, unread, behind })
    }
}
