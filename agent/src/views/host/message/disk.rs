//! Disks and file systems.

use aura_model::Name;
use schemars::JsonSchema;
use serde::Serialize;

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
