//! What each source costs, with an agent that has nothing else to do, beside what does the same work otherwise.

pub(crate) mod audit;
pub(crate) mod gpu;
pub(crate) mod ollama;
pub(crate) mod postgres;
pub(crate) mod roles;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use tempfile::TempDir;

use crate::{process::Program, table::Pairs};

/// An agent that watches one source, and the folder that goes with it.
struct Only {
    agent: Program,
    _folder: TempDir,
}

impl Only {
    /// `options` stand below `sources.NAME`; all other sources are off.
    fn start(source: &str, options: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut config = String::from("sources:\n");
        for other in ["host", "gpu", "ollama", "postgres", "audit", "roles"] {
            let options = if other == source { options } else { "enabled: false" };
            config += &format!("  {other}: {{{options}}}\n");
        }
        let file = folder.path().join("aura.yaml");
        fs::write(&file, config)?;
        Ok(Self { agent: Program::agent_with(&file)?, _folder: folder })
    }

    /// Waits until its source has a reading.
    fn wait(&self, source: &str) -> Result<()> {
        self.agent.wait_for("/metrics/aura", &format!("aura_source_up{{source=\"{source}\"}} 1"))
    }
}

/// Milliseconds of CPU a second.
fn each_second(spent: Duration, seconds: u32) -> f64 {
    spent.as_secs_f64() * 1e3 / f64::from(seconds)
}

/// What both cost in the same seconds, so that whatever else the machine does meets both alike.
fn side_by_side(ours: &Program, peer: &Program) -> Result<Pairs> {
    const SLICES: usize = 9;
    const SECONDS: u32 = 5;
    let mut pairs = Pairs::default();
    for _ in 0..SLICES {
        let before = (ours.cpu()?, peer.cpu()?);
        thread::sleep(Duration::from_secs(SECONDS.into()));
        pairs.add(each_second(ours.cpu()? - before.0, SECONDS), each_second(peer.cpu()? - before.1, SECONDS));
    }
    Ok(pairs)
}

/// Does something once a second, for ever.
fn every_second(mut work: impl FnMut() -> Result<()>) -> Result<()> {
    let mut due = Instant::now();
    loop {
        work()?;
        due += Duration::from_secs(1);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}
