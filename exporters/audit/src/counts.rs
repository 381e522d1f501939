//! What is counted of a log. It outlives restarts together with the reading position.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::{
    clock::{Clock, HOUR_MS},
    event::{Event, Level, Outcome, Skipped},
};

/// A longer kind is cut.
const LONGEST_KIND: usize = 64;
/// Where kinds beyond the limit are counted.
pub(crate) const OTHER: &str = "other";

/// So many kinds are looked through, which is faster than to look one up.
const NEAR_KINDS: usize = 8;
/// Names that are remembered, with those of kinds beyond the limit.
const MOST_PLACES: usize = 4096;

/// Recent events are counted by tens of seconds.
const BUCKET_MS: i64 = 10_000;
/// The long window in which a spike is looked for, and the short one that it is compared with.
const LONG_MS: i64 = HOUR_MS;
const SHORT_MS: i64 = 900_000;

/// The numbers of one log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Counts {
    pub(crate) kinds: Vec<KindCounts>,
    pub(crate) skipped: SkippedCounts,
    pub(crate) signatures: SignatureCounts,
    pub(crate) bytes: u64,
    pub(crate) rotations: u64,
    pub(crate) gaps: u64,
    /// The time of the event that was read last, of those that have one; milliseconds since 1970.
    pub(crate) last_time: Option<i64>,
    #[serde(skip)]
    places: Places,
}

/// Where kinds are counted, by what lines call them, `other` for those beyond the limit. It follows from the kinds.
#[derive(Clone, Debug, Default)]
struct Places(HashMap<Vec<u8>, usize>);

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The events of one kind, by level and outcome.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct KindCounts {
    pub(crate) name: String,
    pub(crate) events: [[u64; Outcome::ALL.len()]; Level::ALL.len()],
    /// Events of the last hour by tens of seconds, where somebody wants to know; the bucket written last is last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recent: Vec<(i64, u64)>,
    /// Whether somebody wants to know.
    #[serde(skip)]
    watched: Option<bool>,
}

impl KindCounts {
    fn note(&mut self, bucket: i64) {
        let known = self.recent.iter().position(|(known, _)| *known == bucket);
        let mut entry = known.map_or((bucket, 0), |index| self.recent.remove(index));
        entry.1 += 1;
        self.recent.push(entry);
    }
}

/// What a record changed.
#[derive(Clone, Copy)]
pub(crate) enum Effect {
    /// The number of the event's kind, and nothing else.
    Event(usize, Level, Outcome),
    Skipped(Skipped),
    Other,
}

/// Records that are no events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SkippedCounts {
    /// Lines without anything.
    pub blank: u64,
    /// Torn lines, and what is no JSON.
    pub unreadable: u64,
    /// JSON, but no object.
    pub not_object: u64,
    /// Longer than 1 MiB.
    pub too_long: u64,
}

/// Signed records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignatureCounts {
    /// The signature is the entry's.
    pub valid: u64,
    /// It is not.
    pub invalid: u64,
    /// There was no key to check it with.
    pub not_checked: u64,
}

/// How many events of a kind that is watched came lately.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Spike {
    /// The kind of event.
    pub kind: String,
    /// Events within the last hour, by their own times.
    pub count: u64,
    /// Events within the last 15 minutes, by their own times.
    pub recent: u64,
    /// More than this within an hour is a spike (`sources.audit.spikes`).
    pub limit: u64,
    /// Events a second in the last 15 minutes, less those a second in the last hour: above zero it is getting more.
    pub acceleration: f64,
    /// Whether the limit is passed.
    pub spike: bool,
}

impl SkippedCounts {
    pub(crate) fn add(&mut self, skipped: Skipped) {
        *match skipped {
            Skipped::Blank => &mut self.blank,
            Skipped::Unreadable => &mut self.unreadable,
            Skipped::NotObject => &mut self.not_object,
        } += 1;
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.blank + self.unreadable + self.not_object + self.too_long
    }
}

