//! The message of `/ws/system` and `/api/system`: names and shapes that dashboards of existing installations use,
//! and more. Bytes are bytes, `*_gb` are GiB, `*_mb` are MiB a second, percentages go from 0 to 100. What is not
//! known is `null` and says why under `missing`; what the box does not have is absent and says why there too.

use std::collections::BTreeMap;

use aura_model::{Missing, Name};
use schemars::JsonSchema;
use serde::Serialize;

/// The JSON schema of the message.
#[must_use]
pub fn schema() -> String {
    crate::api::schema::<SystemUpdate>()
}

/// One message.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SystemUpdate {
    /// Always `system_update`.
    pub r#type: &'static str,
    /// One more with each reading of the host since the agent started.
    pub seq: u64,
    /// When the host was read, RFC 3339.
    pub sampled_at: String,
    /// The same as `sampled_at`.
    pub timestamp: String,
    /// From one reading to the next, in seconds.
    pub interval_seconds: f64,
    /// What was read and derived.
    pub metrics: Metrics,
    /// Why what is `null` or absent in `metrics` is missing, by its path there.
    pub missing: BTreeMap<&'static str, Missing>,
    /// How each source fares.
    pub sources: Vec<SourceState>,
    /// Limits that are exceeded now.
    pub alerts: Vec<Alert>,
}

/// How a source fares.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SourceState {
    /// Its name in the configuration.
    pub name: &'static str,
    /// `fresh`, `stale`, `starting` or `off`.
    pub state: &'static str,
    /// Why it is not fresh, as a code.
    pub reason: Option<&'static str>,
    /// Why it is not fresh, as a sentence.
    pub detail: Option<String>,
    /// Age of its newest reading.
    pub age_seconds: Option<f64>,
    /// From one of its samples to the next.
    pub interval_seconds: f64,
    /// How long its newest sample took.
    pub duration_seconds: Option<f64>,
}

/// A limit that is exceeded.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Alert {
    /// Its name in the configuration.
    pub name: &'static str,
    /// `warning` or `critical`.
    pub severity: &'static str,
    /// The value now.
    pub value: f64,
    /// The limit.
    pub threshold: f64,
    /// The unit of both.
    pub unit: &'static str,
    /// Since when it is exceeded, RFC 3339.
    pub since: String,
}

/// The host.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Metrics {
    /// When the host was read, RFC 3339.
    pub timestamp: String,
    /// What the machine is.
    pub platform: Platform,
    /// Processors.
    pub cpu: Cpu,
    /// Memory; `null` when it could not be read.
    pub memory: Option<Memory>,
    /// Disks and file systems.
    pub disk: Disk,
    /// Network.
    pub network: Option<Network>,
    /// Temperatures by chip; absent without a sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<BTreeMap<String, Vec<Temperature>>>,
    /// GPUs; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Vec<Gpu>>,
    /// Share of time in which tasks waited for something; absent when the kernel does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// The processes that use most.
    pub processes: Option<Processes>,
}

/// What the machine is.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Platform {
    /// Kernel's name: `Linux`.
    pub system: Option<String>,
    /// Kernel's release.
    pub release: Option<String>,
    /// Architecture.
    pub machine: Option<String>,
    /// Processor model.
    pub processor: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// Distribution, as it calls itself.
    pub distribution: Option<String>,
    /// When the kernel started, RFC 3339.
    pub boot_time: Option<String>,
    /// How long it has been running.
    pub uptime_seconds: Option<f64>,
}

/// Processors.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Cpu {
    /// Share of time in which they worked.
    pub usage_percent: Option<f64>,
    /// Cores; `null` when the kernel does not say.
    pub count_physical: Option<u64>,
    /// Hardware threads that are online.
    pub count_logical: Option<u64>,
    /// Clock of all together, in MHz.
    pub frequency: Option<Frequency>,
    /// Share of time in which each worked, in the order of their numbers.
    pub per_cpu_percent: Option<Vec<f64>>,
    /// Runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes.
    pub load_average: Option<[f64; 3]>,
    /// Share of time in each mode.
    pub mode_percent: Option<BTreeMap<&'static str, f64>>,
}

/// Clock in MHz: the mean now, the lowest and the highest that the processor can do.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Frequency {
    /// Mean of all cores now.
    pub current: f64,
    /// Lowest.
    pub min: Option<f64>,
    /// Highest.
    pub max: Option<f64>,
}

/// Memory, in bytes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Memory {
    /// All there is.
    pub total: u64,
    /// What programs can get without swapping.
    pub available: u64,
    /// `total` less `available`.
    pub used: u64,
    /// Not used for anything.
    pub free: u64,
    /// Buffers of block devices.
    pub buffers: Option<u64>,
    /// Page cache.
    pub cached: Option<u64>,
    /// `used` as a share of `total`.
    pub percent: f64,
    /// GiB.
    pub total_gb: f64,
    /// GiB.
    pub available_gb: f64,
    /// GiB.
    pub used_gb: f64,
    /// Swap; `null` when the kernel does not say.
    pub swap: Option<Swap>,
}

