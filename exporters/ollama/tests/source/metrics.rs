//! The whole exposition of a server, and the rules that its names keep.

use std::{collections::HashSet, fmt::Write as _, sync::Arc, time::Duration};

use aura_model::{Context, Emit, Family, Source, Value};
use aura_ollama::{KeepAlive, Ledger, Ollama};
use aura_ollama_simulator::{Model, Settings, Simulator};

use super::support::{load, loaded, post, unload, until, watch, watch_with};

const GIB: u64 = 1 << 30;

/// What differs from run to run.
const TIMED: [&str; 3] =
    ["ollama_scrape_duration_seconds", "ollama_last_answer_timestamp_seconds", "ollama_requests_total"];

#[test]
fn every_sample_of_a_server() {
    let simulator = Simulator::start(Settings::default()).unwrap();
    simulator.install(Model::new("phi3.5:3.8b", 3 * GIB));
    simulator.install(Model { vram: 2 * GIB, ..Model::new("llama3.1:8b", 6 * GIB) });
    simulator.install(Model { remote_host: Some("https://ollama.com:443".into()), ..Model::new("far:cloud", GIB) });
    let mut source = watch(&[&simulator]);
    post(&simulator, r#"{"model":"llama3.1:8b","keep_alive":-1}"#);
    let reading = until(&mut source, 0, "it is loaded", |host| loaded(host) == Some(vec!["llama3.1:8b".into()]));
    let mut lines = Lines::default();
    for group in Ollama::groups() {
        (group.walk)(&reading, &mut lines);
    }
    let text = lines.out.replace(&simulator.address().to_string(), "HOST");
    let (timed, rest): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| TIMED.iter().any(|name| line.starts_with(name)));
    assert_eq!(timed.len(), TIMED.len());
    insta::assert_snapshot!(rest.join("\n"));
}

