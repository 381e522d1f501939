//! What this machine's devices do for each model: memory and time of GPUs, and energy. Ollama and its engines say who
//! computes, the GPUs' drivers and the processor's counters say what it takes, and here they meet.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aura_gpu::{Gpu, Gpus};
use aura_host::Host;
use aura_model::{EachGroup, Group, Metric, Name, declare, each_group, rows, walk};
use aura_ollama::{Engine, EngineState, HostReading, Ollama, OllamaReading};

use super::meter::{Device, Look, Meter, Model, Sums, Tokens, Work};
use crate::hub::{AnyReading, Health, Hub, Published};

/// Readings further apart say nothing of each other, and so old sums are no longer shown as what is.
const LATE: Duration = Duration::from_secs(15);

/// What devices do for models. It is no source, as it asks nobody: it looks at each new reading of Ollama, and at what
/// the others read last, and is published like one.
#[derive(Default)]
pub(crate) struct Devices(Mutex<State>);

#[derive(Default)]
struct State {
    meter: Meter,
    began: Option<Instant>,
    latest: Option<Arc<DevicesReading>>,
}

/// What was found out so far.
pub(crate) struct DevicesReading {
    /// When the reading of Ollama was taken that it rests on.
    taken: Instant,
    /// What each model takes of each GPU now.
    gpus: Vec<GpuShare>,
    /// Who took how much energy.
    pub(crate) energy: Sums,
}

/// What a model's engine takes of a GPU.
#[derive(Debug, PartialEq)]
struct GpuShare {
    model: Model,
    uuid: Name,
    bytes: Option<u64>,
    busy: Option<f64>,
}

impl Devices {
    pub(crate) const NAME: &'static str = "devices";
    pub(crate) const PART: &'static str = "ollama";
    pub(crate) const GROUPS: &'static [Group<DevicesReading>] = &[Group {
        name: "ollama_devices",
        walk: |reading, emit| walk(METRICS, reading, emit),
        declare: |show| declare(METRICS, show),
    }];

    /// Takes in what the sources read last, once for each reading of Ollama.
    pub(crate) fn look(&self, hub: &Hub) {
        let Some(ollama) = hub.channel::<Ollama>().and_then(|channel| channel.latest()) else { return };
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.latest.as_ref().is_some_and(|latest| latest.taken == ollama.taken) {
            return;
        }
        let gpus = hub.channel::<Gpus>().and_then(|channel| channel.latest());
        let host = hub.channel::<Host>().and_then(|channel| channel.latest());
        let began = *state.began.get_or_insert(ollama.taken);
        let engines = Engines::of(&ollama.reading);
        let gpus = gpus.iter().flat_map(|snapshot| snapshot.reading.gpus.iter());
        let mut devices: Vec<Device> = gpus.clone().filter_map(|gpu| engines.gpu(gpu)).collect();
        let everybody = || Some(engines.0.iter().map(|(_, model)| model.clone()).collect());
        let processors = host.iter().flat_map(|snapshot| snapshot.reading.package_joules());
        devices.extend(processors.map(|(id, joules)| Device { id, joules, of: everybody(), others: false }));
        let at = ollama.taken.saturating_duration_since(began).as_secs_f64();
        state.meter.take(Look { at, devices, models: engines.work(&ollama.reading) });
        let shares = gpus.flat_map(|gpu| engines.shares(gpu)).collect();
        state.latest =
            Some(Arc::new(DevicesReading { taken: ollama.taken, gpus: shares, energy: state.meter.sums().clone() }));
    }

    /// What was found out, unless that is too long ago.
    pub(crate) fn latest(&self) -> Option<Arc<DevicesReading>> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.latest.clone().filter(|latest| latest.taken.elapsed() <= LATE)
    }
}

/// The engines on this machine, each with the model that it is shown as.
struct Engines<'a>(Vec<(&'a Engine, Model)>);

impl<'a> Engines<'a> {
    fn of(reading: &'a OllamaReading) -> Self {
        let engines = reading.hosts.iter().flat_map(|host| {
            let engines = host.engines.value().into_iter().flat_map(|engines| &engines.engines);
            engines.filter_map(|engine| Some((engine, model(host, engine.weights.as_deref()?)?)))
        });
        Self(engines.collect())
    }

    /// What a GPU counts, and whose processes are on it.
    fn gpu(&self, gpu: &Gpu) -> Option<Device> {
        let processes = gpu.processes.as_ref();
        let ours = |pid| self.0.iter().find(|(engine, _)| engine.pid == pid).map(|(_, model)| model.clone());
        let others = processes
            .into_iter()
            .flatten()
            .any(|process| ours(process.pid).is_none() && process.busy.is_some_and(|busy| busy > 0.0));
        Some(Device {
            id: gpu.identity.uuid.clone(),
            joules: gpu.values.energy?,
            of: processes.map(|processes| processes.iter().filter_map(|process| ours(process.pid)).collect()),
            others,
        })
    }

