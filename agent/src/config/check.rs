//! What types cannot say: values that contradict each other or lie out of range.

use std::time::Duration;

use aura_model::{Interval, Options, Source};

use super::{
    Config, Energy, Feed, History, Problem, Visit, Web,
    node::{Node, Value},
};

/// The fastest anything is sampled or remembered.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// A day of seconds.
const MAX_REMEMBERED: u128 = 86_400;

/// Every impossible value, with the place where it was written.
pub(super) fn problems(config: &Config, typed: &Node) -> Vec<Problem> {
    let mut found = Found { section: String::new(), problems: Vec::new() };
    found.in_section("web", |found| web(&config.web, found));
    found.in_section("feed", |found| feed(&config.feed, found));
    found.in_section("history", |found| history(&config.history, found));
    found.in_section("thresholds", |found| {
        for (key, message) in config.thresholds.problems() {
            found.add(&key, message);
        }
    });
    found.in_section("energy", |found| energy(&config.energy, found));
    config.sources.visit(&mut found);
    if config.stale_after.0 < Interval::from_secs(1) {
        found
            .problems
            .push(("stale_after".to_owned(), format!("{} is too short: 1s is the least", config.stale_after.0)));
    }
    let located = |(path, message): (String, String)| {
        let node = typed.nearest(&path);
        let message = match &node.value {
            Value::Scalar(scalar) => scalar.veil(message),
            _ => message,
        };
        Problem { origin: node.origin.clone(), path, message }
    };
    found.problems.into_iter().map(located).collect()
}

struct Found {
    section: String,
    problems: Vec<(String, String)>,
}

impl Found {
    fn in_section(&mut self, section: &str, look: impl FnOnce(&mut Self)) {
        section.clone_into(&mut self.section);
        look(self);
    }

    fn add(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push((format!("{}.{key}", self.section), message.into()));
    }

    fn not_faster_than_possible(&mut self, key: &str, interval: Interval) {
        if interval.get() < SHORTEST_INTERVAL {
            self.add(key, format!("{interval} is too short: 100ms is the least"));
        }
    }
}

impl Visit for Found {
    fn visit<S: Source>(&mut self, options: &S::Options) {
        self.section = format!("sources.{}", S::NAME);
        self.not_faster_than_possible("interval", options.schedule().interval);
        for (key, message) in options.problems() {
            self.add(&key, message);
        }
    }
}

fn web(web: &Web, found: &mut Found) {
    if web.listen_address.is_empty() {
        found.add("listen_address", "names no address: write one, such as 127.0.0.1:9205");
    }
    let path = &web.telemetry_path;
    let taken = ["/api", "/v1", "/ws", "/-", "/healthz", "/readyz", "/assets"];
    let below = |prefix: &&str| path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !path.starts_with('/') || path.len() < 2 || path.ends_with('/') || path.contains(['?', '#', '{', '}', ' ']) {
        found.add("telemetry_path", format!("{path:?} is no path: write one such as /metrics"));
    } else if let Some(taken) = taken.iter().find(|prefix| below(prefix)) {
        found.add("telemetry_path", format!("{taken} has another meaning here: write a path such as /metrics"));
    }
    for (index, host) in web.allowed_hosts.iter().enumerate() {
        if host.is_empty() || host.contains(['/', ':', ' ', '*']) {
            let message = format!("{host:?} is no host name: write it alone, without scheme, port or path");
            found.add(&format!("allowed_hosts[{index}]"), message);
        }
    }
    for (index, origin) in web.allowed_origins.iter().enumerate() {
        let authority = origin.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"));
        if authority.is_none_or(|(_, host)| host.is_empty() || host.contains(['/', ' ', '*', '@'])) {
            let message = format!("{origin:?} is no origin: write scheme, host and port, as in https://box.lan:3000");
            found.add(&format!("allowed_origins[{index}]"), message);
        }
    }
}

fn feed(feed: &Feed, found: &mut Found) {
    for (key, number) in [("max_clients", feed.max_clients), ("max_clients_per_address", feed.max_clients_per_address)]
    {
        if number == 0 {
            found.add(key, "0 lets nobody in: write how many clients may listen");
        }
    }
    if !(128..=1 << 20).contains(&feed.max_message_bytes) {
        found.add("max_message_bytes", format!("{} is out of range: write 128 to 1048576", feed.max_message_bytes));
    }
    for (key, interval) in [("ping_interval", feed.ping_interval), ("pong_timeout", feed.pong_timeout)] {
        if interval < Interval::from_secs(1) {
            found.add(key, format!("{interval} is too short: 1s is the least"));
        }
    }
}

fn energy(energy: &Energy, found: &mut Found) {
    if energy.price_per_kwh.is_some_and(|price| !(0.0..=1e6).contains(&price)) {
        found.add("price_per_kwh", "is no price: write a number that is not negative, such as 0.32");
    }
    let letters = energy.currency.chars().count();
    if !(1..=8).contains(&letters) || energy.currency.chars().any(char::is_control) {
        found.add("currency", "write up to 8 letters, such as EUR or $");
    }
}

fn history(history: &History, found: &mut Found) {
    found.not_faster_than_possible("resolution", history.resolution);
    let (window, resolution) = (history.window.get(), history.resolution.get());
    if window < resolution {
        let message = format!("{} is shorter than resolution, which is {}", history.window, history.resolution);
        found.add("window", message);
    } else if window.as_millis() / resolution.as_millis() > MAX_REMEMBERED {
        let message = format!(
            "{} at a resolution of {} are more than {MAX_REMEMBERED} values: shorten it, or raise history.resolution",
            history.window, history.resolution
        );
        found.add("window", message);
    }
}
