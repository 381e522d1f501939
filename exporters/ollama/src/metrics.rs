//! Ollama's state as metrics. Ollama has none of its own, so these names are ours: base units, one label set a name,
//! `host` in front of all.
//!
//! The worst case: 64 models a host with six series each, 60 more of what was asked and done: about 450 a host.

use std::collections::HashSet;

use aura_model::{Emit, Family, Group, Kind, Metric, Unit, counter, declare, gauge, walk};

use crate::{
    Commands, Expiry, FailureKind, HostReading, HostStatus, InstalledModel, LoadedModel, OllamaReading, Outcome, Tally,
    ledger::BUCKETS,
};

/// Models of one host that have series of their own: those that are loaded, then those that were changed last.
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
        name: "ollama_commands",
        walk: |reading, emit| walk(COMMANDS, reading, emit),
        declare: |show| declare(COMMANDS, show),
    },
];

const SERVER: &[Metric<OllamaReading>] = &[
    gauge(
        "ollama_up",
        "Whether the server is there: 1 too while it is busy, 0 when nobody listens or what answers is no Ollama.",
        Unit::None,
        &["host"],
        |reading, emit| {
            for host in &reading.hosts {
                emit.one(&host.host, host.standing != HostStatus::Away);
            }
        },
    ),
    gauge(
        "ollama_busy",
        "Whether the server listens and keeps silent; what its models do is not known then.",
        Unit::None,
        &["host"],
        |reading, emit| {
            for host in &reading.hosts {
                emit.one(&host.host, host.standing == HostStatus::Busy);
            }
        },
    ),
    gauge("ollama_build_info", "The server's version; always 1.", Unit::None, &["host", "version"], |reading, emit| {
        for host in &reading.hosts {
            if let Some(version) = &host.version {
                emit.sample(&[&host.host, version], 1_u64.into());
            }
        }
    }),
    gauge("ollama_models_installed", "Models on the server's disk.", Unit::None, &["host"], |reading, emit| {
        for host in &reading.hosts {
            emit.maybe(&[&host.host], host.installed.value().map(|models| models.len()));
        }
    }),
    gauge("ollama_models_loaded", "Models in the server's memory.", Unit::None, &["host"], |reading, emit| {
        for host in &reading.hosts {
            emit.maybe(&[&host.host], host.loaded.value().map(|models| models.len()));
        }
    }),
    gauge(
        "ollama_scrape_duration_seconds",
        "How long the server took for the newest answers.",
        Unit::Seconds,
        &["host"],
        |reading, emit| {
            for host in &reading.hosts {
                emit.maybe(&[&host.host], host.questions.seconds);
            }
        },
    ),
    counter(
        "ollama_scrape_errors_total",
        "RequestStats that the server did not answer.",
        Unit::None,
        &["host", "reason"],
        |reading, emit| {
            for host in &reading.hosts {
                for (kind, &count) in FailureKind::ALL.iter().zip(&host.questions.failures) {
                    emit.sample(&[&host.host, kind.word()], count.into());
                }
            }
        },
    ),
];

