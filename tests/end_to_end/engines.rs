//! Ollama's engines beside the simulator, whose engines are processes of their own.

use std::{
    fs,
    net::SocketAddr,
    thread::{self, JoinHandle},
};

use aura_tests::{Agent, OllamaServer, Request, Response, Setup, skip, wait_for, wait_until};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

const METRICS: (&str, &str) = ("LLAMA_ARG_ENDPOINT_METRICS", "1");
const MODEL: &str = "small:1b";

/// Ollama with one model, and an agent that watches it.
fn start(variables: &[(&str, &str)]) -> Option<(OllamaServer, Agent)> {
    let server = OllamaServer::start("small:1b=1,0.2", variables)?;
    let sources = format!("sources: {{ollama: {{hosts: ['{}'], interval: 200ms}}}}\n", server.url());
    let agent = Setup::default().config(&sources).start();
    wait_until("the first answer", || up(&agent) == Some(1.0));
    Some((server, agent))
}

fn up(agent: &Agent) -> Option<f64> {
    agent.scrape("/metrics/ollama").all("ollama_up").next().map(|sample| sample.value)
}

/// A value of the one model that there is.
fn value(agent: &Agent, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    agent.scrape("/metrics/ollama").get(name, labels)
}

fn generate(address: SocketAddr, tokens: u64) -> JoinHandle<Response> {
    let body =
        json!({ "model": MODEL, "prompt": "one two three", "stream": false, "options": { "num_predict": tokens } });
    thread::spawn(move || Request::new("POST", "/api/generate").body(&body.to_string()).send(address))
}

#[test]
fn tokens_are_counted_to_the_last_and_the_counts_outlive_the_engine() {
    let Some((server, agent)) = start(&[METRICS]) else { return };
    let tokens = |kind| value(&agent, "ollama_engine_tokens_total", &[("model", MODEL), ("kind", kind)]);
    let (mut generated, mut lives) = (0, 0);
    for round in 0..2 {
        for number in 1..=5 {
            let answer = generate(server.address(), 3 * number + round).join().unwrap().json();
            generated += answer["eval_count"].as_u64().unwrap();
        }
        wait_until("all tokens are counted", || tokens("generated") == Some(generated as f64));
        assert!(tokens("prompt").is_some_and(|tokens| tokens > 0.0) && tokens("cached").is_some());
        assert_eq!(value(&agent, "ollama_engine_slots", &[("model", MODEL)]), Some(1.0));
        let born = value(&agent, "ollama_engine_start_time_seconds", &[]).unwrap();
        let loaded_at = agent.json("/api/models")["loaded_models"][0]["loaded_at"].clone();
        let loaded_at: jiff::Timestamp = loaded_at.as_str().unwrap().parse().unwrap();
        assert!(
            (loaded_at.as_duration().as_secs_f64() - born).abs() < 0.01,
            "it was loaded when its engine was started"
        );
        server.post("/api/generate", &json!({ "model": MODEL, "keep_alive": 0 }));
        lives += 1;
        wait_until("it is unloaded", || {
            value(&agent, "ollama_engine_ends_total", &[("how", "unloaded")]) == Some(f64::from(lives))
        });
        assert_eq!(tokens("generated"), Some(generated as f64), "they outlive it");
        assert_eq!(value(&agent, "ollama_engine_slots", &[]), None);
    }
    assert_eq!(value(&agent, "ollama_engine_starts_total", &[("model", MODEL)]), Some(2.0));
}

#[test]
fn an_engine_that_does_not_count_says_what_to_do() {
    let Some((server, agent)) = start(&[]) else { return };
    generate(server.address(), 3).join().unwrap();
    wait_until("it has told its slots", || value(&agent, "ollama_engine_slots_busy", &[("model", MODEL)]) == Some(0.0));
    assert_eq!(value(&agent, "ollama_engine_tokens_total", &[]), None);
    assert!(value(&agent, "ollama_engine_memory_bytes", &[]).is_some_and(|bytes| bytes > 0.0));
    let missing = agent.json("/api/models")["missing"]["engine_work[].generated_tokens"].clone();
    assert_eq!(missing["reason"], "not_configured");
    assert!(missing["detail"].as_str().unwrap().contains("LLAMA_ARG_ENDPOINT_METRICS=1"), "{missing}");
}

