//! What one sees from outside, and what must hold of it whatever goes wrong: a value is true or absent, and what is
//! shown as fresh is fresh.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

use aura_tests::{Control, Exposition, Feed};
use serde_json::Value;

use super::world::Watched;

pub(super) const SOURCES: [&str; 6] = ["host", "gpu", "ollama", "postgres", "audit", "roles"];

/// For so long the agent's account of itself is shared.
const SHARED: Duration = Duration::from_secs(1);
/// A reading this old is not shown as fresh: three intervals, that second, and as long again for one that takes a while. What the
/// machine keeps every agent waiting comes on top.
const FRESH: Duration = Duration::from_millis(3 * 500 + 1000 + 2500);
/// The feed of two sources repeats itself this often when nothing is new.
const IDLE: Duration = Duration::from_secs(5);

/// One look at everything that is published.
pub(super) struct Look {
    /// When the last of it came.
    at: Instant,
    /// When it was asked for.
    asked: SystemTime,
    /// How often the host of the control was read, and how old its newest reading is.
    pub(super) control: f64,
    control_age: Duration,
    pub(super) scrape: Exposition,
    /// The newest messages, where there is one that is on time.
    pub(super) system: Option<Value>,
    pub(super) models: Option<Value>,
    pub(super) database: Option<Value>,
    pub(super) governance: Option<Value>,
}

impl Look {
    fn take(watched: &Watched, control: &Control) -> Self {
        let agent = &watched.agent;
        let asked = SystemTime::now();
        assert_eq!(agent.get("/-/healthy").status, 200);
        let newest = |name: &str| {
            let answer = agent.get(&format!("/api/{name}"));
            match answer.status {
                200 => Some(answer.json()),
                503 => None,
                other => panic!("/api/{name} was answered with {other}: {}", answer.text()),
            }
        };
        let (system, models) = (newest("system"), newest("models"));
        let (database, governance) = (newest("database"), newest("governance"));
        let scrape = agent.scrape("/metrics");
        let (control, control_age) = (control.samples(), control.age());
        Self { at: Instant::now(), asked, control, control_age, system, models, database, governance, scrape }
    }

    /// What the agent says of a source.
    pub(super) fn own(&self, name: &str, source: &str) -> Option<f64> {
        self.scrape.get(&format!("aura_source_{name}"), &[("source", source)])
    }

    pub(super) fn up(&self, source: &str) -> bool {
        self.own("up", source) == Some(1.0)
    }

    /// Whether there is a sample whose name begins so.
    pub(super) fn has(&self, beginning: &str) -> bool {
        self.scrape.samples.iter().any(|sample| sample.name.starts_with(beginning))
    }

    /// The value of the one sample of this name.
    pub(super) fn value(&self, name: &str) -> Option<f64> {
        self.scrape.get(name, &[])
    }

    fn samples(&self) -> BTreeMap<&'static str, f64> {
        SOURCES.map(|source| (source, self.own("samples_total", source).unwrap())).into()
    }

    /// How old something was when it was asked for.
    fn age(&self, taken: SystemTime) -> Duration {
        self.asked.duration_since(taken).unwrap_or_default()
    }

    /// What must hold whatever has happened; `old` says in how many looks, and since when, series of a source are there without
    /// a reading that is on time.
    fn is_honest(&self, old: &mut BTreeMap<&'static str, (u32, Instant)>) {
        let fresh = FRESH + self.control_age;
        for source in SOURCES {
            let reason = self.scrape.get("aura_source_missing_info", &[("source", source)]);
            // One that was never read has just begun.
            let begins = self.own("sample_timestamp_seconds", source).is_none() && reason.is_none();
            assert!(begins || self.up(source) == reason.is_none(), "{source} is up, or there is a reason");
            assert_eq!(self.own("panics_total", source), Some(0.0), "{source} panicked");
            let age = self.own("sample_timestamp_seconds", source).map(|taken| self.age(unix(taken)));
            if self.up(source) {
                assert!(age.is_some_and(|age| age < fresh), "{source} is up with a reading of {age:?}");
            }
            let shown = MARKS.iter().any(|(of, mark)| *of == source && self.has(mark));
            if shown && age.is_none_or(|age| age > fresh) {
                // A reading may have come that the agent's shared account of itself does not know of.
                let (looks, since) = old.entry(source).or_insert((0, self.at));
                *looks += 1;
                let is_new = *looks < 4 || since.elapsed() < SHARED * 2;
                assert!(is_new, "{source} has series, and its newest reading is {age:?} old");
            } else {
                old.remove(source);
            }
        }
        let feeds = [&self.system, &self.models, &self.database, &self.governance];
        for message in feeds.into_iter().flatten() {
            explains_itself(message);
        }
        let messages = [(&self.system, Duration::ZERO), (&self.database, Duration::ZERO), (&self.governance, IDLE)];
        for (message, idle) in messages {
            // One that shows nothing but why may be as old as the reason.
            let Some(message) = message.as_ref().filter(|message| message["missing"]["metrics"].is_null()) else {
                continue;
            };
            let age = message["sampled_at"].as_str().map(|time| self.age(time_of(time)));
            assert!(age.is_none_or(|age| age < fresh + idle), "a message of {age:?}: {message}");
        }
    }
}

