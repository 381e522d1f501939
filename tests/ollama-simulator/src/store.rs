//! Models on disk and in memory: lists, and what changes what is on disk.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::{
    Model,
    name::Name,
    request::{self, absent, bad, find, old_or_new_name, text},
    routes::{Refusal, json, lines},
    state::Shared,
    wire::{Installed, Loaded, Shown},
};

#[derive(Serialize)]
struct Models<T> {
    models: Vec<T>,
}

pub(crate) fn tags(shared: &Shared) -> Response {
    let older = shared.settings.is_older();
    let models = shared.state().installed().into_iter().map(|model| Installed::new(model, older)).collect();
    json(StatusCode::OK, &Models { models })
}

pub(crate) async fn ps(shared: &Shared) -> Response {
    // An engine that is asked how it is keeps its model, and with it the list.
    let pinged: Vec<_> = shared.state().running().into_iter().map(|running| running.pinged).collect();
    for pinged in pinged {
        drop(pinged.lock().await);
    }
    let lists_loading = shared.settings.is_older();
    let listed = shared.state().listed();
    let models = listed.into_iter().filter(|running| !running.loading || lists_loading).map(Loaded::new).collect();
    json(StatusCode::OK, &Models { models })
}

pub(crate) fn show(shared: &Shared, body: &Bytes) -> Result<Response, Refusal> {
    let fields = request::read(body, "ShowRequest")?;
    let name = required(old_or_new_name(&fields))?;
    // This one alone adds what the name leaves out.
    let model = find(shared, name, |name| absent(&crate::name::shown(name)))?;
    Ok(json(StatusCode::OK, &Shown::new(&model, &shared.settings)))
}

pub(crate) fn remove(shared: &Shared, body: &Bytes) -> Result<Response, Refusal> {
    let fields = request::read(body, "DeleteRequest")?;
    let name = required(old_or_new_name(&fields))?;
    if Name::parse(name).is_none() {
        return Err(bad(&format!("name {name:?} is invalid")));
    }
    let model = find(shared, name, absent)?;
    shared.state().delete(&model.name);
    Ok(StatusCode::OK.into_response())
}

/// Another name for a model: the same manifest.
pub(crate) fn copy(shared: &Shared, body: &Bytes) -> Result<Response, Refusal> {
    let fields = request::read(body, "CopyRequest")?;
    let model = find(shared, text(&fields, "source"), absent)?;
    let name = Name::parse(text(&fields, "destination")).ok_or_else(|| bad("invalid model name"))?;
    shared.state().install(model.copied_as(&name.shown()));
    Ok(StatusCode::OK.into_response())
}

/// A model made of another one: its weights, another `SYSTEM`.
pub(crate) fn create(shared: &Arc<Shared>, body: &Bytes) -> Result<Response, Refusal> {
    let fields = request::read(body, "CreateRequest")?;
    let name = Name::parse(text(&fields, "model")).ok_or_else(|| bad("invalid model name"))?;
    let from = find(shared, text(&fields, "from"), absent)?;
    let made = match text(&fields, "system") {
        "" => from.copied_as(&name.shown()),
        system => from.with_system(&name.shown(), system),
    };
    let using = format!("using existing layer sha256:{}", made.weights);
    let steps = [using.as_str(), "writing manifest", "success"].map(Step::status);
    Ok(progress(shared, made, steps.into(), &fields))
}

/// Every name can be pulled, but those that begin with `missing`.
pub(crate) fn pull(shared: &Arc<Shared>, body: &Bytes) -> Result<Response, Refusal> {
    let fields = request::read(body, "PullRequest")?;
    let name = old_or_new_name(&fields);
    let parsed = Name::parse(name).ok_or_else(|| bad("invalid model name"))?;
    if name.starts_with("missing") {
        let text = "pull model manifest: file does not exist";
        if fields["stream"] == Value::Bool(false) {
            return Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, text.into()));
        }
        let steps = vec![Step::status("pulling manifest"), Step { error: Some(text), ..Step::default() }];
        return Ok(stream(steps, |_| {}));
    }
    // What is there already is the newest.
    let there = shared.state().find(&parsed);
    let model = there
        .map_or_else(|| Model::new(&parsed.shown(), 5 << 30), |model| Model { modified_at: Timestamp::now(), ..model });
    let part = |completed| Step {
        status: Some(format!("pulling {}", &model.weights[..12])),
        digest: Some(format!("sha256:{}", model.weights)),
        total: Some(model.size),
        // Nothing completed yet is left out, as every zero.
        completed,
        error: None,
    };
    let mut steps = vec![Step::status("pulling manifest"), part(None)];
    steps.extend((1..=4).map(|quarter| part(Some(model.size / 4 * quarter))));
    steps.extend(["verifying sha256 digest", "writing manifest", "success"].map(Step::status));
    Ok(progress(shared, model, steps, &fields))
}

/// A line of progress.
#[derive(Clone, Default, Serialize)]
struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

impl Step {
    fn status(text: &str) -> Self {
        Self { status: Some(text.to_owned()), ..Self::default() }
    }
}

/// Tells each step, and installs the model when its manifest is written; without a stream the last step alone is told.
fn progress(shared: &Arc<Shared>, model: Model, steps: Vec<Step>, fields: &Value) -> Response {
    if fields["stream"] == Value::Bool(false) {
        shared.state().install(model);
        return json(StatusCode::OK, &steps.last());
    }
    let shared = Arc::clone(shared);
    stream(steps, move |step| {
        if step.status.as_deref() == Some("writing manifest") {
            shared.state().install(model.clone());
        }
    })
}

fn stream(steps: Vec<Step>, done: impl Fn(&Step) + Send + 'static) -> Response {
    let (send, receive) = mpsc::channel(1);
    tokio::spawn(async move {
        for step in steps {
            let line = serde_json::to_string(&step).unwrap_or_default();
            if send.send(Some(Bytes::from(line + "\n"))).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            done(&step);
        }
    });
    lines(receive)
}

fn required(name: &str) -> Result<&str, Refusal> {
    if name.is_empty() { Err(bad("model is required")) } else { Ok(name) }
}
