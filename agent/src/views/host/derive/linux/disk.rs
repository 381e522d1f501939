//! File systems and disks.

use aura_host::{Disk as Counters, Filesystem as Mounted, HostReading};

use super::{MIB, Pair, gib, percent, rate};
use crate::views::host::message::{Device, Disk, DiskSpeed, Filesystem};

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
    let disks = &pair.now.diskstats.value()?.disks;
    let rates = disks.iter().filter(|disk| is_counted(disk)).filter_map(|disk| {
        let (before, seconds) = earlier(pair, disk)?;
        let read = rate(disk.reads.bytes(), before.reads.bytes(), seconds)?;
        Some((read, rate(disk.writes.bytes(), before.writes.bytes(), seconds)?))
    });
    pair.before?;
    Some(rates.fold((0.0, 0.0), |sum, rate| (sum.0 + rate.0, sum.1 + rate.1)))
}

/// Used space of the fullest file system that can be written to: a full read-only image is no problem.
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
    let disks = pair.now.diskstats.value().map(|diskstats| diskstats.disks.as_slice()).unwrap_or_default();
    disks.iter().map(|disk| device(pair, disk)).collect()
}

fn device(pair: Pair<'_>, disk: &Counters) -> Device {
    let grown = |take: fn(&Counters) -> u64| {
        let (before, seconds) = earlier(pair, disk)?;
        rate(take(disk), take(before), seconds)
    };
    Device {
        device: disk.device.clone(),
        read_bytes_per_second: grown(|disk| disk.reads.bytes()),
        write_bytes_per_second: grown(|disk| disk.writes.bytes()),
        reads_per_second: grown(|disk| disk.reads.completed),
        writes_per_second: grown(|disk| disk.writes.completed),
        // Milliseconds of work a second; the kernel may book a little more than there is.
        busy_percent: grown(|disk| disk.io_time).map(|milliseconds| (milliseconds / 10.0).min(100.0)),
    }
}

fn earlier<'a>(pair: Pair<'a>, disk: &Counters) -> Option<(&'a Counters, f64)> {
    let (before, seconds) = pair.before?;
    let disks = &before.diskstats.value()?.disks;
    Some((disks.iter().find(|earlier| earlier.device == disk.device)?, seconds))
}

/// Mapped and RAID devices pass everything on to disks that count it themselves; zram is memory.
fn is_counted(disk: &Counters) -> bool {
    !["dm-", "md", "zram"].iter().any(|prefix| disk.device.starts_with(prefix))
}
