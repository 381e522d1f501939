//! The processes that use most.

use aura_host::{HostReading, Process as Counted};
use jiff::Timestamp;

use super::percent;
use crate::views::{
    host::message::{Process, Processes},
    time::rfc3339,
};

/// The kernel counts CPU time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn processes(now: &HostReading) -> Option<Processes> {
    let table = now.processes.value()?;
    let stat = now.stat.value();
    let sampled_at = i64::try_from(table.sampled_at).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    let memory = now.meminfo.value().and_then(|meminfo| meminfo.bytes("MemTotal"));
    let rows = |counted: &[Counted]| counted.iter().map(|row| process(row, table.elapsed_seconds, memory)).collect();
    Some(Processes {
        sampled_at: sampled_at.map(rfc3339),
        total: Some(table.total as u64),
        running: stat.and_then(|stat| stat.running),
        blocked: stat.and_then(|stat| stat.blocked),
        top_cpu: rows(&table.top_cpu),
        top_memory: rows(&table.top_memory),
    })
}

fn process(counted: &Counted, elapsed: Option<f64>, memory: Option<u64>) -> Process {
    let ticks = counted.previous_ticks.and_then(|previous| counted.ticks.checked_sub(previous));
    let elapsed = elapsed.filter(|elapsed| *elapsed > 0.0);
    Process {
        pid: counted.pid,
        name: counted.name.clone(),
        user: counted.user.clone(),
        cpu_percent: ticks.zip(elapsed).map(|(ticks, elapsed)| ticks as f64 / TICKS_PER_SECOND / elapsed * 100.0),
        memory_bytes: counted.memory_bytes,
        memory_percent: memory.and_then(|memory| percent(counted.memory_bytes, memory)),
    }
}
