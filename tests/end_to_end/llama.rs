//! A real llama-server: where an Ollama should be, and as the engine of a simulated one.

use std::{env, net::SocketAddr, path::Path, process::Command};

use aura_tests::{
    Agent, EngineProcess, Exposition, OllamaServer, Peer, Request, Response, Setup, get, needs, skip, wait_until,
};
use serde_json::{Value, json};

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

const NAME: &str = "smollm2:135m";

/// Ollama's simulator with this model loaded, and its engine: the real one where a program is named.
fn engine(real: Option<(&Path, &Path)>) -> Option<(OllamaServer, EngineProcess)> {
    let program = real.map_or("", |(program, _)| program.to_str().expect("a path of ours"));
    let mut variables = vec![("LLAMA_ARG_ENDPOINT_METRICS", "1"), ("OLLAMA_NUM_PARALLEL", "2")];
    variables.extend((!program.is_empty()).then_some(("AURA_SIMULATED_ENGINE", program)));
    let server = OllamaServer::start(&format!("{NAME}=1,0"), &variables)?;
    if let Some((_, model)) = real {
        server.give_weights(NAME, model);
    }
    let loaded = server.post("/api/generate", &json!({ "model": NAME }));
    assert_eq!(loaded.status, 200, "{}", loaded.text());
    let engine = server.engines().pop().expect("a model in memory has an engine");
    Some((server, engine))
}

/// A text with every value left out: what stands for itself are keys, names and their order.
fn shape(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        // Keys are compared in the order of the text.
        Ok(_) => {
            let parts: Vec<&str> = text.split('"').collect();
            let keys = parts.windows(2).filter(|pair| pair[1].starts_with(':')).map(|pair| pair[0]);
            keys.collect::<Vec<_>>().join(" ")
        }
        Err(_) => {
            let lines = text.lines().filter(|line| !line.starts_with("# HELP"));
            lines.map(|line| line.rsplit_once(' ').map_or(line, |(name, _)| name)).collect::<Vec<_>>().join("\n")
        }
    }
}

/// Everything that is looked at: a request, its status, its headers and the shape of its body.
fn looks(server: &OllamaServer, engine: &EngineProcess) -> Vec<String> {
    let address = SocketAddr::from(([127, 0, 0, 1], engine.port));
    let show = |what: &str, response: &Response| {
        let headers = response.headers.iter().filter(|(name, _)| name != "date");
        let headers = headers.map(|(name, value)| match name.as_str() {
            "content-type" | "server" | "connection" | "keep-alive" => format!("{name}: {value}"),
            name if name.starts_with("access-control") => format!("{name}: {value}"),
            name => name.to_owned(),
        });
        let mut headers: Vec<String> = headers.collect();
        headers.sort();
        format!("{what}: {} {headers:?}\n{}", response.status, shape(&response.text()))
    };
    let mut looks = Vec::new();
    let mut look = |when: &str| {
        for path in ["/health", "/slots", "/metrics", "/nothing"] {
            let request = Request::new("GET", path).header("Origin", "http://evil.example");
            looks.push(show(&format!("{when} {path}"), &request.send(address)));
        }
    };
    look("unused");
    let body = json!({ "model": NAME, "prompt": "The sea is", "options": { "num_predict": 20 } });
    assert_eq!(server.post("/api/generate", &body).status, 200);
    look("used");
    let preflight = Request::new("OPTIONS", "/slots").header("Origin", "http://evil.example").send(address);
    looks.push(show("preflight", &preflight));
    let refused = Request::new("POST", "/embedding").body(r#"{"content":"x"}"#).send(address);
    looks.push(show("embedding", &refused));
    looks
}

#[test]
#[ignore = "a llama-server, which is built from source: make e2e llama"]
fn a_simulated_engine_answers_in_the_shape_of_the_real_one() {
    let Some(program) = needs("llama-server") else { return };
    let Some(model) = env::var_os("AURA_TEST_MODEL") else { return skip("a model (make e2e llama)") };
    let Some((server, simulated)) = engine(None) else { return };
    let looked = looks(&server, &simulated);
    let (server, real) = engine(Some((&program, Path::new(&model)))).expect("the simulator is built");
    let real = looks(&server, &real);
    let differing = looked.iter().zip(&real).filter(|(simulated, real)| simulated != real);
    let differing: Vec<String> = differing.map(|(simulated, real)| format!("{simulated}\nreal: {real}")).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}

#[test]
#[ignore = "a llama-server, which is built from source: make e2e llama"]
fn true_tokens_of_thirty_requests_are_counted_exactly() {
    let Some(program) = needs("llama-server") else { return };
    let Some(model) = env::var_os("AURA_TEST_MODEL") else { return skip("a model (make e2e llama)") };
    let Some((server, engine)) = engine(Some((&program, Path::new(&model)))) else { return };
    let sources = format!("sources: {{ollama: {{hosts: ['{}'], interval: 200ms}}}}\n", server.url());
    let agent = Setup::default().config(&sources).start();
    let tokens = |kind| {
        let labels = [("model", NAME), ("kind", kind)];
        agent.scrape("/metrics/ollama").get("ollama_engine_tokens_total", &labels)
    };
    wait_until("the engine is seen", || tokens("generated") == Some(0.0));
    let (mut generated, mut prompts) = (0, 0);
    for number in 0..30 {
        let prompt = format!("{number}. {}", "Once upon a time ".repeat(1 + number % 4));
        let options = json!({ "num_predict": 3 + number % 7 });
        let body = json!({ "model": NAME, "prompt": prompt, "stream": false, "options": options });
        let spent = server.post("/api/generate", &body).json();
        generated += spent["eval_count"].as_u64().expect("tokens were made");
        prompts += spent["prompt_eval_count"].as_u64().expect("a prompt was read");
    }
    let address = SocketAddr::from(([127, 0, 0, 1], engine.port));
    let metrics = Exposition::parse(&get(address, "/metrics").text());
    assert_eq!(metrics.value("llamacpp:tokens_predicted_total", &[]), generated as f64);
    wait_until("the last is counted", || tokens("generated") == Some(generated as f64));
    // What Ollama counts as a prompt is both what was computed and what was in the cache.
    let counted = ["prompt", "cached"].map(|kind| tokens(kind).expect("they are counted"));
    assert_eq!(counted[0] + counted[1], prompts as f64, "{counted:?}");
}
