//! GPUs under names of our own: base units, the same names whoever made the card.

use aura_model::{Metric, Reason, Unit, Value, counter, gauge};

use crate::reading::{Busy, Gpu, GpuReading, Process, Values};

/// One value a card.
macro_rules! value {
    ($kind:ident, $name:literal, $help:literal, $unit:ident, $take:expr) => {
        $kind(concat!("aura_gpu_", $name), $help, Unit::$unit, &["gpu", "uuid"], |reading, emit| {
            let take: fn(&Values) -> Option<_> = $take;
            for gpu in &reading.gpus {
                emit.maybe(&[&gpu.index.to_string(), &gpu.identity.uuid], take(&gpu.values));
            }
        })
    };
}

/// Several values a card, told apart by one more label.
macro_rules! values {
    ($kind:ident, $name:literal, $help:literal, $unit:ident, $label:literal, $each:expr) => {
        $kind(concat!("aura_gpu_", $name), $help, Unit::$unit, &["gpu", "uuid", $label], |reading, emit| {
            let each: fn(&Gpu, &mut dyn FnMut(&str, Value)) = $each;
            for gpu in &reading.gpus {
                let index = gpu.index.to_string();
                each(gpu, &mut |label, value| emit.sample(&[&index, &gpu.identity.uuid, label], value));
            }
        })
    };
}

macro_rules! process {
    ($name:literal, $help:literal, $unit:ident, $take:expr) => {
        gauge(
            concat!("aura_gpu_process_", $name),
            $help,
            Unit::$unit,
            &["gpu", "uuid", "pid", "process"],
            |reading, emit| {
                let take: fn(&Process) -> Option<_> = $take;
                for gpu in &reading.gpus {
                    let index = gpu.index.to_string();
                    for process in gpu.processes.iter().flatten() {
                        let name = process.name.as_deref().unwrap_or_default();
                        let labels = [&*index, &gpu.identity.uuid, &process.pid.to_string(), name];
                        emit.maybe(&labels, take(process));
                    }
                }
            },
        )
    };
}

/// One counter for each engine of each process.
macro_rules! engine {
    ($name:literal, $help:literal, $unit:ident, $take:expr) => {
        counter(
            concat!("aura_gpu_process_engine_", $name),
            $help,
            Unit::$unit,
            &["gpu", "uuid", "pid", "process", "engine"],
            |reading, emit| {
                let take: fn(Busy) -> Option<_> = $take;
                for gpu in &reading.gpus {
                    let index = gpu.index.to_string();
                    for process in gpu.processes.iter().flatten() {
                        let (pid, name) = (process.pid.to_string(), process.name.as_deref().unwrap_or_default());
                        for engine in &process.engines {
                            let labels = [&*index, &gpu.identity.uuid, &pid, name, &engine.name];
                            emit.maybe(&labels, take(engine.busy));
                        }
                    }
                }
            },
        )
    };
}

macro_rules! instance {
    ($name:literal, $help:literal, $field:ident) => {
        gauge(
            concat!("aura_gpu_instance_", $name),
            $help,
            Unit::Bytes,
            &["gpu", "uuid", "instance", "instance_uuid", "profile"],
            |reading, emit| {
                for gpu in &reading.gpus {
                    for instance in &gpu.instances {
                        let number = instance.gpu_instance.map_or_else(String::new, |number| number.to_string());
                        let (index, uuid) = (gpu.index.to_string(), &gpu.identity.uuid);
                        emit.maybe(&[&index, uuid, &number, &instance.uuid, &instance.profile], instance.$field);
                    }
                }
            },
        )
    };
}

