//! Every answer is what the OpenAPI document says, whatever its source is doing.

use std::fs;

use aura_ollama_simulator::{Model, Settings, Simulator};
use aura_tests::{Agent, Contract, Feed, Machine, PostgresServer, Request, Route, Setup, wait_until};
use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::Signal,
};
use serde_json::json;

use crate::audit_logs::Log;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Asks for everything, checks it, and returns the routes that gave an answer and no error.
fn walk(state: &str, agent: &Agent) -> Vec<String> {
    let contract = Contract::read();
    let mut answered = Vec::new();
    for route in contract.routes().into_iter().filter(|route| route.method == "GET") {
        let answer = agent.get(&route.target);
        let what = format!("{state} {}", route.target);
        assert_eq!(contract.faults(&route, &answer), Vec::<String>::new(), "{what}: {}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        match answer.status {
            200 => answered.push(route.path.clone()),
            426 => assert!(route.is_feed(), "{what}"),
            status => assert!(matches!(status, 503 | 404), "{what}: {status}"),
        }
        if route.is_feed() {
            let mut feed = Feed::try_connect(agent.address(), &route.target, &[]).unwrap();
            if let Some(message) = feed.message_within(std::time::Duration::from_secs(2)) {
                assert_eq!(contract.message_faults(&route.path, &message), Vec::<String>::new(), "{what}: {message}");
            }
        }
    }
    answered
}

/// What answers without an error when every source is read: all but handshakes without WebSocket, and probes, which nobody allowed.
fn answerable() -> Vec<Route> {
    let mut routes = Contract::read().routes();
    routes.retain(|route| route.method == "GET" && !route.is_feed() && route.path != "/probe");
    routes
}

#[test]
fn every_feed_is_documented_and_no_other() {
    let agent = Agent::start();
    let hint = agent.json("/ws/nothing")["error"]["hint"].as_str().unwrap_or_default().to_owned();
    let mut feeds: Vec<&str> = hint.trim_start_matches("there are: ").split(", ").collect();
    feeds.sort_unstable();
    for below in ["/ws/", "/api/"] {
        let routes = Contract::read().routes();
        let names = routes.iter().filter_map(|route| route.path.strip_prefix(below));
        let documented: Vec<&str> = names.filter(|name| !name.contains('/')).collect();
        assert_eq!(documented, feeds, "{below}");
    }
}

#[test]
fn what_is_refused_is_refused_as_documented() {
    let agent = Agent::start();
    let contract = Contract::read();
    let mut codes = Vec::new();
    for (path, target) in [
        ("/api/system/history", "/api/system/history?window=soon"),
        ("/api/system/history", "/api/system/history?windows=1m"),
        ("/v1/debate/history", "/v1/debate/history?limit=-1"),
        ("/api/governance/audit-logs", "/api/governance/audit-logs?limit=0"),
        ("/api/governance/audit-logs", "/api/governance/audit-logs?level=loud"),
        ("/api/governance/audit-logs", "/api/governance/audit-logs?cursors=1"),
        ("/metrics", "/metrics?collect[]=nothing"),
        ("/metrics/{part}", "/metrics/nothing"),
        ("/probe", "/probe"),
        ("/v1/models/{name}/load", "/v1/models/x/load"),
        ("/v1/models/{name}/unload", "/v1/models/x/unload"),
        ("/v1/models/load", "/v1/models/load"),
        ("/-/reload", "/-/reload?a=%z"),
    ] {
        let route = contract.routes().into_iter().find(|route| route.path == path).unwrap();
        let answer = agent.send(&Request::new(&route.method, target));
        assert!(answer.status >= 400, "{target}");
        assert_eq!(contract.faults(&route, &answer), Vec::<String>::new(), "{target}: {}", answer.text());
        codes.push(answer.error_code());
    }
    assert!(codes.contains(&"bad_window".to_owned()) && codes.contains(&"no_control".to_owned()), "{codes:?}");
}

