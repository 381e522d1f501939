//! Shares of CPU time. A CPU works when it is neither idle nor waiting for a disk.

use std::collections::BTreeMap;

use aura_host::{CpuTime, HostReading, MODES};

use super::{Pair, percent};
use crate::views::host::message::{Cpu, Frequency};

const HERTZ_PER_MEGAHERTZ: f64 = 1e6;

/// Places of modes in which a CPU does nothing.
const IDLE: [usize; 2] = [3, 4];

pub(super) fn cpu(pair: Pair<'_>) -> Cpu {
    let cpu = pair.now.cpu.value();
    let spent = spent(pair);
    Cpu {
        usage_percent: usage(pair),
        count_physical: cpu.and_then(|cpu| cpu.topology.cores).map(|cores| cores as u64),
        count_logical: cpu.map(|cpu| cpu.cpus.len() as u64),
        frequency: frequency(pair.now),
        per_cpu_percent: spent.as_ref().and_then(|spent| spent.iter().map(busy).collect()),
        load_average: pair.now.loadavg.value().map(|load| [load.one, load.five, load.fifteen]),
        mode_percent: spent.and_then(|spent| modes(&sum(&spent))),
    }
}

/// Share of time in which the CPUs worked.
pub(super) fn usage(pair: Pair<'_>) -> Option<f64> {
    busy(&sum(&spent(pair)?))
}

/// Ticks that each CPU has spent in each mode between the two readings; a CPU that was not there before is left out.
fn spent(pair: Pair<'_>) -> Option<Vec<[u64; 8]>> {
    let (before, _) = pair.before?;
    let (now, before) = (pair.now.cpu.value()?, before.cpu.value()?);
    let earlier = |cpu: &CpuTime| before.cpus.iter().find(|earlier| earlier.cpu == cpu.cpu);
    let difference = |now: &CpuTime, before: &CpuTime| {
        // Idle and iowait may step back a little, as the kernel's documentation of /proc/stat warns.
        std::array::from_fn(|mode| now.ticks[mode].saturating_sub(before.ticks[mode]))
    };
    Some(now.cpus.iter().filter_map(|cpu| Some(difference(cpu, earlier(cpu)?))).collect())
}

fn sum(spent: &[[u64; 8]]) -> [u64; 8] {
    std::array::from_fn(|mode| spent.iter().map(|ticks| ticks[mode]).sum())
}

fn busy(ticks: &[u64; 8]) -> Option<f64> {
    let all: u64 = ticks.iter().sum();
    let idle: u64 = IDLE.iter().map(|&mode| ticks[mode]).sum();
    percent(all - idle, all)
}

fn modes(ticks: &[u64; 8]) -> Option<BTreeMap<&'static str, f64>> {
    let all = ticks.iter().sum();
    MODES.into_iter().zip(ticks).map(|(mode, &ticks)| Some((mode, percent(ticks, all)?))).collect()
}

fn frequency(now: &HostReading) -> Option<Frequency> {
    let cpus = &now.cpufreq.value()?.cpus;
    // The governor's view where there is one, else the hardware's.
    let clocks: Vec<u64> = cpus.iter().filter_map(|cpu| cpu.current.or(cpu.hardware)).collect();
    if clocks.is_empty() {
        return None;
    }
    let megahertz = |hertz: u64| hertz as f64 / HERTZ_PER_MEGAHERTZ;
    Some(Frequency {
        current: clocks.iter().sum::<u64>() as f64 / clocks.len() as f64 / HERTZ_PER_MEGAHERTZ,
        min: cpus.iter().filter_map(|cpu| cpu.hardware_min.or(cpu.min)).min().map(megahertz),
        max: cpus.iter().filter_map(|cpu| cpu.hardware_max.or(cpu.max)).max().map(megahertz),
    })
}
