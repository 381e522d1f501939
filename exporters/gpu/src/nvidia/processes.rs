//! The processes that use an NVIDIA card: their memory, and how long their work ran.

use std::collections::{BTreeMap, HashMap};

use nvml_wrapper::{Device, enums::device::UsedGpuMemory, error::NvmlError};

use super::{ask::Ask, card::Memory};
use crate::{process::Processes, reading::Process};

/// So many are shown, those with most memory first: each is a label value that comes and goes.
const MOST: usize = 32;

/// The processes, or nothing when the driver does not tell.
pub(super) fn read(
    device: &Device<'_>,
    ask: &mut Ask,
    memory: &mut Memory,
    known: &mut Processes,
    total: Option<u64>,
) -> Option<Vec<Process>> {
    let compute = ask.ask("processes", || device.running_compute_processes());
    let graphics = ask.ask("graphics_processes", || device.running_graphics_processes());
    if compute.is_none() && graphics.is_none() {
        return None;
    }
    let mut processes: BTreeMap<u32, Process> = BTreeMap::new();
    // A process that both computes and draws is in both lists with the same memory.
    for process in compute.into_iter().chain(graphics).flatten() {
        let bytes = match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes),
            UsedGpuMemory::Unavailable => None,
        };
        // Some drivers lay this list out otherwise than they say: more than the card has is no answer.
        let bytes = bytes.filter(|&bytes| total.is_none_or(|total| bytes <= total));
        let entry = processes
            .entry(process.pid)
            .or_insert_with(|| Process { gpu_instance: process.gpu_instance_id, ..Process::new(process.pid) });
        entry.memory = entry.memory.max(bytes);
    }
    let busy = busy(device, ask, memory);
    let mut processes: Vec<Process> = processes.into_values().collect();
    processes.sort_by_key(|process| (std::cmp::Reverse(process.memory), process.pid));
    processes.truncate(MOST);
    for process in &mut processes {
        known.complete(process);
        process.busy = busy.get(&process.pid).copied();
    }
    Some(processes)
}

/// The mean of what the driver measured since the last look, by process.
fn busy(device: &Device<'_>, ask: &mut Ask, memory: &mut Memory) -> HashMap<u32, f64> {
    let since = memory.processes_until;
    let samples = ask.ask("process_utilization", || match device.process_utilization_stats(since) {
        // Nothing new.
        Err(NvmlError::NotFound) => Ok(Vec::new()),
        result => result,
    });
    let mut sums: HashMap<u32, (f64, f64)> = HashMap::new();
    for sample in samples.unwrap_or_default() {
        if sample.timestamp > since && sample.sm_util <= 100 {
            memory.processes_until = memory.processes_until.max(sample.timestamp);
            let (sum, count) = sums.entry(sample.pid).or_default();
            *sum += f64::from(sample.sm_util) / 100.0;
            *count += 1.0;
        }
    }
    sums.into_iter().map(|(pid, (sum, count))| (pid, sum / count)).collect()
}
