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
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aura_audit::{Audit, AuditOptions, Level, Log};
use aura_model::{Missing, Reason, Source, Switch};
use aura_roles::{RoleFiles, TrustScale};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::{sync::Semaphore, time::sleep};

use self::message::{
    AuditUpdate, AuditView, EventView, GovernanceUpdate, InstallationView, LogView, RoleView, RolesMeta, RolesUpdate,
    RolesView, Root, SpikeView,
};
pub use self::routes::routes;
use crate::{
    config::suggestion,
    hub::{Channel, Hub, Published, Snapshot},
    publish::feed::{Answer, ClientRequest, Feed},
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
}

/// What pages of events are read from.
struct Sources {
    logs: Vec<Log>,
    key_file: Option<PathBuf>,
}

impl GovernanceView {
    /// Over these sources.
    #[must_use]
    pub fn new(hub: Arc<Hub>, options: &AuditOptions) -> Self {
        let query = RwLock::new(Arc::new(Sources::of(options)));
        Self { hub, query, readers: Arc::new(Semaphore::new(READERS)) }
    }

    /// After a reload.
    pub fn set_options(&self, options: &AuditOptions) {
        *self.query.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Sources::of(options));
    }

    /// Publishes a message whenever one of the sources has something new, and every few seconds.
    pub async fn publish(self: Arc<Self>, feed: Feed) {
        let (Some(audit), Some(roles)) = (self.hub.channel::<Audit>(), self.hub.channel::<RoleFiles>()) else { return };
        let (mut audit, mut roles) = (audit.subscribe(), roles.subscribe());
        let mut seq = 0;
        loop {
            let revisions = |audit: &Option<Arc<Snapshot<Audit>>>, roles: &Option<Arc<Snapshot<RoleFiles>>>| {
                let audit = audit.as_ref().map(|snapshot| snapshot.reading.revision);
                (audit, roles.as_ref().map(|snapshot| snapshot.reading.revision))
            };
            let sent = revisions(&audit.borrow_and_update(), &roles.borrow_and_update());
            seq += 1;
            let (greeter, governance) = (Arc::clone(&self), Arc::clone(&self));
            feed.greet(seq, move |out| encode(&greeter.message("governance_init", seq, EVENTS), out));
            feed.publish(seq, move |out| encode(&governance.message("governance_update", seq, NEW_EVENTS), out));
            let idle = sleep(IDLE);
            tokio::pin!(idle);
            loop {
                tokio::select! {
                    () = &mut idle => break,
                    changed = audit.changed() => if changed.is_err() { return },
                    changed = roles.changed() => if changed.is_err() { return },
                }
                if revisions(&audit.borrow_and_update(), &roles.borrow_and_update()) != sent {
                    break;
                }
            }
        }
    }

    /// Answers a client of the feed, from what is at hand.
    pub fn answer(&self, request: ClientRequest<'_>) -> Answer {
        #[derive(Deserialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        enum Asked {
            RefreshRoles,
            RefreshAudit { level: Option<String>, limit: Option<usize> },
        }
        let ClientRequest::Text(text) = request else { return Answer::Unknown };
        let mut out = Vec::new();
        match serde_json::from_str(text) {
            Ok(Asked::RefreshRoles) => encode(&self.roles_update(), &mut out),
            Ok(Asked::RefreshAudit { level: word, limit }) => match level(word.as_deref().unwrap_or("all")) {
                Ok(level) => encode(&self.audit_update(level, limit), &mut out),
                Err(hint) => return Answer::error("bad_level", "there is no such level", &hint),
            },
            Err(_) => return Answer::Unknown,
        }
        String::from_utf8(out).map_or(Answer::Nothing, Answer::Text)
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

fn encode(message: &impl serde::Serialize, out: &mut Vec<u8>) {
    if let Err(error) = serde_json::to_writer(out, message) {
        tracing::error!("a message of feed governance could not be encoded: {error}");
    }
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