#[test]
fn five_hundred_models_have_no_more_series_than_sixty_four() {
    let simulator = Simulator::start(Settings { memory: 500 * GIB, max_loaded: 500, ..Settings::default() }).unwrap();
    for number in 0..500 {
        simulator.install(Model::new(&format!("model{number}"), GIB));
    }
    let mut source = watch(&[&simulator]);
    let series = |loaded_models: usize, source: &mut Ollama| {
        let reading =
            until(source, 0, "it is loaded", |host| loaded(host).is_some_and(|models| models.len() == loaded_models));
        let mut lines = Lines::default();
        for group in Ollama::groups() {
            (group.walk)(&reading, &mut lines);
        }
        lines.out
    };
    let count = |out: &str, start: &str| out.lines().filter(|line| line.starts_with(start)).count();
    post(&simulator, r#"{"model":"model0"}"#);
    let out = series(1, &mut source);
    assert_eq!((count(&out, "ollama_model_info"), count(&out, "ollama_model_loaded ")), (64, 64));
    assert!(out.contains("model=model0:latest 1"), "the loaded one, the oldest of all, has its series");
    assert!(out.lines().any(|line| line.starts_with("ollama_models_installed") && line.ends_with(" 500")));
    for number in 1..100 {
        post(&simulator, &format!(r#"{{"model":"model{number}"}}"#));
    }
    let out = series(100, &mut source);
    for (name, most) in [
        ("ollama_model_info", 64),
        ("ollama_model_disk_bytes", 64),
        ("ollama_model_loaded ", 64),
        ("ollama_model_stopping", 64),
        ("ollama_model_memory_bytes", 128),
        ("ollama_model_context_tokens", 64),
        ("ollama_model_expiry_timestamp_seconds", 64),
    ] {
        assert_eq!(count(&out, name), most, "{name}");
    }
    assert!(out.lines().any(|line| line.starts_with("ollama_models_loaded") && line.ends_with(" 100")));
    assert!(count(&out, "ollama_") < 600, "{} series", count(&out, "ollama_"));
}

fn text(reading: &aura_ollama::OllamaReading) -> String {
    let mut lines = Lines::default();
    for group in Ollama::groups() {
        (group.walk)(reading, &mut lines);
    }
    lines.out
}

#[test]
fn each_name_that_answers_without_a_load_is_loaded_and_memory_counts_once() {
    let simulator = Simulator::start(Settings::default()).unwrap();
    let model = Model::new("smollm2:135m", 2 * GIB);
    let derived = |name: &str| Model { weights: model.weights.clone(), ..Model::new(name, 2 * GIB) };
    simulator.install(model.clone());
    simulator.install(derived("smol-sys:1"));
    simulator.install(model.copied_as("copy:1"));
    simulator.install(Model::new("other:1", 3 * GIB));
    let mut source = watch(&[&simulator]);
    post(&simulator, r#"{"model":"smollm2:135m"}"#);
    let told = |host: &aura_ollama::HostReading| {
        host.installed.value().is_some_and(|all| all.iter().all(|model| model.weights.is_some()))
            && loaded(host) == Some(vec!["smollm2:135m".into()])
    };
    let out = text(&until(&mut source, 0, "all are described", told));
    for (name, value) in [("smollm2:135m", 1), ("smol-sys:1", 1), ("copy:1", 1), ("other:1", 0)] {
        assert!(
            out.lines()
                .any(|line| line.starts_with("ollama_model_loaded ") && line.ends_with(&format!("={name} {value}"))),
            "{name}: {out}"
        );
    }
    assert_eq!(out.lines().filter(|line| line.starts_with("ollama_model_memory_bytes")).count(), 2, "{out}");
    // Made anew with the same weights while it is loaded, it is the same in memory; deleted, the others still are.
    let anew = Model { weights: model.weights.clone(), ..model.pulled_again() };
    simulator.install(anew.clone());
    let remade = |host: &aura_ollama::HostReading| {
        told(host) && host.installed.value().is_some_and(|all| all.iter().any(|known| *known.digest == anew.digest))
    };
    let out = text(&until(&mut source, 0, "it is made anew", remade));
    assert!(out.contains("model=smollm2:135m 1"), "{out}");
    simulator.delete("smollm2:135m");
    simulator.delete("copy:1");
    let reading =
        until(&mut source, 0, "it is deleted", |host| host.installed.value().is_some_and(|all| all.len() == 2));
    assert!(text(&reading).contains("model=smol-sys:1 1"), "the weights are remembered: {}", text(&reading));
}

#[test]
fn two_versions_of_a_name_take_the_memory_of_both() {
    let simulator = Simulator::start(Settings::default()).unwrap();
    let model = Model { vram: GIB, ..Model::new("victim:1", 2 * GIB) };
    simulator.install(model.clone());
    post(&simulator, r#"{"model":"victim:1","keep_alive":-1}"#);
    simulator.install(model.pulled_again());
    post(&simulator, r#"{"model":"victim:1"}"#);
    let mut source = watch(&[&simulator]);
    let reading = until(&mut source, 0, "both are there", |host| loaded(host).is_some_and(|all| all.len() == 2));
    let out = text(&reading);
    assert!(out.contains(&format!("model=victim:1,device=vram {}", 2 * GIB)), "{out}");
    assert!(out.contains(&format!("model=victim:1,device=ram {}", 2 * GIB)), "{out}");
    let expiry = out.lines().find(|line| line.starts_with("ollama_model_expiry")).unwrap();
    assert!(!expiry.ends_with("inf"), "it is that of the version that the name means: {expiry}");
    assert_eq!(
        reading.hosts[0].loaded.value().unwrap().iter().map(|model| model.name.as_ref()).collect::<Vec<_>>(),
        ["victim:1"; 2]
    );
}

#[test]
fn which_models_have_series_does_not_depend_on_the_order_of_the_list() {
    let simulator = Simulator::start(Settings::default()).unwrap();
    let now = jiff::Timestamp::now();
    let mut order: Vec<usize> = (0..100).collect();
    let mut source = watch(&[&simulator]);
    let mut seen = HashSet::new();
    for round in 0..5 {
        order.rotate_left(17 + round);
        for &number in &order {
            simulator.install(Model { modified_at: now, ..Model::new(&format!("m{number:03}:1"), GIB) });
        }
        let reading =
            until(&mut source, 0, "all are listed", |host| host.installed.value().is_some_and(|all| all.len() == 100));
        let names: Vec<String> =
            reading.hosts[0].installed.value().unwrap().iter().map(|m| m.name.to_string()).collect();
        assert!(names.is_sorted(), "{names:?}");
        let out = text(&reading);
        assert!(out.lines().any(|line| line.starts_with("ollama_models_without_series") && line.ends_with(" 36")));
        seen.insert(out.lines().filter(|line| line.starts_with("ollama_model_info")).collect::<Vec<_>>().join("\n"));
    }
    assert_eq!(seen.len(), 1);
}

#[test]
fn loads_and_unloads_are_counted_by_how_they_ended_and_how_long_they_took() {
    let simulator = Simulator::start(Settings::default()).unwrap();
    simulator.install(Model { load_time: Duration::from_millis(600), ..Model::new("llama3.1:8b", 6 * GIB) });
    let ledger = Arc::new(Ledger::default());
    let mut source = watch_with(&[&simulator], &Context::default().lending(Arc::clone(&ledger)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (server, long) = (simulator.url().parse().unwrap(), Duration::from_secs(20));
    runtime.block_on(load(&ledger, &server, &"llama3.1:8b".into(), KeepAlive::Default, long)).unwrap();
    runtime.block_on(load(&ledger, &server, &"absent:1b".into(), KeepAlive::Default, long)).unwrap_err();
    runtime.block_on(unload(&ledger, &server, &"llama3.1:8b".into(), long)).unwrap();
    let reading = until(&mut source, 0, "it answers", |host| loaded(host) == Some(vec![]));
    let mut lines = Lines::default();
    for group in Ollama::groups() {
        (group.walk)(&reading, &mut lines);
    }
    let out = lines.out.replace(&simulator.address().to_string(), "HOST");
    let value = |series: &str| -> f64 {
        let line = out.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("{series}: {out}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    for (series, expected) in [
        ("ollama_loads_total host=HOST,outcome=ok ", 1.0),
        ("ollama_loads_total host=HOST,outcome=not_found ", 1.0),
        ("ollama_loads_total host=HOST,outcome=no_memory ", 0.0),
        ("ollama_unloads_total host=HOST,outcome=ok ", 1.0),
        ("ollama_load_duration_seconds_count host=HOST,outcome=ok ", 1.0),
        ("ollama_load_duration_seconds_count host=HOST,outcome=not_found ", 1.0),
        ("ollama_load_duration_seconds_bucket host=HOST,outcome=ok,le=0.5 ", 0.0),
        ("ollama_load_duration_seconds_bucket host=HOST,outcome=ok,le=+Inf ", 1.0),
        ("ollama_unload_duration_seconds_count host=HOST,outcome=ok ", 1.0),
    ] {
        assert_eq!(value(series), expected, "{series}");
    }
    assert!(value("ollama_load_duration_seconds_sum host=HOST,outcome=ok ") >= 0.6);
}

#[test]
fn names_are_declared_once_and_end_in_their_units() {
    let mut names = HashSet::new();
    for group in Ollama::groups() {
        (group.declare)(&mut |family| {
            assert!(names.insert(family.name), "{} is declared twice", family.name);
            assert!(family.name.starts_with("ollama_"), "{}", family.name);
            assert_eq!(family.labels.first(), Some(&"host"), "{}", family.name);
            let counts = family.kind == aura_model::Kind::Counter;
            assert_eq!(counts, family.name.ends_with("_total"), "{}", family.name);
            let unit = match family.unit {
                aura_model::Unit::Seconds => "_seconds",
                aura_model::Unit::Bytes => "_bytes",
                _ => "",
            };
            assert!(family.name.trim_end_matches("_total").ends_with(unit), "{}", family.name);
        });
    }
}

#[derive(Default)]
struct Lines {
    out: String,
    name: String,
    labels: Vec<String>,
}

impl Emit for Lines {
    fn family(&mut self, family: &Family<'_>) {
        family.name.clone_into(&mut self.name);
        self.labels = family.labels.iter().map(|&label| label.to_owned()).collect();
    }

    fn sample(&mut self, values: &[&str], value: Value) {
        let pairs: Vec<String> =
            self.labels.iter().zip(values).map(|(label, value)| format!("{label}={value}")).collect();
        let _ = writeln!(self.out, "{} {} {}", self.name, pairs.join(","), value.as_f64());
    }

    fn labelled(&mut self, suffix: &str, labels: &[(&str, &str)], value: Value) {
        let pairs: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        let _ = writeln!(self.out, "{}{suffix} {} {}", self.name, pairs.join(","), value.as_f64());
    }
}
