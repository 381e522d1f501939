//! Audit and event logs as a source.
//!
//! An installation's programs append JSON Lines to a handful of files, several programs to one file, each in its own
//! shape, and rotate them as they like. [`Audit`] follows these files and counts what is in them; each line is counted
//! once, whatever happens to the file, and to the agent. [`page`] answers a person's questions from the same files,
//! apart from that. What a line means is decided in one place for both.

mod archives;
mod backward;
mod clock;
mod contents;
mod counts;
mod event;
mod follow;
mod forward;
mod frame;
mod known;
mod lines;
mod metrics;
mod moment;
mod options;
mod position;
mod query;
mod recent;
mod recognise;
mod records;
mod scan;
mod sign;
mod state;
mod stream;
mod summary;
mod text;
mod turn;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use aura_model::{Context, Group, Missing, Options, Reason, Source};
use serde::Serialize;

use self::{
    clock::Clock,
    follow::{Follower, Look, Rules},
    recent::Recent,
    sign::Key,
    state::Storage,
};
pub use self::{
    counts::{SignatureCounts, SkippedCounts, Spike},
    event::{Level, Outcome},
    options::{AuditOptions, FileOptions, Log},
    query::{AuditEvent, KeyRing, Page, Place, QueryError, Request, page},
};

/// Following may take this part of the time, so that catching up with gigabytes leaves the machine to others.
const SHARE: u32 = 6;
/// So long at least reads a log that is behind, before the next has its turn.
const TURN: Duration = Duration::from_millis(5);

/// The logs that are followed.
pub struct Audit {
    followers: Vec<Follower>,
    rules: Rules,
    key_ring: Option<KeyRing>,
    storage: Option<Storage>,
    /// Whether the state could not be kept the last time.
    storage_fails: bool,
    /// How long one look may read.
    budget: Duration,
    /// Whose turn it is first.
    first: usize,
    buffer: Vec<u8>,
    problems: Vec<String>,
    recent: Recent,
    revision: u64,
    /// Bytes, rotations and sizes of the reading before: what tells that something is new.
    before: Vec<(u64, u64, Option<u64>)>,
}

/// All logs at one moment.
#[derive(Debug, Serialize)]
pub struct AuditReading {
    /// One more whenever something new was counted.
    pub revision: u64,
    /// Each log.
    pub logs: Vec<LogReading>,
    /// The newest events of all logs, the newest first.
    pub recent: Arc<Vec<AuditEvent>>,
    /// Whether positions and numbers are kept for the next start; none where there is no folder for them.
    pub kept: Option<bool>,
    /// What does not work as it should, in sentences.
    pub problems: Vec<String>,
}

/// One log at one moment. Numbers count from when the log was first followed.
#[derive(Debug, Serialize)]
pub struct LogReading {
    /// Its name.
    pub name: String,
    /// Its live file.
    pub path: PathBuf,
    /// `following`, `waiting` (there is no such file yet) or `unreadable`.
    pub state: &'static str,
    /// Why it cannot be read.
    pub missing: Option<Missing>,
    /// Size of the live file.
    pub size: Option<u64>,
    /// Bytes that are not counted yet.
    pub unread: u64,
    /// Events by kind, level and outcome.
    pub events: Vec<EventCount>,
    /// All events together.
    pub total: u64,
    /// Lines that are no events.
    pub skipped: SkippedCounts,
    /// Signed records.
    pub signatures: SignatureCounts,
    /// Bytes counted.
    pub bytes: u64,
    /// How often the live file was renamed, replaced or cut.
    pub rotations: u64,
    /// How often something may have been lost.
    pub gaps: u64,
    /// The time of the event read last, in Unix seconds.
    pub last_event_seconds: Option<f64>,
    /// The kinds that are watched for spikes.
    pub spikes: Vec<Spike>,
}

/// How many events of one kind, level and outcome there were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventCount {
    /// The kind; `other` for those beyond the limit.
    pub kind: String,
    /// The level.
    pub level: Level,
    /// The outcome.
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
}

impl Source for Audit {
    type Options = AuditOptions;
    type Reading = AuditReading;

    const NAME: &'static str = "audit";
    const PART: &'static str = "aura";

