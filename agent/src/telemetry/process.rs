//! The agent's own process, under the names that every Prometheus client library uses: /proc/self/stat, its limits
//! and its open descriptors. Always the real /proc: `--path.procfs` may show another machine's.

#[cfg(all(target_os = "linux", not(feature = "portable")))]
mod linux;

use std::time::{SystemTime, UNIX_EPOCH};

/// When the process started; known exactly once, at its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start(
    #[cfg_attr(
        any(not(target_os = "linux"), feature = "portable"),
        expect(dead_code, reason = "the other numbers of the process are read on Linux only")
    )]
    f64,
);

impl Start {
    pub(super) fn now() -> Self {
        Self(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()))
    }
}

/// What the kernel says of the process.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// CPU time in user and kernel mode, in seconds.
    pub cpu_seconds: f64,
    /// Memory in RAM, in bytes.
    pub resident_bytes: u64,
    /// Address space, in bytes.
    pub virtual_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Start, in Unix seconds.
    pub start_time: f64,
    /// Open descriptors.
    pub open_descriptors: Option<u64>,
    /// How many may be open; none without a limit.
    pub most_descriptors: Option<u64>,
    /// How large the address space may grow; none without a limit.
    pub most_virtual_bytes: Option<u64>,
}

impl Process {
    /// None where the system has no /proc.
    pub(super) fn read(start: Start) -> Option<Self> {
        #[cfg(all(target_os = "linux", not(feature = "portable")))]
        return linux::read(start);
        #[cfg(any(not(target_os = "linux"), feature = "portable"))]
        {
            _ = start;
            None
        }
    }
}
