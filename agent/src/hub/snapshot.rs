//! One reading, when it was taken, and its encodings: each made once, for the first who asks, and shared.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aura_model::{Group, Source};
use jiff::Timestamp;

use crate::publish::prometheus::{Encoding, Format, encode};

/// One reading of a source.
pub struct Snapshot<S: Source> {
    /// What was read.
    pub reading: S::Reading,
    /// When the sample began, by the wall clock.
    pub sampled_at: Timestamp,
    /// When the sample began, by the clock that never jumps: rates are made with this one.
    pub taken: Instant,
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
                encoding.report(source);
            }
            encoding
        })
    }
}

impl<S: Source> Snapshot<S> {
    /// A reading taken at this moment, for tests.
    #[cfg(test)]
    pub(crate) fn of(reading: S::Reading, taken: Instant) -> Self {
        Self::new(reading, Timestamp::now(), taken, Duration::ZERO, 1)
    }

    pub(super) fn new(
        reading: S::Reading,
        sampled_at: Timestamp,
        taken: Instant,
        duration: Duration,
        number: u64,
    ) -> Self {
        Self { reading, sampled_at, taken, duration, number, encodings: Encodings::default() }
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
