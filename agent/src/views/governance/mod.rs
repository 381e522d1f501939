//! Roles and audit logs as people want them: one feed of both, and pages of events on request.
//!
//! A page reads the log files itself, on a thread for that and never in a sample, because what somebody looks for may
//! lie far back. Everything else is made from the sources' newest readings.

pub mod message;
mod routes;

use std::{
    collections::BTreeMap,
    iter,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use aura_audit::{Audit, AuditOptions, Level, Log};
use aura_model::{Missing, Reason, Source, Switch};
use aura_roles::{RoleFiles, TrustScale};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::Semaphore;

use self::message::{
    AuditUpdate, AuditView, EventView, GovernanceUpdate, InstallationView, LogView, RoleView, RolesMeta, RolesUpdate,
    RolesView, Root, SpikeView,
};
use super::view::{Make, View};
use crate::{
    api::{FeedDescription, Routes},
    config::{Config, suggestion},
    hub::{Channel, Hub, Published, Snapshot},
    publish::feed,
    views::time::{rfc3339, rfc3339_of_seconds},
};

/// Events in the first message to each client, and in the answer to one who does not say how many.
const EVENTS: usize = 20;
/// Events in each message after it.
const NEW_EVENTS: usize = 10;
/// The most of a list that has no end of its own.
const LISTED: usize = 100;
/// A message is sent so often even when nothing has changed.
const IDLE: Duration = Duration::from_secs(5);
/// Pages that are read at once.
const READERS: usize = 4;

/// Roles and audit logs for people.
pub struct GovernanceView {
    hub: Arc<Hub>,
    query: RwLock<Arc<Sources>>,
    readers: Arc<Semaphore>,
    /// Which readings the newest message is made from, and when it was sent.
    said: Mutex<Option<(Revisions, Instant)>>,
}

/// What tells one pair of readings of both sources from the next.
type Revisions = (Option<u64>, Option<u64>);

/// What pages of events are read from.
struct Sources {
    logs: Vec<Log>,
    key_file: Option<PathBuf>,
}

impl View for GovernanceView {
    const FEED: FeedDescription = message::FEED;
    const ABOUT: &'static str = "Roles and audit logs: see [roles](sources/roles.md), [audit logs](sources/audit.md).";
    const SOURCES: &'static [&'static str] = &[Audit::NAME, RoleFiles::NAME];
    const LONGEST_WAIT: Duration = IDLE;
    type Message = GovernanceUpdate;

    fn take(self: &Arc<Self>, seq: u64) -> Option<Make<GovernanceUpdate>> {
        let revisions = (
            self.hub.channel::<Audit>()?.latest().map(|snapshot| snapshot.reading.revision),
            self.hub.channel::<RoleFiles>()?.latest().map(|snapshot| snapshot.reading.revision),
        );
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.as_ref().is_some_and(|(before, at)| *before == revisions && at.elapsed() < IDLE) {
            return None;
        }
        *said = Some((revisions, Instant::now()));
        let view = Arc::clone(self);
        Some(Box::new(move || view.message("governance_update", seq, NEW_EVENTS)))
    }

    fn greeting(self: &Arc<Self>, seq: u64) -> Option<Make<GovernanceUpdate>> {
        let view = Arc::clone(self);
        Some(Box::new(move || view.message("governance_init", seq, EVENTS)))
    }

    /// From what is at hand.
    fn answer(&self, request: &str) -> Option<String> {
        #[derive(Deserialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        enum Request {
            RefreshRoles,
            RefreshAudit { level: Option<String>, limit: Option<usize> },
        }
        match serde_json::from_str(request).ok()? {
            Request::RefreshRoles => serde_json::to_string(&self.roles_update()).ok(),
            Request::RefreshAudit { level: word, limit } => match level(word.as_deref().unwrap_or("all")) {
                Ok(level) => serde_json::to_string(&self.audit_update(level, limit)).ok(),
                Err(hint) => Some(feed::error("bad_level", "there is no such level", &hint)),
            },
        }
    }

    fn routes() -> Routes<Arc<Self>> {
        routes::routes()
    }

    fn configure(&self, config: &Config) {
        *self.query.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Sources::of(&config.sources.audit));
    }
}

impl GovernanceView {
    /// Nothing read yet.
    #[must_use]
    pub fn new(hub: &Arc<Hub>, config: &Config) -> Self {
        let query = RwLock::new(Arc::new(Sources::of(&config.sources.audit)));
        Self { hub: Arc::clone(hub), query, readers: Arc::new(Semaphore::new(READERS)), said: Mutex::default() }
    }

    fn message(&self, r#type: &'static str, seq: u64, most: usize) -> GovernanceUpdate {
        let mut missing = BTreeMap::new();
        let audit =
            self.newest::<Audit>().map_err(|why| missing.extend([("audit_logs", why.clone()), ("audit", why)])).ok();
        let roles = self.newest::<RoleFiles>().map_err(|why| missing.insert("roles", why)).ok();
        let sampled = [audit.as_ref().map(|audit| audit.sampled_at), roles.as_ref().map(|roles| roles.sampled_at)];
        GovernanceUpdate {
            r#type,
            seq,
            sampled_at: sampled.into_iter().flatten().max().map(rfc3339),
            timestamp: rfc3339(Timestamp::now()),
            roles: roles.as_deref().map(roles_view),
            audit_logs: audit.as_deref().map(|audit| events(audit, None, most)),
            audit: audit.as_deref().map(audit_view),
            missing,
        }
    }

