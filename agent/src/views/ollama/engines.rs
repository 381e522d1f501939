//! The engines as people want them: what each does now, and what all of the same weights did.

use std::collections::BTreeMap;

use aura_model::{Missing, Name, Section};
use aura_ollama::{Counters, End, Engine, EngineKind, EngineState, HostReading, Parent, WeightsTotals};
use schemars::JsonSchema;
use serde::Serialize;

use super::derive::time;

/// The process that holds a model: `llama-server` of Ollama 0.30 and later, or an older `ollama runner`, which tells less.
/// Seen on the same machine alone.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OllamaEngine")]
pub struct EngineRow {
    /// The server that it is of, as `HOST:PORT`.
    host: Name,
    /// The names that it answers: all that have its weights, first that which metrics have (`model`), which is kept when the
    /// model was deleted or Ollama is gone; the first digits of the weights while no name is known. Empty where the weights
    /// are no file of Ollama's store.
    models: Vec<Name>,
    /// The process's number.
    pid: u32,
    /// When it was started, RFC 3339.
    started_at: String,
    /// `llama-server` or `runner`.
    program: &'static str,
    /// Its Ollama is gone: nobody uses it and nobody ends it, and its memory is lost until somebody does.
    orphaned: bool,
    /// `loading`, `ready`, `hanging` (it has not answered several times in a row), `stopped` (by a signal), or `unknown`.
    state: &'static str,
    /// What is wrong with it, in words; `null` when nothing is.
    detail: Option<String>,
    /// Bytes of its memory in RAM, mapped weights included (`VmRSS`).
    memory_bytes: Option<u64>,
    /// CPU time of all its threads so far, in seconds.
    cpu_seconds: f64,
    /// Requests that run in it now: its busy slots, or Ollama's connections to its port where it does not tell.
    requests: Option<u64>,
    /// Requests that it can answer at once.
    slots: Option<u64>,
    /// How many of its slots answer one; `null` while it does not say.
    slots_busy: Option<usize>,
    /// Tokens of context that each slot has.
    context_length: Option<u64>,
    /// Tokens of prompts and answers that its busy slots hold now.
    context_used: Option<u64>,
    /// Layers that were asked to be on GPUs; `null` where the engine decides.
    gpu_layers: Option<u64>,
    /// Type of the numbers in its KV cache: `q8_0`; `null` where it is the usual `f16`.
    cache_type: Option<Name>,
    /// It makes embeddings and no text.
    embedding: bool,
    /// It lets web pages of any origin use it: every page that a user of that machine has open (Ollama 0.33 does; see
    /// `docs/security.md`). `null` while it has not said.
    any_origin: Option<bool>,
    /// Tokens a second generated between its last two answers, in all slots.
    tokens_per_second: Option<f64>,
    /// Tokens a second generated over the last minute, or since it was started.
    tokens_per_second_minute: Option<f64>,
}

/// What all engines of the same weights did since the agent watches.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EngineWork")]
pub struct Work {
    /// The server, as `HOST:PORT`.
    host: Name,
    /// The names of the model, as in `engines`.
    models: Vec<Name>,
    /// From when on this counts, RFC 3339.
    since: String,
    /// Engines that were started.
    starts: u64,
    /// Engines that ended, by how.
    ends: BTreeMap<&'static str, u64>,
    /// Ends after which tokens are missing in the counts: what was done after the last question.
    lives_cut: u64,
    /// CPU time of all of them, in seconds.
    cpu_seconds: f64,
    /// Tokens of prompts that were computed; `null`, as are the other counts, while no engine counts them.
    prompt_tokens: Option<u64>,
    /// Tokens of prompts that were in the cache.
    cached_tokens: Option<u64>,
    /// Tokens that were generated. They are counted when an answer ends.
    generated_tokens: Option<u64>,
    /// Seconds spent with prompts, summed over slots.
    prompt_seconds: Option<f64>,
    /// Seconds spent with generating, summed over slots.
    generation_seconds: Option<f64>,
}

