//! Pressure stall information: for how long tasks stood still because a resource was short. `some`: at least one
//! task waited; `full`: all that had work did. From /proc/pressure/{cpu,io,irq,memory}, kernel 4.20 and later:
//! `some avg10=0.07 avg60=0.39 avg300=0.85 total=22263919` (per cent; microseconds).

use aura_model::{Context, Metric, Missing, Reason, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        file::{Buffer, KeptFile},
        scan::{float, lines, number, words},
    },
};

/// Each resource; `irq` only where the kernel accounts for interrupts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pressure {
    /// Waiting for a CPU.
    pub cpu: Option<Stall>,
    /// Waiting for block devices.
    pub io: Option<Stall>,
    /// Held up by interrupts.
    pub irq: Option<Stall>,
    /// Waiting for memory.
    pub memory: Option<Stall>,
}

/// How one resource was waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Stall {
    /// At least one task waited.
    pub some: Option<Waiting>,
    /// No task could work.
    pub full: Option<Waiting>,
}

/// Shares of recent time, and the sum since boot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Waiting {
    /// Per cent of the last 10 seconds.
    pub avg10: f64,
    /// Per cent of the last minute.
    pub avg60: f64,
    /// Per cent of the last five minutes.
    pub avg300: f64,
    /// Microseconds since boot.
    pub total: u64,
}

pub(super) const METRICS: &[Metric<Pressure>] = rows! { |pressure|
    counter "node_pressure_cpu_waiting_seconds_total" in Seconds = seconds(pressure.cpu, |cpu| cpu.some),
        "Total time in seconds that processes have waited for CPU time";
    counter "node_pressure_io_stalled_seconds_total" in Seconds = seconds(pressure.io, |io| io.full),
        "Total time in seconds no process could make progress due to IO congestion";
    counter "node_pressure_io_waiting_seconds_total" in Seconds = seconds(pressure.io, |io| io.some),
        "Total time in seconds that processes have waited due to IO congestion";
    counter "node_pressure_irq_stalled_seconds_total" in Seconds = seconds(pressure.irq, |irq| irq.full),
        "Total time in seconds no process could make progress due to IRQ congestion";
    counter "node_pressure_memory_stalled_seconds_total" in Seconds = seconds(pressure.memory, |memory| memory.full),
        "Total time in seconds no process could make progress due to memory congestion";
    counter "node_pressure_memory_waiting_seconds_total" in Seconds = seconds(pressure.memory, |memory| memory.some),
        "Total time in seconds that processes have waited for memory";
};

fn seconds(stall: Option<Stall>, kind: fn(Stall) -> Option<Waiting>) -> Option<f64> {
    stall.and_then(kind).map(|waiting| waiting.total as f64 / 1e6)
}

pub(super) struct Reader {
    cpu: KeptFile,
    io: KeptFile,
    irq: KeptFile,
    memory: KeptFile,
}

impl Collector for Reader {
    type Reading = Pressure;

    fn open(_: &HostOptions, context: &Context) -> Self {
        let file = |name| KeptFile::short_lines(context.paths.procfs.join("pressure").join(name));
        Self { cpu: file("cpu"), io: file("io"), irq: file("irq"), memory: file("memory") }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Pressure, Missing> {
        let cpu = match self.cpu.read(buffer) {
            Ok(text) => parse(text),
            Err(missing) => return Err(explain(missing)),
        };
        let mut stall = |file: &mut KeptFile| file.read(buffer).ok().and_then(parse);
        let (io, irq, memory) = (stall(&mut self.io), stall(&mut self.irq), stall(&mut self.memory));
        let pressure = Pressure { cpu, io, irq, memory };
        if pressure == Pressure::default() { Err(self.cpu.unreadable("a line some")) } else { Ok(pressure) }
    }

    fn watched(_: &Pressure) -> Option<String> {
        Some("pressure".into())
    }
}

/// A kernel that has it switched off refuses to open or read the files (`Operation not supported`).
fn explain(missing: Missing) -> Missing {
    match missing.reason {
        Reason::NoPermission => missing,
        _ => Missing::new(
            Reason::NoSensor,
            format!("{}; pressure needs Linux 4.20 with CONFIG_PSI, perhaps psi=1 on its command line", missing.detail),
        ),
    }
}

fn parse(text: &[u8]) -> Option<Stall> {
    let mut stall = Stall::default();
    for line in lines(text) {
        let mut words = words(line);
        match words.next() {
            Some(b"some") => stall.some = waiting(words),
            Some(b"full") => stall.full = waiting(words),
            _ => {}
        }
    }
    (stall != Stall::default()).then_some(stall)
}

fn waiting<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> Option<Waiting> {
    let mut value = |key: &str| words.next()?.strip_prefix(key.as_bytes());
    Some(Waiting {
        avg10: float(value("avg10=")?)?,
        avg60: float(value("avg60=")?)?,
        avg300: float(value("avg300=")?)?,
        total: number(value("total=")?)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linux::testing::{TREES, output};

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("pressure@{tree}"), output(tree, &["pressure"]));
        }
    }

    proptest! {
        #[test]
        fn what_the_kernel_writes_is_read(avg in any::<[u16; 3]>(), total in any::<u64>(), full in any::<bool>()) {
            let [avg10, avg60, avg300] = avg.map(|hundredths| f64::from(hundredths) / 100.0);
            let rest = format!("avg10={avg10:.2} avg60={avg60:.2} avg300={avg300:.2} total={total}\n");
            let text = if full { format!("some {rest}full {rest}") } else { format!("some {rest}") };
            let waiting = Some(Waiting { avg10, avg60, avg300, total });
            let expected = Stall { some: waiting, full: waiting.filter(|_| full) };
            prop_assert_eq!(parse(text.as_bytes()), Some(expected));
        }

        #[test]
        fn no_bytes_make_the_parser_panic(text in "(some|full)?( (avg10=|avg60=|avg300=|total=)?[0-9.x]{0,22}){0,5}\n?") {
            parse(text.as_bytes());
        }
    }
}
