//! The message of `/ws/system` and `/api/system`: names and shapes that dashboards of existing installations use,
//! and more. Bytes are bytes, `*_gb` are GiB, `*_mb` are MiB a second, percentages go from 0 to 100. What is not
//! known is `null` and says why under `missing`; what the box does not have is absent and says why there too.

mod disk;
mod gpu;
mod network;

use std::collections::BTreeMap;

use aura_model::{Missing, Name};
use schemars::JsonSchema;
use serde::Serialize;

pub use self::{
    disk::{Device, Disk, DiskSpeed, Filesystem},
    gpu::{Gpu, GpuError, GpuInstance, GpuProcess},
    network::{Interface, Network, NetworkSpeed},
};
use crate::api::FeedDescription;

/// The feed of the host.
pub(crate) const FEED: FeedDescription = FeedDescription::new::<SystemUpdate>(
    "system",
    "The host: CPUs, memory, disks, network, temperatures, GPUs, processes.",
    "A message with each reading, and one more when readings stop to come: then `sources` says why.",
)
.needs_reading();

/// A message of `/ws/system`, and what `/api/system` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SystemUpdate {
    /// Always `system_update`.
    pub r#type: &'static str,
    /// Grows by one with each message since the agent started, also while nobody listens: a gap shows what a slow
    /// client has skipped.
    pub seq: u64,
    /// When the newest reading of the host was begun, RFC 3339 in UTC with milliseconds. The same as in the message
    /// before when that is repeated because no newer reading came.
    pub sampled_at: String,
    /// The same as `sampled_at`, under the name that older dashboards read.
    pub timestamp: String,
    /// Seconds from one reading of the host to the next, as `sources.host.interval` says.
    pub interval_seconds: f64,
    /// What was read and derived.
    pub metrics: Metrics,
    /// Why what is `null` or absent in `metrics` is so, by its path there (`cpu.frequency`). Empty when all was read.
    pub missing: BTreeMap<&'static str, Missing>,
    /// The state of every source of the agent, not only of the host.
    pub sources: Vec<SourceState>,
    /// Limits of `thresholds` that have been exceeded for as long as `for` asks; the worse of the two where both are.
    /// Empty while the host is not read.
    pub alerts: Vec<Alert>,
}

/// How a source of the agent fares: whether its readings come in time.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SourceState {
    /// The source's name, as below `sources` in the configuration.
    pub name: &'static str,
    /// `fresh`: the newest reading is on time. `stale`: it is late, or the last sample failed. `starting`: none came
    /// yet. `off`: switched off, or nothing to read.
    pub state: &'static str,
    /// Why it is not `fresh`, as a code; `null` when it is.
    pub reason: Option<&'static str>,
    /// The same as a sentence that names the file, view or address; `null` when it is `fresh`.
    pub detail: Option<String>,
    /// Seconds since its newest reading was begun; `null` before the first.
    pub age_seconds: Option<f64>,
    /// Seconds from one of its samples to the next.
    pub interval_seconds: f64,
    /// How long its newest sample took, in seconds; `null` before the first.
    pub duration_seconds: Option<f64>,
}

/// A limit of `thresholds` that is exceeded.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Alert {
    /// What is limited, as its key below `thresholds`: `cpu`, `memory`, `swap`, `disk`, `temperature`,
    /// `load_per_cpu`, `pressure_cpu`, `pressure_memory` or `pressure_io`.
    pub name: &'static str,
    /// Which limit it is: `warning` or `critical`.
    pub severity: &'static str,
    /// The value of the newest reading, in `unit`.
    pub value: f64,
    /// The limit that it exceeds, in `unit`.
    pub threshold: f64,
    /// `percent`, `celsius` or `tasks per CPU`.
    pub unit: &'static str,
    /// When a reading first lay above this limit, RFC 3339; all since then did too.
    pub since: String,
}

