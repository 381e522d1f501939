//! The README's claims, over plain HTTP.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use aura_ollama_simulator::{LoadBehaviour, Model, Settings, Simulator};
use serde_json::{Value, json};

const GIB: u64 = 1 << 30;

struct Answer {
    status: u16,
    head: String,
    lines: Vec<Value>,
    text: String,
}

fn start(settings: Settings) -> Simulator {
    let simulator = Simulator::start(settings).unwrap();
    // What shares a second has no order of its own.
    let modified_at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(3);
    simulator.install(Model { modified_at, ..Model::new("llama3.1:8b", 6 * GIB) });
    let modified_at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(1);
    simulator.install(Model { modified_at, ..Model::embedding("nomic-embed-text", GIB) });
    simulator
}

fn send(simulator: &Simulator, method: &str, path: &str, host: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(simulator.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.0\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    stream
}

fn receive(mut stream: TcpStream) -> Answer {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head: head.to_ascii_lowercase(),
        lines: text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
        text: text.to_owned(),
    }
}

fn ask(simulator: &Simulator, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    receive(send(simulator, method, path, "localhost", &body))
}

fn get(simulator: &Simulator, path: &str) -> Value {
    ask(simulator, "GET", path, &Value::Null).lines.remove(0)
}

fn generate(simulator: &Simulator, body: &Value) -> Answer {
    ask(simulator, "POST", "/api/generate", body)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn liveness() {
    let simulator = start(Settings::default());
    assert_eq!(ask(&simulator, "GET", "/", &Value::Null).text, "Ollama is running");
    let head = ask(&simulator, "HEAD", "/api/version", &Value::Null);
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(get(&simulator, "/api/version"), json!({ "version": "0.33.0" }));
}

#[test]
fn methods() {
    let simulator = start(Settings::default());
    assert_eq!(ask(&simulator, "POST", "/api/ps", &Value::Null).status, 405);
    assert_eq!(ask(&simulator, "GET", "/api/nothing", &Value::Null).status, 404);
}

#[test]
fn errors() {
    let simulator = start(Settings { memory: 4 * GIB, ..Settings::default() });
    let broken = LoadBehaviour::Fails("llama runner process has terminated: exit status 2".into());
    simulator.install(Model { load: broken, ..Model::new("broken", GIB) });
    for (body, status, text) in [
        (json!(null), 400, "missing request body"),
        (json!({}), 404, "model '' not found"),
        (json!({ "model": "llama3.1:8b", "keep_alive": true }), 400, "Unsupported type: 'bool'"),
        (json!({ "model": "absent" }), 404, "model 'absent' not found"),
        (json!({ "model": "broken" }), 500, "llama runner process has terminated: exit status 2"),
        (json!({ "model": "llama3.1:8b", "keep_alive": "5" }), 400, "time: missing unit in duration \"5\""),
        (
            json!({ "model": "llama3.1:8b" }),
            500,
            "llama-server process has terminated: exit status 1: llama_init_from_model: failed to initialize the context: \
             std::bad_alloc\nllama_init_from_model: failed to initialize the context",
        ),
    ] {
        let answer = generate(&simulator, &body);
        assert_eq!((answer.status, &answer.lines[0]), (status, &json!({ "error": text })));
    }
    for (method, path, text) in [
        ("POST", "/api/chat", "model is required"),
        ("POST", "/api/show", "model is required"),
        ("POST", "/api/pull", "invalid model name"),
        ("DELETE", "/api/delete", "model is required"),
    ] {
        let answer = ask(&simulator, method, path, &json!({}));
        assert_eq!((answer.status, &answer.lines[0]), (400, &json!({ "error": text })), "{path}");
    }
}

#[test]
fn host_names() {
    let simulator = start(Settings::default());
    for (host, status) in [
        ("127.0.0.1:11434", 200),
        ("[::1]:1", 200),
        ("192.168.1.2", 200),
        ("box.internal", 200),
        ("LocalHost", 200),
        ("[fd00::1]:11434", 200),
        ("[2001:db8::1]:11434", 403),
        ("evil.example", 403),
        ("8.8.8.8", 403),
        ("localhost.evil.example", 403),
    ] {
        let answer = receive(send(&simulator, "GET", "/api/version", host, ""));
        assert_eq!(answer.status, status, "{host}");
        assert!(status == 200 || answer.text.is_empty());
    }
}

#[test]
fn streams() {
    let simulator = start(Settings::default());
    for (path, body) in [
        ("/api/generate", json!({ "model": "llama3.1:8b", "prompt": "hello", "options": { "num_predict": 3 } })),
        (
            "/api/chat",
            json!({ "model": "llama3.1:8b", "messages": [{ "role": "user", "content": "hello" }], "options": { "num_predict": 3 } }),
        ),
    ] {
        let answer = ask(&simulator, "POST", path, &body);
        assert!(answer.head.contains("content-type: application/x-ndjson"), "{}", answer.head);
        assert_eq!(answer.lines.len(), 4, "three tokens and the end");
        assert!(answer.lines[..3].iter().all(|line| line["done"] == false && line.get("eval_count").is_none()));
        let last = &answer.lines[3];
        assert_eq!(
            (&last["done"], &last["done_reason"], &last["eval_count"]),
            (&json!(true), &json!("length"), &json!(3))
        );
        assert!(last["total_duration"].as_u64() >= last["eval_duration"].as_u64());
        let mut whole = body.clone();
        whole["stream"] = false.into();
        assert_eq!(ask(&simulator, "POST", path, &whole).lines.len(), 1);
    }
}

#[test]
fn store() {
    let simulator = start(Settings::default());
    let tags = get(&simulator, "/api/tags");
    let names: Vec<&Value> = tags["models"].as_array().unwrap().iter().map(|model| &model["name"]).collect();
    assert_eq!(names, ["nomic-embed-text:latest", "llama3.1:8b"]);
    let show = ask(&simulator, "POST", "/api/show", &json!({ "model": "nomic-embed-text" }));
    assert_eq!(show.lines[0]["model_info"]["nomic-bert.context_length"], 2048);
    let weights = "\nFROM /root/.ollama/models/blobs/sha256-";
    assert!(show.lines[0]["modelfile"].as_str().unwrap().contains(weights), "{}", show.lines[0]);
    assert_eq!(ask(&simulator, "POST", "/api/show", &json!({ "model": "absent" })).status, 404);
    generate(&simulator, &json!({ "model": "llama3.1:8b" }));
    assert_eq!(ask(&simulator, "DELETE", "/api/delete", &json!({ "model": "llama3.1:8b" })).status, 200);
    assert_eq!(get(&simulator, "/api/tags")["models"].as_array().unwrap().len(), 1);
    assert_eq!(simulator.loaded(), ["llama3.1:8b"]);
}

#[test]
fn pull() {
    let simulator = start(Settings::default());
    let answer = ask(&simulator, "POST", "/api/pull", &json!({ "model": "new:1b" }));
    let lines = &answer.lines;
    assert_eq!(
        (&lines[0]["status"], &lines[lines.len() - 1]["status"]),
        (&json!("pulling manifest"), &json!("success"))
    );
    assert!(lines[1].get("completed").is_none() && lines[2]["completed"].as_u64() < lines[2]["total"].as_u64());
    assert_eq!(get(&simulator, "/api/tags")["models"][0]["name"], "new:1b");
    let answer = ask(&simulator, "POST", "/api/pull", &json!({ "model": "missing" }));
    assert_eq!((answer.status, answer.lines.len()), (200, 2));
    assert!(answer.lines[1]["error"].is_string());
}

#[test]
fn keep_alive() {
    let simulator = start(Settings::default());
    let left = |body: Value| {
        generate(&simulator, &body);
        let at: jiff::Timestamp =
            get(&simulator, "/api/ps")["models"][0]["expires_at"].as_str().unwrap().parse().unwrap();
        at.as_second() - jiff::Timestamp::now().as_second()
    };
    assert!((298..=300).contains(&left(json!({ "model": "llama3.1:8b" }))));
    assert!((3598..=3600).contains(&left(json!({ "model": "llama3.1:8b", "keep_alive": "1h" }))));
    assert!((3598..=3600).contains(&left(json!({ "model": "llama3.1:8b" }))), "without one it stays");
    assert!(left(json!({ "model": "llama3.1:8b", "keep_alive": -1 })) / (365 * 86_400) > 290);
}

#[test]
fn load_and_unload() {
    let simulator = start(Settings::default());
    let unloaded = generate(&simulator, &json!({ "model": "llama3.1:8b", "keep_alive": 0 }));
    assert_eq!((&unloaded.lines[0]["done_reason"], simulator.loaded()), (&json!("unload"), vec![]), "it loads nothing");
    let loaded = generate(&simulator, &json!({ "model": "llama3.1:8b" }));
    assert_eq!((&loaded.lines[0]["done_reason"], loaded.lines.len()), (&json!("load"), 1));
    assert_eq!(simulator.loaded(), ["llama3.1:8b"]);
    generate(&simulator, &json!({ "model": "llama3.1:8b", "keep_alive": 0 }));
    assert_eq!(simulator.loaded(), [""; 0]);
}

#[test]
fn stopping() {
    let simulator = start(Settings::default());
    generate(&simulator, &json!({ "model": "llama3.1:8b" }));
    assert!(simulator.begin_request("llama3.1:8b"));
    generate(&simulator, &json!({ "model": "llama3.1:8b", "keep_alive": 0 }));
    let at: jiff::Timestamp = get(&simulator, "/api/ps")["models"][0]["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(at <= jiff::Timestamp::now());
    simulator.end_request("llama3.1:8b");
    assert_eq!(get(&simulator, "/api/ps"), json!({ "models": [] }));
}

#[test]
fn embedding() {
    let simulator = start(Settings::default());
    let answer = generate(&simulator, &json!({ "model": "nomic-embed-text" }));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.lines[0]["error"], "\"nomic-embed-text\" does not support generate");
    assert_eq!(ask(&simulator, "POST", "/api/embed", &json!({ "model": "nomic-embed-text" })).status, 200);
    assert_eq!(simulator.loaded(), ["nomic-embed-text:latest"]);
    generate(&simulator, &json!({ "model": "nomic-embed-text", "keep_alive": 0 }));
    assert_eq!(simulator.loaded(), [""; 0]);
}

#[test]
fn a_client_that_leaves() {
    let simulator = start(Settings::default());
    simulator.install(Model { load: LoadBehaviour::Hangs, ..Model::new("hanging", GIB) });
    let client = send(&simulator, "POST", "/api/generate", "localhost", r#"{"model":"hanging"}"#);
    wait_until("it loads", || simulator.loaded().len() == 1);
    drop(client);
    wait_until("the load is given up", || simulator.loaded().is_empty());
}

#[test]
fn eviction() {
    let simulator = start(Settings { memory: 8 * GIB, ..Settings::default() });
    simulator.install(Model::new("small", GIB));
    simulator.install(Model::new("other", 6 * GIB));
    generate(&simulator, &json!({ "model": "llama3.1:8b", "keep_alive": 60 }));
    generate(&simulator, &json!({ "model": "small", "keep_alive": 3600 }));
    generate(&simulator, &json!({ "model": "other", "keep_alive": 600 }));
    assert_eq!(simulator.loaded(), ["small:latest", "other:latest"], "the shortest keep-alive goes");
    simulator.begin_request("other");
    let waiting = send(&simulator, "POST", "/api/generate", "localhost", r#"{"model":"llama3.1:8b"}"#);
    wait_until("the idle one went", || simulator.loaded() == ["other:latest"]);
    simulator.end_request("other");
    assert_eq!(receive(waiting).status, 200);
    assert_eq!(simulator.loaded(), ["llama3.1:8b"]);
}

#[test]
fn queue() {
    let simulator = start(Settings { max_queue: 1, ..Settings::default() });
    simulator.install(Model { load: LoadBehaviour::Hangs, ..Model::new("hanging", GIB) });
    let _waiting = send(&simulator, "POST", "/api/generate", "localhost", r#"{"model":"hanging"}"#);
    wait_until("it loads", || simulator.loaded().len() == 1);
    let answer = generate(&simulator, &json!({ "model": "llama3.1:8b" }));
    let text = "server busy, please try again.  maximum pending requests exceeded";
    assert_eq!((answer.status, &answer.lines[0]["error"]), (503, &json!(text)));
    assert!(!answer.head.contains("retry-after"));
}

#[test]
fn a_first_line_comes_before_the_last_is_made() {
    let simulator = start(Settings { token_time: Duration::from_millis(20), ..Settings::default() });
    let body = r#"{"model":"llama3.1:8b","prompt":"hello","options":{"num_predict":1000}}"#;
    let mut reader = BufReader::new(send(&simulator, "POST", "/api/generate", "localhost", body));
    let mut line = String::new();
    while !line.starts_with('{') {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    assert!(line.contains("\"done\":false"), "{line}");
    simulator.expire("llama3.1:8b");
    assert_eq!(simulator.loaded(), ["llama3.1:8b"], "it still answers");
    drop(reader);
    wait_until("the answer ends with its reader", || simulator.loaded().is_empty());
}

#[test]
fn in_memory() {
    let simulator = start(Settings::default());
    simulator.install(Model { vram: 2 * GIB, ..Model::new("split", 3 * GIB) });
    generate(&simulator, &json!({ "model": "llama3.1:8b", "keep_alive": "1h" }));
    generate(&simulator, &json!({ "model": "split", "keep_alive": -1 }));
    let ps = get(&simulator, "/api/ps");
    assert_eq!((&ps["models"][0]["name"], &ps["models"][1]["name"]), (&json!("split:latest"), &json!("llama3.1:8b")));
    assert_eq!(
        (&ps["models"][0]["size"], &ps["models"][0]["size_vram"], &ps["models"][0]["context_length"]),
        (&json!(3 * GIB), &json!(2 * GIB), &json!(4096))
    );
    assert_eq!(ps["models"][0]["digest"], Model::new("split", 3 * GIB).digest);
}

#[test]
fn cloud() {
    let simulator = start(Settings::default());
    simulator.install(Model { remote_host: Some("https://ollama.com:443".into()), ..Model::new("far:cloud", GIB) });
    let model = &get(&simulator, "/api/tags")["models"][0];
    assert_eq!(
        (&model["remote_host"], &model["remote_model"]),
        (&json!("https://ollama.com:443"), &json!("far:cloud"))
    );
    assert_eq!(generate(&simulator, &json!({ "model": "far:cloud" })).status, 502);
    assert_eq!(simulator.loaded(), [""; 0]);
}

#[test]
fn later_versions() {
    for later in [false, true] {
        let version = if later { "0.33.0" } else { "0.24.0" };
        let simulator = start(Settings { version: version.into(), ..Settings::default() });
        let model = &get(&simulator, "/api/tags")["models"][0];
        assert_eq!(model.get("capabilities"), later.then_some(&json!(["embedding"])));
        assert_eq!(model["details"].get("context_length"), later.then_some(&json!(2048)));
        simulator.install(Model { load: LoadBehaviour::Hangs, ..Model::new("hanging", GIB) });
        let _loading = send(&simulator, "POST", "/api/generate", "localhost", r#"{"model":"hanging"}"#);
        wait_until("it loads", || simulator.loaded().len() == 1);
        assert_eq!(get(&simulator, "/api/ps")["models"].as_array().unwrap().len(), usize::from(!later));
    }
}

#[test]
fn nothing_runs_down_yet() {
    let simulator = start(Settings { version: "0.24.0".into(), ..Settings::default() });
    let expiry = || get(&simulator, "/api/ps")["models"][0]["expires_at"].as_str().map(str::to_owned);
    let mut slow = Model::new("slow", GIB);
    slow.load_time = Duration::from_millis(300);
    simulator.install(slow);
    let loading = send(&simulator, "POST", "/api/generate", "localhost", r#"{"model":"slow"}"#);
    wait_until("it loads", || expiry().is_some());
    let first = expiry();
    wait_until("the time moves", || expiry() > first);
    assert_eq!(receive(loading).status, 200);
    assert_eq!(expiry(), expiry(), "a loaded model's time stands still");
    let before = expiry();
    simulator.begin_request("slow");
    assert_eq!(expiry(), before, "a request moves it only at its end");
    simulator.end_request("slow");
    assert!(expiry() > before);
}

#[test]
fn one_runner_for_all_names_of_a_model() {
    let simulator = start(Settings::default());
    simulator.install(Model::new("llama3.1:8b", 6 * GIB).copied_as("llama3.1"));
    generate(&simulator, &json!({ "model": "llama3.1:8b" }));
    assert_eq!(generate(&simulator, &json!({ "model": "llama3.1" })).lines[0]["done_reason"], "load");
    assert_eq!(simulator.loaded(), ["llama3.1:8b"], "it keeps the name under which it was loaded first");
    generate(&simulator, &json!({ "model": "llama3.1", "keep_alive": 0 }));
    assert_eq!(simulator.loaded(), [""; 0]);
    // A newer version is another model, and its name no longer reaches the old one.
    generate(&simulator, &json!({ "model": "llama3.1:8b" }));
    simulator.install(Model::new("llama3.1:8b", 6 * GIB).pulled_again());
    assert_eq!(
        generate(&simulator, &json!({ "model": "llama3.1:8b", "keep_alive": 0 })).lines[0]["done_reason"],
        "unload"
    );
    assert_eq!(simulator.loaded(), ["llama3.1:8b"]);
}

#[test]
fn one_load_at_a_time() {
    let simulator = start(Settings::default());
    for (name, time) in [("slow", 600), ("quick", 0)] {
        simulator.install(Model { load_time: Duration::from_millis(time), ..Model::new(name, GIB) });
    }
    generate(&simulator, &json!({ "model": "llama3.1:8b" }));
    let slow = send(&simulator, "POST", "/api/generate", "localhost", r#"{"model":"slow"}"#);
    wait_until("it loads", || simulator.loaded().len() == 2);
    let quick = send(&simulator, "POST", "/api/generate", "localhost", r#"{"model":"quick"}"#);
    let warm = generate(&simulator, &json!({ "model": "llama3.1:8b", "prompt": "hello", "stream": false }));
    assert_eq!((warm.status, simulator.loaded().len()), (200, 2), "a loaded model answers meanwhile");
    assert_eq!((receive(slow).status, receive(quick).status), (200, 200));
    assert_eq!(simulator.loaded().len(), 3);
}

#[test]
fn slots() {
    for (parallel, at_once) in [(1, false), (2, true)] {
        let simulator = start(Settings { parallel, ..Settings::default() });
        generate(&simulator, &json!({ "model": "llama3.1:8b" }));
        let body = r#"{"model":"llama3.1:8b","prompt":"hello","options":{"num_predict":100000000}}"#;
        let mut first = send(&simulator, "POST", "/api/generate", "localhost", body);
        let mut byte = [0];
        first.read_exact(&mut byte).unwrap();
        let mut second = send(&simulator, "POST", "/api/generate", "localhost", body);
        second.set_read_timeout(Some(Duration::from_millis(if at_once { 20_000 } else { 300 }))).unwrap();
        assert_eq!(second.read_exact(&mut byte).is_ok(), at_once, "not even the status is sent to one that waits");
        drop(first);
        second.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        second.read_exact(&mut byte).unwrap();
    }
}
