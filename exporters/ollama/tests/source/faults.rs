//! The far side dies, hangs, answers garbage and comes back, beside another that does nothing of the kind.

use std::time::Duration;

use super::support::{loaded, post, until, watch, watch_with};
use aura_model::{Context, Reason, Source, Switch};
use aura_ollama::{FailureKind, HostReading, HostStatus, Ollama, OllamaOptions};
use aura_ollama_simulator::{Fault, Model, Settings, Simulator};

const GIB: u64 = 1 << 30;

fn simulator() -> Simulator {
    simulator_of("0.33.0")
}

fn simulator_of(version: &str) -> Simulator {
    let simulator = Simulator::start(Settings { version: version.into(), ..Settings::default() }).unwrap();
    simulator.install(Model::new("llama3.1:8b", 6 * GIB));
    simulator
}

fn failures(host: &HostReading, kind: FailureKind) -> u64 {
    host.requests.failures[kind as usize]
}

#[test]
fn a_server_that_dies_is_away_and_is_seen_when_it_comes_back() {
    let (mut mortal, other) = (simulator(), simulator());
    let mut source = watch(&[&mortal, &other]);
    until(&mut source, 0, "it answers", |host| host.status == HostStatus::Answering);
    mortal.stop();
    let reading = until(&mut source, 0, "it is away", |host| host.status == HostStatus::Away);
    let host = &reading.hosts[0];
    assert_eq!(host.loaded.missing().map(|missing| missing.reason), Some(Reason::Unreachable));
    assert!(host.installed.value().is_none() && host.version.is_none(), "{host:?}");
    assert!(host.missing.as_ref().unwrap().detail.contains(&mortal.url()), "{host:?}");
    assert_eq!(reading.hosts[1].status, HostStatus::Answering);
    mortal.start_again().unwrap();
    let reading = until(&mut source, 0, "it is back", |host| host.status == HostStatus::Answering);
    assert!(failures(&reading.hosts[0], FailureKind::Unreachable) >= 1);
    assert_eq!(reading.hosts[0].installed.value().unwrap().len(), 1);
}

#[test]
fn a_server_that_keeps_silent_is_busy_and_holds_up_no_other() {
    let (silent, other) = (simulator(), simulator());
    let mut source = watch(&[&silent, &other]);
    until(&mut source, 0, "it answers", |host| host.status == HostStatus::Answering);
    silent.set_fault("/api/ps", Some(Fault::Hang));
    other.install(Model::new("phi3.5:3.8b", 3 * GIB));
    // The other's change is in the very next samples, while the first has not answered yet.
    let reading =
        until(&mut source, 1, "the other is read", |host| host.installed.value().map(|all| all.len()) == Some(2));
    assert_eq!(failures(&reading.hosts[0], FailureKind::Timeout), 0, "the other waited for the silent one's time-out");
    let reading =
        until(&mut source, 0, "it is busy", |host| host.status == HostStatus::Busy && host.loaded.value().is_none());
    assert_eq!(reading.hosts[0].loaded.missing().map(|missing| missing.reason), Some(Reason::Stale));
    assert_eq!(reading.hosts[0].version.as_deref(), Some("0.33.0"), "busy is not away");
    let reading = until(&mut source, 0, "the question is given up", |host| failures(host, FailureKind::Timeout) > 0);
    assert_eq!(reading.hosts[0].status, HostStatus::Busy);
    assert_eq!(reading.hosts[1].status, HostStatus::Answering);
    silent.set_fault("/api/ps", None);
    until(&mut source, 0, "it answers again", |host| host.status == HostStatus::Answering);
}

