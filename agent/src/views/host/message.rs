//! The message of `/ws/system` and `/api/system`: names and shapes that dashboards of existing installations use,
//! and more. Bytes are bytes, `*_gb` are GiB, `*_mb` are MiB a second, percentages go from 0 to 100. What is not
//! known is `null` and says why under `missing`; what the box does not have is absent and says why there too.

use std::collections::BTreeMap;

use aura_model::{Missing, Name};
use schemars::JsonSchema;
use serde::Serialize;

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

/// Disks and file systems. What stands up to `free_gb` is about the root file system, as older dashboards want it,
/// and `null` when that is not watched or does not answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Disk {
    /// Where the root file system is mounted: `/`, and `C:\` on Windows.
    pub path: &'static str,
    /// Size of the root file system in bytes.
    pub total: Option<u64>,
    /// `total` less what is free, in bytes.
    pub used: Option<u64>,
    /// Bytes that users can still fill: less than `total` less `used` where some are kept for root.
    pub free: Option<u64>,
    /// `used` as a share of `used` and `free`, as `df` has it, 0 to 100.
    pub percent: Option<f64>,
    /// `total` in GiB.
    pub total_gb: Option<f64>,
    /// `used` in GiB.
    pub used_gb: Option<f64>,
    /// `free` in GiB.
    pub free_gb: Option<f64>,
    /// Read and written by all disks together, without those that pass everything on to others (`dm-*`, `md*`) and
    /// zram; `null` until there are two readings.
    pub io: Option<DiskSpeed>,
    /// Every mount that `sources.host.filesystem` lets through, as the kernel lists them (`mountinfo`).
    pub filesystems: Vec<Filesystem>,
    /// Every disk that `sources.host.disk` lets through, as `/proc/diskstats` lists them; empty on other systems than
    /// Linux.
    pub devices: Vec<Device>,
}

/// What all disks together read and write, in MiB a second, over about the last second.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DiskSpeed {
    /// MiB read a second.
    pub read_speed_mb: f64,
    /// MiB written a second.
    pub write_speed_mb: f64,
}

/// A mounted file system. Sizes come from `statvfs`, and are `null` while it does not answer, as a network file
/// system whose server is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Filesystem {
    /// What is mounted: `/dev/nvme0n1p2`, `server:/export`.
    pub device: Name,
    /// Where it is mounted, seen from the root that `paths.rootfs` names.
    pub mountpoint: Name,
    /// Type of the file system: `ext4`, `nfs4`.
    pub fstype: Name,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Bytes that are not in use.
    pub free: Option<u64>,
    /// Bytes that are not in use and open to users.
    pub available: Option<u64>,
    /// `size` less `free`, in bytes.
    pub used: Option<u64>,
    /// `used` as a share of `used` and `available`, as `df` has it, 0 to 100.
    pub percent: Option<f64>,
    /// Inodes that there are; 0 where the file system has no fixed number.
    pub files: Option<u64>,
    /// Inodes that are not in use.
    pub files_free: Option<u64>,
    /// Whether it is mounted read-only.
    pub readonly: bool,
    /// Why sizes are missing, as a sentence; `null` when they are not.
    pub error: Option<String>,
}

/// A disk, from `/proc/diskstats`. Rates are over about the last second: `null` until there are two readings, and
/// when a counter was set back.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Device {
    /// Its name in `/dev`: `nvme0n1`.
    pub device: Name,
    /// Bytes read a second.
    pub read_bytes_per_second: Option<f64>,
    /// Bytes written a second.
    pub write_bytes_per_second: Option<f64>,
    /// Reads completed a second.
    pub reads_per_second: Option<f64>,
    /// Writes completed a second.
    pub writes_per_second: Option<f64>,
    /// Share of time in which at least one request was under way, 0 to 100. A disk that works on many at once may be
    /// far from its limit at 100.
    pub busy_percent: Option<f64>,
}

/// All network interfaces, from `/proc/net/dev`. Sums leave out loopback and the host's ends of containers and
/// virtual machines (`veth*`, `docker*`, `br-*`, `virbr*`, `vnet*`, `tap*`), whose bytes pass another interface once
/// more.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Network {
    /// Bytes sent since the machine started; starts again when an interface is made anew.
    pub bytes_sent: u64,
    /// Bytes received since the machine started.
    pub bytes_recv: u64,
    /// Packets sent since the machine started.
    pub packets_sent: u64,
    /// Packets received since the machine started.
    pub packets_recv: u64,
    /// Packets received with an error since the machine started: bad checksums, overruns (`errs`).
    pub errors_in: u64,
    /// Packets that could not be sent since the machine started (`errs`).
    pub errors_out: u64,
    /// Sent and received a second; `null` until there are two readings.
    pub speed: Option<NetworkSpeed>,
    /// Every interface that `sources.host.network` lets through, loopback and those that the sums leave out included.
    pub interfaces: Vec<Interface>,
}

/// What the counted interfaces send and receive together, in MiB a second, over about the last second.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NetworkSpeed {
    /// MiB sent a second.
    pub upload_mb: f64,
    /// MiB received a second.
    pub download_mb: f64,
}

