//! What it costs to bring a message to many WebSocket clients, beside a server written for this benchmark
//! that does nothing else: one loop over ready-made frames. `cargo run --release --example fanout` prints one
//! table; the servers run as processes of their own, so that their cost can be told from the clients'.

mod load;
mod process;
mod servers;

use std::time::Duration;

use anyhow::Result;

use crate::{
    load::{Load, Report},
    process::{Server, kernel_pages},
};

/// Length of a message's text.
pub(crate) const MESSAGE: usize = 2048;

fn main() -> Result<()> {
    process::raise_descriptors();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => servers::serve(&arguments[1], arguments[2].parse()?),
        Some(part) => run(|name| name == part),
        None => run(|_| true),
    }
}

fn run(chosen: impl Fn(&str) -> bool) -> Result<()> {
    println!("{:<58} {:>10} {:>10} {:>7}", "", "ours", "peer", "ratio");
    if chosen("cpu") {
        cpu()?;
    }
    if chosen("memory") {
        memory()?;
    }
    if chosen("many") {
        many()?;
    }
    if chosen("stalled") {
        stalled()?;
    }
    if chosen("tls") {
        tls()?;
    }
    Ok(())
}

fn row(what: &str, ours: f64, peer: Option<f64>) {
    match peer {
        Some(peer) => println!("{what:<58} {ours:>10.2} {peer:>10.2} {:>7.2}", ours / peer),
        None => println!("{what:<58} {ours:>10.2}"),
    }
}

/// Runs in turns, so that what else the machine does meets both alike.
fn cpu() -> Result<()> {
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        ours.push(measure("ours", 1000, 8)?);
        peer.push(measure("peer", 1000, 8)?);
    }
    let median = |reports: &mut Vec<(Report, f64)>, key: fn(&(Report, f64)) -> f64| {
        reports.sort_by(|one, other| key(one).total_cmp(&key(other)));
        key(&reports[reports.len() / 2])
    };
    let cost = |reports: &(Report, f64)| reports.1;
    let slowest = |reports: &(Report, f64)| reports.0.p99_ms;
    row(
        "CPU us a message, 1,000 clients x 10 Hz (median of 3)",
        median(&mut ours, cost),
        Some(median(&mut peer, cost)),
    );
    row("latency p99 ms, same", median(&mut ours, slowest), Some(median(&mut peer, slowest)));
    Ok(())
}

fn measure(kind: &str, clients: usize, seconds: u64) -> Result<(Report, f64)> {
    let server = Server::start(kind, 100)?;
    let mut load = Load::connect(&server, clients)?;
    load.run(Duration::from_secs(2))?;
    load.reset();
    let before = server.cpu()?;
    load.run(Duration::from_secs(seconds))?;
    let spent = server.cpu()?.saturating_sub(before);
    let report = load.report();
    anyhow::ensure!(report.lost == 0, "{} clients were disconnected", report.lost);
    #[expect(clippy::cast_precision_loss, reason = "a count of messages")]
    let each = spent.as_secs_f64() * 1e6 / report.messages as f64;
    Ok((report, each))
}

fn memory() -> Result<()> {
    let idle = |kind: &str, clients: usize| -> Result<f64> {
        let server = Server::start(kind, 0)?;
        // What a server holds once it has served somebody, however many.
        let warm = Load::connect(&server, 50)?;
        drop(warm);
        std::thread::sleep(Duration::from_millis(500));
        let before = server.resident()?;
        let mut load = Load::connect(&server, clients)?;
        load.run(Duration::from_secs(3))?;
        #[expect(clippy::cast_precision_loss, reason = "bytes of a process")]
        Ok((server.resident()? as f64 - before as f64) / clients as f64)
    };
    row("user memory, bytes an idle client (10,000 of them)", idle("ours", 10_000)?, Some(idle("peer", 10_000)?));
    row("the same under TLS (1,000 of them)", idle("ours-tls", 1000)?, None);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of messages")]
fn many() -> Result<()> {
    let server = Server::start("ours", 100)?;
    let mut load = Load::connect(&server, 10_000)?;
    load.run(Duration::from_secs(3))?;
    load.reset();
    let before = server.cpu()?;
    load.run(Duration::from_secs(20))?;
    let spent = server.cpu()?.saturating_sub(before).as_secs_f64();
    let report = load.report();
    row("10,000 clients x 10 Hz for 20 s: disconnected", report.lost as f64, None);
    row("  messages a client a second", report.messages as f64 / 10_000.0 / 20.0, None);
    row("  skipped, share of all", report.gaps as f64 / (report.gaps + report.messages) as f64, None);
    row("  latency p50 ms", report.p50_ms, None);
    row("  latency p99 ms", report.p99_ms, None);
    row("  cores", spent / 20.0, None);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of bytes and messages")]
fn stalled() -> Result<()> {
    for (name, window) in [("with a receive buffer of 4 KB", Some(2048)), ("with the system's receive buffer", None)] {
        for kind in ["ours", "peer"] {
            // At 50 Hz, so that 10 s are 500 messages that a stalled client misses.
            let server = Server::start(kind, 20)?;
            let mut healthy = Load::connect(&server, 200)?;
            let mut readers = Load::connect_with(&server, 1000, window)?;
            healthy.run(Duration::from_secs(1))?;
            readers.run(Duration::from_millis(500))?;
            let (pages, resident) = (kernel_pages()?, server.resident()?);
            healthy.run(Duration::from_secs(1))?;
            healthy.reset();
            healthy.run(Duration::from_secs(8))?;
            let report = healthy.report();
            let pages = kernel_pages()?.saturating_sub(pages);
            let resident = server.resident()?.saturating_sub(resident);
            let queued = server.queued()?;
            let newest = healthy.newest();
            readers.reset();
            let old = readers.catch_up(newest)?;
            println!("1,000 clients stalled for 9 s at 50 Hz, {name}: {kind}");
            row("  old messages when they read again: most", old.most as f64, None);
            row("  old messages when they read again: mean", old.mean, None);
            row("  kernel memory each, KB (both ends of the socket)", pages as f64 * 4.096 / 1000.0, None);
            row("  queued in the server's kernel each, KB", queued as f64 / 1e6, None);
            row("  user memory each, bytes", resident as f64 / 1000.0, None);
            row("  p99 ms of 200 others meanwhile", report.p99_ms, None);
        }
    }
    others()
}

/// What a thousand stalled clients do to a thousand that read.
fn others() -> Result<()> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        without.push(measure("ours", 1000, 8)?.0.p99_ms);
        let server = Server::start("ours", 100)?;
        let mut stalled = Load::connect_with(&server, 1000, Some(2048))?;
        let mut healthy = Load::connect(&server, 1000)?;
        healthy.run(Duration::from_secs(2))?;
        healthy.reset();
        healthy.run(Duration::from_secs(8))?;
        with.push(healthy.report().p99_ms);
        stalled.reset();
    }
    without.sort_by(f64::total_cmp);
    with.sort_by(f64::total_cmp);
    println!("{:<58} {:>10} {:>10} {:>7}", "", "with", "without", "ratio");
    row("p99 ms of 1,000 readers beside 1,000 stalled, 10 Hz", with[1], Some(without[1]));
    Ok(())
}

fn tls() -> Result<()> {
    let (_, plain) = measure("ours", 500, 8)?;
    let (_, tls) = measure("ours-tls", 500, 8)?;
    println!("{:<58} {:>10} {:>10} {:>7}", "", "TLS", "plain", "ratio");
    row("CPU us a message, 500 clients x 10 Hz", tls, Some(plain));
    Ok(())
}
