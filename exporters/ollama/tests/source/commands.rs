//! Loading and unloading, and what becomes of it when something goes wrong.

use std::{sync::Arc, time::Duration};

use aura_model::{Context, Interval};
use aura_ollama::{CommandError, KeepAlive, Ledger, Outcome, Server, Target, load, unload};
use aura_ollama_simulator::{Fault, LoadBehaviour, Model, Settings, Simulator};
use tokio::runtime::{Builder, Runtime};

use super::support::{until, watch_with};

const GIB: u64 = 1 << 30;
const LONG: Duration = Duration::from_secs(20);

fn simulator(models: impl IntoIterator<Item = Model>) -> (Simulator, Server, Runtime) {
    let simulator = Simulator::start(Settings { memory: 8 * GIB, ..Settings::default() }).unwrap();
    models.into_iter().for_each(|model| simulator.install(model));
    let server = simulator.url().parse().unwrap();
    (simulator, server, Builder::new_current_thread().enable_all().build().unwrap())
}

#[test]
fn a_model_is_loaded_and_unloaded_and_both_are_counted() {
    let (simulator, server, runtime) = simulator([Model::new("llama3.1:8b", 6 * GIB)]);
    let ledger = Arc::new(Ledger::default());
    let keep = KeepAlive::For(Interval::from_secs(600));
    runtime.block_on(load(&ledger, &server, &"llama3.1:8b".into(), keep, LONG)).unwrap();
    assert_eq!(simulator.loaded(), ["llama3.1:8b"]);
    runtime.block_on(unload(&ledger, &server, &"llama3.1:8b".into(), LONG)).unwrap();
    assert_eq!(simulator.loaded(), [""; 0]);
    let mut source = watch_with(&[&simulator], &Context::default().lending(Arc::clone(&ledger)));
    let reading = until(&mut source, 0, "it answers", |host| host.loaded.value().is_some());
    let commands = &reading.hosts[0].commands;
    let ok = Outcome::Ok as usize;
    assert_eq!((commands.loads[ok].count, commands.unloads[ok].count), (1, 1));
}

#[test]
fn a_model_that_only_embeds_is_loaded_whether_or_not_that_is_known() {
    let (simulator, server, runtime) = simulator([Model::embedding("nomic-embed-text", GIB)]);
    let name = "nomic-embed-text:latest";
    for known in [true, false] {
        runtime
            .block_on(load(
                &Ledger::default(),
                &server,
                &Target { embedding: known, ..name.into() },
                KeepAlive::Forever,
                LONG,
            ))
            .unwrap();
        assert_eq!(simulator.loaded(), ["nomic-embed-text:latest"]);
        runtime.block_on(unload(&Ledger::default(), &server, &"nomic-embed-text:latest".into(), LONG)).unwrap();
    }
}

#[test]
fn each_refusal_is_told_apart() {
    let broken = Model {
        load: LoadBehaviour::Fails("llama runner process has terminated: exit status 2".into()),
        ..Model::new("broken:1b", GIB)
    };
    let (simulator, server, runtime) = simulator([Model::new("huge:70b", 40 * GIB), broken]);
    let outcome = |name: &str| {
        runtime
            .block_on(load(&Ledger::default(), &server, &name.into(), KeepAlive::Default, LONG))
            .unwrap_err()
            .outcome()
    };
    assert_eq!(outcome("huge:70b"), Outcome::NoMemory);
    assert_eq!(outcome("broken:1b"), Outcome::Failed);
    assert_eq!(outcome("absent:1b"), Outcome::NotFound);
    let text = "server busy, please try again.  maximum pending requests exceeded";
    simulator.set_fault("/api/generate", Some(Fault::Refuse(503, text.into())));
    assert_eq!(outcome("broken:1b"), Outcome::Busy);
    drop(simulator);
    assert_eq!(outcome("broken:1b"), Outcome::Unreachable);
}

#[test]
fn a_load_that_hangs_is_given_up_and_leaves_nothing_behind() {
    let hanging = Model { load: LoadBehaviour::Hangs, ..Model::new("hanging:1b", GIB) };
    let (simulator, server, runtime) = simulator([hanging, Model::new("fine:1b", GIB)]);
    let result = runtime.block_on(load(
        &Ledger::default(),
        &server,
        &"hanging:1b".into(),
        KeepAlive::Default,
        Duration::from_millis(200),
    ));
    assert!(matches!(result, Err(CommandError::TooLong(_))), "{result:?}");
    // The next load waits behind the one that was given up, unless its connection was closed.
    runtime.block_on(load(&Ledger::default(), &server, &"fine:1b".into(), KeepAlive::Default, LONG)).unwrap();
    assert_eq!(simulator.loaded(), ["fine:1b"]);
}

#[test]
fn an_unload_is_done_only_when_the_last_request_is() {
    let (simulator, server, runtime) = simulator([Model::new("llama3.1:8b", GIB)]);
    runtime.block_on(load(&Ledger::default(), &server, &"llama3.1:8b".into(), KeepAlive::Default, LONG)).unwrap();
    assert!(simulator.begin_request("llama3.1:8b"));
    let result =
        runtime.block_on(unload(&Ledger::default(), &server, &"llama3.1:8b".into(), Duration::from_millis(300)));
    assert!(matches!(result, Err(CommandError::Unconfirmed(_))), "{result:?}");
    assert_eq!(simulator.loaded(), ["llama3.1:8b"]);
    simulator.end_request("llama3.1:8b");
    runtime.block_on(unload(&Ledger::default(), &server, &"llama3.1:8b".into(), LONG)).unwrap();
}

#[test]
fn a_list_that_cannot_be_had_delays_the_confirmation_and_does_not_fake_it() {
    let (simulator, server, runtime) = simulator([Model::new("llama3.1:8b", GIB)]);
    simulator.set_fault("/api/ps", Some(Fault::Slow(Duration::from_millis(300))));
    let done =
        runtime.block_on(load(&Ledger::default(), &server, &"llama3.1:8b".into(), KeepAlive::Default, LONG)).unwrap();
    assert!(done.took >= Duration::from_millis(300), "{done:?}");
}

#[test]
fn one_of_several_names_of_a_model_is_loaded_when_another_is_listed() {
    let model = Model::new("deepseek-r1:70b", GIB);
    let (simulator, server, runtime) = simulator([model.copied_as("deepseek-r1:latest"), model.clone()]);
    let target = Target { digest: Some(model.digest.as_str().into()), ..Target::from("deepseek-r1:latest") };
    runtime.block_on(load(&Ledger::default(), &server, &"deepseek-r1:70b".into(), KeepAlive::Default, LONG)).unwrap();
    runtime.block_on(load(&Ledger::default(), &server, &target, KeepAlive::Default, LONG)).unwrap();
    assert_eq!(simulator.loaded(), ["deepseek-r1:70b"]);
    assert!(simulator.begin_request("deepseek-r1:70b"));
    let result = runtime.block_on(unload(&Ledger::default(), &server, &target, Duration::from_millis(300)));
    assert!(matches!(result, Err(CommandError::Unconfirmed(_))), "it is listed under another name: {result:?}");
    simulator.end_request("deepseek-r1:70b");
    runtime.block_on(unload(&Ledger::default(), &server, &target, LONG)).unwrap();
}
