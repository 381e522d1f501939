//! Ollama's models through the agent: the feed, its twins, loading and unloading, and what others notice of faults.

use std::{io::Write, net::TcpStream, time::Duration};

use aura_ollama_simulator::{Fault, LoadBehaviour, Model, Settings, Simulator};
use aura_tests::{Agent, Control, Feed, OllamaServer, Request, Response, Setup, wait_for, wait_until};
use serde_json::{Value, json};

const GIB: u64 = 1 << 30;
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn simulator() -> Simulator {
    let simulator = Simulator::start(Settings { memory: 8 * GIB, ..Settings::default() }).unwrap();
    simulator.install(Model::new("llama3.1:8b", 5 * GIB));
    simulator.install(Model::new("phi3.5:3.8b", 3 * GIB));
    simulator
}

/// An agent that watches this server, with a control token.
fn agent(simulator: &Simulator) -> Agent {
    let setup = Setup::default();
    setup.write("token", &format!("{TOKEN}\n"));
    let url = simulator.url();
    let config = format!(
        "web: {{control_token_file: token}}\nstale_after: 2s\nsources: {{ollama: {{hosts: ['{url}'], interval: 200ms, request_timeout: 3s}}}}\n"
    );
    setup.config(&config).start()
}

fn models(agent: &Agent) -> Feed {
    Feed::try_connect(agent.address(), "/ws/models", &[]).unwrap()
}

/// The first message that is as expected.
fn until(feed: &mut Feed, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || Some(feed.message()).filter(&is_so))
}

fn control(agent: &Agent, path: &str) -> Response {
    agent.send(&Request::new("POST", path).header("Authorization", &format!("Bearer {TOKEN}")))
}

fn loaded(message: &Value) -> Vec<&str> {
    let models = message["loaded_models"].as_array();
    models.into_iter().flatten().filter_map(|model| model["name"].as_str()).collect()
}

#[test]
fn a_model_is_loaded_and_unloaded_and_the_feed_and_its_twins_follow() {
    let simulator = simulator();
    let agent = agent(&simulator);
    let mut feed = models(&agent);
    let message = until(&mut feed, "the installed models", |message| message["available_models"].is_array());
    assert_eq!((&message["type"], &message["loaded_models"]), (&json!("model_update"), &json!([])));
    assert_eq!(message["controls"]["enabled"], true);

    let answer = control(&agent, "/v1/models/llama3.1%3A8b/load?keep_alive=forever");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((&answer.json()["model"], &answer.json()["loaded"]), (&json!("llama3.1:8b"), &json!(true)));
    assert_eq!(simulator.loaded(), ["llama3.1:8b"]);
    let message = until(&mut feed, "the loaded model", |message| loaded(message) == ["llama3.1:8b"]);
    let model = &message["loaded_models"][0];
    assert_eq!((&model["always_loaded"], &model["memory_usage"]), (&json!(true), &json!(5 * GIB)));
    assert_eq!(message["controls"]["jobs"][0]["state"], "done");

    let status = agent.json("/v1/models/status");
    assert_eq!((&status["loaded_models"], &status["current_ram_gb"]), (&json!(["llama3.1:8b"]), &json!(5.0)));
    assert_eq!(status["model_details"]["llama3.1:8b"]["timeout_minutes"], 0.0);
    assert_eq!(agent.json("/v1/models/health")["status"], "healthy");
    assert_eq!(loaded(&agent.json("/api/models")), ["llama3.1:8b"]);
    let scrape = agent.scrape("/metrics/ollama");
    let host = simulator.address().to_string();
    let labels = [("host", host.as_str()), ("model", "llama3.1:8b")];
    assert_eq!(scrape.value("ollama_model_loaded", &labels), 1.0);

    let answer = control(&agent, "/v1/models/llama3.1%3A8b/unload");
    assert_eq!((answer.status, &answer.json()["unloaded"]), (200, &json!(true)), "{}", answer.text());
    assert_eq!(simulator.loaded(), [""; 0]);
    until(&mut feed, "no model", |message| message["loaded_models"] == json!([]));
    let counted =
        || agent.scrape("/metrics/ollama").value("ollama_unloads_total", &[("host", &host), ("outcome", "ok")]);
    wait_until("the unload to be counted", || counted() == 1.0);
}