impl Counts {
    /// Counts an event; at most `kinds` kinds get a name of their own. Those in `watched` are looked at for spikes.
    pub(crate) fn add(
        &mut self,
        event: &Event<'_>,
        kinds: usize,
        watched: &BTreeMap<String, u64>,
        clock: &Clock,
    ) -> Effect {
        let index = self.index(event, kinds);
        let kind = &mut self.kinds[index];
        kind.events[event.level as usize][event.outcome as usize] += 1;
        let is_watched = *kind.watched.get_or_insert_with(|| watched.contains_key(&kind.name));
        if !is_watched {
            return Effect::Event(index, event.level, event.outcome);
        }
        // Of years of old lines nothing is remembered.
        if let Some(time) = event.time().filter(|time| clock.is_near(*time)) {
            let bucket = time.div_euclid(BUCKET_MS);
            match kind.recent.last_mut() {
                Some((last, count)) if *last == bucket => *count += 1,
                _ => kind.note(bucket),
            }
        }
        Effect::Other
    }

    /// Counts the same again; false where that takes more than this.
    pub(crate) fn repeat(&mut self, effect: Effect) -> bool {
        match effect {
            Effect::Event(kind, level, outcome) => {
                self.kinds[kind].events[level as usize][outcome as usize] += 1;
            }
            Effect::Skipped(skipped) => self.skipped.add(skipped),
            Effect::Other => return false,
        }
        true
    }

    fn index(&mut self, event: &Event<'_>, kinds: usize) -> usize {
        let raw = event.kind.bytes();
        if let Some(index) = self.kinds.iter().take(NEAR_KINDS).position(|kind| kind.name.as_bytes() == raw) {
            return index;
        }
        if let Some(&index) = self.places.0.get(raw) {
            return index;
        }
        let index = self.place(event, kinds);
        if self.places.0.len() < MOST_PLACES {
            self.places.0.insert(raw.to_vec(), index);
        }
        index
    }

    fn place(&mut self, event: &Event<'_>, kinds: usize) -> usize {
        let name: String = event.kind.name().chars().filter(|letter| !letter.is_control()).take(LONGEST_KIND).collect();
        let named = self.kinds.iter().filter(|kind| kind.name != OTHER).count();
        let known = self.kinds.iter().any(|kind| kind.name == name);
        let name = if known || named < kinds { name } else { OTHER.to_owned() };
        self.kinds.iter().position(|kind| kind.name == name).unwrap_or_else(|| {
            self.kinds.push(KindCounts { name, ..KindCounts::default() });
            self.kinds.len() - 1
        })
    }

    /// Whether these values can be true.
    pub(crate) fn is_sound(&self) -> bool {
        const MOST: u64 = 1 << 53;
        let SkippedCounts { blank, unreadable, not_object, too_long } = self.skipped;
        let SignatureCounts { valid, invalid, not_checked } = self.signatures;
        let numbers = [blank, unreadable, not_object, too_long, valid, invalid, not_checked]
            .into_iter()
            .chain([self.bytes, self.rotations, self.gaps])
            .chain(self.kinds.iter().flat_map(|kind| kind.events.iter().flatten().copied()))
            .chain(self.kinds.iter().flat_map(|kind| kind.recent.iter().map(|(_, count)| *count)));
        let buckets = self.kinds.iter().flat_map(|kind| &kind.recent).all(|(bucket, _)| bucket.unsigned_abs() < MOST);
        let mut names: Vec<&str> = self.kinds.iter().map(|kind| kind.name.as_str()).collect();
        names.sort_unstable();
        let once = names.windows(2).all(|pair| pair[0] != pair[1]);
        numbers.into_iter().all(|number| number < MOST) && buckets && once
    }

