//! Models on disk and in memory: `/api/tags`, `/api/ps`, `/api/show`, `/api/pull`, `/api/delete`.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    Model,
    model::full_name,
    routes::{Refusal, fields, lines},
    state::{Running, Shared},
};

pub(crate) async fn tags(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let tells = shared.settings.tells_capabilities;
    let models: Vec<Value> = shared.state().installed().iter().map(|model| installed(model, tells)).collect();
    Json(json!({ "models": models }))
}

pub(crate) async fn ps(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let listed = |running: &Running| !running.loading || shared.settings.lists_loading;
    let models: Vec<Value> =
        shared.state().running().into_iter().filter(listed).map(|running| loaded(&running)).collect();
    Json(json!({ "models": models }))
}

pub(crate) async fn show(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let model = find(&shared, &fields(&body)?)?;
    let architecture = &model.family;
    Ok(Json(json!({
        "modelfile": format!("FROM {}\n", model.name),
        "template": "{{ .Prompt }}",
        "details": details(&model),
        "model_info": {
            "general.architecture": architecture,
            "general.parameter_count": model.parameter_count,
            format!("{architecture}.context_length"): model.context_length,
        },
        "capabilities": model.capabilities,
        "modified_at": time(model.modified_at),
    })))
}

pub(crate) async fn remove(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<StatusCode, Refusal> {
    let fields = fields(&body)?;
    if name(&fields).is_empty() {
        return Err(Refusal(StatusCode::BAD_REQUEST, "name \"\" is invalid".into()));
    }
    let model = find(&shared, &fields)?;
    shared.state().delete(&model.name);
    Ok(StatusCode::OK)
}

/// Every name can be pulled, but those that begin with `missing`.
pub(crate) async fn pull(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Refusal> {
    let fields = fields(&body)?;
    let name = name(&fields).to_owned();
    if name.is_empty() {
        return Err(Refusal(StatusCode::BAD_REQUEST, "invalid model name".into()));
    }
    let missing = name.starts_with("missing");
    let model = Model::new(&name, 5 << 30);
    let digest = format!("sha256:{}", model.digest);
    let short = digest[7..19].to_owned();
    let mut steps = vec![json!({ "status": "pulling manifest" })];
    if missing {
        steps.push(json!({ "error": "pull model manifest: file does not exist" }));
    } else {
        let (status, total) = (format!("pulling {short}"), model.size);
        // Nothing completed yet is left out, as every zero.
        steps.push(json!({ "status": status, "digest": digest, "total": total }));
        for part in 1..=4 {
            steps.push(json!({ "status": status, "digest": digest, "total": total, "completed": total / 4 * part }));
        }
        for status in ["verifying sha256 digest", "writing manifest", "success"] {
            steps.push(json!({ "status": status }));
        }
    }
    if fields["stream"] == Value::Bool(false) {
        return match steps.pop() {
            Some(last) if missing => Ok((StatusCode::INTERNAL_SERVER_ERROR, Json(last)).into_response()),
            last => {
                shared.state().install(model);
                Ok(Json(last).into_response())
            }
        };
    }
    let (send, receive) = mpsc::channel(1);
    tokio::spawn(async move {
        for step in steps {
            if send.send(Some(Bytes::from(format!("{step}\n")))).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            if step["status"] == "writing manifest" {
                shared.state().install(model.clone());
            }
        }
    });
    Ok(lines(receive))
}

/// The model that a request names.
///
/// # Errors
/// It names none, or one that is not there.
pub(crate) fn find(shared: &Shared, fields: &Value) -> Result<Model, Refusal> {
    if name(fields).is_empty() {
        return Err(Refusal(StatusCode::BAD_REQUEST, "model is required".into()));
    }
    find_or_404(shared, fields)
}

/// The same where no name is a name that is not there.
pub(crate) fn find_or_404(shared: &Shared, fields: &Value) -> Result<Model, Refusal> {
    let name = name(fields);
    shared.state().find(name).ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("model '{name}' not found")))
}

fn name(fields: &Value) -> &str {
    // `name` is the old word for it.
    fields["model"].as_str().or(fields["name"].as_str()).unwrap_or_default()
}

fn installed(model: &Model, tells_capabilities: bool) -> Value {
    let mut entry = json!({
        "name": model.name,
        "model": model.name,
        "modified_at": time(model.modified_at),
        "size": model.size,
        "digest": model.digest,
        "details": details(model),
    });
    if let Some(host) = &model.remote_host {
        entry["remote_model"] = full_name(&model.name).into();
        entry["remote_host"] = host.as_str().into();
    }
    if tells_capabilities {
        entry["capabilities"] = json!(model.capabilities);
        entry["details"]["context_length"] = model.context_length.into();
    }
    entry
}

fn loaded(running: &Running) -> Value {
    let model = &running.model;
    json!({
        "name": model.name,
        "model": model.name,
        "size": model.memory,
        "digest": model.digest,
        "details": details(model),
        "expires_at": time(running.expires_at()),
        "size_vram": model.vram,
        "context_length": model.context_length.min(4096),
    })
}

fn details(model: &Model) -> Value {
    json!({
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameter_size,
        "quantization_level": model.quantization,
    })
}

/// RFC 3339 with its fraction.
pub(crate) fn time(time: Timestamp) -> String {
    time.to_string()
}
