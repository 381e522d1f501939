//! The records of a file from its end to its beginning, in blocks: the newest page of a file of any size costs one.

use std::{collections::VecDeque, fs::File, io};

use crate::{
    archives::Archive,
    frame::{self, LONGEST},
    options::Framing,
    position::peek,
};

const BLOCK: u64 = 64 << 10;
/// So much at once of a record that is too long.
const DROPPED: u64 = 1 << 20;
/// Values that are looked for their beginning may be so much longer than a record.
const SLACK: usize = 4 << 20;

/// The end of a file, wherever that is.
pub(crate) const END: u64 = u64::MAX;

/// A file's records, the last first. The file stays the same while it is read, whatever becomes of its name.
pub(crate) struct Backward {
    file: File,
    framing: Framing,
    /// Bytes of the file from `start` on; those behind `end` were handed out.
    buffer: Vec<u8>,
    start: u64,
    end: usize,
    /// Records in `buffer` that were split already, where they cannot be found from behind.
    split: VecDeque<(usize, usize)>,
    /// The last record may be unfinished.
    live: bool,
    /// Inside a record that is too long.
    dropping: bool,
    /// Records that were too long.
    pub(crate) too_long: u64,
    /// Bytes read.
    pub(crate) read: u64,
}

/// What one step found. Between two steps there is time for a look at the clock.
pub(crate) enum Step<'a> {
    /// Where a record starts, and its bytes.
    Record(u64, &'a [u8]),
    /// Nothing yet.
    More,
    /// The beginning of the file.
    End,
}

enum Place {
    Record(usize, usize),
    More,
    End,
}

impl Backward {
    /// The records before `end`. Those of a live file are complete only with their parting.
    pub(crate) fn new(archive: &Archive, file: File, framing: Framing, end: u64) -> Self {
        Self {
            file,
            framing,
            buffer: Vec::new(),
            start: end,
            end: 0,
            split: VecDeque::new(),
            live: archive.number == 0 && end == END,
            dropping: false,
            too_long: 0,
            read: 0,
        }
    }

    /// Where the records that were not handed out end.
    pub(crate) fn offset(&self) -> u64 {
        self.start.saturating_add(self.end as u64)
    }

    /// What stands before a place, as much of it as is at hand and at most so much.
    pub(crate) fn before(&self, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let at = offset.checked_sub(self.start).map_or(0, |at| at.min(self.buffer.len() as u64) as usize);
        if at == 0 && offset != END {
            let length = (most as u64).min(offset);
            return peek(&self.file, offset - length, length as usize);
        }
        Ok(self.buffer[at.saturating_sub(most)..at].to_vec())
    }

    /// A step towards the beginning.
    pub(crate) fn next(&mut self) -> io::Result<Step<'_>> {
        let place = if self.start == END {
            self.load()?;
            Place::More
        } else if self.framing == Framing::Lines {
            self.next_line()?
        } else {
            self.next_value()?
        };
        Ok(match place {
            Place::Record(from, to) => Step::Record(self.start + from as u64, &self.buffer[from..to]),
            Place::More => Step::More,
            Place::End => Step::End,
        })
    }

    fn next_line(&mut self) -> io::Result<Place> {
        loop {
            if self.end == 0 && self.start == 0 {
                return Ok(Place::End);
            }
            let closed = self.end > 0 && self.buffer[self.end - 1] == b'\n';
            let body = if closed && !self.dropping { self.end - 1 } else { self.end };
            let from = match memchr::memrchr(b'\n', &self.buffer[..body]) {
                Some(found) => found + 1,
                None if self.start == 0 => 0,
                None => {
                    if body > LONGEST {
                        self.dropping = true;
                        self.end = 0;
                    }
                    self.load()?;
                    return Ok(Place::More);
                }
            };
            self.end = from;
            let unfinished = std::mem::take(&mut self.live) && !closed;
            if std::mem::take(&mut self.dropping) || body - from > LONGEST {
                self.too_long += u64::from(!unfinished);
            } else if !unfinished {
                return Ok(Place::Record(from, body));
            }
        }
    }

    fn next_value(&mut self) -> io::Result<Place> {
        loop {
            if let Some((from, to)) = self.split.pop_back() {
                self.end = from;
                self.dropping = false;
                if to - from > LONGEST {
                    self.too_long += 1;
                    continue;
                }
                return Ok(Place::Record(from, to));
            }
            if self.start == 0 {
                return Ok(Place::End);
            }
            self.load()?;
            return Ok(Place::More);
        }
    }

    /// Puts the bytes before those at hand in front of them: as many again, so that a long record costs no more than its
    /// length.
    fn load(&mut self) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        let length = BLOCK.max(if self.dropping { DROPPED } else { self.end as u64 });
        let end = self.start.min(size);
        let start = end.saturating_sub(length);
        let mut block = peek(&self.file, start, (end - start) as usize)?;
        if block.len() as u64 != end - start {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read += block.len() as u64;
        let loaded = block.len();
        block.extend_from_slice(&self.buffer[..self.end]);
        (self.buffer, self.start, self.end) = (block, start, loaded + self.end);
        if self.framing == Framing::Values {
            self.split();
        }
        Ok(())
    }

    /// Finds the records in the buffer from its first that is sure to be one.
    fn split(&mut self) {
        let bytes = &self.buffer[..self.end];
        let first = if self.start == 0 { 0 } else { frame::resume(Framing::Values, bytes).unwrap_or(bytes.len()) };
        let base = bytes.as_ptr() as usize;
        let mut found = VecDeque::new();
        let used = frame::split(Framing::Values, &bytes[first..], |record| {
            let from = record.as_ptr() as usize - base;
            found.push_back((from, from + record.len()));
        });
        let rest = first + used;
        if !self.live && rest < bytes.len() {
            found.push_back((rest, bytes.len()));
        }
        if self.live && (!found.is_empty() || self.start == 0) {
            // What is left is not finished yet.
            self.end = rest;
            self.live = false;
        }
        // The first may begin inside another one's text; it comes again with what is before it.
        if self.start > 0 {
            found.pop_front();
            if found.is_empty() && self.end > LONGEST + SLACK {
                self.too_long += u64::from(!std::mem::replace(&mut self.dropping, true));
                self.end = 0;
            }
        }
        self.split = found;
    }
}
