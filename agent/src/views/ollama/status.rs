//! The twins of the feed that scripts of existing installations ask for: `/v1/models/status`, `/v1/models/health`.

use std::collections::BTreeMap;

use aura_model::{Missing, Name, Reason};
use schemars::JsonSchema;
use serde::Serialize;

use super::message::{Host, Loaded, ModelUpdate};
use crate::api::ErrorBody;

const GIB: f64 = 1_073_741_824.0;

/// What is loaded, in the shape of the gateway of existing installations. What is not known is `null` and says why
/// under `missing`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ModelsStatus")]
pub(crate) struct Status {
    /// Names of the models in memory.
    loaded_models: Vec<Name>,
    /// Memory of all loaded models together, on GPUs too, in GiB; `null` unless every server answers.
    current_ram_gb: Option<f64>,
    /// How much memory its models may take, RAM and GPUs together, in GiB; `null` unless there is one server, on this machine,
    /// whose process is seen.
    max_ram_gb: Option<f64>,
    /// How many models all servers keep in memory at most; `null` where one's environment may not be read.
    max_concurrent: Option<u64>,
    /// What is known of each loaded model, by its name.
    model_details: BTreeMap<Name, Details>,
    /// Names of the models on disk.
    available_models: Option<Vec<Name>>,
    /// Always `null`: Ollama knows no modes.
    mode_mappings: Option<BTreeMap<String, Name>>,
    /// Why what is `null` is so, by its path here.
    missing: BTreeMap<String, Missing>,
    /// When the newest reading of Ollama was begun, RFC 3339 in UTC.
    sampled_at: Option<String>,
}

/// A model in memory, in the shape of the gateway of existing installations.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LoadedModelDetails")]
struct Details {
    /// When the agent first saw it in memory, RFC 3339; `null` when it was there before the agent.
    loaded_at: Option<String>,
    /// When the agent last saw it finish a request, RFC 3339; `null` when it did not yet.
    last_used: Option<String>,
    /// Minutes since `last_used`, to a tenth.
    idle_minutes: Option<f64>,
    /// Minutes that it stays unused, to a tenth; 0 when it stays for ever, `null` until it was used.
    timeout_minutes: Option<f64>,
    /// Its memory, on GPUs too, in GiB to three digits.
    ram_gb: Option<f64>,
    /// It stays until somebody unloads it or it has to make room.
    always_loaded: bool,
}

/// What is loaded, in the shape of the gateway; why not, when nothing is known.
pub(super) fn status(update: ModelUpdate) -> Result<Status, Missing> {
    let mut missing = update.missing;
    let Some(loaded) = update.loaded_models else {
        let unknown = || Missing::new(Reason::Stale, "Ollama was not asked yet");
        return Err(missing.remove("loaded_models").unwrap_or_else(unknown));
    };
    if let Some(why) = missing.get("memory_usage.max_gb").cloned() {
        missing.insert("max_ram_gb".into(), why);
    }
    let max_concurrent: Option<u64> = update.hosts.iter().map(|host| host.max_models).sum();
    if max_concurrent.is_none() {
        let detail = "OLLAMA_MAX_LOADED_MODELS is known only where the environment of the server's process may be read";
        missing.insert("max_concurrent".into(), Missing::new(Reason::NoPermission, detail));
    }
    missing.retain(|path, _| path != "model_stats" && path != "energy" && !path.starts_with("memory_usage"));
    Ok(Status {
        loaded_models: loaded.iter().map(|model| model.name.clone()).collect(),
        current_ram_gb: update.memory_usage.current_gb,
        max_ram_gb: update.memory_usage.max_gb,
        max_concurrent,
        model_details: loaded.into_iter().map(|model| (model.name.clone(), details(model))).collect(),
        available_models: update.available_models,
        mode_mappings: None,
        missing,
        sampled_at: update.sampled_at,
    })
}

fn details(model: Loaded) -> Details {
    let since_use = model.unloads_in_seconds.zip(model.idle_minutes);
    let timeout = since_use.map(|(left, idle)| ((left / 60.0 + idle) * 10.0).round() / 10.0);
    Details {
        loaded_at: model.loaded_at,
        last_used: model.last_used,
        idle_minutes: model.idle_minutes,
        timeout_minutes: if model.always_loaded { Some(0.0) } else { timeout },
        ram_gb: model.memory_usage.map(|bytes| (bytes as f64 / GIB * 1000.0).round() / 1000.0),
        always_loaded: model.always_loaded,
    }
}

/// Whether every server of Ollama is there. One that is busy is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ModelsHealth")]
pub(crate) struct Health {
    /// `healthy` or `unhealthy`.
    status: &'static str,
    /// URL of the first server that is away, else of the first of all; `null` when none is watched.
    ollama_url: Option<String>,
    /// Names of the models on disk; absent when `unhealthy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    available_models: Option<Vec<Name>>,
    /// Names of the models in memory; absent when `unhealthy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    loaded_models: Option<Vec<Name>>,
    /// Why it is unhealthy; absent when `healthy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody>,
    /// Every server.
    hosts: Vec<Host>,
}

/// Whether every server is there, and the answer that says so. One that is busy is there.
pub(super) fn health(update: ModelUpdate) -> (bool, Health) {
    let url = update.hosts.first().map(|host| host.url.clone());
    let away = update.hosts.iter().find(|host| host.state == "away");
    if away.is_none() && !update.hosts.is_empty() {
        let loaded = update.loaded_models.map(|models| models.into_iter().map(|model| model.name).collect());
        let health = Health {
            status: "healthy",
            ollama_url: url,
            available_models: update.available_models,
            loaded_models: loaded,
            error: None,
            hosts: update.hosts,
        };
        return (true, health);
    }
    let why = update.missing.get("loaded_models");
    let code = away.and_then(|host| host.reason).or(why.map(|missing| missing.reason.code()));
    let message = away.and_then(|host| host.detail.clone()).or(why.map(|missing| missing.detail.clone()));
    let error = ErrorBody {
        code: code.unwrap_or(Reason::Stale.code()),
        message: message.unwrap_or_else(|| "Ollama was not asked yet".to_owned()),
        hint: Some("start Ollama, or name it in sources.ollama.hosts".to_owned()),
        retry_after_s: Some(5),
    };
    let health = Health {
        status: "unhealthy",
        ollama_url: away.map(|host| host.url.clone()).or(url),
        available_models: None,
        loaded_models: None,
        error: Some(error),
        hosts: update.hosts,
    };
    (false, health)
}
