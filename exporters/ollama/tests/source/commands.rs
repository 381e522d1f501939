//! Loading and unloading, and what becomes of it when something goes wrong.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aura_model::{Context, Interval};
use aura_ollama::{Command, CommandError, KeepAlive, Ledger, Outcome, Server, Target};
use aura_ollama_simulator::{Fault, LoadBehaviour, Model, Settings, Simulator};
use tokio::runtime::{Builder, Runtime};

use super::support::{command, load, unload, until, watch_with};

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

/// The same weights under another name and another manifest, as `FROM` one model and another `SYSTEM` make it.
fn derived(model: &Model, name: &str) -> Model {
    Model { weights: model.weights.clone(), ..Model::new(name, model.memory) }
}

#[test]
fn a_load_of_weights_that_are_in_memory_is_done_at_once() {
    let model = Model::new("smollm2:135m", GIB);
    let copy = model.copied_as("copy:1");
    let (simulator, server, runtime) = simulator([model.clone(), copy, derived(&model, "smol-sys")]);
    runtime.block_on(load(&Ledger::default(), &server, &"smollm2:135m".into(), KeepAlive::Default, LONG)).unwrap();
    for name in ["smol-sys:latest", "copy:1"] {
        let done = runtime.block_on(load(&Ledger::default(), &server, &name.into(), KeepAlive::Forever, LONG)).unwrap();
        assert!(done.took < Duration::from_secs(5), "{name}: {done:?}");
        assert_eq!(simulator.loaded(), ["smollm2:135m"]);
    }
    let kept = runtime.block_on(load(&Ledger::default(), &server, &"copy:1".into(), KeepAlive::Default, LONG)).unwrap();
    let note = kept.note.unwrap();
    assert!(note.contains("Ollama leaves it so") && note.contains("stays until it has to make room"), "{note}");
}

#[test]
fn an_unload_takes_away_nothing_that_was_not_named_unless_by_force() {
    let model = Model::new("smollm2:135m", GIB);
    let (simulator, server, runtime) =
        simulator([model.clone(), model.copied_as("copy:1"), derived(&model, "smol-sys")]);
    let ledger = Ledger::default();
    for name in ["smol-sys:latest", "copy:1"] {
        runtime.block_on(load(&ledger, &server, &"smollm2:135m".into(), KeepAlive::Default, LONG)).unwrap();
        let (asked, target) = (simulator.asked("/api/generate"), Target::from(name));
        let error = runtime.block_on(unload(&ledger, &server, &target, LONG)).unwrap_err();
        assert!(matches!(&error, CommandError::OtherName { goes, .. } if &**goes == "smollm2:135m"), "{error:?}");
        assert_eq!((error.outcome(), simulator.asked("/api/generate")), (Outcome::Declined, asked));
        assert_eq!(simulator.loaded(), ["smollm2:135m"]);
        let forced = Command { force: true, ..command(&ledger, &server, &target, LONG) };
        let done = runtime.block_on(forced.unload()).unwrap();
        assert_eq!((done.gone.as_deref(), simulator.loaded()), (Some("smollm2:135m"), vec![]));
    }
}

#[test]
fn an_unload_of_what_is_not_in_memory_asks_nothing_and_is_not_counted() {
    let (simulator, server, runtime) = simulator([Model::new("llama3.1:8b", GIB), Model::new("phi3.5:3.8b", GIB)]);
    let ledger = Arc::new(Ledger::default());
    runtime.block_on(load(&ledger, &server, &"phi3.5:3.8b".into(), KeepAlive::Default, LONG)).unwrap();
    let asked = simulator.asked("/api/generate");
    let done = runtime.block_on(unload(&ledger, &server, &"llama3.1:8b".into(), LONG)).unwrap();
    assert!(done.already, "{done:?}");
    assert_eq!(simulator.asked("/api/generate"), asked);
    let mut source = watch_with(&[&simulator], &Context::default().lending(Arc::clone(&ledger)));
    let reading = until(&mut source, 0, "it answers", |host| host.loaded.value().is_some());
    assert!(reading.hosts[0].commands.unloads.iter().all(|tally| tally.count == 0));
}

#[test]
fn an_unload_waits_for_the_version_that_the_name_means_and_tells_of_the_older_one() {
    let old = Model::new("victim:latest", GIB);
    let (simulator, server, runtime) = simulator([old.clone()]);
    let ledger = Ledger::default();
    runtime.block_on(load(&ledger, &server, &"victim".into(), KeepAlive::Default, LONG)).unwrap();
    simulator.install(old.pulled_again());
    let target = Target::from("victim:latest");
    let error = runtime.block_on(unload(&ledger, &server, &target, LONG)).unwrap_err();
    assert!(matches!(error, CommandError::OutOfReach(_)), "only the older one is there: {error:?}");
    runtime.block_on(load(&ledger, &server, &target, KeepAlive::Default, LONG)).unwrap();
    assert_eq!(simulator.loaded().len(), 2);
    let mut source = watch_with(&[&simulator], &Context::default());
    let reading = until(&mut source, 0, "it is described", |host| {
        host.loaded.value().is_some_and(|all| all.iter().any(|model| model.weights.is_some()))
    });
    for known in
        [reading.hosts[0].weights(), HashMap::from([(old.digest.as_str().into(), old.weights.as_str().into())])]
    {
        runtime.block_on(load(&ledger, &server, &target, KeepAlive::Default, LONG)).unwrap();
        let command = Command { known, ..command(&ledger, &server, &target, Duration::from_secs(60)) };
        let done = runtime.block_on(command.unload()).unwrap();
        assert!(done.took < Duration::from_secs(10), "{done:?}");
        assert!(done.note.as_ref().is_some_and(|note| note.contains("older version")), "{done:?}");
        assert_eq!(simulator.loaded().len(), 1, "the older one is left");
    }
}

#[test]
fn what_was_deleted_while_loaded_cannot_be_unloaded_and_it_is_said_until_when_it_stays() {
    let (simulator, server, runtime) = simulator([Model::new("llama3.1:8b", GIB)]);
    let (ledger, target) = (Ledger::default(), Target::from("llama3.1:8b"));
    let keep = KeepAlive::For(Interval::from_secs(3600));
    runtime.block_on(load(&ledger, &server, &target, keep, LONG)).unwrap();
    simulator.delete("llama3.1:8b");
    let error = runtime.block_on(unload(&ledger, &server, &target, LONG)).unwrap_err();
    assert!(matches!(&error, CommandError::OutOfReach(text) if text.contains("stays until 20")), "{error:?}");
    let error = runtime.block_on(unload(&ledger, &server, &"other:1".into(), LONG)).unwrap_err();
    assert!(matches!(&error, CommandError::NotFound(_)), "{error:?}");
}
