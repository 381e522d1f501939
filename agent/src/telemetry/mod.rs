//! What the agent says about itself: its process, its sources' health, its feeds.
//!
//! Unlike a source this is not sampled on a timer: it is put together when a scraper asks, at most once a second,
//! so that it costs nothing while nobody does.

mod metrics;
mod process;

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use aura_model::{EachGroup, each_group};

pub use self::{metrics::GROUPS, process::Process};
use crate::{
    VERSION,
    hub::{AnyReading, Health, Hub, Published},
    publish::feed::{Feed, Stats},
};

/// For so long one reading of ourselves serves all scrapers.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// The agent as it sees itself.
pub struct Telemetry {
    hub: Weak<Hub>,
    feeds: Vec<Feed>,
    events: Arc<Events>,
    started: process::Start,
    latest: Mutex<Option<Arc<Reading>>>,
}

/// What is counted where it happens.
#[derive(Debug, Default)]
pub struct Events(Mutex<EventCounts>);

/// What was counted since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventCounts {
    /// Whether the newest attempt to reload the configuration succeeded; none before the first load.
    pub reload_success: bool,
    /// When the configuration was last loaded, in Unix seconds.
    pub reload_time: f64,
    /// Requests answered, of all kinds.
    pub requests: u64,
    /// Those of them that failed on our side: status 500 and above.
    pub failed_requests: u64,
    /// Scrapes answered, and those refused for their parameters or because too many ran.
    pub scrapes: u64,
    /// Scrapes refused.
    pub scrapes_refused: u64,
    /// Limits that are exceeded now: name and severity.
    pub alerts: Vec<(&'static str, &'static str)>,
}

impl Events {
    /// Changes the counts.
    pub fn note(&self, change: impl FnOnce(&mut EventCounts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What was counted.
    pub fn counts(&self) -> EventCounts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The agent at one moment.
pub struct Reading {
    taken: Instant,
    process: Option<Process>,
    sources: Vec<Health>,
    feeds: Vec<Feed>,
    events: EventCounts,
}

impl Telemetry {
    /// The agent over this hub and these feeds.
    #[must_use]
    pub fn new(hub: &Arc<Hub>, feeds: Vec<Feed>, events: Arc<Events>) -> Self {
        Self { hub: Arc::downgrade(hub), feeds, events, started: process::Start::now(), latest: Mutex::new(None) }
    }

    fn read(&self) -> Arc<Reading> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = latest.as_ref().filter(|reading| reading.taken.elapsed() < SHARED_FOR) {
            return reading.clone();
        }
        let sources = self.hub.upgrade().map(|hub| hub.sources()).unwrap_or_default();
        let reading = Arc::new(Reading {
            taken: Instant::now(),
            process: Process::read(self.started),
            sources: sources.iter().filter(|source| source.is_source()).map(|source| source.health()).collect(),
            feeds: self.feeds.clone(),
            events: self.events.counts(),
        });
        *latest = Some(reading.clone());
        reading
    }

    /// Its name among the sources; it is none, and lists leave it out.
    pub const NAME: &str = "aura";

    /// Its part of the metrics.
    pub const PART: &str = "aura";
}

impl Reading {
    fn stats(&self) -> impl Iterator<Item = (&'static str, &Stats)> {
        self.feeds.iter().map(|feed| (feed.name(), feed.stats()))
    }
}

impl AnyReading for Reading {
    fn source(&self) -> &'static str {
        Telemetry::NAME
    }

    fn groups(&self, each: EachGroup<'_>) {
        each_group(GROUPS, self, each);
    }
}

impl Published for Telemetry {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn is_source(&self) -> bool {
        false
    }

    fn part(&self) -> &'static str {
        Self::PART
    }

    fn reading(&self) -> Option<Arc<dyn AnyReading>> {
        Some(self.read())
    }

    fn health(&self) -> Health {
        Health::derived(Self::NAME, SHARED_FOR)
    }

    fn groups(&self) -> Vec<&'static str> {
        GROUPS.iter().map(|group| group.name).collect()
    }
}

/// Version and commit, for `aura_build_info`.
fn build() -> (&'static str, &'static str) {
    (VERSION, crate::COMMIT)
}
