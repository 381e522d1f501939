//! What a look at a server's engines yields.

use std::{collections::BTreeMap, sync::Arc};

use aura_model::{Missing, Name, Section};
use serde::Serialize;

/// The engines of one server: the processes that hold its models, one for each file of weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EnginesReading {
    /// Those that live, the oldest first.
    pub engines: Vec<Engine>,
    /// What all engines of the same weights did, those that ended included; in the order of the weights.
    pub totals: Vec<WeightsTotals>,
    /// What the models are called that have these weights, by the weights: the name that was loaded first stays, as long
    /// as there is such a model, and is remembered when it was deleted.
    pub names: Arc<BTreeMap<Name, Name>>,
    /// Why no engines are seen now, where there may be some.
    pub missing: Option<Missing>,
}

impl EnginesReading {
    /// The name of the model with these weights; the first digits of the weights where it is not known.
    #[must_use]
    pub fn model(&self, weights: &str) -> Name {
        let digits = || {
            let end = weights.rsplit('/').next().unwrap_or_default();
            end.get(..12).unwrap_or(end).into()
        };
        self.names.get(weights).cloned().unwrap_or_else(digits)
    }
}

impl Engine {
    /// What its sums are kept under: its weights, or their file.
    #[must_use]
    pub fn key(&self) -> &Name {
        self.weights.as_ref().unwrap_or(&self.file)
    }
}

/// A process that holds a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Engine {
    /// Its number. With `born` it is told apart from any other that had or will have the number.
    pub pid: u32,
    /// When it was started, in Unix seconds: the kernel's clock, so to the second.
    pub born: f64,
    /// SHA-256 of the file of its weights, in hex, from the file's name in Ollama's store.
    pub weights: Option<Name>,
    /// The file of its weights as its command line names it.
    pub file: Name,
    /// Whether the watched server is its parent.
    pub parent: Parent,
    /// What program it is.
    pub kind: EngineKind,
    /// Where it listens on 127.0.0.1.
    pub port: Option<u16>,
    /// Requests that it answers at once.
    pub slots: Option<u64>,
    /// Tokens of context that each slot has.
    pub context: Option<u64>,
    /// Layers that were asked to be on the GPU; none where the engine decides.
    pub gpu_layers: Option<u64>,
    /// The type of the numbers in its KV cache, as `q8_0`; none where it is the usual `f16`.
    pub cache_type: Option<Name>,
    /// Whether it makes embeddings and no text.
    pub embedding: bool,
    /// Its memory that is in RAM, in bytes: weights that are mapped from the file included.
    pub memory_bytes: Option<u64>,
    /// CPU time of all its threads so far.
    pub cpu_seconds: f64,
    /// Requests that run: slots that are busy, or, where it does not tell, connections to its port, as Ollama makes one for
    /// each.
    pub requests: Option<u64>,
    /// What it is doing.
    pub state: EngineState,
    /// How much of the weights it has read, between 0 and 1; only an `ollama runner` tells.
    pub progress: Option<f64>,
    /// What is wrong with it, in words: why it is not asked, or does not answer.
    pub detail: Option<String>,
    /// What each slot does now; in the order of their numbers.
    pub activity: Section<Vec<Slot>>,
    /// What it counted since it was started.
    pub counters: Section<Counters>,
    /// Whether it lets web pages of any origin read its answers, as it says itself.
    pub any_origin: Option<bool>,
    /// Tokens a second generated between the last two answers, in all slots.
    pub tokens_per_second: Option<f64>,
    /// Tokens a second generated over the last minute, or since it was started.
    pub tokens_per_second_minute: Option<f64>,
}

/// Whose child an engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Parent {
    /// The watched server's.
    Server,
    /// A server's that is gone: nobody uses this engine and nobody ends it.
    Gone,
}

/// What program an engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// `llama-server`, of Ollama 0.30 and later.
    LlamaServer,
    /// `ollama runner`, of Ollama up to 0.24, and of models that llama-server does not know: it tells nothing of its work.
    Runner,
}

/// What an engine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineState {
    /// It reads its weights.
    Loading,
    /// It answers.
    Ready,
    /// It has not answered several times in a row.
    Hanging,
    /// It was stopped by a signal and does not run.
    Stopped,
    /// It is not asked, or has not been yet.
    Unknown,
}

/// What a slot does.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Slot {
    /// Its number.
    pub id: u64,
    /// Whether it answers a request.
    pub busy: bool,
    /// The request, by the engine's own number.
    pub task: Option<u64>,
    /// Tokens of the prompt that were taken so far.
    pub prompt_tokens: Option<u64>,
    /// Tokens that were generated so far.
    pub generated_tokens: Option<u64>,
}

/// What an engine counts. It moves at the end of a prompt and at the end of a request. An engine tells six digits of each
/// number: from a million tokens in one life on its counts are rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Counters {
    /// Tokens of prompts that were computed.
    pub prompt_tokens: u64,
    /// Tokens of prompts that were in the cache, where the engine counts them.
    pub cached_tokens: Option<u64>,
    /// Tokens that were generated.
    pub generated_tokens: u64,
    /// Seconds spent with prompts, summed over the slots.
    pub prompt_seconds: f64,
    /// Seconds spent with generating, summed over the slots.
    pub generation_seconds: f64,
}

/// What all engines of the same weights did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WeightsTotals {
    /// SHA-256 of the file of the weights, in hex; the file's path where its name is none.
    pub weights: Name,
    /// From when on this counts, in Unix seconds: when the first of them was started.
    pub since: f64,
    /// Engines that were started while we looked.
    pub starts: u64,
    /// Engines that ended while we looked, by [`End::ALL`].
    pub ends: [u64; End::ALL.len()],
    /// Ends after which tokens are missing in `counters`: what was done after our last question.
    pub lives_cut: u64,
    /// CPU time of all of them.
    pub cpu_seconds: f64,
    /// The sum of what they counted; none as long as none of them told.
    pub counters: Option<Counters>,
}

/// How an engine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The server took it out of memory: asked to, its time was over, or to make room.
    Unloaded,
    /// It was gone while the server still listed its model.
    Crashed,
    /// Another of the same weights was there at once: other options, or it had crashed and was needed.
    Replaced,
    /// The server was gone too, or what it lists was not known.
    Unknown,
}

impl End {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unloaded, Self::Crashed, Self::Replaced, Self::Unknown];

    /// The word in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unloaded => "unloaded",
            Self::Crashed => "crashed",
            Self::Replaced => "replaced",
            Self::Unknown => "unknown",
        }
    }
}