pub(crate) const METRICS: &[Metric<GpuReading>] = &[
    gauge("aura_gpu_count", "GPUs that are known, lost ones included.", Unit::None, &[], |reading, emit| {
        emit.value(reading.gpus.len());
    }),
    gauge(
        "aura_gpu_up",
        "Whether the GPU answers: 0 when it is lost or has no driver. A card that sleeps has no such sample.",
        Unit::None,
        &["gpu", "uuid"],
        |reading, emit| {
            for gpu in &reading.gpus {
                if gpu.missing.as_ref().is_none_or(|missing| missing.reason != Reason::NoSensor) {
                    emit.sample(&[&gpu.index.to_string(), &gpu.identity.uuid], gpu.missing.is_none().into());
                }
            }
        },
    ),
    gauge(
        "aura_gpu_missing_info",
        "Why the GPU does not answer, as a code. Value is always 1.",
        Unit::None,
        &["gpu", "uuid", "reason"],
        |reading, emit| {
            for gpu in &reading.gpus {
                if let Some(missing) = &gpu.missing {
                    let labels = [&*gpu.index.to_string(), &gpu.identity.uuid, missing.reason.code()];
                    emit.sample(&labels, true.into());
                }
            }
        },
    ),
    gauge(
        "aura_gpu_info",
        "What the GPU is. Value is always 1.",
        Unit::None,
        &["gpu", "uuid", "vendor", "name", "pci_bus_id", "device", "driver"],
        |reading, emit| {
            for gpu in &reading.gpus {
                let it = &gpu.identity;
                let vendor = it.vendor.word();
                let labels =
                    [&*gpu.index.to_string(), &it.uuid, vendor, &it.name, &it.pci_bus_id, &it.device, &it.driver];
                emit.sample(&labels, true.into());
            }
        },
    ),
    gauge(
        "aura_gpu_nvidia_driver_info",
        "Versions of NVIDIA's driver. Value is always 1.",
        Unit::None,
        &["driver_version", "nvml_version", "cuda_version"],
        |reading, emit| {
            if let Some(driver) = &reading.nvidia {
                let nvml = driver.nvml.as_deref().unwrap_or_default();
                emit.sample(&[&driver.driver, nvml, driver.cuda.as_deref().unwrap_or_default()], true.into());
            }
        },
    ),
    value!(gauge, "utilization_ratio", "Share of time in which something ran on the GPU.", Ratio, |gpu| gpu.busy),
    value!(
        gauge,
        "memory_utilization_ratio",
        "Share of time in which the GPU's memory was read or written.",
        Ratio,
        |gpu| gpu.memory_busy
    ),
    value!(gauge, "encoder_utilization_ratio", "Share of time in which the video encoder worked.", Ratio, |gpu| gpu
        .encoder_busy),
    value!(gauge, "decoder_utilization_ratio", "Share of time in which the video decoder worked.", Ratio, |gpu| gpu
        .decoder_busy),
    value!(counter, "idle_seconds_total", "Time that the GPU slept between two jobs (Intel's RC6).", Seconds, |gpu| {
        gpu.idle_seconds
    }),
    value!(gauge, "memory_total_bytes", "Memory of the GPU.", Bytes, |gpu| gpu.memory_total),
    value!(gauge, "memory_used_bytes", "Memory of the GPU that programs use.", Bytes, |gpu| gpu.memory_used),
    value!(gauge, "memory_free_bytes", "Memory of the GPU that is not in use.", Bytes, |gpu| gpu.memory_free),
    value!(gauge, "memory_reserved_bytes", "Memory of the GPU that the driver keeps.", Bytes, |gpu| gpu
        .memory_reserved),
    value!(gauge, "temperature_celsius", "Temperature of the chip.", Celsius, |gpu| gpu.temperature),
    value!(gauge, "hotspot_temperature_celsius", "Temperature of the chip's hottest spot.", Celsius, |gpu| gpu
        .temperature_hotspot),
    value!(gauge, "memory_temperature_celsius", "Temperature of the GPU's memory.", Celsius, |gpu| gpu
        .temperature_memory),
    value!(gauge, "temperature_slowdown_celsius", "Temperature at which clocks are lowered.", Celsius, |gpu| gpu
        .temperature_slowdown),
    value!(
        gauge,
        "temperature_shutdown_celsius",
        "Temperature at which the GPU switches itself off.",
        Celsius,
        |gpu| gpu.temperature_shutdown
    ),
    value!(gauge, "power_watts", "Power that the GPU draws.", Watts, |gpu| gpu.power),
    value!(gauge, "power_limit_watts", "Power that the GPU may draw.", Watts, |gpu| gpu.power_limit),
    value!(
        counter,
        "energy_joules_total",
        "Energy that the GPU has used since its driver was loaded.",
        Joules,
        |gpu| gpu.energy
    ),
    values!(gauge, "clock_hertz", "Clock now.", Hertz, "clock", |gpu, show| {
        let values = &gpu.values;
        for (name, clock) in [
            ("graphics", values.clock_graphics),
            ("sm", values.clock_sm),
            ("memory", values.clock_memory),
            ("video", values.clock_video),
        ] {
            clock.into_iter().for_each(|clock| show(name, clock.into()));
        }
    }),
    values!(gauge, "clock_max_hertz", "The highest clock.", Hertz, "clock", |gpu, show| {
        for (name, clock) in [("graphics", gpu.values.clock_graphics_max), ("memory", gpu.values.clock_memory_max)] {
            clock.into_iter().for_each(|clock| show(name, clock.into()));
        }
    }),
    value!(gauge, "voltage_volts", "Voltage of the chip.", Volts, |gpu| gpu.voltage),
    values!(
        gauge,
        "fan_speed_ratio",
        "Speed of a fan as a share of its highest; NVIDIA says what it asks for.",
        Ratio,
        "fan",
        |gpu, show| numbered(&gpu.values.fan_ratio, show)
    ),
    values!(gauge, "fan_speed_rpm", "Speed of a fan in rotations a minute.", None, "fan", |gpu, show| numbered(
        &gpu.values.fan_rpm,
        show
    )),
    value!(gauge, "performance_state", "Performance state: 0 is the fastest.", None, |gpu| gpu.performance_state),
    values!(
        gauge,
        "throttled",
        "Whether clocks are lower than they could be, by the reason.",
        None,
        "reason",
        |gpu, show| {
            for &(reason, holds) in gpu.values.throttle.iter().flatten() {
                show(reason, holds.into());
            }
        }
    ),
    values!(
        counter,
        "throttled_seconds_total",
        "Time in which a policy held clocks down.",
        Seconds,
        "policy",
        |gpu, show| {
            for &(policy, seconds) in &gpu.values.throttled_seconds {
                show(policy, seconds.into());
            }
        }
    ),
    value!(gauge, "pcie_link_generation", "PCIe generation in use.", None, |gpu| gpu.pcie_generation),
    value!(gauge, "pcie_link_width", "PCIe lanes in use.", None, |gpu| gpu.pcie_width),
    value!(
        gauge,
        "pcie_transmit_bytes_per_second",
        "Bytes a second that the GPU sent over the last 20 ms, as its driver measured.",
        None,
        |gpu| gpu.pcie_transmit_rate
    ),
    value!(
        gauge,
        "pcie_receive_bytes_per_second",
        "Bytes a second that the GPU received over the last 20 ms, as its driver measured.",
        None,
        |gpu| gpu.pcie_receive_rate
    ),
    value!(counter, "pcie_transmit_bytes_total", "Bytes that the GPU sent, counted by it.", Bytes, |gpu| gpu
        .pcie_transmit_bytes),
    value!(counter, "pcie_receive_bytes_total", "Bytes that the GPU received, counted by it.", Bytes, |gpu| gpu
        .pcie_receive_bytes),
    value!(counter, "pcie_replays_total", "PCIe packets that were sent again.", None, |gpu| gpu.pcie_replays),
    values!(counter, "nvlink_transmit_bytes_total", "Bytes sent over a link.", Bytes, "link", |gpu, show| {
        for link in &gpu.values.nvlinks {
            link.transmit_bytes.into_iter().for_each(|bytes| show(&link.link.to_string(), bytes.into()));
        }
    }),
    values!(counter, "nvlink_receive_bytes_total", "Bytes received over a link.", Bytes, "link", |gpu, show| {
        for link in &gpu.values.nvlinks {
            link.receive_bytes.into_iter().for_each(|bytes| show(&link.link.to_string(), bytes.into()));
        }
    }),
    values!(counter, "nvlink_errors_total", "Errors of all links together.", None, "kind", |gpu, show| {
        for &(kind, errors) in &gpu.values.nvlink_errors {
            show(kind, errors.into());
        }
    }),
    value!(gauge, "ecc_enabled", "Whether memory errors are corrected.", None, |gpu| gpu.ecc_enabled),
    values!(counter, "ecc_errors_total", "Memory errors since the driver was loaded.", None, "kind", |gpu, show| {
        for (kind, errors) in [("corrected", gpu.values.ecc_corrected), ("uncorrected", gpu.values.ecc_uncorrected)] {
            errors.into_iter().for_each(|errors| show(kind, errors.into()));
        }
    }),
    values!(counter, "ecc_errors_lifetime_total", "Memory errors in the card's life.", None, "kind", |gpu, show| {
        for (kind, errors) in
            [("corrected", gpu.values.ecc_corrected_lifetime), ("uncorrected", gpu.values.ecc_uncorrected_lifetime)]
        {
            errors.into_iter().for_each(|errors| show(kind, errors.into()));
        }
    }),
    values!(gauge, "retired_pages", "Memory pages that are no longer used.", None, "cause", |gpu, show| {
        for (cause, pages) in [("corrected", gpu.values.retired_single), ("uncorrected", gpu.values.retired_double)] {
            pages.into_iter().for_each(|pages| show(cause, pages.into()));
        }
    }),
    value!(
        gauge,
        "retired_pages_pending",
        "Whether pages will be retired when the driver is restarted.",
        None,
        |gpu| gpu.retired_pending
    ),
    values!(gauge, "remapped_rows", "Memory rows that were replaced.", None, "cause", |gpu, show| {
        for (cause, rows) in
            [("corrected", gpu.values.remapped_corrected), ("uncorrected", gpu.values.remapped_uncorrected)]
        {
            rows.into_iter().for_each(|rows| show(cause, rows.into()));
        }
    }),
    value!(gauge, "row_remap_pending", "Whether rows will be replaced at the next reset.", None, |gpu| gpu
        .remap_pending),
    value!(gauge, "row_remap_failed", "Whether a row could not be replaced.", None, |gpu| gpu.remap_failed),
    values!(
        counter,
        "xid_errors_total",
        "Errors that NVIDIA's driver reported since the agent began to listen, by code.",
        None,
        "xid",
        |gpu, show| {
            for (code, xid) in gpu.xids.iter().flat_map(|xids| &xids.seen) {
                show(&code.to_string(), xid.count.into());
            }
        }
    ),
    values!(
        gauge,
        "xid_last_timestamp_seconds",
        "When an error was last reported, by code.",
        Seconds,
        "xid",
        |gpu, show| {
            for (code, xid) in gpu.xids.iter().flat_map(|xids| &xids.seen) {
                show(&code.to_string(), xid.last_at.into());
            }
        }
    ),
    value!(gauge, "mig_enabled", "Whether the card can be partitioned (MIG).", None, |gpu| gpu.mig_enabled),
    instance!("memory_total_bytes", "Memory of a partition.", memory_total),
    instance!("memory_used_bytes", "Memory of a partition that programs use.", memory_used),
    instance!("memory_free_bytes", "Memory of a partition that is not in use.", memory_free),
    process!("memory_bytes", "GPU memory of a process; the 32 largest are shown.", Bytes, |process| process.memory),
    process!(
        "utilization_ratio",
        "Share of time in which a process's work ran, since the sample before.",
        Ratio,
        |process| process.busy
    ),
    engine!(
        "busy_seconds_total",
        "Time that an engine worked for what a process has open now (AMD, Intel's i915).",
        Seconds,
        |busy| match busy {
            #[expect(clippy::cast_precision_loss, reason = "nanoseconds")]
            Busy::Nanoseconds(nanoseconds) => Some(nanoseconds as f64 / 1e9),
            Busy::Cycles { .. } => None,
        }
    ),
    engine!(
        "busy_cycles_total",
        "Cycles that an engine worked for what a process has open now (Intel's xe).",
        None,
        |busy| match busy {
            Busy::Cycles { busy, .. } => Some(busy),
            Busy::Nanoseconds(_) => None,
        }
    ),
    engine!("cycles_total", "Cycles that went by on the clock of busy_cycles_total.", None, |busy| match busy {
        Busy::Cycles { total, .. } => Some(total),
        Busy::Nanoseconds(_) => None,
    }),
    values!(
        gauge,
        "profile_ratio",
        "What the chip's own counters say (Hopper and later): share of time in which a part worked.",
        Ratio,
        "part",
        |gpu, show| {
            let Some(profile) = gpu.values.profile else { return };
            for (part, share) in [
                ("graphics", profile.graphics),
                ("sm", profile.sm),
                ("sm_occupancy", profile.sm_occupancy),
                ("tensor", profile.tensor),
                ("memory", profile.memory),
                ("fp64", profile.fp64),
                ("fp32", profile.fp32),
                ("fp16", profile.fp16),
            ] {
                share.into_iter().for_each(|share| show(part, share.into()));
            }
        }
    ),
];

fn numbered(values: &[f64], show: &mut dyn FnMut(&str, Value)) {
    for (number, &value) in values.iter().enumerate() {
        show(&number.to_string(), value.into());
    }
}