#[test]
fn sources_that_are_off_or_away() {
    let off = Setup::default()
        .config(
            "sources: {postgres: {enabled: false}, ollama: {enabled: false}, audit: {enabled: false}, roles: {enabled: false}, \
             gpu: {enabled: false}}\n",
        )
        .start();
    walk("off", &off);
    walk("not configured", &Agent::start());
    let gone = Agent::free_address();
    let setup = Setup::default();
    let folder = setup.folder().display().to_string();
    let config = format!(
        "sources:\n  postgres: {{servers: [{{host: 127.0.0.1, port: {}}}], interval: 200ms}}\n  \
         ollama: {{hosts: ['http://{gone}'], interval: 200ms}}\n  audit: {{roots: [{folder}/none], interval: 200ms}}\n  \
         roles: {{roots: [{folder}/none], interval: 200ms}}\n",
        gone.port()
    );
    let away = setup.config(&config).start();
    wait_until("the servers to be missed", || {
        away.json("/api/database")["metrics"]["status"].is_string() || away.get("/api/database/metrics").status == 503
    });
    walk("away", &away);
}

#[test]
fn sources_that_are_there_and_then_hang() {
    let Some(server) = PostgresServer::start("autovacuum = off") else { return };
    server.sql("postgres", include_str!("../../exporters/postgres/tests/fixtures/debates.sql"));
    server.sql("postgres", "CREATE TABLE things AS SELECT generate_series(1, 1000) AS id; ANALYZE things");
    let simulator = Simulator::start(Settings { memory: 8 << 30, ..Settings::default() }).unwrap();
    simulator.install(Model::new("llama3.1:8b", 5 << 30));
    let setup = Setup::default();
    setup.write("token", TOKEN);
    let machine = Machine::beside(&setup);
    let engine = setup.folder().join("installation/ops/role_engine");
    fs::create_dir_all(&engine).unwrap();
    // One role says everything, one nothing.
    let roles = json!({"meta": {}, "roles": {"bare": {}, "full": {
        "capabilities": ["read"], "scoring_profile": {"priority": 7}, "other": [1, {"a": null}], "version": "2",
    }}});
    fs::write(engine.join("role_registry_v2.json"), roles.to_string()).unwrap();
    let mut log = Log::below(setup.folder());
    for _ in 0..20 {
        log.append("login", "");
    }
    let folder = setup.folder().display().to_string();
    let config = |host: &str| {
        format!(
            "web: {{control_token_file: token}}\nstorage: {{path: {folder}/storage}}\nsources:\n  \
             host: {{interval: {host}, timeout: 300ms}}\n  \
             postgres: {{servers: [{{host: 127.0.0.1, port: {}, user: postgres, database: postgres}}], interval: 300ms}}\n  \
             ollama: {{hosts: ['{}'], interval: 200ms}}\n  audit: {{roots: [{folder}/installation], interval: 200ms}}\n  \
             roles: {{roots: [{folder}/installation], interval: 200ms}}\n",
            server.port(),
            simulator.url()
        )
    };
    let agent = setup.config(&config("200ms")).over(&machine).start();
    wait_until("every answer", || answerable().iter().all(|route| agent.get(&route.target).status == 200));
    let contract = Contract::read();
    for route in contract.routes().into_iter().filter(|route| route.path.starts_with("/v1/") && route.method == "POST")
    {
        let token = format!("Bearer {TOKEN}");
        let answer = agent.send(&Request::new("POST", &route.target).header("Authorization", &token));
        assert!(matches!(answer.status, 200 | 202), "{}: {}", route.target, answer.text());
        assert_eq!(contract.faults(&route, &answer), Vec::<String>::new(), "{}: {}", route.target, answer.text());
    }
    assert_eq!(walk("fresh", &agent).len(), answerable().len());

    // The host hangs on a pipe, PostgreSQL and Ollama do not answer any more.
    mknodat(CWD, machine.path("schedstat"), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    fs::write(agent.folder().join("aura.yaml"), config("250ms")).unwrap();
    agent.signal(Signal::HUP);
    server.freeze();
    drop(simulator);
    wait_until("the host to be stale", || agent.get("/api/system").status == 503);
    walk("stale", &agent);
    server.thaw();
}
