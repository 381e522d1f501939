//! NVIDIA's cards under dcgm-exporter's names, labels and units (MiB, mJ, MHz, percent), which break the rules of
//! naming and are kept as they are, so that dashboards and alerts made for it work unchanged.

use aura_model::{Emit, Metric, Unit, gauge, rows};

use crate::{
    nvidia::xid,
    reading::{Gpu, GpuReading, Instance, Values, Vendor},
};

/// What every series carries.
const LABELS: &[&str] = &["gpu", "UUID", "pci_bus_id", "device", "modelName", "hostname", "DCGM_FI_DRIVER_VERSION"];

pub(crate) const METRICS: &[Metric<GpuReading>] = rows! { |reading|
    for (index, gpu) in cards(reading), values in [&gpu.values] => {
        gpu: index, UUID: gpu.identity.uuid, pci_bus_id: gpu.identity.pci_bus_id, device: gpu.identity.device,
        modelName: gpu.identity.name, hostname: reading.hostname, DCGM_FI_DRIVER_VERSION: reading.driver_version()
    } {
        gauge "DCGM_FI_DEV_SM_CLOCK" = whole(values.clock_sm, 1e-6), "SM clock frequency (in MHz).";
        gauge "DCGM_FI_DEV_MEM_CLOCK" = whole(values.clock_memory, 1e-6), "Memory clock frequency (in MHz).";
        gauge "DCGM_FI_DEV_MEMORY_TEMP" = whole(values.temperature_memory, 1.0), "Memory temperature (in C).";
        gauge "DCGM_FI_DEV_GPU_TEMP" = whole(values.temperature, 1.0), "GPU temperature (in C).";
        gauge "DCGM_FI_DEV_SLOWDOWN_TEMP" = whole(values.temperature_slowdown, 1.0),
            "Slowdown temperature for the device (in C).";
        gauge "DCGM_FI_DEV_SHUTDOWN_TEMP" = whole(values.temperature_shutdown, 1.0),
            "Shutdown temperature for the device (in C).";
        gauge "DCGM_FI_DEV_POWER_USAGE" = values.power, "Power draw (in W).";
        gauge "DCGM_FI_DEV_POWER_MGMT_LIMIT" = values.power_limit, "Power limit in force (in W).";
        counter "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION" = whole(values.energy, 1e3),
            "Total energy consumption since boot (in mJ).";
        counter "DCGM_FI_DEV_PCIE_TX_THROUGHPUT" = whole(values.pcie_transmit_rate, 1e-3),
            "PCIe transmit throughput over the last 20 ms (in KB/s) via NVML; typed as upstream has it.";
        counter "DCGM_FI_DEV_PCIE_RX_THROUGHPUT" = whole(values.pcie_receive_rate, 1e-3),
            "PCIe receive throughput over the last 20 ms (in KB/s) via NVML; typed as upstream has it.";
        counter "DCGM_FI_DEV_PCIE_REPLAY_COUNTER" = values.pcie_replays, "Total number of PCIe retries.";
        gauge "DCGM_FI_DEV_PCIE_LINK_GEN" = values.pcie_generation, "PCIe link generation in use.";
        gauge "DCGM_FI_DEV_PCIE_LINK_WIDTH" = values.pcie_width, "PCIe link width in use.";
        gauge "DCGM_FI_DEV_GPU_UTIL" = whole(values.busy, 100.0), "GPU utilization (in %).";
        gauge "DCGM_FI_DEV_MEM_COPY_UTIL" = whole(values.memory_busy, 100.0), "Memory utilization (in %).";
        gauge "DCGM_FI_DEV_ENC_UTIL" = whole(values.encoder_busy, 100.0), "Encoder utilization (in %).";
        gauge "DCGM_FI_DEV_DEC_UTIL" = whole(values.decoder_busy, 100.0), "Decoder utilization (in %).";
        gauge "DCGM_FI_DEV_FAN_SPEED" = whole(values.fan_ratio.first().copied(), 100.0),
            "Speed of the first fan (in % of its highest).";
        gauge "DCGM_FI_DEV_PSTATE" = values.performance_state, "Performance state: 0 is the fastest.";
        gauge "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS" = values.throttle_bits,
            "Why clocks are held down, as the driver's bits.";
    }
    gauge("DCGM_FI_DEV_XID_ERRORS", "Value of the last XID error encountered.", Unit::None, LABELS, |reading, emit| {
        for (index, gpu) in reading.numbered().filter(|(_, gpu)| gpu.identity.vendor == Vendor::Nvidia) {
            if let Some(xids) = &gpu.xids {
                let code = xids.last.unwrap_or(0);
                let labels = [("err_code", &*code.to_string()), ("err_msg", xid::meaning(code))];
                emit.labelled("", &labelled(reading, &index, gpu, &labels), code.into());
            }
        }
    });
    gauge("DCGM_FI_DEV_FB_FREE", "Framebuffer memory free (in MiB).", Unit::None, LABELS, |reading, emit| {
        memory(reading, emit, |values| values.memory_free, |instance| instance.memory_free);
    });
    gauge("DCGM_FI_DEV_FB_USED", "Framebuffer memory used (in MiB).", Unit::None, LABELS, |reading, emit| {
        memory(reading, emit, |values| values.memory_used, |instance| instance.memory_used);
    });
    gauge("DCGM_FI_DEV_FB_TOTAL", "Framebuffer memory (in MiB).", Unit::None, LABELS, |reading, emit| {
        memory(reading, emit, |values| values.memory_total, |instance| instance.memory_total);
    });
    for (index, gpu) in cards(reading), values in [&gpu.values] => {
        gpu: index, UUID: gpu.identity.uuid, pci_bus_id: gpu.identity.pci_bus_id, device: gpu.identity.device,
        modelName: gpu.identity.name, hostname: reading.hostname, DCGM_FI_DRIVER_VERSION: reading.driver_version()
    } {
        gauge "DCGM_FI_DEV_FB_RESERVED" = values.memory_reserved.map(mebibytes),
            "Framebuffer memory reserved (in MiB).";
        counter "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL" = values.ecc_corrected,
            "Total number of single-bit volatile ECC errors.";
        counter "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL" = values.ecc_uncorrected,
            "Total number of double-bit volatile ECC errors.";
        counter "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL" = values.ecc_corrected_lifetime,
            "Total number of single-bit persistent ECC errors.";
        counter "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL" = values.ecc_uncorrected_lifetime,
            "Total number of double-bit persistent ECC errors.";
        counter "DCGM_FI_DEV_RETIRED_SBE" = values.retired_single,
            "Total number of retired pages due to single-bit errors.";
        counter "DCGM_FI_DEV_RETIRED_DBE" = values.retired_double,
            "Total number of retired pages due to double-bit errors.";
        counter "DCGM_FI_DEV_RETIRED_PENDING" = values.retired_pending, "Total number of pages pending retirement.";
        counter "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS" = values.remapped_uncorrected,
            "Number of remapped rows for uncorrectable errors";
        counter "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS" = values.remapped_corrected,
            "Number of remapped rows for correctable errors";
        gauge "DCGM_FI_DEV_ROW_REMAP_FAILURE" = values.remap_failed, "Whether remapping of rows has failed";
        gauge "DCGM_FI_DEV_ROW_REMAP_PENDING" = values.remap_pending, "Whether remapping of rows is pending";
        counter "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL" = nvlink_errors(values, "crc_flit"),
            "Total number of NVLink flow-control CRC errors.";
        counter "DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL" = nvlink_errors(values, "crc_data"),
            "Total number of NVLink data CRC errors.";
        counter "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL" = nvlink_errors(values, "replay"),
            "Total number of NVLink retries.";
        counter "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL" = nvlink_errors(values, "recovery"),
            "Total number of NVLink recovery errors.";
        gauge "DCGM_FI_PROF_GR_ENGINE_ACTIVE" = values.profile.and_then(|profile| profile.graphics),
            "Ratio of time the graphics engine is active.";
        gauge "DCGM_FI_PROF_SM_ACTIVE" = values.profile.and_then(|profile| profile.sm),
            "The ratio of cycles an SM has at least 1 warp assigned.";
        gauge "DCGM_FI_PROF_SM_OCCUPANCY" = values.profile.and_then(|profile| profile.sm_occupancy),
            "The ratio of number of warps resident on an SM.";
        gauge "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE" = values.profile.and_then(|profile| profile.tensor),
            "Ratio of cycles the tensor (HMMA) pipe is active.";
        gauge "DCGM_FI_PROF_DRAM_ACTIVE" = values.profile.and_then(|profile| profile.memory),
            "Ratio of cycles the device memory interface is active.";
        gauge "DCGM_FI_PROF_PIPE_FP64_ACTIVE" = values.profile.and_then(|profile| profile.fp64),
            "Ratio of cycles the fp64 pipes are active.";
        gauge "DCGM_FI_PROF_PIPE_FP32_ACTIVE" = values.profile.and_then(|profile| profile.fp32),
            "Ratio of cycles the fp32 pipes are active.";
        gauge "DCGM_FI_PROF_PIPE_FP16_ACTIVE" = values.profile.and_then(|profile| profile.fp16),
            "Ratio of cycles the fp16 pipes are active.";
    }
};