#[test]
fn what_a_silent_server_last_said_holds_and_a_late_answer_counts() {
    let simulator = simulator();
    let mut source = watch_with(&[&simulator], &Context::default());
    post(&simulator, r#"{"model":"llama3.1:8b"}"#);
    let reading = until(&mut source, 0, "it is loaded", |host| loaded(host) == Some(vec!["llama3.1:8b".into()]));
    let answered_at = reading.hosts[0].answered_at;
    simulator.set_fault("/api/ps", Some(Fault::Hang));
    let reading = until(&mut source, 0, "a question is given up", |host| failures(host, FailureKind::Timeout) > 0);
    let host = &reading.hosts[0];
    assert_eq!((host.status, loaded(host)), (HostStatus::Busy, Some(vec!["llama3.1:8b".into()])));
    assert!(host.installed.value().is_some_and(|models| models.len() == 1));
    assert!(
        host.missing.is_some() && host.answered_at.is_some_and(|time| Some(time) >= answered_at),
        "its age is told"
    );
    simulator.set_fault("/api/ps", Some(Fault::Slow(Duration::from_millis(2200))));
    let before = host.answered_at;
    let mut was_busy = false;
    let reading = until(&mut source, 0, "an answer that took long", |host| {
        was_busy |= host.status == HostStatus::Busy;
        host.status == HostStatus::Answering && host.answered_at > before
    });
    assert!(was_busy && reading.hosts[0].missing.is_none());
}

#[test]
fn what_is_no_ollama_is_away_with_what_it_said() {
    let simulator = simulator();
    let mut source = watch(&[&simulator]);
    for (fault, kind, word) in [
        (Fault::Garbage("<html>".into()), FailureKind::Unreadable, "did not answer as Ollama does"),
        (Fault::Garbage("{}".into()), FailureKind::Unreadable, "models"),
        (Fault::Break, FailureKind::Unreadable, "broke off"),
        (Fault::Refuse(500, "the disk is full".into()), FailureKind::Status, "the disk is full"),
        (Fault::Refuse(404, String::new()), FailureKind::Status, "no Ollama"),
    ] {
        simulator.set_fault("/api/ps", Some(fault.clone()));
        let reading = until(&mut source, 0, "it is away", |host| host.status == HostStatus::Away);
        let host = &reading.hosts[0];
        assert!(failures(host, kind) > 0, "{fault:?}: {host:?}");
        assert!(host.missing.as_ref().unwrap().detail.contains(word), "{fault:?}: {host:?}");
        assert!(host.loaded.value().is_none() && host.installed.value().is_none());
        simulator.set_fault("/api/ps", None);
        until(&mut source, 0, "it answers again", |host| host.status == HostStatus::Answering);
    }
}

#[test]
fn a_broken_description_costs_the_description_alone() {
    let simulator = simulator_of("0.24.0");
    simulator.set_fault("/api/show", Some(Fault::Garbage("no".into())));
    let mut source = watch(&[&simulator]);
    let reading = until(&mut source, 0, "it answers", |host| host.status == HostStatus::Answering);
    let model = &reading.hosts[0].installed.value().unwrap()[0];
    assert_eq!((model.context_length, &model.capabilities), (None, &None));
}

#[test]
fn a_model_is_described_once_and_again_when_it_was_pulled_anew() {
    let simulator = simulator_of("0.24.0");
    let mut source = watch(&[&simulator]);
    let described = |host: &HostReading| {
        host.installed.value().is_some_and(|models| models.iter().all(|model| model.context_length == Some(131_072)))
    };
    for _ in 0..5 {
        until(&mut source, 0, "it is described", described);
    }
    assert_eq!(simulator.asked("/api/show"), 1);
    simulator.install(Model::new("llama3.1:8b", 6 * GIB).pulled_again());
    until(&mut source, 0, "the new one is described", |host| described(host) && simulator.asked("/api/show") == 2);
}

#[test]
fn a_slow_list_is_asked_for_seldom_even_beside_a_model_that_was_deleted() {
    let simulator = simulator();
    let mut source = watch(&[&simulator]);
    post(&simulator, r#"{"model":"llama3.1:8b"}"#);
    until(&mut source, 0, "it is loaded", |host| loaded(host) == Some(vec!["llama3.1:8b".into()]));
    simulator.set_fault("/api/tags", Some(Fault::Slow(Duration::from_millis(150))));
    simulator.delete("llama3.1:8b");
    until(&mut source, 0, "it is deleted", |host| host.installed.value().is_some_and(|models| models.is_empty()));
    let asked = (simulator.asked("/api/ps"), simulator.asked("/api/tags"));
    let mut samples = 0;
    until(&mut source, 0, "fifty more answers", |host| {
        samples += u32::from(host.status == HostStatus::Answering);
        samples > 50
    });
    let lists = simulator.asked("/api/tags") - asked.1;
    assert!(simulator.asked("/api/ps") - asked.0 >= 50 && lists <= 3, "{lists} lists");
}

#[test]
fn a_list_that_cannot_be_read_is_not_taken_for_the_one_before() {
    let simulator = simulator();
    let mut source = watch(&[&simulator]);
    until(&mut source, 0, "it answers", |host| host.status == HostStatus::Answering);
    simulator.set_fault("/api/tags", Some(Fault::Refuse(500, "open manifests: permission denied".into())));
    until(&mut source, 0, "it is away", |host| host.status == HostStatus::Away);
    for _ in 0..20 {
        let reading = source.sample().unwrap();
        assert_eq!(reading.hosts[0].status, HostStatus::Away, "it answers for a moment, with an old list");
    }
    simulator.set_fault("/api/tags", None);
    until(&mut source, 0, "it answers again", |host| host.status == HostStatus::Answering);
}

#[test]
fn nothing_there_and_nobody_named_it_is_no_fault() {
    let gone = simulator().url();
    let options = OllamaOptions { hosts: vec![gone.into()], ..OllamaOptions::default() };
    let mut source = Ollama::open(&options, &Context::default()).unwrap();
    let reading = source.sample().unwrap();
    assert_eq!(reading.hosts[0].status, HostStatus::Away, "one that was named is away");
    let off = OllamaOptions { enabled: Switch::Auto, hosts: Vec::new(), ..options };
    let (servers, named) = off.servers(None).unwrap();
    assert_eq!((servers.len(), named), (1, false));
}

#[test]
fn times_of_loading_and_of_use_are_those_that_were_seen() {
    let simulator = simulator();
    let mut source = watch(&[&simulator]);
    until(&mut source, 0, "it answers", |host| loaded(host) == Some(vec![]));
    post(&simulator, r#"{"model":"llama3.1:8b","keep_alive":-1}"#);
    let reading = until(&mut source, 0, "it is loaded", |host| loaded(host) == Some(vec!["llama3.1:8b".into()]));
    let model = reading.hosts[0].loaded.value().unwrap()[0].clone();
    assert!(model.loaded_at.is_some() && model.loaded_at == model.last_used, "{model:?}");
    assert_eq!((model.expiry, model.stopping), (aura_ollama::Expiry::Never, false));
    assert!(simulator.begin_request("llama3.1:8b"));
    std::thread::sleep(Duration::from_millis(2));
    simulator.end_request("llama3.1:8b");
    until(&mut source, 0, "it was used", |host| {
        host.loaded
            .value()
            .is_some_and(|models| models[0].last_used > model.last_used && models[0].loaded_at == model.loaded_at)
    });
    simulator.begin_request("llama3.1:8b");
    simulator.expire("llama3.1:8b");
    until(&mut source, 0, "it is stopping", |host| host.loaded.value().is_some_and(|models| models[0].stopping));
    simulator.end_request("llama3.1:8b");
    until(&mut source, 0, "it is gone", |host| loaded(host) == Some(vec![]));
}
