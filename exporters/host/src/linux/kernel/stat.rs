//! What /proc/stat counts for the machine as a whole, behind its lines for each CPU.

use serde::Serialize;

use super::scan::{lines, number, words};

/// The machine since boot. What a kernel does not say is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Stat {
    /// When it was started, in seconds since 1970.
    pub boot_time: Option<u64>,
    /// Switches from one task to another.
    pub context_switches: Option<u64>,
    /// Processes and threads started.
    pub forks: Option<u64>,
    /// Interrupts of all kinds.
    pub interrupts: Option<u64>,
    /// Tasks that run or could run, now.
    pub running: Option<u64>,
    /// Tasks that wait for I/O, now.
    pub blocked: Option<u64>,
}

impl Stat {
    /// Nothing, if the text says nothing of the kind.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut stat = Self::default();
        for line in lines(text) {
            let mut words = words(line);
            let slot = match words.next() {
                Some(b"btime") => &mut stat.boot_time,
                Some(b"ctxt") => &mut stat.context_switches,
                Some(b"processes") => &mut stat.forks,
                Some(b"intr") => &mut stat.interrupts,
                Some(b"procs_running") => &mut stat.running,
                Some(b"procs_blocked") => &mut stat.blocked,
                _ => continue,
            };
            *slot = words.next().and_then(number);
        }
        (stat != Self::default()).then_some(stat)
    }
}
