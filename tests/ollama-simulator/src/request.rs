//! Bodies of requests, as Go reads them.

use axum::body::Bytes;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::Value;

use crate::{Model, duration, name::Name, routes::Refusal, state::Shared};

/// The Go types that a body's keys must have, by the request's type.
const TYPES: &[(&str, &[(&str, Kind)])] = &[
    (
        "GenerateRequest",
        &[
            ("model", Kind::Text),
            ("prompt", Kind::Text),
            ("suffix", Kind::Text),
            ("system", Kind::Text),
            ("template", Kind::Text),
            ("raw", Kind::Switch),
            ("stream", Kind::Switch),
            ("options", Kind::Options),
        ],
    ),
    (
        "ChatRequest",
        &[("model", Kind::Text), ("messages", Kind::Messages), ("stream", Kind::Switch), ("options", Kind::Options)],
    ),
    ("EmbedRequest", &[("model", Kind::Text), ("options", Kind::Options)]),
    ("ShowRequest", &[("model", Kind::Text), ("name", Kind::Text)]),
    ("DeleteRequest", &[("model", Kind::Text), ("name", Kind::Text)]),
    ("PullRequest", &[("model", Kind::Text), ("name", Kind::Text), ("stream", Kind::Switch)]),
    ("CopyRequest", &[("source", Kind::Text), ("destination", Kind::Text)]),
    ("CreateRequest", &[("model", Kind::Text), ("from", Kind::Text), ("system", Kind::Text), ("stream", Kind::Switch)]),
];

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Switch,
    Options,
    Messages,
}

impl Kind {
    fn takes(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Switch => value.is_boolean(),
            Self::Options => value.is_object(),
            Self::Messages => value.is_array(),
        }
    }

    fn go(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Switch => "bool",
            Self::Options => "map[string]interface {}",
            Self::Messages => "[]api.Message",
        }
    }
}

/// Reads the body of a request of this Go type.
///
/// # Errors
/// It is missing, no JSON, or a key has another type: Ollama's 400.
pub(crate) fn read(body: &Bytes, request: &'static str) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Err(bad("missing request body"));
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| bad(&syntax(&error, body)))?;
    if !value.is_object() {
        return Err(bad(&format!("json: cannot unmarshal {} into Go value of type api.{request}", kind(&value))));
    }
    let known = TYPES.iter().find(|(name, _)| *name == request).map_or(&[][..], |(_, keys)| keys);
    for (key, expected) in known {
        if !value[key].is_null() && !expected.takes(&value[key]) {
            let (found, go) = (kind(&value[key]), expected.go());
            return Err(bad(&format!(
                "json: cannot unmarshal {found} into Go struct field {request}.{key} of type {go}"
            )));
        }
    }
    Ok(value)
}

fn syntax(error: &serde_json::Error, body: &Bytes) -> String {
    if error.is_eof() {
        return "unexpected EOF".into();
    }
    let line = body.split(|&byte| byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let found = line.get(error.column().saturating_sub(1)).copied().unwrap_or(b' ');
    format!("invalid character {:?} looking for beginning of value", char::from(found))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The text of a key, empty where there is none.
pub(crate) fn text<'a>(fields: &'a Value, key: &str) -> &'a str {
    fields[key].as_str().unwrap_or_default()
}

/// The name of the model; showing, pulling and deleting still take it under its old key.
pub(crate) fn old_or_new_name(fields: &Value) -> &str {
    match text(fields, "model") {
        "" => text(fields, "name"),
        model => model,
    }
}

/// The model of this name, or the refusal that this makes of the name.
///
/// # Errors
/// No name, or no model of this name.
pub(crate) fn find(shared: &Shared, name: &str, absent: impl Fn(&str) -> String) -> Result<Model, Refusal> {
    let parsed = Name::parse(name).ok_or_else(|| match name {
        "" => not_found("model '' not found"),
        _ => bad("invalid model name"),
    })?;
    shared.state().find(&parsed).ok_or_else(|| not_found(&absent(name)))
}

/// How Ollama says in most places that there is no such model: with the name as it was given.
pub(crate) fn absent(name: &str) -> String {
    format!("model '{name}' not found")
}

/// What a request says about keeping the model.
///
/// # Errors
/// It is no duration.
pub(crate) fn keep(shared: &Shared, fields: &Value) -> Result<Option<SignedDuration>, Refusal> {
    match &fields["keep_alive"] {
        Value::Null => Ok(None),
        value => duration::keep_alive(value, shared.settings.is_older()).map(Some).map_err(|text| bad(&text)),
    }
}

/// A whole number among the options.
///
/// # Errors
/// It is something else: Ollama makes it a 500.
pub(crate) fn option(fields: &Value, key: &str) -> Result<Option<i64>, Refusal> {
    match &fields["options"][key] {
        Value::Null => Ok(None),
        value => value.as_f64().map(|number| Some(number as i64)).ok_or_else(|| {
            let text = format!("option {key:?} must be of type integer");
            Refusal(StatusCode::INTERNAL_SERVER_ERROR, text)
        }),
    }
}

/// The context that a request asks for, or that is usual.
///
/// # Errors
/// It is no number.
pub(crate) fn context(shared: &Shared, fields: &Value, model: &Model) -> Result<u64, Refusal> {
    let asked = option(fields, "num_ctx")?.and_then(|asked| u64::try_from(asked).ok()).filter(|&asked| asked > 0);
    Ok(shared.settings.context(model, asked))
}

pub(crate) fn bad(text: &str) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, text.to_owned())
}

pub(crate) fn not_found(text: &str) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, text.to_owned())
}