#[test]
fn nobody_loads_without_token_or_user_and_not_when_it_is_switched_off() {
    let simulator = simulator();
    let post = |agent: &Agent, header: Option<&str>| {
        let request = Request::new("POST", "/v1/models/llama3.1%3A8b/load");
        agent.send(&header.map_or(request.clone(), |value| request.header("Authorization", value)))
    };
    let with_token = agent(&simulator);
    for header in [None, Some("Bearer wrong"), Some("Basic eDp4")] {
        let answer = post(&with_token, header);
        assert_eq!((answer.status, answer.error_code().as_str()), (401, "unauthorized"), "{header:?}");
    }
    let foreign = Request::new("POST", "/v1/models/llama3.1%3A8b/load")
        .header("Authorization", &format!("Bearer {TOKEN}"))
        .header("Origin", "http://evil.example");
    assert_eq!(with_token.send(&foreign).error_code(), "foreign_origin");
    let hosts = format!("hosts: ['{}'], interval: 200ms", simulator.url());
    let without = Setup::default().config(&format!("sources: {{ollama: {{{hosts}}}}}\n")).start();
    let answer = post(&without, Some("Bearer x"));
    assert_eq!((answer.status, answer.error_code().as_str()), (403, "no_control"));
    let setup = Setup::default();
    setup.write("token", TOKEN);
    let config = format!("web: {{control_token_file: token}}\nsources: {{ollama: {{{hosts}, controls: false}}}}\n");
    let off = setup.config(&config).start();
    let answer = post(&off, Some(&format!("Bearer {TOKEN}")));
    assert_eq!((answer.status, answer.error_code().as_str()), (403, "controls_off"));
    assert_eq!((simulator.loaded(), simulator.asked("/api/generate")), (vec![], 0));
}

#[test]
fn a_token_file_that_is_none_keeps_the_agent_from_starting() {
    let setup = Setup::default();
    setup.write("token", "short");
    let ended = setup.config("web: {control_token_file: token}\n").fail();
    assert_ne!(ended.code, Some(0));
    assert!(ended.log.contains("web.control_token_file") && !ended.log.contains("short"), "{}", ended.log);
}

#[test]
fn a_client_that_leaves_does_not_abort_a_load_and_one_runs_at_a_time() {
    let simulator = simulator();
    simulator.install(Model { load_time: Duration::from_millis(1500), ..Model::new("slow:7b", 4 * GIB) });
    let agent = agent(&simulator);
    wait_until("the models are known", || agent.json("/api/models")["available_models"].is_array());
    let path = "/v1/models/slow%3A7b/load";
    let request = Request::new("POST", path).header("Authorization", &format!("Bearer {TOKEN}"));
    let mut client = TcpStream::connect(agent.address()).unwrap();
    client.write_all(&request.bytes(agent.address())).unwrap();
    wait_until("the load has begun", || simulator.asked("/api/generate") == 1);
    drop(client);
    let answer = control(&agent, "/v1/models/slow%3A7b/load?wait=false");
    assert_eq!((answer.status, &answer.json()["loaded"]), (202, &json!(false)), "{}", answer.text());
    let again = control(&agent, "/v1/models/slow%3A7b/load?wait=false");
    assert_eq!(again.json()["job"], answer.json()["job"], "the same load is asked for once");
    let mut feed = models(&agent);
    control(&agent, "/v1/models/phi3.5%3A3.8b/load?wait=false");
    let message = until(&mut feed, "the second waits", |message| message["controls"]["jobs"][1]["state"] == "queued");
    assert_eq!(message["controls"]["jobs"][0]["state"], "running");
    assert_eq!(message["controls"]["jobs"][1]["position"], 1);
    until(&mut feed, "both are done", |message| (0..2).all(|job| message["controls"]["jobs"][job]["state"] == "done"));
    until(&mut feed, "both are loaded", |message| loaded(message).len() == 2);
    assert_eq!(simulator.asked("/api/generate"), 2);
}

#[test]
fn each_refusal_has_its_status_its_words_and_what_to_try() {
    let simulator = simulator();
    simulator.install(Model::new("huge:70b", 40 * GIB));
    simulator.install(Model {
        load: LoadBehaviour::Fails("llama runner process has terminated".into()),
        ..Model::new("broken:1b", GIB)
    });
    let agent = agent(&simulator);
    wait_until("the models are known", || agent.json("/api/models")["available_models"].is_array());
    for (path, status, code, hint) in [
        ("/v1/models/huge%3A70b/load", 507, "not_enough_memory", "smaller"),
        ("/v1/models/broken%3A1b/load", 502, "refused", "log"),
        ("/v1/models/absent/load", 404, "model_not_found", "ollama pull absent"),
        ("/v1/models/absent/unload", 404, "model_not_found", "llama3.1:8b"),
        ("/v1/models/huge%3A70b/load?keep_alive=0", 400, "bad_keep_alive", "forever"),
        ("/v1/models/huge%3A70b/load?keep_alive=soon", 400, "bad_keep_alive", "10m"),
        ("/v1/models/huge%3A70b/load?num_ctx=1", 400, "bad_query", "keep_alive"),
        ("/v1/models/huge%3A70b/load?host=other", 404, "unknown_host", "127.0.0.1"),
    ] {
        let answer = control(&agent, path);
        assert_eq!((answer.status, answer.error_code().as_str()), (status, code), "{path}: {}", answer.text());
        assert!(answer.json()["error"]["hint"].as_str().unwrap().contains(hint), "{path}: {}", answer.text());
    }
}

