//! What the scheduler did on each CPU, from /proc/schedstat where the kernel keeps it: `cpu0 0 0 0 0 0 0 4984 3324 7`,
//! the last three being nanoseconds running, nanoseconds waiting and time slices.

use aura_model::{Context, Metric, Missing, Name, Value, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        file::{Buffer, KeptFile},
        names::Names,
        scan::{lines, number, words},
    },
};

/// One row a CPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Schedstat {
    /// CPUs that are online.
    pub cpus: Vec<ScheduledCpu>,
}

/// A CPU's tasks since boot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScheduledCpu {
    /// The CPU's number.
    pub cpu: Name,
    /// Nanoseconds that tasks ran.
    pub running: u64,
    /// Nanoseconds that tasks waited for this CPU.
    pub waiting: u64,
    /// Times a task was put on it.
    pub timeslices: u64,
}

pub(super) const METRICS: &[Metric<Schedstat>] = rows! { |reading|
    for cpu in &reading.cpus => { cpu: cpu.cpu } {
        counter "node_schedstat_running_seconds_total" in Seconds = seconds(cpu.running),
            "Number of seconds CPU spent running a process.";
        counter "node_schedstat_timeslices_total" = cpu.timeslices, "Number of timeslices executed by CPU.";
        counter "node_schedstat_waiting_seconds_total" in Seconds = seconds(cpu.waiting),
            "Number of seconds spent by processing waiting for this CPU.";
    }
};

#[expect(clippy::cast_precision_loss, reason = "2^53 nanoseconds are 104 days, and a float's error then a nanosecond")]
fn seconds(nanoseconds: u64) -> Value {
    Value::Float(nanoseconds as f64 / 1e9)
}

pub(super) struct Reader {
    file: KeptFile,
    names: Names,
}

impl Collector for Reader {
    type Reading = Schedstat;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { file: KeptFile::new(context.paths.procfs.join("schedstat")), names: Names::default() }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Schedstat, Missing> {
        let text = self.file.read(buffer)?;
        let cpus = parse(text, &mut self.names);
        if cpus.is_empty() { Err(self.file.unreadable("a line for each CPU")) } else { Ok(Schedstat { cpus }) }
    }
}

fn parse(text: &[u8], names: &mut Names) -> Vec<ScheduledCpu> {
    lines(text).filter_map(|line| cpu(line, names)).collect()
}

fn cpu(line: &[u8], names: &mut Names) -> Option<ScheduledCpu> {
    let mut words = words(line);
    let cpu = words.next()?.strip_prefix(b"cpu").filter(|cpu| number(cpu).is_some())?;
    let mut numbers = words.skip(6).map(number);
    let mut next = || numbers.next().flatten();
    let (running, waiting, timeslices) = (next()?, next()?, next()?);
    Some(ScheduledCpu { cpu: names.intern(cpu), running, waiting, timeslices })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linux::testing::{TREES, output};

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("schedstat@{tree}"), output(tree, &["schedstat"]));
        }
    }

    proptest! {
        #[test]
        fn domains_between_the_cpus_are_passed_over(cpus in prop::collection::vec(any::<[u64; 9]>(), 1..5)) {
            let mut text = "version 15\ntimestamp 4294937296\n".to_owned();
            for (cpu, numbers) in cpus.iter().enumerate() {
                let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
                text += &format!("cpu{cpu} {}\ndomain0 03 1 2 3 4 5 6 7 8 9\n", numbers.join(" "));
            }
            let read = parse(text.as_bytes(), &mut Names::default());
            let rows: Vec<_> = read.iter().map(|cpu| [cpu.running, cpu.waiting, cpu.timeslices]).collect();
            prop_assert_eq!(rows, cpus.iter().map(|cpu| [cpu[6], cpu[7], cpu[8]]).collect::<Vec<_>>());
        }

        #[test]
        fn no_bytes_make_the_parser_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&text, &mut Names::default());
        }
    }
}
