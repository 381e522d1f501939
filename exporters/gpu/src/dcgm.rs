//! NVIDIA's cards under dcgm-exporter's names, labels and units (MiB, mJ, MHz, percent), which break the rules of
//! naming and are kept as they are, so that dashboards and alerts made for it work unchanged.

use aura_model::{Emit, Metric, Unit, Value, counter, gauge};

use crate::{
    nvidia::xid,
    reading::{Gpu, GpuReading, Profile, Values, Vendor},
};

/// What every series carries.
const LABELS: &[&str] = &["gpu", "UUID", "pci_bus_id", "device", "modelName", "hostname", "DCGM_FI_DRIVER_VERSION"];

/// One value a card.
macro_rules! field {
    ($kind:ident, $name:literal, $help:literal, $take:expr) => {
        $kind(concat!("DCGM_FI_", $name), $help, Unit::None, LABELS, |reading, emit| {
            let take: fn(&Values) -> Option<_> = $take;
            for gpu in cards(reading) {
                if let Some(value) = take(&gpu.values) {
                    sample(reading, gpu, &[], emit, value.into());
                }
            }
        })
    };
}

/// Memory: one value a card, or a partition of one.
macro_rules! memory {
    ($name:literal, $help:literal, $field:ident) => {
        gauge(concat!("DCGM_FI_DEV_", $name), $help, Unit::None, LABELS, |reading, emit| {
            for gpu in cards(reading) {
                if let Some(bytes) = gpu.values.$field {
                    sample(reading, gpu, &[], emit, mebibytes(bytes).into());
                }
                for instance in &gpu.instances {
                    let number = instance.gpu_instance.map(|number| number.to_string());
                    if let Some((number, bytes)) = number.zip(instance.$field) {
                        let labels = [("GPU_I_PROFILE", &*instance.profile), ("GPU_I_ID", &*number)];
                        sample(reading, gpu, &labels, emit, mebibytes(bytes).into());
                    }
                }
            }
        })
    };
}

macro_rules! profiled {
    ($name:literal, $help:literal, $field:ident) => {
        field!(gauge, $name, $help, |gpu| gpu.profile.and_then(|profile: Profile| profile.$field))
    };
}