    fn roles_update(&self) -> RolesUpdate {
        let mut missing = BTreeMap::new();
        let roles = self.newest::<RoleFiles>().map_err(|why| missing.insert("roles", why)).ok();
        RolesUpdate {
            r#type: "roles_update",
            sampled_at: roles.as_ref().map(|roles| rfc3339(roles.sampled_at)),
            timestamp: rfc3339(Timestamp::now()),
            roles: roles.as_deref().map(roles_view),
            missing,
        }
    }

    fn audit_update(&self, level: Option<Level>, limit: Option<usize>) -> AuditUpdate {
        let mut missing = BTreeMap::new();
        let audit = self.newest::<Audit>().map_err(|why| missing.insert("audit_logs", why)).ok();
        AuditUpdate {
            r#type: "audit_update",
            sampled_at: audit.as_ref().map(|audit| rfc3339(audit.sampled_at)),
            timestamp: rfc3339(Timestamp::now()),
            audit_logs: audit.as_deref().map(|audit| events(audit, level, limit.unwrap_or(EVENTS))),
            missing,
        }
    }

    /// The newest reading that is on time, or why there is none.
    fn newest<S: Source>(&self) -> Result<Arc<Snapshot<S>>, Missing> {
        let channel: Arc<Channel<S>> = self.hub.channel().ok_or_else(|| starting(S::NAME))?;
        channel.latest().ok_or_else(|| channel.health().missing.unwrap_or_else(|| starting(S::NAME)))
    }
}

impl Sources {
    fn of(options: &AuditOptions) -> Self {
        let logs = if options.enabled == Switch::Off { Vec::new() } else { options.logs() };
        Self { logs, key_file: options.signing_key_file.clone() }
    }
}

fn starting(source: &str) -> Missing {
    Missing::new(Reason::Stale, format!("the source {source} has not been read yet"))
}

/// The level of this word, none for all of them; else what may be meant.
fn level(word: &str) -> Result<Option<Level>, String> {
    if word == "all" {
        return Ok(None);
    }
    let known = iter::once("all").chain(Level::ALL.map(Level::word));
    Level::of(word).map(Some).ok_or_else(|| suggestion(word, known))
}

fn events(audit: &Snapshot<Audit>, level: Option<Level>, limit: usize) -> Vec<EventView> {
    let recent = audit.reading.recent.iter().filter(|event| level.is_none_or(|level| event.level == level));
    recent.take(limit).cloned().map(EventView::from).collect()
}

fn roles_view(snapshot: &Snapshot<RoleFiles>) -> RolesView {
    let installations = &snapshot.reading.installations;
    let mut roles: Vec<RoleView> = Vec::new();
    for installation in installations {
        let name = &installation.installation;
        let all = installation.roles.iter().chain(&installation.taxonomy);
        roles.extend(all.map(|role| RoleView { installation: name.clone(), role: role.clone() }));
    }
    let scale = installations.first().map_or(TrustScale::Priority, |first| first.tree_scale);
    let root = Root {
        name: "System",
        trust_level: if scale == TrustScale::Priority { 10 } else { 5 },
        trust_scale: scale,
        children: installations.first().map(|first| first.tree.clone()).unwrap_or_default(),
    };
    let changed = installations.iter().filter_map(|roles| roles.last_change).max_by(f64::total_cmp);
    let meta = RolesMeta {
        total_roles: roles.len(),
        last_updated: changed.and_then(rfc3339_of_seconds),
        trust_scale: roles.first().map(|first| first.role.trust_scale),
    };
    let view = |roles: &Arc<aura_roles::Roles>| InstallationView {
        name: roles.installation.clone(),
        root: roles.root.clone(),
        meta: roles.meta.clone(),
        last_change: roles.last_change.and_then(rfc3339_of_seconds),
        drafts_pending: roles.drafts.iter().filter(|draft| draft.pending).count(),
        drafts: roles.drafts.iter().take(LISTED).cloned().collect(),
        migrations: roles.migrations.iter().rev().take(LISTED).rev().cloned().collect(),
        findings: roles.findings.iter().take(LISTED).cloned().collect(),
    };
    RolesView { root, roles, meta, installations: installations.iter().map(view).collect() }
}

fn audit_view(snapshot: &Snapshot<Audit>) -> AuditView {
    let reading = &snapshot.reading;
    let view = |log: &aura_audit::LogReading| LogView {
        name: log.name.clone(),
        path: log.path.clone(),
        state: log.state,
        missing: log.missing.clone(),
        size_bytes: log.size,
        unread_bytes: log.unread,
        events: log.total,
        skipped: log.skipped.total(),
        gaps: log.gaps,
        last_event: log.last_event_seconds.and_then(rfc3339_of_seconds),
        watched: log.spikes.clone(),
    };
    let mut spikes = Vec::new();
    for log in &reading.logs {
        let over = log.spikes.iter().filter(|spike| spike.spike);
        spikes.extend(over.map(|spike| SpikeView { log: log.name.clone(), spike: spike.clone() }));
    }
    AuditView {
        logs: reading.logs.iter().map(view).collect(),
        spikes,
        problems: reading.problems.clone(),
        position_kept: reading.kept,
    }
}
