//! What it costs to bring a message to many WebSocket clients, beside a server written for this benchmark that
//! does nothing else: one loop over ready-made frames. The servers run as processes of their own, so that their
//! cost can be told from the clients'.

mod load;
mod process;
mod servers;

use std::time::Duration;

use anyhow::Result;

pub(crate) use self::servers::serve;
use self::{
    load::{Load, Report},
    process::{Server, kernel_pages},
};
use crate::table::{Pairs, Row, Target};

const PEER: &str = "epoll loop, ready frames";

/// Length of a message's text.
const MESSAGE: usize = 2048;

/// All rows of the fan-out.
pub(crate) fn measure(rows: &mut Vec<Row>) -> Result<()> {
    process::raise_descriptors();
    cpu(rows)?;
    memory(rows)?;
    many(rows)?;
    stalled(rows)?;
    others(rows)?;
    tls(rows)
}

/// Runs in turns, so that what else the machine does meets both alike.
fn cpu(rows: &mut Vec<Row>) -> Result<()> {
    let (mut cost, mut slowest) = (Pairs::default(), Pairs::default());
    for _ in 0..5 {
        let (ours, peer) = (serve_readers("ours", 1000, 5)?, serve_readers("peer", 1000, 5)?);
        cost.add(ours.1, peer.1);
        slowest.add(ours.0.p99_ms, peer.0.p99_ms);
    }
    rows.push(Row::pairs(
        "a 2 KB message to each of 1,000 clients, 10 a second: CPU a delivery",
        "us",
        PEER,
        &cost,
        Target::Ratio(1.25),
    ));
    rows.push(Row::pairs("  the same: p99 from publishing to the client", "ms", PEER, &slowest, Target::None));
    Ok(())
}

fn serve_readers(kind: &str, clients: usize, seconds: u64) -> Result<(Report, f64)> {
    let server = Server::start(kind, 100)?;
    let mut load = Load::connect(&server, clients)?;
    load.run(Duration::from_secs(1))?;
    load.reset();
    let before = server.cpu()?;
    load.run(Duration::from_secs(seconds))?;
    let spent = server.cpu()?.saturating_sub(before);
    let report = load.report();
    anyhow::ensure!(report.lost == 0, "{} clients were disconnected", report.lost);
    let each = spent.as_secs_f64() * 1e6 / report.messages as f64;
    Ok((report, each))
}

fn memory(rows: &mut Vec<Row>) -> Result<()> {
    let idle = |kind: &str, clients: usize| -> Result<f64> {
        let server = Server::start(kind, 0)?;
        // What a server holds once it has served somebody, however many.
        let warm = Load::connect(&server, 50)?;
        drop(warm);
        std::thread::sleep(Duration::from_millis(500));
        let before = server.resident()?;
        let mut load = Load::connect(&server, clients)?;
        load.run(Duration::from_secs(3))?;
        Ok((server.resident()? as f64 - before as f64) / clients as f64)
    };
    let mut pairs = Pairs::default();
    pairs.add(idle("ours", 10_000)?, idle("peer", 10_000)?);
    rows.push(Row::pairs("user memory an idle client, of 10,000", "B", PEER, &pairs, Target::Figure(1024.0)));
    rows.push(Row::alone("  the same under TLS, of 1,000", "B", idle("ours-tls", 1000)?, Target::None));
    Ok(())
}

fn many(rows: &mut Vec<Row>) -> Result<()> {
    const SECONDS: f64 = 20.0;
    let server = Server::start("ours", 100)?;
    let mut load = Load::connect(&server, 10_000)?;
    load.run(Duration::from_secs(3))?;
    load.reset();
    let before = server.cpu()?;
    load.run(Duration::from_secs_f64(SECONDS))?;
    let spent = server.cpu()?.saturating_sub(before).as_secs_f64();
    let report = load.report();
    let rate = report.messages as f64 / 10_000.0 / SECONDS;
    let skipped = report.gaps as f64 / (report.gaps + report.messages) as f64 * 100.0;
    let mut row = |what: &str, unit: &str, figure: f64, target| rows.push(Row::alone(what, unit, figure, target));
    row("10,000 clients, 10 messages a second, for 20 s: disconnected", "", report.lost as f64, Target::Figure(0.0));
    row("  messages a client a second", "", rate, Target::None);
    row("  skipped for a newer one", "%", skipped, Target::None);
    row("  p99 from publishing to the client", "ms", report.p99_ms, Target::None);
    row("  cores in use by the server", "", spent / SECONDS, Target::None);
    Ok(())
}