/// The host: what was read of it, and what was derived of two readings. On Linux from `/proc` and `/sys`; elsewhere
/// what the system tells, which is less.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HostMetrics")]
pub struct Metrics {
    /// The same as the message's `sampled_at`.
    pub timestamp: String,
    /// What the machine is: kernel, distribution, processor, name.
    pub platform: Platform,
    /// Processors, from `/proc/stat`, `/proc/cpuinfo` and `/sys/devices/system/cpu`.
    pub cpu: Cpu,
    /// Memory and swap from `/proc/meminfo`; `null` when it cannot be read, or says no `MemAvailable` (before Linux
    /// 3.14).
    pub memory: Option<Memory>,
    /// Disks from `/proc/diskstats`, and mounted file systems with `statvfs`.
    pub disk: Disk,
    /// Network interfaces from `/proc/net/dev`; `null` when it cannot be read.
    pub network: Option<Network>,
    /// Temperatures by the name of their chip, from `/sys/class/hwmon`; where no chip has any, of
    /// `/sys/class/thermal`, by the zone's type. Absent without a sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<BTreeMap<String, Vec<Temperature>>>,
    /// A row for each GPU, from `sources.gpu`. Absent without one; a card that was seen keeps its row while it cannot
    /// be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Vec<Gpu>>,
    /// Pressure stall information from `/proc/pressure`; absent when the kernel does not have it (`CONFIG_PSI`,
    /// `psi=1`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// The processes that use most, from `/proc/PID`; `null` until the table was read, and on other systems than
    /// Linux.
    pub processes: Option<Processes>,
}

/// What the machine is. Each is `null` when it cannot be read.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Platform {
    /// Name of the kernel (`uname`): `Linux`.
    pub system: Option<String>,
    /// Release of the kernel (`uname`): `6.12.57+deb13-amd64`.
    pub release: Option<String>,
    /// Architecture (`uname`): `x86_64`.
    pub machine: Option<String>,
    /// Name of the first processor, from `/proc/cpuinfo`; `null` where that names none.
    pub processor: Option<String>,
    /// Name of the machine (`uname`). In a container that of the container, unless it shares the host's.
    pub hostname: Option<String>,
    /// Name of the distribution (`PRETTY_NAME` of `os-release`).
    pub distribution: Option<String>,
    /// When the kernel started, RFC 3339 (`btime` of `/proc/stat`): moves when the clock is set.
    pub boot_time: Option<String>,
    /// Seconds from `boot_time` to the sample.
    pub uptime_seconds: Option<f64>,
}

/// Processors. Shares of time are made of what `/proc/stat` counted in each mode since the reading about a second
/// before: `null` until there are two.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Cpu {
    /// Share of the time of all CPUs together in which they neither idled nor waited for a disk (`idle`, `iowait`), 0
    /// to 100.
    pub usage_percent: Option<f64>,
    /// Cores; `null` when the kernel does not say (`core_id` in `/sys/devices/system/cpu`).
    pub count_physical: Option<u64>,
    /// Hardware threads that are online, as lines of `/proc/stat`.
    pub count_logical: Option<u64>,
    /// Clock in MHz, from cpufreq in `/sys/devices/system/cpu`; `null` where there is none, as in most virtual
    /// machines.
    pub frequency: Option<Frequency>,
    /// `usage_percent` of each CPU, in the order of their numbers. One that came online since the reading before is
    /// left out.
    pub per_cpu_percent: Option<Vec<f64>>,
    /// Tasks that run, are ready to run or wait for a disk, averaged over 1, 5 and 15 minutes (`/proc/loadavg`).
    pub load_average: Option<[f64; 3]>,
    /// Share of the time of all CPUs together in each mode of `/proc/stat`: `user`, `nice`, `system`, `idle`,
    /// `iowait`, `irq`, `softirq` and `steal`. They add up to 100.
    pub mode_percent: Option<BTreeMap<&'static str, f64>>,
}

/// Clock of the processors in MHz.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Frequency {
    /// Mean of all CPUs now (`scaling_cur_freq`, else `cpuinfo_cur_freq`).
    pub current: f64,
    /// The lowest that any CPU can do (`cpuinfo_min_freq`, else `scaling_min_freq`); `null` when none says.
    pub min: Option<f64>,
    /// The highest that any CPU can do (`cpuinfo_max_freq`, else `scaling_max_freq`); `null` when none says.
    pub max: Option<f64>,
}

