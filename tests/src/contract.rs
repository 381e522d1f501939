//! The agent's OpenAPI document, and whether what it answers is as the document says.

use std::{fs, path::Path};

use serde_json::Value;

use crate::Response;

/// `docs/api.openapi.json`.
pub struct Contract(Value);

/// One route with one method, as it is documented.
pub struct Route {
    /// `GET` or `POST`.
    pub method: String,
    /// As documented, with parameters in braces.
    pub path: String,
    /// What to ask for: the path and the query with the documented examples.
    pub target: String,
}

impl Route {
    /// Whether it is the handshake of a feed.
    #[must_use]
    pub fn is_feed(&self) -> bool {
        self.path.starts_with("/ws/")
    }
}

impl Contract {
    /// Reads the document.
    ///
    /// # Panics
    /// When it is not there or no JSON.
    #[must_use]
    pub fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api.openapi.json");
        Self(serde_json::from_str(&fs::read_to_string(path).expect("the document")).expect("JSON"))
    }

    /// All routes.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        let routes = members(&self.0["paths"]).flat_map(|(path, methods)| {
            members(methods).map(|(method, operation)| Route {
                method: method.to_uppercase(),
                path: path.clone(),
                target: target(path, operation),
            })
        });
        routes.collect()
    }

    /// What of an answer to a route is not as documented: its status, the type of its body, the body, the code of an error.
    #[must_use]
    pub fn faults(&self, route: &Route, answer: &Response) -> Vec<String> {
        let Some(documented) = self.response(route, answer.status) else {
            return vec![format!("{} is not documented", answer.status)];
        };
        let kind = answer.header("content-type").unwrap_or_default();
        let Some(content) = documented["content"].get(kind) else { return vec![format!("{kind} is not documented")] };
        if kind != "application/json" {
            return Vec::new();
        }
        let body = answer.json();
        let mut faults = self.schema_faults(&content["schema"], &body);
        let codes = documented["x-codes"].as_array();
        if codes.is_some_and(|codes| !codes.contains(&body["error"]["code"])) && !self.is_common(&body["error"]["code"])
        {
            faults.push(format!("{} is not documented", body["error"]["code"]));
        }
        faults
    }

    /// What of a feed's message is not as documented.
    #[must_use]
    pub fn message_faults(&self, path: &str, message: &Value) -> Vec<String> {
        self.schema_faults(&self.0["paths"][path]["get"]["x-message"], message)
    }

    fn response(&self, route: &Route, status: u16) -> Option<&Value> {
        let responses = &self.0["paths"][&route.path][route.method.to_lowercase()]["responses"];
        let response = responses.get(status.to_string()).or_else(|| responses.get(format!("{}XX", status / 100)))?;
        Some(response["$ref"].as_str().map_or(response, |reference| self.at(reference)))
    }

    /// Whether every route may answer with this code.
    fn is_common(&self, code: &Value) -> bool {
        let common = members(&self.0["components"]["responses"]);
        common.flat_map(|(_, response)| response["x-codes"].as_array()).any(|codes| codes.contains(code))
    }

    fn at(&self, reference: &str) -> &Value {
        let found = self.0.pointer(reference.trim_start_matches('#'));
        found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    fn schema_faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(schema, value, "", &mut faults);
        faults
    }

    /// As much of JSON Schema as the generator writes. Unlike a validator, it does not take keys that are not described.
    fn check(&self, schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.check(self.at(reference), value, path, faults);
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

fn target(path: &str, operation: &Value) -> String {
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        let example = match &parameter["example"] {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if parameter["in"] == "path" {
            path = path.replace(&format!("{{{name}}}"), &example);
        } else {
            query.push(format!("{name}={example}"));
        }
    }
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
