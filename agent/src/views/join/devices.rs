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
use aura_ollama::{Engine, EngineState, HostReading, Ollama, OllamaReading, Parent};

use super::{
    is_here,
    meter::{Device, Look, Meter, Model, Sums, Tokens, Work},
};
use crate::hub::{AnyReading, Health, Hub, Published, Snapshot};

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
    /// The reading of Ollama that it rests on.
    of: Arc<Snapshot<Ollama>>,
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
        if state.latest.as_ref().is_some_and(|latest| latest.of.taken == ollama.taken) {
            return;
        }
        let State { meter, began, latest } = &mut *state;
        let began = *began.get_or_insert(ollama.taken);
        let at = |taken: Instant| taken.saturating_duration_since(began).as_secs_f64();
        let engines = Engines::of(&ollama.reading);
        let gpus = hub.channel::<Gpus>().and_then(|channel| channel.latest());
        let gpus = gpus.iter().flat_map(|read| read.reading.gpus.iter().map(|gpu| (gpu, at(read.taken))));
        if engines.are_known(&ollama.reading) {
            let host = hub.channel::<Host>().and_then(|channel| channel.latest());
            let mut devices: Vec<Device> =
                gpus.clone().filter_map(|(gpu, read_at)| engines.gpu(gpu, read_at)).collect();
            let everybody = || Some(engines.0.iter().map(|(_, model)| model.clone()).collect());
            let packages = host.iter().flat_map(|read| {
                let read_at = at(read.taken);
                read.reading.package_joules().into_iter().map(move |(id, joules)| (id, joules, read_at))
            });
            devices.extend(packages.map(|(id, joules, read_at)| Device {
                id,
                joules,
                read_at,
                of: everybody(),
                others: false,
            }));
            meter.take(Look { at: at(ollama.taken), devices, models: engines.work(&ollama.reading) });
        } else {
            meter.lose();
        }
        let shares = gpus.flat_map(|(gpu, _)| engines.shares(gpu)).collect();
        *latest = Some(Arc::new(DevicesReading { of: ollama, gpus: shares, energy: meter.sums().clone() }));
    }

    /// What was found out, for as long as the reading that it rests on is shown.
    pub(crate) fn latest(&self) -> Option<Arc<DevicesReading>> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.latest.clone().filter(|latest| latest.of.is_shown())
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

    /// Whether it is known of each server on this machine what its engines do: otherwise what computes looks like rest.
    fn are_known(&self, reading: &OllamaReading) -> bool {
        let mut here = reading.hosts.iter().filter(|host| is_here(&host.host)).peekable();
        let tells = |engine: &Engine| {
            engine.parent == Parent::Gone
                || engine.state == EngineState::Loading
                || engine.activity.value().is_some()
                || engine.requests.is_some()
        };
        here.peek().is_some()
            && here.all(|host| host.engines.value().is_some_and(|engines| engines.missing.is_none()))
            && self.0.iter().all(|(engine, _)| tells(engine))
    }

    /// What a GPU counts, and whose processes are on it.
    fn gpu(&self, gpu: &Gpu, read_at: f64) -> Option<Device> {
        let processes = gpu.processes.as_ref();
        let ours = |pid| self.0.iter().find(|(engine, _)| engine.pid == pid).map(|(_, model)| model.clone());
        let others = processes
            .into_iter()
            .flatten()
            .any(|process| ours(process.pid).is_none() && process.busy.is_some_and(|busy| busy > 0.0));
        Some(Device {
            id: gpu.identity.uuid.clone(),
            joules: gpu.values.energy?,
            read_at,
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
        Health::derived(Self::NAME, Duration::from_secs(1))
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
