//! What one sample of Ollama yields.

use std::{collections::HashMap, sync::Arc};

use aura_model::{Missing, Name, Section};
use serde::Serialize;

use crate::{Commands, EnginesReading, Limits, Server};

/// All servers that are watched.
#[derive(Clone, Debug, Serialize)]
pub struct OllamaReading {
    /// In the order of the configuration.
    pub hosts: Vec<HostReading>,
}

/// One server.
#[derive(Clone, Debug, Serialize)]
pub struct HostReading {
    /// `HOST:PORT`.
    pub host: Name,
    /// Its URL.
    pub url: String,
    /// The same with what it takes to be let in.
    #[serde(skip)]
    pub server: Server,
    /// Whether it answers.
    pub status: HostStatus,
    /// Since when it stands so, in Unix seconds.
    pub since: f64,
    /// Why it does not answer.
    pub missing: Option<Missing>,
    /// When it last answered in full, in Unix seconds.
    pub answered_at: Option<f64>,
    /// How far its clock is ahead of ours; 0 within what its answers can tell.
    pub clock_offset_seconds: f64,
    /// Its version.
    pub version: Option<Name>,
    /// Models on its disk.
    pub installed: Section<Arc<Vec<InstalledModel>>>,
    /// Models in its memory.
    pub loaded: Section<Arc<Vec<LoadedModel>>>,
    /// The processes that hold its models, and what they did; off where they cannot be seen.
    pub engines: Section<EnginesReading>,
    /// What in its answers could not be read, while the rest could: an entry without a name, a negative size.
    pub odd: Vec<String>,
    /// What asking it costs.
    pub requests: RequestStats,
    /// What it may take of this machine; none where it is another's, or its process is not seen.
    pub limits: Option<Limits>,
    /// What this agent did to it.
    pub commands: Commands,
}

impl HostReading {
    /// The names of the models with these weights: first those by which the server lists them as loaded, then the other
    /// installed ones by name.
    #[must_use]
    pub fn models_of(&self, weights: &str) -> Vec<&Name> {
        let installed = self.installed.value().map(|models| models.as_slice()).unwrap_or_default();
        let loaded = self.loaded.value().map(|models| models.as_slice()).unwrap_or_default();
        let mut others: Vec<&InstalledModel> =
            installed.iter().filter(|model| model.weights.as_deref() == Some(weights)).collect();
        others.sort_by(|one, other| one.name.cmp(&other.name));
        let of_these = |model: &&LoadedModel| model.weights.as_deref() == Some(weights);
        let mut names: Vec<&Name> = loaded.iter().filter(of_these).map(|model| &model.name).collect();
        for model in others {
            if !names.contains(&&model.name) {
                names.push(&model.name);
            }
        }
        names
    }

    /// The one name by which the engines of these weights are shown: it does not change when another is loaded.
    #[must_use]
    pub fn model_of(&self, weights: &str) -> Option<&Name> {
        let given = self.engines.value().and_then(|engines| engines.names.get(weights));
        given.or_else(|| self.models_of(weights).first().copied())
    }
}

/// Whether a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HostStatus {
    /// It does.
    Answering,
    /// It listens and keeps silent: it is loading, or answering others.
    Busy,
    /// Nobody listens, or what answers is no Ollama.
    Away,
}

/// A model on disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstalledModel {
    /// Its name with its tag.
    pub name: Name,
    /// SHA-256 of its manifest, in hex: the identity of this version of it.
    pub digest: Name,
    /// Bytes of all its layers on disk.
    pub size: Option<u64>,
    /// When it was pulled or made, as Ollama writes it.
    pub modified_at: Option<String>,
    /// Architecture.
    pub family: Option<Name>,
    /// File format.
    pub format: Option<Name>,
    /// As in `7.6B`.
    pub parameter_size: Option<Name>,
    /// Number of its parameters.
    pub parameter_count: Option<u64>,
    /// As in `Q4_K_M`.
    pub quantization: Option<Name>,
    /// The longest context it was made for, in tokens.
    pub context_length: Option<u64>,
    /// What it can do: `completion`, `embedding`, `tools` and so on.
    pub capabilities: Option<Vec<String>>,
    /// SHA-256 of the file of its weights, in hex, once it is known; several models may share one.
    pub weights: Option<Name>,
    /// With what else Ollama starts an engine for it, once that is known: further files, and parameters such as `num_ctx`.
    /// Models with the same weights answer without a load where this is the same, too.
    pub setup: Option<Name>,
    /// A model in the cloud: it takes no memory here, and there is nothing to load.
    pub remote: bool,
}

