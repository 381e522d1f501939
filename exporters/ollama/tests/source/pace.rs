//! How often a server is asked: at every sample while somebody looks, and otherwise when something can have changed.

use std::{sync::Arc, time::Duration};

use aura_model::{Context, Source};
use aura_ollama::{Audience, HostReading, HostStatus, KeepAlive, Ledger, Ollama};
use aura_ollama_simulator::{Model, Settings, Simulator};

use super::support::{load, loaded, post, until, watch_with};

const GIB: u64 = 1 << 30;

fn simulator(models: usize) -> Simulator {
    let simulator = Simulator::start(Settings::default()).unwrap();
    (0..models).for_each(|number| simulator.install(Model::new(&format!("model{number}:1"), GIB)));
    simulator
}

fn is_described(host: &HostReading) -> bool {
    host.installed.value().is_some_and(|models| models.iter().all(|model| model.weights.is_some()))
}

/// A source at rest: all that it asks once has been asked.
fn at_rest(simulator: &Simulator) -> (Ollama, Arc<Audience>, Arc<Ledger>) {
    let (audience, ledger) = (Arc::new(Audience::default()), Arc::new(Ledger::default()));
    let context = Context::default().lending(Arc::clone(&audience)).lending(Arc::clone(&ledger));
    let mut source = watch_with(&[simulator], &context);
    until(&mut source, 0, "it is described", is_described);
    source.sample().unwrap();
    (source, audience, ledger)
}

fn asked(simulator: &Simulator) -> u64 {
    ["/api/ps", "/api/tags", "/api/show", "/api/version"].iter().map(|path| simulator.asked(path)).sum()
}

#[test]
fn at_rest_nothing_is_asked_and_what_was_said_stays_fresh_with_its_age() {
    let simulator = simulator(99);
    let (mut source, audience, _) = at_rest(&simulator);
    let before = asked(&simulator);
    let answered_at = source.sample().unwrap().hosts[0].answered_at;
    // As many samples as come in five minutes.
    for _ in 0..300 {
        let host = source.sample().unwrap().hosts.remove(0);
        assert_eq!((host.status, host.installed.value().map(|all| all.len())), (HostStatus::Answering, Some(99)));
        assert!(host.answered_at >= answered_at && host.requests.requests == asked(&simulator));
    }
    // Seconds of this machine's time may pass meanwhile, if it is busy.
    assert!(asked(&simulator) - before <= 6, "{} requests", asked(&simulator) - before);
    audience.look();
    let before = simulator.asked("/api/ps");
    (0..5).for_each(|_| drop(source.sample().unwrap()));
    assert_eq!(simulator.asked("/api/ps"), before + 5, "somebody looks");
}

#[test]
fn a_command_of_ours_is_seen_at_once_and_so_is_a_server_that_goes() {
    let mut simulator = simulator(2);
    let (mut source, _, ledger) = at_rest(&simulator);
    let server = simulator.url().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let keep = KeepAlive::For(aura_model::Interval::from_secs(1));
    runtime.block_on(load(&ledger, &server, &"model1:1".into(), keep, Duration::from_secs(20))).unwrap();
    let reading = source.sample().unwrap();
    assert_eq!(loaded(&reading.hosts[0]), Some(vec!["model1:1".to_owned()]));
    until(&mut source, 0, "its time is over", |host| loaded(host) == Some(vec![]));
    let before = asked(&simulator);
    simulator.stop();
    until(&mut source, 0, "it is away", |host| host.status == HostStatus::Away);
    assert_eq!(asked(&simulator), before);
    simulator.start_again().unwrap();
    until(&mut source, 0, "it is back", |host| host.status == HostStatus::Answering);
}

#[test]
fn who_looks_sees_what_others_did_at_rest() {
    let simulator = simulator(2);
    let (mut source, audience, _) = at_rest(&simulator);
    post(&simulator, r#"{"model":"model0:1"}"#);
    audience.look();
    let reading = source.sample().unwrap();
    assert_eq!(loaded(&reading.hosts[0]), Some(vec!["model0:1".to_owned()]));
}