/// A network interface, from `/proc/net/dev` and `/sys/class/net`. Rates are over about the last second: `null` until
/// there are two readings, and when a counter was set back.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Interface {
    /// Its name: `enp6s0`.
    pub device: Name,
    /// State of the link as the kernel says it (`operstate`): `up`, `down`, `unknown` and others; `null` when it does
    /// not say.
    pub operstate: Option<Name>,
    /// Bytes received a second.
    pub receive_bytes_per_second: Option<f64>,
    /// Bytes sent a second.
    pub transmit_bytes_per_second: Option<f64>,
    /// Packets received with an error since the interface was made (`errs`).
    pub receive_errors: u64,
    /// Packets that could not be sent since the interface was made (`errs`).
    pub transmit_errors: u64,
    /// Speed of the link in bytes a second (`speed`); `null` where there is none, as with Wi-Fi, bridges and links
    /// that are down.
    pub speed_bytes: Option<u64>,
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

/// A GPU: NVIDIA's by its driver's library (NVML), AMD's and Intel's by `/sys/class/drm`. What a card or its driver
/// does not give is `null`, and all is while it cannot be read; then `reason` and `detail` say why. `*_mb` are MiB
/// here, as older dashboards have them.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Gpu {
    /// Its number, from 0: the same for as long as the agent runs.
    pub id: u32,
    /// Its name as the vendor sells it; for many AMD and Intel cards its PCI number.
    pub name: Name,
    /// Its unique number (`GPU-...`); `pci-` and its place on the bus where it has none.
    pub uuid: Name,
    /// Who made it: `nvidia`, `amd` or `intel`.
    pub vendor: &'static str,
    /// Share of time in which something ran on it, 0 to 100. For Intel's cards that of the busiest engine, made of
    /// what processes used, and `null` when somebody's work is hidden.
    pub load_percent: Option<f64>,
    /// Memory in use, in MiB.
    pub memory_used_mb: Option<f64>,
    /// All its memory, in MiB.
    pub memory_total_mb: Option<f64>,
    /// `memory_used_mb` as a share of `memory_total_mb`, 0 to 100.
    pub memory_percent: Option<f64>,
    /// Temperature of the chip in degrees Celsius (the edge, with AMD).
    pub temperature: Option<f64>,
    /// From where on it lowers its clocks, in degrees Celsius.
    pub temperature_slowdown: Option<f64>,
    /// Temperature of its memory in degrees Celsius.
    pub temperature_memory: Option<f64>,
    /// Power that it draws, in watts.
    pub power_watts: Option<f64>,
    /// Power that it may draw, in watts.
    pub power_limit_watts: Option<f64>,
    /// Clock of the chip in MHz.
    pub clock_mhz: Option<f64>,
    /// Clock of the memory in MHz.
    pub memory_clock_mhz: Option<f64>,
    /// Speed of its fastest fan as a share of the highest, 0 to 100; `null` without a fan of its own.
    pub fan_percent: Option<f64>,
    /// Share of time in which the video encoder worked, 0 to 100; NVIDIA only.
    pub encoder_percent: Option<f64>,
    /// Share of time in which the video decoder worked, 0 to 100; NVIDIA only.
    pub decoder_percent: Option<f64>,
    /// What holds its clocks down now: words such as `sw_power_cap` or `hw_thermal_slowdown`, none when nothing does.
    /// `null` when it does not say.
    pub throttle: Option<Vec<&'static str>>,
    /// Memory errors that could not be corrected since the driver was loaded; `null` without error correction.
    pub ecc_uncorrected: Option<u64>,
    /// The newest error report of NVIDIA's driver (XID) since the agent began to listen; `null` when there was none.
    pub last_error: Option<GpuError>,
    /// Partitions of the card (MIG); empty without any.
    pub instances: Vec<GpuInstance>,
    /// The processes that use it, those with most memory first; `null` when the driver does not tell.
    pub processes: Option<Vec<GpuProcess>>,
    /// Why nothing of it can be read, as a code: it is lost, asleep or without a driver, or its reading is late.
    /// `null` when it is read.
    pub reason: Option<&'static str>,
    /// The same as a sentence; `null` when it is read.
    pub detail: Option<String>,
}

/// An error that NVIDIA's driver reported (XID).
#[derive(Debug, Serialize, JsonSchema)]
pub struct GpuError {
    /// Its number in NVIDIA's list: 79 is a card that fell off the bus.
    pub code: u64,
    /// Reports with this number since the agent began to listen.
    pub count: u64,
    /// When the last one came, RFC 3339.
    pub at: Option<String>,
}

/// A partition of an NVIDIA card (MIG).
#[derive(Debug, Serialize, JsonSchema)]
pub struct GpuInstance {
    /// Number of its GPU instance; `null` when the driver does not say.
    pub id: Option<u32>,
    /// Its kind: `1g.10gb`.
    pub profile: Name,
    /// Its unique number (`MIG-...`).
    pub uuid: Name,
    /// Memory in use, in MiB.
    pub memory_used_mb: Option<f64>,
    /// All its memory, in MiB.
    pub memory_total_mb: Option<f64>,
}

/// A process that uses a GPU. NVML names them for NVIDIA's cards; for others `/proc/PID/fdinfo` does, of those
/// processes that the agent may look into.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GpuProcess {
    /// Its number, as the host counts.
    pub pid: u32,
    /// Its name (`comm` of `/proc/PID/stat`); `null` when it is gone or hidden.
    pub name: Option<Name>,
    /// Its memory on the GPU, in MiB; `null` when the driver does not tell.
    pub memory_mb: Option<f64>,
    /// Share of time in which the GPU worked for it, 0 to 100: its busiest engine. `null` when it was not measured.
    pub load_percent: Option<f64>,
    /// Name of the model that it runs, when it is a runner of an Ollama on this machine; told by the file of the
    /// weights that it was started with. `null` when none is known.
    pub model: Option<Name>,
}
