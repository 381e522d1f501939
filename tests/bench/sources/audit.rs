//! A large log: followed from its beginning beside a count of its line ends, and asked for its newest page beside a
//! reader that parses the whole file for it.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Read, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::Only;
use crate::{
    client::Client,
    process::thread_cpu,
    table::{Pairs, Row, Target},
};

/// 500 MB a second of one core where the floor takes 0.69 s a GB, as on a machine of this kind that nobody else uses.
const FOLLOW: Target = Target::Ratio(2.9);
const PAGE: Target = Target::Figure(20.0);

pub(crate) fn measure(rows: &mut Vec<Row>) -> Result<()> {
    const SIZE: u64 = 1_000_000_000;
    const SLICES: usize = 3;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("security_audit.jsonl");
    write(SIZE, &path)?;
    let gigabytes = fs::metadata(&path)?.len() as f64 / 1e9;
    let (mut follow, mut page) = (Pairs::default(), Pairs::default());
    for _ in 0..SLICES {
        let (floor, _) = spent(|| count_lines(&path))?;
        let options = format!("files: [{{path: {}}}]", path.display());
        let only = Only::start("audit", &options)?;
        let cost = followed(&only, fs::metadata(&path)?.len())?;
        follow.add(cost.as_secs_f64() / gigabytes, floor.as_secs_f64() / gigabytes);
        let begun = Instant::now();
        ensure!(parse_all(&path)? == PAGE_EVENTS, "the log is too short");
        let whole = begun.elapsed();
        for _ in 0..20 {
            page.add(milliseconds(first_page(&only)?), milliseconds(whole));
        }
    }
    let what = "an audit log of 1 GB followed: CPU a GB";
    rows.push(Row::pairs(what, "s", "line ends counted", &follow, FOLLOW));
    rows.push(Row::pairs("  its newest 50 events: time an answer", "ms", "the whole file parsed", &page, PAGE));
    Ok(())
}

const PAGE_EVENTS: usize = 50;

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What the agent has spent when it has counted the whole log.
fn followed(only: &Only, size: u64) -> Result<Duration> {
    let begun = Instant::now();
    let mark = format!("aura_audit_read_bytes_total{{log=\"security_audit\"}} {size}");
    while begun.elapsed() < Duration::from_secs(120) {
        thread::sleep(Duration::from_millis(200));
        let Ok(mut client) = Client::connect(only.agent.address) else { continue };
        let cpu = only.agent.cpu()?;
        if client.get("/metrics/aura?collect[]=audit", None)?.contains(&mark) {
            return Ok(cpu);
        }
    }
    anyhow::bail!("the log was not read in two minutes")
}

fn first_page(only: &Only) -> Result<Duration> {
    let mut client = Client::connect(only.agent.address)?;
    let begun = Instant::now();
    let answer = client.get("/api/governance/audit-logs?limit=50", None)?;
    let took = begun.elapsed();
    let events: serde_json::Value = serde_json::from_str(&answer.text())?;
    ensure!(events["events"].as_array().is_some_and(|events| events.len() == PAGE_EVENTS), "no page of events");
    Ok(took)
}

/// CPU time of this thread.
fn spent<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let before = thread_cpu()?;
    let result = work()?;
    Ok((thread_cpu()? - before, result))
}

fn count_lines(path: &Path) -> Result<u64> {
    let mut file = File::open(path)?;
    let mut block = vec![0; 256 << 10];
    let mut lines = 0;
    loop {
        match file.read(&mut block)? {
            0 => return Ok(lines),
            // In small sums, which the compiler turns into wide instructions.
            read => lines += block[..read].chunks(128).map(line_ends).map(u64::from).sum::<u64>(),
        }
    }
}

fn line_ends(bytes: &[u8]) -> u8 {
    bytes.iter().map(|&byte| u8::from(byte == b'\n')).sum()
}

/// What a reader does that knows nothing of blocks: every line, for the last fifty.
fn parse_all(path: &Path) -> Result<usize> {
    let mut last = VecDeque::new();
    for line in BufReader::new(File::open(path)?).lines() {
        let value: serde_json::Value = serde_json::from_str(&line?).context("a line that is no JSON")?;
        last.push_back(value);
        if last.len() > PAGE_EVENTS {
            last.pop_front();
        }
    }
    Ok(last.len())
}

/// Lines as the writers of an installation have them, in the mix of a busy day.
fn write(size: u64, path: &Path) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let (mut written, mut number) = (0, 0_u64);
    while written < size {
        let fraction = number * 20_011 % 1_000_000;
        let time = format!("{}.{fraction:06}", 1_765_800_000 + number / 50);
        let utc = format!("2025-12-15T12:00:12.{fraction:06}+00:00");
        let line = match number % 8 {
            0 | 3 => format!(r#"{{"ts": {time}, "type": "rate_limited", "key": "tool{}:call"}}"#, number % 7),
            1 => format!(
                r#"{{"ts": {time}, "type": "approval_requested", "tool": "run_command", "action_id": "cmd:make -C work {number}"}}"#
            ),
            2 | 6 => format!(
                r#"{{"type": "http", "rid": "5f0c8a52-0000-4000-8000-{number:012}", "method": "POST", "path": "/rag/query", "status": {}, "duration_ms": 12.5, "ua": "client/1.0", "client": "203.0.113.7", "ts": "{utc}"}}"#,
                if number % 400 == 2 { 500 } else { 200 }
            ),
            4 => format!(
                r#"{{"event": "policy_decision", "route": "/roles/load", "action": "ROLE_LOAD", "allowed": true, "reason": "Allowed: read-only role load", "risk_score": 0.1, "role": "example", "context": {{"payload": {{}}}}, "ts": "{utc}"}}"#
            ),
            5 => format!(
                r#"{{"ts": {time}, "type": "safety_check", "tool": "list", "allowed": true, "level": "safe", "violation_count": 0}}"#
            ),
            _ => format!(
                r#"{{"ts": {time}, "type": "command_executed", "command": "echo \"{number}\"", "success": true, "exit_code": 0}}"#
            ),
        };
        writeln!(out, "{line}")?;
        written += line.len() as u64 + 1;
        number += 1;
    }
    out.flush()?;
    Ok(())
}
