//! What this process did to each server, so that a reading can say it beside what the server says.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;

/// Upper ends of the histogram's buckets in seconds: models are slow to start, and slow disks make it minutes.
pub(crate) const BUCKETS: [f64; 12] = [0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0];

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// A model was to be loaded.
    Load,
    /// A model was to be unloaded.
    Unload,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `/api/ps` shows it.
    Ok,
    /// There is no such model.
    NotFound,
    /// It does not fit into memory.
    NoMemory,
    /// The model cannot do it.
    Unsupported,
    /// The server takes no more requests.
    Busy,
    /// The server cannot be reached.
    Unreachable,
    /// It took too long.
    Timeout,
    /// Anything else.
    Failed,
    /// Ollama was not asked: it would have taken away another model, would not have fitted, or cannot be done.
    Declined,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Ok,
        Self::NotFound,
        Self::NoMemory,
        Self::Unsupported,
        Self::Busy,
        Self::Unreachable,
        Self::Timeout,
        Self::Failed,
        Self::Declined,
    ];

    /// The word in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotFound => "not_found",
            Self::NoMemory => "no_memory",
            Self::Unsupported => "unsupported",
            Self::Busy => "busy",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
            Self::Declined => "declined",
        }
    }
}

/// How often something ended so, and how long it took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// How long in all, in seconds.
    pub seconds: f64,
    /// How often within each bucket and none before it.
    pub within: [u64; BUCKETS.len()],
}

/// What was done to one server, by [`Outcome::ALL`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Commands {
    /// Loads.
    pub loads: [Tally; Outcome::ALL.len()],
    /// Unloads.
    pub unloads: [Tally; Outcome::ALL.len()],
}

/// What this agent did to its servers, for as long as it runs. Whoever commands notes it here, and the source shows it.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<String, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    commands: Commands,
    /// Grows with the begin and the end of each command.
    revision: u64,
}

impl Ledger {
    /// Notes the end of a command. Servers are those of the configuration, so the ledger does not grow.
    pub(crate) fn note(&self, host: &str, action: Action, outcome: Outcome, duration: Duration) {
        let mut servers = self.servers();
        let Entry { commands, revision } = servers.entry(host.to_owned()).or_default();
        *revision += 1;
        let tallies = match action {
            Action::Load => &mut commands.loads,
            Action::Unload => &mut commands.unloads,
        };
        let tally = &mut tallies[outcome as usize];
        tally.count += 1;
        tally.seconds += duration.as_secs_f64();
        if let Some(bucket) = BUCKETS.iter().position(|&end| duration.as_secs_f64() <= end) {
            tally.within[bucket] += 1;
        }
    }

    /// What was done to a server so far.
    pub(crate) fn commands(&self, host: &str) -> Commands {
        self.servers().get(host).map(|entry| entry.commands.clone()).unwrap_or_default()
    }

    /// A command begins.
    pub(crate) fn begin(&self, host: &str) {
        self.servers().entry(host.to_owned()).or_default().revision += 1;
    }

    /// Another number after each begin and end of a command.
    pub(crate) fn revision(&self, host: &str) -> u64 {
        self.servers().get(host).map_or(0, |entry| entry.revision)
    }

    fn servers(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
