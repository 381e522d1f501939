//! The agent's own process, under the names that every Prometheus client library uses: /proc/self/stat, its limits
//! and its open descriptors. Always the real /proc: `--path.procfs` may show another machine's.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

/// When the process started; known exactly once, at its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start(f64);

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
    pub(super) fn read(start: Start) -> Option<Self> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        // The name in parentheses may hold anything; fields are counted behind its end.
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) as f64 / clock_ticks_per_second() as f64,
            resident_bytes: field(24)? * page_size() as u64,
            virtual_bytes: field(23)?,
            threads: field(20)?,
            start_time: start.0,
            open_descriptors: descriptors(),
            most_descriptors: getrlimit(Resource::Nofile).current,
            most_virtual_bytes: getrlimit(Resource::As).current,
        })
    }
}

/// Since Linux 6.2 the size of the folder is the number of its entries; before that they are counted.
fn descriptors() -> Option<u64> {
    match fs::metadata("/proc/self/fd").ok()?.len() {
        0 => Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64 - 1),
        entries => Some(entries),
    }
}
