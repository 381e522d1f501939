//! The events of a packed file that somebody wants. It can only be read from its start, so that is done once: the last
//! that are wanted are kept.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read},
};

use crate::{
    archives::unpacked,
    event::Skipped,
    frame::{self, LONGEST},
    options::Framing,
};

const BLOCK: usize = 256 << 10;

/// A record that is wanted.
pub(crate) struct Match {
    pub(crate) offset: u64,
    pub(crate) record: Vec<u8>,
    /// Where it ends, and what stands before that.
    pub(crate) end: u64,
    pub(crate) before: Vec<u8>,
    /// Its own time, or its next neighbour's that has one.
    pub(crate) time: Option<i64>,
    /// Records behind it, before the next match, that are no events.
    pub(crate) skipped: u64,
}

/// What a file gave.
#[derive(Default)]
pub(crate) struct Matches {
    /// The last is the newest.
    pub(crate) found: VecDeque<Match>,
    /// Older ones were left out.
    pub(crate) more: bool,
    /// What is before them is too old to be wanted.
    pub(crate) too_old: bool,
    /// Records before the first match that are no events.
    pub(crate) skipped: u64,
    pub(crate) read: u64,
    /// It was not read to its end.
    pub(crate) stopped: bool,
    bytes: usize,
}

/// How much is kept.
pub(crate) struct Most {
    pub(crate) matches: usize,
    pub(crate) bytes: usize,
    /// How much before a place names it.
    pub(crate) mark: usize,
}

/// What becomes of a record.
pub(crate) enum Verdict {
    Wanted(Option<i64>),
    /// So are all that are older.
    TooOld,
    Passed(Option<i64>),
}

/// The last wanted records before `end`, until `stop` says so.
pub(crate) fn search(
    file: &File,
    framing: Framing,
    end: u64,
    most: &Most,
    mut stop: impl FnMut() -> bool,
    mut judge: impl FnMut(&[u8]) -> Result<Verdict, Skipped>,
) -> io::Result<Matches> {
    let mut matches = Matches::default();
    let mut contents = unpacked(file)?.take(end);
    let (mut buffer, mut filled, mut start, mut dropping) = (vec![0; BLOCK], 0, 0, false);
    loop {
        if stop() {
            matches.stopped = true;
            return Ok(matches);
        }
        if filled == buffer.len() {
            buffer.resize(filled + BLOCK, 0);
        }
        let read = contents.read(&mut buffer[filled..])?;
        matches.read += read as u64;
        filled += read;
        let mut used = 0;
        if dropping {
            used = frame::resume(framing, &buffer[..filled]).unwrap_or(filled);
            dropping = used == filled;
        }
        let bytes = &buffer[..filled];
        let base = bytes.as_ptr() as usize;
        let mut take = |record: &[u8]| {
            let from = record.as_ptr() as usize - base;
            let to = from + record.len();
            let verdict = if record.len() > LONGEST { Err(Skipped::Unreadable) } else { judge(record) };
            let closed = to + usize::from(framing == Framing::Lines && bytes.get(to) == Some(&b'\n'));
            let before = || bytes[closed.saturating_sub(most.mark)..closed].to_vec();
            matches.add(verdict, record, start + from as u64, start + closed as u64, before, most);
        };
        used += frame::split(framing, &bytes[used..], &mut take);
        if read == 0 {
            if used < filled && !dropping {
                take(&bytes[used..]);
            }
            return Ok(matches);
        }
        if filled - used > LONGEST {
            matches.skip();
            (used, dropping) = (filled, true);
        }
        start += used as u64;
        buffer.copy_within(used..filled, 0);
        filled -= used;
    }
}

impl Matches {
    fn add(
        &mut self,
        verdict: Result<Verdict, Skipped>,
        record: &[u8],
        offset: u64,
        end: u64,
        before: impl FnOnce() -> Vec<u8>,
        most: &Most,
    ) {
        let (wanted, time) = match verdict {
            Err(_) => return self.skip(),
            Ok(Verdict::TooOld) => {
                let read = self.read;
                *self = Self { too_old: true, read, ..Self::default() };
                return;
            }
            Ok(Verdict::Wanted(time)) => (true, time),
            Ok(Verdict::Passed(time)) => (false, time),
        };
        if time.is_some() {
            self.found.iter_mut().rev().take_while(|found| found.time.is_none()).for_each(|found| found.time = time);
        }
        if !wanted {
            return;
        }
        self.bytes += record.len();
        self.found.push_back(Match { offset, record: record.to_vec(), end, before: before(), time, skipped: 0 });
        while self.found.len() > most.matches || (self.bytes > most.bytes && self.found.len() > 1) {
            let oldest = self.found.pop_front();
            self.bytes -= oldest.map_or(0, |oldest| oldest.record.len());
            (self.more, self.too_old) = (true, false);
        }
    }

    fn skip(&mut self) {
        *self.found.back_mut().map_or(&mut self.skipped, |last| &mut last.skipped) += 1;
    }
}
