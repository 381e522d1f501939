//! Series that are left out of the metrics, since an equal one is there already: two of them would cost a scraper one
//! of the two at its own choice, or the whole scrape. They are counted, and each is named in the log once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use aura_exposition::LeftOut;
use tracing::warn;

/// So many series of one source are named while the agent runs.
const SAID: usize = 256;

/// Counts what was left out of a reading of the source, and names the series that were not named before.
pub fn report(source: &'static str, left_out: &LeftOut) {
    if left_out.count == 0 {
        return;
    }
    let mut totals = totals();
    let total = totals.entry(source).or_default();
    total.count += left_out.count;
    for series in &left_out.series {
        if total.said.len() < SAID && total.said.insert(series.clone()) {
            warn!(
                source,
                "a series is left out of the metrics, as an equal one is there or its name is none: {series:?}"
            );
        }
    }
}

/// What was left out of one source's readings since the start.
#[derive(Default)]
struct Total {
    count: u64,
    said: BTreeSet<String>,
}

static TOTALS: Mutex<BTreeMap<&str, Total>> = Mutex::new(BTreeMap::new());

fn totals() -> MutexGuard<'static, BTreeMap<&'static str, Total>> {
    TOTALS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many series of this source were left out since the agent started: once for each reading that somebody scraped.
pub fn left_out(source: &str) -> u64 {
    totals().get(source).map_or(0, |total| total.count)
}

#[cfg(test)]
mod tests {
    use aura_exposition::Format;
    use aura_model::{Group, Metric, declare, rows, walk};

    use super::*;
    use crate::hub::Encodings;

    const METRICS: &[Metric<[&str; 2]>] = rows! { |labels|
        for label in labels => { label } {
            gauge "twice" = 1, "The labels may be equal.";
        }
    };

    const GROUPS: &[Group<[&str; 2]>] = &[Group {
        name: "twice",
        walk: |labels, emit| walk(METRICS, labels, emit),
        declare: |show| declare(METRICS, show),
    }];

    #[test]
    fn what_was_left_out_counts_once_for_a_reading_in_whatever_formats_it_is_asked_for() {
        let reading = Encodings::default();
        for format in [Format::Text, Format::OpenMetrics, Format::Text] {
            reading.get("a test's own source", GROUPS, &["a", "a"], format);
            assert_eq!(left_out("a test's own source"), 1);
        }
        Encodings::default().get("a test's own source", GROUPS, &["a", "a"], Format::OpenMetrics);
        assert_eq!(left_out("a test's own source"), 2);
    }
}