    fn shares(&self, gpu: &Gpu) -> Vec<GpuShare> {
        let processes = gpu.processes.iter().flatten();
        let shares = processes.filter_map(|process| {
            let (_, model) = self.0.iter().find(|(engine, _)| engine.pid == process.pid)?;
            let uuid = gpu.identity.uuid.clone();
            Some(GpuShare { model: model.clone(), uuid, bytes: process.memory, busy: process.busy })
        });
        shares.collect()
    }

    /// What each model does. One that reads its weights computes, too.
    fn work(&self, reading: &OllamaReading) -> Vec<Work> {
        let mut work: BTreeMap<&Model, (bool, Option<Tokens>)> = BTreeMap::new();
        for (engine, model) in &self.0 {
            let slots = engine.activity.value().is_some_and(|slots| slots.iter().any(|slot| slot.busy));
            let busy =
                slots || engine.requests.is_some_and(|requests| requests > 0) || engine.state == EngineState::Loading;
            work.entry(model).or_default().0 |= busy;
        }
        for host in &reading.hosts {
            for totals in host.engines.value().into_iter().flat_map(|engines| &engines.totals) {
                let (Some(model), Some(counters)) = (model(host, &totals.weights), totals.counters) else { continue };
                if let Some((_, tokens)) = work.get_mut(&model) {
                    let (prompt, generated) = (counters.prompt_tokens as f64, counters.generated_tokens as f64);
                    *tokens = Some(Tokens { prompt, generated });
                }
            }
        }
        work.into_iter().map(|(model, (busy, tokens))| Work { model: model.clone(), busy, tokens }).collect()
    }
}

/// The model with these weights, called as in the metrics of its engine.
fn model(host: &HostReading, weights: &str) -> Option<Model> {
    Some(Model { host: host.host.clone(), name: host.engines.value()?.model(weights) })
}

impl AnyReading for DevicesReading {
    fn source(&self) -> &'static str {
        Devices::NAME
    }

    fn groups(&self, each: EachGroup<'_>) {
        each_group(Devices::GROUPS, self, each);
    }
}

impl Published for Devices {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn is_source(&self) -> bool {
        false
    }

    fn part(&self) -> &'static str {
        Self::PART
    }

    fn reading(&self) -> Option<Arc<dyn AnyReading>> {
        self.latest().map(|reading| reading as Arc<dyn AnyReading>)
    }

    fn health(&self) -> Health {
        Health::derived(Self::NAME, LATE)
    }

    fn groups(&self) -> Vec<&'static str> {
        Self::GROUPS.iter().map(|group| group.name).collect()
    }
}

const METRICS: &[Metric<DevicesReading>] = rows! { |reading|
    for share in &reading.gpus => { host: share.model.host, model: share.model.name, uuid: share.uuid } {
        gauge "ollama_engine_gpu_memory_bytes" in Bytes = share.bytes,
            "Memory that a model's engine takes of a GPU, as the GPU's driver tells.";
        gauge "ollama_engine_gpu_busy_ratio" in Ratio = share.busy,
            "Share of time in which a model's engine computed on a GPU, as the GPU's driver tells.";
    }
    for (model, sums) in &reading.energy.models, (device, alone) in &sums.alone
        => { host: model.host, model: model.name, device } {
        counter "ollama_energy_joules_total" in Joules = alone.0,
            "Energy that a GPU, or the processor with all else that it did, counted while this model alone computed on it.";
        counter "ollama_energy_seconds_total" in Seconds = alone.1, "Time in which a device counted that.";
    }
    for (model, sums) in &reading.energy.models, (device, (joules, _)) in &sums.whole
        => { host: model.host, model: model.name, device } {
        counter "ollama_token_energy_joules_total" in Joules = *joules,
            "Of that, energy of answers that no other model's work overlapped from their beginning to their end.";
    }
    for (model, sums) in &reading.energy.models => { host: model.host, model: model.name } {
        counter "ollama_token_energy_tokens_total" = (!sums.whole.is_empty()).then_some(sums.generated),
            "Tokens that those answers generated: what to divide ollama_token_energy_joules_total by.";
    }
    for (device, sums) in &reading.energy.devices => { device } {
        counter "ollama_energy_rest_joules_total" in Joules = sums.rest,
            "Energy that a device counted while no model computed on it.";
        counter "ollama_energy_rest_seconds_total" in Seconds = sums.rest_seconds, "Time in which a device counted that.";
        counter "ollama_energy_shared_joules_total" in Joules = sums.shared,
            "Energy that a device counted while several models computed on it, or one and somebody else: it is not divided.";
        counter "ollama_energy_others_joules_total" in Joules = sums.others,
            "Energy that a GPU counted while others than models computed on it.";
    }
};

#[cfg(test)]
mod tests;
