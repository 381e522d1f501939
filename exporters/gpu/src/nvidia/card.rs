//! One NVIDIA card: every call by itself, since each may be unsupported on its own.

use std::sync::Arc;

use aura_model::{Name, Reason};
use nvml_wrapper::{
    Device,
    bitmasks::device::ThrottleReasons,
    enum_wrappers::device::{
        Clock, EccCounter, MemoryError, PcieUtilCounter, PerformancePolicy, TemperatureSensor, TemperatureThreshold,
    },
    error::NvmlError,
    sys_exports::field_id as id,
};

use super::{ask::Ask, processes, raw, watcher::Reports};
use crate::{
    process::Processes,
    reading::{Gpu, Identity, Instance, NvLink, Values},
};

/// What is remembered of a card from one sample to the next.
#[derive(Default)]
pub(super) struct Memory {
    /// How many links it has, once it has said so.
    links: Option<u32>,
    /// The newest time of a process's utilisation, by the driver's clock.
    pub(super) processes_until: u64,
}

/// Reads a card.
pub(super) fn read(
    device: &Device<'_>,
    identity: &Arc<Identity>,
    memory: &mut Memory,
    known: &mut Processes,
    reports: &Reports,
) -> Result<Gpu, NvmlError> {
    let mut ask = Ask::default();
    let mut gpu = Gpu::new(identity.clone());
    gpu.values = values(device, &mut ask);
    fields(device, &mut ask, memory, &mut gpu.values);
    gpu.values.profile = reports.profile(&identity.uuid);
    if gpu.values.mig_enabled == Some(true) {
        gpu.instances = instances(device, &mut ask);
    }
    gpu.processes = processes::read(device, &mut ask, memory, known, gpu.values.memory_total);
    gpu.xids = reports.xids(&identity.uuid);
    gpu.unavailable = ask.finish()?;
    if reports.is_silent(&identity.uuid) {
        gpu.unavailable.insert("xid_events", Reason::NoSensor);
    }
    Ok(gpu)
}

fn values(device: &Device<'_>, ask: &mut Ask) -> Values {
    let mut values = Values::default();
    if let Some(busy) = ask.ask("utilization", || device.utilization_rates()) {
        values.busy = share(busy.gpu);
        values.memory_busy = share(busy.memory);
    }
    values.encoder_busy =
        ask.ask("encoder_utilization", || device.encoder_utilization()).and_then(|encoder| share(encoder.utilization));
    values.decoder_busy =
        ask.ask("decoder_utilization", || device.decoder_utilization()).and_then(|decoder| share(decoder.utilization));
    if let Some(memory) = ask.ask("memory", || memory_of(device)) {
        values.memory_total = Some(memory.total);
        values.memory_used = Some(memory.used);
        values.memory_free = Some(memory.free);
        values.memory_reserved = memory.reserved;
    }
    values.temperature = ask.ask("temperature", || device.temperature(TemperatureSensor::Gpu)).map(f64::from);
    let mut limit =
        |what, limit: TemperatureThreshold| ask.ask(what, || device.temperature_threshold(limit)).map(f64::from);
    values.temperature_slowdown = limit("temperature_slowdown", TemperatureThreshold::Slowdown);
    values.temperature_shutdown = limit("temperature_shutdown", TemperatureThreshold::Shutdown);
    values.temperature_max_operating = limit("temperature_max_operating", TemperatureThreshold::GpuMax);
    values.power = ask.ask("power", || device.power_usage()).map(thousandth);
    values.power_limit = ask.ask("power_limit", || device.enforced_power_limit()).map(thousandth);
    #[expect(clippy::cast_precision_loss, reason = "millijoules")]
    let energy = ask.ask("energy", || device.total_energy_consumption()).map(|energy| energy as f64 / 1000.0);
    values.energy = energy;
    let mut clock = |what, clock: Clock| ask.ask(what, || device.clock_info(clock)).map(megahertz);
    values.clock_graphics = clock("clock_graphics", Clock::Graphics);
    values.clock_sm = clock("clock_sm", Clock::SM);
    values.clock_memory = clock("clock_memory", Clock::Memory);
    values.clock_video = clock("clock_video", Clock::Video);
    let mut highest = |what, clock: Clock| ask.ask(what, || device.max_clock_info(clock)).map(megahertz);
    values.clock_graphics_max = highest("clock_graphics_max", Clock::Graphics);
    values.clock_memory_max = highest("clock_memory_max", Clock::Memory);
    let fans = ask.ask("fans", || device.num_fans()).unwrap_or(0);
    values.fan_ratio = (0..fans)
        .filter_map(|fan| ask.ask("fans", || device.fan_speed(fan)))
        .map(|percent| f64::from(percent) / 100.0)
        .collect();
    values.fan_rpm =
        (0..fans).filter_map(|fan| ask.ask("fan_rpm", || device.fan_speed_rpm(fan))).map(f64::from).collect();
    // The driver's word for "cannot tell" is the state after the last.
    values.performance_state = ask
        .ask("performance_state", || device.performance_state())
        .map(|state| state as u32)
        .filter(|&state| state < 16);
    throttling(device, ask, &mut values);
    values.pcie_generation = ask.ask("pcie_generation", || device.current_pcie_link_gen());
    values.pcie_width = ask.ask("pcie_width", || device.current_pcie_link_width());
    let mut rate = |counter: PcieUtilCounter| {
        ask.ask("pcie_throughput", || device.pcie_throughput(counter)).map(|kilobytes| f64::from(kilobytes) * 1000.0)
    };
    values.pcie_transmit_rate = rate(PcieUtilCounter::Send);
    values.pcie_receive_rate = rate(PcieUtilCounter::Receive);
    ecc(device, ask, &mut values);
    values.mig_enabled = ask.ask("mig", || device.mig_mode()).map(|mode| mode.current == 1);
    values
}

