//! One reading, when it was taken, and its encodings: each made once, for the first who asks, and shared.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

#[cfg(test)]
use aura_model::Context;
use aura_model::{Group, Source, Stopwatch};
use jiff::Timestamp;

use aura_exposition::{Encoding, Format, encode};

use crate::publish::prometheus::report;

const LONGEST_STOP: Duration = Duration::from_secs(60);

/// One reading of a source.
pub struct Snapshot<S: Source> {
    /// What was read.
    pub reading: S::Reading,
    /// When the sample began, by the wall clock.
    pub sampled_at: Timestamp,
    /// When the sample began, by the clock that never jumps: rates are made with this one.
    pub taken: Instant,
    /// The same moment, by time in which the machine ran us.
    pub(super) watch: Stopwatch,
    /// So long it is shown when no newer one follows.
    pub(super) stale_after: Duration,
    /// How long it took.
    pub duration: Duration,
    /// The number of this sample since the source was started.
    pub number: u64,
    encodings: Encodings,
}

/// A reading's texts: each is made by the first who asks for it.
#[derive(Default)]
pub struct Encodings {
    texts: [OnceLock<Encoding>; Format::COUNT],
    /// What must be left out of one format is left out of the other too, and counts once.
    reported: AtomicBool,
}

impl Encodings {
    /// The text of this source's reading in this format.
    pub fn get<R>(&self, source: &'static str, groups: &'static [Group<R>], reading: &R, format: Format) -> &Encoding {
        self.texts[format as usize].get_or_init(|| {
            let encoding = encode(groups, reading, format);
            if !self.reported.swap(true, Ordering::Relaxed) {
                report(source, encoding.left_out());
            }
            encoding
        })
    }
}

impl<S: Source> Snapshot<S> {
    /// A reading taken at this moment, for tests.
    #[cfg(test)]
    pub(crate) fn of(reading: S::Reading, taken: Instant) -> Self {
        let snapshot = Self::new(reading, Timestamp::now(), Stopwatch::start(), Context::STALE_AFTER, 1);
        Self { taken, ..snapshot }
    }

    /// The same, shown for another time, for tests.
    #[cfg(test)]
    pub(crate) fn shown_for(self, stale_after: Duration) -> Self {
        Self { stale_after, ..self }
    }

    pub(super) fn new(
        reading: S::Reading,
        sampled_at: Timestamp,
        watch: Stopwatch,
        stale_after: Duration,
        number: u64,
    ) -> Self {
        let (taken, encodings) = (watch.started(), Encodings::default());
        Self { reading, sampled_at, taken, watch, stale_after, duration: taken.elapsed(), number, encodings }
    }

    /// Whether it is young enough to be shown. Time in which the machine stood still does not count, as nobody could
    /// have read anything newer, but no more than a minute of it: after a long stop old values are no values.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.watch.elapsed() <= self.stale_after && self.taken.elapsed() <= self.stale_after + LONGEST_STOP
    }
}

/// A reading as text for scrapers.
pub trait Exposition: Send + Sync {
    /// The reading's text; encoded by the first call, shared by all later ones.
    fn encoding(&self, format: Format) -> &Encoding;
}

impl<S: Source> Exposition for Snapshot<S> {
    fn encoding(&self, format: Format) -> &Encoding {
        self.encodings.get(S::NAME, S::groups(), &self.reading, format)
    }
}
