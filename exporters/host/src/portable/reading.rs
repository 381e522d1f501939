//! What is read, and its metrics.

use std::sync::Arc;

use aura_model::{GroupHealth, Metric, Name, Section, rows};
use serde::Serialize;

/// Everything read from the host at one moment; what could not be read says why.
#[derive(Debug, Serialize)]
pub struct HostReading {
    /// How busy each CPU was.
    pub cpu: Section<Vec<CpuUsage>>,
    /// Mounted file systems.
    pub filesystem: Section<Vec<Filesystem>>,
    /// Load averages over 1, 5 and 15 minutes.
    pub loadavg: Section<[f64; 3]>,
    /// Memory and swap.
    pub meminfo: Section<Memory>,
    /// Network interfaces.
    pub netdev: Section<Vec<Interface>>,
    /// Temperatures.
    pub temperature: Section<Vec<Temperature>>,
    /// The clock.
    pub time: Section<Time>,
    /// What the machine is.
    pub platform: Arc<Platform>,
    /// How each group fared.
    #[serde(skip)]
    pub health: Vec<GroupHealth>,
}

impl HostReading {
    /// Joules that the processor counted: other systems' counters are not read.
    #[must_use]
    pub fn package_joules(&self) -> Vec<(Name, f64)> {
        Vec::new()
    }
}

/// What the machine is, as far as the system says; looked up once.
#[derive(Debug, PartialEq, Serialize)]
pub struct Platform {
    /// The system's name.
    pub system: Option<String>,
    /// The kernel's release.
    pub release: Option<String>,
    /// The architecture.
    pub machine: String,
    /// The processor's model.
    pub processor: Option<String>,
    /// The host's name.
    pub hostname: Option<String>,
    /// The system's name and version for people.
    pub distribution: Option<String>,
    /// How many cores there are, however many threads each runs.
    pub cores: Option<usize>,
}

/// One CPU since the sample before.
#[derive(Debug, PartialEq, Serialize)]
pub struct CpuUsage {
    /// The number of the CPU in the system's list, from 0.
    pub cpu: Name,
    /// Share of the time that it was busy, 0 to 1.
    pub ratio: f64,
}

/// One file system.
#[derive(Debug, PartialEq, Serialize)]
pub struct Filesystem {
    /// The device.
    pub device: Name,
    /// Where it is mounted.
    pub mountpoint: Name,
    /// Such as `apfs` or `NTFS`.
    pub fstype: Name,
    /// Bytes in all.
    pub size: u64,
    /// Bytes free for everybody.
    pub available: u64,
    /// Mounted read-only.
    pub readonly: bool,
}

/// Memory and swap, in bytes.
#[derive(Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "named after what they are")]
pub struct Memory {
    pub total: u64,
    pub free: u64,
    pub available: u64,
    pub swap_total: u64,
    pub swap_used: u64,
}

/// One network interface, counted since boot.
#[derive(Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "named after what they are")]
pub struct Interface {
    pub device: Name,
    pub receive_bytes: u64,
    pub receive_errors: u64,
    pub receive_packets: u64,
    pub transmit_bytes: u64,
    pub transmit_errors: u64,
    pub transmit_packets: u64,
}

/// One temperature, in degrees Celsius.
#[derive(Debug, PartialEq, Serialize)]
pub struct Temperature {
    /// What it measures.
    pub sensor: Name,
    /// Now.
    pub current: f64,
    /// Where it is too hot, if the system says.
    pub critical: Option<f64>,
}

/// The clock, in seconds since 1970.
#[derive(Debug, PartialEq, Serialize)]
pub struct Time {
    /// Now.
    pub now: f64,
    /// When the system started.
    pub boot: Option<u64>,
}

pub(super) const CPU: &[Metric<Vec<CpuUsage>>] = rows! { |cpus|
    for cpu in cpus => { cpu: cpu.cpu } {
        gauge "aura_host_cpu_usage_ratio" in Ratio = cpu.ratio,
            "Share of the time since the sample before that the CPU was busy.";
    }
};

pub(super) const FILESYSTEM: &[Metric<Vec<Filesystem>>] = rows! { |mounts|
    for mount in mounts => { device: mount.device, mountpoint: mount.mountpoint, fstype: mount.fstype } {
        gauge "node_filesystem_avail_bytes" in Bytes = mount.available,
            "Filesystem space available to non-root users in bytes.";
        gauge "node_filesystem_readonly" = mount.readonly, "Filesystem read-only status.";
        gauge "node_filesystem_size_bytes" in Bytes = mount.size, "Filesystem size in bytes.";
    }
};

pub(super) const LOADAVG: &[Metric<[f64; 3]>] = rows! { |load|
    gauge "node_load1" = load[0], "1m load average.";
    gauge "node_load15" = load[2], "15m load average.";
    gauge "node_load5" = load[1], "5m load average.";
};

pub(super) const MEMINFO: &[Metric<Memory>] = rows! { |memory|
    gauge "node_memory_available_bytes" in Bytes = memory.available, "Memory information field available_bytes.";
    gauge "node_memory_free_bytes" in Bytes = memory.free, "Memory information field free_bytes.";
    gauge "node_memory_swap_total_bytes" in Bytes = memory.swap_total, "Memory information field swap_total_bytes.";
    gauge "node_memory_swap_used_bytes" in Bytes = memory.swap_used, "Memory information field swap_used_bytes.";
    gauge "node_memory_total_bytes" in Bytes = memory.total, "Memory information field total_bytes.";
};

pub(super) const NETDEV: &[Metric<Vec<Interface>>] = rows! { |interfaces|
    for one in interfaces => { device: one.device } {
        counter "node_network_receive_bytes_total" = one.receive_bytes, "Network device statistic receive_bytes.";
        counter "node_network_receive_errs_total" = one.receive_errors, "Network device statistic receive_errs.";
        counter "node_network_receive_packets_total" = one.receive_packets, "Network device statistic receive_packets.";
        counter "node_network_transmit_bytes_total" = one.transmit_bytes, "Network device statistic transmit_bytes.";
        counter "node_network_transmit_errs_total" = one.transmit_errors, "Network device statistic transmit_errs.";
        counter "node_network_transmit_packets_total" = one.transmit_packets,
            "Network device statistic transmit_packets.";
    }
};

pub(super) const TEMPERATURE: &[Metric<Vec<Temperature>>] = rows! { |all|
    for one in all => { sensor: one.sensor } {
        gauge "aura_host_temperature_celsius" in Celsius = one.current,
            "Temperature by the name that the system gives the sensor.";
    }
};

pub(super) const TIME: &[Metric<Time>] = rows! { |time|
    gauge "node_boot_time_seconds" in Seconds = time.boot, "Unix time of last boot, including microseconds.";
    gauge "node_time_seconds" in Seconds = time.now, "System time in seconds since epoch (1970).";
};
