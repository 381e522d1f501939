//! The simulator as a process, and its engines as others find them: in `/proc` and on their ports.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use aura_tests::{EngineProcess, Exposition, OllamaServer, Request, Response, get, receive, wait_for, wait_until};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

const METRICS: (&str, &str) = ("LLAMA_ARG_ENDPOINT_METRICS", "1");

fn start(models: &str, variables: &[(&str, &str)]) -> OllamaServer {
    OllamaServer::start(models, variables).expect("cargo builds the programs of this package before its tests")
}

fn response(engine: &EngineProcess, path: &str) -> Response {
    get(SocketAddr::from((Ipv4Addr::LOCALHOST, engine.port)), path)
}

fn slots(engine: &EngineProcess) -> Vec<Value> {
    response(engine, "/slots").json().as_array().cloned().unwrap()
}

fn tokens(engine: &EngineProcess) -> f64 {
    Exposition::parse(&response(engine, "/metrics").text()).value("llamacpp:tokens_predicted_total", &[])
}

/// A request whose answer is not read.
fn begin(server: &OllamaServer, body: &Value) -> TcpStream {
    let mut client = TcpStream::connect(server.address()).unwrap();
    let request = Request::new("POST", "/api/generate").body(&body.to_string());
    client.write_all(&request.bytes(server.address())).unwrap();
    client
}

#[test]
fn a_model_in_memory_is_a_process_that_says_what_it_was_started_for() {
    let server = start("small:1b=1,0.5", &[("OLLAMA_NUM_PARALLEL", "2"), ("OLLAMA_KV_CACHE_TYPE", "q8_0")]);
    assert_eq!(server.engines(), []);
    let client = begin(&server, &json!({ "model": "small:1b" }));
    let engine = wait_for("an engine", || server.engines().pop());
    let loading = wait_for("it listens", || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, engine.port)).ok()?;
        Some(response(&engine, "/slots"))
    });
    assert_eq!(loading.status, 503);
    assert_eq!(
        loading.text(),
        r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#,
        "its keys are in another order than those of its other errors"
    );
    wait_until("it is ready", || response(&engine, "/health").status == 200);
    wait_until("it is listed", || server.loaded() == ["small:1b"]);
    drop(client);
    let comm = |pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(comm(engine.pid.as_raw_nonzero()), "llama-server\n");
    assert_eq!((engine.parent, comm(engine.parent.as_raw_nonzero())), (server.pid(), "ollama\n".into()));
    let line = engine.arguments[1..].join(" ");
    let weights = server.post("/api/show", &json!({ "model": "small:1b" })).json()["modelfile"].clone();
    let path = &engine.arguments[2];
    assert!(weights.as_str().unwrap().contains(&format!("\nFROM {path}\n")), "{weights}");
    for part in ["--host 127.0.0.1", "-c 8192 -np 2", "--cache-type-k q8_0", "-b 512", "--no-webui --offline"] {
        assert!(line.contains(part), "{line}");
    }
    let refused = response(&engine, "/metrics");
    assert_eq!((refused.status, &refused.json()["error"]["type"]), (501, &json!("not_supported_error")));
    let idle = slots(&engine);
    assert_eq!(idle.len(), 2);
    assert_eq!(idle[0], json!({ "id": 0, "n_ctx": 4096, "speculative": false, "is_processing": false }));
}