/// A thousand clients that stop reading, at 50 messages a second: in 9 s they miss 450. What lies in the client's own
/// receive buffer is out of a server's hands, so the rows with targets are those of clients that have a small one.
fn stalled(rows: &mut Vec<Row>) -> Result<()> {
    let targets = (Target::Figure(4.0), Target::Figure(32.0));
    for (name, window, (old, memory)) in
        [("4 KB", Some(2048), targets), ("the system's default", None, (Target::None, Target::None))]
    {
        let (ours, peer) = (stall("ours", window)?, stall("peer", window)?);
        let mut row = |what: String, unit: &str, key: fn(&Stalled) -> f64, target| {
            let mut pairs = Pairs::default();
            pairs.add(key(&ours), key(&peer));
            rows.push(Row::pairs(what, unit, PEER, &pairs, target));
        };
        let what = format!("1,000 stalled clients, receive buffer {name}: old messages when they read again, most");
        row(what, "", |stalled| stalled.most, old);
        row("  memory each, user and kernel, both ends of the socket".into(), "KB", |stalled| stalled.memory, memory);
    }
    Ok(())
}

struct Stalled {
    most: f64,
    memory: f64,
}

fn stall(kind: &str, window: Option<usize>) -> Result<Stalled> {
    const CLIENTS: usize = 1000;
    let server = Server::start(kind, 20)?;
    let mut healthy = Load::connect(&server, 200)?;
    let mut readers = Load::connect_with(&server, CLIENTS, window)?;
    healthy.run(Duration::from_secs(1))?;
    readers.run(Duration::from_millis(500))?;
    let (pages, resident) = (kernel_pages()?, server.resident()?);
    healthy.run(Duration::from_secs(9))?;
    let pages = kernel_pages()?.saturating_sub(pages);
    let resident = server.resident()?.saturating_sub(resident);
    let newest = healthy.newest();
    readers.reset();
    let most = readers.catch_up(newest)? as f64;
    Ok(Stalled { most, memory: (pages * 4096 + resident) as f64 / 1e3 / CLIENTS as f64 })
}

/// What a thousand stalled clients do to a thousand that read.
fn others(rows: &mut Vec<Row>) -> Result<()> {
    let mut pairs = Pairs::default();
    for _ in 0..5 {
        let without = serve_readers("ours", 1000, 5)?.0.p99_ms;
        let server = Server::start("ours", 100)?;
        let _stalled = Load::connect_with(&server, 1000, Some(2048))?;
        let mut healthy = Load::connect(&server, 1000)?;
        healthy.run(Duration::from_secs(2))?;
        healthy.reset();
        healthy.run(Duration::from_secs(5))?;
        pairs.add(healthy.report().p99_ms, without);
    }
    let what = "1,000 stalled clients: p99 of 1,000 others, 10 messages a second";
    rows.push(Row::pairs(what, "ms", "nobody stalled", &pairs, Target::Ratio(1.1)));
    Ok(())
}

fn tls(rows: &mut Vec<Row>) -> Result<()> {
    let mut pairs = Pairs::default();
    for _ in 0..3 {
        pairs.add(serve_readers("ours-tls", 500, 5)?.1, serve_readers("ours", 500, 5)?.1);
    }
    rows.push(Row::pairs("TLS, 500 clients: CPU a delivery", "us", "without TLS", &pairs, Target::None));
    Ok(())
}
