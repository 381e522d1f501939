//! File systems and disks.

use aura_host::{Filesystem as Mounted, HostReading};

use super::{MIB, Pair, gib, percent};
use crate::system::message::{Device, Disk, DiskSpeed, Filesystem};

pub(super) fn disk(pair: Pair<'_>) -> Disk {
    let filesystems: Vec<Filesystem> =
        pair.now.filesystem.value().map(|mounts| mounts.mounts.iter().map(filesystem).collect()).unwrap_or_default();
    let root = filesystems.iter().find(|filesystem| &*filesystem.mountpoint == "/");
    let size = root.and_then(|root| root.size);
    let used = root.and_then(|root| root.used);
    let free = root.and_then(|root| root.available);
    Disk {
        path: "/",
        total: size,
        used,
        free,
        percent: root.and_then(|root| root.percent),
        total_gb: size.map(gib),
        used_gb: used.map(gib),
        free_gb: free.map(gib),
        io: speed(pair).map(|(read, write)| DiskSpeed { read_speed_mb: read / MIB, write_speed_mb: write / MIB }),
        devices: devices(pair),
        filesystems,
    }
}

/// Bytes read and written a second by all disks.
pub(super) fn speed(pair: Pair<'_>) -> Option<(f64, f64)> {
    let _ = pair;
    None
}

/// Used space of the fullest file system that can be written to: a full read-only image is no trouble.
pub(super) fn fullest(now: &HostReading) -> Option<f64> {
    let mounts = now.filesystem.value()?.mounts.iter();
    mounts.filter(|mount| !mount.readonly).filter_map(|mount| filesystem(mount).percent).max_by(f64::total_cmp)
}

fn filesystem(mount: &Mounted) -> Filesystem {
    let usage = mount.usage.as_ref();
    let used = usage.and_then(|usage| usage.size.checked_sub(usage.free));
    let available = usage.map(|usage| usage.available);
    Filesystem {
        device: mount.device.clone(),
        mountpoint: mount.mountpoint.clone(),
        fstype: mount.fstype.clone(),
        size: usage.map(|usage| usage.size),
        free: usage.map(|usage| usage.free),
        available,
        used,
        percent: used.zip(available).and_then(|(used, available)| percent(used, used + available)),
        files: usage.map(|usage| usage.files),
        files_free: usage.map(|usage| usage.files_free),
        readonly: mount.readonly,
        error: mount.error.as_deref().map(str::to_owned),
    }
}

fn devices(pair: Pair<'_>) -> Vec<Device> {
    let _ = pair;
    Vec::new()
}
