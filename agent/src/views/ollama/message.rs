//! The message of `/ws/models` and `/api/models`: names and shapes that dashboards of existing installations use, and
//! more. Bytes are bytes, `*_gb` are GiB. What is not known is `null` and says why under `missing`.

use std::collections::BTreeMap;

use aura_model::{Missing, Name};
use schemars::JsonSchema;
use serde::Serialize;

use crate::views::join::GpuMemory;

/// The JSON schema of the message.
#[must_use]
pub fn schema() -> String {
    crate::api::schema::<ModelUpdate>()
}

/// One message.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ModelUpdate {
    /// Always `model_update`.
    pub r#type: &'static str,
    /// One more with each message since the agent started.
    pub seq: u64,
    /// When Ollama was asked, RFC 3339; `null` while it is not watched.
    pub sampled_at: Option<String>,
    /// The same as `sampled_at`; when the message was made, while Ollama is not watched.
    pub timestamp: String,
    /// From one sample to the next, in seconds.
    pub interval_seconds: f64,
    /// Models in memory of the hosts that answer; `null` when none does.
    pub loaded_models: Option<Vec<Loaded>>,
    /// Names of the models on disk of the hosts that answer.
    pub available_models: Option<Vec<Name>>,
    /// The same with all that is known of them.
    pub installed_models: Option<Vec<Installed>>,
    /// Memory of all loaded models together.
    pub memory_usage: MemoryUsage,
    /// The leaderboard's rows; none are read here.
    pub model_stats: Option<Vec<Name>>,
    /// Which model a gateway takes for which mode; none is read here.
    pub mode_mappings: Option<BTreeMap<String, Name>>,
    /// The servers.
    pub hosts: Vec<Host>,
    /// What was asked for through the agent.
    pub controls: Controls,
    /// Why what is `null` is missing, by its path.
    pub missing: BTreeMap<String, Missing>,
}

/// A model in memory.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Loaded {
    /// Its name with its tag.
    pub name: Name,
    /// The server it is on.
    pub host: Name,
    /// `loaded`, or `stopping` when its time is over and it still finishes a request.
    pub state: &'static str,
    /// Bytes of memory in all.
    pub memory_usage: Option<u64>,
    /// Bytes of them on GPUs.
    pub memory_vram: Option<u64>,
    /// Bytes of them in RAM.
    pub memory_ram: Option<u64>,
    /// What its process takes of each GPU, as the GPU's driver tells; `null` when no process is known to be its.
    pub gpu_memory: Option<Vec<GpuMemory>>,
    /// When it was first seen in memory, RFC 3339; `null` when it was there before the agent.
    pub loaded_at: Option<String>,
    /// When it was last seen to finish a request, RFC 3339; `null` when it was not.
    pub last_used: Option<String>,
    /// Since then, in minutes.
    pub idle_minutes: Option<f64>,
    /// It stays until somebody unloads it or it has to make room.
    pub always_loaded: bool,
    /// When it is unloaded unless it is used, as Ollama writes it.
    pub expires_at: Option<String>,
    /// Until then; `null` when it stays.
    pub unloads_in_seconds: Option<f64>,
    /// Identity of this version of it.
    pub digest: Name,
    /// Architecture.
    pub family: Option<Name>,
    /// As in `7.6B`.
    pub parameter_size: Option<Name>,
    /// As in `Q4_K_M`.
    pub quantization: Option<Name>,
    /// Allocated context in tokens.
    pub context_length: Option<u64>,
}

/// A model on disk.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Installed {
    /// Its name with its tag.
    pub name: Name,
    /// The server it is on.
    pub host: Name,
    /// Identity of this version of it.
    pub digest: Name,
    /// Bytes on disk.
    pub size: Option<u64>,
    /// When it was pulled or made.
    pub modified_at: Option<String>,
    /// Architecture.
    pub family: Option<Name>,
    /// File format.
    pub format: Option<Name>,
    /// As in `7.6B`.
    pub parameter_size: Option<Name>,
    /// Number of parameters.
    pub parameter_count: Option<u64>,
    /// As in `Q4_K_M`.
    pub quantization: Option<Name>,
    /// The longest context it was made for, in tokens.
    pub context_length: Option<u64>,
    /// What it can do.
    pub capabilities: Option<Vec<String>>,
    /// A model in the cloud, which is never loaded here.
    pub remote: bool,
    /// Whether this version of it is in memory, under whichever of its names.
    pub loaded: bool,
}

/// Memory of all loaded models, in GiB.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct MemoryUsage {
    /// In all; `null` unless every host answers.
    pub current_gb: Option<f64>,
    /// On GPUs.
    pub vram_gb: Option<f64>,
    /// In RAM.
    pub ram_gb: Option<f64>,
    /// How much there may be; Ollama does not say.
    pub max_gb: Option<f64>,
}

/// A server.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Host {
    /// `HOST:PORT`.
    pub host: Name,
    /// Its URL.
    pub url: String,
    /// `answering`, `busy` (it listens and keeps silent) or `away`.
    pub state: &'static str,
    /// Since when, RFC 3339.
    pub since: String,
    /// When it last answered in full, RFC 3339.
    pub answered_at: Option<String>,
    /// Its version.
    pub version: Option<Name>,
    /// Models on its disk.
    pub models_installed: Option<usize>,
    /// Models in its memory.
    pub models_loaded: Option<usize>,
    /// Why it does not answer, as a code.
    pub reason: Option<&'static str>,
    /// Why it does not answer, as a sentence.
    pub detail: Option<String>,
}

/// Loading and unloading through the agent.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Controls {
    /// Whether those who may can load and unload.
    pub enabled: bool,
    /// What was asked for: waiting, running, and for five minutes what is finished.
    pub jobs: Vec<Job>,
}

/// A load or unload.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Job {
    /// Its number.
    pub id: u64,
    /// The server.
    pub host: Name,
    /// The model.
    pub model: Name,
    /// `load` or `unload`.
    pub action: &'static str,
    /// `queued`, `running`, `done` or `failed`.
    pub state: &'static str,
    /// How many come before it on its server.
    pub position: Option<usize>,
    /// When it was asked for, RFC 3339.
    pub requested_at: String,
    /// How long it has been running, or ran.
    pub seconds: Option<f64>,
    /// What went wrong.
    pub error: Option<JobError>,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct JobError {
    /// For programs.
    pub code: &'static str,
    /// For people; Ollama's own words where it gave some.
    pub message: String,
    /// What to try.
    pub hint: String,
    /// The HTTP status of an answer that says so.
    #[serde(skip)]
    pub status: u16,
}