    /// How many events there are.
    pub(crate) fn total(&self) -> u64 {
        self.kinds.iter().flat_map(|kind| kind.events.iter().flatten()).sum()
    }

    /// Forgets recent events that are too old, or of kinds that nobody watches any more.
    pub(crate) fn prune(&mut self, clock: &Clock, watched: &BTreeMap<String, u64>) {
        for kind in &mut self.kinds {
            kind.watched = Some(watched.contains_key(&kind.name));
            let keep = kind.watched == Some(true);
            kind.recent.retain(|(bucket, _)| keep && clock.is_near(bucket * BUCKET_MS));
        }
    }

    /// How the watched kinds fare now.
    pub(crate) fn spikes(&self, now: i64, watched: &BTreeMap<String, u64>) -> Vec<Spike> {
        let within = |kind: &KindCounts, window: i64| -> u64 {
            let last = now.div_euclid(BUCKET_MS);
            let window = last - window / BUCKET_MS + 1..=last;
            kind.recent.iter().filter(|(bucket, _)| window.contains(bucket)).map(|(_, count)| count).sum()
        };
        let mut spikes = Vec::new();
        for (kind, &limit) in watched {
            let Some(known) = self.kinds.iter().find(|known| known.name == *kind) else { continue };
            let (count, recent) = (within(known, LONG_MS), within(known, SHORT_MS));
            #[expect(clippy::cast_precision_loss, reason = "counts of an hour are far below 2^53")]
            let acceleration = recent as f64 / (SHORT_MS / 1000) as f64 - count as f64 / (LONG_MS / 1000) as f64;
            spikes.push(Spike { kind: kind.clone(), count, recent, limit, acceleration, spike: count > limit });
        }
        spikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event, options::Keys};

    fn count(counts: &mut Counts, line: &str, kinds: usize, watched: &BTreeMap<String, u64>) {
        let keys = Keys::default();
        let clock = Clock::at(1_765_800_000_000);
        counts.add(&event::read(line.as_bytes(), &keys).unwrap(), kinds, watched, &clock);
    }

    #[test]
    fn kinds_beyond_the_limit_are_counted_as_other() {
        let mut counts = Counts::default();
        for kind in ["a", "b", "c", "a", "d", r"\u0061", "other"] {
            count(&mut counts, &format!("{{\"type\":\"{kind}\"}}"), 2, &BTreeMap::new());
        }
        let found: Vec<(&str, u64)> =
            counts.kinds.iter().map(|kind| (kind.name.as_str(), kind.events.iter().flatten().sum())).collect();
        assert_eq!(found, [("a", 3), ("b", 1), ("other", 3)]);
        assert_eq!(counts.total(), 7);
    }

    #[test]
    fn a_spike_is_more_than_the_limit_within_an_hour() {
        let now = 1_765_800_000_000;
        let watched: BTreeMap<String, u64> = [("rate_limited".to_owned(), 3)].into();
        let mut counts = Counts::default();
        let mut at = |seconds_ago: i64| {
            let line = format!("{{\"ts\":{},\"type\":\"rate_limited\"}}", now / 1000 - seconds_ago);
            count(&mut counts, &line, 10, &watched);
            counts.spikes(now, &watched)[0].clone()
        };
        assert_eq!(at(4000).count, 0, "too old");
        assert_eq!(at(-60).count, 0, "the future is not now");
        at(3000);
        at(2000);
        let spike = at(5);
        assert!((spike.count, spike.recent, spike.spike) == (3, 1, false), "{spike:?}");
        let spike = at(1);
        assert!((spike.count, spike.recent, spike.spike) == (4, 2, true), "{spike:?}");
        assert!((spike.acceleration - (2.0 / 900.0 - 4.0 / 3600.0)).abs() < 1e-12);
        counts.prune(&Clock::at(now + 2 * LONG_MS), &watched);
        assert_eq!(counts.spikes(now, &watched)[0].count, 0, "old ones are forgotten");
    }
}
