//! A model as the simulator knows it.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::name;

/// A model on disk.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name with its tag.
    pub name: String,
    /// SHA-256 of its manifest in hex.
    pub digest: String,
    /// SHA-256 of its weights in hex: the name of their file in the store, and what a model in memory is known by.
    pub weights: String,
    /// Bytes on disk.
    pub size: u64,
    /// When it was pulled.
    pub modified_at: Timestamp,
    /// Architecture.
    pub family: String,
    /// As in `7.6B`.
    pub parameter_size: String,
    /// Number of parameters.
    pub parameter_count: u64,
    /// As in `Q4_K_M`.
    pub quantization: String,
    /// The longest context.
    pub context_length: u64,
    /// `PARAMETER num_ctx` of its Modelfile.
    pub num_ctx: Option<u64>,
    /// `SYSTEM` of its Modelfile.
    pub system: Option<String>,
    /// What it can do; nothing when the file of its weights is gone.
    pub capabilities: Vec<String>,
    /// Bytes of memory when loaded.
    pub memory: u64,
    /// Those of them that go to a GPU. Without any nobody reckons before a load whether it fits.
    pub vram: u64,
    /// How long a load takes.
    pub load_time: Duration,
    /// How a load ends.
    pub load: LoadBehaviour,
    /// Never comes to an end by itself.
    pub endless: bool,
    /// The host of a model in the cloud.
    pub remote_host: Option<String>,
}

/// How a load ends.
#[derive(Clone, Debug, PartialEq)]
pub enum LoadBehaviour {
    /// Well.
    Fine,
    /// With a 500 and this text.
    Fails(String),
    /// Never.
    Hangs,
}

impl Model {
    /// A chat model that takes so much memory, all of it on the GPU, and loads at once.
    #[must_use]
    pub fn new(name: &str, memory: u64) -> Self {
        Self {
            name: name::shown(name),
            digest: digest(name),
            weights: digest(&format!("weights of {name}")),
            size: memory - memory / 5,
            modified_at: Timestamp::now(),
            family: "llama".into(),
            parameter_size: "8.0B".into(),
            parameter_count: 8_030_261_312,
            quantization: "Q4_K_M".into(),
            context_length: 131_072,
            num_ctx: None,
            system: None,
            capabilities: vec!["completion".into(), "tools".into()],
            memory,
            vram: memory,
            load_time: Duration::ZERO,
            load: LoadBehaviour::Fine,
            endless: false,
            remote_host: None,
        }
    }

    /// A model that can do nothing but embed.
    #[must_use]
    pub fn embedding(name: &str, memory: u64) -> Self {
        Self {
            family: "nomic-bert".into(),
            context_length: 2048,
            capabilities: vec!["embedding".into()],
            ..Self::new(name, memory)
        }
    }

    /// Another version of it: the same name, other weights.
    #[must_use]
    pub fn pulled_again(&self) -> Self {
        let weights = digest(&self.weights);
        Self { digest: digest(&self.digest), weights, modified_at: Timestamp::now(), ..self.clone() }
    }

    /// The same model under another name, as `ollama cp` makes it and as many tags of a library are.
    #[must_use]
    pub fn copied_as(&self, name: &str) -> Self {
        Self { name: name::shown(name), modified_at: Timestamp::now(), ..self.clone() }
    }

    /// Made from it by `ollama create` with another `SYSTEM`: another manifest over the same weights.
    #[must_use]
    pub fn with_system(&self, name: &str, system: &str) -> Self {
        let digest = digest(&format!("{} {system}", self.weights));
        Self { digest, system: Some(system.to_owned()), ..self.copied_as(name) }
    }

    pub(crate) fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability)
    }

    pub(crate) fn only_embeds(&self) -> bool {
        !self.can("completion")
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