#[test]
fn tokens_count_when_a_request_ends_and_slots_show_them_before() {
    let server = start("small:1b=1,0", &[METRICS]);
    server.post("/api/generate", &json!({ "model": "small:1b" }));
    let engine = server.engines().pop().unwrap();
    let ask_for = |tokens: u64| json!({ "model": "small:1b", "prompt": "a b", "options": { "num_predict": tokens } });
    let running = begin(&server, &ask_for(1500));
    let decoded = || slots(&engine)[0]["next_token"][0]["n_decoded"].as_u64().unwrap_or(0);
    wait_until("tokens come", || decoded() > 2);
    assert_eq!(tokens(&engine), 0.0, "they count at the end");
    assert_eq!(slots(&engine)[0]["is_processing"], true);
    drop(running);
    // Nobody reads on: it ends, and what was made counts.
    wait_until("the slot is free", || slots(&engine)[0]["is_processing"] == false);
    assert_eq!(decoded(), 0, "a free slot keeps its request's number and nothing of its tokens");
    let given_up = tokens(&engine);
    assert!(given_up > 2.0 && given_up < 1500.0, "{given_up}");
    let mut counted = 0;
    for length in [1, 7, 30] {
        let mut body = ask_for(length);
        body["stream"] = false.into();
        counted += server.post("/api/generate", &body).json()["eval_count"].as_u64().unwrap();
    }
    assert_eq!((counted, tokens(&engine)), (38, given_up + 38.0));
    let metrics = Exposition::parse(&response(&engine, "/metrics").text());
    let value = |name: &str| metrics.value(&format!("llamacpp:{name}"), &[]);
    assert_eq!(value("n_decode_total"), given_up + 38.0, "one slot makes one token a step");
    // All but the last word of a prompt that is asked again comes from the cache.
    assert_eq!((value("prompt_tokens_total"), value("prompt_tokens_cached_total")), (11.0, 21.0));
}

#[test]
fn an_embedding_has_its_slot_and_counts_its_prompt_alone() {
    let server = start("small:1b=1,0", &[METRICS, ("OLLAMA_NUM_PARALLEL", "4")]);
    let answer = server.post("/api/embed", &json!({ "model": "nomic-embed-text", "input": ["a b c", "d"] })).json();
    assert_eq!(answer["prompt_eval_count"], 4);
    let engine = server.engines().pop().unwrap();
    assert!(engine.arguments.join(" ").contains("-c 2048 -np 1"), "{engine:?}");
    assert!(engine.arguments.iter().any(|argument| argument == "--embedding"));
    let metrics = Exposition::parse(&response(&engine, "/metrics").text());
    assert_eq!(metrics.value("llamacpp:prompt_tokens_total", &[]), 4.0);
    assert_eq!(metrics.value("llamacpp:tokens_predicted_total", &[]), 0.0);
}

#[test]
fn a_killed_engine_stays_listed_until_somebody_asks_for_its_model() {
    let server = start("small:1b=1,0 other:1b=1,0", &[]);
    server.post("/api/generate", &json!({ "model": "small:1b" }));
    let first = server.engines().pop().unwrap();
    kill_process(first.pid, Signal::KILL).unwrap();
    wait_until("it is gone", || server.engines().is_empty());
    assert_eq!(server.loaded(), ["small:1b"]);
    server.post("/api/generate", &json!({ "model": "small:1b" }));
    let second = server.engines().pop().unwrap();
    assert_ne!(first.pid, second.pid);
    assert_eq!(server.loaded(), ["small:1b"]);
    // Killed while it answers, it ends the answer with an error.
    let mut client =
        begin(&server, &json!({ "model": "small:1b", "prompt": "x", "options": { "num_predict": 30000 } }));
    wait_until("it answers", || slots(&second)[0]["is_processing"] == true);
    kill_process(second.pid, Signal::KILL).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(r#"{"error":"an error was encountered while running the model: "#), "{answer}");
}

#[test]
fn an_engine_that_is_killed_while_it_loads_is_told_as_go_tells_it() {
    let server = start("small:1b=1,60", &[]);
    let mut client = begin(&server, &json!({ "model": "small:1b" }));
    let engine = wait_for("an engine", || server.engines().pop());
    kill_process(engine.pid, Signal::KILL).unwrap();
    let answer = receive(&mut client).unwrap();
    let text = "llama-server process has terminated: signal: killed";
    assert_eq!((answer.status, answer.json()), (500, json!({ "error": text })));
    assert_eq!(server.requests("/api/generate"), 1, "each request is a line in the log: {}", server.log());
}

#[test]
fn lists_wait_for_an_engine_that_hangs_once_somebody_asks_for_its_model() {
    let server = start("small:1b=1,0", &[]);
    server.post("/api/generate", &json!({ "model": "small:1b" }));
    let engine = server.engines().pop().unwrap();
    kill_process(engine.pid, Signal::STOP).unwrap();
    assert_eq!(server.loaded(), ["small:1b"], "nobody has noticed");
    let asking = begin(&server, &json!({ "model": "small:1b" }));
    let listed = |within: u64| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(within))).unwrap();
        stream.write_all(&Request::new("GET", "/api/ps").bytes(server.address())).unwrap();
        stream.read_exact(&mut [0]).is_ok()
    };
    wait_until("the list is silent", || !listed(300));
    assert_eq!(get(server.address(), "/api/version").status, 200, "all else answers");
    kill_process(engine.pid, Signal::CONT).unwrap();
    wait_until("the list is back", || listed(20_000));
    drop(asking);
    assert_eq!(server.engines(), [engine]);
}

