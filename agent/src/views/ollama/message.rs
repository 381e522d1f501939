//! The message of `/ws/models` and `/api/models`: names and shapes that dashboards of existing installations use, and
//! more. Bytes are bytes, `*_gb` are GiB. What is not known is `null` and says why under `missing`.

use std::{collections::BTreeMap, sync::Arc};

use aura_model::{Missing, Name};
use schemars::JsonSchema;
use serde::Serialize;

use super::engines::{EngineRow, Work};
use crate::{
    api::FeedDescription,
    views::{debates::Row, join::GpuMemory},
};

/// The feed of Ollama's models.
pub(crate) const FEED: FeedDescription = FeedDescription::new::<ModelUpdate>(
    "models",
    "Ollama's models: what is installed, what is loaded, what is being loaded.",
    "A message with each reading, with each step of a load or unload, and when a server's readings stop to come. It comes also without a \
     reading, and says under `missing` why.",
);

/// A message of `/ws/models`, and what `/api/models` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ModelUpdate {
    /// Always `model_update`.
    pub r#type: &'static str,
    /// Grows by one with each message since the agent started.
    pub seq: u64,
    /// When the newest reading of Ollama was begun, RFC 3339 in UTC; `null` while none is on time.
    pub sampled_at: Option<String>,
    /// The same as `sampled_at`; when the message was made, while that is `null`.
    pub timestamp: String,
    /// Seconds from one sample to the next (`sources.ollama.interval`).
    pub interval_seconds: f64,
    /// Models in memory of all servers that answer (`GET /api/ps`), one after the other; `null` when none answers.
    pub loaded_models: Option<Vec<Loaded>>,
    /// Names of the models on disk of all servers that answer, each once; `null` when none answers.
    pub available_models: Option<Vec<Name>>,
    /// Models on disk of all servers that answer (`GET /api/tags`), with all that is known of them; `null` when none
    /// answers.
    pub installed_models: Option<Vec<Installed>>,
    /// Memory of all loaded models together.
    pub memory_usage: MemoryUsage,
    /// The leaderboard of the debates in its older shape, as `stats` of the feed `debates`; `null` when it cannot be read.
    pub model_stats: Option<Arc<Vec<Row>>>,
    /// Always `null`: Ollama knows no modes. Older dashboards read it.
    pub mode_mappings: Option<BTreeMap<String, Name>>,
    /// Every server of `sources.ollama.hosts`, also those that do not answer.
    pub hosts: Vec<Host>,
    /// Whether models can be loaded and unloaded through the agent, and what was asked for.
    pub controls: Controls,
    /// The processes that hold the models of servers on this machine; `null` where none can be seen.
    pub engines: Option<Vec<EngineRow>>,
    /// What those processes did, by model, those that have ended included; `null` as `engines`.
    pub engine_work: Option<Vec<Work>>,
    /// What the models on this machine take of electricity; `null` where no device counts its energy.
    pub energy: Option<Energy>,
    /// Why what is `null` is so, by its path here; `hosts.HOST` says why a server does not answer,
    /// `hosts.HOST.entries` what is odd about its answers, and `hosts.HOST.engines` why its processes cannot be seen.
    pub missing: BTreeMap<String, Missing>,
}