#[test]
fn nothing_that_was_not_named_is_taken_away_and_names_are_taken_as_ollama_takes_them() {
    let simulator = simulator();
    let model = Model::new("T1", GIB);
    simulator.install(model.clone());
    simulator.install(model.with_system("team/t3:v1", "Be brief."));
    let agent = agent(&simulator);
    wait_until("the models are known", || agent.json("/api/models")["available_models"].is_array());
    for name in [
        "t1",
        "T1:LATEST",
        "library%2FT1",
        "registry.ollama.ai%2Flibrary%2Ft1",
        "https:%2F%2Fregistry.ollama.ai%2Flibrary%2Ft1",
        "t1%20",
    ] {
        let answer = control(&agent, &format!("/v1/models/{name}/load"));
        assert_eq!((answer.status, &answer.json()["model"]), (200, &json!("T1:latest")), "{name}: {}", answer.text());
    }
    assert_eq!(simulator.loaded(), ["T1:latest"]);
    let answer = control(&agent, "/v1/models/TEAM%2Ft3:v1/load?keep_alive=forever");
    assert_eq!((answer.status, &answer.json()["model"]), (200, &json!("team/t3:v1")), "{}", answer.text());
    let answer = control(&agent, "/v1/models/team%2Ft3:v1/load");
    assert!(answer.json()["note"].as_str().unwrap().contains("leaves it so"), "{}", answer.text());
    let host = simulator.address().to_string();
    let value = |name, model| agent.scrape("/metrics/ollama").value(name, &[("host", host.as_str()), ("model", model)]);
    wait_until("both names count as loaded", || {
        ["T1:latest", "team/t3:v1"].iter().all(|model| value("ollama_model_loaded", model) == 1.0)
    });
    let asked = simulator.asked("/api/generate");
    let answer = control(&agent, "/v1/models/team%2Ft3:v1/unload");
    assert_eq!((answer.status, answer.error_code().as_str()), (409, "other_model"), "{}", answer.text());
    assert!(answer.json()["error"]["hint"].as_str().unwrap().contains("T1:latest"), "{}", answer.text());
    assert_eq!((simulator.asked("/api/generate"), simulator.loaded()), (asked, vec!["T1:latest".to_owned()]));
    let answer = control(&agent, "/v1/models/team%2Ft3:v1/unload?force=true").json();
    assert_eq!((&answer["unloaded"], &answer["gone"]), (&json!(true), &json!("T1:latest")));
    let answer = control(&agent, "/v1/models/team%2Ft3:v1/unload").json();
    assert_eq!((&answer["unloaded"], &answer["already"]), (&json!(true), &json!(true)));
    for (path, status, code, hint) in [
        ("/v1/models/team/t3:v1/load", 404, "not_found", "%2F"),
        ("/v1/models/team%252Ft3:v1/load", 400, "bad_name", "%2F"),
        ("/v1/models/t1:/load", 400, "bad_name", "MODEL"),
        ("/v1/models/t1:v9/load", 404, "model_not_found", "there is T1:latest"),
    ] {
        let answer = control(&agent, path);
        assert_eq!((answer.status, answer.error_code().as_str()), (status, code), "{path}: {}", answer.text());
        assert!(answer.json()["error"]["hint"].as_str().unwrap().contains(hint), "{path}: {}", answer.text());
    }
    // Made since the newest reading, it is there.
    simulator.install(Model::new("fresh:1", GIB));
    let answer = control(&agent, "/v1/models/fresh:1/load");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn versions_of_a_name_are_told_apart_and_what_cannot_be_unloaded_says_until_when_it_stays() {
    let simulator = simulator();
    let old = Model::new("victim", GIB);
    simulator.install(old.clone());
    let agent = agent(&simulator);
    wait_until("the models are known", || agent.json("/api/models")["available_models"].is_array());
    assert_eq!(control(&agent, "/v1/models/victim/load?keep_alive=1h").status, 200);
    simulator.install(old.pulled_again());
    assert_eq!(control(&agent, "/v1/models/victim/load").status, 200);
    let mut feed = models(&agent);
    let versions = |message: &Value| {
        let all = message["loaded_models"].as_array().into_iter().flatten();
        let mut versions: Vec<String> = all.map(|model| model["version"].as_str().unwrap_or("?").to_owned()).collect();
        versions.sort();
        versions
    };
    until(&mut feed, "both versions", |message| versions(message) == ["current", "older"]);
    let answer = control(&agent, "/v1/models/victim/unload");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["note"].as_str().unwrap().contains("older version"), "{}", answer.text());
    assert!(answer.json()["seconds"].as_f64().unwrap() < 20.0, "it did not wait for the older one: {}", answer.text());
    let out_of_reach = |what: &str| {
        let answer = control(&agent, "/v1/models/victim/unload");
        assert_eq!((answer.status, answer.error_code().as_str()), (409, "out_of_reach"), "{what}: {}", answer.text());
        assert!(answer.text().contains("stays until 20"), "{what}: {}", answer.text());
    };
    out_of_reach("only the older one is left");
    simulator.delete("victim");
    until(&mut feed, "it is deleted", |message| versions(message) == ["deleted"]);
    out_of_reach("deleted while it is loaded");
}

