//! The connection tracking table. How full it is, from two files below /proc/sys/net/netfilter that exist once the
//! module is loaded; what it did, from /proc/net/stat/nf_conntrack: a line of column names, then a line a CPU of
//! hexadecimal numbers, whose columns differ between kernels.

use aura_model::{Context, Metric, Missing, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        file::{Buffer, KeptFile},
        scan::{hexadecimal, lines, words},
    },
};

/// The table as it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Conntrack {
    /// Connections in it.
    pub entries: u64,
    /// As many as fit.
    pub limit: u64,
    /// What it did; some kernels do not say.
    pub statistics: Option<Statistics>,
}

/// Sums over all CPUs since the module was loaded, in the order of [`COLUMNS`]. A kernel without a column has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Statistics(pub [Option<u64>; 8]);

/// The columns that are read.
pub const COLUMNS: [&str; 8] =
    ["drop", "early_drop", "found", "ignore", "insert", "insert_failed", "invalid", "search_restart"];

pub(super) const METRICS: &[Metric<Conntrack>] = rows! { |table|
    gauge "node_nf_conntrack_entries" = table.entries,
        "Number of currently allocated flow entries for connection tracking.";
    gauge "node_nf_conntrack_entries_limit" = table.limit, "Maximum size of connection tracking table.";
    gauge "node_nf_conntrack_stat_drop" = table.sum(0), "Number of packets dropped due to conntrack failure.";
    gauge "node_nf_conntrack_stat_early_drop" = table.sum(1),
        "Number of dropped conntrack entries to make room for new ones, if maximum table size was reached.";
    gauge "node_nf_conntrack_stat_found" = table.sum(2), "Number of searched entries which were successful.";
    gauge "node_nf_conntrack_stat_ignore" = table.sum(3),
        "Number of packets seen which are already connected to a conntrack entry.";
    gauge "node_nf_conntrack_stat_insert" = table.sum(4), "Number of entries inserted into the list.";
    gauge "node_nf_conntrack_stat_insert_failed" = table.sum(5),
        "Number of entries for which list insertion was attempted but failed.";
    gauge "node_nf_conntrack_stat_invalid" = table.sum(6), "Number of packets seen which can not be tracked.";
    gauge "node_nf_conntrack_stat_search_restart" = table.sum(7),
        "Number of conntrack table lookups which had to be restarted due to hashtable resizes.";
};

impl Conntrack {
    /// What one of [`COLUMNS`] sums up to.
    fn sum(&self, column: usize) -> Option<u64> {
        self.statistics.and_then(|Statistics(sums)| sums[column])
    }
}

pub(super) struct Reader {
    entries: KeptFile,
    limit: KeptFile,
    statistics: KeptFile,
}

impl Collector for Reader {
    type Reading = Conntrack;

    fn open(_: &HostOptions, context: &Context) -> Self {
        let procfs = &context.paths.procfs;
        let table = |name| KeptFile::one_line(procfs.join("sys/net/netfilter").join(name));
        Self {
            entries: table("nf_conntrack_count"),
            limit: table("nf_conntrack_max"),
            statistics: KeptFile::short_lines(procfs.join("net/stat/nf_conntrack")),
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Conntrack, Missing> {
        Ok(Conntrack {
            entries: self.entries.number(buffer)?,
            limit: self.limit.number(buffer)?,
            statistics: self.statistics.read(buffer).ok().and_then(parse),
        })
    }
}

fn parse(text: &[u8]) -> Option<Statistics> {
    let mut lines = lines(text);
    let header = lines.next()?;
    let mut sums = Statistics::default();
    let mut complete = false;
    for line in lines {
        // One CPU left out would make a sum that goes back.
        let mut numbers = words(line);
        for name in words(header) {
            let number = hexadecimal(numbers.next()?)?;
            if let Some(place) = COLUMNS.iter().position(|column| column.as_bytes() == name) {
                sums.0[place] = Some(sums.0[place].unwrap_or(0).wrapping_add(number));
            }
        }
        complete = true;
    }
    complete.then_some(sums)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linux::testing::{TREES, output};

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("conntrack@{tree}"), output(tree, &["conntrack"]));
        }
    }

    proptest! {
        #[test]
        fn columns_are_found_by_name_and_summed_over_cpus(
            order in Just((0..COLUMNS.len()).collect::<Vec<_>>()).prop_shuffle(),
            cpus in prop::collection::vec(any::<[u32; 8]>(), 1..6)
        ) {
            let mut text = format!("entries {}\n", order.iter().map(|&at| COLUMNS[at]).collect::<Vec<_>>().join("  "));
            for cpu in &cpus {
                let numbers: Vec<String> = order.iter().map(|&at| format!("{:08x}", cpu[at])).collect();
                text += &format!("00000001  {}\n", numbers.join(" "));
            }
            let sum = |at: usize| Some(cpus.iter().map(|cpu| u64::from(cpu[at])).sum());
            prop_assert_eq!(parse(text.as_bytes()), Some(Statistics(std::array::from_fn(sum))));
        }

        #[test]
        fn no_bytes_make_the_parser_panic(text in "(entries|drop|found|[0-9a-g]{0,18}|\n| ){0,40}") {
            parse(text.as_bytes());
        }
    }

    #[test]
    fn a_torn_table_is_no_sum() {
        assert_eq!(parse(b"entries drop\n00000001 00000002\n00000001\n"), None);
        assert_eq!(parse(b"entries drop\n"), None);
    }
}
