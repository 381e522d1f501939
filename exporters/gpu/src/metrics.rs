//! GPUs under names of our own: base units, the same names whoever made the card.

use aura_model::{Metric, Reason, rows};

use crate::reading::{Busy, Gpu, GpuReading, NvidiaDriver};

pub(crate) const METRICS: &[Metric<GpuReading>] = rows! { |reading|
    gauge "aura_gpu_count" = reading.gpus.len(), "GPUs that are known, lost ones included.";
    for (index, gpu) in reading.numbered() => { gpu: index, uuid: gpu.identity.uuid } {
        gauge "aura_gpu_up" = gpu.up(),
            "Whether the GPU answers: 0 when it is lost or has no driver. A card that sleeps has no such sample.";
    }
    for (index, gpu) in reading.numbered(), missing in gpu.missing.iter()
        => { gpu: index, uuid: gpu.identity.uuid, reason: missing.reason.code() } {
        gauge "aura_gpu_missing_info" = 1, "Why the GPU does not answer, as a code. Value is always 1.";
    }
    for (index, gpu) in reading.numbered(), it in [&gpu.identity] => {
        gpu: index, uuid: it.uuid, vendor: it.vendor.word(), name: it.name, pci_bus_id: it.pci_bus_id, device: it.device,
        driver: it.driver
    } {
        gauge "aura_gpu_info" = 1, "What the GPU is. Value is always 1.";
    }
    for NvidiaDriver { driver, nvml, cuda } in reading.nvidia.iter() => {
        driver_version: driver,
        nvml_version: nvml.as_deref().unwrap_or_default(),
        cuda_version: cuda.as_deref().unwrap_or_default(),
    } {
        gauge "aura_gpu_nvidia_driver_info" = 1, "Versions of NVIDIA's driver. Value is always 1.";
    }
    for (index, gpu) in reading.numbered() => { gpu: index, uuid: gpu.identity.uuid } {
        gauge "aura_gpu_utilization_ratio" in Ratio = gpu.values.busy,
            "Share of time in which something ran on the GPU.";
        gauge "aura_gpu_memory_utilization_ratio" in Ratio = gpu.values.memory_busy,
            "Share of time in which the GPU's memory was read or written.";
        gauge "aura_gpu_encoder_utilization_ratio" in Ratio = gpu.values.encoder_busy,
            "Share of time in which the video encoder worked.";
        gauge "aura_gpu_decoder_utilization_ratio" in Ratio = gpu.values.decoder_busy,
            "Share of time in which the video decoder worked.";
        counter "aura_gpu_idle_seconds_total" in Seconds = gpu.values.idle_seconds,
            "Time that the GPU slept between two jobs (Intel's RC6).";
        gauge "aura_gpu_memory_total_bytes" in Bytes = gpu.values.memory_total, "Memory of the GPU.";
        gauge "aura_gpu_memory_used_bytes" in Bytes = gpu.values.memory_used, "Memory of the GPU that programs use.";
        gauge "aura_gpu_memory_free_bytes" in Bytes = gpu.values.memory_free, "Memory of the GPU that is not in use.";
        gauge "aura_gpu_memory_reserved_bytes" in Bytes = gpu.values.memory_reserved,
            "Memory of the GPU that the driver keeps.";
        gauge "aura_gpu_temperature_celsius" in Celsius = gpu.values.temperature, "Temperature of the chip.";
        gauge "aura_gpu_hotspot_temperature_celsius" in Celsius = gpu.values.temperature_hotspot,
            "Temperature of the chip's hottest spot.";
        gauge "aura_gpu_memory_temperature_celsius" in Celsius = gpu.values.temperature_memory,
            "Temperature of the GPU's memory.";
        gauge "aura_gpu_temperature_slowdown_celsius" in Celsius = gpu.values.temperature_slowdown,
            "Temperature at which clocks are lowered.";
        gauge "aura_gpu_temperature_shutdown_celsius" in Celsius = gpu.values.temperature_shutdown,
            "Temperature at which the GPU switches itself off.";
        gauge "aura_gpu_power_watts" in Watts = gpu.values.power, "Power that the GPU draws.";
        gauge "aura_gpu_power_limit_watts" in Watts = gpu.values.power_limit, "Power that the GPU may draw.";
        counter "aura_gpu_energy_joules_total" in Joules = gpu.values.energy,
            "Energy that the GPU has used since its driver was loaded.";
    }
    for (index, gpu) in reading.numbered(),
        (clock, value) in [
            ("graphics", gpu.values.clock_graphics),
            ("sm", gpu.values.clock_sm),
            ("memory", gpu.values.clock_memory),
            ("video", gpu.values.clock_video),
        ]
        => { gpu: index, uuid: gpu.identity.uuid, clock } {
        gauge "aura_gpu_clock_hertz" in Hertz = value, "Clock now.";
    }
    for (index, gpu) in reading.numbered(),
        (clock, value) in [
            ("graphics", gpu.values.clock_graphics_max),
            ("memory", gpu.values.clock_memory_max),
        ]
        => { gpu: index, uuid: gpu.identity.uuid, clock } {
        gauge "aura_gpu_clock_max_hertz" in Hertz = value, "The highest clock.";
    }
    for (index, gpu) in reading.numbered() => { gpu: index, uuid: gpu.identity.uuid } {
        gauge "aura_gpu_voltage_volts" in Volts = gpu.values.voltage, "Voltage of the chip.";
    }
    for (index, gpu) in reading.numbered(), (fan, ratio) in gpu.values.fan_ratio.iter().enumerate()
        => { gpu: index, uuid: gpu.identity.uuid, fan: fan.to_string() } {
        gauge "aura_gpu_fan_speed_ratio" in Ratio = *ratio,
            "Speed of a fan as a share of its highest; NVIDIA says what it asks for.";
    }
    for (index, gpu) in reading.numbered(), (fan, speed) in gpu.values.fan_rpm.iter().enumerate()
        => { gpu: index, uuid: gpu.identity.uuid, fan: fan.to_string() } {
        gauge "aura_gpu_fan_speed_rpm" = *speed, "Speed of a fan in rotations a minute.";
    }
    for (index, gpu) in reading.numbered() => { gpu: index, uuid: gpu.identity.uuid } {
        gauge "aura_gpu_performance_state" = gpu.values.performance_state, "Performance state: 0 is the fastest.";
    }
    for (index, gpu) in reading.numbered(), (reason, holds) in gpu.values.throttle.iter().flatten()
        => { gpu: index, uuid: gpu.identity.uuid, reason } {
        gauge "aura_gpu_throttled" = *holds, "Whether clocks are lower than they could be, by the reason.";
    }
    for (index, gpu) in reading.numbered(), (policy, seconds) in &gpu.values.throttled_seconds
        => { gpu: index, uuid: gpu.identity.uuid, policy } {
        counter "aura_gpu_throttled_seconds_total" in Seconds = *seconds, "Time in which a policy held clocks down.";
    }
    for (index, gpu) in reading.numbered() => { gpu: index, uuid: gpu.identity.uuid } {
        gauge "aura_gpu_pcie_link_generation" = gpu.values.pcie_generation, "PCIe generation in use.";
        gauge "aura_gpu_pcie_link_width" = gpu.values.pcie_width, "PCIe lanes in use.";
        gauge "aura_gpu_pcie_transmit_bytes_per_second" = gpu.values.pcie_transmit_rate,
            "Bytes a second that the GPU sent over the last 20 ms, as its driver measured.";
        gauge "aura_gpu_pcie_receive_bytes_per_second" = gpu.values.pcie_receive_rate,
            "Bytes a second that the GPU received over the last 20 ms, as its driver measured.";
        counter "aura_gpu_pcie_transmit_bytes_total" in Bytes = gpu.values.pcie_transmit_bytes,
            "Bytes that the GPU sent, counted by it.";
        counter "aura_gpu_pcie_receive_bytes_total" in Bytes = gpu.values.pcie_receive_bytes,
            "Bytes that the GPU received, counted by it.";
        counter "aura_gpu_pcie_replays_total" = gpu.values.pcie_replays, "PCIe packets that were sent again.";
    }
    for (index, gpu) in reading.numbered(), link in &gpu.values.nvlinks
        => { gpu: index, uuid: gpu.identity.uuid, link: link.link.to_string() } {
        counter "aura_gpu_nvlink_transmit_bytes_total" in Bytes = link.transmit_bytes, "Bytes sent over a link.";
        counter "aura_gpu_nvlink_receive_bytes_total" in Bytes = link.receive_bytes, "Bytes received over a link.";
    }
    for (index, gpu) in reading.numbered(), (kind, errors) in &gpu.values.nvlink_errors
        => { gpu: index, uuid: gpu.identity.uuid, kind } {
        counter "aura_gpu_nvlink_errors_total" = *errors, "Errors of all links together.";
    }
    for (index, gpu) in reading.numbered() => { gpu: index, uuid: gpu.identity.uuid } {
        gauge "aura_gpu_ecc_enabled" = gpu.values.ecc_enabled, "Whether memory errors are corrected.";
    }
    for (index, gpu) in reading.numbered(),
        (kind, value) in [
            ("corrected", gpu.values.ecc_corrected),
            ("uncorrected", gpu.values.ecc_uncorrected),
        ]
        => { gpu: index, uuid: gpu.identity.uuid, kind } {
        counter "aura_gpu_ecc_errors_total" = value, "Memory errors since the driver was loaded.";
    }
    for (index, gpu) in reading.numbered(),
        (kind, value) in [
            ("corrected", gpu.values.ecc_corrected_lifetime),
            ("uncorrected", gpu.values.ecc_uncorrected_lifetime),
        ]
        => { gpu: index, uuid: gpu.identity.uuid, kind } {
        counter "aura_gpu_ecc_errors_lifetime_total" = value, "Memory errors in the card's life.";
    }
    for (index, gpu) in reading.numbered(),
        (cause, value) in [
            ("corrected", gpu.values.retired_single),
            ("uncorrected", gpu.values.retired_double),
        ]
        => { gpu: index, uuid: gpu.identity.uuid, cause } {
        gauge "aura_gpu_retired_pages" = value, "Memory pages that are no longer used.";
    }
    for (index, gpu) in reading.numbered() => { gpu: index, uuid: gpu.identity.uuid } {
        gauge "aura_gpu_retired_pages_pending" = gpu.values.retired_pending,
            "Whether pages will be retired when the driver is restarted.";
    }
    for (index, gpu) in reading.numbered(),
        (cause, value) in [
            ("corrected", gpu.values.remapped_corrected),
            ("uncorrected", gpu.values.remapped_uncorrected),
        ]
        => { gpu: index, uuid: gpu.identity.uuid, cause } {
        gauge "aura_gpu_remapped_rows" = value, "Memory rows that were replaced.";
    }
    for (index, gpu) in reading.numbered() => { gpu: index, uuid: gpu.identity.uuid } {
        gauge "aura_gpu_row_remap_pending" = gpu.values.remap_pending,
            "Whether rows will be replaced at the next reset.";
        gauge "aura_gpu_row_remap_failed" = gpu.values.remap_failed, "Whether a row could not be replaced.";
    }
    for (index, gpu) in reading.numbered(), (code, xid) in gpu.xids.iter().flat_map(|xids| &xids.seen)
        => { gpu: index, uuid: gpu.identity.uuid, xid: code.to_string() } {
        counter "aura_gpu_xid_errors_total" = xid.count,
            "Errors that NVIDIA's driver reported since the agent began to listen, by code.";
        gauge "aura_gpu_xid_last_timestamp_seconds" in Seconds = xid.last_at,
            "When an error was last reported, by code.";
    }
    for (index, gpu) in reading.numbered() => { gpu: index, uuid: gpu.identity.uuid } {
        gauge "aura_gpu_mig_enabled" = gpu.values.mig_enabled, "Whether the card can be partitioned (MIG).";
    }
    for (index, gpu) in reading.numbered(), instance in &gpu.instances => {
        gpu: index,
        uuid: gpu.identity.uuid,
        instance: instance.gpu_instance.map_or_else(String::new, |number| number.to_string()),
        instance_uuid: instance.uuid,
        profile: instance.profile,
    } {
        gauge "aura_gpu_instance_memory_total_bytes" in Bytes = instance.memory_total, "Memory of a partition.";
        gauge "aura_gpu_instance_memory_used_bytes" in Bytes = instance.memory_used,
            "Memory of a partition that programs use.";
        gauge "aura_gpu_instance_memory_free_bytes" in Bytes = instance.memory_free,
            "Memory of a partition that is not in use.";
    }
    for (index, gpu) in reading.numbered(), process in gpu.processes.iter().flatten() => {
        gpu: index,
        uuid: gpu.identity.uuid,
        pid: process.pid.to_string(),
        process: process.name.as_deref().unwrap_or_default(),
    } {
        gauge "aura_gpu_process_memory_bytes" in Bytes = process.memory,
            "GPU memory of a process; the 32 largest are shown.";
        gauge "aura_gpu_process_utilization_ratio" in Ratio = process.busy,
            "Share of time in which a process's work ran, since the sample before.";
    }
    for (index, gpu) in reading.numbered(), process in gpu.processes.iter().flatten(), pid in [process.pid.to_string()],
        engine in &process.engines => {
        gpu: index,
        uuid: gpu.identity.uuid,
        pid,
        process: process.name.as_deref().unwrap_or_default(),
        engine: engine.name,
    } {
        counter "aura_gpu_process_engine_busy_seconds_total" in Seconds = engine.busy.seconds(),
            "Time that an engine worked for what a process has open now (AMD, Intel's i915).";
        counter "aura_gpu_process_engine_busy_cycles_total" = engine.busy.cycles().map(|(busy, _)| busy),
            "Cycles that an engine worked for what a process has open now (Intel's xe).";
        counter "aura_gpu_process_engine_cycles_total" = engine.busy.cycles().map(|(_, total)| total),
            "Cycles that went by on the clock of busy_cycles_total.";
    }
    for (index, gpu) in reading.numbered(), profile in gpu.values.profile.iter(), (part, share) in [
        ("graphics", profile.graphics),
        ("sm", profile.sm),
        ("sm_occupancy", profile.sm_occupancy),
        ("tensor", profile.tensor),
        ("memory", profile.memory),
        ("fp64", profile.fp64),
        ("fp32", profile.fp32),
        ("fp16", profile.fp16),
    ] => { gpu: index, uuid: gpu.identity.uuid, part } {
        gauge "aura_gpu_profile_ratio" in Ratio = share,
            "What the chip's own counters say (Hopper and later): share of time in which a part worked.";
    }
};

impl GpuReading {
    /// Each GPU with its number as labels have it.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (String, &Gpu)> {
        self.gpus.iter().map(|gpu| (gpu.index.to_string(), gpu))
    }
}

impl Gpu {
    /// Whether it answers; one that sleeps is neither up nor down.
    fn up(&self) -> Option<bool> {
        match &self.missing {
            None => Some(true),
            Some(missing) => (missing.reason != Reason::NoSensor).then_some(false),
        }
    }
}

impl Busy {
    fn seconds(self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "nanoseconds")]
            Self::Nanoseconds(nanoseconds) => Some(nanoseconds as f64 / 1e9),
            Self::Cycles { .. } => None,
        }
    }

    /// Cycles worked, and cycles gone by.
    fn cycles(self) -> Option<(u64, u64)> {
        match self {
            Self::Cycles { busy, total } => Some((busy, total)),
            Self::Nanoseconds(_) => None,
        }
    }
}
