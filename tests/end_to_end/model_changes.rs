//! Each kind of change at an Ollama server reaches the feed with the second sample after it at the latest: two seconds
//! with the defaults. What others show of the same moment is the same.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use aura_ollama_simulator::{Model, Settings, Simulator};
use aura_tests::{Agent, Feed, Setup, wait_for, wait_until};
use serde_json::{Value, json};

const GIB: u64 = 1 << 30;

/// An agent with the default pace, and a client of its feed.
struct Watched {
    simulator: Simulator,
    _agent: Agent,
    feed: Feed,
}

impl Watched {
    fn new() -> Self {
        let simulator = Simulator::start(Settings { memory: 8 * GIB, ..Settings::default() }).unwrap();
        simulator.install(Model::new("llama3.1:8b", 5 * GIB));
        simulator.install(Model::new("phi3.5:3.8b", 3 * GIB));
        let config = format!("sources: {{ollama: {{hosts: ['{}']}}}}\n", simulator.url());
        let agent = Setup::default().config(&config).start();
        let mut feed = Feed::try_connect(agent.address(), "/ws/models", &[]).unwrap();
        wait_for("the models", || Some(feed.message()).filter(|message| message["loaded_models"].is_array()));
        Self { simulator, _agent: agent, feed }
    }

    fn loaded(mut self) -> Self {
        ask(&self.simulator, r#"{"model":"llama3.1:8b"}"#);
        let is_loaded = |message: &Value| names(message, "loaded_models") == ["llama3.1:8b"];
        wait_for("the loaded model", || Some(self.feed.message()).filter(is_loaded));
        self
    }

    /// Changes something, and reads until it is shown. A sample for which the server was not asked for this path has
    /// no news; among those that have, the second must show it.
    fn shows(&mut self, path: &str, change: impl FnOnce(&mut Simulator), is_so: impl Fn(&Value) -> bool) -> Value {
        let newest = self.feed.message();
        assert_eq!(newest["interval_seconds"], 1.0);
        assert!(!is_so(&newest), "it is so already: {newest}");
        let mut sampled_at = newest["sampled_at"].clone();
        change(&mut self.simulator);
        let (mut asked, mut news) = (self.simulator.asked(path), 0);
        loop {
            let message = self.feed.message();
            if is_so(&message) {
                return message;
            }
            let now_asked = self.simulator.asked(path);
            if message["sampled_at"] != sampled_at && (now_asked > asked || message["hosts"][0]["state"] == "away") {
                news += 1;
                assert!(news < 2, "two samples have not shown it: {message}");
            }
            (asked, sampled_at) = (now_asked, message["sampled_at"].clone());
        }
    }
}

/// As another client of the server does.
fn ask(simulator: &Simulator, body: &str) {
    let mut stream = TcpStream::connect(simulator.address()).unwrap();
    let length = body.len();
    write!(stream, "POST /api/generate HTTP/1.0\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
}

fn names<'a>(message: &'a Value, list: &str) -> Vec<&'a str> {
    message[list].as_array().into_iter().flatten().filter_map(|model| model["name"].as_str()).collect()
}

/// The entry of this model among those that are installed.
fn installed<'a>(message: &'a Value, name: &str) -> &'a Value {
    let mut models = message["installed_models"].as_array().into_iter().flatten();
    models.find(|model| model["name"] == name).unwrap_or(&Value::Null)
}

fn state(message: &Value) -> &str {
    message["hosts"][0]["state"].as_str().unwrap_or_default()
}

