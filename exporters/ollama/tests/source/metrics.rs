//! The whole exposition of a server, and the rules that its names keep.

use std::{collections::HashSet, fmt::Write as _, sync::Arc, time::Duration};

use aura_model::{Context, Emit, Family, Source, Value};
use aura_ollama::{KeepAlive, Ledger, Ollama, load, unload};
use aura_ollama_simulator::{Model, Settings, Simulator};

use super::support::{loaded, post, until, watch, watch_with};

const GIB: u64 = 1 << 30;

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
        text.lines().partition(|line| line.starts_with("ollama_scrape_duration"));
    assert_eq!(timed.len(), 1);
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
            assert!(family.name.ends_with(unit), "{}", family.name);
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
