//! What is shown equals what Ollama reports: over random histories, against the simulator, with the server's own
//! answers as the truth.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use aura_model::{Context, Interval, Source, Switch};
use aura_ollama::{Ollama, OllamaOptions, OllamaReading};
use aura_ollama_simulator::{Fault, Model, Settings, Simulator};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const GIB: u64 = 1 << 30;
const NAMES: [&str; 4] = ["phi3.5:3.8b", "llama3.1:8b", "qwen2.5-coder:7b", "nomic-embed-text:latest"];

#[derive(Clone, Debug)]
enum Event {
    Install(usize),
    Pull(usize),
    Delete(usize),
    Load(usize, i64),
    Unload(usize),
    Begin(usize),
    End(usize),
    Expire(usize),
    Stop,
    Start,
    Garbage(bool),
    Hang(bool),
}

fn event() -> impl Strategy<Value = Event> {
    let name = 0..NAMES.len();
    prop_oneof![
        4 => name.clone().prop_map(Event::Install),
        1 => name.clone().prop_map(Event::Pull),
        1 => name.clone().prop_map(Event::Delete),
        6 => (name.clone(), prop_oneof![Just(-1), Just(300), Just(86_400)]).prop_map(|(name, keep)| Event::Load(name, keep)),
        2 => name.clone().prop_map(Event::Unload),
        2 => name.clone().prop_map(Event::Begin),
        2 => name.clone().prop_map(Event::End),
        2 => name.prop_map(Event::Expire),
        1 => Just(Event::Stop),
        2 => Just(Event::Start),
        1 => any::<bool>().prop_map(Event::Garbage),
        1 => prop::bool::weighted(0.3).prop_map(Event::Hang),
    ]
}

fn model(index: usize) -> Model {
    let memory = (index as u64 + 2) * GIB;
    match index {
        3 => Model::embedding(NAMES[index], memory),
        1 => Model { vram: memory / 2, ..Model::new(NAMES[index], memory) },
        _ => Model::new(NAMES[index], memory),
    }
}

struct World {
    simulator: Simulator,
    stopped: bool,
    garbage: bool,
    hung: bool,
}

impl World {
    fn act(&mut self, event: &Event) {
        let simulator = &mut self.simulator;
        match *event {
            Event::Install(index) => simulator.install(model(index)),
            Event::Pull(index) => simulator.install(model(index).pulled_again()),
            Event::Delete(index) => drop(simulator.delete(NAMES[index])),
            Event::Load(index, keep) if !self.stopped => {
                let path = if index == 3 { "/api/embed" } else { "/api/generate" };
                // It may be refused: not installed, or no room beside busy ones. Then nothing has changed.
                ask(simulator, path, Some(&json!({ "model": NAMES[index], "keep_alive": keep })));
            }
            Event::Unload(index) if !self.stopped => {
                ask(simulator, "/api/generate", Some(&json!({ "model": NAMES[index], "keep_alive": 0 })));
            }
            Event::Begin(index) => drop(simulator.begin_request(NAMES[index])),
            Event::End(index) => simulator.end_request(NAMES[index]),
            Event::Expire(index) => simulator.expire(NAMES[index]),
            Event::Stop => {
                simulator.stop();
                self.stopped = true;
            }
            Event::Start => {
                if self.stopped {
                    simulator.start_again().unwrap();
                }
                self.stopped = false;
            }
            Event::Garbage(on) => {
                simulator.set_fault("/api/tags", on.then(|| Fault::Garbage("[]".into())));
                self.garbage = on;
            }
            Event::Hang(on) => {
                simulator.set_fault("/api/ps", on.then_some(Fault::Hang));
                self.hung = on;
            }
            Event::Load(..) | Event::Unload(_) => {}
        }
    }
}

