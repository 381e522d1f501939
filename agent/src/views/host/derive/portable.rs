//! What any other system tells: less than Linux, in the same shape.

use std::collections::BTreeMap;

use aura_host::{Filesystem as Mounted, HostReading, Interface as Counted};
use aura_model::{Missing, Reason};
use jiff::Timestamp;

use super::{MIB, Pair, Vitals, gib, percent, rate, sum_of_counters};
use crate::views::{
    host::message::{
        Cpu, Disk, Filesystem, Interface, Memory, Metrics, Network, NetworkSpeed, Platform, Swap, Temperature,
    },
    time::rfc3339,
};

/// Where the root file system is mounted.
const ROOT: &str = if cfg!(windows) { r"C:\" } else { "/" };

/// The few numbers of a reading.
pub(super) fn vitals(pair: Pair<'_>) -> Vitals {
    let now = pair.now;
    let memory = memory(now);
    let speed = network_speed(pair);
    let load = now.loadavg.value().map(|load| load[0]);
    let cpus = now.cpu.value().map(|cpus| cpus.len() as f64);
    let used = now.filesystem.value().map(|mounts| mounts.iter().filter(|mount| !mount.readonly));
    let temperatures = now.temperature.value().map(|all| all.iter().map(|one| one.current));
    Vitals {
        cpu_percent: cpu_percent(now),
        memory_percent: memory.as_ref().map(|memory| memory.percent),
        swap_percent: memory.and_then(|memory| memory.swap?.percent),
        load1: load,
        load_per_cpu: load.zip(cpus).map(|(load, cpus)| load / cpus),
        fullest_disk_percent: used
            .and_then(|mounts| mounts.filter_map(|mount| filesystem(mount).percent).max_by(f64::total_cmp)),
        network_receive: speed.map(|(receive, _)| receive),
        network_transmit: speed.map(|(_, transmit)| transmit),
        temperature: temperatures.and_then(|all| all.max_by(f64::total_cmp)),
        ..Vitals::default()
    }
}

/// All of it.
pub(super) fn metrics(pair: Pair<'_>, sampled_at: Timestamp) -> Metrics {
    let now = pair.now;
    Metrics {
        timestamp: rfc3339(sampled_at),
        platform: platform(now, sampled_at),
        cpu: cpu(now),
        memory: memory(now),
        disk: disk(now),
        network: network(pair),
        temperature: temperature(now),
        gpu: None,
        pressure: None,
        processes: None,
    }
}

/// What was not read and why, by its path in the metrics.
pub(super) fn missing(now: &HostReading) -> [(&'static str, Option<Missing>); 10] {
    let unknown = |what: &str| Some(Missing::new(Reason::NoSensor, format!("{what} is read on Linux only")));
    [
        ("cpu", now.cpu.missing().cloned()),
        ("cpu.frequency", unknown("the clock")),
        ("cpu.load_average", now.loadavg.missing().cloned()),
        ("memory", now.meminfo.missing().cloned()),
        ("disk.filesystems", now.filesystem.missing().cloned()),
        ("disk.devices", unknown("disk I/O")),
        ("network", now.netdev.missing().cloned()),
        ("temperature", now.temperature.missing().cloned()),
        ("pressure", unknown("pressure")),
        ("processes", unknown("the table of processes")),
    ]
}

fn platform(now: &HostReading, sampled_at: Timestamp) -> Platform {
    let platform = &now.platform;
    let boot = now.time.value().and_then(|time| Timestamp::from_second(i64::try_from(time.boot?).ok()?).ok());
    Platform {
        system: platform.system.clone(),
        release: platform.release.clone(),
        machine: Some(platform.machine.clone()),
        processor: platform.processor.clone(),
        hostname: platform.hostname.clone(),
        distribution: platform.distribution.clone(),
        boot_time: boot.map(rfc3339),
        uptime_seconds: boot.map(|boot| sampled_at.duration_since(boot).as_secs_f64()),
    }
}

fn cpu_percent(now: &HostReading) -> Option<f64> {
    let cpus = now.cpu.value()?;
    Some(cpus.iter().map(|cpu| cpu.ratio).sum::<f64>() / cpus.len() as f64 * 100.0)
}

fn cpu(now: &HostReading) -> Cpu {
    let cpus = now.cpu.value();
    Cpu {
        usage_percent: cpu_percent(now),
        count_physical: now.platform.cores.map(|cores| cores as u64),
        count_logical: cpus.map(|cpus| cpus.len() as u64),
        per_cpu_percent: cpus.map(|cpus| cpus.iter().map(|cpu| cpu.ratio * 100.0).collect()),
        load_average: now.loadavg.value().copied(),
        ..Cpu::default()
    }
}

fn memory(now: &HostReading) -> Option<Memory> {
    let memory = now.meminfo.value()?;
    let used = memory.total.checked_sub(memory.available)?;
    Some(Memory {
        total: memory.total,
        available: memory.available,
        used,
        free: memory.free,
        buffers: None,
        cached: None,
        percent: percent(used, memory.total)?,
        total_gb: gib(memory.total),
        available_gb: gib(memory.available),
        used_gb: gib(used),
        swap: memory.swap_total.checked_sub(memory.swap_used).map(|free| Swap {
            total: memory.swap_total,
            used: memory.swap_used,
            free,
            percent: percent(memory.swap_used, memory.swap_total),
        }),
    })
}

fn disk(now: &HostReading) -> Disk {
    let mounts = now.filesystem.value().map(Vec::as_slice).unwrap_or_default();
    let filesystems: Vec<Filesystem> = mounts.iter().map(filesystem).collect();
    let root = filesystems.iter().find(|filesystem| &*filesystem.mountpoint == ROOT);
    let (size, used) = (root.and_then(|root| root.size), root.and_then(|root| root.used));
    let free = root.and_then(|root| root.available);
    Disk {
        path: ROOT,
        total: size,
        used,
        free,
        percent: root.and_then(|root| root.percent),
        total_gb: size.map(gib),
        used_gb: used.map(gib),
        free_gb: free.map(gib),
        io: None,
        devices: Vec::new(),
        filesystems,
    }
}

fn filesystem(mount: &Mounted) -> Filesystem {
    let used = mount.size.checked_sub(mount.available);
    Filesystem {
        device: mount.device.clone(),
        mountpoint: mount.mountpoint.clone(),
        fstype: mount.fstype.clone(),
        size: Some(mount.size),
        free: None,
        available: Some(mount.available),
        used,
        percent: used.and_then(|used| percent(used, mount.size)),
        files: None,
        files_free: None,
        readonly: mount.readonly,
        error: None,
    }
}

fn network(pair: Pair<'_>) -> Option<Network> {
    let interfaces = pair.now.netdev.value()?;
    let sum = |take: fn(&Counted) -> u64| sum_of_counters(interfaces.iter().filter(|one| is_counted(one)).map(take));
    Some(Network {
        bytes_sent: sum(|one| one.transmit_bytes),
        bytes_recv: sum(|one| one.receive_bytes),
        packets_sent: sum(|one| one.transmit_packets),
        packets_recv: sum(|one| one.receive_packets),
        errors_in: sum(|one| one.receive_errors),
        errors_out: sum(|one| one.transmit_errors),
        speed: network_speed(pair)
            .map(|(receive, transmit)| NetworkSpeed { upload_mb: transmit / MIB, download_mb: receive / MIB }),
        interfaces: interfaces.iter().map(|one| interface(pair, one)).collect(),
    })
}

/// Bytes received and sent a second.
fn network_speed(pair: Pair<'_>) -> Option<(f64, f64)> {
    pair.before?;
    let interfaces = pair.now.netdev.value()?.iter().filter(|one| is_counted(one));
    let rates = interfaces.filter_map(|one| speed(pair, one));
    Some(rates.fold((0.0, 0.0), |sum, rate| (sum.0 + rate.0, sum.1 + rate.1)))
}

fn speed(pair: Pair<'_>, now: &Counted) -> Option<(f64, f64)> {
    let (before, seconds) = pair.before?;
    let before = before.netdev.value()?.iter().find(|earlier| earlier.device == now.device)?;
    Some((
        rate(now.receive_bytes, before.receive_bytes, seconds)?,
        rate(now.transmit_bytes, before.transmit_bytes, seconds)?,
    ))
}

fn interface(pair: Pair<'_>, now: &Counted) -> Interface {
    let (receive, transmit) = speed(pair, now).unzip();
    Interface {
        device: now.device.clone(),
        operstate: None,
        receive_bytes_per_second: receive,
        transmit_bytes_per_second: transmit,
        receive_errors: now.receive_errors,
        transmit_errors: now.transmit_errors,
        speed_bytes: None,
    }
}

/// Loopback is called `lo`, `lo0` or, on Windows, at length.
fn is_counted(interface: &Counted) -> bool {
    !["lo", "lo0"].contains(&&*interface.device) && !interface.device.starts_with("Loopback")
}

fn temperature(now: &HostReading) -> Option<BTreeMap<String, Vec<Temperature>>> {
    let all = now.temperature.value()?.iter().map(|one| Temperature {
        label: one.sensor.to_string(),
        current: one.current,
        high: None,
        critical: one.critical,
    });
    Some(BTreeMap::from([("system".to_owned(), all.collect())]))
}
