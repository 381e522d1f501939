//! Memory from /proc/meminfo.

use aura_host::HostReading;

use super::{gib, percent};
use crate::views::host::message::{Memory, Swap};

pub(super) fn memory(now: &HostReading) -> Option<Memory> {
    let meminfo = now.meminfo.value()?;
    let total = meminfo.bytes("MemTotal")?;
    let free = meminfo.bytes("MemFree")?;
    // Before Linux 3.14 the kernel did not say what is available.
    let available = meminfo.bytes("MemAvailable")?;
    let used = total.checked_sub(available)?;
    Some(Memory {
        total,
        available,
        used,
        free,
        buffers: meminfo.bytes("Buffers"),
        cached: meminfo.bytes("Cached"),
        percent: percent(used, total)?,
        total_gb: gib(total),
        available_gb: gib(available),
        used_gb: gib(used),
        swap: swap(meminfo.bytes("SwapTotal"), meminfo.bytes("SwapFree")),
    })
}

fn swap(total: Option<u64>, free: Option<u64>) -> Option<Swap> {
    let (total, free) = (total?, free?);
    let used = total.checked_sub(free)?;
    Some(Swap { total, used, free, percent: percent(used, total) })
}
