//! GPUs. A card that was seen keeps its place: when it cannot be read its values are `null` and say why.

use aura_gpu::{Gpu as Read, GpuReading, Gpus, Xids};
use aura_model::{Missing, Reason};
use aura_ollama::Ollama;

use super::{
    MIB, percent,
    work::{self, Walks},
};
use crate::{
    hub::{Hub, Published},
    views::{
        host::message::{Gpu, GpuError, GpuInstance, GpuProcess},
        join::Runners,
        time::rfc3339_of_seconds,
    },
};

/// The GPUs, or why there are none; both when their reading is late.
pub(super) fn gpus(hub: &Hub, walks: &Walks) -> (Option<Vec<Gpu>>, Option<Missing>) {
    let Some(channel) = hub.channel::<Gpus>() else { return (None, None) };
    let missing = channel.health().missing;
    if let Some(fresh) = channel.latest() {
        let models = hub.channel::<Ollama>().and_then(|channel| channel.latest());
        let runners = models.map(|models| Runners::of(&models.reading)).unwrap_or_default();
        return (Some(rows(&fresh.reading, None, walks, &runners)), None);
    }
    let late = missing.unwrap_or_else(|| Missing::new(Reason::Stale, "nothing was read yet"));
    let last = channel.subscribe().borrow().clone();
    (last.map(|last| rows(&last.reading, Some(&late), walks, &Runners::default())), Some(late))
}

/// One row a card; only what it is when the reading is late.
fn rows(reading: &GpuReading, late: Option<&Missing>, walks: &Walks, runners: &Runners) -> Vec<Gpu> {
    let row = |gpu: &Read| row(gpu, late.or(gpu.missing.as_ref()), walks.before(gpu), runners);
    reading.gpus.iter().map(row).collect()
}

/// `before` is the card one walk over its processes earlier.
fn row(gpu: &Read, missing: Option<&Missing>, before: Option<&Read>, runners: &Runners) -> Gpu {
    let identity = Gpu {
        id: gpu.index,
        name: gpu.identity.name.clone(),
        uuid: gpu.identity.uuid.clone(),
        vendor: gpu.identity.vendor.word(),
        last_error: gpu.xids.as_ref().and_then(last_error),
        ..Gpu::default()
    };
    if let Some(missing) = missing {
        return Gpu { reason: Some(missing.reason.code()), detail: Some(missing.detail.clone()), ..identity };
    }
    let values = &gpu.values;
    let fastest = values.fan_ratio.iter().copied().max_by(f64::total_cmp);
    Gpu {
        load_percent: hundredfold(values.busy.or_else(|| work::load(gpu, before?))),
        memory_used_mb: mebibytes(values.memory_used),
        memory_total_mb: mebibytes(values.memory_total),
        memory_percent: values.memory_used.zip(values.memory_total).and_then(|(used, total)| percent(used, total)),
        temperature: values.temperature,
        temperature_slowdown: values.temperature_slowdown,
        temperature_memory: values.temperature_memory,
        power_watts: values.power,
        power_limit_watts: values.power_limit,
        clock_mhz: megahertz(values.clock_graphics),
        memory_clock_mhz: megahertz(values.clock_memory),
        fan_percent: hundredfold(fastest),
        encoder_percent: hundredfold(values.encoder_busy),
        decoder_percent: hundredfold(values.decoder_busy),
        throttle: values.throttle.as_ref().map(|reasons| {
            let holding = reasons.iter().filter(|&&(reason, holds)| holds && reason != "gpu_idle");
            holding.map(|&(reason, _)| reason).collect()
        }),
        ecc_uncorrected: values.ecc_uncorrected,
        instances: gpu.instances.iter().map(instance).collect(),
        processes: gpu.processes.as_ref().map(|processes| {
            let busy = |process: &aura_gpu::Process| process.busy.or_else(|| work::process_load(process, gpu, before?));
            processes.iter().map(|one| process(one, busy(one), runners)).collect()
        }),
        ..identity
    }
}

fn instance(instance: &aura_gpu::Instance) -> GpuInstance {
    GpuInstance {
        id: instance.gpu_instance,
        profile: instance.profile.clone(),
        uuid: instance.uuid.clone(),
        memory_used_mb: mebibytes(instance.memory_used),
        memory_total_mb: mebibytes(instance.memory_total),
    }
}

