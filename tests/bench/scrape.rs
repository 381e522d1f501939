//! What sampling and scraping cost, beside node_exporter and beside a server that does nothing else.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    NODE_EXPORTER,
    client::Client,
    process::{self, Program},
    table::{Pairs, Row, Target},
};

/// Of one-second samples a tenth of a scrape a second, of scrapes a fiftieth.
const SAMPLE: Target = Target::Ratio(0.1);
const SCRAPE: Target = Target::Ratio(0.02);
const THROUGHPUT: Target = Target::Ratio(1.3);

const CODINGS: [(&str, Option<&str>); 2] = [("plain", None), ("gzip", Some("gzip"))];

/// What is fetched from the agent each second.
#[derive(Clone, Copy)]
enum Fetch {
    Nothing,
    /// A request that has next to no answer: what any request costs.
    Health,
    Text,
    Gzip,
}

/// One sample a second of what node_exporter watches, with and without its text, beside one scrape a second of
/// node_exporter.
pub(crate) fn each_second(rows: &mut Vec<Row>) -> Result<()> {
    const SLICES: usize = 6;
    const WHAT: [&str; 4] = [
        "one sample a second, nobody asks: CPU a second",
        "  the same with its text (with one plain scrape a second, less what a request costs)",
        "  the same with one gzip scrape a second",
        "  the same with all sources at their defaults, nobody asks",
    ];
    let Some(peer) = Program::node_exporter()? else {
        rows.extend(WHAT.map(|what| Row::skipped(what, NODE_EXPORTER)));
        return Ok(());
    };
    let host_alone = ["GPU", "OLLAMA", "POSTGRES", "AUDIT", "ROLES"].map(|name| format!("AURA_SOURCES_{name}_ENABLED"));
    let host_alone: Vec<(&str, &str)> = host_alone.iter().map(|name| (name.as_str(), "false")).collect();
    let ours = Program::agent(&host_alone)?;
    // Looks for what is not there with exponential backoff, so it is measured last.
    let all = Program::agent(&[])?;
    peer.wait_for("/metrics", "node_load1")?;
    ours.wait_for("/metrics", "node_load1")?;
    let mut pairs = [Pairs::default(), Pairs::default(), Pairs::default(), Pairs::default()];
    for _ in 0..SLICES {
        let [(alone, theirs), (request, _), (text, theirs_too), (gzip, theirs_last)] = [
            seconds(&ours, Fetch::Nothing, &peer)?,
            seconds(&ours, Fetch::Health, &peer)?,
            seconds(&ours, Fetch::Text, &peer)?,
            seconds(&ours, Fetch::Gzip, &peer)?,
        ];
        pairs[0].add(alone, theirs);
        pairs[1].add(text - (request - alone), theirs_too);
        pairs[2].add(gzip, theirs_last);
    }
    for _ in 0..SLICES {
        let (alone, theirs) = seconds(&all, Fetch::Nothing, &peer)?;
        pairs[3].add(alone, theirs);
    }
    for ((what, target), pairs) in WHAT.into_iter().zip([SAMPLE, SAMPLE, Target::None, Target::None]).zip(&pairs) {
        rows.push(Row::pairs(what, "ms", PEER, pairs, target));
    }
    Ok(())
}

const PEER: &str = "node_exporter, one gzip scrape a second";

/// Milliseconds of CPU a second, ours and the peer's. Both run in the same seconds, so whatever else the machine does meets
/// both alike.
fn seconds(ours: &Program, fetch: Fetch, peer: &Program) -> Result<(f64, f64)> {
    const SECONDS: u32 = 5;
    let fetch = match fetch {
        Fetch::Nothing => None,
        Fetch::Health => Some(("/-/healthy", None)),
        Fetch::Text => Some(("/metrics", None)),
        Fetch::Gzip => Some(("/metrics", Some("gzip"))),
    };
    // A connection that asks for nothing is closed before long.
    let mut client = fetch.map(|_| Client::connect(ours.address)).transpose()?;
    let mut peers_client = Client::connect(peer.address)?;
    let (before, peers_before) = (ours.cpu()?, peer.cpu()?);
    for _ in 0..SECONDS {
        let begun = Instant::now();
        peers_client.get("/metrics", Some("gzip"))?;
        if let (Some(client), Some((path, coding))) = (&mut client, fetch) {
            client.get(path, coding)?;
        }
        thread::sleep(Duration::from_secs(1).saturating_sub(begun.elapsed()));
    }
    let each = |spent: Duration| spent.as_secs_f64() * 1e3 / f64::from(SECONDS);
    Ok((each(ours.cpu()? - before), each(peer.cpu()? - peers_before)))
}

