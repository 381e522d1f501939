//! The OpenAPI document of the routes and of the feeds' handshakes, from the descriptions that stand beside the routes and
//! from the types that they answer with.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::api::{Access, COMMON, ErrorResponse, Failure, FeedDescription, HANDSHAKE, Operation, SchemaOf};

/// Routes about one subject.
pub(super) struct Subject {
    /// The tag that they carry.
    pub name: &'static str,
    pub description: &'static str,
    pub feed: Option<FeedDescription>,
    pub operations: Vec<Operation>,
}

/// The document.
pub(super) fn document(subjects: &[Subject]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for subject in subjects {
        let mut add = |path: &str, method: &str, mut operation: Value| {
            operation["tags"] = json!([subject.name]);
            paths.entry(path).or_insert_with(|| json!({}))[method] = operation;
        };
        if let Some(feed) = &subject.feed {
            add(&format!("/api/{}", feed.name), "get", newest(feed, &mut schemas));
            add(&format!("/ws/{}", feed.name), "get", handshake(feed, &mut schemas));
        }
        for operation in &subject.operations {
            add(operation.path, operation.method.word(), described(operation, &mut schemas));
        }
    }
    let tags = subjects.iter().map(|subject| json!({ "name": subject.name, "description": subject.description }));
    let [refused, unavailable] = [4, 5].map(|class| {
        let failures: Vec<&Failure> = COMMON.iter().filter(|failure| failure.status / 100 == class).collect();
        let lines = failures.iter().map(|failure| format!("- {} {}", failure.status, line(failure)));
        failed(&lines.collect::<Vec<_>>().join("\n"), &failures, &mut schemas)
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Aura Agent",
            "version": crate::VERSION,
            "description": "What Aura Agent answers over HTTP. Each error of each route is an `ErrorResponse`; programs act on its \
                `code`. `HEAD` is answered wherever `GET` is. A key that may be left out is not required in its schema; one \
                that may be `null` always comes.",
            "license": { "name": "Apache License 2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{
            "url": "http://127.0.0.1:9205",
            "description": "The agent as it is without configuration. A proxy may add a prefix to all paths.",
        }],
        "tags": tags.collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas.answers.take_definitions(true),
            "responses": { "Refused": refused, "Unavailable": unavailable },
            "securitySchemes": {
                "user": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "A user of the web configuration, where it has any.",
                },
                "control": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of `web.control_token_file`, where the web configuration has no users.",
                },
            },
        },
    })
}

/// What was referred to.
struct Schemas {
    answers: SchemaGenerator,
    /// Queries are read, not written, and each of their members is a parameter of its own.
    queries: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        let queries = settings.clone().with(|settings| settings.inline_subschemas = true);
        Self { answers: settings.for_serialize().into_generator(), queries: queries.into_generator() }
    }

    fn of(&mut self, schema: SchemaOf) -> Value {
        schema(&mut self.answers).to_value()
    }

    fn error(&mut self) -> Value {
        self.answers.subschema_for::<ErrorResponse>().to_value()
    }

    fn parameters(&mut self, operation: &Operation) -> Vec<Value> {
        let path = operation.path_parameter.map(|[name, meaning, example]| {
            json!({
                "name": name, "in": "path", "required": true, "description": meaning, "example": example,
                "schema": { "type": "string" },
            })
        });
        let query = operation.query.map(|query| query(&mut self.queries).to_value());
        let members = query.as_ref().and_then(|query| query["properties"].as_object());
        let query = members.into_iter().flatten().map(|(name, member)| parameter(name, member));
        path.into_iter().chain(query).collect()
    }
}

/// A member of a query's type. Each may be left out.
fn parameter(name: &str, member: &Value) -> Value {
    let mut schema = member.as_object().cloned().unwrap_or_default();
    let description = schema.remove("description");
    let example = schema.remove("examples").map(|mut examples| examples[0].take());
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
    schema.remove("default");
    let mut parameter = json!({ "name": name, "in": "query", "description": description, "schema": schema });
    if let Some(example) = example {
        parameter["example"] = example;
    }
    parameter
}

fn described(operation: &Operation, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    for answer in operation.responses {
        let schema = schemas.of(answer.schema);
        let content = answer.content_types.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": schema })));
        let content: Map<_, _> = content.collect();
        responses.insert(answer.status.to_string(), json!({ "description": answer.meaning, "content": content }));
    }
    with_errors(&mut responses, operation.errors, schemas);
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "responses": responses,
        "security": security(operation.access),
    });
    if !operation.description.is_empty() {
        described["description"] = operation.description.into();
    }
    let parameters = schemas.parameters(operation);
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    described
}

/// `/api/NAME`.
fn newest(feed: &FeedDescription, schemas: &mut Schemas) -> Value {
    const STALE: Failure = Failure::new(503, &["stale"], "there is no reading that is on time");
    let content = json!({ "application/json": { "schema": schemas.of(feed.message) } });
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({ "description": "The newest message of the feed.", "content": content }));
    with_errors(&mut responses, if feed.needs_reading { &[STALE] } else { &[] }, schemas);
    json!({
        "operationId": feed.name,
        "summary": feed.summary,
        "description": format!("The newest message of `/ws/{}`. {}", feed.name, feed.description),
        "responses": responses,
        "security": security(Access::Readers),
    })
}

