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
