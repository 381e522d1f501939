//! From two raw readings to what people read: everything that is divided by time is divided here.

mod cpu;
mod disk;
mod gpu;
mod memory;
mod network;
mod platform;
mod processes;
mod sensors;

use std::collections::BTreeMap;

use aura_host::{Host, HostReading};
use aura_model::Missing;

use super::{
    Moment,
    message::{Metrics, SourceState, SystemUpdate},
    rfc3339,
};
use crate::{
    hub::{Health, Hub, Snapshot},
    own::Own,
};

const GIB: f64 = 1_073_741_824.0;
const MIB: f64 = 1_048_576.0;

/// A reading and the one that its rates are made from.
#[derive(Clone, Copy)]
struct Pair<'a> {
    now: &'a HostReading,
    /// The earlier reading, and the seconds between the two.
    before: Option<(&'a HostReading, f64)>,
}

impl<'a> Pair<'a> {
    fn new(now: &'a Snapshot<Host>, before: Option<&'a Snapshot<Host>>) -> Self {
        let before = before.map(|before| (&before.reading, now.taken.duration_since(before.taken).as_secs_f64()));
        Self { now: &now.reading, before: before.filter(|(_, seconds)| *seconds > 0.0) }
    }
}

/// The numbers that are remembered and limited; none when not known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vitals {
    /// Use of all CPUs.
    pub cpu_percent: Option<f64>,
    /// Used memory.
    pub memory_percent: Option<f64>,
    /// Used swap; none without swap.
    pub swap_percent: Option<f64>,
    /// Load over one minute.
    pub load1: Option<f64>,
    /// The same for each CPU.
    pub load_per_cpu: Option<f64>,
    /// Bytes a second of all disks.
    pub disk_read: Option<f64>,
    /// Bytes a second of all disks.
    pub disk_write: Option<f64>,
    /// Used space of the fullest writable file system.
    pub fullest_disk_percent: Option<f64>,
    /// Bytes a second of all interfaces but loopback.
    pub network_receive: Option<f64>,
    /// Bytes a second of all interfaces but loopback.
    pub network_transmit: Option<f64>,
    /// The hottest sensor.
    pub temperature: Option<f64>,
    /// Share of the last 10 seconds in which some task waited for a CPU.
    pub pressure_cpu: Option<f64>,
    /// The same for memory.
    pub pressure_memory: Option<f64>,
    /// The same for disks.
    pub pressure_io: Option<f64>,
}

/// The few numbers of a moment.
pub(super) fn vitals(now: &Snapshot<Host>, before: Option<&Snapshot<Host>>) -> Vitals {
    let pair = Pair::new(now, before);
    let memory = memory::memory(pair.now);
    let disk = disk::speed(pair);
    let network = network::speed(pair);
    let pressure = sensors::pressure(pair.now);
    let some = |stall: Option<&super::message::Stall>| stall.map(|stall| stall.some.avg10);
    let load = pair.now.loadavg.value().map(|load| load.one);
    let cpus = pair.now.cpu.value().map(|cpu| cpu.cpus.len() as f64);
    Vitals {
        cpu_percent: cpu::usage(pair),
        memory_percent: memory.as_ref().map(|memory| memory.percent),
        swap_percent: memory.and_then(|memory| memory.swap?.percent),
        load1: load,
        load_per_cpu: load.zip(cpus).map(|(load, cpus)| load / cpus),
        disk_read: disk.map(|(read, _)| read),
        disk_write: disk.map(|(_, write)| write),
        fullest_disk_percent: disk::fullest(pair.now),
        network_receive: network.map(|(receive, _)| receive),
        network_transmit: network.map(|(_, transmit)| transmit),
        temperature: sensors::hottest(pair.now),
        pressure_cpu: some(pressure.as_ref().and_then(|pressure| pressure.cpu.as_ref())),
        pressure_memory: some(pressure.as_ref().and_then(|pressure| pressure.memory.as_ref())),
        pressure_io: some(pressure.as_ref().and_then(|pressure| pressure.io.as_ref())),
    }
}

/// The message of a moment.
pub(super) fn update(moment: &Moment, hub: &Hub) -> SystemUpdate {
    let Moment { now: snapshot, .. } = moment;
    let pair = Pair::new(snapshot, moment.before.as_deref());
    let now = pair.now;
    let mut missing: BTreeMap<&'static str, Missing> = BTreeMap::new();
    for (path, reason) in [
        ("cpu", now.cpu.missing()),
        ("cpu.frequency", now.cpufreq.missing()),
        ("cpu.load_average", now.loadavg.missing()),
        ("memory", now.meminfo.missing()),
        ("disk.filesystems", now.filesystem.missing()),
        ("disk.devices", now.diskstats.missing()),
        ("network", now.netdev.missing()),
        ("temperature", sensors::no_temperature(now)),
        ("pressure", now.pressure.missing()),
        ("processes", now.processes.missing()),
    ] {
        if let Some(reason) = reason {
            missing.insert(path, reason.clone());
        }
    }
    let (gpu, no_gpu) = gpu::gpus(hub);
    if let Some(reason) = no_gpu {
        missing.insert("gpu", reason);
    }
    let timestamp = rfc3339(snapshot.sampled_at);
    SystemUpdate {
        r#type: "system_update",
        seq: moment.seq,
        sampled_at: timestamp.clone(),
        timestamp: timestamp.clone(),
        interval_seconds: moment.interval.as_secs_f64(),
        metrics: Metrics {
            timestamp,
            platform: platform::platform(now, snapshot.sampled_at),
            cpu: cpu::cpu(pair),
            memory: memory::memory(now),
            disk: disk::disk(pair),
            network: network::network(pair),
            temperature: sensors::temperature(now),
            gpu,
            pressure: sensors::pressure(now),
            processes: processes::processes(now),
        },
        missing,
        sources: hub
            .sources()
            .iter()
            .filter(|source| source.name() != Own::NAME)
            .map(|source| source.health().into())
            .collect(),
        alerts: moment.alerts.clone(),
    }
}

/// How much a counter has grown each second; none when it was set back, by a reboot of a device say.
fn rate(now: u64, before: u64, seconds: f64) -> Option<f64> {
    Some(now.checked_sub(before)? as f64 / seconds)
}

/// A share in percent; none of nothing.
fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64 * 100.0)
}

impl From<Health> for SourceState {
    fn from(health: Health) -> Self {
        let (reason, detail) = health.missing.map(|missing| (missing.reason.code(), missing.detail)).unzip();
        Self {
            name: health.name,
            state: health.state.word(),
            reason,
            detail,
            age_seconds: health.age.map(|age| age.as_secs_f64()),
            interval_seconds: health.interval.as_secs_f64(),
            duration_seconds: health.duration.map(|duration| duration.as_secs_f64()),
        }
    }
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / GIB
}
