//! What a server is like.

use std::{
    env,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::{Model, duration};

/// What a server is like. What has a variable in Ollama has its name here.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its version. Up to 0.24 it lists models that load, tells no capabilities and refuses what is too large before it loads.
    pub version: String,
    /// Bytes of memory for models.
    pub memory: u64,
    /// `OLLAMA_MAX_LOADED_MODELS`: models in memory at once; three by default on a CPU, and for each GPU.
    pub max_loaded: usize,
    /// `OLLAMA_MAX_QUEUE`: requests that wait for a load.
    pub max_queue: usize,
    /// `OLLAMA_NUM_PARALLEL`: requests that one model answers at once.
    pub parallel: usize,
    /// `OLLAMA_KEEP_ALIVE`.
    pub keep_alive: Duration,
    /// `OLLAMA_CONTEXT_LENGTH`.
    pub context_length: u64,
    /// `OLLAMA_KV_CACHE_TYPE`.
    pub cache_type: Option<String>,
    /// `OLLAMA_MODELS`: the folder that the weights are said to be in. Nothing is read or written there.
    pub models: PathBuf,
    /// From one token to the next.
    pub token_time: Duration,
    /// How long an engine may take to say that it is well before another one is started.
    pub ping_timeout: Duration,
    /// The program that is started for each model in memory (the `llama-server` of this package); none starts none.
    pub engine: Option<PathBuf>,
    /// How long engines stay when this process is killed. Real ones stay for ever.
    pub orphans_stay: Duration,
    /// Whether each request is a line on the standard error, as Ollama's are in its log.
    pub logs_requests: bool,
    /// What the order of models comes from that share a second.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
        Self {
            version: "0.33.0".into(),
            memory: 16 << 30,
            max_loaded: 3,
            max_queue: 512,
            parallel: 1,
            keep_alive: Duration::from_secs(300),
            context_length: 4096,
            cache_type: None,
            models: "/root/.ollama/models".into(),
            token_time: Duration::from_millis(1),
            ping_timeout: Duration::from_secs(10),
            engine: None,
            orphans_stay: Duration::ZERO,
            logs_requests: false,
            seed: variable("AURA_TEST_SEED").unwrap_or(clock),
        }
    }
}

impl Settings {
    /// As Ollama's own variables say. What is not set or cannot be read is the default.
    #[must_use]
    pub fn from_environment() -> Self {
        let mut settings = Self::default();
        // Zero means the default, and a negative time for ever.
        set(&mut settings.max_loaded, variable("OLLAMA_MAX_LOADED_MODELS").filter(|&most| most > 0));
        set(&mut settings.max_queue, variable("OLLAMA_MAX_QUEUE"));
        set(&mut settings.parallel, variable("OLLAMA_NUM_PARALLEL").filter(|&slots| slots > 0));
        set(&mut settings.context_length, variable("OLLAMA_CONTEXT_LENGTH").filter(|&length| length > 0));
        set(&mut settings.models, variable("OLLAMA_MODELS"));
        settings.cache_type = variable("OLLAMA_KV_CACHE_TYPE");
        set(&mut settings.version, variable("AURA_SIMULATED_VERSION"));
        let keep = variable::<String>("OLLAMA_KEEP_ALIVE").map(|text| match text.parse::<i64>() {
            Ok(seconds) => seconds.into(),
            Err(_) => Value::String(text),
        });
        let keep = keep.and_then(|value| duration::keep_alive(&value, false).ok());
        set(&mut settings.keep_alive, keep.and_then(|keep| keep.try_into().ok()));
        settings
    }

    /// Requests that this model answers at once: one that only embeds has a single slot.
    pub(crate) fn slots(&self, model: &Model) -> usize {
        if model.only_embeds() { 1 } else { self.parallel }
    }

    /// Tokens of context that a load of this model reserves for each slot, unless the request says how many.
    pub(crate) fn context(&self, model: &Model, asked: Option<u64>) -> u64 {
        asked.or(model.num_ctx).unwrap_or(self.context_length).min(model.context_length)
    }

    /// Whether it behaves as the versions before the engines did.
    pub(crate) fn is_older(&self) -> bool {
        let mut parts = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next(), parts.next()) < (Some(0), Some(30))
    }
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    env::var(name).ok().filter(|text| !text.is_empty())?.parse().ok()
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}
