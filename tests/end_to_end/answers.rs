//! Every answer is what its schema in the documentation says, whatever its source is doing.

use std::{fs, path::Path};

use aura_ollama_simulator::{Model, Settings, Simulator};
use aura_tests::{Agent, Feed, Machine, PostgresServer, Request, Setup, wait_until};
use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::Signal,
};
use serde_json::{Value, json};

use crate::audit_logs::Log;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A schema of the documentation, and where in it an answer is described.
struct Schema {
    root: Value,
    at: Value,
}

impl Schema {
    fn of(file: &str, property: Option<&str>) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(file);
        let root: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let at = property.map_or(&root, |property| &root["properties"][property]).clone();
        assert!(at.is_object(), "{file} does not describe {property:?}");
        Self { root, at }
    }

    /// What is not as the schema says.
    fn faults(&self, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(&self.at, value, "", &mut faults);
        faults
    }

    /// As much of JSON Schema as the generator writes. Unlike a validator, it does not take keys that are not described.
    fn check(&self, schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.root.pointer(reference.trim_start_matches('#')).unwrap();
            return self.check(target, value, path, faults);
        }
        for alternatives in [&schema["anyOf"], &schema["oneOf"]] {
            let Some(alternatives) = alternatives.as_array() else { continue };
            let tried: Vec<Vec<String>> = alternatives
                .iter()
                .map(|schema| {
                    let mut faults = Vec::new();
                    self.check(schema, value, path, &mut faults);
                    faults
                })
                .collect();
            if tried.iter().all(|faults| !faults.is_empty()) {
                faults.push(format!("{path}: no alternative fits: {tried:?}"));
            }
        }
        let types = match &schema["type"] {
            Value::String(one) => vec![one.as_str()],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let is = |kind: &str| match kind {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            "number" => value.is_number(),
            "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
            "array" => value.is_array(),
            _ => value.is_object(),
        };
        if !types.is_empty() && !types.iter().any(|kind| is(kind)) {
            faults.push(format!("{path}: {value} is none of {types:?}"));
        }
        for (key, wrong) in [
            ("minimum", value.as_f64().zip(schema["minimum"].as_f64()).is_some_and(|(own, least)| own < least)),
            ("maximum", value.as_f64().zip(schema["maximum"].as_f64()).is_some_and(|(own, most)| own > most)),
            ("const", !schema["const"].is_null() && schema["const"] != *value),
            ("enum", schema["enum"].as_array().is_some_and(|known| !known.contains(value))),
        ] {
            if wrong {
                faults.push(format!("{path}: {value} is against {key} of {schema}"));
            }
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            if schema["items"].is_object() {
                self.check(&schema["items"], item, &format!("{path}/{index}"), faults);
            }
        }
        let Some(object) = value.as_object() else { return };
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(key) {
                faults.push(format!("{path}: {key} is missing"));
            }
        }
        for (key, value) in object {
            let path = format!("{path}/{key}");
            if let Some(schema) = schema["properties"].get(key) {
                self.check(schema, value, &path, faults);
            } else if schema["additionalProperties"].is_object() {
                self.check(&schema["additionalProperties"], value, &path, faults);
            } else if schema["properties"].is_object() && schema["additionalProperties"].is_null() {
                faults.push(format!("{path}: is not described"));
            }
        }
    }
}

/// Every route that answers JSON to a GET, with its schema.
const ANSWERS: [(&str, &str, Option<&str>); 15] = [
    ("/api/system", "api.schema.json", None),
    ("/api/system/history?window=1h", "api.answers.schema.json", Some("/api/system/history")),
    ("/api/system/stats", "api.answers.schema.json", Some("/api/system/stats")),
    ("/api/models", "api.models.schema.json", None),
    ("/v1/models/status", "api.answers.schema.json", Some("/v1/models/status")),
    ("/v1/models/health", "api.answers.schema.json", Some("/v1/models/health")),
    ("/api/database", "api.database.schema.json", None),
    ("/api/database/metrics", "api.answers.schema.json", Some("/api/database/metrics")),
    ("/api/debates", "api.answers.schema.json", Some("/api/debates")),
    ("/v1/debate/leaderboard", "api.answers.schema.json", Some("/v1/debate/leaderboard")),
    ("/v1/debate/history", "api.answers.schema.json", Some("/v1/debate/history")),
    ("/api/governance", "api.governance.schema.json", Some("governance_update")),
    ("/api/governance/roles", "api.governance.schema.json", Some("api_governance_roles")),
    ("/api/governance/audit-logs", "api.governance.schema.json", Some("api_governance_audit_logs")),
    ("/nothing", "api.answers.schema.json", Some("error")),
];

const FEEDS: [(&str, &str, Option<&str>); 5] = [
    ("/ws/system", "api.schema.json", None),
    ("/ws/models", "api.models.schema.json", None),
    ("/ws/database", "api.database.schema.json", None),
    ("/ws/debates", "api.answers.schema.json", Some("/api/debates")),
    ("/ws/governance", "api.governance.schema.json", Some("governance_init")),
];

/// Asks for everything, checks it, and returns the routes that gave an answer and no error.
fn walk(state: &str, agent: &Agent) -> Vec<&'static str> {
    let error = Schema::of("api.answers.schema.json", Some("error"));
    let mut answered = Vec::new();
    for (path, file, property) in ANSWERS {
        let answer = agent.get(path);
        let json = answer.json();
        // An unhealthy answer says more than its error.
        let own = answer.status == 200 || path == "/v1/models/health";
        let faults = if own { Schema::of(file, property).faults(&json) } else { error.faults(&json) };
        assert_eq!(faults, Vec::<String>::new(), "{state} {path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"), "{state} {path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{state} {path}");
        if answer.status == 200 {
            answered.push(path);
        } else {
            assert!(matches!(answer.status, 503 | 404), "{state} {path}: {}", answer.status);
        }
    }
    for (path, file, property) in FEEDS {
        let mut feed = Feed::try_connect(agent.address(), path, &[]).unwrap();
        if let Some(message) = feed.message_within(std::time::Duration::from_secs(2)) {
            let faults = Schema::of(file, property).faults(&message);
            assert_eq!(faults, Vec::<String>::new(), "{state} {path}: {message}");
        }
    }
    answered
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
    wait_until("every answer", || {
        ANSWERS.iter().all(|(path, ..)| *path == "/nothing" || agent.get(path).status == 200)
    });
    let control = |path: &str| {
        let answer = agent.send(&Request::new("POST", path).header("Authorization", &format!("Bearer {TOKEN}")));
        assert!(matches!(answer.status, 200 | 202), "{path}: {}", answer.text());
        answer.json()
    };
    for (path, property) in [
        ("/v1/models/load", "/v1/models/load"),
        ("/v1/models/llama3.1%3A8b/load", "/v1/models/{name}/load"),
        ("/v1/models/llama3.1%3A8b/unload", "/v1/models/{name}/unload"),
        ("/v1/models/llama3.1%3A8b/load?wait=false", "/v1/models/{name}/load"),
    ] {
        let faults = Schema::of("api.answers.schema.json", Some(property)).faults(&control(path));
        assert_eq!(faults, Vec::<String>::new(), "{path}");
    }
    assert_eq!(walk("fresh", &agent).len(), ANSWERS.len() - 1);

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
