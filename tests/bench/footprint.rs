//! Memory, start and size.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    NODE_EXPORTER,
    client::Client,
    process::{Memory, Program, agent_binary, node_exporter_binary},
    table::{Pairs, Row, Target, median},
};

const MEGABYTE: f64 = 1e6;

/// An agent whose history fills ten times as fast as by default: an hour's rows in six minutes.
pub(crate) struct Remembering {
    agent: Program,
    begun: Instant,
}

/// A row: its name, what it takes of the memory, what it is to be.
type Field = (&'static str, fn(&Memory) -> u64, Target);

impl Remembering {
    pub(crate) fn start() -> Result<Self> {
        let settings = [
            ("AURA_SOURCES_HOST_INTERVAL", "100ms"),
            ("AURA_HISTORY_RESOLUTION", "100ms"),
            ("AURA_HISTORY_WINDOW", "6m"),
        ];
        Ok(Self { agent: Program::agent(&settings)?, begun: Instant::now() })
    }

    /// Memory with the page open, once the history is full.
    pub(crate) fn measure(self, rows: &mut Vec<Row>) -> Result<()> {
        self.agent.wait_for("/metrics", "node_load1")?;
        let mut client = Client::connect(self.agent.address)?;
        loop {
            let history: serde_json::Value =
                serde_json::from_str(&client.get("/api/system/history?window=6m", None)?.text())?;
            let filled = history["times"].as_array().map_or(0, Vec::len);
            // A tick may be missed on a busy machine, so it is never quite full.
            if filled >= 3000 && self.begun.elapsed() > Duration::from_secs(362) {
                break;
            }
            ensure!(self.begun.elapsed() < Duration::from_secs(900), "the history does not fill: {filled} rows");
            thread::sleep(Duration::from_secs(2));
        }
        let ours = self.with_the_page_open()?;
        let peer = node_exporter_in_use()?;
        let what = "with the page open and an hour of history";
        let fields: [Field; 3] = [
            ("resident memory (Rss)", |memory| memory.resident, Target::Figure(15.0)),
            ("the same, shared pages divided (Pss)", |memory| memory.proportional, Target::None),
            ("the same, heap and stacks alone", |memory| memory.anonymous, Target::None),
        ];
        for (name, field, target) in fields {
            let name = if matches!(target, Target::None) { format!("  {name}") } else { format!("{name} {what}") };
            let figure = field(&ours) as f64 / MEGABYTE;
            rows.push(match &peer {
                Some(peer) => {
                    let mut pairs = Pairs::default();
                    pairs.add(figure, field(peer) as f64 / MEGABYTE);
                    Row::pairs(name, "MB", "node_exporter after 50 scrapes", &pairs, target)
                }
                None => Row::alone(name, "MB", figure, target),
            });
        }
        Ok(())
    }

    /// What a browser does: the page's files, the history, the live feed compressed. Prometheus scrapes meanwhile.
    fn with_the_page_open(&self) -> Result<Memory> {
        let mut client = Client::connect(self.agent.address)?;
        for path in ["/", "/app.js", "/app.css", "/favicon.svg", "/api/system", "/api/system/history?window=6m"] {
            let answer = client.get(path, Some("gzip, deflate, br, zstd"))?;
            ensure!(answer.status == 200, "{path} was answered with {}", answer.status);
        }
        let until = Instant::now() + Duration::from_secs(10);
        thread::scope(|scope| {
            let page = Client::connect(self.agent.address)?;
            let page = scope.spawn(move || page.listen("/ws/system", || Instant::now() < until));
            while Instant::now() + Duration::from_secs(1) < until {
                client.get("/metrics", Some("gzip"))?;
                thread::sleep(Duration::from_millis(500));
            }
            let memory = self.agent.memory()?;
            let read = page.join().map_err(|_| anyhow::anyhow!("the page panicked"))??;
            ensure!(read > 10_000, "the page got no more than {read} bytes");
            Ok(memory)
        })
    }
}

fn node_exporter_in_use() -> Result<Option<Memory>> {
    let Some(peer) = Program::node_exporter()? else { return Ok(None) };
    peer.wait_for("/metrics", "node_load1")?;
    let mut client = Client::connect(peer.address)?;
    for _ in 0..50 {
        client.get("/metrics", Some("gzip"))?;
    }
    peer.memory().map(Some)
}

/// From the start of the program to its first whole answer.
pub(crate) fn start(rows: &mut Vec<Row>) -> Result<()> {
    const STARTS: usize = 20;
    let what = "start to the first answer with node_load1 (median of 20)";
    let until_good = |start: &dyn Fn() -> Result<Program>| -> Result<f64> {
        let begun = Instant::now();
        start()?.wait_for("/metrics", "node_load1 ")?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    };
    let ours = || Program::agent(&[]);
    if node_exporter_binary().is_none() {
        let times: Result<Vec<f64>> = (0..STARTS).map(|_| until_good(&ours)).collect();
        rows.push(Row::alone(what, "ms", median(times?.into_iter()), Target::Figure(50.0)));
        return Ok(());
    }
    let peer = || Program::node_exporter()?.ok_or_else(|| anyhow::anyhow!("{NODE_EXPORTER} has gone"));
    let mut pairs = Pairs::default();
    for _ in 0..STARTS {
        pairs.add(until_good(&ours)?, until_good(&peer)?);
    }
    rows.push(Row::pairs(what, "ms", "node_exporter", &pairs, Target::Figure(50.0)));
    Ok(())
}

/// The binary as it is shipped.
pub(crate) fn size(rows: &mut Vec<Row>) -> Result<()> {
    let what = "the binary";
    let ours = fs::metadata(agent_binary()?)?.len() as f64 / MEGABYTE;
    rows.push(match node_exporter_binary() {
        Some(path) => {
            let mut pairs = Pairs::default();
            pairs.add(ours, fs::metadata(path)?.len() as f64 / MEGABYTE);
            Row::pairs(what, "MB", "node_exporter", &pairs, Target::Figure(15.0))
        }
        None => Row::alone(what, "MB", ours, Target::Figure(15.0)),
    });
    Ok(())
}
