//! What the agent costs, beside what a user would run instead, as ratios from one run on one machine.
//!
//! `make bench` prints the table and writes it into `docs/benchmarks.md`. With names of parts as arguments
//! (`second`, `scrape`, `throughput`, `start`, `size`, `postgres`, `ollama`, `gpu`, `audit`, `roles`, `fanout`, `attacks`, `memory`)
//! it only prints those.
//! CPU time is the scheduler's own, in nanoseconds, of the measured process alone; programs take turns in short
//! slices, and a ratio is the median of the slices' ratios, with the least and the greatest.

mod attacks;
mod client;
mod fanout;
mod floor;
mod footprint;
mod process;
mod report;
mod scrape;
mod sources;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context as _, Result, anyhow, ensure};

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
        ["serve", "ollama", address, models] => sources::ollama::serve(address.parse()?, models.parse()?),
        ["poll", "ollama", address] => sources::ollama::poll(address.parse()?),
        ["poll", "roles", registry] => sources::roles::poll(registry.as_ref()),
        ["serve", kind, interval] => fanout::serve(kind, interval.parse()?),
        ref parts => {
            let mut rows = Vec::new();
            measure(&mut rows, |part| parts.is_empty() || parts.contains(&part))?;
            let table = render(&rows);
            print!("{table}");
            if parts.is_empty() {
                report::write(&table).context("the table could not be written down")?;
            }
            ensure!(rows.iter().all(Row::was_measured), "not all could be measured");
            Ok(())
        }
    }
}

fn measure(rows: &mut Vec<Row>, chosen: impl Fn(&str) -> bool) -> Result<()> {
    type Part = fn(&mut Vec<Row>) -> Result<()>;
    let parts: [(&str, Part); 12] = [
        ("second", scrape::each_second),
        ("scrape", scrape::back_to_back),
        ("throughput", scrape::throughput),
        ("start", footprint::start),
        ("size", footprint::size),
        ("postgres", sources::postgres::measure),
        ("ollama", sources::ollama::measure),
        ("gpu", sources::gpu::measure),
        ("audit", sources::audit::measure),
        ("roles", sources::roles::measure),
        ("fanout", fanout::measure),
        ("attacks", attacks::measure),
    ];
    // It fills for minutes, so it begins before all else.
    let remembering = chosen("memory").then(Remembering::start).transpose()?;
    for (name, part) in parts {
        if chosen(name) {
            eprintln!("measuring: {name}");
            // What one part costs to go wrong is that part's rows, not those of an hour before it.
            let result = catch_unwind(AssertUnwindSafe(|| part(rows)));
            note(rows, name, result.unwrap_or_else(|_| Err(anyhow!("it panicked"))));
        }
    }
    if let Some(remembering) = remembering {
        eprintln!("measuring: memory (waits until six minutes of history are there)");
        let result = remembering.measure(rows);
        note(rows, "memory", result);
    }
    Ok(())
}

/// A part that failed shows in the table, so that nobody takes it for one that is not there.
fn note(rows: &mut Vec<Row>, name: &str, result: Result<()>) {
    if let Err(error) = result {
        eprintln!("{name} was not measured: {error:#}");
        rows.push(Row::failed(name, &format!("{error:#}")));
    }
}
