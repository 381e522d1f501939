//! The records of a log, counted as they are read.

use crate::{
    counts::{Counts, Effect},
    event,
    follow::Rules,
    frame::{self, LONGEST, Split},
    moment,
    options::{Framing, Keys},
    position::Position,
    scan::Scalar,
    sign::{Key, Verdict},
};

/// Counts the complete records; returns how many bytes they take. In the first `seen` bytes no line ends.
pub(crate) fn take(
    framing: Framing,
    keys: &Keys,
    bytes: &[u8],
    seen: usize,
    position: &mut Position,
    counts: &mut Counts,
    rules: &Rules,
) -> usize {
    let mut start = 0;
    if position.skipping {
        let Some(end) = frame::resume(framing, bytes) else {
            // What may part this record from the next stands in its last two bytes at most.
            return if framing == Framing::Lines { bytes.len() } else { bytes.len().saturating_sub(2) };
        };
        position.skipping = false;
        start = end;
    }
    let mut last = None;
    // A line that is written again has the same effect again.
    let mut before: (&[u8], Effect) = (&[], Effect::Other);
    let mut short = Short::default();
    let used = frame::split_behind(framing, &bytes[start..], seen.saturating_sub(start), |split| match split {
        Split::Empty(lines) => counts.skipped.blank += lines.len() as u64,
        Split::Record(record) if record.len() <= Short::LONGEST => {
            let (key, known) = short.find(record);
            if !known.is_some_and(|effect| counts.repeat(effect)) {
                let (time, effect) = count(record, keys, counts, rules);
                last = time.or(last);
                short.remember(key, if time.is_none() { effect } else { Effect::Other });
            }
        }
        Split::Record(record) if record.len() > LONGEST => counts.skipped.too_long += 1,
        Split::Record(record) if record == before.0 && counts.repeat(before.1) => {}
        Split::Record(record) => {
            let (time, effect) = count(record, keys, counts, rules);
            (last, before) = (time.or(last), (record, effect));
        }
    });
    if let Some(time) = last.and_then(moment::milliseconds) {
        counts.last_time = Some(time);
    }
    start + used
}

/// What the shortest lines did that were seen lately: so short they are the same again and again, and there are many.
struct Short {
    /// Bytes behind a one, and what they did.
    seen: [(u64, Effect); 64],
}

impl Default for Short {
    fn default() -> Self {
        Self { seen: [(0, Effect::Other); 64] }
    }
}

impl Short {
    /// Longer ones do not fit into a key.
    const LONGEST: usize = 7;

    fn find(&self, record: &[u8]) -> (u64, Option<Effect>) {
        let key = record.iter().fold(1, |key, &byte| key << 8 | u64::from(byte));
        let (known, effect) = self.seen[Self::place(key)];
        (key, (known == key).then_some(effect))
    }

    fn remember(&mut self, key: u64, effect: Effect) {
        self.seen[Self::place(key)] = (key, effect);
    }

    fn place(key: u64) -> usize {
        (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
    }
}

/// Counts one record; returns its time as it stands there, and what to count where it comes again.
pub(crate) fn count<'a>(
    record: &'a [u8],
    keys: &'a Keys,
    counts: &mut Counts,
    rules: &Rules,
) -> (Option<Scalar<'a>>, Effect) {
    match event::read(record, keys) {
        Ok(event) => {
            let mut effect = counts.add(&event, rules.kinds, &rules.spikes, &rules.clock);
            if let Some((entry, signature)) = event.signed {
                *match Key::check(rules.key.as_ref(), entry, signature) {
                    Verdict::Valid => &mut counts.signatures.valid,
                    Verdict::Invalid => &mut counts.signatures.invalid,
                    Verdict::NotChecked => &mut counts.signatures.not_checked,
                } += 1;
                effect = Effect::Other;
            }
            (event.time, effect)
        }
        Err(skipped) => {
            counts.skipped.add(skipped);
            (None, Effect::Skipped(skipped))
        }
    }
}