pub(crate) const METRICS: &[Metric<GpuReading>] = &[
    field!(gauge, "DEV_SM_CLOCK", "SM clock frequency (in MHz).", |gpu| whole(gpu.clock_sm, 1e-6)),
    field!(gauge, "DEV_MEM_CLOCK", "Memory clock frequency (in MHz).", |gpu| whole(gpu.clock_memory, 1e-6)),
    field!(gauge, "DEV_MEMORY_TEMP", "Memory temperature (in C).", |gpu| whole(gpu.temperature_memory, 1.0)),
    field!(gauge, "DEV_GPU_TEMP", "GPU temperature (in C).", |gpu| whole(gpu.temperature, 1.0)),
    field!(gauge, "DEV_SLOWDOWN_TEMP", "Slowdown temperature for the device (in C).", |gpu| whole(
        gpu.temperature_slowdown,
        1.0
    )),
    field!(gauge, "DEV_SHUTDOWN_TEMP", "Shutdown temperature for the device (in C).", |gpu| whole(
        gpu.temperature_shutdown,
        1.0
    )),
    field!(gauge, "DEV_POWER_USAGE", "Power draw (in W).", |gpu| gpu.power),
    field!(gauge, "DEV_POWER_MGMT_LIMIT", "Power limit in force (in W).", |gpu| gpu.power_limit),
    field!(counter, "DEV_TOTAL_ENERGY_CONSUMPTION", "Total energy consumption since boot (in mJ).", |gpu| whole(
        gpu.energy, 1e3
    )),
    field!(
        counter,
        "DEV_PCIE_TX_THROUGHPUT",
        "PCIe transmit throughput over the last 20 ms (in KB/s) via NVML; typed as upstream has it.",
        |gpu| whole(gpu.pcie_transmit_rate, 1e-3)
    ),
    field!(
        counter,
        "DEV_PCIE_RX_THROUGHPUT",
        "PCIe receive throughput over the last 20 ms (in KB/s) via NVML; typed as upstream has it.",
        |gpu| whole(gpu.pcie_receive_rate, 1e-3)
    ),
    field!(counter, "DEV_PCIE_REPLAY_COUNTER", "Total number of PCIe retries.", |gpu| gpu.pcie_replays),
    field!(gauge, "DEV_PCIE_LINK_GEN", "PCIe link generation in use.", |gpu| gpu.pcie_generation),
    field!(gauge, "DEV_PCIE_LINK_WIDTH", "PCIe link width in use.", |gpu| gpu.pcie_width),
    field!(gauge, "DEV_GPU_UTIL", "GPU utilization (in %).", |gpu| whole(gpu.busy, 100.0)),
    field!(gauge, "DEV_MEM_COPY_UTIL", "Memory utilization (in %).", |gpu| whole(gpu.memory_busy, 100.0)),
    field!(gauge, "DEV_ENC_UTIL", "Encoder utilization (in %).", |gpu| whole(gpu.encoder_busy, 100.0)),
    field!(gauge, "DEV_DEC_UTIL", "Decoder utilization (in %).", |gpu| whole(gpu.decoder_busy, 100.0)),
    field!(gauge, "DEV_FAN_SPEED", "Speed of the first fan (in % of its highest).", |gpu| whole(
        gpu.fan_ratio.first().copied(),
        100.0
    )),
    field!(gauge, "DEV_PSTATE", "Performance state: 0 is the fastest.", |gpu| gpu.performance_state),
    field!(gauge, "DEV_CLOCK_THROTTLE_REASONS", "Why clocks are held down, as the driver's bits.", |gpu| gpu
        .throttle_bits),
    gauge("DCGM_FI_DEV_XID_ERRORS", "Value of the last XID error encountered.", Unit::None, LABELS, |reading, emit| {
        for gpu in reading.gpus.iter().filter(|gpu| gpu.identity.vendor == Vendor::Nvidia) {
            if let Some(xids) = &gpu.xids {
                let code = xids.last.unwrap_or(0);
                let labels = [("err_code", &*code.to_string()), ("err_msg", xid::meaning(code))];
                sample(reading, gpu, &labels, emit, code.into());
            }
        }
    }),
    memory!("FB_FREE", "Framebuffer memory free (in MiB).", memory_free),
    memory!("FB_USED", "Framebuffer memory used (in MiB).", memory_used),
    memory!("FB_TOTAL", "Framebuffer memory (in MiB).", memory_total),
    field!(gauge, "DEV_FB_RESERVED", "Framebuffer memory reserved (in MiB).", |gpu| gpu.memory_reserved.map(mebibytes)),
    field!(counter, "DEV_ECC_SBE_VOL_TOTAL", "Total number of single-bit volatile ECC errors.", |gpu| gpu
        .ecc_corrected),
    field!(counter, "DEV_ECC_DBE_VOL_TOTAL", "Total number of double-bit volatile ECC errors.", |gpu| gpu
        .ecc_uncorrected),
    field!(counter, "DEV_ECC_SBE_AGG_TOTAL", "Total number of single-bit persistent ECC errors.", |gpu| gpu
        .ecc_corrected_lifetime),
    field!(counter, "DEV_ECC_DBE_AGG_TOTAL", "Total number of double-bit persistent ECC errors.", |gpu| gpu
        .ecc_uncorrected_lifetime),
    field!(counter, "DEV_RETIRED_SBE", "Total number of retired pages due to single-bit errors.", |gpu| gpu
        .retired_single),
    field!(counter, "DEV_RETIRED_DBE", "Total number of retired pages due to double-bit errors.", |gpu| gpu
        .retired_double),
    field!(counter, "DEV_RETIRED_PENDING", "Total number of pages pending retirement.", |gpu| gpu.retired_pending),
    field!(counter, "DEV_UNCORRECTABLE_REMAPPED_ROWS", "Number of remapped rows for uncorrectable errors", |gpu| gpu
        .remapped_uncorrected),
    field!(counter, "DEV_CORRECTABLE_REMAPPED_ROWS", "Number of remapped rows for correctable errors", |gpu| gpu
        .remapped_corrected),
    field!(gauge, "DEV_ROW_REMAP_FAILURE", "Whether remapping of rows has failed", |gpu| gpu.remap_failed),
    field!(gauge, "DEV_ROW_REMAP_PENDING", "Whether remapping of rows is pending", |gpu| gpu.remap_pending),
    field!(
        counter,
        "DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL",
        "Total number of NVLink flow-control CRC errors.",
        |gpu| nvlink_errors(gpu, "crc_flit")
    ),
    field!(counter, "DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL", "Total number of NVLink data CRC errors.", |gpu| {
        nvlink_errors(gpu, "crc_data")
    }),
    field!(counter, "DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL", "Total number of NVLink retries.", |gpu| nvlink_errors(
        gpu, "replay"
    )),
    field!(counter, "DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL", "Total number of NVLink recovery errors.", |gpu| {
        nvlink_errors(gpu, "recovery")
    }),
    profiled!("PROF_GR_ENGINE_ACTIVE", "Ratio of time the graphics engine is active.", graphics),
    profiled!("PROF_SM_ACTIVE", "The ratio of cycles an SM has at least 1 warp assigned.", sm),
    profiled!("PROF_SM_OCCUPANCY", "The ratio of number of warps resident on an SM.", sm_occupancy),
    profiled!("PROF_PIPE_TENSOR_ACTIVE", "Ratio of cycles the tensor (HMMA) pipe is active.", tensor),
    profiled!("PROF_DRAM_ACTIVE", "Ratio of cycles the device memory interface is active.", memory),
    profiled!("PROF_PIPE_FP64_ACTIVE", "Ratio of cycles the fp64 pipes are active.", fp64),
    profiled!("PROF_PIPE_FP32_ACTIVE", "Ratio of cycles the fp32 pipes are active.", fp32),
    profiled!("PROF_PIPE_FP16_ACTIVE", "Ratio of cycles the fp16 pipes are active.", fp16),
];

/// NVIDIA's cards that answer.
fn cards(reading: &GpuReading) -> impl Iterator<Item = &Gpu> {
    reading.gpus.iter().filter(|gpu| gpu.identity.vendor == Vendor::Nvidia && gpu.missing.is_none())
}

fn sample(reading: &GpuReading, gpu: &Gpu, more: &[(&str, &str)], emit: &mut dyn Emit, value: Value) {
    let index = gpu.index.to_string();
    let version = reading.nvidia.as_ref().map_or("", |driver| &*driver.driver);
    let it = &gpu.identity;
    let values = [&*index, &it.uuid, &it.pci_bus_id, &it.device, &it.name, &reading.hostname, version];
    if more.is_empty() {
        emit.sample(&values, value);
        return;
    }
    let labels: Vec<(&str, &str)> = LABELS.iter().copied().zip(values).chain(more.iter().copied()).collect();
    emit.labelled("", &labels, value);
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
