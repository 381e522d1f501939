//! What the engines do, by model: twenty series each.

use aura_model::{Metric, Name, rows};

use super::{End, Engine, EngineState, Parent, Slot};
use crate::{EnginesReading, HostReading, OllamaReading};

pub(crate) const METRICS: &[Metric<OllamaReading>] = rows! { |reading|
    for host in &reading.hosts, (model, engine) in engines(host) => { host: host.host, model } {
        gauge "ollama_engine_start_time_seconds" in Seconds = engine.born,
            "When a model's engine was started, since 1970.";
        gauge "ollama_engine_stuck" = matches!(engine.state, EngineState::Stopped | EngineState::Hanging),
            "Whether a model's engine was stopped by a signal or does not answer; the server waits for it.";
        gauge "ollama_engine_any_origin" = engine.any_origin,
            "Whether a model's engine answers web pages of any origin; see docs/security.md.";
        gauge "ollama_engine_slots" = engine.slots, "Requests that a model's engine answers at once.";
        gauge "ollama_engine_slots_busy" = engine.activity.value().map(|slots| busy(slots).count()),
            "Slots that answer a request now.";
        gauge "ollama_engine_requests_running" = engine.requests,
            "Requests that run in a model's engine: busy slots, or connections to it where it does not tell. Those that wait are not known.";
        gauge "ollama_engine_context_tokens" = engine.context.zip(engine.slots).map(|(tokens, slots)| tokens * slots),
            "Context allocated, of all slots.";
        gauge "ollama_engine_context_used_tokens" = engine.activity.value().map(|slots| used(slots)),
            "Context that the running requests use; what is kept of ended ones is not told.";
        gauge "ollama_engine_memory_bytes" in Bytes = engine.memory_bytes,
            "Memory of a model's engine that is in RAM, with the weights that are mapped from their file.";
    }
    for host in &reading.hosts, (model, engine) in engines(host), (window, rate) in [
        ("live", engine.tokens_per_second), ("1m", engine.tokens_per_second_minute),
    ] => { host: host.host, model, window } {
        gauge "ollama_engine_tokens_per_second" = rate,
            "Tokens generated a second: between the last two looks, and over the last minute.";
    }
    for host in &reading.hosts, engines in host.engines.value().iter(), total in &engines.totals
        => { host: host.host, model: engines.model(&total.weights) } {
        counter "ollama_engine_starts_total" = total.starts,
            "Engines that were started for a model since the agent was. One that lives for less than a sample is missed where the kernel does not tell of it; see docs/sources/ollama.md.";
        counter "ollama_engine_lives_cut_total" = total.lives_cut,
            "Engines that ended with tokens that are not counted, as they were asked each second and not at their end, or lived for less than that.";
        counter "ollama_engine_cpu_seconds_total" in Seconds = total.cpu_seconds, "CPU time of a model's engines.";
    }
    for host in &reading.hosts, engines in host.engines.value().iter(), total in &engines.totals,
        (end, count) in End::ALL.iter().zip(total.ends)
        => { host: host.host, model: engines.model(&total.weights), how: end.word() } {
        counter "ollama_engine_ends_total" = count,
            "Engines that ended: unloaded by the server, crashed while it still listed the model, replaced at once by another, or unknown.";
    }
    for host in &reading.hosts, engines in host.engines.value().iter(), total in &engines.totals,
        counters in total.counters.iter(), (kind, tokens) in [
            ("prompt", Some(counters.prompt_tokens)),
            ("cached", counters.cached_tokens),
            ("generated", Some(counters.generated_tokens)),
        ] => { host: host.host, model: engines.model(&total.weights), kind } {
        counter "ollama_engine_tokens_total" = tokens,
            "Tokens of prompts that were computed or found in the cache, and tokens generated, counted at the end of a prompt or request.";
    }
    for host in &reading.hosts, engines in host.engines.value().iter(), total in &engines.totals,
        counters in total.counters.iter(), (phase, seconds) in [
            ("prompt", counters.prompt_seconds), ("generation", counters.generation_seconds),
        ] => { host: host.host, model: engines.model(&total.weights), phase } {
        counter "ollama_engine_seconds_total" in Seconds = seconds,
            "Seconds that requests spent with their prompts and with generating; of requests at once, the sum.";
    }
    for host in &reading.hosts, engines in host.engines.value().iter() => { host: host.host } {
        gauge "ollama_engine_orphans" = orphans(engines).count(),
            "Engines whose server is gone: nobody uses them and nobody ends them.";
        gauge "ollama_engine_orphans_memory_bytes" in Bytes = orphans(engines).map(|engine| engine.memory_bytes).sum::<Option<u64>>(),
            "Memory of the engines whose server is gone.";
    }
};

/// The server's own, with the names of their models; of the same weights the newest.
fn engines(host: &HostReading) -> Vec<(Name, &Engine)> {
    let Some(reading) = host.engines.value() else { return Vec::new() };
    let mut engines: Vec<(Name, &Engine)> = Vec::new();
    for engine in reading.engines.iter().rev().filter(|engine| engine.parent == Parent::Server) {
        let model = reading.model(engine.key());
        if engines.iter().all(|(other, _)| *other != model) {
            engines.push((model, engine));
        }
    }
    engines.reverse();
    engines
}

fn orphans(engines: &EnginesReading) -> impl Iterator<Item = &Engine> {
    engines.engines.iter().filter(|engine| engine.parent == Parent::Gone)
}

fn busy(slots: &[Slot]) -> impl Iterator<Item = &Slot> {
    slots.iter().filter(|slot| slot.busy)
}

fn used(slots: &[Slot]) -> u64 {
    busy(slots).filter_map(|slot| Some(slot.prompt_tokens? + slot.generated_tokens.unwrap_or(0))).sum()
}