/// Swap, in bytes; all zero when there is none.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Swap {
    /// All there is.
    pub total: u64,
    /// In use.
    pub used: u64,
    /// Not in use.
    pub free: u64,
    /// `used` as a share of `total`; `null` without swap.
    pub percent: Option<f64>,
}

/// Disks: the root file system first, as older dashboards want it, then all.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Disk {
    /// Where the root file system is mounted; what follows up to `free_gb` is about it.
    pub path: &'static str,
    /// Bytes.
    pub total: Option<u64>,
    /// Bytes.
    pub used: Option<u64>,
    /// Bytes that users can still fill.
    pub free: Option<u64>,
    /// `used` as a share of what users can fill.
    pub percent: Option<f64>,
    /// GiB.
    pub total_gb: Option<f64>,
    /// GiB.
    pub used_gb: Option<f64>,
    /// GiB.
    pub free_gb: Option<f64>,
    /// All disks together, partitions not counted again.
    pub io: Option<DiskSpeed>,
    /// Every watched file system.
    pub filesystems: Vec<Filesystem>,
    /// Every watched disk.
    pub devices: Vec<Device>,
}

/// MiB a second.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DiskSpeed {
    /// Read.
    pub read_speed_mb: f64,
    /// Written.
    pub write_speed_mb: f64,
}

/// A mounted file system; sizes in bytes, `null` when it does not answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Filesystem {
    /// What is mounted.
    pub device: Name,
    /// Where.
    pub mountpoint: Name,
    /// Kind.
    pub fstype: Name,
    /// All there is.
    pub size: Option<u64>,
    /// Not in use.
    pub free: Option<u64>,
    /// Not in use and open to users.
    pub available: Option<u64>,
    /// In use.
    pub used: Option<u64>,
    /// `used` as a share of `used` and `available`, as df has it.
    pub percent: Option<f64>,
    /// Inodes.
    pub files: Option<u64>,
    /// Inodes not in use.
    pub files_free: Option<u64>,
    /// Whether it is mounted read-only.
    pub readonly: bool,
    /// Why it does not answer.
    pub error: Option<String>,
}

/// A disk; `null` until there are two readings.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Device {
    /// Its name.
    pub device: Name,
    /// Bytes.
    pub read_bytes_per_second: Option<f64>,
    /// Bytes.
    pub write_bytes_per_second: Option<f64>,
    /// Completed reads.
    pub reads_per_second: Option<f64>,
    /// Completed writes.
    pub writes_per_second: Option<f64>,
    /// Share of time in which it had something to do.
    pub busy_percent: Option<f64>,
}

/// Network: all interfaces but loopback together since boot, then each.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Network {
    /// Since boot.
    pub bytes_sent: u64,
    /// Since boot.
    pub bytes_recv: u64,
    /// Since boot.
    pub packets_sent: u64,
    /// Since boot.
    pub packets_recv: u64,
    /// Since boot.
    pub errors_in: u64,
    /// Since boot.
    pub errors_out: u64,
    /// MiB a second.
    pub speed: Option<NetworkSpeed>,
    /// Every interface.
    pub interfaces: Vec<Interface>,
}

/// MiB a second.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NetworkSpeed {
    /// Sent.
    pub upload_mb: f64,
    /// Received.
    pub download_mb: f64,
}

/// A network interface; rates are `null` until there are two readings.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Interface {
    /// Its name.
    pub device: Name,
    /// `up`, `down`, `unknown` and so on, as the kernel says.
    pub operstate: Option<Name>,
    /// Bytes.
    pub receive_bytes_per_second: Option<f64>,
    /// Bytes.
    pub transmit_bytes_per_second: Option<f64>,
    /// Since boot.
    pub receive_errors: u64,
    /// Since boot.
    pub transmit_errors: u64,
    /// Link speed in bytes a second.
    pub speed_bytes: Option<u64>,
}

/// A temperature in degrees Celsius.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Temperature {
    /// What it is of.
    pub label: String,
    /// Now.
    pub current: f64,
    /// Where it gets warm.
    pub high: Option<f64>,
    /// Where it gets dangerous.
    pub critical: Option<f64>,
}

/// Pressure stall information: the share of time in which tasks waited.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Pressure {
    /// For a processor.
    pub cpu: Option<Stall>,
    /// For memory.
    pub memory: Option<Stall>,
    /// For disks.
    pub io: Option<Stall>,
}

