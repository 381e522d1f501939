//! All text files as one, without what clashes.

use std::{
    collections::{BTreeMap, HashSet, btree_map::Entry},
    sync::Arc,
};

use aura_exposition::TextFamily;
use aura_model::{Kind, Source};

use super::{Kept, MOST_FILES, matches};

/// Series that are taken at most, over all files.
const MOST_SERIES: usize = 50_000;

#[derive(Default)]
pub(super) struct Merged {
    pub(super) families: Arc<Vec<TextFamily>>,
    pub(super) clashes: Vec<String>,
}

/// All files as one, each family once, sorted by name.
pub(super) fn merge(files: &[&Kept], ours: &Ours) -> Merged {
    let mut families: BTreeMap<&str, TextFamily> = BTreeMap::new();
    let mut seen = HashSet::new();
    let mut clashes = Vec::new();
    for file in files {
        for family in file.content.iter().flat_map(|families| families.iter()) {
            let clash = |why: &str| format!("{}: {} {why}", file.path, family.name);
            if ours.has(family) {
                clashes.push(clash("is a metric of the agent itself; give it another name"));
                continue;
            }
            let all = match families.entry(&family.name) {
                Entry::Vacant(place) => place.insert(TextFamily { series: Vec::new(), ..family.clone() }),
                Entry::Occupied(place) => place.into_mut(),
            };
            if all.kind != family.kind {
                clashes.push(clash("has another type in another file"));
                continue;
            }
            if all.help != family.help && !family.help_is_ours {
                if all.help_is_ours {
                    all.help.clone_from(&family.help);
                    all.help_is_ours = false;
                } else {
                    clashes.push(clash("has another help text in another file, which is kept"));
                }
            }
            for series in &family.series {
                let mut labels = series.labels.clone();
                labels.sort();
                if seen.len() >= MOST_SERIES {
                    clashes.push(format!("more than {MOST_SERIES} series; those of {} are cut off", file.path));
                    break;
                }
                if seen.insert((family.name.as_str(), series.suffix, labels)) {
                    all.series.push(series.clone());
                } else {
                    clashes.push(clash(&format!("has the series {:?} twice; the first is kept", series.labels)));
                }
            }
        }
    }
    clashes.dedup();
    clashes.truncate(MOST_FILES);
    let families = families.into_values().filter(|family| !family.series.is_empty()).collect();
    Merged { families: Arc::new(families), clashes }
}

/// The names that our own collectors and all other sources declare; a `*` in them means anything.
pub(super) struct Ours(Vec<&'static str>);

impl Ours {
    pub(super) fn new(declared: &[&'static str]) -> Self {
        let mut names: Vec<&str> = declared.iter().copied().filter(|name| *name != "*").collect();
        for group in crate::Host::groups().iter().filter(|group| group.name != "textfile") {
            (group.declare)(&mut |family| names.push(family.name));
        }
        names.extend(["node_textfile_mtime_seconds", "node_textfile_scrape_error"]);
        names.extend(["node_scrape_collector_duration_seconds", "node_scrape_collector_success"]);
        Self(names)
    }

    fn has(&self, family: &TextFamily) -> bool {
        let parts: &[&str] = match family.kind {
            Kind::Histogram => &["", "_bucket", "_sum", "_count"],
            Kind::Summary => &["", "_sum", "_count"],
            _ => &[""],
        };
        // OpenMetrics calls a counter by its name without the ending.
        let is = |name: &str| self.0.iter().any(|pattern| matches(pattern, name));
        parts.iter().any(|part| is(&format!("{}{part}", family.name)))
            || is(&format!("{}_total", family.name))
            || family.name.strip_suffix("_total").is_some_and(is)
    }
}