    fn groups() -> &'static [Group<AuditReading>] {
        metrics::GROUPS
    }

    fn open(options: &AuditOptions, context: &Context) -> Result<Self, Missing> {
        let logs = options.logs();
        if logs.is_empty() {
            let detail = "no audit logs are named: set sources.audit.roots to the root folder of an installation, or \
                          sources.audit.files to the logs themselves";
            return Err(Missing::new(Reason::NotConfigured, detail));
        }
        if options.files.is_empty()
            && let Some(root) = options.roots.iter().find(|root| !root.is_dir())
        {
            let detail = format!("{}: no such folder; see sources.audit.roots", root.display());
            return Err(Missing::new(Reason::NoSensor, detail));
        }
        let storage = context.storage.as_deref().map(Storage::open).transpose()?;
        let mut problems = Vec::new();
        let mut read_key = |path: &PathBuf| {
            let result = Key::read(path);
            result
                .map_err(|error| problems.push(format!("signatures are not checked: {}: {error}", path.display())))
                .ok()
        };
        let rules = Rules {
            kinds: options.kinds as usize,
            spikes: options.spikes.clone(),
            clock: Clock::start(storage.as_ref().and_then(Storage::written)),
            key: options.signing_key_file.as_ref().and_then(&mut read_key),
        };
        let key_ring = options.signing_key_file.as_ref().and_then(|path| KeyRing::read(path).ok());
        let state = |log: &Log| storage.as_ref().map(|storage| storage.log(&log.path)).unwrap_or_default();
        let followers = logs.iter().map(|log| Follower::new(log.clone(), state(log))).collect();
        Ok(Self {
            followers,
            rules,
            key_ring,
            storage,
            storage_fails: false,
            budget: (options.schedule().interval.get() / SHARE).min(options.schedule().timeout.get() / 2),
            first: 0,
            buffer: Vec::new(),
            problems,
            recent: Recent::new(logs),
            revision: 0,
            before: Vec::new(),
        })
    }

    fn sample(&mut self) -> Result<AuditReading, Missing> {
        self.rules.clock.tick();
        let looks = self.look();
        // First kept, then shown: what was shown is never counted again.
        let now = self.rules.clock.now();
        let kept = self.storage.as_mut().map(|storage| {
            storage.keep(now, self.followers.iter().map(|follower| (follower.log.path.as_path(), &follower.state)))
        });
        self.tell_of_storage(kept.as_ref());
        self.note_changes(&looks);
        let logs =
            self.followers.iter().zip(looks).map(|(follower, look)| read(follower, look, now, &self.rules.spikes));
        let mut problems = self.problems.clone();
        problems.extend(self.followers.iter().filter_map(Follower::finding));
        if let Some(Err(missing)) = &kept {
            problems.push(format!("a restart would count lines again: {}", missing.detail));
        }
        Ok(AuditReading {
            revision: self.revision,
            logs: logs.collect(),
            recent: self.recent.events(),
            kept: kept.map(|result| result.is_ok()),
            problems,
        })
    }

    fn describe(reading: &AuditReading) -> Vec<String> {
        let names = |state: &str| {
            let names: Vec<&str> =
                reading.logs.iter().filter(|log| log.state == state).map(|log| log.name.as_str()).collect();
            names.join(", ")
        };
        let mut lines = Vec::new();
        for (state, words) in
            [("following", "following"), ("waiting", "not there yet"), ("unreadable", "there, but not readable")]
        {
            let names = names(state);
            if !names.is_empty() {
                lines.push(format!("{words}: {names}"));
            }
        }
        if reading.kept.is_none() {
            lines.push(
                "no storage.path: after a restart, counting begins anew with what the live files hold".to_owned(),
            );
        }
        // That the state cannot be kept, which comes last, is said where it happens.
        let problems = reading.problems.len() - usize::from(reading.kept == Some(false));
        lines.extend(reading.problems.iter().take(problems).cloned());
        lines
    }
}