/// Series that a source has while it has a reading.
const MARKS: [(&str, &str); 6] = [
    ("host", "node_"),
    ("gpu", "DCGM_FI_"),
    ("ollama", "ollama_"),
    ("postgres", "pg_"),
    ("audit", "aura_audit_"),
    ("roles", "aura_roles"),
];

/// Whatever is `null` at the top of a message has a reason beside it.
fn explains_itself(message: &Value) {
    let missing = message["missing"].as_object();
    for (key, value) in message.as_object().unwrap() {
        if value.is_null() && !matches!(key.as_str(), "sampled_at") {
            let said = missing.is_some_and(|missing| missing.contains_key(key));
            assert!(said, "{} does not say why there is no {key}: {message}", message["type"]);
        }
    }
}

fn unix(seconds: f64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds)
}

fn time_of(text: &str) -> SystemTime {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

/// Looks again and again, and listens to all feeds meanwhile.
pub(super) struct Watch<'w> {
    watched: &'w Watched,
    control: &'w Control,
    feeds: Vec<(&'static str, Feed, Heard)>,
    /// The feed of the control's host.
    beside: (Feed, Heard),
    /// In how many looks and since when a source has series without a reading that is on time.
    old: BTreeMap<&'static str, (u32, Instant)>,
}

/// What a feed has sent.
#[derive(Default)]
struct Heard {
    seq: u64,
    sampled_at: Vec<(Instant, String)>,
}

impl Heard {
    fn listen(&mut self, name: &str, feed: &mut Feed) {
        while let Some(message) = feed.message_within(Duration::from_millis(2)) {
            let seq = message["seq"].as_u64().unwrap();
            assert!(seq > self.seq, "/ws/{name}: {seq} follows {}", self.seq);
            self.seq = seq;
            explains_itself(&message);
            let sampled_at = message["sampled_at"].as_str().unwrap_or_default();
            if self.sampled_at.last().is_none_or(|(_, last)| last != sampled_at) {
                self.sampled_at.push((Instant::now(), sampled_at.to_owned()));
            }
        }
    }

    /// How many readings came between two looks.
    fn between(&self, since: &Look, until: &Look) -> f64 {
        self.sampled_at.iter().filter(|(at, _)| *at > since.at && *at <= until.at).count() as f64
    }
}

impl<'w> Watch<'w> {
    pub(super) fn over(watched: &'w Watched, control: &'w Control) -> Self {
        let connect = |name: &'static str| {
            let feed = Feed::try_connect(watched.agent.address(), &format!("/ws/{name}"), &[]).unwrap();
            (name, feed, Heard::default())
        };
        Self {
            watched,
            control,
            beside: (control.feed(), Heard::default()),
            feeds: ["system", "models", "database", "governance"].map(connect).into(),
            old: BTreeMap::new(),
        }
    }

    /// One look, and all that the feeds have said since the last.
    pub(super) fn look(&mut self) -> Look {
        std::thread::sleep(Duration::from_millis(100));
        for (name, feed, heard) in &mut self.feeds {
            heard.listen(name, feed);
        }
        self.beside.1.listen("system", &mut self.beside.0);
        let look = Look::take(self.watched, self.control);
        look.is_honest(&mut self.old);
        look
    }

    /// Looks until it is so.
    pub(super) fn until(&mut self, what: &str, within: Duration, is_so: impl Fn(&Look) -> Result<(), String>) -> Look {
        let begun = Instant::now();
        loop {
            let look = self.look();
            match is_so(&look) {
                Ok(()) => return look,
                Err(why) => assert!(begun.elapsed() < within, "{what}: not within {within:?}: {why}"),
            }
        }
    }

    /// Looks for this long.
    pub(super) fn for_so_long(&mut self, time: Duration) -> Look {
        let begun = Instant::now();
        loop {
            let look = self.look();
            if begun.elapsed() >= time {
                return look;
            }
        }
    }

    /// These sources have kept at least half the pace of the control since then: in the agent's own account, and in what their
    /// feeds sent.
    pub(super) fn kept_pace(&self, since: &Look, until: &Look, sources: &[&str]) {
        // Accounts of themselves may be a second old, of two readings, at both ends.
        let promised = (until.control - since.control - 2.0).max(0.0);
        let (before, after) = (since.samples(), until.samples());
        for source in sources {
            let taken = after[source] - before[source];
            assert!(taken >= (promised / 2.0).floor() - 1.0, "{source} took {taken} samples, the control {promised}");
        }
        let feed_of = |source: &str| match source {
            "host" => Some("system"),
            "ollama" => Some("models"),
            "postgres" => Some("database"),
            // The log is written all the time, so that there is something new at each look.
            "audit" => Some("governance"),
            _ => None,
        };
        let promised = (self.beside.1.between(since, until) - 1.0).max(0.0);
        for feed in sources.iter().filter_map(|source| feed_of(source)) {
            let (_, _, heard) = self.feeds.iter().find(|(name, ..)| *name == feed).unwrap();
            let new = heard.between(since, until);
            assert!(
                new >= (promised / 2.0).floor() - 1.0,
                "/ws/{feed} sent {new} readings, that of the control {promised}"
            );
        }
    }
}