impl InstalledModel {
    /// Whether it would answer without a load: its weights are in memory, under whichever name, and started as it wants
    /// them. Where weights are not known the digest tells, and the name where there is none either.
    #[must_use]
    pub fn is_among(&self, loaded: &[LoadedModel]) -> bool {
        loaded.iter().filter(|loaded| !loaded.crashed).any(|loaded| match (&self.weights, &loaded.weights) {
            _ if loaded.digest.is_empty() => loaded.name == self.name,
            _ if loaded.digest == self.digest => true,
            (Some(own), Some(other)) => own == other && self.setup == loaded.setup,
            _ => false,
        })
    }
}

/// A model in memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoadedModel {
    /// Its name with its tag.
    pub name: Name,
    /// SHA-256 of its manifest, in hex.
    pub digest: Name,
    /// SHA-256 of the file of its weights, in hex, where it is known: what it is to Ollama, which has each file in memory
    /// once.
    pub weights: Option<Name>,
    /// As [`InstalledModel::setup`].
    pub setup: Option<Name>,
    /// Bytes of memory in all: weights, context, buffers.
    pub size: Option<u64>,
    /// The part of it that is in the memory of GPUs.
    pub size_vram: Option<u64>,
    /// Architecture.
    pub family: Option<Name>,
    /// As in `7.6B`.
    pub parameter_size: Option<Name>,
    /// As in `Q4_K_M`.
    pub quantization: Option<Name>,
    /// Allocated context in tokens.
    pub context_length: Option<u64>,
    /// When it is unloaded unless it is used again.
    pub expiry: Expiry,
    /// `expires_at` as Ollama writes it.
    pub expires_at: Option<String>,
    /// Its time is over, and it still finishes a request.
    pub stopping: bool,
    /// Its engine ended and the server has not noticed: it is listed, and not in memory.
    pub crashed: bool,
    /// When it was loaded, in Unix seconds: when its engine was started, else when it was first seen here; none when it
    /// was there before us.
    pub loaded_at: Option<f64>,
    /// When it was last seen to be used, in Unix seconds: each use moves its expiry.
    pub last_used: Option<f64>,
}

impl LoadedModel {
    /// The part of its memory that is not on a GPU.
    #[must_use]
    pub fn size_ram(&self) -> Option<u64> {
        Some(self.size?.saturating_sub(self.size_vram?))
    }

    /// What became of it on disk since it was loaded.
    #[must_use]
    pub fn version(&self, installed: &[InstalledModel]) -> Version {
        match installed.iter().find(|model| model.name == self.name) {
            _ if self.digest.is_empty() => Version::Current,
            None => Version::Deleted,
            Some(model) if model.digest == self.digest => Version::Current,
            Some(model) if model.weights.is_some() && model.weights == self.weights => Version::Current,
            Some(_) => Version::Older,
        }
    }
}

/// What a model in memory is to the one on disk that has its name now. Ollama unloads what a name means now, so one that is
/// not current goes by itself or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The same weights.
    Current,
    /// The name means other weights by now: it was pulled or made anew.
    Older,
    /// The name is no longer there.
    Deleted,
}

/// The file of the weights by a manifest's digest, as far as known.
pub type Weights = HashMap<Name, Name>;

impl HostReading {
    /// The weights of all models of this server that are known, of those in memory also after they were deleted.
    #[must_use]
    pub fn weights(&self) -> Weights {
        let installed = self.installed.value().into_iter().flat_map(|models| models.iter());
        let installed = installed.map(|model| (&model.digest, &model.weights));
        let loaded = self.loaded.value().into_iter().flat_map(|models| models.iter());
        let all = installed.chain(loaded.map(|model| (&model.digest, &model.weights)));
        all.filter_map(|(digest, weights)| Some((digest.clone(), weights.clone()?))).collect()
    }
}

/// When a model is unloaded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// It stays until it is unloaded or has to make room.
    Never,
    /// In Unix seconds by the server's clock. In the past: it is stopping.
    At(f64),
    /// Ollama does not say.
    Unknown,
}

/// What asking a server costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RequestStats {
    /// Requests that the samples sent, answered or not.
    pub requests: u64,
    /// How long the newest answers took, in seconds.
    pub seconds: Option<f64>,
    /// Requests that were not answered, by [`FailureKind::ALL`].
    pub failures: [u64; FailureKind::ALL.len()],
}

/// Why a question was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Nobody listens.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// An HTTP status other than 200.
    Status,
    /// It answered, and not as Ollama does.
    Unreadable,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unreachable, Self::Timeout, Self::Status, Self::Unreadable];

    /// The word in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Unreadable => "unreadable",
        }
    }
}
