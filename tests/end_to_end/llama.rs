//! A real llama-server: as an Ollama, which it is not, and as the engine of one, which it is.

use std::{env, os::unix::fs::symlink, process::Command};

use aura_tests::{Agent, Peer, Request, Setup, get, needs, skip, wait_until};
use serde_json::json;

#[test]
#[ignore = "a llama-server, which is built from source: make e2e llama"]
fn a_llama_server_in_ollamas_place_is_not_taken_for_one() {
    let Some(program) = needs("llama-server") else { return };
    let Some(model) = env::var_os("AURA_TEST_MODEL") else { return skip("a model (make e2e llama)") };
    let setup = Setup::default();
    let address = Agent::free_address();
    let mut command = Command::new(program);
    command.arg("--model").arg(model).args(["--host", "127.0.0.1", "--port", &address.port().to_string(), "--metrics"]);
    let mut server = Peer::start(&mut command, setup.folder().join("llama.log"));
    server.wait_for_log("listening");
    wait_until("the model is loaded", || {
        assert!(server.ended().is_none(), "{}", server.log());
        get(address, "/health").status == 200
    });
    let agent =
        setup.config(&format!("sources: {{ollama: {{hosts: ['http://{address}'], interval: 200ms}}}}\n")).start();
    wait_until("it is told", || agent.json("/api/models")["hosts"][0]["state"] == "away");
    let message = agent.json("/api/models");
    assert!(message["loaded_models"].is_null() && message["hosts"][0]["detail"].is_string(), "{message}");
    assert_eq!(agent.scrape("/metrics/ollama").value("ollama_up", &[("host", &address.to_string())]), 0.0);
    // Its own metrics can be read: all of them are missing here.
    let compared = Agent::run(&["compare", &format!("http://{address}/metrics")]);
    assert_eq!(compared.code, Some(1), "{}", compared.log);
    assert!(compared.log.contains("llamacpp:"), "{}", compared.log);
}

#[test]
#[ignore = "a llama-server, which is built from source: make e2e llama"]
fn tokens_of_a_real_engine_are_counted_to_the_last() {
    let (Some(program), Some(python)) = (needs("llama-server"), needs("python3")) else { return };
    let Some(model) = env::var_os("AURA_TEST_MODEL") else { return skip("a model (make e2e llama)") };
    let setup = Setup::default();
    let weights = setup.folder().join(format!("sha256-{}", "ab".repeat(32)));
    symlink(model, &weights).unwrap();
    let (address, engine) = (Agent::free_address(), Agent::free_address());
    let mut command = Command::new(python);
    command
        .arg(setup.write("ollama.py", include_str!("ollama.py")))
        .arg("serve")
        .arg(address.port().to_string())
        .arg(program)
        .arg(weights)
        .arg(engine.port().to_string());
    command.env("LLAMA_ARG_ENDPOINT_METRICS", "1");
    let mut server = Peer::start(&mut command, setup.folder().join("ollama.log"));
    server.wait_for_log("listening");
    wait_until("the model is loaded", || {
        assert!(server.ended().is_none(), "{}", server.log());
        get(engine, "/health").status == 200
    });
    let agent = setup.config(&format!("sources: {{ollama: {{hosts: ['http://{address}']}}}}\n")).start();
    let value = |name: &str, labels: &[(&str, &str)]| {
        let labels = [&[("model", "smollm2:135m")], labels].concat();
        agent.scrape("/metrics/ollama").get(name, &labels)
    };
    let tokens = |kind| value("ollama_engine_tokens_total", &[("kind", kind)]);
    wait_until("its engine is seen", || tokens("generated") == Some(0.0));
    assert_eq!(value("ollama_engine_slots", &[]), Some(2.0));
    assert_eq!(value("ollama_engine_context_tokens", &[]), Some(4096.0));
    let (mut generated, mut prompt, mut cached) = (0, 0, 0);
    let mut was_seen_running = false;
    for number in 0..30 {
        let text = "Once upon a time ".repeat(1 + number % 4);
        let body = json!({ "prompt": format!("{number}. {text}"), "n_predict": 3 + number % 7, "cache_prompt": true });
        let answer = Request::new("POST", "/completion").body(&body.to_string()).send(engine).json();
        let count = |name: &str| answer["timings"][name].as_u64().unwrap();
        generated += count("predicted_n");
        prompt += count("prompt_n");
        cached += count("cache_n");
        was_seen_running |=
            value("ollama_engine_tokens_per_second", &[("window", "live")]).is_some_and(|rate| rate > 0.0);
    }
    wait_until("the last is counted", || tokens("generated") == Some(generated as f64));
    assert_eq!((tokens("prompt"), tokens("cached")), (Some(prompt as f64), Some(cached as f64)), "{generated}");
    assert!(was_seen_running);
    println!("30 requests: {generated} tokens generated, {prompt} of prompts, {cached} cached");
    for (phase, name) in [("prompt", "ollama_engine_seconds_total"), ("generation", "ollama_engine_seconds_total")] {
        assert!(value(name, &[("phase", phase)]).is_some_and(|seconds| seconds > 0.0), "{phase}");
    }
}
