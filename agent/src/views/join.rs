//! Which model runs in which process on a GPU. Ollama does not tell its runners' processes, but each is started with
//! the file of the model's weights: two sources that know nothing of each other name the same digest, and here they meet.
//! Where that is not plain, nothing is said.

mod devices;
mod meter;

use std::collections::{BTreeMap, btree_map::Entry};

use aura_gpu::GpuReading;
use aura_model::Name;
use aura_net::HostPort;
use aura_ollama::OllamaReading;
use schemars::JsonSchema;
use serde::Serialize;

#[cfg(test)]
pub(crate) use self::meter::Model;
pub(crate) use self::{
    devices::{Devices, DevicesReading},
    meter::{DeviceSums, ModelSums, Sums},
};

/// What a process that runs a model takes of a GPU.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct GpuMemory {
    /// The GPU's number: `id` in `metrics.gpu` of the feed `system`.
    pub gpu: u32,
    /// The GPU's unique number.
    pub uuid: Name,
    /// The process's number.
    pub pid: u32,
    /// Bytes of the GPU's memory; `null` when the driver does not tell.
    pub bytes: Option<u64>,
}

/// The models that this machine's servers have loaded, by their weights; nothing where two have the same.
#[derive(Default)]
pub(crate) struct Runners(BTreeMap<Name, Option<Runner>>);

struct Runner {
    host: Name,
    model: Name,
}

impl Runners {
    pub(crate) fn of(reading: &OllamaReading) -> Self {
        let mut runners: BTreeMap<Name, Option<Runner>> = BTreeMap::new();
        for host in reading.hosts.iter().filter(|host| is_here(&host.host)) {
            for model in host.loaded.value().into_iter().flat_map(|models| models.iter()) {
                let Some(weights) = model.weights.clone() else { continue };
                match runners.entry(weights) {
                    Entry::Vacant(entry) => {
                        entry.insert(Some(Runner { host: host.host.clone(), model: model.name.clone() }));
                    }
                    Entry::Occupied(mut entry) => drop(entry.insert(None)),
                }
            }
        }
        Self(runners)
    }

    /// The model that a process with these weights runs.
    pub(crate) fn model(&self, weights: &str) -> Option<Name> {
        Some(self.0.get(weights)?.as_ref()?.model.clone())
    }

    /// What a model takes of the GPUs, process by process; nothing when no process is known to be its.
    pub(crate) fn gpu_memory(&self, gpus: &GpuReading, host: &str, model: &str) -> Option<Vec<GpuMemory>> {
        let is_it = |runner: &Runner| *runner.host == *host && *runner.model == *model;
        let weights = self.0.iter().find(|(_, runner)| runner.as_ref().is_some_and(is_it))?.0;
        let mut rows = Vec::new();
        for gpu in &gpus.gpus {
            for process in gpu.processes.iter().flatten() {
                if process.weights.as_ref() == Some(weights) {
                    rows.push(GpuMemory {
                        gpu: gpu.index,
                        uuid: gpu.identity.uuid.clone(),
                        pid: process.pid,
                        bytes: process.memory,
                    });
                }
            }
        }
        (!rows.is_empty()).then_some(rows)
    }
}

/// Another machine's model may have the same weights as a process here.
fn is_here(host: &str) -> bool {
    host.parse::<HostPort>().is_ok_and(|host| host.is_loopback())
}

#[cfg(test)]
mod tests;