/// A model in memory, as Ollama lists it (`GET /api/ps`).
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LoadedModel")]
pub struct Loaded {
    /// The name that loaded it, with its tag: `llama3.1:8b`.
    pub name: Name,
    /// The server that it is on, as `HOST:PORT`.
    pub host: Name,
    /// `loaded`; `stopping` when its time is over and it still finishes a request; `crashed` when its engine has ended, as
    /// seen on this machine, and Ollama has not noticed: it takes no memory, and the next request loads it anew.
    pub state: &'static str,
    /// Bytes of memory in all (`size`).
    pub memory_usage: Option<u64>,
    /// Bytes of them on GPUs (`size_vram`).
    pub memory_vram: Option<u64>,
    /// Bytes of them in RAM: `memory_usage` less `memory_vram`.
    pub memory_ram: Option<u64>,
    /// What its process takes of each GPU, as the GPU's driver tells; told by the file of the weights. `null` when no
    /// process on this machine is known to run it.
    pub gpu_memory: Option<Vec<GpuMemory>>,
    /// When the agent first saw it in memory, RFC 3339; `null` when it was there before the agent.
    pub loaded_at: Option<String>,
    /// When the agent last saw it finish a request (`expires_at` moved), RFC 3339; `null` when it did not yet.
    pub last_used: Option<String>,
    /// Minutes since `last_used`, to a tenth. A long answer that is still being made counts as idle.
    pub idle_minutes: Option<f64>,
    /// It stays until somebody unloads it or it has to make room.
    pub always_loaded: bool,
    /// When it is unloaded unless it is used before, as Ollama writes it, by Ollama's clock.
    pub expires_at: Option<String>,
    /// Seconds until then by Ollama's clock, to a tenth; `null` when it stays, or Ollama does not say.
    pub unloads_in_seconds: Option<f64>,
    /// What tells this version of it from others (SHA-256 of its manifest).
    pub digest: Name,
    /// What it is to the model on disk that has its name now: `current`; `older`, when the name means other weights by now; or
    /// `deleted`. Ollama unloads by name, so the latter two go only at `expires_at` or to make room. `null` when it is not known
    /// what is on disk.
    pub version: Option<&'static str>,
    /// Architecture: `llama`.
    pub family: Option<Name>,
    /// Number of parameters as Ollama writes it: `7.6B`.
    pub parameter_size: Option<Name>,
    /// How its weights are quantised: `Q4_K_M`.
    pub quantization: Option<Name>,
    /// Context that is allocated for it, in tokens; `null` from versions that do not say.
    pub context_length: Option<u64>,
}

/// A model on disk, as Ollama lists it (`GET /api/tags`, `POST /api/show`).
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "InstalledModel")]
pub struct Installed {
    /// Its name with its tag: `llama3.1:8b`.
    pub name: Name,
    /// The server that it is on, as `HOST:PORT`.
    pub host: Name,
    /// What tells this version of it from others (SHA-256 of its manifest).
    pub digest: Name,
    /// Bytes on disk.
    pub size: Option<u64>,
    /// When it was pulled or made, RFC 3339 as Ollama writes it.
    pub modified_at: Option<String>,
    /// Architecture: `llama`.
    pub family: Option<Name>,
    /// Format of its file: `gguf`.
    pub format: Option<Name>,
    /// Number of parameters as Ollama writes it: `7.6B`.
    pub parameter_size: Option<Name>,
    /// Number of parameters; `null` from versions that do not say.
    pub parameter_count: Option<u64>,
    /// How its weights are quantised: `Q4_K_M`.
    pub quantization: Option<Name>,
    /// The longest context that it was made for, in tokens (`POST /api/show`); `null` until that was asked.
    pub context_length: Option<u64>,
    /// What it can do: `completion`, `tools`, `vision` and others (`POST /api/show`); `null` until that was asked.
    pub capabilities: Option<Vec<String>>,
    /// A model in the cloud, which takes no memory here and is never loaded.
    pub remote: bool,
    /// Whether it would answer without a load: its weights are in memory, under whichever name (`loaded_models` has the one
    /// that loaded them), and started with the same parameters.
    pub loaded: bool,
}

/// Memory of all loaded models of all servers together, in GiB to three digits. A sum of which a part is not known is
/// `null`: so is all of it while one server does not answer.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct MemoryUsage {
    /// In all.
    pub current_gb: Option<f64>,
    /// On GPUs.
    pub vram_gb: Option<f64>,
    /// In RAM.
    pub ram_gb: Option<f64>,
    /// How much there may be: RAM, or what the server's control groups leave of it, and the GPUs' memory. `null` unless there is
    /// one server, on this machine, whose process is seen.
    pub max_gb: Option<f64>,
}

