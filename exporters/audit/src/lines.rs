//! Which lines were counted lately.
//!
//! Positions tell a file that is as it was, or grew. What was cut, trimmed or put together anew is told by its lines:
//! one that was counted is known wherever it comes again. A line with a time is told from all others; one without only
//! in a file in which none has a time, and where that is no new one in the place of one that was renamed.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{
    event, frame,
    options::{Framing, Log},
    position::sha256,
};

/// So many of the last lines are remembered all.
const ALL: usize = 256;
/// Of those before, so many, spread over all.
const SOME: usize = 128;
/// What is taken from the end of one read.
const TAIL: usize = 16 << 10;
/// How much of a file is held against them.
pub(crate) const MOST: usize = 2 << 20;

/// Lines that were counted, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Lines {
    lines: Vec<u64>,
    /// How many of the last stand for all that were counted since.
    all: usize,
    /// Others were counted too.
    thinned: bool,
}

/// What the lines of a file tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Nothing,
    /// Those up to there were counted, those behind were not.
    Counted {
        bytes: u64,
        /// Whether it is sure that each of them was counted.
        sure: bool,
        /// Whether what was counted last is among them.
        last: bool,
    },
    /// Some were counted; whether those behind were too cannot be told.
    Some,
}

/// A line of a file that is held against what was counted.
struct Line<'a> {
    record: &'a [u8],
    hash: u64,
    end: usize,
}

impl Lines {
    /// These were counted.
    pub(crate) fn add(&mut self, framing: Framing, bytes: &[u8]) {
        self.extend(framing, bytes, |_| true);
    }

    /// These are not to be counted; they may be copies of lines that were.
    pub(crate) fn add_known(&mut self, framing: Framing, bytes: &[u8]) {
        let known: HashSet<u64> = self.lines.iter().copied().collect();
        self.extend(framing, bytes, |line| !known.contains(&line));
    }

    fn extend(&mut self, framing: Framing, bytes: &[u8], new: impl Fn(u64) -> bool) {
        let mut from = bytes.len().saturating_sub(TAIL);
        if framing == Framing::Lines
            && let Some((_, body)) = bytes[from..].split_last()
        {
            // Of many short lines only the last are looked at.
            let ends = memchr::memrchr_iter(b'\n', body);
            from += ends.skip(ALL - 1).next().map_or(0, |end| end + 1);
        }
        if from > 0 {
            self.passed();
            let Some(start) = frame::resume(framing, &bytes[from - 1..]) else { return };
            from += start - 1;
        }
        let mut found = Vec::new();
        let used = frame::split(framing, &bytes[from..], |record| found.push(record));
        found.push(&bytes[from + used..]);
        for line in found.into_iter().filter(|record| !record.is_empty()).map(short).filter(|line| new(*line)) {
            self.lines.push(line);
            self.all += 1;
        }
        self.thin();
    }

    /// Lines were counted that are not remembered.
    pub(crate) fn passed(&mut self) {
        (self.all, self.thinned) = (0, true);
    }

    /// Whether there are lines that were counted and are not remembered.
    pub(crate) fn thinned(&self) -> bool {
        self.thinned
    }

    fn thin(&mut self) {
        if self.all > ALL {
            (self.all, self.thinned) = (ALL, true);
        }
        let before = self.lines.len() - self.all;
        if before > SOME {
            // Every other one, so that old ones become rarer.
            let mut index = 0;
            self.lines.retain(|_| {
                index += 1;
                index > before || index % 2 == 0
            });
        }
    }

    /// Holds bytes of a file against them, from the start of a line; `whole` where the file ends with them,
    /// `untimed` where, if none has a time, lines without one tell something too.
    pub(crate) fn tell(&self, log: &Log, bytes: &[u8], whole: bool, untimed: bool) -> Told {
        let base = bytes.as_ptr() as usize;
        let mut lines = Vec::new();
        let used = frame::split(log.framing, bytes, |record| {
            let end = record.as_ptr() as usize - base + record.len();
            let parting = if log.framing == Framing::Lines { 1 } else { frame::parting(&bytes[end..]) };
            lines.push(Line { record, hash: short(record), end: end + parting });
        });
        let rest = &bytes[used..];
        if whole && self.lines.contains(&short(rest)) {
            lines.push(Line { record: rest, hash: short(rest), end: bytes.len() });
        }
        let mut here: HashMap<u64, u32> = HashMap::new();
        lines.iter().for_each(|line| *here.entry(line.hash).or_default() += 1);
        // What was written more than once tells nothing.
        let mut known: HashMap<u64, Option<usize>> = HashMap::new();
        for (index, line) in self.lines.iter().enumerate() {
            known.entry(*line).and_modify(|place| *place = None).or_insert(Some(index));
        }
        let once = |line: &Line<'_>| here[&line.hash] == 1 && known.get(&line.hash) != Some(&None);
        let timed = |line: &Line<'_>| event::read(line.record, &log.keys).is_ok_and(|event| event.time().is_some());
        let any_timed = lines.iter().any(|line| once(line) && timed(line));
        let tells = |line: &Line<'_>| once(line) && if any_timed { timed(line) } else { untimed };
        let Some(first) = lines.iter().position(tells) else { return Told::Nothing };
        let counted = |line: &Line<'_>| known.get(&line.hash).copied().flatten();
        let complete = |index: usize| index >= self.lines.len() - self.all;
        let found = lines
            .iter()
            .enumerate()
            .rev()
            .find_map(|(index, line)| counted(line).filter(|_| tells(line)).map(|place| (index, place)));
        let Some((index, place)) = found else {
            let sure = whole && (!self.thinned || counted(&lines[first]).is_some_and(complete));
            return if sure { Told::Counted { bytes: 0, sure, last: self.lines.is_empty() } } else { Told::Nothing };
        };
        let last = self.lines[place + 1..].iter().all(|line| here.contains_key(line));
        if !complete(place) || !(whole || last) {
            return Told::Some;
        }
        let sure = lines[..index].iter().all(|line| counted(line).is_some() || !tells(line));
        Told::Counted { bytes: lines[index].end as u64, sure, last }
    }
}

fn short(record: &[u8]) -> u64 {
    sha256(record).first_chunk().map_or(0, |start| u64::from_be_bytes(*start) >> 12)
}
