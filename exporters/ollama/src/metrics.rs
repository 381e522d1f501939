//! Ollama's state as metrics. Ollama has none of its own, so these names are ours: base units, one label set a name,
//! `host` in front of all.
//!
//! The worst case: 64 models a host with six series each, 60 more of what was asked and done: about 450 a host; and 20 for each
//! model that had an engine since the agent was started.

use std::collections::HashSet;

use aura_model::{Emit, Family, Group, Kind, Metric, Unit, declare, rows, walk};

use crate::{
    Commands, Expiry, FailureKind, HostReading, HostStatus, InstalledModel, LoadedModel, OllamaReading, Outcome, Tally,
    Version, engine::metrics as engine, ledger::BUCKETS,
};

/// Models of one host that have series of their own: those that are loaded, then the others by name, so that they stay the
/// same for as long as nothing is loaded or made.
const MODELS: usize = 64;

/// All groups, in the order in which they are published.
pub(crate) const GROUPS: &[Group<OllamaReading>] = &[
    Group { name: "ollama", walk: |reading, emit| walk(SERVER, reading, emit), declare: |show| declare(SERVER, show) },
    Group {
        name: "ollama_models",
        walk: |reading, emit| walk(MODEL, reading, emit),
        declare: |show| declare(MODEL, show),
    },
    Group {
        name: "ollama_engines",
        walk: |reading, emit| walk(engine::METRICS, reading, emit),
        declare: |show| declare(engine::METRICS, show),
    },
    Group {
        name: "ollama_commands",
        walk: |reading, emit| walk(COMMANDS, reading, emit),
        declare: |show| declare(COMMANDS, show),
    },
];

const SERVER: &[Metric<OllamaReading>] = rows! { |reading|
    for host in &reading.hosts => { host: host.host } {
        gauge "ollama_up" = host.status != HostStatus::Away,
            "Whether the server is there: 1 too while it is busy, 0 when nobody listens or what answers is no Ollama.";
        gauge "ollama_busy" = host.status == HostStatus::Busy,
            "Whether the server listens and keeps silent; what its models do is not known then.";
    }
    for host in &reading.hosts, version in host.version.iter() => { host: host.host, version } {
        gauge "ollama_build_info" = 1, "The server's version; always 1.";
    }
    for host in &reading.hosts => { host: host.host } {
        gauge "ollama_models_installed" = host.installed.value().map(|models| models.len()), "Models on the server's disk.";
        gauge "ollama_models_loaded" = host.loaded.value().map(|_| running(host).count()),
            "Models in the server's memory; two versions of one name are two.";
        gauge "ollama_models_without_series" = host.installed.value().map(|models| models.len() - installed(host).len()),
            "Models on the server's disk that have no series of their own, as there are more than 64.";
        gauge "ollama_scrape_duration_seconds" in Seconds = host.requests.seconds,
            "How long the server took for the newest answers.";
        gauge "ollama_last_answer_timestamp_seconds" in Seconds = host.answered_at,
            "When the server last answered in full. While nobody looks it is asked every 10 seconds, and when something can have \
             changed.";
        counter "ollama_requests_total" = host.requests.requests,
            "Requests that the samples sent to the server; each is a line in its log.";
    }
    for host in &reading.hosts, (kind, count) in FailureKind::ALL.iter().zip(host.requests.failures)
        => { host: host.host, reason: kind.word() } {
        counter "ollama_scrape_errors_total" = count, "Questions that the server did not answer.";
    }
};

const MODEL: &[Metric<OllamaReading>] = rows! { |reading|
    for host in &reading.hosts, model in installed(host) => {
        host: host.host,
        model: model.name,
        digest: model.digest.get(..12).unwrap_or(&model.digest),
        family: model.family.as_deref().unwrap_or_default(),
        parameter_size: model.parameter_size.as_deref().unwrap_or_default(),
        quantization: model.quantization.as_deref().unwrap_or_default(),
    } {
        gauge "ollama_model_info" = 1, "A model on disk, with the first 12 digits of its digest; always 1.";
    }
    for host in &reading.hosts, model in installed(host) => { host: host.host, model: model.name } {
        gauge "ollama_model_disk_bytes" in Bytes = model.size,
            "Bytes of a model's layers on disk; models may share layers.";
        gauge "ollama_model_loaded" = host.loaded.value().map(|loaded| model.is_among(loaded)),
            "Whether a model on disk would answer without a load: its weights are in memory, under whichever name.";
    }
    for host in &reading.hosts, model in loaded(host) => { host: host.host, model: model.name } {
        gauge "ollama_model_stopping" = model.stopping,
            "Whether the time of a loaded model is over and it still finishes a request.";
    }
    for host in &reading.hosts, model in loaded(host), (device, bytes) in [
        ("vram", memory(host, model, |model| model.size_vram)), ("ram", memory(host, model, LoadedModel::size_ram)),
    ] => { host: host.host, model: model.name, device } {
        gauge "ollama_model_memory_bytes" in Bytes = bytes,
            "Memory of a loaded model: weights, context and buffers, as Ollama reckons it; of all its versions in memory.";
    }
    for host in &reading.hosts, model in loaded(host) => { host: host.host, model: model.name } {
        gauge "ollama_model_context_tokens" = model.context_length, "Context allocated for a loaded model.";
        gauge "ollama_model_expiry_timestamp_seconds" in Seconds = match model.expiry {
            Expiry::Never => Some(f64::INFINITY),
            Expiry::At(time) => Some(time),
            Expiry::Unknown => None,
        }, "When a loaded model is unloaded unless it is used; +Inf when it stays, in the past while it is stopping.";
    }
};