#[test]
fn a_dead_engine_is_not_loaded_and_one_that_hangs_is_named() {
    let Some((server, agent)) = start(&[METRICS]) else { return };
    generate(server.address(), 3).join().unwrap();
    let engine = wait_for("an engine", || server.engines().pop());
    wait_until("it is seen", || value(&agent, "ollama_engine_start_time_seconds", &[]).is_some());
    let state = |message: &Value| message["loaded_models"][0]["state"].as_str().map(str::to_owned);
    kill_process(engine.pid, Signal::KILL).unwrap();
    wait_until("it is known to be dead", || state(&agent.json("/api/models")).as_deref() == Some("crashed"));
    assert_eq!(server.loaded(), [MODEL], "Ollama lists it all the same");
    let message = agent.json("/api/models");
    assert!(message["loaded_models"][0]["memory_usage"].is_null() && message["memory_usage"]["current_gb"] == 0.0);
    assert_eq!(value(&agent, "ollama_model_loaded", &[("model", MODEL)]), Some(0.0));
    assert_eq!(value(&agent, "ollama_model_memory_bytes", &[]), None);
    assert_eq!(value(&agent, "ollama_engine_ends_total", &[("how", "crashed")]), Some(1.0));
    // It is needed again.
    generate(server.address(), 3).join().unwrap();
    wait_until("it is loaded anew", || state(&agent.json("/api/models")).as_deref() == Some("loaded"));
    let engine = wait_for("another engine", || server.engines().pop());
    kill_process(engine.pid, Signal::STOP).unwrap();
    wait_until("it is known to be stopped", || value(&agent, "ollama_engine_stuck", &[]) == Some(1.0));
    let asked = generate(server.address(), 3);
    let why = wait_for("the server waits for it", || {
        let message = agent.json("/api/models");
        message["hosts"][0]["detail"].as_str().filter(|why| why.contains("signal")).map(str::to_owned)
    });
    assert!(why.contains(&engine.pid.to_string()), "{why}");
    kill_process(engine.pid, Signal::CONT).unwrap();
    asked.join().unwrap();
    wait_until("it goes on", || value(&agent, "ollama_engine_stuck", &[]) == Some(0.0));
}

#[test]
fn what_a_killed_ollama_leaves_behind_is_named_with_its_memory() {
    let Some((mut server, agent)) = start(&[METRICS]) else { return };
    generate(server.address(), 7).join().unwrap();
    let generated = |agent: &Agent| value(agent, "ollama_engine_tokens_total", &[("kind", "generated")]);
    wait_until("its tokens are counted", || generated(&agent) == Some(7.0));
    server.kill();
    wait_until("it is an orphan", || value(&agent, "ollama_engine_orphans", &[]) == Some(1.0));
    assert!(value(&agent, "ollama_engine_orphans_memory_bytes", &[]).is_some_and(|bytes| bytes > 0.0));
    let shown = agent.json("/api/models")["engines"][0].clone();
    assert_eq!(
        (&shown["models"][0], &shown["orphaned"]),
        (&json!(MODEL), &json!(true)),
        "its name outlives its Ollama"
    );
    assert_eq!((generated(&agent), value(&agent, "ollama_engine_slots", &[])), (Some(7.0), None));
    for engine in server.engines() {
        kill_process(engine.pid, Signal::KILL).unwrap();
    }
    wait_until("it is gone", || value(&agent, "ollama_engine_orphans", &[]) == Some(0.0));
    wait_until("how it ended is not known", || {
        value(&agent, "ollama_engine_ends_total", &[("how", "unknown")]) == Some(1.0)
    });
}

#[test]
fn an_engine_that_lives_between_two_looks_is_counted() {
    let Some(server) = OllamaServer::start("small:1b=1,0.05", &[]) else { return };
    // Two looks in the time of the test, whatever it takes; and the engine lives for a fraction of a second.
    let sources = format!("sources: {{ollama: {{hosts: ['{}'], interval: 5s}}}}\n", server.url());
    let agent = Setup::default().config(&sources).argument("--log.level=debug").start();
    wait_until("the first answer", || up(&agent) == Some(1.0));
    if agent.log().contains("engines that live for less than a sample may be missed") {
        return skip("the kernel's process events: Linux 6.6, or root, and no container of its own");
    }
    let body =
        json!({ "model": MODEL, "prompt": "one", "stream": false, "keep_alive": 0, "options": { "num_predict": 1 } });
    server.post("/api/generate", &body);
    wait_until("it is gone", || server.engines().is_empty());
    wait_until("its start and its end are counted", || {
        let ended = value(&agent, "ollama_engine_ends_total", &[("model", MODEL), ("how", "unloaded")]);
        (value(&agent, "ollama_engine_starts_total", &[("model", MODEL)]), ended) == (Some(1.0), Some(1.0))
    });
    // Who does not watch engines has the kernel tell nothing.
    let listens = || {
        let threads = fs::read_dir(format!("/proc/{}/task", agent.pid().as_raw_nonzero())).unwrap().flatten();
        threads
            .filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok())
            .any(|name| name == "ollama-events\n")
    };
    assert!(listens());
    fs::write(agent.folder().join("aura.yaml"), sources.replace("interval", "engine: false, interval")).unwrap();
    assert_eq!(agent.send(&Request::new("POST", "/-/reload")).status, 200);
    wait_until("nobody listens", || !listens());
}