/// Share of time in which some, and in which all tasks waited.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stall {
    /// At least one task waited.
    pub some: Averages,
    /// All tasks waited.
    pub full: Option<Averages>,
}

/// Percent of the time.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Averages {
    /// Over 10 seconds.
    pub avg10: f64,
    /// Over 60 seconds.
    pub avg60: f64,
    /// Over 300 seconds.
    pub avg300: f64,
}

/// Processes. The table is dear to read, so it is read every 10 seconds, and with each reading while somebody looks.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Processes {
    /// When the table was read, RFC 3339.
    pub sampled_at: Option<String>,
    /// How many there are.
    pub total: Option<u64>,
    /// How many run now.
    pub running: Option<u64>,
    /// How many wait for a disk now.
    pub blocked: Option<u64>,
    /// Those that used most processor time since the table was last read.
    pub top_cpu: Vec<Process>,
    /// Those that hold most memory.
    pub top_memory: Vec<Process>,
}

/// A process.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its name, as the kernel has it: 15 bytes at most.
    pub name: Name,
    /// Whose it is.
    pub user: Option<Name>,
    /// Share of one processor, so more than 100 is possible; `null` until it was seen twice.
    pub cpu_percent: Option<f64>,
    /// Memory in RAM.
    pub memory_bytes: u64,
    /// The same as a share of all memory.
    pub memory_percent: Option<f64>,
}

/// A GPU. `*_mb` are MiB here, as older dashboards have them.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Gpu {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: Name,
    /// Its unique number; its place on the bus where it has none.
    pub uuid: Name,
    /// `nvidia`, `amd` or `intel`.
    pub vendor: &'static str,
    /// Share of time in which something ran.
    pub load_percent: Option<f64>,
    /// Memory that programs use.
    pub memory_used_mb: Option<f64>,
    /// All memory.
    pub memory_total_mb: Option<f64>,
    /// `memory_used_mb` as a share of `memory_total_mb`.
    pub memory_percent: Option<f64>,
    /// Degrees Celsius.
    pub temperature: Option<f64>,
    /// Where clocks are lowered, in degrees Celsius.
    pub temperature_slowdown: Option<f64>,
    /// Of the memory, in degrees Celsius.
    pub temperature_memory: Option<f64>,
    /// Drawn now.
    pub power_watts: Option<f64>,
    /// What may be drawn.
    pub power_limit_watts: Option<f64>,
    /// Clock of the chip.
    pub clock_mhz: Option<f64>,
    /// Clock of the memory.
    pub memory_clock_mhz: Option<f64>,
    /// The fastest fan, as a share of its highest speed.
    pub fan_percent: Option<f64>,
    /// Share of time in which the video encoder worked.
    pub encoder_percent: Option<f64>,
    /// Share of time in which the video decoder worked.
    pub decoder_percent: Option<f64>,
    /// Why clocks are lower than they could be; `null` when it does not say.
    pub throttle: Option<Vec<&'static str>>,
    /// Memory errors that were not corrected, since the driver was loaded.
    pub ecc_uncorrected: Option<u64>,
    /// The driver's newest error report; `null` when there was none.
    pub last_error: Option<GpuError>,
    /// Partitions of the card.
    pub instances: Vec<GpuInstance>,
    /// The processes that use it, those with most memory first; `null` when the driver does not tell.
    pub processes: Option<Vec<GpuProcess>>,
    /// Why nothing of it can be read, as a code: it is lost, asleep or without a driver, or its reading is late.
    pub reason: Option<&'static str>,
    /// The same as a sentence.
    pub detail: Option<String>,
}

/// An error that NVIDIA's driver reported (XID).
#[derive(Debug, Serialize, JsonSchema)]
pub struct GpuError {
    /// Its code.
    pub code: u64,
    /// How often it was reported since the agent began to listen.
    pub count: u64,
    /// When last, RFC 3339.
    pub at: Option<String>,
}

/// A partition of an NVIDIA card.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GpuInstance {
    /// The number of its GPU instance.
    pub id: Option<u32>,
    /// Its kind: `1g.10gb`.
    pub profile: Name,
    /// Its unique number.
    pub uuid: Name,
    /// Memory that programs use.
    pub memory_used_mb: Option<f64>,
    /// All memory.
    pub memory_total_mb: Option<f64>,
}

/// A process that uses a GPU.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GpuProcess {
    /// Its number.
    pub pid: u32,
    /// Its name; `null` when it is gone or hidden.
    pub name: Option<Name>,
    /// Its memory on the GPU.
    pub memory_mb: Option<f64>,
    /// Share of time in which its work ran; `null` when it was not measured.
    pub load_percent: Option<f64>,
    /// The model that it runs, if it is a runner of an Ollama on this machine; `null` when none is known.
    pub model: Option<Name>,
}