struct CardMemory {
    total: u64,
    used: u64,
    free: u64,
    /// None where it is a part of what is used.
    reserved: Option<u64>,
}

/// The memory of a card or partition. Drivers before 510, and some under WSL, have the older call alone.
fn memory_of(device: &Device<'_>) -> Result<CardMemory, NvmlError> {
    let (memory, version) = match device.memory_info() {
        Ok(it) => {
            (CardMemory { total: it.total, used: it.used, free: it.free, reserved: Some(it.reserved) }, it.version)
        }
        Err(NvmlError::FailedToLoadSymbol(_) | NvmlError::FunctionNotFound) => {
            let it = raw::memory(device)?;
            (CardMemory { total: it.total, used: it.used, free: it.free, reserved: None }, 1)
        }
        Err(error) => return Err(error),
    };
    // More in use than there is: the driver has filled in another structure than it says.
    if memory.used <= memory.total { Ok(memory) } else { Err(NvmlError::UnexpectedVariant(version)) }
}

/// Each reason that the driver can give; what is set beside them belongs to a newer driver.
const REASONS: [(&str, ThrottleReasons); 9] = [
    ("gpu_idle", ThrottleReasons::GPU_IDLE),
    ("applications_clocks_setting", ThrottleReasons::APPLICATIONS_CLOCKS_SETTING),
    ("sw_power_cap", ThrottleReasons::SW_POWER_CAP),
    ("hw_slowdown", ThrottleReasons::HW_SLOWDOWN),
    ("sync_boost", ThrottleReasons::SYNC_BOOST),
    ("sw_thermal_slowdown", ThrottleReasons::SW_THERMAL_SLOWDOWN),
    ("hw_thermal_slowdown", ThrottleReasons::HW_THERMAL_SLOWDOWN),
    ("hw_power_brake_slowdown", ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN),
    ("display_clock_setting", ThrottleReasons::DISPLAY_CLOCK_SETTING),
];

fn throttling(device: &Device<'_>, ask: &mut Ask, values: &mut Values) {
    if let Some(now) = ask.ask("throttle_reasons", || device.current_throttle_reasons()) {
        values.throttle = Some(REASONS.iter().map(|&(name, reason)| (name, now.contains(reason))).collect());
        values.throttle_bits = Some(now.bits());
    }
    let policies = [
        ("power", PerformancePolicy::Power),
        ("thermal", PerformancePolicy::Thermal),
        ("sync_boost", PerformancePolicy::SyncBoost),
        ("board_limit", PerformancePolicy::BoardLimit),
        ("low_utilization", PerformancePolicy::LowUtilization),
        ("reliability", PerformancePolicy::Reliability),
    ];
    for (name, policy) in policies {
        if let Some(status) = ask.ask("throttled_time", || device.violation_status(policy)) {
            #[expect(clippy::cast_precision_loss, reason = "nanoseconds")]
            let seconds = status.violation_time as f64 / 1e9;
            values.throttled_seconds.push((name, seconds));
        }
    }
}

fn ecc(device: &Device<'_>, ask: &mut Ask, values: &mut Values) {
    values.ecc_enabled = ask.ask("ecc", || device.is_ecc_enabled()).map(|state| state.currently_enabled);
    if values.ecc_enabled != Some(true) {
        return;
    }
    let mut errors = |kind: MemoryError, counter| ask.ask("ecc_errors", || device.total_ecc_errors(kind, counter));
    values.ecc_corrected = errors(MemoryError::Corrected, EccCounter::Volatile);
    values.ecc_uncorrected = errors(MemoryError::Uncorrected, EccCounter::Volatile);
    values.ecc_corrected_lifetime = errors(MemoryError::Corrected, EccCounter::Aggregate);
    values.ecc_uncorrected_lifetime = errors(MemoryError::Uncorrected, EccCounter::Aggregate);
}

