//! A reading of Ollama into what people want to see of it.

use std::{collections::BTreeMap, sync::Arc};

use aura_gpu::GpuReading;
use aura_model::{Missing, Name, Reason};
use aura_ollama::{Expiry, HostReading, HostStatus, InstalledModel, LoadedModel, OllamaReading, Version};
use jiff::Timestamp;

use super::{
    engines::engines,
    message::{Controls, Energy, Host, Installed, Loaded, MemoryUsage, ModelUpdate},
};
use crate::views::{
    debates::Row,
    join::{GpuMemory, Runners},
    time::{rfc3339, rfc3339_of_seconds},
};

const GIB: f64 = 1_073_741_824.0;

/// What a message is made from.
pub(super) struct OllamaSample<'a> {
    pub(super) seq: u64,
    /// The newest reading and when it was taken, or why there is none.
    pub(super) reading: Result<(&'a OllamaReading, Timestamp), Missing>,
    /// The GPUs that are read now.
    pub(super) gpus: Option<&'a GpuReading>,
    /// The leaderboard's rows, or why there are none.
    pub(super) model_stats: Result<Arc<Vec<Row>>, Missing>,
    pub(super) interval_seconds: f64,
    pub(super) controls: Controls,
    /// What took how much energy, once that was looked at.
    pub(super) energy: Option<Energy>,
    pub(super) now: Timestamp,
}

/// The feed's message.
pub(super) fn update(sample: OllamaSample<'_>) -> ModelUpdate {
    let mut missing = BTreeMap::new();
    let mut lacks = |path: &str, why: Missing| drop(missing.insert(path.to_owned(), why));
    let not_here = |detail: &str| Missing::new(Reason::NotConfigured, detail);
    let model_stats = sample.model_stats.map_err(|why| lacks("model_stats", why)).ok();
    lacks("mode_mappings", not_here("Ollama has no modes; they are a gateway's"));
    let (hosts, sampled_at) = match &sample.reading {
        Ok((reading, sampled_at)) => (&reading.hosts[..], Some(rfc3339(*sampled_at))),
        Err(_) => (&[][..], None),
    };
    let max_gb = max_gb(hosts, sample.gpus);
    if max_gb.is_none() {
        let detail = "how much memory models may take is known of one server, on this machine, whose process is seen";
        lacks("memory_usage.max_gb", Missing::new(Reason::NoSensor, detail));
    }
    let silent = match &sample.reading {
        Err(why) => Some(why.clone()),
        Ok(_) => hosts.iter().find_map(|host| host.loaded.missing().cloned()),
    };
    let runners = sample.reading.as_ref().map(|(reading, _)| Runners::of(reading)).unwrap_or_default();
    let sampled = sample.reading.as_ref().ok().map(|(_, sampled_at)| sampled_at.as_duration().as_secs_f64());
    let loaded = loaded_models(hosts, sampled, |host, model| runners.gpu_memory(sample.gpus?, host, model));
    let installed = installed_models(hosts);
    if let Some(why) = &silent {
        let nobody = loaded.is_none();
        for path in ["loaded_models", "available_models", "installed_models"].iter().filter(|_| nobody) {
            lacks(path, why.clone());
        }
        for part in ["current_gb", "vram_gb", "ram_gb"] {
            lacks(&format!("memory_usage.{part}"), why.clone());
        }
    }
    for host in hosts {
        if let Some(why) = &host.missing {
            lacks(&format!("hosts.{}", host.host), why.clone());
        }
        if !host.odd.is_empty() {
            lacks(&format!("hosts.{}.entries", host.host), Missing::new(Reason::Unreadable, sentence(&host.odd)));
        }
    }
    if loaded.iter().flatten().any(|model| model.loaded_at.is_none() || model.last_used.is_none()) {
        let detail = "Ollama does not say when; it is known of what was loaded or used since the agent looks";
        lacks("loaded_models[].loaded_at", Missing::new(Reason::NoSensor, detail));
    }
    if loaded.iter().flatten().any(|model| model.gpu_memory.is_none()) {
        let detail =
            "no process on a GPU of this machine is known to run it: each is told by the weights it was started with";
        lacks("loaded_models[].gpu_memory", Missing::new(Reason::NoSensor, detail));
    }
    if loaded.iter().flatten().any(|model| model.state == "crashed") {
        let detail = "its engine has ended, and Ollama lists it until its time is over or it is needed again";
        lacks("loaded_models[].memory_usage", Missing::new(Reason::NoSensor, detail));
    }
    let (engines, engine_work) = engines(hosts, &mut lacks);
    if engines.is_none() {
        let nowhere = || not_here("no server on this machine is watched: the processes of others cannot be seen");
        let why = hosts.iter().find_map(|host| host.engines.missing().cloned()).or(silent.clone());
        for path in ["engines", "engine_work"] {
            lacks(path, why.clone().unwrap_or_else(nowhere));
        }
    }
    let energy = sample.energy.filter(|energy| !energy.devices.is_empty());
    if energy.is_none() {
        let detail =
            "no GPU tells its energy, and that of the processor (RAPL) is readable by root alone or not counted";
        lacks("energy", Missing::new(Reason::NoSensor, detail));
    }
    ModelUpdate {
        r#type: "model_update",
        seq: sample.seq,
        timestamp: sampled_at.clone().unwrap_or_else(|| rfc3339(sample.now)),
        sampled_at,
        interval_seconds: sample.interval_seconds,
        memory_usage: MemoryUsage { max_gb, ..if silent.is_none() { memory(&loaded) } else { MemoryUsage::default() } },
        loaded_models: loaded,
        available_models: installed.as_deref().map(names),
        installed_models: installed,
        model_stats,
        mode_mappings: None,
        hosts: hosts.iter().map(|of| host(of, sample.gpus)).collect(),
        controls: sample.controls,
        engines,
        engine_work,
        energy,
        missing,
    }
}

