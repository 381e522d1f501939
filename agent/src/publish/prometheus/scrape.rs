//! One scrape: the finished texts of the sources, strung together.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use aura_exposition::{ContentEncoding, Format};
use aura_host::NOT_READ;
use bytes::Bytes;
use tracing::warn;

use super::{cache::Cache, compress};
use crate::hub::{AnyReading, AnySource, Published};

/// The end of an OpenMetrics exposition.
const END: &[u8] = b"# EOF\n";

/// The group that stands in every part, so that each scrape job sees the agent's own process.
const PROCESS: &str = "process";

/// What a scraper asked for, from the path and the query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scrape {
    /// One part (`/metrics/<part>`), or everything.
    pub part: Option<String>,
    /// Only these groups (`collect[]`); all when empty.
    pub collect: Vec<String>,
    /// All but these groups (`exclude[]`).
    pub exclude: Vec<String>,
}

/// A scrape that asks for what there is not.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScrapeError {
    /// Both filters were given.
    #[error("collect[] and exclude[] cannot be combined")]
    BothFilters,
    /// No source has such a group.
    #[error("no collector is named {name:?}; there are: {known}")]
    UnknownGroup {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// No source has such a part.
    #[error("no part of the metrics is named {name:?}; there are: {known}")]
    UnknownPart {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

impl Scrape {
    /// Reads `collect[]` and `exclude[]` from a query.
    ///
    /// # Errors
    /// When both are given.
    pub fn parse(part: Option<&str>, query: Option<&str>) -> Result<Self, ScrapeError> {
        let mut scrape = Self { part: part.map(str::to_owned), ..Self::default() };
        for (key, value) in query.into_iter().flat_map(|query| form_urlencoded::parse(query.as_bytes())) {
            match &*key {
                "collect[]" => scrape.collect.push(value.into_owned()),
                "exclude[]" => scrape.exclude.push(value.into_owned()),
                _ => {}
            }
        }
        if scrape.collect.is_empty() || scrape.exclude.is_empty() { Ok(scrape) } else { Err(ScrapeError::BothFilters) }
    }

    pub(super) fn check(&self, sources: &[AnySource]) -> Result<(), ScrapeError> {
        let known = |names: Vec<&str>| names.join(", ");
        if let Some(part) = &self.part
            && !sources.iter().any(|source| source.part() == part)
        {
            // Several sources may share a part.
            let mut parts: Vec<&str> = Vec::new();
            for part in sources.iter().map(|source| source.part()) {
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
            return Err(ScrapeError::UnknownPart { name: part.clone(), known: known(parts) });
        }
        if self.collect.is_empty() {
            return Ok(());
        }
        // Whatever is excluded is not there, as with node_exporter; and a job that asks for its collectors keeps those
        // that are here.
        let groups: Vec<&str> = sources.iter().flat_map(|source| source.groups()).collect();
        for name in self.collect.iter().filter(|name| !groups.contains(&name.as_str())) {
            match NOT_READ.iter().find(|collector| *collector == name) {
                Some(collector) => say_once(collector),
                None => return Err(ScrapeError::UnknownGroup { name: name.clone(), known: known(groups) }),
            }
        }
        Ok(())
    }

    fn wants(&self, source: &dyn Published, group: &str) -> bool {
        let part = self.part.as_ref().is_none_or(|part| source.part() == part || group == PROCESS);
        let collect = self.collect.is_empty() || self.collect.iter().any(|name| name == group);
        part && collect && !self.exclude.iter().any(|name| name == group)
    }
}

fn say_once(collector: &'static str) {
    static SAID: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(collector) {
        warn!("a scrape asks for node_exporter's collector {collector}, which is not read: see docs/compatibility.md");
    }
}

/// Joins the body of a scrape of these readings.
pub(super) fn join(
    cache: &Cache,
    readings: &[(&AnySource, Arc<dyn AnyReading>)],
    scrape: &Scrape,
    format: Format,
    encoding: ContentEncoding,
) -> Bytes {
    let end = (format == Format::OpenMetrics).then(|| Bytes::from_static(END));
    let pieces = readings
        .iter()
        .flat_map(|(source, reading)| cache.text(reading, format).select(|group| scrape.wants(&***source, group)));
    let text = pieces.chain(end).collect::<Vec<Bytes>>().concat();
    match encoding {
        ContentEncoding::Identity => text.into(),
        ContentEncoding::Gzip => compress::gzip(&text),
        ContentEncoding::Zstd => compress::zstd(&text),
    }
}