/// Memory in bytes, from `/proc/meminfo`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Memory {
    /// Memory that the kernel manages (`MemTotal`): a little less than is built in.
    pub total: u64,
    /// What programs can get without swapping, caches that can be dropped included (`MemAvailable`).
    pub available: u64,
    /// `total` less `available`.
    pub used: u64,
    /// Memory that is used for nothing, not even for caches (`MemFree`); small on a healthy machine.
    pub free: u64,
    /// Buffers of block devices (`Buffers`); `null` on other systems than Linux.
    pub buffers: Option<u64>,
    /// Page cache and memory of tmpfs (`Cached`); `null` on other systems than Linux.
    pub cached: Option<u64>,
    /// `used` as a share of `total`, 0 to 100.
    pub percent: f64,
    /// `total` in GiB.
    pub total_gb: f64,
    /// `available` in GiB.
    pub available_gb: f64,
    /// `used` in GiB.
    pub used_gb: f64,
    /// Swap space; `null` when the kernel does not say.
    pub swap: Option<Swap>,
}

/// Swap space in bytes (`SwapTotal`, `SwapFree` of `/proc/meminfo`): all zero without any.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Swap {
    /// All swap devices and files together.
    pub total: u64,
    /// `total` less `free`.
    pub used: u64,
    /// What is not in use.
    pub free: u64,
    /// `used` as a share of `total`, 0 to 100; `null` without swap.
    pub percent: Option<f64>,
}

/// A temperature in degrees Celsius.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Temperature {
    /// What it is of, in the chip's words (`temp*_label`): `Package id 0`; else the name of the sensor.
    pub label: String,
    /// The newest reading.
    pub current: f64,
    /// Where the chip calls it high (`temp*_max`); `null` when it does not say.
    pub high: Option<f64>,
    /// Where the chip protects itself (`temp*_crit`); `null` when it does not say.
    pub critical: Option<f64>,
}

/// Pressure stall information of the whole machine, from `/proc/pressure`: the share of time in which tasks could not
/// go on for want of something. Each is `null` when its file cannot be read.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Pressure {
    /// Tasks waited for a CPU.
    pub cpu: Option<Stall>,
    /// Tasks waited for memory: for pages that were swapped out or dropped, and for room to be made.
    pub memory: Option<Stall>,
    /// Tasks waited for disks.
    pub io: Option<Stall>,
}

/// The share of time in which some, and in which all tasks waited.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stall {
    /// At least one task waited while others may have worked.
    pub some: Averages,
    /// All tasks waited at once: that time is lost. `null` where the kernel does not say, as for CPUs before Linux
    /// 5.13.
    pub full: Option<Averages>,
}

/// Percent of the time, 0 to 100, as the kernel averages it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Averages {
    /// Over the last 10 seconds.
    pub avg10: f64,
    /// Over the last minute.
    pub avg60: f64,
    /// Over the last five minutes.
    pub avg300: f64,
}

/// The processes that use most. The table is expensive to read, so it is read every 10 seconds, and with each reading
/// while somebody looks at the page.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Processes {
    /// When the table was read, RFC 3339.
    pub sampled_at: Option<String>,
    /// Processes that there are.
    pub total: Option<u64>,
    /// Tasks that run or are ready to run (`procs_running` of `/proc/stat`), at the sample of the host.
    pub running: Option<u64>,
    /// Tasks that wait for a disk (`procs_blocked` of `/proc/stat`), at the sample of the host.
    pub blocked: Option<u64>,
    /// Those that used most CPU time since the table was read before, most first.
    pub top_cpu: Vec<Process>,
    /// Those that hold most memory, most first.
    pub top_memory: Vec<Process>,
}

/// A process, from `/proc/PID/stat`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Its name as the kernel has it (`comm`): 15 bytes at most.
    pub name: Name,
    /// Name of the user that it belongs to, or the user's number where it has no name.
    pub user: Option<Name>,
    /// Share of the time of one CPU that it used since the table was read before: more than 100 with several threads.
    /// `null` until it was seen twice.
    pub cpu_percent: Option<f64>,
    /// Its memory in RAM in bytes (resident set), parts that it shares with others included.
    pub memory_bytes: u64,
    /// `memory_bytes` as a share of all memory, 0 to 100; `null` when that is not known.
    pub memory_percent: Option<f64>,
}