const MODEL: &[Metric<OllamaReading>] = &[
    gauge(
        "ollama_model_info",
        "A model on disk, with the first 12 digits of its digest; always 1.",
        Unit::None,
        &["host", "model", "digest", "family", "parameter_size", "quantization"],
        |reading, emit| {
            each_installed(reading, |host, model| {
                let digest = model.digest.get(..12).unwrap_or(&model.digest);
                let text = |text: &Option<aura_model::Name>| text.as_deref().unwrap_or_default().to_owned();
                let (family, size, quantization) =
                    (text(&model.family), text(&model.parameter_size), text(&model.quantization));
                emit.sample(&[&host.host, &model.name, digest, &family, &size, &quantization], 1_u64.into());
            });
        },
    ),
    gauge(
        "ollama_model_disk_bytes",
        "Bytes of a model's layers on disk; models may share layers.",
        Unit::Bytes,
        &["host", "model"],
        |reading, emit| {
            each_installed(reading, |host, model| emit.maybe(&[&host.host, &model.name], model.size));
        },
    ),
    gauge(
        "ollama_model_loaded",
        "Whether a model on disk is in memory, under whichever of its names.",
        Unit::None,
        &["host", "model"],
        |reading, emit| {
            each_installed(reading, |host, model| {
                if let Some(loaded) = host.loaded.value() {
                    emit.sample(&[&host.host, &model.name], model.is_among(loaded).into());
                }
            });
        },
    ),
    gauge(
        "ollama_model_stopping",
        "Whether the time of a loaded model is over and it still finishes a request.",
        Unit::None,
        &["host", "model"],
        |reading, emit| {
            each_loaded(reading, |host, model| emit.sample(&[&host.host, &model.name], model.stopping.into()));
        },
    ),
    gauge(
        "ollama_model_memory_bytes",
        "Memory of a loaded model: weights, context and buffers, as Ollama reckons it.",
        Unit::Bytes,
        &["host", "model", "device"],
        |reading, emit| {
            each_loaded(reading, |host, model| {
                emit.maybe(&[&host.host, &model.name, "vram"], model.size_vram);
                emit.maybe(&[&host.host, &model.name, "ram"], model.size_ram());
            });
        },
    ),
    gauge(
        "ollama_model_context_tokens",
        "Context allocated for a loaded model.",
        Unit::None,
        &["host", "model"],
        |reading, emit| {
            each_loaded(reading, |host, model| emit.maybe(&[&host.host, &model.name], model.context_length));
        },
    ),
    gauge(
        "ollama_model_expiry_timestamp_seconds",
        "When a loaded model is unloaded unless it is used; +Inf when it stays, in the past while it is stopping.",
        Unit::Seconds,
        &["host", "model"],
        |reading, emit| {
            each_loaded(reading, |host, model| {
                let time = match model.expiry {
                    Expiry::Never => Some(f64::INFINITY),
                    Expiry::At(time) => Some(time),
                    Expiry::Unknown => None,
                };
                emit.maybe(&[&host.host, &model.name], time);
            });
        },
    ),
];

const COMMANDS: &[Metric<OllamaReading>] = &[
    counter(
        "ollama_loads_total",
        "Loads that this agent was asked for, by how they ended.",
        Unit::None,
        &["host", "outcome"],
        |reading, emit| counts(reading, emit, |commands| &commands.loads),
    ),
    counter(
        "ollama_unloads_total",
        "Unloads that this agent was asked for, by how they ended.",
        Unit::None,
        &["host", "outcome"],
        |reading, emit| counts(reading, emit, |commands| &commands.unloads),
    ),
    histogram(
        "ollama_load_duration_seconds",
        "From the request to load until the server shows the model as loaded, or refuses.",
        |reading, emit| durations(reading, emit, |commands| &commands.loads),
    ),
    histogram(
        "ollama_unload_duration_seconds",
        "From the request to unload until the server no longer shows the model, or refuses.",
        |reading, emit| durations(reading, emit, |commands| &commands.unloads),
    ),
];

const fn histogram(
    name: &'static str,
    help: &'static str,
    take: fn(&OllamaReading, &mut dyn Emit),
) -> Metric<OllamaReading> {
    let family = Family { name, help, kind: Kind::Histogram, unit: Unit::Seconds, labels: &["host", "outcome"] };
    Metric { family, take }
}

type Tallies = [Tally; Outcome::ALL.len()];

fn counts(reading: &OllamaReading, emit: &mut dyn Emit, of: fn(&Commands) -> &Tallies) {
    for host in &reading.hosts {
        for (outcome, tally) in Outcome::ALL.iter().zip(of(&host.commands)) {
            emit.sample(&[&host.host, outcome.word()], tally.count.into());
        }
    }
}

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

fn each_installed(reading: &OllamaReading, mut take: impl FnMut(&HostReading, &InstalledModel)) {
    for host in &reading.hosts {
        let Some(installed) = host.installed.value() else { continue };
        let is_loaded = |model: &InstalledModel| host.loaded.value().is_some_and(|loaded| model.is_among(loaded));
        // Ollama lists what was changed last first.
        let (loaded, others): (Vec<_>, Vec<_>) = installed.iter().partition(|model| is_loaded(model));
        let mut names = HashSet::new();
        // A look-alike may list a name twice; one of them has the series.
        for model in loaded.into_iter().chain(others).filter(|model| names.insert(&model.name)).take(MODELS) {
            take(host, model);
        }
    }
}

fn each_loaded(reading: &OllamaReading, mut take: impl FnMut(&HostReading, &LoadedModel)) {
    for host in &reading.hosts {
        let Some(loaded) = host.loaded.value() else { continue };
        for (index, model) in loaded.iter().enumerate().take(MODELS) {
            // After a pull the old version may be loaded beside the new one; one of them has the series.
            if loaded[..index].iter().all(|before| before.name != model.name) {
                take(host, model);
            }
        }
    }
}