impl Audit {
    /// Says once that the state cannot be kept, a full disk say, and once when it can be again.
    fn tell_of_storage(&mut self, kept: Option<&Result<(), Missing>>) {
        match kept {
            Some(Err(missing)) if !self.storage_fails => {
                tracing::warn!(source = "audit", "a restart would count lines again: {missing}");
            }
            Some(Ok(())) if self.storage_fails => {
                tracing::info!(source = "audit", "positions and numbers are kept again");
            }
            _ => {}
        }
        self.storage_fails = matches!(kept, Some(Err(_)));
    }

    fn note_changes(&mut self, looks: &[Result<Look, Missing>]) {
        let state: Vec<(u64, u64, Option<u64>)> = self
            .followers
            .iter()
            .zip(looks)
            .map(|(follower, look)| {
                let counts = &follower.state.counts;
                (counts.bytes, counts.rotations, look.as_ref().ok().and_then(|look| look.size))
            })
            .collect();
        if state == self.before && self.revision > 0 {
            return;
        }
        let changed = |index: usize| {
            let size =
                |state: &[(u64, u64, Option<u64>)]| state.get(index).map(|(_, rotations, size)| (*rotations, *size));
            size(&self.before) != size(&state)
        };
        self.recent.read((0..state.len()).filter(|&index| changed(index)), self.key_ring.as_ref());
        self.before = state;
        self.revision += 1;
    }

    /// Each log in turn, and those that are behind again, as long as there is time: none waits for another.
    fn look(&mut self) -> Vec<Result<Look, Missing>> {
        let deadline = Instant::now() + self.budget;
        let mut looks: Vec<Option<Result<Look, Missing>>> = self.followers.iter().map(|_| None).collect();
        let mut waiting: Vec<usize> = (0..self.followers.len()).collect();
        // Who was last is first, so that also where nothing is left each comes to its turn.
        waiting.rotate_left(self.first % self.followers.len().max(1));
        self.first = self.first.wrapping_add(1);
        while !waiting.is_empty() {
            let mut behind = Vec::new();
            for (place, &index) in waiting.iter().enumerate() {
                let follower = &mut self.followers[index];
                if looks[index].is_none() {
                    follower.state.counts.prune(&self.rules.clock, &self.rules.spikes);
                }
                let now = Instant::now();
                let left = deadline.saturating_duration_since(now);
                if left.is_zero() && looks[index].is_some() {
                    continue;
                }
                let share = left / u32::try_from(waiting.len() - place).unwrap_or(1);
                let look = follower.look(&self.rules, &mut self.buffer, now + share.max(TURN).min(left));
                if matches!(look, Ok(Look { behind: true, .. })) {
                    behind.push(index);
                }
                looks[index] = Some(look.map_err(|error| Missing::from_io(&follower.log.path, &error)));
            }
            waiting = if Instant::now() < deadline { behind } else { Vec::new() };
        }
        looks.into_iter().flatten().collect()
    }
}

fn read(follower: &Follower, look: Result<Look, Missing>, now: i64, watched: &BTreeMap<String, u64>) -> LogReading {
    let counts = &follower.state.counts;
    let mut events = Vec::new();
    for kind in &counts.kinds {
        for (level, outcomes) in Level::ALL.into_iter().zip(&kind.events) {
            for (outcome, &count) in Outcome::ALL.into_iter().zip(outcomes) {
                if count > 0 {
                    events.push(EventCount { kind: kind.name.clone(), level, outcome, count });
                }
            }
        }
    }
    let (look, missing) = match look {
        Ok(look) => (look, None),
        Err(missing) => (Look { size: None, unread: 0, behind: false }, Some(missing)),
    };
    LogReading {
        name: follower.log.name.clone(),
        path: follower.log.path.clone(),
        state: match (&missing, look.size) {
            (Some(_), _) => "unreadable",
            (None, Some(_)) => "following",
            (None, None) => "waiting",
        },
        missing,
        size: look.size,
        unread: look.unread,
        events,
        total: counts.total(),
        skipped: counts.skipped,
        signatures: counts.signatures,
        bytes: counts.bytes,
        rotations: counts.rotations,
        gaps: counts.gaps,
        #[expect(clippy::cast_precision_loss, reason = "milliseconds until the year 9999 are below 2^53")]
        last_event_seconds: counts.last_time.map(|time| time as f64 / 1000.0),
        spikes: counts.spikes(now, watched),
    }
}