/// What the driver gives by number, all in one call; link fields once a link.
fn fields(device: &Device<'_>, ask: &mut Ask, memory: &mut Memory, values: &mut Values) {
    const NVLINK_ERRORS: [(&str, u32); 4] = [
        ("crc_flit", id::NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL),
        ("crc_data", id::NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL),
        ("replay", id::NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL),
        ("recovery", id::NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL),
    ];
    /// More links than any card has: a wrong answer must not make the list grow.
    const MOST_LINKS: u64 = 64;
    let single = [
        ("temperature_memory", id::NVML_FI_DEV_MEMORY_TEMP),
        ("pcie_replays", id::NVML_FI_DEV_PCIE_REPLAY_COUNTER),
        ("pcie_bytes", id::NVML_FI_DEV_PCIE_COUNT_TX_BYTES),
        ("pcie_bytes", id::NVML_FI_DEV_PCIE_COUNT_RX_BYTES),
        ("retired_pages", id::NVML_FI_DEV_RETIRED_SBE),
        ("retired_pages", id::NVML_FI_DEV_RETIRED_DBE),
        ("retired_pages", id::NVML_FI_DEV_RETIRED_PENDING),
        ("remapped_rows", id::NVML_FI_DEV_REMAPPED_COR),
        ("remapped_rows", id::NVML_FI_DEV_REMAPPED_UNC),
        ("remapped_rows", id::NVML_FI_DEV_REMAPPED_PENDING),
        ("remapped_rows", id::NVML_FI_DEV_REMAPPED_FAILURE),
        ("nvlink", id::NVML_FI_DEV_NVLINK_LINK_COUNT),
    ];
    let links = memory.links.unwrap_or(0);
    let mut asked: Vec<(u32, u32)> = single.iter().map(|&(_, field)| (field, 0)).collect();
    if links > 0 {
        asked.extend(NVLINK_ERRORS.iter().map(|&(_, field)| (field, 0)));
    }
    for link in 0..links {
        asked.push((id::NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, link));
        asked.push((id::NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX, link));
    }
    let Some(answers) = ask.ask("fields", || raw::fields(device, &asked)) else { return };
    let mut answers = answers.into_iter();
    let mut of_single = single.map(|_| None);
    for ((what, _), (value, answer)) in single.into_iter().zip(of_single.iter_mut().zip(&mut answers)) {
        *value = ask.ask(what, || answer);
    }
    let [
        hot,
        replays,
        transmit,
        receive,
        single_bit,
        double_bit,
        retire,
        corrected,
        uncorrected,
        pending,
        failed,
        count,
    ] = of_single;
    #[expect(clippy::cast_precision_loss, reason = "degrees")]
    let hot = hot.filter(|&degrees| degrees > 0).map(|degrees| degrees as f64);
    values.temperature_memory = hot;
    values.pcie_replays = replays;
    values.pcie_transmit_bytes = transmit;
    values.pcie_receive_bytes = receive;
    values.retired_single = single_bit;
    values.retired_double = double_bit;
    values.retired_pending = retire.map(|pages| pages > 0);
    values.remapped_corrected = corrected;
    values.remapped_uncorrected = uncorrected;
    values.remap_pending = pending.map(|rows| rows > 0);
    values.remap_failed = failed.map(|rows| rows > 0);
    if links > 0 {
        for ((kind, _), answer) in NVLINK_ERRORS.into_iter().zip(&mut answers) {
            values.nvlink_errors.extend(ask.ask("nvlink_errors", || answer).map(|errors| (kind, errors)));
        }
    }
    for link in 0..links {
        let mut bytes = || {
            let answer = answers.next()?;
            ask.ask("nvlink_traffic", || answer)?.checked_mul(1024)
        };
        values.nvlinks.push(NvLink { link, transmit_bytes: bytes(), receive_bytes: bytes() });
    }
    memory.links = count.map(|count| u32::try_from(count.min(MOST_LINKS)).unwrap_or(0));
}

fn instances(device: &Device<'_>, ask: &mut Ask) -> Vec<Instance> {
    let most = ask.ask("mig_instances", || device.mig_device_count()).unwrap_or(0);
    let instance = |index| {
        // Numbers are not dense: a place without an instance is not found.
        let partition = device.mig_device_by_index(index).ok()?;
        let name = partition.name().unwrap_or_default();
        let profile: Name = name.rsplit_once(" MIG ").map_or("", |(_, profile)| profile).into();
        let memory = memory_of(&partition).ok();
        Some(Instance {
            uuid: partition.uuid().ok()?.into(),
            profile,
            gpu_instance: raw::gpu_instance(&partition).ok(),
            memory_total: memory.as_ref().map(|memory| memory.total),
            memory_used: memory.as_ref().map(|memory| memory.used),
            memory_free: memory.as_ref().map(|memory| memory.free),
        })
    };
    (0..most).filter_map(instance).collect()
}

/// The driver gives percent; more than all of it is no answer.
fn share(percent: u32) -> Option<f64> {
    (percent <= 100).then(|| f64::from(percent) / 100.0)
}

fn thousandth(number: u32) -> f64 {
    f64::from(number) / 1000.0
}

fn megahertz(megahertz: u32) -> f64 {
    f64::from(megahertz) * 1e6
}