/// `/ws/NAME`. OpenAPI knows no messages: they stand in extensions.
fn handshake(feed: &FeedDescription, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    responses.insert("101".to_owned(), json!({ "description": "The connection is a WebSocket from here on." }));
    with_errors(&mut responses, HANDSHAKE, schemas);
    let replies = feed.requests.iter().map(|(request, reply)| json!({ "send": request, "reply": schemas.of(*reply) }));
    let replies: Vec<Value> = replies.collect();
    json!({
        "operationId": format!("{}_feed", feed.name),
        "summary": format!("Live feed. {}", feed.summary),
        "description": feed.description,
        "parameters": [{
            "name": "interval", "in": "query", "example": "5s",
            "description": "A message is sent this often at most: a duration such as `5s`. Every message unless given.",
            "schema": { "type": "string" },
        }],
        "responses": responses,
        "security": security(Access::Readers),
        "x-message": schemas.of(feed.message),
        "x-replies": replies,
    })
}

/// Adds an operation's own errors by their status, and what every route may answer.
fn with_errors(responses: &mut Map<String, Value>, failures: &[Failure], schemas: &mut Schemas) {
    for failure in failures {
        let status = failure.status.to_string();
        if !responses.contains_key(&status) {
            let all: Vec<&Failure> = failures.iter().filter(|other| other.status == failure.status).collect();
            let lines: Vec<String> = all.iter().map(|failure| line(failure)).collect();
            responses.insert(status, failed(&lines.join("\n\n"), &all, schemas));
        }
    }
    responses.insert("4XX".to_owned(), json!({ "$ref": "#/components/responses/Refused" }));
    responses.insert("5XX".to_owned(), json!({ "$ref": "#/components/responses/Unavailable" }));
}

/// The codes, and when they come.
fn line(failure: &Failure) -> String {
    let codes = failure.codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>();
    format!("{}: {}.", codes.join(", "), failure.when)
}

fn failed(description: &str, failures: &[&Failure], schemas: &mut Schemas) -> Value {
    json!({
        "description": description,
        "content": { "application/json": { "schema": schemas.error() } },
        "x-codes": failures.iter().flat_map(|failure| failure.codes).collect::<Vec<_>>(),
    })
}

fn security(access: Access) -> Value {
    match access {
        Access::Everybody => json!([]),
        Access::Readers => json!([{}, { "user": [] }]),
        Access::Controllers => json!([{ "user": [] }, { "control": [] }]),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    use aura_model::Reason;

    use super::*;
    use crate::{api::REASONS, cli::generate::subjects};

    fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
        value.as_object().into_iter().flatten()
    }

    #[test]
    fn whatever_is_documented_is_described() {
        let document = document(&subjects());
        let mut empty = Vec::new();
        let mut described = |what: String, value: &Value| {
            if value["description"].as_str().unwrap_or_default().split_whitespace().count() < 2 {
                empty.push(what);
            }
        };
        for (name, schema) in members(&document["components"]["schemas"]) {
            described(name.clone(), schema);
            for (field, part) in members(&schema["properties"]) {
                described(format!("{name}.{field}"), part);
            }
        }
        for (path, methods) in members(&document["paths"]) {
            for (method, operation) in members(methods) {
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    described(format!("{method} {path} {}", parameter["name"]), parameter);
                }
            }
        }
        assert_eq!(empty, Vec::<String>::new());
    }

    #[test]
    fn names_are_one_for_all() {
        let document = document(&subjects());
        // Two types of one name come out with a number behind that of the second.
        let numbered = members(&document["components"]["schemas"]).filter(|(name, _)| name.ends_with(char::is_numeric));
        assert_eq!(numbered.count(), 0);
        let operations = members(&document["paths"]).flat_map(|(_, methods)| members(methods));
        let ids: Vec<&str> = operations.filter_map(|(_, operation)| operation["operationId"].as_str()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }

    #[test]
    fn the_reasons_are_those_of_the_model() {
        let schema = schemars::schema_for!(Reason).to_value();
        let words = schema["oneOf"].as_array().into_iter().flatten().filter_map(|word| word["const"].as_str());
        assert_eq!(words.collect::<Vec<_>>(), REASONS);
    }

    /// Only the table makes routes, and the router those of the feeds, which are described by feed, and of the page.
    #[test]
    fn no_route_goes_past_the_table() {
        fn files(folder: &Path, found: &mut Vec<PathBuf>) {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    files(&path, found);
                } else if fs::read_to_string(&path).unwrap().contains(concat!(".ro", "ute(")) {
                    found.push(path);
                }
            }
        }
        let (folder, mut found) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), Vec::new());
        files(&folder, &mut found);
        found.sort();
        assert_eq!(found, ["api/operation.rs", "http/router.rs"].map(|file| folder.join(file)));
    }
}
