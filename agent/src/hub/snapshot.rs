//! One reading, and when it was taken.

use std::time::{Duration, Instant};

#[cfg(test)]
use aura_model::Context;
use aura_model::{EachGroup, Source, Stopwatch, each_group};
use jiff::Timestamp;

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
        let taken = watch.started();
        Self { reading, sampled_at, taken, watch, stale_after, duration: taken.elapsed(), number }
    }

    /// Whether it is young enough to be shown. Time in which the machine stood still does not count, as nobody could
    /// have read anything newer, but no more than a minute of it: after a long stop old values are no values.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.watch.elapsed() <= self.stale_after && self.taken.elapsed() <= self.stale_after + LONGEST_STOP
    }
}

/// A reading of any type, as publishers see it.
pub trait AnyReading: Send + Sync {
    /// The name of its source.
    fn source(&self) -> &'static str;

    /// Shows each group.
    fn groups(&self, each: EachGroup<'_>);
}

impl<S: Source> AnyReading for Snapshot<S> {
    fn source(&self) -> &'static str {
        S::NAME
    }

    fn groups(&self, each: EachGroup<'_>) {
        each_group(S::groups(), &self.reading, each);
    }
}