#[test]
fn up_to_0_24_an_engine_is_ollama_itself_and_tells_how_far_a_load_is() {
    let server = start("small:1b=1,0.5", &[("AURA_SIMULATED_VERSION", "0.24.0")]);
    let mut client = begin(&server, &json!({ "model": "small:1b" }));
    let engine = wait_for("an engine", || server.engines().pop());
    assert_eq!(engine.arguments[..2], ["ollama", "runner"]);
    wait_until("it listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, engine.port)).is_ok());
    assert_eq!(fs::read_to_string(format!("/proc/{}/comm", engine.pid.as_raw_nonzero())).unwrap(), "ollama\n");
    let health = response(&engine, "/health").json();
    assert_eq!(health["status"], 3, "it loads: {health}");
    assert!((0.0..1.0).contains(&health["progress"].as_f64().unwrap()), "{health}");
    assert_eq!(receive(&mut client).unwrap().status, 200);
    assert_eq!(
        (response(&engine, "/health").json()["status"].clone(), response(&engine, "/slots").status),
        (json!(0), 404)
    );
}

/// Connections that the kernel has on this port as the near side.
fn established(port: u16) -> usize {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().filter(|line| line.contains(&format!(": 0100007F:{port:04X} ")) && line.contains(" 01 ")).count()
}

#[test]
fn an_engine_has_one_connection_for_each_request_that_runs() {
    let server = start("small:1b=1,0", &[("OLLAMA_NUM_PARALLEL", "2")]);
    server.post("/api/generate", &json!({ "model": "small:1b" }));
    let engine = server.engines().pop().unwrap();
    wait_until("none runs", || established(engine.port) == 0);
    let body = json!({ "model": "small:1b", "prompt": "x", "options": { "num_predict": 30000 } });
    let running: Vec<TcpStream> = (0..3).map(|_| begin(&server, &body)).collect();
    wait_until("two run", || slots(&engine).iter().all(|slot| slot["is_processing"] == true));
    wait_until("the third waits in Ollama, unseen here", || established(engine.port) == 2);
    drop(running);
    wait_until("none runs", || established(engine.port) == 0);
}

#[test]
fn a_killed_server_leaves_its_engines_and_one_that_is_asked_to_end_does_not() {
    let mut server = start("small:1b=1,0", &[]);
    server.post("/api/generate", &json!({ "model": "small:1b" }));
    let engine = server.engines().pop().unwrap();
    server.kill();
    let orphan =
        wait_for("it has another parent", || server.engines().pop().filter(|orphan| orphan.parent != engine.parent));
    assert_eq!((orphan.pid, response(&orphan, "/health").status), (engine.pid, 200));
    let mut polite = start("small:1b=1,0", &[]);
    polite.post("/api/generate", &json!({ "model": "small:1b" }));
    polite.signal(Signal::TERM);
    polite.wait();
    wait_until("no engine is left", || polite.engines().is_empty());
}

#[test]
fn engines_end_with_the_time_of_their_model_and_start_anew_for_another_context() {
    let server = start("small:1b=1,0", &[]);
    server.post("/api/generate", &json!({ "model": "small:1b", "keep_alive": "1h" }));
    let first = server.engines().pop().unwrap();
    server.post("/api/generate", &json!({ "model": "small:1b", "options": { "num_ctx": 1024 } }));
    let second = server.engines().pop().unwrap();
    assert_ne!(first.pid, second.pid);
    assert!(second.arguments.join(" ").contains("-c 1024"), "{second:?}");
    server.post("/api/generate", &json!({ "model": "small:1b", "keep_alive": 0.2, "options": { "num_ctx": 1024 } }));
    // Nobody asks for anything meanwhile.
    thread::sleep(Duration::from_millis(200));
    wait_until("its time is over", || server.engines().is_empty());
    assert_eq!(server.loaded(), [""; 0]);
}
