//! The audit logs' part of the configuration.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
};

use aura_model::{Interval, Options, Schedule, Switch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Audit and event logs: JSON Lines files that are followed, counted and can be asked for events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditOptions {
    /// Whether logs are followed: `auto` follows those that are named below, `true` makes it an error when none is.
    pub enabled: Switch,
    /// From one look at the logs to the next; at least 100ms. Reading takes a sixth of it at most; the rest waits for the
    /// next look.
    pub interval: Interval,
    /// A look that takes longer is shown as late. Half of it is spent on reading at most.
    pub timeout: Interval,
    /// Root folders of Aura installations; their known logs (logs/security_audit.jsonl and its siblings, and
    /// ops/approvals/queue.jsonl) are followed, also those that appear later.
    #[schemars(example = "[/opt/aura]")]
    pub roots: Vec<PathBuf>,
    /// More logs, one JSON object a line: `path`; `name` (the label `log`; the file's name when empty); and the names
    /// of the fields that hold what other logs call otherwise: `time`, `kind`, `level`, `actor`.
    #[schemars(example = "[{path: /var/log/app/events.jsonl, name: app, kind: what}]")]
    pub files: Vec<FileOptions>,
    /// Kinds counted by name in each log, the first that come; all others are counted as `other`.
    pub kinds: u32,
    /// A kind with more events than this within an hour is shown as a spike.
    pub spikes: BTreeMap<String, u64>,
    /// A file that holds the key (PROV_SECRET) of signed logs. Without it signatures are shown as not checked.
    #[schemars(example = "/etc/aura/prov_secret")]
    pub signing_key_file: Option<PathBuf>,
}

/// One more log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FileOptions {
    /// Where it is.
    pub path: PathBuf,
    /// Its name in labels; the file's when empty.
    pub name: String,
    /// The field that holds the time, beside `ts`, `timestamp` and `timestamp_ms`.
    pub time: Option<String>,
    /// The field that holds the kind, beside `event`, `type`, `action` and `kind`.
    pub kind: Option<String>,
    /// The field that holds the level, beside `level`.
    pub level: Option<String>,
    /// The field that holds who did it, beside `actor`, `user` and `source`.
    pub actor: Option<String>,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            interval: Interval::from_secs(1),
            timeout: Interval::from_secs(5),
            roots: Vec::new(),
            files: Vec::new(),
            kinds: 64,
            spikes: [("rate_limited", 10), ("approval_requested", 20), ("tool_failure", 15)]
                .map(|(kind, limit)| (kind.to_owned(), limit))
                .into(),
            signing_key_file: None,
        }
    }
}

impl Options for AuditOptions {
    fn schedule(&self) -> Schedule {
        Schedule { enabled: self.enabled, interval: self.interval, timeout: self.timeout }
    }

    fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut relative = |key: String, path: &Path| {
            if !path.is_absolute() {
                problems.push((key, "write the whole path, from / on".to_owned()));
            }
        };
        for (index, root) in self.roots.iter().enumerate() {
            relative(format!("roots[{index}]"), root);
        }
        for (index, file) in self.files.iter().enumerate() {
            relative(format!("files[{index}].path"), &file.path);
        }
        if !(1..=1000).contains(&self.kinds) {
            problems.push(("kinds".to_owned(), "from 1 to 1000: each is a few time series".to_owned()));
        }
        if self.spikes.len() > 100 {
            problems.push(("spikes".to_owned(), "100 kinds are the most".to_owned()));
        }
        problems
    }
}

/// A log that is followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// Its name in labels and answers; no two are equal.
    pub name: String,
    /// Where its live file is, or will be.
    pub path: PathBuf,
    pub(crate) framing: Framing,
    pub(crate) keys: Keys,
}

/// How records are parted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A record a line.
    Lines,
    /// Values one after the other, between them white space or the two characters `\n`, as a slip of a writer has it.
    Values,
}

/// What fields are called in a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Keys {
    pub(crate) time: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) level: Option<String>,
    pub(crate) actor: Option<String>,
    /// What a record without a kind is.
    pub(crate) default_kind: Option<String>,
}

impl Keys {
    pub(crate) fn any(&self) -> bool {
        self.time.is_some() || self.kind.is_some() || self.level.is_some() || self.actor.is_some()
    }
}

/// The logs that an installation may have, below its root: path, framing, the kind of records that have none.
const KNOWN: [(&str, Framing, Option<&str>); 9] = [
    ("logs/security_audit.jsonl", Framing::Lines, None),
    ("logs/provenance.jsonl", Framing::Lines, None),
    ("logs/mcp_tool_spans.jsonl", Framing::Lines, Some("tool_span")),
    ("logs/role_provenance.log", Framing::Values, None),
    ("logs/risk_router_audit.jsonl", Framing::Lines, Some("risk_decision")),
    ("logs/dag_audit.jsonl", Framing::Lines, Some("workflow")),
    ("logs/debate_audit.jsonl", Framing::Lines, Some("debate")),
    ("logs/sicd_episodes.jsonl", Framing::Lines, Some("episode")),
    ("ops/approvals/queue.jsonl", Framing::Values, Some("approval_submitted")),
];

impl AuditOptions {
    /// The logs that these options name, whether or not they exist by now.
    #[must_use]
    pub fn logs(&self) -> Vec<Log> {
        let mut logs = Vec::new();
        for root in &self.roots {
            for (path, framing, kind) in KNOWN {
                let path = root.join(path);
                let mut name = if path.ends_with("queue.jsonl") { "approvals".to_owned() } else { stem(&path) };
                if self.roots.len() > 1 {
                    name = format!("{}/{name}", root.file_name().unwrap_or_default().to_string_lossy());
                }
                let keys = Keys { default_kind: kind.map(str::to_owned), ..Keys::default() };
                logs.push(Log { name, path, framing, keys });
            }
        }
        for file in &self.files {
            let FileOptions { path, name, time, kind, level, actor } = file.clone();
            let name = if name.is_empty() { stem(&path) } else { name };
            let keys = Keys { time, kind, level, actor, default_kind: None };
            logs.push(Log { name, path, framing: Framing::Lines, keys });
        }
        let mut taken = HashSet::new();
        for log in &mut logs {
            let plain = log.name.clone();
            let mut number = 2;
            while !taken.insert(log.name.clone()) {
                log.name = format!("{plain} {number}");
                number += 1;
            }
        }
        logs
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
