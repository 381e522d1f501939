//! CPU time by mode from /proc/stat. The kernel counts in ticks of 1/100 s (USER_HZ, the same on every
//! architecture we build for). `guest` is contained in `user` and `guest_nice` in `nice`.

use aura_model::{Context, Metric, Missing, Name, Unit, Value, counter};
use serde::Serialize;

use super::{
    Collector,
    file::{Buffer, KeptFile},
    scan::{lines, number, words},
};
use crate::HostOptions;

/// The modes in the kernel's order.
pub(super) const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

/// One CPU's time, in seconds since boot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CpuTime {
    /// The CPU's number. Offline CPUs are left out by the kernel, so there may be gaps.
    pub cpu: Name,
    /// Ticks of 1/100 s in each of [`MODES`].
    pub ticks: [u64; 8],
    /// Ticks spent on virtual CPUs: plain and niced.
    pub guest: [u64; 2],
}

/// All CPUs that are online.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cpu {
    /// One row a CPU.
    pub cpus: Vec<CpuTime>,
}

pub(super) const METRICS: &[Metric<Cpu>] = &[counter(
    "node_cpu_seconds_total",
    "Seconds the CPUs spent in each mode.",
    Unit::Seconds,
    &["cpu", "mode"],
    |reading, emit| {
        for cpu in &reading.cpus {
            for (mode, ticks) in MODES.iter().zip(cpu.ticks) {
                emit.sample(&[&cpu.cpu, mode], Value::Float(ticks as f64 / 100.0));
            }
        }
    },
)];

pub(super) struct Reader {
    stat: KeptFile,
}

impl Collector for Reader {
    type Reading = Cpu;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { stat: KeptFile::new(context.paths.procfs.join("stat")) }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Cpu, Missing> {
        let text = self.stat.read(buffer)?;
        let cpus: Vec<CpuTime> = lines(text).filter_map(cpu).collect();
        if cpus.is_empty() { Err(self.stat.unreadable("a line for each CPU")) } else { Ok(Cpu { cpus }) }
    }
}

fn cpu(line: &[u8]) -> Option<CpuTime> {
    let mut words = words(line);
    let cpu = std::str::from_utf8(words.next()?.strip_prefix(b"cpu")?).ok()?;
    number(cpu.as_bytes())?;
    let mut next = || words.next().map_or(Some(0), number);
    let mut ticks = [0; 8];
    for slot in &mut ticks {
        *slot = next()?;
    }
    Some(CpuTime { cpu: cpu.into(), ticks, guest: [next()?, next()?] })
}
