//! What the agent costs, beside what a user would run instead, as ratios from one run on one machine.
//!
//! `make bench` prints the table and writes it into `docs/benchmarks.md`. With names of parts as arguments
//! (`second`, `scrape`, `throughput`, `memory`, `start`, `size`, `fanout`) it only prints those.
//! CPU time is the scheduler's own, in nanoseconds, of the measured process alone; programs take turns in short
//! slices, and a ratio is the median of the slices' ratios, with the least and the greatest.

mod client;
mod fanout;
mod floor;
mod footprint;
mod process;
mod report;
mod scrape;
mod table;

use anyhow::{Context as _, Result};

use crate::{
    footprint::Remembering,
    table::{Row, render},
};

/// What a row says when the peer is missing.
pub(crate) const NODE_EXPORTER: &str = "Debian's prometheus-node-exporter";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", "constant", address, length] => floor::serve(address.parse()?, length.parse()?),
        ["serve", kind, interval] => fanout::serve(kind, interval.parse()?),
        ref parts => {
            let mut rows = Vec::new();
            measure(&mut rows, |part| parts.is_empty() || parts.contains(&part))?;
            let table = render(&rows);
            print!("{table}");
            if parts.is_empty() { report::write(&table).context("the table could not be written down") } else { Ok(()) }
        }
    }
}

fn measure(rows: &mut Vec<Row>, chosen: impl Fn(&str) -> bool) -> Result<()> {
    type Part = fn(&mut Vec<Row>) -> Result<()>;
    let parts: [(&str, Part); 6] = [
        ("second", scrape::each_second),
        ("scrape", scrape::back_to_back),
        ("throughput", scrape::throughput),
        ("start", footprint::start),
        ("size", footprint::size),
        ("fanout", fanout::measure),
    ];
    // It fills for minutes, so it begins before all else.
    let remembering = chosen("memory").then(Remembering::start).transpose()?;
    for (name, part) in parts {
        if chosen(name) {
            eprintln!("measuring: {name}");
            // What one part costs to go wrong is that part's rows, not those of an hour before it.
            if let Err(error) = part(rows) {
                eprintln!("{name} was not measured: {error:#}");
            }
        }
    }
    if let Some(remembering) = remembering {
        eprintln!("measuring: memory (waits until six minutes of history are there)");
        if let Err(error) = remembering.measure(rows) {
            eprintln!("memory was not measured: {error:#}");
        }
    }
    Ok(())
}
