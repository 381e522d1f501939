//! What following and asking cost in processor time, beside counting lines and beside parsing the whole file for each question.
//!
//! `cargo run --release -p aura-audit --example log_cost [MEGABYTES] [FOLDER]`

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Duration,
};

use aura_audit::{Audit, AuditOptions, FileOptions, Level, Request, page};
use aura_model::{Context, Interval, Source};

fn main() -> Result<(), Box<dyn Error>> {
    let megabytes: u64 = env::args().nth(1).map_or(Ok(500), |text| text.parse())?;
    let folder = env::args().nth(2).map_or_else(env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("log_cost.{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = measure(megabytes << 20, &folder.join("security_audit.jsonl"));
    fs::remove_dir_all(&folder)?;
    result
}

fn measure(size: u64, path: &Path) -> Result<(), Box<dyn Error>> {
    let lines = write(size, path)?;
    let size = fs::metadata(path)?.len();
    println!("{} MB, {lines} lines of {} bytes on average", size / 1_000_000, size / lines);
    let speed = |name: &str, took: Duration| {
        let rate = size as f64 / took.as_secs_f64() / 1e6;
        println!("{name:<44} {:>9.1} ms {rate:>9.0} MB/s", took.as_secs_f64() * 1e3);
    };
    // Once for the page cache, once for the clock.
    count_lines(path)?;
    let (took, counted) = timed(|| count_lines(path))?;
    assert_eq!(counted, lines);
    speed("floor: read and count line ends", took);

    let file = FileOptions { path: path.to_owned(), ..FileOptions::default() };
    // No look is cut short.
    let (interval, timeout) = (Interval::from_secs(3600), Interval::from_secs(1800));
    let options = AuditOptions { files: vec![file], interval, timeout, ..AuditOptions::default() };
    let mut audit = Audit::open(&options, &Context::default())?;
    let (took, reading) = timed(|| Ok(audit.sample()?))?;
    assert_eq!((reading.logs[0].total, reading.logs[0].unread), (lines, 0));
    speed("follow: parse, judge and count each line", took);
    println!("{:<44} {:>9} KB", "most memory so far (VmHWM)", memory()?);
    let (took, _) = timed(|| Ok(audit.sample()?))?;
    println!("{:<44} {:>9.1} us", "look when nothing is new", took.as_secs_f64() * 1e6);

    let logs = options.logs();
    let gone = AtomicBool::new(false);
    let ask = |request: &Request| timed(|| Ok(page(&logs, None, request, &gone)?));
    let newest = Request { limit: 50, ..Request::default() };
    ask(&newest)?;
    let (took, first) = ask(&newest)?;
    assert_eq!(first.events.len(), 50);
    println!("{:<44} {:>9.2} ms, {} KB read", "first page of 50", took.as_secs_f64() * 1e3, first.bytes_read >> 10);
    let (took, errors) = ask(&Request { level: Some(Level::Error), ..newest.clone() })?;
    let kilobytes = errors.bytes_read >> 10;
    println!("{:<44} {:>9.2} ms, {kilobytes} KB read", "first page of 50 errors", took.as_secs_f64() * 1e3);
    let nowhere = Request { text: Some("nowhere to be found".to_owned()), ..newest };
    let (took, none) = ask(&nowhere)?;
    let megabytes = none.bytes_read >> 20;
    println!("{:<44} {:>9.2} ms, {megabytes} MB read", "page of a text that is nowhere", took.as_secs_f64() * 1e3);
    println!("{:<44} {:>9} KB", "most memory so far (VmHWM)", memory()?);

    let (took, events) = timed(|| parse_all(path))?;
    assert_eq!(events as u64, lines.min(50));
    speed("instead: parse the whole file for a page", took);
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> Result<T, Box<dyn Error>>) -> Result<(Duration, T), Box<dyn Error>> {
    let start = processor();
    let result = work()?;
    Ok((processor().saturating_sub(start), result))
}

/// Processor time of this process: the machine may have other things to do.
fn processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Lines as the gateway, the core and the middleware write them, in the mix of a busy day.
fn write(size: u64, path: &Path) -> Result<u64, Box<dyn Error>> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let (mut written, mut lines) = (0, 0_u64);
    while written < size {
        let second = 1_765_800_000 + lines / 50;
        let time = format!("{second}.{:06}", lines * 20_011 % 1_000_000);
        let line = match lines % 8 {
            0 | 3 => format!("{{\"ts\": {time}, \"type\": \"rate_limited\", \"key\": \"tool{}:call\"}}\n", lines % 7),
            1 => format!(
                "{{\"ts\": {time}, \"type\": \"approval_requested\", \"tool\": \"run_command\", \"action_id\": \"cmd:make -C work {lines}\"}}\n"
            ),
            2 | 6 => format!(
                "{{\"type\": \"http\", \"rid\": \"5f0c8a52-0000-4000-8000-{lines:012}\", \"method\": \"POST\", \"path\": \"/rag/query\", \"status\": {}, \"duration_ms\": 12.5, \"ua\": \"client/1.0\", \"client\": \"203.0.113.7\", \"ts\": \"2025-12-15T12:00:12.{:06}+00:00\"}}\n",
                if lines % 400 == 2 { 500 } else { 200 },
                lines % 1_000_000
            ),
            4 => format!(
                "{{\"event\": \"policy_decision\", \"route\": \"/roles/load\", \"action\": \"ROLE_LOAD\", \"allowed\": true, \"reason\": \"Allowed: read-only role load\", \"risk_score\": 0.1, \"role\": \"example\", \"context\": {{\"payload\": {{}}}}, \"ts\": \"2025-12-15T12:00:08.{:06}+00:00\"}}\n",
                lines % 1_000_000
            ),
            5 => format!(
                "{{\"ts\": {time}, \"type\": \"safety_check\", \"tool\": \"list\", \"allowed\": true, \"level\": \"safe\", \"violation_count\": 0}}\n"
            ),
            _ => format!(
                "{{\"ts\": {time}, \"type\": \"command_executed\", \"command\": \"echo \\\"{lines}\\\"\", \"success\": true, \"exit_code\": 0}}\n"
            ),
        };
        out.write_all(line.as_bytes())?;
        written += line.len() as u64;
        lines += 1;
    }
    out.flush()?;
    Ok(lines)
}

fn count_lines(path: &Path) -> Result<u64, Box<dyn Error>> {
    let mut file = File::open(path)?;
    let mut block = vec![0; 256 << 10];
    let mut lines = 0;
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok(lines);
        }
        lines += memchr::memchr_iter(b'\n', &block[..read]).count() as u64;
    }
}

/// What a reader does that knows nothing of blocks: every line, for the last fifty.
fn parse_all(path: &Path) -> Result<usize, Box<dyn Error>> {
    let mut last = std::collections::VecDeque::new();
    for line in BufReader::new(File::open(path)?).lines() {
        let value: serde_json::Value = serde_json::from_str(&line?)?;
        last.push_back(value);
        if last.len() > 50 {
            last.pop_front();
        }
    }
    Ok(last.len())
}

fn memory() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