fn loaded_models(
    hosts: &[HostReading],
    sampled: Option<f64>,
    gpu_memory: impl Fn(&str, &str) -> Option<Vec<GpuMemory>>,
) -> Option<Vec<Loaded>> {
    let mut models = None;
    for host in hosts {
        if let (Some(loaded), Some(answered_at)) = (host.loaded.value(), host.answered_at) {
            // One that was not asked anew, as nothing has changed, is known up to now.
            let known = sampled.filter(|_| host.status == HostStatus::Answering).unwrap_or(answered_at);
            let known = known.max(answered_at);
            models.get_or_insert_with(Vec::new).extend(loaded.iter().map(|model| Loaded {
                gpu_memory: gpu_memory(&host.host, &model.name),
                ..loaded_model(host, model, known)
            }));
        }
    }
    models
}

fn loaded_model(host: &HostReading, model: &LoadedModel, known: f64) -> Loaded {
    let server_time = known + host.clock_offset_seconds;
    Loaded {
        name: model.name.clone(),
        host: host.host.clone(),
        state: match model {
            _ if model.crashed => "crashed",
            _ if model.stopping => "stopping",
            _ => "loaded",
        },
        memory_usage: model.size.filter(|_| !model.crashed),
        memory_vram: model.size_vram.filter(|_| !model.crashed),
        memory_ram: model.size_ram().filter(|_| !model.crashed),
        gpu_memory: None,
        loaded_at: model.loaded_at.map(time),
        last_used: model.last_used.map(time),
        idle_minutes: model.last_used.map(|used| tenths((known - used).max(0.0) / 60.0)),
        always_loaded: model.expiry == Expiry::Never,
        expires_at: model.expires_at.clone(),
        unloads_in_seconds: match model.expiry {
            Expiry::At(time) => Some(tenths((time - server_time).max(0.0))),
            Expiry::Never | Expiry::Unknown => None,
        },
        digest: model.digest.clone(),
        version: host.installed.value().map(|installed| match model.version(installed) {
            Version::Current => "current",
            Version::Older => "older",
            Version::Deleted => "deleted",
        }),
        family: model.family.clone(),
        parameter_size: model.parameter_size.clone(),
        quantization: model.quantization.clone(),
        context_length: model.context_length,
    }
}