/// The engines of all servers on this machine and what they did; nothing where none can be seen. `lacks` hears what is
/// missing and why.
pub(super) fn engines(
    hosts: &[HostReading],
    mut lacks: impl FnMut(&str, Missing),
) -> (Option<Vec<EngineRow>>, Option<Vec<Work>>) {
    let mut all: Option<(Vec<EngineRow>, Vec<Work>)> = None;
    for host in hosts {
        let reading = match &host.engines {
            Section::Fresh(reading) => reading,
            other => {
                if let Some(why) = other.missing() {
                    lacks(&format!("hosts.{}.engines", host.host), why.clone());
                }
                continue;
            }
        };
        let (rows, work) = all.get_or_insert_default();
        rows.extend(reading.engines.iter().map(|engine| row(host, engine)));
        work.extend(reading.totals.iter().map(|totals| worked(host, totals)));
        // One reason for all: what an engine does not tell, it was not set to tell, and so are its neighbours.
        for engine in &reading.engines {
            if let Some(why) = engine.activity.missing() {
                lacks("engines[].slots_busy", why.clone());
            }
            if let Some(why) = engine.counters.missing() {
                lacks("engine_work[].generated_tokens", why.clone());
            }
        }
    }
    all.unzip()
}

fn row(host: &HostReading, engine: &Engine) -> EngineRow {
    let slots = engine.activity.value();
    let busy = || slots.map(|slots| slots.iter().filter(|slot| slot.busy));
    EngineRow {
        host: host.host.clone(),
        models: models(host, engine.weights.as_deref()),
        pid: engine.pid,
        started_at: time(engine.born),
        program: match engine.kind {
            EngineKind::LlamaServer => "llama-server",
            EngineKind::Runner => "runner",
        },
        orphaned: engine.parent == Parent::Gone,
        state: match engine.state {
            EngineState::Loading => "loading",
            EngineState::Ready => "ready",
            EngineState::Hanging => "hanging",
            EngineState::Stopped => "stopped",
            EngineState::Unknown => "unknown",
        },
        detail: engine.detail.clone(),
        memory_bytes: engine.memory_bytes,
        cpu_seconds: engine.cpu_seconds,
        requests: engine.requests,
        slots: engine.slots,
        slots_busy: busy().map(Iterator::count),
        context_length: engine.context,
        context_used: busy().map(|busy| {
            busy.filter_map(|slot| Some(slot.prompt_tokens?.saturating_add(slot.generated_tokens.unwrap_or(0)))).sum()
        }),
        gpu_layers: engine.gpu_layers,
        cache_type: engine.cache_type.clone(),
        embedding: engine.embedding,
        any_origin: engine.any_origin,
        tokens_per_second: engine.tokens_per_second.map(hundredths),
        tokens_per_second_minute: engine.tokens_per_second_minute.map(hundredths),
    }
}

fn worked(host: &HostReading, totals: &WeightsTotals) -> Work {
    let counted = |count: fn(&Counters) -> u64| totals.counters.as_ref().map(count);
    let spent = |seconds: fn(&Counters) -> f64| totals.counters.as_ref().map(seconds);
    Work {
        host: host.host.clone(),
        models: models(host, Some(&totals.weights)),
        since: time(totals.since),
        starts: totals.starts,
        ends: End::ALL.iter().zip(totals.ends).map(|(end, count)| (end.word(), count)).collect(),
        lives_cut: totals.lives_cut,
        cpu_seconds: totals.cpu_seconds,
        prompt_tokens: counted(|counters| counters.prompt_tokens),
        cached_tokens: totals.counters.and_then(|counters| counters.cached_tokens),
        generated_tokens: counted(|counters| counters.generated_tokens),
        prompt_seconds: spent(|counters| counters.prompt_seconds),
        generation_seconds: spent(|counters| counters.generation_seconds),
    }
}

/// The name that metrics have, then the others.
fn models(host: &HostReading, weights: Option<&str>) -> Vec<Name> {
    let (Some(weights), Some(engines)) = (weights, host.engines.value()) else { return Vec::new() };
    let mut names = vec![engines.model(weights)];
    names.extend(host.models_of(weights).into_iter().filter(|name| **name != names[0]).cloned().collect::<Vec<_>>());
    names
}

fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