/// Scrapes one after the other.
pub(crate) fn back_to_back(rows: &mut Vec<Row>) -> Result<()> {
    const SLICES: usize = 9;
    let Some(peer) = Program::node_exporter()? else {
        rows.extend(CODINGS.map(|(name, _)| Row::skipped(format!("a {name} scrape"), NODE_EXPORTER)));
        return Ok(());
    };
    let ours = Program::agent(&[])?;
    ours.wait_for("/metrics", "node_load1")?;
    peer.wait_for("/metrics", "node_load1")?;
    for (name, coding) in CODINGS {
        let (_, bytes) = scrapes(&ours, 50, coding)?;
        let (_, peers_bytes) = scrapes(&peer, 20, coding)?;
        let mut pairs = Pairs::default();
        for _ in 0..SLICES {
            pairs.add(scrapes(&ours, 4000, coding)?.0, scrapes(&peer, 60, coding)?.0);
        }
        let what = format!("a {name} scrape, back to back ({bytes} and {peers_bytes} bytes): CPU");
        rows.push(Row::pairs(what, "us", "node_exporter", &pairs, SCRAPE));
    }
    Ok(())
}

/// Microseconds of the program's CPU a scrape, and the length of its body.
fn scrapes(program: &Program, count: u32, coding: Option<&str>) -> Result<(f64, usize)> {
    let mut client = Client::connect(program.address)?;
    let mut length = 0;
    let before = program.cpu()?;
    for _ in 0..count {
        length = client.get("/metrics", coding)?.length;
    }
    Ok(((program.cpu()? - before).as_secs_f64() * 1e6 / f64::from(count), length))
}

/// Eight connections that ask as fast as they are answered, beside hyper with a constant body.
pub(crate) fn throughput(rows: &mut Vec<Row>) -> Result<()> {
    const SLICES: usize = 21;
    let ours = Program::agent(&[])?;
    ours.wait_for("/metrics", "node_load1")?;
    ours.pin()?;
    for (name, coding) in CODINGS {
        let mut client = Client::connect(ours.address)?;
        let answer = client.get("/metrics", coding)?;
        let (length, size) = (answer.length, answer.size());
        let floor = constant(size)?;
        let (mut time, mut cpu) = (Pairs::default(), Pairs::default());
        for _ in 0..SLICES {
            let (ours, floors) = (flood(&ours, coding)?, flood(&floor, coding)?);
            time.add(ours.0, floors.0);
            cpu.add(ours.1, floors.1);
        }
        let what = format!("8 connections, {name}, {length} bytes: time an answer");
        rows.push(Row::pairs(what, "us", "bare hyper, constant body", &time, THROUGHPUT));
        rows.push(Row::pairs("  the same: CPU an answer", "us", "bare hyper, constant body", &cpu, Target::None));
    }
    Ok(())
}

/// A server of constant answers of this size, head included. With a body of the same length instead, its shorter head may
/// save it a packet: 64 KiB is about the most that one holds.
fn constant(size: usize) -> Result<Program> {
    let start = |length: usize| -> Result<Program> {
        let server = Program::own_server("constant", &length.to_string())?;
        server.wait_for("/", "x")?;
        Ok(server)
    };
    let whole = Client::connect(start(size)?.address)?.get("/", None)?.size();
    let server = start(size - (whole - size))?;
    server.pin()?;
    Ok(server)
}

/// Microseconds an answer takes, and costs, with eight connections busy for a moment. Server and clients each have a CPU:
/// where the scheduler puts them makes a larger difference than the one that is measured.
fn flood(program: &Program, coding: Option<&str>) -> Result<(f64, f64)> {
    const CONNECTIONS: usize = 8;
    const MOMENT: Duration = Duration::from_millis(300);
    let (count, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let ask = || -> Result<()> {
        process::pin_this_thread()?;
        let mut client = Client::connect(program.address)?;
        while !stop.load(Relaxed) {
            client.get("/metrics", coding)?;
            count.fetch_add(1, Relaxed);
        }
        Ok(())
    };
    let before = program.cpu()?;
    let begun = Instant::now();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(ask)).collect();
        thread::sleep(MOMENT);
        stop.store(true, Relaxed);
        clients.into_iter().try_for_each(|client| client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?)
    })?;
    let elapsed = begun.elapsed();
    let count = count.load(Relaxed) as f64;
    Ok((elapsed.as_secs_f64() * 1e6 / count, (program.cpu()? - before).as_secs_f64() * 1e6 / count))
}
