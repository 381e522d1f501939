//! The records of a file from its end to its beginning, in blocks: the newest page of a file of any size costs one.

use std::{
    collections::VecDeque,
    io::{self, Read, Seek, SeekFrom},
};

use flate2::read::MultiGzDecoder;

use crate::{
    archives::{Archive, open_file},
    frame::{self, LONGEST},
    options::Framing,
};

const BLOCK: u64 = 64 << 10;
/// What cannot be read backwards is read from its start, and so much of it is kept.
const WINDOW: usize = 4 << 20;

/// The end of a file, wherever that is.
pub(crate) const END: u64 = u64::MAX;

/// A file's records, the last first.
pub(crate) struct Backward {
    archive: Archive,
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
    /// Bytes read from the disk, or unpacked.
    pub(crate) read: u64,
}

impl Backward {
    /// The records before `end`. Those of a live file are complete only with their parting.
    pub(crate) fn new(archive: Archive, framing: Framing, end: u64) -> io::Result<Self> {
        let live = archive.number == 0 && end == END;
        let mut backward = Self {
            archive,
            framing,
            buffer: Vec::new(),
            start: end,
            end: 0,
            split: VecDeque::new(),
            live,
            dropping: false,
            too_long: 0,
            read: 0,
        };
        backward.load()?;
        Ok(backward)
    }

    /// Where the records that were not handed out end.
    pub(crate) fn offset(&self) -> u64 {
        self.start + self.end as u64
    }

    /// The next record towards the beginning: where it starts, and its bytes.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        let found = match self.framing {
            Framing::Lines => self.next_line()?,
            Framing::Values => self.next_value()?,
        };
        Ok(found.map(|(from, to)| (self.start + from as u64, &self.buffer[from..to])))
    }

    fn next_line(&mut self) -> io::Result<Option<(usize, usize)>> {
        loop {
            if self.end == 0 && self.start == 0 {
                return Ok(None);
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
                    continue;
                }
            };
            self.end = from;
            let unfinished = std::mem::take(&mut self.live) && !closed;
            if std::mem::take(&mut self.dropping) || body - from > LONGEST {
                self.too_long += u64::from(!unfinished);
            } else if !unfinished {
                return Ok(Some((from, body)));
            }
        }
    }

    fn next_value(&mut self) -> io::Result<Option<(usize, usize)>> {
        loop {
            if let Some((from, to)) = self.split.pop_back() {
                self.end = from;
                if to - from > LONGEST {
                    self.too_long += 1;
                    continue;
                }
                return Ok(Some((from, to)));
            }
            if self.start == 0 {
                return Ok(None);
            }
            self.load()?;
        }
    }

    /// Puts the bytes before those at hand in front of them.
    fn load(&mut self) -> io::Result<()> {
        let end = self.offset();
        let mut block = Vec::new();
        let mut file = open_file(&self.archive.path)?;
        let start = if self.archive.packed {
            last_window(MultiGzDecoder::new(file), end.min(self.start), &mut block)?
        } else {
            let size = file.metadata()?.len();
            let length = if self.framing == Framing::Lines { BLOCK } else { WINDOW as u64 };
            let end = self.start.min(size);
            let start = end.saturating_sub(length);
            block.resize((end - start) as usize, 0);
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut block)?;
            start
        };
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
        if first + used < bytes.len() && !self.live {
            found.push_back((first + used, bytes.len()));
        }
        self.live = false;
        // The first may begin inside another one's text; it comes again with what is before it.
        if self.start > 0 {
            found.pop_front();
            if found.is_empty() && self.end > LONGEST + WINDOW {
                self.too_long += 1;
                self.end = 0;
            }
        }
        self.split = found;
    }
}

/// The last bytes before `end`; returns where they start.
fn last_window(mut reader: impl Read, end: u64, window: &mut Vec<u8>) -> io::Result<u64> {
    let mut start = 0;
    let mut rest = end;
    loop {
        let length = (WINDOW as u64).min(rest);
        let read = reader.by_ref().take(length).read_to_end(window)? as u64;
        rest -= read;
        if window.len() > 2 * WINDOW {
            let excess = window.len() - WINDOW;
            window.drain(..excess);
            start += excess as u64;
        }
        if read < length || rest == 0 {
            return Ok(start);
        }
    }
}
