//! Which lines were counted lately.
//!
//! Positions tell a file that is as it was, or grew. What was cut, trimmed or put together anew is told by its lines:
//! those with a time are told from all others, so that one that was counted is known wherever it comes again.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Read},
};

use serde::{Deserialize, Serialize};

use crate::{event, frame, options::Log, position::hash};

/// So many of the last lines are remembered all.
const ALL: usize = 256;
/// Of those before, so many, spread over all.
const SOME: usize = 128;
/// What is taken from the end of one read.
const TAIL: usize = 16 << 10;
/// How much of a file is held against them.
pub(crate) const MOST: u64 = 8 << 20;

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
    /// Nothing.
    Nothing,
    /// The lines up to there were counted; whether that is sure for all of them. Those behind were not.
    Exactly(u64, bool),
    /// At least these were counted.
    AtLeast(u64),
}

impl Lines {
    /// These were counted.
    pub(crate) fn add(&mut self, log: &Log, bytes: &[u8]) {
        self.extend(log, bytes, |_| true);
    }

    /// These are not to be counted; they may be copies of lines that were.
    pub(crate) fn add_known(&mut self, log: &Log, bytes: &[u8]) {
        let known: HashSet<u64> = self.lines.iter().copied().collect();
        self.extend(log, bytes, |line| !known.contains(&line));
    }

    fn extend(&mut self, log: &Log, bytes: &[u8], new: impl Fn(u64) -> bool) {
        if bytes.is_empty() {
            return;
        }
        let mut from = 0;
        if bytes.len() > TAIL {
            from = bytes.len() - TAIL;
            let Some(start) = frame::resume(log.framing, &bytes[from..]) else { return self.passed() };
            from += start;
            self.passed();
        }
        let mut found = Vec::new();
        let used = frame::split(log.framing, &bytes[from..], |record| found.push(record));
        if from + used < bytes.len() {
            found.push(&bytes[from + used..]);
        }
        if found.len() > ALL {
            found.drain(..found.len() - ALL);
            self.passed();
        }
        let timed = found.into_iter().filter(|record| timed(log, record));
        for line in timed.map(short).filter(|line| new(*line)) {
            self.lines.push(line);
            self.all += 1;
        }
        self.thin();
    }

    /// Lines were counted that are not remembered.
    pub(crate) fn passed(&mut self) {
        (self.all, self.thinned) = (0, true);
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

    /// Holds a file against them.
    pub(crate) fn tell(&self, log: &Log, contents: impl Read) -> io::Result<Told> {
        let mut bytes = Vec::new();
        contents.take(MOST).read_to_end(&mut bytes)?;
        let first_of_all = self.lines.len() - self.all;
        // What was written more than once tells nothing.
        let mut known: HashMap<u64, (bool, u32)> = HashMap::new();
        for (index, line) in self.lines.iter().enumerate() {
            known.entry(*line).or_insert((index >= first_of_all, 0)).1 += 1;
        }
        let base = bytes.as_ptr() as usize;
        let mut records = Vec::new();
        let used = frame::split(log.framing, &bytes, |record| records.push((record, record.as_ptr() as usize - base)));
        let whole = (bytes.len() as u64) < MOST;
        if whole && used < bytes.len() {
            let rest = &bytes[used..];
            if known.contains_key(&short(rest)) {
                records.push((rest, used));
            }
        }
        let hashes: Vec<u64> = records.iter().map(|(record, _)| short(record)).collect();
        let mut here: HashMap<u64, u32> = HashMap::new();
        for hash in &hashes {
            *here.entry(*hash).or_default() += 1;
        }
        let once = |hash: &u64| here[hash] == 1 && known.get(hash).is_none_or(|(_, times)| *times == 1);
        let counted: Vec<Option<bool>> =
            hashes.iter().map(|hash| known.get(hash).filter(|_| once(hash)).map(|(all, _)| *all)).collect();
        let timed = |index: usize| once(&hashes[index]) && timed(log, records[index].0);
        let end = |index: usize| match records.get(index + 1) {
            Some((_, start)) => *start as u64,
            None if records[index].1 == used => bytes.len() as u64,
            None => used as u64,
        };
        let last = counted.iter().rposition(Option::is_some);
        let first = (0..records.len()).find(|&index| timed(index));
        let Some(first) = first else { return Ok(Told::Nothing) };
        let complete = !self.thinned || counted[first] == Some(true);
        Ok(match last {
            None if complete && whole => Told::Exactly(0, true),
            None => Told::Nothing,
            Some(last) if counted[last] == Some(true) && whole => {
                let sure = (0..last).all(|index| counted[index].is_some() || !timed(index));
                Told::Exactly(end(last), sure)
            }
            Some(last) => Told::AtLeast(end(last)),
        })
    }
}

/// Whether a line has a time: one without may be the same as others.
fn timed(log: &Log, record: &[u8]) -> bool {
    event::read(record, &log.keys).is_ok_and(|event| event.time().is_some())
}

fn short(record: &[u8]) -> u64 {
    let hash = hash(record);
    hash.get(..13).and_then(|hash| u64::from_str_radix(hash, 16).ok()).unwrap_or(0)
}
