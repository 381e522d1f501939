//! What /proc/stat counts for the machine as a whole. The cpu collector reads the same file and leaves these
//! numbers for us; only when it is switched off is the file read here.

use aura_model::{Context, Metric, Missing, rows};

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        file::{Buffer, KeptFile},
        stat::Stat,
    },
};

pub(super) const METRICS: &[Metric<Stat>] = rows! { |stat|
    gauge "node_boot_time_seconds" in Seconds = stat.boot_time, "Node boot time, in unixtime.";
    counter "node_context_switches_total" = stat.context_switches, "Total number of context switches.";
    counter "node_forks_total" = stat.forks, "Total number of forks.";
    counter "node_intr_total" = stat.interrupts, "Total number of interrupts serviced.";
    gauge "node_procs_blocked" = stat.blocked, "Number of processes blocked waiting for I/O to complete.";
    gauge "node_procs_running" = stat.running, "Number of processes in runnable state.";
};

pub(super) struct Reader {
    file: KeptFile,
}

impl Collector for Reader {
    type Reading = Stat;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { file: KeptFile::short_lines(context.paths.procfs.join("stat")) }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Stat, Missing> {
        if let Some(stat) = buffer.stat.take() {
            return Ok(stat);
        }
        let text = self.file.read(buffer)?;
        Stat::parse(text).ok_or_else(|| self.file.unreadable("a line btime, ctxt, processes or intr"))
    }
}

#[cfg(test)]
mod tests {
    use aura_model::Source;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        CollectorOptions,
        linux::{
            Host,
            testing::{TREES, context, output, sample},
        },
    };

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("stat@{tree}"), output(tree, &["stat"]));
        }
    }

    #[test]
    fn the_numbers_are_the_same_with_and_without_the_cpu_collector() {
        let collectors = CollectorOptions { disable: vec!["cpu".into()], ..Default::default() };
        let options = HostOptions { collectors, ..Default::default() };
        let alone = Host::open(&options, &context("vm-6.18")).unwrap().sample().unwrap();
        assert!(alone.stat.value().is_some());
        assert_eq!(alone.stat, sample("vm-6.18").stat);
    }

    proptest! {
        #[test]
        fn the_order_of_the_lines_does_not_matter(
            numbers in any::<[u64; 6]>(),
            order in Just([0, 1, 2, 3, 4, 5]).prop_shuffle()
        ) {
            let keys = ["btime", "ctxt", "processes", "intr", "procs_running", "procs_blocked"];
            let text: String = order.iter().map(|&at| format!("{} {}\n", keys[at], numbers[at])).collect();
            let [boot_time, context_switches, forks, interrupts, running, blocked] = numbers.map(Some);
            let stat = Stat { boot_time, context_switches, forks, interrupts, running, blocked };
            prop_assert_eq!(Stat::parse(text.as_bytes()), Some(stat));
        }
    }
}
