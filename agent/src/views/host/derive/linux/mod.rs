//! What Linux tells.

mod cpu;
mod disk;
mod memory;
mod network;
mod platform;
mod processes;
mod sensors;

use aura_host::HostReading;
use aura_model::Missing;
use jiff::Timestamp;

use super::{MIB, Pair, Vitals, gib, percent, rate, sum_of_counters};
use crate::views::{
    host::message::{Metrics, Stall},
    time::rfc3339,
};

/// The few numbers of a reading.
pub(super) fn vitals(pair: Pair<'_>) -> Vitals {
    let memory = memory::memory(pair.now);
    let disk = disk::speed(pair);
    let network = network::speed(pair);
    let pressure = sensors::pressure(pair.now);
    let some = |stall: Option<&Stall>| stall.map(|stall| stall.some.avg10);
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

/// All of it.
pub(super) fn metrics(pair: Pair<'_>, sampled_at: Timestamp) -> Metrics {
    let now = pair.now;
    Metrics {
        timestamp: rfc3339(sampled_at),
        platform: platform::platform(now, sampled_at),
        cpu: cpu::cpu(pair),
        memory: memory::memory(now),
        disk: disk::disk(pair),
        network: network::network(pair),
        temperature: sensors::temperature(now),
        gpu: None,
        pressure: sensors::pressure(now),
        processes: processes::processes(now),
    }
}

/// What was not read and why, by its path in the metrics.
pub(super) fn missing(now: &HostReading) -> [(&'static str, Option<&Missing>); 10] {
    [
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
    ]
}
