//! The configuration is loaded again while everything runs.

use std::fs;

use aura_tests::{Agent, Request, Setup, wait_until};
use rustix::process::Signal;

fn with(config: &str) -> Agent {
    Setup::default().config(config).start()
}

fn write(agent: &Agent, config: &str) {
    fs::write(agent.folder().join("aura.yaml"), config).unwrap();
}

fn interval(agent: &Agent) -> f64 {
    agent.scrape("/metrics/aura").value("aura_source_interval_seconds", &[("source", "host")])
}

fn successful(agent: &Agent) -> f64 {
    agent.scrape("/metrics/aura").value("aura_config_last_reload_successful", &[])
}

#[test]
fn a_good_configuration_takes_effect_by_signal_and_by_request() {
    let agent = with("sources: {host: {interval: 1s}}\n");
    let mut client = agent.feed();
    client.message();
    let loaded = || agent.scrape("/metrics/aura").value("aura_config_last_reload_success_timestamp_seconds", &[]);
    let first = loaded();
    write(&agent, "sources: {host: {interval: 300ms}}\n");
    agent.signal(Signal::HUP);
    wait_until("the new interval", || interval(&agent) == 0.3);
    assert!(loaded() > first);
    write(&agent, "sources: {host: {interval: 200ms}}\n");
    let answer = agent.ask(&Request::new("POST", "/-/reload"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    wait_until("the newest interval", || interval(&agent) == 0.2);
    assert_eq!(successful(&agent), 1.0);
    // Who was connected still is.
    let next = client.message()["seq"].as_u64();
    assert!(client.message()["seq"].as_u64() > next);
    wait_until("messages at the new pace", || client.message()["interval_seconds"] == 0.2);
}

#[test]
fn a_broken_configuration_is_refused_with_its_error_and_the_old_one_stays() {
    let agent = with("sources: {host: {interval: 400ms}}\n");
    let mut client = agent.feed();
    let broken = "sources:\n  host: {intervall: 200ms}\nfeed: {max_client: 5}\n";
    write(&agent, broken);
    let answer = agent.ask(&Request::new("POST", "/-/reload"));
    assert_eq!((answer.status, answer.error_code().as_str()), (500, "reload_failed"));
    let message = answer.text();
    for words in ["aura.yaml:2", "sources.host.intervall", "aura.yaml:3", "feed.max_client", "old configuration"] {
        assert!(message.contains(words), "{words:?} is not in: {message}");
    }
    agent.wait_for_log("sources.host.intervall");
    wait_until("the failure to show", || successful(&agent) == 0.0);
    assert_eq!(interval(&agent), 0.4);
    let seq = client.message()["seq"].as_u64();
    assert!(client.message()["seq"].as_u64() > seq);

    // By signal the log alone says it.
    write(&agent, "web: {no_such_key: 1}\n");
    agent.signal(Signal::HUP);
    agent.wait_for_log("web.no_such_key");
    assert_eq!(agent.get("/metrics").status, 200);

    write(&agent, "sources: {host: {interval: 500ms}}\n");
    agent.signal(Signal::HUP);
    wait_until("the repaired one", || successful(&agent) == 1.0 && interval(&agent) == 0.5);
}

#[test]
fn a_source_can_be_switched_off_and_on_again() {
    let agent = with("sources: {host: {interval: 200ms}}\n");
    let mut client = agent.feed();
    client.message();
    write(&agent, "sources: {host: {enabled: false}}\n");
    agent.signal(Signal::HUP);
    wait_until("the host's series to go", || agent.scrape("/metrics").get("node_load1", &[]).is_none());
    assert_eq!(agent.get("/api/system").status, 503);
    wait_until("the source to be down", || {
        agent.scrape("/metrics/aura").get("aura_source_up", &[("source", "host")]) == Some(0.0)
    });
    wait_until("the feed to say so", || client.message()["sources"][0]["state"] == "off");
    write(&agent, "sources: {host: {interval: 200ms}}\n");
    agent.signal(Signal::HUP);
    wait_until("the host's series to come back", || agent.scrape("/metrics").get("node_load1", &[]).is_some());
    wait_until("the feed to go on", || client.message()["sources"][0]["state"] == "fresh");
}

#[test]
fn what_cannot_change_while_it_runs_is_said() {
    let agent = with("history: {window: 10m}\n");
    write(&agent, "history: {window: 20m}\n");
    agent.signal(Signal::HUP);
    agent.wait_for_log("history has changed: it takes effect when the agent is started again");
}