#[test]
fn loaded() {
    let mut watched = Watched::new();
    let load = |simulator: &mut Simulator| ask(simulator, r#"{"model":"phi3.5:3.8b","keep_alive":"1h"}"#);
    let message = watched.shows("/api/ps", load, |message| names(message, "loaded_models") == ["phi3.5:3.8b"]);
    let model = &message["loaded_models"][0];
    assert_eq!((&model["state"], &model["memory_usage"]), (&json!("loaded"), &json!(3 * GIB)));
    assert!((3590.0..=3600.0).contains(&model["unloads_in_seconds"].as_f64().unwrap()), "{model}");
    assert_eq!((&model["idle_minutes"], &model["always_loaded"]), (&json!(0.0), &json!(false)));
    assert_eq!(installed(&message, "phi3.5:3.8b")["loaded"], true);
}

#[test]
fn kept_for_longer() {
    let mut watched = Watched::new().loaded();
    let keep = |simulator: &mut Simulator| ask(simulator, r#"{"model":"llama3.1:8b","keep_alive":-1}"#);
    let message = watched.shows("/api/ps", keep, |message| message["loaded_models"][0]["always_loaded"] == true);
    assert_eq!(message["loaded_models"][0]["unloads_in_seconds"], Value::Null);
}

#[test]
fn unloaded() {
    let mut watched = Watched::new().loaded();
    let unload = |simulator: &mut Simulator| ask(simulator, r#"{"model":"llama3.1:8b","keep_alive":0}"#);
    let message = watched.shows("/api/ps", unload, |message| message["loaded_models"] == json!([]));
    assert_eq!(message["memory_usage"]["current_gb"], 0.0);
}

#[test]
fn stopping_and_gone() {
    let mut watched = Watched::new().loaded();
    let stop = |simulator: &mut Simulator| {
        simulator.begin_request("llama3.1:8b");
        ask(simulator, r#"{"model":"llama3.1:8b","keep_alive":0}"#);
    };
    let message = watched.shows("/api/ps", stop, |message| message["loaded_models"][0]["state"] == "stopping");
    assert_eq!(message["loaded_models"][0]["unloads_in_seconds"], 0.0);
    let end = |simulator: &mut Simulator| simulator.end_request("llama3.1:8b");
    watched.shows("/api/ps", end, |message| message["loaded_models"] == json!([]));
}

#[test]
fn pulled_and_pulled_anew() {
    let mut watched = Watched::new();
    let model = Model::new("qwen2.5-coder:7b", 5 * GIB);
    let (first, again) = (model.clone(), model.pulled_again());
    let pull = |simulator: &mut Simulator| simulator.install(first);
    let message = watched.shows("/api/tags", pull, |message| !installed(message, &model.name).is_null());
    assert_eq!(installed(&message, &model.name)["size"], json!(model.size));
    let digest = again.digest.clone();
    let pull = |simulator: &mut Simulator| simulator.install(again);
    watched.shows("/api/tags", pull, |message| installed(message, &model.name)["digest"] == digest.as_str());
}

#[test]
fn deleted() {
    let mut watched = Watched::new();
    let delete = |simulator: &mut Simulator| assert!(simulator.delete("llama3.1:8b"));
    watched.shows("/api/tags", delete, |message| names(message, "installed_models") == ["phi3.5:3.8b"]);
}

#[test]
fn away_and_back() {
    let mut watched = Watched::new().loaded();
    let message = watched.shows("/api/ps", Simulator::stop, |message| state(message) == "away");
    assert_eq!((&message["loaded_models"], &message["hosts"][0]["reason"]), (&Value::Null, &json!("unreachable")));
    let start = |simulator: &mut Simulator| simulator.start_again().unwrap();
    let message = watched.shows("/api/ps", start, |message| state(message) == "answering");
    assert_eq!(message["loaded_models"], json!([]));
}

/// Property 2: The models that are shown are those that Ollama reports.
#[test]
fn every_view_of_a_moment_has_the_same_numbers() {
    let simulators = [8, 16].map(|gib| {
        let simulator = Simulator::start(Settings { memory: gib * GIB, ..Settings::default() }).unwrap();
        simulator.install(Model { vram: 2 * GIB, ..Model::new("llama3.1:8b", 5 * GIB) });
        simulator.install(Model::new("phi3.5:3.8b", 3 * GIB));
        simulator
    });
    ask(&simulators[0], r#"{"model":"llama3.1:8b","keep_alive":"1h"}"#);
    ask(&simulators[0], r#"{"model":"phi3.5:3.8b","keep_alive":-1}"#);
    ask(&simulators[1], r#"{"model":"llama3.1:8b","keep_alive":"2h"}"#);
    let urls = simulators.each_ref().map(Simulator::url);
    let config = format!("sources: {{ollama: {{hosts: ['{}', '{}'], interval: 200ms}}}}\n", urls[0], urls[1]);
    let agent = Setup::default().config(&config).start();
    let complete = |message: &Value| {
        let described = message["installed_models"]
            .as_array()
            .is_some_and(|models| models.len() == 4 && models.iter().all(|model| !model["context_length"].is_null()));
        described && message["loaded_models"].as_array().is_some_and(|models| models.len() == 3)
    };
    wait_until("both servers are read", || complete(&agent.json("/api/models")));
    let mut feed = Feed::try_connect(agent.address(), "/ws/models", &[]).unwrap();
    let (message, twin) = (feed.message(), agent.json("/api/models"));
    for key in
        ["type", "available_models", "installed_models", "memory_usage", "model_stats", "mode_mappings", "missing"]
    {
        assert_eq!(message[key], twin[key], "{key}");
    }
    let keys = message.as_object().unwrap();
    for key in ["loaded_models", "timestamp", "sampled_at", "seq"] {
        assert!(keys.contains_key(key) && twin.as_object().unwrap().contains_key(key), "{key}");
    }
    let (status, health) = (agent.json("/v1/models/status"), agent.json("/v1/models/health"));
    assert_eq!(status["available_models"], message["available_models"]);
    assert_eq!(status["current_ram_gb"], message["memory_usage"]["current_gb"]);
    assert_eq!(status["current_ram_gb"], 13.0);
    assert_eq!(
        (&health["status"], &health["ollama_url"], &health["available_models"], &health["loaded_models"]),
        (&json!("healthy"), &json!(urls[0]), &status["available_models"], &status["loaded_models"])
    );
    for scrape in [agent.scrape("/metrics/ollama"), agent.scrape("/metrics")] {
        for (index, host) in message["hosts"].as_array().unwrap().iter().enumerate() {
            let labels = [("host", host["host"].as_str().unwrap())];
            assert_eq!(host["url"], urls[index].as_str());
            assert_eq!(scrape.value("ollama_up", &labels), 1.0);
            assert_eq!(scrape.value("ollama_models_installed", &labels), host["models_installed"].as_f64().unwrap());
            assert_eq!(scrape.value("ollama_models_loaded", &labels), host["models_loaded"].as_f64().unwrap());
            let version = host["version"].as_str().unwrap();
            assert_eq!(scrape.value("ollama_build_info", &[labels[0], ("version", version)]), 1.0);
        }
        for model in message["installed_models"].as_array().unwrap() {
            let labels = ["host", "name"].map(|key| model[key].as_str().unwrap());
            let labels = [("host", labels[0]), ("model", labels[1])];
            assert_eq!(scrape.value("ollama_model_disk_bytes", &labels), model["size"].as_f64().unwrap());
            let loaded = if model["loaded"] == true { 1.0 } else { 0.0 };
            assert_eq!(scrape.value("ollama_model_loaded", &labels), loaded);
        }
        for (model, twin) in
            message["loaded_models"].as_array().unwrap().iter().zip(twin["loaded_models"].as_array().unwrap())
        {
            let labels = ["host", "name"].map(|key| model[key].as_str().unwrap());
            let labels = [("host", labels[0]), ("model", labels[1])];
            let on = |device| scrape.value("ollama_model_memory_bytes", &[labels[0], labels[1], ("device", device)]);
            assert_eq!(on("vram"), model["memory_vram"].as_f64().unwrap());
            assert_eq!(on("ram"), model["memory_ram"].as_f64().unwrap());
            assert_eq!(on("vram") + on("ram"), model["memory_usage"].as_f64().unwrap());
            let context = scrape.value("ollama_model_context_tokens", &labels);
            assert_eq!(context, model["context_length"].as_f64().unwrap());
            assert_eq!(scrape.value("ollama_model_stopping", &labels), 0.0);
            let expiry = scrape.value("ollama_model_expiry_timestamp_seconds", &labels);
            if model["always_loaded"] == true {
                assert_eq!(expiry, f64::INFINITY);
            } else {
                let time: jiff::Timestamp = model["expires_at"].as_str().unwrap().parse().unwrap();
                assert!((expiry - time.as_duration().as_secs_f64()).abs() < 0.001, "{expiry} {time}");
            }
            for key in ["name", "memory_usage", "loaded_at", "last_used", "always_loaded", "expires_at", "digest"] {
                assert_eq!(model[key], twin[key], "{key}");
            }
            let details = &status["model_details"][labels[1].1];
            assert!(details.as_object().is_some(), "{status}");
            assert_eq!(details["always_loaded"], model["always_loaded"]);
            for key in ["loaded_at", "last_used", "idle_minutes", "timeout_minutes", "ram_gb"] {
                assert!(details.as_object().unwrap().contains_key(key), "{key}");
            }
        }
    }
}