/// A server of Ollama.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OllamaHost")]
pub struct Host {
    /// Its address as `HOST:PORT`, which names it everywhere.
    pub host: Name,
    /// Its URL as configured.
    pub url: String,
    /// `answering`; `busy`, when it listens and keeps silent, as while it loads a large model; or `away`.
    pub state: &'static str,
    /// When it came into this state, RFC 3339.
    pub since: String,
    /// When it last answered in full, RFC 3339; `null` when it never did.
    pub answered_at: Option<String>,
    /// Its version (`GET /api/version`); `null` until it has said it.
    pub version: Option<Name>,
    /// Models on its disk; `null` while they are not known.
    pub models_installed: Option<usize>,
    /// Models in its memory; `null` while they are not known.
    pub models_loaded: Option<usize>,
    /// Models that it keeps in memory at most (`OLLAMA_MAX_LOADED_MODELS`; three for each GPU, and on a CPU, where it is not
    /// set); `null` where its environment may not be read.
    pub max_models: Option<u64>,
    /// Why it does not answer, as a code; `null` when it does.
    pub reason: Option<&'static str>,
    /// The same as a sentence with what would help; `null` when it answers.
    pub detail: Option<String>,
}

/// Energy, counted by GPUs and the processor, and divided by who computed: what a device counted while one model alone did
/// is that model's, and nothing is divided by guess. All sums begin when the agent does.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Energy {
    /// Price of a kilowatt hour (`energy.price_per_kwh`); `null` where none is configured.
    pub price_per_kwh: Option<f64>,
    /// What prices are in (`energy.currency`).
    pub currency: String,
    /// Each device that counts its energy.
    pub devices: Vec<DeviceEnergy>,
    /// Each model that was in memory while it was counted.
    pub models: Vec<ModelEnergy>,
}

/// What a device counted while no model computed on it alone.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeviceEnergy {
    /// The GPU's unique number, or the processor's package: `package-0`.
    pub device: Name,
    /// Mean power while no model computed on it, in watts; `null` until it rested for 10 s.
    pub rest_watts: Option<f64>,
    /// What a day of rest costs; `null` without a price.
    pub rest_cost_per_day: Option<f64>,
    /// Joules while several models computed on it, or one and somebody else.
    pub shared_joules: f64,
}

/// What a model took of electricity.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ModelEnergy {
    /// The server that it is on, as `HOST:PORT`.
    pub host: Name,
    /// Its name with its tag.
    pub model: Name,
    /// Joules that all devices counted while it alone computed on them.
    pub joules: f64,
    /// Tokens that it generated in answers which no other model's work overlapped; the numbers below rest on these.
    pub generated_tokens: f64,
    /// Energy of a thousand generated tokens, in watt hours, with their prompts and all that the devices take anyway; `null`
    /// until such an answer ended, and where the engine does not count its tokens.
    pub watt_hours_per_1000_tokens: Option<f64>,
    /// The same without what the devices take at rest; `null` until that is known too.
    pub watt_hours_per_1000_tokens_above_rest: Option<f64>,
    /// What a thousand generated tokens cost, by `watt_hours_per_1000_tokens`; `null` without a price.
    pub cost_per_1000_tokens: Option<f64>,
}

/// Loading and unloading through the agent.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Controls {
    /// Whether those who may change something can load and unload: `sources.ollama.controls` is on, and there are
    /// users or a control token.
    pub enabled: bool,
    /// What was asked for: what waits, what runs, and for five minutes what is finished.
    pub jobs: Vec<Job>,
}

/// A load or unload that was asked for through the agent. On each server one runs at a time.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Job {
    /// Its number, from 1: the `job` of the answer to the request.
    pub id: u64,
    /// The server that it is for, as `HOST:PORT`.
    pub host: Name,
    /// The model's name with its tag.
    pub model: Name,
    /// `load` or `unload`.
    pub action: &'static str,
    /// `queued`, `running`, `done` or `failed`.
    pub state: &'static str,
    /// How many come before it on its server; `null` unless it is `queued`.
    pub position: Option<usize>,
    /// When it was asked for, RFC 3339.
    pub requested_at: String,
    /// How long it has been running, or ran, in seconds; `null` while it is `queued`.
    pub seconds: Option<f64>,
    /// What there is to say of one that is `done`: that nothing was to be done, what went with it, how long it stays; else `null`.
    pub note: Option<String>,
    /// What went wrong; `null` unless it is `failed`.
    pub error: Option<JobError>,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct JobError {
    /// A word for programs, such as `not_enough_memory`: the codes of the load's route.
    pub code: &'static str,
    /// A sentence for people, with Ollama's own words where it gave some.
    pub message: String,
    /// What to try.
    pub hint: String,
    /// The HTTP status of an answer that says so.
    #[serde(skip)]
    pub status: u16,
}