#[test]
fn loading_all_ends_where_one_would_drive_another_out() {
    let simulator = simulator();
    // Ollama's order is one of whole seconds.
    for (name, later) in [("qwen2.5-coder:7b", 10), ("deepseek-r1:8b", 20)] {
        let modified_at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(later);
        simulator.install(Model { modified_at, ..Model::new(name, 5 * GIB) });
    }
    let agent = agent(&simulator);
    wait_until("the models are known", || {
        agent.json("/api/models")["available_models"].as_array().is_some_and(|all| all.len() == 4)
    });
    let answer = control(&agent, "/v1/models/load");
    assert_eq!((answer.status, answer.json()["jobs"].as_array().map(Vec::len)), (202, Some(4)), "{}", answer.text());
    let mut feed = models(&agent);
    let message = until(&mut feed, "all have ended", |message| {
        let jobs = message["controls"]["jobs"].as_array().unwrap();
        jobs.len() == 4 && jobs.iter().all(|job| job["state"] == "done" || job["state"] == "failed")
    });
    let jobs = message["controls"]["jobs"].as_array().unwrap();
    // The second of 5 GiB drives out the first, and there it ends.
    let states: Vec<&Value> = jobs.iter().map(|job| &job["state"]).collect();
    assert_eq!(states, ["done", "done", "failed", "failed"]);
    assert!(jobs[2..].iter().all(|job| job["error"]["code"] == "no_room"), "{message}");
    assert_eq!((simulator.asked("/api/generate"), simulator.loaded().len()), (2, 1));
}

#[test]
fn a_server_that_hangs_dies_and_comes_back_is_told_apart_while_the_host_keeps_its_pace() {
    let mut simulator = simulator();
    let agent = agent(&simulator);
    let mut feed = models(&agent);
    let state = |message: &Value| message["hosts"][0]["state"].as_str().unwrap_or_default().to_owned();
    until(&mut feed, "it answers", |message| state(message) == "answering");
    let control = Control::start("1s");
    let beside = control.beside(&agent);
    simulator.set_fault("/api/ps", Some(Fault::Hang));
    let message = until(&mut feed, "it is busy, and what it last said is too old", |message| {
        state(message) == "busy" && message["loaded_models"].is_null()
    });
    assert_eq!(
        (&message["loaded_models"], &message["missing"]["loaded_models"]["reason"]),
        (&Value::Null, &json!("stale"))
    );
    assert_eq!(agent.json("/v1/models/health")["status"], "healthy", "busy is not down");
    simulator.stop();
    let message = until(&mut feed, "it is away", |message| state(message) == "away");
    assert_eq!(message["hosts"][0]["reason"], "unreachable");
    let health = agent.get("/v1/models/health");
    assert_eq!((health.status, &health.json()["status"]), (503, &json!("unhealthy")));
    assert_eq!(agent.get("/v1/models/status").status, 503);
    let host = simulator.address().to_string();
    assert_eq!(agent.scrape("/metrics/ollama").value("ollama_up", &[("host", &host)]), 0.0);
    simulator.set_fault("/api/ps", None);
    simulator.start_again().unwrap();
    until(&mut feed, "it is back", |message| state(message) == "answering");
    beside.assert_kept_pace();
}

