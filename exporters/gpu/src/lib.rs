//! GPUs as a source. NVIDIA's cards are read through the driver's own library, loaded while the agent runs;
//! AMD's and Intel's through the files of their kernel drivers. All give the same [`GpuReading`].
//!
//! A card is never forgotten while the agent runs: one that falls off the bus, or whose driver is reloaded, stays
//! in the reading with the reason, and is looked for with exponential backoff. Nothing that failed is remembered for
//! ever. A driver that blocks holds up this source's thread and nothing else.

mod dcgm;
mod drm;
mod metrics;
mod nvidia;
mod options;
mod process;
mod reading;

use std::sync::Arc;

use aura_model::{Context, Group, Missing, Name, Reason, Source, declare, walk};

pub use self::{
    options::GpuOptions,
    reading::{
        Busy, Engine, Gpu, GpuReading, Identity, Instance, NvLink, NvidiaDriver, Process, Profile, Values, Vendor,
        Walk, Xid, Xids,
    },
};

/// The GPUs.
pub struct Gpus {
    nvidia: nvidia::Nvidia,
    drm: drm::Drm,
    processes: process::Processes,
    hostname: Name,
}

impl Source for Gpus {
    type Options = GpuOptions;
    type Reading = GpuReading;

    const NAME: &'static str = "gpu";
    const PART: &'static str = "gpu";

    fn groups() -> &'static [Group<GpuReading>] {
        &[
            Group {
                name: "gpu",
                walk: |reading, emit| walk(metrics::METRICS, reading, emit),
                declare: |show| declare(metrics::METRICS, show),
            },
            Group {
                name: "dcgm",
                walk: |reading, emit| walk(dcgm::METRICS, reading, emit),
                declare: |show| declare(dcgm::METRICS, show),
            },
        ]
    }

    fn open(options: &GpuOptions, context: &Context) -> Result<Self, Missing> {
        let mut gpus = Self {
            nvidia: nvidia::Nvidia::new(options, context),
            drm: drm::Drm::new(context),
            processes: process::Processes::new(&context.paths.procfs),
            hostname: hostname(),
        };
        if gpus.nvidia.is_there() || gpus.drm.is_there() { Ok(gpus) } else { Err(gpus.nothing()) }
    }

    fn sample(&mut self) -> Result<GpuReading, Missing> {
        let gpus = self.read();
        if gpus.is_empty() {
            return Err(self.nothing());
        }
        Ok(GpuReading { gpus, nvidia: self.nvidia.driver().cloned(), hostname: self.hostname.clone() })
    }

    fn describe(reading: &GpuReading) -> Vec<String> {
        reading.gpus.iter().map(describe).collect()
    }

    fn outdated(reading: &GpuReading, missing: &Missing) -> Option<GpuReading> {
        let gpus = reading.gpus.iter().map(|gpu| {
            // One that sleeps or has no sensor is still said to.
            let missing = gpu.missing.clone().unwrap_or_else(|| missing.clone());
            Gpu { index: gpu.index, ..Gpu::without_values(Arc::clone(&gpu.identity), missing) }
        });
        Some(GpuReading { gpus: gpus.collect(), nvidia: reading.nvidia.clone(), hostname: reading.hostname.clone() })
    }
}

impl Gpus {
    fn read(&mut self) -> Vec<Gpu> {
        self.processes.begin();
        let mut gpus = self.nvidia.read(&mut self.processes);
        gpus.extend(self.drm.read(&mut self.processes));
        for (index, gpu) in (0..).zip(&mut gpus) {
            gpu.index = index;
        }
        gpus
    }

    fn nothing(&self) -> Missing {
        let elsewhere = format!("no AMD or Intel card below {}", self.drm.root());
        match self.nvidia.missing() {
            Some(missing) => Missing::new(missing.reason, format!("no GPU: {elsewhere}; {}", missing.detail)),
            None => Missing::new(Reason::NoSensor, format!("no GPU: {elsewhere}; NVIDIA's driver lists none")),
        }
    }
}

#[cfg(unix)]
fn hostname() -> Name {
    rustix::system::uname().nodename().to_string_lossy().as_ref().into()
}

#[cfg(not(unix))]
fn hostname() -> Name {
    std::env::var("COMPUTERNAME").unwrap_or_default().into()
}

fn describe(gpu: &Gpu) -> String {
    let Identity { name, pci_bus_id, .. } = &*gpu.identity;
    if let Some(missing) = &gpu.missing {
        return format!("{name} at {pci_bus_id} not watched: {missing}");
    }
    let absent: Vec<&str> = gpu.unavailable.keys().copied().collect();
    let absent = if absent.is_empty() { String::new() } else { format!("; it does not give {}", absent.join(", ")) };
    format!("watching {name} at {pci_bus_id}{absent}")
}

#[cfg(test)]
mod tests {
    use aura_model::{Family, Kind};

    use super::*;

    fn families() -> Vec<(&'static str, Family<'static>)> {
        let mut families = Vec::new();
        for group in Gpus::groups() {
            (group.declare)(&mut |family| families.push((group.name, *family)));
        }
        families
    }

    #[test]
    fn every_metric_is_declared_once_and_explained() {
        let families = families();
        for (at, (group, family)) in families.iter().enumerate() {
            let name = family.name;
            let ours = *group == "gpu";
            assert!(name.starts_with(if ours { "aura_gpu_" } else { "DCGM_FI_" }) && !family.help.is_empty(), "{name}");
            // Upstream's counters have no such ending.
            assert!(!ours || name.ends_with("_total") == (family.kind == Kind::Counter), "{name}");
            assert!(families[..at].iter().all(|(_, other)| other.name != name), "{name} is declared twice");
        }
    }
}