fn process(process: &aura_gpu::Process, busy: Option<f64>, runners: &Runners) -> GpuProcess {
    GpuProcess {
        pid: process.pid,
        name: process.name.clone(),
        memory_mb: mebibytes(process.memory),
        load_percent: hundredfold(busy),
        model: process.weights.as_ref().and_then(|weights| runners.model(weights)),
    }
}

fn last_error(xids: &Xids) -> Option<GpuError> {
    let code = xids.last?;
    let xid = xids.seen.get(&code)?;
    Some(GpuError { code, count: xid.count, at: rfc3339_of_seconds(xid.last_at) })
}

/// Clean numbers: 0.29 as a share is 29, not 28.999999999999996.
fn hundredfold(share: Option<f64>) -> Option<f64> {
    share.map(|share| (share * 10_000.0).round() / 100.0)
}

fn megahertz(hertz: Option<f64>) -> Option<f64> {
    hertz.map(|hertz| hertz / 1e6)
}

fn mebibytes(bytes: Option<u64>) -> Option<f64> {
    bytes.map(|bytes| bytes as f64 / MIB)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use aura_gpu::{Identity, Values, Vendor};
    use proptest::prelude::*;

    use super::*;

    fn gpu() -> impl Strategy<Value = Read> {
        let share = || prop::option::of(0.0..=1.0);
        let bytes = || prop::option::of(any::<u64>());
        let values = (share(), bytes(), bytes(), prop::option::of(-50.0..150.0)).prop_map(
            |(busy, memory_used, memory_total, temperature)| Values {
                busy,
                memory_used,
                memory_total,
                temperature,
                ..Values::default()
            },
        );
        (any::<u32>(), values, any::<bool>()).prop_map(|(index, values, lost)| Read {
            index,
            identity: Arc::new(Identity {
                vendor: Vendor::Nvidia,
                uuid: format!("GPU-{index}").into(),
                name: "a GPU".into(),
                pci_bus_id: "0000:01:00.0".into(),
                device: "nvidia0".into(),
                driver: "nvidia".into(),
            }),
            missing: lost.then(|| Missing::new(Reason::Unreachable, "lost")),
            values,
            unavailable: BTreeMap::new(),
            xids: None,
            instances: Vec::new(),
            processes: None,
            walk: None,
        })
    }

    proptest! {
        /// The block is there exactly when there is a GPU, with one row a GPU, whatever can be read of it; what
        /// cannot be read is null, and what can is never changed into something else.
        /// Property 10: On a machine with a GPU its load, memory and temperature are shown.
        #[test]
        fn every_gpu_has_its_row_and_only_what_was_read_is_in_it(gpus in prop::collection::vec(gpu(), 1..5), late: bool) {
            let reading = GpuReading { gpus, nvidia: None, hostname: "host".into() };
            let reason = late.then(|| Missing::new(Reason::Stale, "late"));
            let rows = rows(&reading, reason.as_ref(), &Walks::default(), &Runners::default());
            prop_assert_eq!(rows.len(), reading.gpus.len());
            for (row, gpu) in rows.iter().zip(&reading.gpus) {
                prop_assert_eq!((row.id, &row.uuid), (gpu.index, &gpu.identity.uuid));
                let unread = late || gpu.missing.is_some();
                prop_assert_eq!(row.reason.is_some(), unread);
                prop_assert_eq!(row.load_percent.is_some(), !unread && gpu.values.busy.is_some());
                prop_assert_eq!(row.temperature, if unread { None } else { gpu.values.temperature });
                prop_assert_eq!(row.memory_used_mb.is_some(), !unread && gpu.values.memory_used.is_some());
                let both = gpu.values.memory_used.is_some() && gpu.values.memory_total.is_some_and(|total| total > 0);
                prop_assert_eq!(row.memory_percent.is_some(), !unread && both);
                let json = serde_json::to_value(row).unwrap();
                for key in ["id", "name", "load_percent", "memory_used_mb", "memory_total_mb", "memory_percent", "temperature", "uuid"] {
                    prop_assert!(json.get(key).is_some(), "{key}");
                }
            }
        }
    }
}
