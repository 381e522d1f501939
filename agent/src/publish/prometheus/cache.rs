//! The newest readings' texts: each is made for the first scrape that needs it, and shared by all later ones.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use aura_exposition::{Encoding, Format, encode};

use super::report;
use crate::hub::AnyReading;

/// The texts of readings that somebody still has. What is gone goes with the next scrape.
#[derive(Default)]
pub(super) struct Cache(Mutex<Vec<Texts>>);

struct Texts {
    reading: Weak<dyn AnyReading>,
    made: [Option<Arc<Encoding>>; Format::COUNT],
}

impl Cache {
    /// The text of a reading.
    pub(super) fn text(&self, reading: &Arc<dyn AnyReading>, format: Format) -> Arc<Encoding> {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.retain(|texts| texts.reading.strong_count() > 0);
        // An address is a reading's alone for as long as something points at it, a weak pointer included.
        let known = cached.iter().position(|texts| std::ptr::addr_eq(texts.reading.as_ptr(), Arc::as_ptr(reading)));
        let index = known.unwrap_or_else(|| {
            cached.push(Texts { reading: Arc::downgrade(reading), made: Default::default() });
            cached.len() - 1
        });
        let made = &mut cached[index].made;
        // What must be left out of one format is left out of the other too, and counts once.
        let is_first = made.iter().all(Option::is_none);
        let text = made[format as usize].get_or_insert_with(|| {
            let text = encode(|each| reading.groups(each), format);
            if is_first {
                report(reading.source(), text.left_out());
            }
            Arc::new(text)
        });
        Arc::clone(text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use aura_model::{EachGroup, Emit, Family, Kind, Unit};

    use super::*;
    use crate::publish::prometheus::left_out;

    /// Hands over the same sample twice, and counts how often it is asked to.
    #[derive(Default)]
    struct Twice(AtomicUsize);

    impl AnyReading for Twice {
        fn source(&self) -> &'static str {
            "a test's own source"
        }

        fn groups(&self, each: EachGroup<'_>) {
            self.0.fetch_add(1, Relaxed);
            let family = Family { name: "t_odd", help: "Odd.", kind: Kind::Gauge, unit: Unit::None, labels: &[] };
            let samples = |emit: &mut dyn Emit| {
                emit.family(&family);
                emit.value(1_u64);
                emit.value(2_u64);
            };
            each("odd", &samples);
        }
    }

    #[test]
    fn a_reading_is_encoded_once_for_each_format_and_what_was_left_out_counts_once() {
        let (cache, twice) = (Cache::default(), Arc::new(Twice::default()));
        let reading: Arc<dyn AnyReading> = twice.clone();
        for format in [Format::Text, Format::OpenMetrics, Format::Text] {
            cache.text(&reading, format);
            assert_eq!(left_out("a test's own source"), 1);
        }
        assert_eq!(twice.0.load(Relaxed), 2);
        let next: Arc<dyn AnyReading> = Arc::new(Twice::default());
        drop((twice, reading));
        cache.text(&next, Format::OpenMetrics);
        assert_eq!(left_out("a test's own source"), 2);
        assert_eq!(cache.0.lock().unwrap().len(), 1, "the text of a reading that is gone was kept");
    }
}
