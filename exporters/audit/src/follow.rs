//! One log, followed: through rotation by renaming, copying or replacing, through torn lines and restarts.
//!
//! Writers rotate behind our back. As long as the live file holds, where it was counted, what was counted, there is
//! nothing to it but reading on. What else may have happened is found out in [`turn`](crate::turn).
//!
//! Everything that must not be counted twice stands in [`LogState`], positions and numbers together; who keeps that
//! in one piece loses nothing when the process is killed.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use tracing::debug;

use crate::{
    archives::open_file,
    clock::Clock,
    contents::Unpacking,
    counts::Counts,
    event,
    frame::LONGEST,
    known::Known,
    lines::Lines,
    options::Log,
    position::{Head, Position, identity},
    recognise::Recognised,
    records::{count, take},
    sign::Key,
};

const BLOCK: usize = 256 << 10;
/// As coarse as the clock of a file system may be.
const TICK: Duration = Duration::from_secs(2);

/// What outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LogState {
    /// Whether the log was ever looked at; archives that were there before are not counted.
    pub(crate) begun: bool,
    pub(crate) current: Option<Position>,
    /// What was read last, in a turn that has not come to the live file yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reached: Option<Position>,
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
        self.current.iter().chain(&self.reached).all(Position::is_sound)
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
    /// The live file, and those that may still grow: they stay while they are held, whatever becomes of their names.
    pub(crate) held: Vec<File>,
    pub(crate) unpacking: Option<Unpacking>,
    /// Of the files of a turn that is not finished.
    pub(crate) recognised: Vec<Recognised>,
    /// When the folder had changed last, when all its files were looked at last.
    settled: Option<SystemTime>,
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
        Self { log, state, held: Vec::new(), unpacking: None, recognised: Vec::new(), settled: None }
    }

    /// Reads what is new, until the deadline.
    pub(crate) fn look(&mut self, rules: &Rules, buffer: &mut Vec<u8>, deadline: Instant) -> io::Result<Look> {
        let changed = self.log.path.parent().and_then(|folder| fs::metadata(folder).ok()?.modified().ok());
        let live = match open_file(&self.log.path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let now = SystemTime::now();
        if !self.state.begun {
            self.begin()?;
            self.state.current = live.as_ref().map(|live| Position::at(live, 0, false)).transpose()?;
            self.state.begun = true;
        } else if !self.is_settled(live.as_ref(), changed)? {
            match self.turn(live.as_ref(), rules, buffer, deadline) {
                Ok(true) => {
                    // Of two changes within one tick of the file system's clock the second does not show.
                    let seen = changed.filter(|changed| now.duration_since(*changed).is_ok_and(|age| age > TICK));
                    self.settled = seen;
                }
                Ok(false) => return self.rest(live.as_ref(), true),
                Err(error) => {
                    debug!(log = self.log.name, "rotation waits: {error}");
                    return self.rest(live.as_ref(), false);
                }
            }
        }
        let mut behind = false;
        if let (Some(file), Some(mut position)) = (&live, self.state.current.take()) {
            let result = self.consume_file(file, &mut position, rules, buffer, Some(deadline));
            position.seal();
            self.state.current = Some(position);
            behind = !result?;
        }
        self.rest(live.as_ref(), behind)
    }

    /// Whether no file came, went or got another name since the last look, and the live one only grew.
    fn is_settled(&mut self, live: Option<&File>, changed: Option<SystemTime>) -> io::Result<bool> {
        let unfinished = self.state.reached.is_some() || self.state.known.iter().any(|known| !known.done);
        if changed.is_none() || changed != self.settled || unfinished {
            return Ok(false);
        }
        match (&mut self.state.current, live) {
            (Some(position), Some(live)) => Ok(position.is(&live.metadata()?) && position.holds(live)?),
            (None, None) => Ok(true),
            _ => Ok(false),
        }
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
        let (mut filled, begun) = (0, position.offset);
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
            lines.add(*framing, &buffer[..used]);
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
            // A look that counted nothing would leave the next where it was.
            if position.offset > begun && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok((false, filled));
            }
        }
        if complete && filled > 0 {
            if !position.skipping {
                count(&buffer[..filled], keys, counts, rules);
                lines.add(*framing, &buffer[..filled]);
            }
            position.pass(&buffer[..filled]);
            counts.bytes += filled as u64;
        }
        Ok((true, filled))
    }

    /// A file that was renamed away may still hold what is not counted.
    fn rest(&self, live: Option<&File>, behind: bool) -> io::Result<Look> {
        let size = live.map(File::metadata).transpose()?.map(|metadata| metadata.len());
        let mut files: Vec<Metadata> = Vec::new();
        for file in live.into_iter().chain(&self.held) {
            let metadata = file.metadata()?;
            if files.iter().all(|other| identity(other) != identity(&metadata)) {
                files.push(metadata);
            }
        }
        // Of the live file more may have been counted before it was cut.
        let current = |metadata: &Metadata| self.state.current.iter().find(|at| at.is(metadata)).map(|at| at.offset);
        let known = |metadata: &Metadata| self.all_known().filter(|at| at.is(metadata)).map(|at| at.offset).max();
        let counted = |metadata: &Metadata| current(metadata).or(known(metadata));
        let unread = files.iter().map(|file| file.len().saturating_sub(counted(file).unwrap_or(0))).sum();
        Ok(Look { size, unread, behind })
    }
}
