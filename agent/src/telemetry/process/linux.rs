//! /proc/self.

use std::fs;

use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

use super::{Process, Start};

pub(super) fn read(start: Start) -> Option<Process> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything; fields are counted behind its end.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Process {
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

/// Since Linux 6.2 the size of the folder is the number of its entries; before that they are counted.
fn descriptors() -> Option<u64> {
    match fs::metadata("/proc/self/fd").ok()?.len() {
        0 => Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64 - 1),
        entries => Some(entries),
    }
}
