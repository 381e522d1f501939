//! A llama-server, which answers some of Ollama's routes and is none.

use std::{env, process::Command};

use aura_tests::{Agent, Peer, Setup, get, needs, skip, wait_until};

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