fn installed_models(hosts: &[HostReading]) -> Option<Vec<Installed>> {
    let mut models = None;
    for host in hosts {
        if let (Some(installed), Some(loaded)) = (host.installed.value(), host.loaded.value()) {
            let list = models.get_or_insert_with(Vec::new);
            list.extend(installed.iter().map(|model| installed_model(host, model, loaded)));
        }
    }
    models
}

fn installed_model(host: &HostReading, model: &InstalledModel, loaded: &[LoadedModel]) -> Installed {
    Installed {
        name: model.name.clone(),
        host: host.host.clone(),
        digest: model.digest.clone(),
        size: model.size,
        modified_at: model.modified_at.clone(),
        family: model.family.clone(),
        format: model.format.clone(),
        parameter_size: model.parameter_size.clone(),
        parameter_count: model.parameter_count,
        quantization: model.quantization.clone(),
        context_length: model.context_length,
        capabilities: model.capabilities.clone(),
        remote: model.remote,
        loaded: model.is_among(loaded),
    }
}

/// What is odd about answers, in one sentence that does not grow with them.
fn sentence(odd: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = odd[..odd.len().min(SHOWN)].join("; ");
    if odd.len() > SHOWN {
        text += &format!("; and {} more", odd.len() - SHOWN);
    }
    text
}

/// Each name once, however many hosts have it.
fn names(installed: &[Installed]) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    for model in installed {
        if !names.contains(&model.name) {
            names.push(model.name.clone());
        }
    }
    names
}

/// A sum of which a part is not known is not known.
fn memory(loaded: &Option<Vec<Loaded>>) -> MemoryUsage {
    let sum = |of: fn(&Loaded) -> Option<u64>| {
        // Sums of what a server says may be larger than any integer.
        let there = loaded.as_ref()?.iter().filter(|model| model.state != "crashed");
        let bytes: Option<f64> = there.map(|model| of(model).map(|bytes| bytes as f64)).sum();
        bytes.map(|bytes| (bytes / GIB * 1000.0).round() / 1000.0)
    };
    MemoryUsage {
        current_gb: sum(|model| model.memory_usage),
        vram_gb: sum(|model| model.memory_vram),
        ram_gb: sum(|model| model.memory_ram),
        max_gb: None,
    }
}

/// How much memory the models of a single server may take: several would share it.
fn max_gb(hosts: &[HostReading], gpus: Option<&GpuReading>) -> Option<f64> {
    let [host] = hosts else { return None };
    let ram = host.limits.as_ref()?.memory?;
    let vram: Option<u64> = gpus.map_or(Some(0), |gpus| gpus.gpus.iter().map(|gpu| gpu.values.memory_total).sum());
    Some(((ram + vram?) as f64 / GIB * 1000.0).round() / 1000.0)
}

fn host(host: &HostReading, gpus: Option<&GpuReading>) -> Host {
    Host {
        host: host.host.clone(),
        url: host.url.clone(),
        state: match host.status {
            HostStatus::Answering => "answering",
            HostStatus::Busy => "busy",
            HostStatus::Away => "away",
        },
        since: time(host.since),
        answered_at: host.answered_at.map(time),
        version: host.version.clone(),
        models_installed: host.installed.value().map(|models| models.len()),
        models_loaded: host.loaded.value().map(|models| models.len()),
        max_models: host.limits.as_ref().and_then(|limits| limits.max_loaded(gpus.map_or(0, |gpus| gpus.gpus.len()))),
        reason: host.missing.as_ref().map(|missing| missing.reason.code()),
        detail: host.missing.as_ref().map(|missing| missing.detail.clone()),
    }
}

/// RFC 3339 of Unix seconds.
pub(super) fn time(seconds: f64) -> String {
    rfc3339_of_seconds(seconds).unwrap_or_default()
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
