//! What Ollama does over time, and with several clients: claims that more than a request and its answer show.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use aura_ollama_simulator::{LoadBehaviour, Model, Settings, Simulator};
use aura_tests::{Request, Response, get, receive, wait_until};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const GIB: u64 = 1 << 30;

fn start(settings: Settings) -> Simulator {
    let simulator = Simulator::start(settings).unwrap();
    simulator.install(Model::new("llama3.1:8b", 6 * GIB));
    simulator
}

fn default() -> Simulator {
    start(Settings::default())
}

/// Of a version that lists what loads.
fn older() -> Simulator {
    start(Settings { version: "0.24.0".into(), ..Settings::default() })
}

fn post(simulator: &Simulator, path: &str, body: &Value) -> Response {
    Request::new("POST", path).body(&body.to_string()).send(simulator.address())
}

fn generate(simulator: &Simulator, body: &Value) -> Response {
    post(simulator, "/api/generate", body)
}

/// A request whose answer is read later, if at all.
fn begin(simulator: &Simulator, body: &Value) -> TcpStream {
    let mut stream = TcpStream::connect(simulator.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = Request::new("POST", "/api/generate").body(&body.to_string());
    stream.write_all(&request.bytes(simulator.address())).unwrap();
    stream
}

fn responds(stream: &mut TcpStream, within: Duration) -> bool {
    stream.set_read_timeout(Some(within)).unwrap();
    stream.read_exact(&mut [0]).is_ok()
}

fn list(simulator: &Simulator, path: &str) -> Vec<Value> {
    get(simulator.address(), path).json()["models"].as_array().unwrap().clone()
}

fn names(simulator: &Simulator, path: &str) -> Vec<String> {
    list(simulator, path).iter().map(|model| model["name"].as_str().unwrap().to_owned()).collect()
}

fn expiry(simulator: &Simulator) -> Timestamp {
    list(simulator, "/api/ps")[0]["expires_at"].as_str().unwrap().parse().unwrap()
}

fn hanging() -> Model {
    Model { load: LoadBehaviour::Hangs, ..Model::new("hanging", GIB) }
}

/// Lists have the newest first, by whole seconds; within a second each answer has an order of its own.
#[test]
fn orders_within_a_second() {
    let simulator = default();
    let second: Timestamp = "2026-11-27T03:00:00Z".parse().unwrap();
    for number in 0..20 {
        let modified_at = second + SignedDuration::from_millis(number * 40);
        simulator.install(Model { modified_at, ..Model::new(&format!("many{number}"), GIB) });
    }
    let modified_at = second - SignedDuration::from_secs(1);
    simulator.install(Model { modified_at, ..Model::new("old", GIB) });
    let answers: Vec<Vec<String>> = (0..8).map(|_| names(&simulator, "/api/tags")).collect();
    for names in &answers {
        assert_eq!((names[0].as_str(), names[21].as_str()), ("llama3.1:8b", "old:latest"));
    }
    assert!(HashSet::<_>::from_iter(&answers).len() > 1, "{answers:?}");
    let again = |seed| {
        let simulator = start(Settings { seed, ..Settings::default() });
        for number in 0..20 {
            simulator.install(Model { modified_at: second, ..Model::new(&format!("many{number}"), GIB) });
        }
        names(&simulator, "/api/tags")
    };
    assert_eq!(again(7), again(7), "a seed has its order");
    for number in 0..3 {
        generate(&simulator, &json!({ "model": format!("many{number}"), "keep_alive": -1 }));
    }
    let orders: HashSet<Vec<String>> = (0..60).map(|_| names(&simulator, "/api/ps")).collect();
    assert!(orders.len() > 1, "{orders:?}");
}

/// Each request's keep-alive replaces the one before, also with a sooner end; without one it stays what it was.
#[test]
fn keep_alives_replace_each_other() {
    let simulator = default();
    let left = |body: &Value| {
        generate(&simulator, body);
        expiry(&simulator).as_second() - Timestamp::now().as_second()
    };
    assert!((298..=300).contains(&left(&json!({ "model": "llama3.1:8b" }))), "what the server is set to");
    assert!((3598..=3600).contains(&left(&json!({ "model": "llama3.1:8b", "keep_alive": "1h" }))));
    assert!((3598..=3600).contains(&left(&json!({ "model": "llama3.1:8b" }))), "and not what the server is set to");
    assert!((58..=60).contains(&left(&json!({ "model": "llama3.1:8b", "keep_alive": 60 }))));
    left(&json!({ "model": "llama3.1:8b", "keep_alive": -1 }));
    assert!(
        (58..=60).contains(&left(&json!({ "model": "llama3.1:8b", "keep_alive": 60 }))),
        "nor is for ever for ever"
    );
}

/// `expires_at` is set when a request ends. While the first one runs, its load among it, it is reckoned from now and
/// moves; while a later one runs it stands still, and may pass.
#[test]
fn nothing_runs_down_while_the_first_request_runs() {
    let simulator = older();
    simulator.install(Model { load_time: Duration::from_millis(300), ..Model::new("slow", GIB) });
    let mut loading = begin(&simulator, &json!({ "model": "slow" }));
    wait_until("it loads", || !list(&simulator, "/api/ps").is_empty());
    let first = expiry(&simulator);
    wait_until("the time moves", || expiry(&simulator) > first);
    assert_eq!(receive(&mut loading).unwrap().status, 200);
    let before = expiry(&simulator);
    simulator.begin_request("slow");
    assert_eq!(expiry(&simulator), before, "a loaded model's time stands still");
    simulator.end_request("slow");
    assert!(expiry(&simulator) > before);
}

/// A model that still answers somebody is listed with an `expires_at` in the past until it has finished.
#[test]
fn an_unload_waits_for_the_last_request() {
    let simulator = default();
    generate(&simulator, &json!({ "model": "llama3.1:8b" }));
    assert!(simulator.begin_request("llama3.1:8b"));
    assert_eq!(generate(&simulator, &json!({ "model": "llama3.1:8b", "keep_alive": 0 })).status, 200, "at once");
    assert!(expiry(&simulator) <= Timestamp::now());
    simulator.end_request("llama3.1:8b");
    assert_eq!(simulator.loaded(), [""; 0]);
}

/// A model that has to make room while it answers says nothing of it: its `expires_at` stays until it is gone.
#[test]
fn nobody_is_told_of_an_eviction() {
    let simulator = start(Settings { max_loaded: 1, ..Settings::default() });
    simulator.install(Model::new("other", GIB));
    generate(&simulator, &json!({ "model": "llama3.1:8b" }));
    simulator.begin_request("llama3.1:8b");
    let before = expiry(&simulator);
    let mut waiting = begin(&simulator, &json!({ "model": "other" }));
    assert!(!responds(&mut waiting, Duration::from_millis(200)));
    assert_eq!((expiry(&simulator), simulator.loaded()), (before, vec!["llama3.1:8b".to_owned()]));
    simulator.end_request("llama3.1:8b");
    assert!(responds(&mut waiting, Duration::from_secs(20)));
    assert_eq!(simulator.loaded(), ["other:latest"]);
}

/// If a model does not fit on a GPU, the idle one with the shortest keep-alive goes first; if all are busy, the load waits.
#[test]
fn what_does_not_fit_on_a_gpu_waits() {
    let simulator = start(Settings { memory: 8 * GIB, ..Settings::default() });
    simulator.install(Model::new("small", GIB));
    simulator.install(Model::new("other", 6 * GIB));
    for (name, keep_alive) in [("llama3.1:8b", 60), ("small", 3600), ("other", 600)] {
        generate(&simulator, &json!({ "model": name, "keep_alive": keep_alive }));
    }
    assert_eq!(simulator.loaded(), ["small:latest", "other:latest"], "the shortest keep-alive goes");
    simulator.begin_request("other");
    let mut waiting = begin(&simulator, &json!({ "model": "llama3.1:8b" }));
    wait_until("the idle one went", || simulator.loaded() == ["other:latest"]);
    simulator.end_request("other");
    assert_eq!(receive(&mut waiting).unwrap().status, 200);
    assert_eq!(simulator.loaded(), ["llama3.1:8b"]);
}

/// A load whose client leaves is given up.
#[test]
fn a_client_that_leaves_aborts_a_load() {
    let simulator = default();
    simulator.install(hanging());
    let client = begin(&simulator, &json!({ "model": "hanging" }));
    wait_until("it loads", || simulator.loaded().len() == 1);
    drop(client);
    wait_until("the load is given up", || simulator.loaded().is_empty());
}

/// Loads run one after the other, in their order; loaded models answer meanwhile.
#[test]
fn one_load_at_a_time() {
    let simulator = default();
    for (name, time) in [("slow", 600), ("quick", 0)] {
        simulator.install(Model { load_time: Duration::from_millis(time), ..Model::new(name, GIB) });
    }
    generate(&simulator, &json!({ "model": "llama3.1:8b" }));
    let mut slow = begin(&simulator, &json!({ "model": "slow" }));
    wait_until("it loads", || simulator.loaded().len() == 2);
    let mut quick = begin(&simulator, &json!({ "model": "quick" }));
    let warm = generate(&simulator, &json!({ "model": "llama3.1:8b", "prompt": "hello", "stream": false }));
    assert_eq!((warm.status, simulator.loaded().len()), (200, 2), "a loaded model answers meanwhile");
    assert_eq!((receive(&mut slow).unwrap().status, receive(&mut quick).unwrap().status), (200, 200));
    assert_eq!(simulator.loaded().len(), 3);
}

/// More requests that wait for a load than the server is set to are 503 without `Retry-After`; those for a loaded model
/// are not counted.
#[test]
fn too_many_wait_for_a_load() {
    let simulator = start(Settings { max_queue: 1, ..Settings::default() });
    simulator.install(hanging());
    generate(&simulator, &json!({ "model": "llama3.1:8b" }));
    let _waiting = begin(&simulator, &json!({ "model": "hanging" }));
    wait_until("it loads", || simulator.loaded().len() == 2);
    simulator.install(Model::new("other", GIB));
    let refused = generate(&simulator, &json!({ "model": "other" }));
    let text = "server busy, please try again.  maximum pending requests exceeded";
    assert_eq!((refused.status, refused.json()), (503, json!({ "error": text })));
    assert_eq!(refused.header("retry-after"), None);
    assert_eq!(generate(&simulator, &json!({ "model": "llama3.1:8b" })).status, 200);
}

/// A loaded model answers as many requests at once as it has slots; more wait without limit, and not even the status is
/// sent before the first token.
#[test]
fn slots() {
    for (parallel, at_once) in [(1, false), (2, true)] {
        let simulator = start(Settings { parallel, ..Settings::default() });
        generate(&simulator, &json!({ "model": "llama3.1:8b" }));
        let body = json!({ "model": "llama3.1:8b", "prompt": "hello", "options": { "num_predict": 100_000_000 } });
        let mut first = begin(&simulator, &body);
        assert!(responds(&mut first, Duration::from_secs(20)));
        let mut second = begin(&simulator, &body);
        let time = Duration::from_millis(if at_once { 20_000 } else { 300 });
        assert_eq!(responds(&mut second, time), at_once);
        drop(first);
        assert!(responds(&mut second, Duration::from_secs(20)));
    }
}

/// A token is a line as soon as it is there, several in one piece where the client is slow, and one line more than tokens
/// in all. Closing the connection ends the answer.
#[test]
fn lines_come_as_they_are_made() {
    let simulator = start(Settings { token_time: Duration::from_millis(20), ..Settings::default() });
    let body = json!({ "model": "llama3.1:8b", "prompt": "hello", "options": { "num_predict": 1000 } });
    let mut reader = BufReader::new(begin(&simulator, &body));
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
    let quick = start(Settings { token_time: Duration::ZERO, ..Settings::default() });
    let body = json!({ "model": "llama3.1:8b", "prompt": "hello", "options": { "num_predict": 30 } });
    let text = generate(&quick, &body).text();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((text.lines().count(), &last["eval_count"]), (31, &json!(30)));
    assert!(last["total_duration"].as_u64() >= last["eval_duration"].as_u64());
}

/// A limit of nothing is none: a model that does not come to an end by itself goes on.
#[test]
fn a_limit_of_nothing_is_none() {
    let simulator = default();
    simulator.install(Model { endless: true, ..Model::new("endless", GIB) });
    let body = |name: &str| json!({ "model": name, "prompt": "x", "stream": false, "options": { "num_predict": 0 } });
    assert!(!responds(&mut begin(&simulator, &body("endless")), Duration::from_millis(300)));
    let done = generate(&simulator, &body("llama3.1:8b")).json();
    assert_eq!((&done["done_reason"], done["eval_count"].as_u64() > Some(0)), (&json!("stop"), true));
}

/// Connections are kept, requests may follow each other before their answers, and HTTP/1.0 is answered until its end.
#[test]
fn connections() {
    let simulator = default();
    let mut kept = TcpStream::connect(simulator.address()).unwrap();
    let request = b"GET /api/version HTTP/1.1\r\nhost: localhost\r\n\r\n";
    kept.write_all(&request.repeat(3)).unwrap();
    for _ in 0..3 {
        assert_eq!(receive(&mut kept).unwrap().json(), json!({ "version": "0.33.0" }));
    }
    let mut old = TcpStream::connect(simulator.address()).unwrap();
    old.write_all(b"GET /api/tags HTTP/1.0\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    old.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200") && answer.ends_with("]}"), "{answer}");
}

/// Up to 0.24 what loads is listed, lists tell neither capabilities nor lengths, parts of a second are cut off, and what
/// is larger than all memory is refused before it is loaded.
#[test]
fn older_versions() {
    for (simulator, is_older) in [(older(), true), (default(), false)] {
        let model = &list(&simulator, "/api/tags")[0];
        assert_eq!(model.get("capabilities").is_none(), is_older);
        assert_eq!(model["details"].get("context_length").is_none(), is_older);
        let part = generate(&simulator, &json!({ "model": "llama3.1:8b", "keep_alive": 0.5 })).json();
        assert_eq!(part["done_reason"] == "unload", is_older, "{part}");
        simulator.expire("llama3.1:8b");
        simulator.install(Model::new("huge", 40 * GIB));
        let refused = generate(&simulator, &json!({ "model": "huge" })).text();
        let text = "model requires more system memory (40.0 GiB) than is available (16.0 GiB)";
        assert_eq!(refused.contains(text), is_older, "{refused}");
        simulator.install(hanging());
        let _loading = begin(&simulator, &json!({ "model": "hanging" }));
        wait_until("it loads", || simulator.loaded().len() == 1);
        assert_eq!(list(&simulator, "/api/ps").is_empty(), !is_older);
    }
}