#[test]
fn where_no_ollama_is_the_feed_says_so() {
    let nobody = Agent::free_address();
    let agent = Setup::default().variable("OLLAMA_HOST", nobody.to_string()).start();
    let message = until(&mut models(&agent), "a message", |message| message["hosts"][0]["state"] == "away");
    assert_eq!(message["missing"]["loaded_models"]["reason"], "unreachable");
}

#[test]
fn a_load_that_does_not_fit_is_refused_with_the_sum_and_load_all_keeps_to_the_limit_of_models() {
    let installed = "vast:1=40000,0 one:1=0.1,0 two:1=0.1,0 three:1=0.1,0";
    let variables = [("OLLAMA_MAX_LOADED_MODELS", "2"), ("OLLAMA_CONTEXT_LENGTH", "2048")];
    let Some(server) = OllamaServer::start(installed, &variables) else { return };
    let setup = Setup::default();
    setup.write("token", &format!("{TOKEN}\n"));
    let url = server.url();
    let config =
        format!("web: {{control_token_file: token}}\nsources: {{ollama: {{hosts: ['{url}'], interval: 200ms}}}}\n");
    let agent = setup.config(&config).start();
    let mut feed = models(&agent);
    let message = until(&mut feed, "its process is seen", |message| !message["hosts"][0]["max_models"].is_null());
    assert_eq!(message["hosts"][0]["max_models"], 2);
    assert!(message["memory_usage"]["max_gb"].as_f64().unwrap() > 0.0, "{message}");
    let status = agent.json("/v1/models/status");
    assert_eq!((&status["max_concurrent"], &status["max_ram_gb"]), (&json!(2), &message["memory_usage"]["max_gb"]));
    let answer = control(&agent, "/v1/models/vast:1/load");
    assert_eq!((answer.status, answer.error_code().as_str()), (507, "not_enough_memory"), "{}", answer.text());
    let error = answer.json()["error"].clone();
    for word in ["GiB weights + ", "KV cache (1 x 2048 tokens, f16)", " buffers = ", "GiB"] {
        assert!(error["message"].as_str().unwrap().contains(word), "{word}: {error}");
    }
    assert!(error["hint"].as_str().unwrap().contains("force=true"), "{error}");
    let answer = control(&agent, "/v1/models/one:1/load").json();
    assert_eq!((&answer["loaded"], &answer["memory"]["complete"]), (&json!(true), &json!(true)), "{answer}");
    until(&mut feed, "it is loaded", |message| loaded(message) == ["one:1"]);
    let answer = control(&agent, "/v1/models/load").json();
    assert_eq!(answer["jobs"].as_array().map(Vec::len), Some(1), "{answer}");
    assert!(answer["left_out"].as_array().is_some_and(|names| names.len() >= 2), "{answer}");
}

#[test]
fn while_nobody_looks_a_server_is_asked_seldom_and_what_others_do_is_seen_all_the_same() {
    let Some(server) = OllamaServer::start("one:1=0.1,0 two:1=0.1,0", &[]) else { return };
    let config = format!("sources: {{ollama: {{hosts: ['{}'], interval: 200ms}}}}\n", server.url());
    let agent = Setup::default().config(&config).start();
    let host = server.address().to_string();
    let value = |name: &str| agent.scrape("/metrics/ollama").value(name, &[("host", &host)]);
    let samples = || agent.scrape("/metrics/aura").value("aura_source_samples_total", &[("source", "ollama")]);
    wait_until("it is read", || {
        agent.scrape("/metrics/ollama").get("ollama_models_installed", &[("host", &host)]).is_some()
    });
    let begun = samples();
    wait_until("each model is described", || samples() > begun + 5.0);
    // Scrapes are not somebody who looks.
    let (asked, begun) = (value("ollama_requests_total"), samples());
    wait_until("many samples", || samples() > begun + 30.0);
    let (asked, taken) = (value("ollama_requests_total") - asked, samples() - begun);
    assert!(asked <= taken / 5.0, "{asked} requests in {taken} samples");
    assert_eq!(server.post("/api/generate", &json!({ "model": "one:1" })).status, 200);
    wait_until("what another has loaded", || value("ollama_models_loaded") == 1.0);
    assert_eq!(server.post("/api/generate", &json!({ "model": "one:1", "keep_alive": 0 })).status, 200);
    wait_until("what another has unloaded", || value("ollama_models_loaded") == 0.0);
    let before = value("ollama_last_answer_timestamp_seconds");
    assert!(agent.json("/api/models")["hosts"].is_array());
    wait_until("who looks is told anew", || value("ollama_last_answer_timestamp_seconds") > before);
}
