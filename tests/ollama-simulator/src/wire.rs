//! Answers as they go over the wire: the order of keys is Ollama's, and what is zero is left out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Model, Settings, name, state::Running};

/// An answer to `/api/generate` or `/api/chat`, or a line of one.
#[derive(Serialize)]
pub(crate) struct Chunk<'a> {
    pub(crate) model: &'a str,
    pub(crate) created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<Message<'a>>,
    pub(crate) done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) done_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) context: Vec<u64>,
    #[serde(flatten)]
    pub(crate) spent: Spent,
}

/// What a model says.
#[derive(Serialize)]
pub(crate) struct Message<'a> {
    pub(crate) role: &'static str,
    pub(crate) content: &'a str,
}

/// Tokens and nanoseconds.
#[derive(Clone, Copy, Default, Serialize)]
pub(crate) struct Spent {
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) total_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) load_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) prompt_eval_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) prompt_eval_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) eval_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) eval_duration: u64,
}

/// An answer to `/api/embed`.
#[derive(Serialize)]
pub(crate) struct Embeddings<'a> {
    pub(crate) model: &'a str,
    pub(crate) embeddings: Vec<[f64; 2]>,
    #[serde(flatten)]
    pub(crate) spent: Spent,
}

/// A model on disk, in `/api/tags`.
#[derive(Serialize)]
pub(crate) struct Installed {
    name: String,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_host: Option<String>,
    modified_at: String,
    size: u64,
    digest: String,
    details: Details,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<Vec<String>>,
}

/// A model in memory, in `/api/ps`.
#[derive(Serialize)]
pub(crate) struct Loaded {
    name: String,
    model: String,
    size: u64,
    digest: String,
    details: Details,
    expires_at: String,
    size_vram: u64,
    context_length: u64,
}

#[derive(Serialize)]
struct Details {
    parent_model: &'static str,
    format: &'static str,
    family: String,
    families: [String; 1],
    parameter_size: String,
    quantization_level: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding_length: Option<u64>,
}

/// An answer to `/api/show`.
#[derive(Serialize)]
pub(crate) struct Shown {
    modelfile: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<String>,
    template: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    details: Details,
    model_info: BTreeMap<String, Value>,
    capabilities: Vec<String>,
    modified_at: String,
}

impl Installed {
    pub(crate) fn new(model: Model, older: bool) -> Self {
        let mut details = Details::new(&model);
        if !older {
            details.context_length = Some(model.context_length);
            details.embedding_length = Some(EMBEDDING_LENGTH);
        }
        Self {
            remote_model: model.remote_host.is_some().then(|| name::shown(&model.name)),
            remote_host: model.remote_host,
            modified_at: time(model.modified_at),
            size: model.size,
            digest: model.digest,
            details,
            capabilities: (!older).then_some(model.capabilities),
            model: model.name.clone(),
            name: model.name,
        }
    }
}

impl Loaded {
    pub(crate) fn new(running: Running) -> Self {
        let expires_at = time(running.expires_at());
        let model = running.model;
        Self {
            size: model.memory,
            details: Details::new(&model),
            digest: model.digest,
            expires_at,
            size_vram: model.vram,
            context_length: running.context,
            model: model.name.clone(),
            name: model.name,
        }
    }
}

impl Details {
    fn new(model: &Model) -> Self {
        Self {
            parent_model: "",
            format: "gguf",
            family: model.family.clone(),
            families: [model.family.clone()],
            parameter_size: model.parameter_size.clone(),
            quantization_level: model.quantization.clone(),
            context_length: None,
            embedding_length: None,
        }
    }
}

impl Shown {
    pub(crate) fn new(model: &Model, settings: &Settings) -> Self {
        let parameters = model.num_ctx.map(|context| format!("num_ctx                        {context}"));
        // The weights are named by their file in the store.
        let weights = settings.models.join(format!("blobs/sha256-{}", model.weights));
        let mut modelfile = format!(
            "# Modelfile generated by \"ollama show\"\n# To build a new Modelfile based on this, replace FROM with:\n\
             # FROM {}\n\nFROM {}\nTEMPLATE {{{{ .Prompt }}}}\n",
            model.name,
            weights.display()
        );
        if let Some(system) = &model.system {
            modelfile += &format!("SYSTEM {system}\n");
        }
        if let Some(context) = model.num_ctx {
            modelfile += &format!("PARAMETER num_ctx {context}\n");
        }
        Self {
            modelfile,
            parameters,
            template: "{{ .Prompt }}",
            system: model.system.clone(),
            details: Details::new(model),
            model_info: model_info(model),
            capabilities: model.capabilities.clone(),
            modified_at: time(model.modified_at),
        }
    }
}

const EMBEDDING_LENGTH: u64 = 4096;

/// What the file of the weights says of itself, by architecture; lists are left out.
fn model_info(model: &Model) -> BTreeMap<String, Value> {
    let of_architecture = [
        ("attention.head_count", json!(32)),
        ("attention.head_count_kv", json!(8)),
        ("attention.key_length", json!(128)),
        ("attention.layer_norm_rms_epsilon", json!(0.00001)),
        ("attention.value_length", json!(128)),
        ("block_count", json!(32)),
        ("context_length", json!(model.context_length)),
        ("embedding_length", json!(EMBEDDING_LENGTH)),
        ("feed_forward_length", json!(14336)),
        ("rope.dimension_count", json!(128)),
        ("rope.freq_base", json!(500_000)),
        ("vocab_size", json!(128_256)),
    ];
    let of_all = [
        ("general.architecture", json!(model.family)),
        ("general.file_type", json!(15)),
        ("general.parameter_count", json!(model.parameter_count)),
        ("general.quantization_version", json!(2)),
        ("general.size_label", json!("8B")),
        ("general.type", json!("model")),
        ("tokenizer.ggml.bos_token_id", json!(128_000)),
        ("tokenizer.ggml.eos_token_id", json!(128_009)),
        ("tokenizer.ggml.merges", Value::Null),
        ("tokenizer.ggml.model", json!("gpt2")),
        ("tokenizer.ggml.pre", json!("llama-bpe")),
        ("tokenizer.ggml.token_type", Value::Null),
        ("tokenizer.ggml.tokens", Value::Null),
    ];
    let architecture = &model.family;
    let pooling = model.only_embeds().then(|| (format!("{architecture}.pooling_type"), json!(1)));
    let of_architecture = of_architecture.into_iter().map(|(key, value)| (format!("{architecture}.{key}"), value));
    of_all.into_iter().map(|(key, value)| (key.to_owned(), value)).chain(of_architecture).chain(pooling).collect()
}

/// RFC 3339 with its fraction.
pub(crate) fn time(time: Timestamp) -> String {
    time.to_string()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