/// The answer's body; nothing unless it is 200.
fn ask(simulator: &Simulator, path: &str, body: Option<&Value>) -> Option<Value> {
    let mut stream = TcpStream::connect(simulator.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (method, body) = body.map_or(("GET", String::new()), |body| ("POST", body.to_string()));
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.0\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    head.starts_with("HTTP/1.0 200")
        .then(|| body.lines().last().map_or(Value::Null, |line| serde_json::from_str(line).unwrap()))
}

pub(super) fn watch(simulators: &[&Simulator]) -> Ollama {
    let hosts = simulators.iter().map(|simulator| simulator.url().into()).collect();
    let request_timeout = Interval::from_millis(100);
    let options = OllamaOptions { enabled: Switch::On, hosts, request_timeout, ..OllamaOptions::default() };
    Ollama::open(&options, &Context::default()).unwrap()
}

fn unread() -> Missing {
    Missing::new(Reason::NotConfigured, "no debates are read")
}

fn shown(reading: &OllamaReading) -> Value {
    let controls = Controls { enabled: false, jobs: Vec::new() };
    let now = Timestamp::now();
    let update = derive::update(OllamaSample {
        seq: 1,
        reading: Ok((reading, now)),
        gpus: None,
        model_stats: Err(unread()),
        interval_seconds: 1.0,
        energy: None,
        controls,
        now,
    });
    serde_json::to_value(update).unwrap()
}

/// The fields of both that say the same in other words.
fn reported(ps: &Value, tags: &Value) -> (Vec<Value>, Vec<Value>) {
    let now = Timestamp::now();
    let loaded = ps["models"].as_array().unwrap().iter().map(|model| {
        let expires_at: Timestamp = model["expires_at"].as_str().unwrap().parse().unwrap();
        let (size, vram) = (model["size"].as_u64().unwrap(), model["size_vram"].as_u64().unwrap());
        json!({
            "name": model["name"], "digest": model["digest"], "memory_usage": size, "memory_vram": vram,
            "memory_ram": size - vram, "expires_at": model["expires_at"], "context_length": model["context_length"],
            "always_loaded": expires_at.as_second() - now.as_second() > 100 * 365 * 86_400,
            "state": if expires_at <= now { "stopping" } else { "loaded" },
            "family": model["details"]["family"], "quantization": model["details"]["quantization_level"],
        })
    });
    let second = |time: &Value| -time.as_str().unwrap().parse::<Timestamp>().unwrap().as_second();
    let running: Vec<&Value> = ps["models"].as_array().unwrap().iter().map(|model| &model["digest"]).collect();
    let installed = tags["models"].as_array().unwrap().iter().map(|model| {
        json!({
            "name": model["name"], "digest": model["digest"], "size": model["size"],
            "modified_at": model["modified_at"], "parameter_size": model["details"]["parameter_size"],
            "loaded": running.contains(&&model["digest"]), "remote": false,
        })
    });
    let (mut loaded, mut installed): (Vec<Value>, Vec<Value>) = (loaded.collect(), installed.collect());
    loaded.sort_by_key(|model| (second(&model["expires_at"]), model["name"].to_string(), model["digest"].to_string()));
    installed.sort_by_key(|model| (second(&model["modified_at"]), model["name"].to_string()));
    (loaded, installed)
}

fn sorted<T: Into<String>>(names: Vec<T>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
    names.sort();
    names
}

/// Only the keys that the expected entries have.
fn same_keys(shown: &Value, expected: &[Value]) -> Vec<Value> {
    let pick = |(entry, expected): (&Value, &Value)| {
        let keys = expected.as_object().unwrap().keys();
        Value::Object(keys.map(|key| (key.clone(), entry[key].clone())).collect())
    };
    let entries = shown.as_array().unwrap();
    assert_eq!(entries.len(), expected.len(), "{shown} {expected:?}");
    entries.iter().zip(expected).map(pick).collect()
}

/// Nothing is shown but what the server's own lists say, and what is not known says why.
fn shows_the_truth_or_nothing(message: &Value, world: &World) {
    let lists = ["loaded_models", "available_models", "installed_models"];
    if message["loaded_models"].is_null() {
        for key in lists {
            assert!(message[key].is_null(), "{key}: {message}");
            assert!(message["missing"][key]["reason"].is_string(), "{key}: {message}");
        }
        assert!(message["memory_usage"]["current_gb"].is_null(), "{message}");
        return;
    }
    assert!(!world.stopped, "models of a server that is away: {message}");
    if world.hung {
        return;
    }
    let ps = ask(&world.simulator, "/api/ps", None).unwrap();
    let names: Vec<&str> =
        ps["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert_eq!(sorted(names), sorted(world.simulator.loaded()), "the simulator hides nothing");
    let empty = json!({ "models": [] });
    let (loaded, _) = reported(&ps, &empty);
    assert_eq!(same_keys(&message["loaded_models"], &loaded), loaded);
    let bytes: u64 = ps["models"].as_array().unwrap().iter().map(|model| model["size"].as_u64().unwrap()).sum();
    assert_eq!(message["memory_usage"]["current_gb"].as_f64(), Some(bytes as f64 / GIB as f64));
}

/// Whether what is shown is as new as the last event.
fn is_settled(message: &Value, world: &World, lists_before: u64) -> bool {
    let state = message["hosts"][0]["state"].as_str().unwrap();
    match world {
        World { stopped: true, .. } => state == "away",
        World { hung: true, .. } => state == "busy",
        World { garbage: true, .. } => state == "away",
        // The gentle pause between two lists is part of the contract, and a fraction of a second long here.
        _ => state == "answering" && world.simulator.asked("/api/tags") > lists_before,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Property 2: The models that are shown are those that Ollama reports.
    #[test]
    fn what_is_shown_equals_what_ollama_reports(events in prop::collection::vec(event(), 1..25)) {
        let settings = Settings { memory: 9 * GIB, ..Settings::default() };
        let simulator = Simulator::start(settings).unwrap();
        let mut world = World { simulator, stopped: false, garbage: false, hung: false };
        let mut source = watch(&[&world.simulator]);
        for event in &events {
            // A load beside busy models would wait for them, and nobody ends their requests meanwhile.
            if let Event::Load(..) = event {
                (0..3).for_each(|_| NAMES.iter().for_each(|name| world.simulator.end_request(name)));
            }
            world.act(event);
            let (lists, begun) = (world.simulator.asked("/api/tags"), Instant::now());
            let message = loop {
                let message = shown(&source.sample().unwrap());
                shows_the_truth_or_nothing(&message, &world);
                if is_settled(&message, &world, lists) {
                    break message;
                }
                prop_assert!(begun.elapsed() < Duration::from_secs(20), "after {event:?} still: {message}");
            };
            if world.hung && !world.stopped {
                // What it last said holds for a while.
                continue;
            }
            if world.stopped || world.garbage {
                prop_assert!(message["loaded_models"].is_null());
                continue;
            }
            let ps = ask(&world.simulator, "/api/ps", None).unwrap();
            let tags = ask(&world.simulator, "/api/tags", None).unwrap();
            let (_, installed) = reported(&ps, &tags);
            prop_assert_eq!(same_keys(&message["installed_models"], &installed), installed.clone());
            let names: Vec<Value> = installed.iter().map(|model| model["name"].clone()).collect();
            prop_assert_eq!(message["available_models"].as_array().unwrap(), &names);
        }
    }
}

#[test]
fn a_sum_over_hosts_of_which_one_is_silent_is_not_known() {
    let (answering, mut gone) =
        (Simulator::start(Settings::default()).unwrap(), Simulator::start(Settings::default()).unwrap());
    answering.install(model(0));
    gone.stop();
    let mut source = watch(&[&answering, &gone]);
    let message = shown(&source.sample().unwrap());
    assert_eq!(message["available_models"], json!([NAMES[0]]), "one host's models are known");
    assert!(message["memory_usage"]["current_gb"].is_null());
    assert_eq!(message["missing"]["memory_usage.current_gb"]["reason"], "unreachable");
    assert_eq!(message["missing"][format!("hosts.{}", gone.address())]["reason"], "unreachable");
    let update = derive::update(OllamaSample {
        seq: 1,
        reading: Ok((&source.sample().unwrap(), Timestamp::now())),
        gpus: None,
        model_stats: Err(unread()),
        interval_seconds: 1.0,
        energy: None,
        controls: Controls { enabled: false, jobs: Vec::new() },
        now: Timestamp::now(),
    });
    let (healthy, body) = status::health(update);
    let body = serde_json::to_value(&body).unwrap();
    assert!(!healthy);
    assert_eq!((&body["status"], &body["ollama_url"]), (&json!("unhealthy"), &json!(gone.url())));
}

#[test]
fn without_a_reading_everything_says_why() {
    let now = Timestamp::now();
    let why = Missing::new(Reason::NotConfigured, "no Ollama was found");
    let controls = Controls { enabled: false, jobs: Vec::new() };
    let update = || {
        derive::update(OllamaSample {
            seq: 1,
            reading: Err(why.clone()),
            gpus: None,
            model_stats: Err(unread()),
            interval_seconds: 1.0,
            energy: None,
            controls: Controls { enabled: controls.enabled, jobs: Vec::new() },
            now,
        })
    };
    let message = serde_json::to_value(update()).unwrap();
    for (key, value) in message.as_object().unwrap().iter().filter(|(_, value)| value.is_null()) {
        assert!(message["missing"][key].is_object() || key == "sampled_at", "{key} is {value} and does not say why");
    }
    assert!(!status::health(update()).0);
    assert_eq!(status::status(update()).unwrap_err(), why);
}
