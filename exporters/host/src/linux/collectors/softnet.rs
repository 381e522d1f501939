//! What each CPU did with packets in its soft interrupts, from /proc/net/softnet_stat: a line a CPU of hexadecimal
//! columns, of which kernels have 9 to 15. Since 5.10 (column 13) the line says which CPU it is about; before that
//! offline CPUs were left out in silence and lines were counted.

use aura_model::{Context, Metric, Missing, Name, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        file::{Buffer, KeptFile},
        names::Names,
        scan::{hexadecimal, lines, words},
    },
};

/// One row a CPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Softnet {
    /// CPUs that are online.
    pub cpus: Vec<SoftnetCpu>,
}

/// A CPU's packets since boot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SoftnetCpu {
    /// The CPU's number.
    pub cpu: Name,
    /// Packets processed.
    pub processed: u64,
    /// Packets dropped because the queue was full.
    pub dropped: u64,
    /// Times the budget or the time ran out with work left.
    pub times_squeezed: u64,
    /// Collisions while a device's lock was taken.
    pub cpu_collision: u64,
    /// Times another CPU woke this one for packets.
    pub received_rps: Option<u64>,
    /// Times the flow limit was reached.
    pub flow_limit: Option<u64>,
    /// Packets that wait now.
    pub backlog: Option<u64>,
}

pub(super) const METRICS: &[Metric<Softnet>] = rows! { |reading|
    for cpu in &reading.cpus => { cpu: cpu.cpu } {
        gauge "node_softnet_backlog_len" = cpu.backlog, "Softnet backlog status";
        counter "node_softnet_cpu_collision_total" = cpu.cpu_collision,
            "Number of collision occur while obtaining device lock while transmitting";
        counter "node_softnet_dropped_total" = cpu.dropped, "Number of dropped packets";
        counter "node_softnet_flow_limit_count_total" = cpu.flow_limit, "Number of times flow limit has been reached";
        counter "node_softnet_processed_total" = cpu.processed, "Number of processed packets";
        counter "node_softnet_received_rps_total" = cpu.received_rps, "Number of times cpu woken up received_rps";
        counter "node_softnet_times_squeezed_total" = cpu.times_squeezed,
            "Number of times processing packets ran out of quota";
    }
};

pub(super) struct Reader {
    file: KeptFile,
    names: Names,
}

impl Collector for Reader {
    type Reading = Softnet;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { file: KeptFile::short_lines(context.paths.procfs.join("net/softnet_stat")), names: Names::default() }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Softnet, Missing> {
        let text = self.file.read(buffer)?;
        let cpus = parse(text, &mut self.names);
        if cpus.is_empty() {
            Err(self.file.unreadable("nine or more hexadecimal columns"))
        } else {
            Ok(Softnet { cpus })
        }
    }
}

fn parse(text: &[u8], names: &mut Names) -> Vec<SoftnetCpu> {
    lines(text).enumerate().filter_map(|(place, line)| cpu(place as u64, line, names)).collect()
}

fn cpu(place: u64, line: &[u8], names: &mut Names) -> Option<SoftnetCpu> {
    let mut columns = [None; 13];
    for (column, word) in columns.iter_mut().zip(words(line)) {
        *column = Some(hexadecimal(word)?);
    }
    Some(SoftnetCpu {
        cpu: names.intern(decimal(columns[12].unwrap_or(place), &mut [0; 20])),
        processed: columns[0]?,
        dropped: columns[1]?,
        times_squeezed: columns[2]?,
        cpu_collision: columns[8]?,
        received_rps: columns[9],
        flow_limit: columns[10],
        backlog: columns[11],
    })
}

/// A number's digits, without allocating.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linux::testing::{TREES, output};

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("softnet@{tree}"), output(tree, &["softnet"]));
        }
    }

    proptest! {
        #[test]
        fn every_number_of_columns_is_read(columns in prop::collection::vec(any::<u32>(), 0..16)) {
            let text: Vec<String> = columns.iter().map(|column| format!("{column:08x}")).collect();
            let read = cpu(3, text.join(" ").as_bytes(), &mut Names::default());
            let column = |at: usize| columns.get(at).map(|&column| u64::from(column));
            let expected = (columns.len() >= 9).then(|| SoftnetCpu {
                cpu: column(12).unwrap_or(3).to_string().into(),
                processed: column(0).unwrap(),
                dropped: column(1).unwrap(),
                times_squeezed: column(2).unwrap(),
                cpu_collision: column(8).unwrap(),
                received_rps: column(9),
                flow_limit: column(10),
                backlog: column(11),
            });
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn digits(number in any::<u64>()) {
            let mut digits = [0; 20];
            prop_assert_eq!(decimal(number, &mut digits).to_vec(), number.to_string().into_bytes());
        }

        #[test]
        fn no_bytes_make_the_parser_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&text, &mut Names::default());
        }
    }
}