/// NVIDIA's cards that answer.
fn cards(reading: &GpuReading) -> impl Iterator<Item = (String, &Gpu)> {
    reading.numbered().filter(|(_, gpu)| gpu.identity.vendor == Vendor::Nvidia && gpu.missing.is_none())
}

impl GpuReading {
    fn driver_version(&self) -> &str {
        self.nvidia.as_ref().map_or("", |driver| &driver.driver)
    }
}

/// The labels of a card, and more.
fn labelled<'l>(
    reading: &'l GpuReading,
    index: &'l str,
    gpu: &'l Gpu,
    more: &[(&'l str, &'l str)],
) -> Vec<(&'l str, &'l str)> {
    let it = &gpu.identity;
    let values = [index, &it.uuid, &it.pci_bus_id, &it.device, &it.name, &reading.hostname, reading.driver_version()];
    LABELS.iter().copied().zip(values).chain(more.iter().copied()).collect()
}

/// Memory: one value a card, and one a partition of it.
fn memory(
    reading: &GpuReading,
    emit: &mut dyn Emit,
    card: fn(&Values) -> Option<u64>,
    partition: fn(&Instance) -> Option<u64>,
) {
    for (index, gpu) in cards(reading) {
        if let Some(bytes) = card(&gpu.values) {
            emit.labelled("", &labelled(reading, &index, gpu, &[]), mebibytes(bytes).into());
        }
        for instance in &gpu.instances {
            let number = instance.gpu_instance.map(|number| number.to_string());
            if let Some((number, bytes)) = number.zip(partition(instance)) {
                let labels = [("GPU_I_PROFILE", &*instance.profile), ("GPU_I_ID", &*number)];
                emit.labelled("", &labelled(reading, &index, gpu, &labels), mebibytes(bytes).into());
            }
        }
    }
}

fn nvlink_errors(gpu: &Values, kind: &str) -> Option<u64> {
    gpu.nvlink_errors.iter().find(|(other, _)| *other == kind).map(|&(_, errors)| errors)
}

fn mebibytes(bytes: u64) -> u64 {
    bytes >> 20
}

/// The driver gave a whole number in upstream's unit; ours is a multiple of it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "none is negative or that large")]
fn whole(value: Option<f64>, factor: f64) -> Option<u64> {
    value.map(|value| (value * factor).round() as u64)
}