const COMMANDS: &[Metric<OllamaReading>] = rows! { |reading|
    for host in &reading.hosts, (outcome, tally) in Outcome::ALL.iter().zip(&host.commands.loads)
        => { host: host.host, outcome: outcome.word() } {
        counter "ollama_loads_total" = tally.count, "Loads that this agent was asked for, by how they ended.";
    }
    for host in &reading.hosts, (outcome, tally) in Outcome::ALL.iter().zip(&host.commands.unloads)
        => { host: host.host, outcome: outcome.word() } {
        counter "ollama_unloads_total" = tally.count, "Unloads that this agent was asked for, by how they ended.";
    }
    histogram(
        "ollama_load_duration_seconds",
        "From the request to load until the server shows the model as loaded, or refuses.",
        |reading, emit| durations(reading, emit, |commands| &commands.loads),
    );
    histogram(
        "ollama_unload_duration_seconds",
        "From the request to unload until the server no longer shows the model, or refuses.",
        |reading, emit| durations(reading, emit, |commands| &commands.unloads),
    );
};

const fn histogram(
    name: &'static str,
    help: &'static str,
    take: fn(&OllamaReading, &mut dyn Emit),
) -> Metric<OllamaReading> {
    let family = Family { name, help, kind: Kind::Histogram, unit: Unit::Seconds, labels: &["host", "outcome"] };
    Metric { family, take }
}

type Tallies = [Tally; Outcome::ALL.len()];

/// Only outcomes that occurred: eight times fourteen series a host would say nothing more than the counters do.
fn durations(reading: &OllamaReading, emit: &mut dyn Emit, of: fn(&Commands) -> &Tallies) {
    for host in &reading.hosts {
        for (outcome, tally) in Outcome::ALL.iter().zip(of(&host.commands)).filter(|(_, tally)| tally.count > 0) {
            let labels = [("host", &*host.host), ("outcome", outcome.word())];
            let mut within = 0;
            for (end, count) in BUCKETS.iter().zip(tally.within) {
                within += count;
                emit.labelled("_bucket", &[labels[0], labels[1], ("le", &format!("{end:?}"))], within.into());
            }
            emit.labelled("_bucket", &[labels[0], labels[1], ("le", "+Inf")], tally.count.into());
            emit.labelled("_sum", &labels, tally.seconds.into());
            emit.labelled("_count", &labels, tally.count.into());
        }
    }
}

/// The installed models that have series of their own.
fn installed(host: &HostReading) -> Vec<&InstalledModel> {
    let installed = host.installed.value().map(|models| models.as_slice()).unwrap_or_default();
    let is_loaded = |model: &InstalledModel| host.loaded.value().is_some_and(|loaded| model.is_among(loaded));
    let mut models: Vec<&InstalledModel> = installed.iter().collect();
    models.sort_by_cached_key(|model| (!is_loaded(model), &model.name));
    let mut names = HashSet::new();
    // A look-alike may list a name twice; one of them has the series.
    models.into_iter().filter(|model| names.insert(&model.name)).take(MODELS).collect()
}

/// The loaded models that have series of their own. After a pull the old version may be loaded beside the new one: context
/// and expiry are those of the one that the name means now.
fn loaded(host: &HostReading) -> impl Iterator<Item = &LoadedModel> {
    let installed = host.installed.value().map(|models| models.as_slice()).unwrap_or_default();
    let mut models: Vec<&LoadedModel> = running(host).collect();
    models.sort_by_cached_key(|model| (&model.name, model.version(installed) != Version::Current));
    models.dedup_by_key(|model| &model.name);
    models.into_iter().take(MODELS)
}

/// What all versions of a loaded model take together; nothing where a part of it is not known.
fn memory(host: &HostReading, model: &LoadedModel, of: fn(&LoadedModel) -> Option<u64>) -> Option<u64> {
    running(host).filter(|other| other.name == model.name).map(of).sum()
}

/// Those of the list whose engine lives.
fn running(host: &HostReading) -> impl Iterator<Item = &LoadedModel> {
    let listed = host.loaded.value().map(|models| models.as_slice()).unwrap_or_default();
    listed.iter().filter(|model| !model.crashed)
}
