//! What following costs in processor time, whatever is in the log: odd lines, holes, records without end, packed files.
//!
//! `cargo run --release -p aura-audit --example content_cost [MEGABYTES] [FOLDER]`

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use aura_audit::{Audit, AuditOptions, FileOptions};
use aura_model::{Context, Interval, Source};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

const EVENT: &[u8] = b"{\"ts\": 1765800000.020011, \"type\": \"rate_limited\", \"key\": \"tool3:call\"}\n";

fn main() -> Result<(), Box<dyn Error>> {
    let size = env::args().nth(1).map_or(Ok(200), |text| text.parse::<u64>())? << 20;
    let folder = env::args().nth(2).map_or_else(env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("content_cost.{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = measure(size, &folder);
    fs::remove_dir_all(&folder)?;
    result
}

fn measure(size: u64, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut long = vec![b'x'; size as usize];
    long.push(b'\n');
    let nested = |number: u32| format!("{}{number}{}\n", "{\"a\": [".repeat(20), "]}".repeat(20));
    // A line that is the same as the one before is counted without being read.
    let nested = nested(1) + &nested(2);
    let contents: [(&str, &[u8]); 8] = [
        ("short events", EVENT),
        ("blank lines", b"\n"),
        ("one line of three bytes again", b"{}\n"),
        ("lines of three bytes", b"{}\n[]\n"),
        ("text that is no event", b"2025-12-15 12:00:12 INFO a line of another program's log\n"),
        ("objects in objects", nested.as_bytes()),
        ("a hole of NULs", &[0; 4096]),
        ("one record without end", &long),
    ];
    for (index, (name, unit)) in contents.into_iter().enumerate() {
        let path = folder.join(format!("log{index}.jsonl"));
        let length = write(File::create(&path)?, unit, size)?;
        let (took, _) = timed(|| follow(&path, None))?;
        println!(
            "{name:<32} {:>8.1} ms {:>6.0} MB/s",
            took.as_secs_f64() * 1e3,
            length as f64 / took.as_secs_f64() / 1e6
        );
        fs::remove_file(path)?;
    }

    let (path, archive) = (folder.join("packed.jsonl"), folder.join("packed.jsonl.1.gz"));
    let mut counted = Vec::new();
    for number in 0..1000 {
        writeln!(counted, "{{\"ts\": {}.5, \"type\": \"http\", \"rid\": {number}}}", 1_765_700_000 + number)?;
    }
    fs::write(&path, &counted)?;
    let storage = folder.join("state");
    fs::create_dir_all(&storage)?;
    follow(&path, Some(&storage))?;
    // What was counted has gone into the archive, with what was not.
    let mut packed = GzEncoder::new(File::create(&archive)?, Compression::default());
    packed.write_all(&counted)?;
    for number in 0..size / 128 {
        let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (time, tool) = (1_765_800_001 + number, number % 977);
        writeln!(
            packed,
            "{{\"ts\": {time}.5, \"type\": \"tool_call\", \"key\": \"tool{tool}\", \"action_id\": \"{id:016x}{:016x}\"}}",
            !id >> 3
        )?;
    }
    packed.finish()?;
    fs::remove_file(&path)?;
    fs::write(&path, "")?;
    let inflate = || Ok(io::copy(&mut GzDecoder::new(File::open(&archive)?), &mut io::sink())?);
    let (floor, _) = timed(inflate)?;
    let (took, total) = timed(|| follow(&path, Some(&storage)))?;
    println!(
        "an archive: {total} lines, {:.0} ms, {:.2} times inflating",
        took.as_secs_f64() * 1e3,
        took.as_secs_f64() / floor.as_secs_f64()
    );
    Ok(())
}

/// Looks until nothing is left to read; how many lines were counted.
fn follow(path: &Path, storage: Option<&Path>) -> Result<u64, Box<dyn Error>> {
    // No look is cut short.
    let (interval, timeout) = (Interval::from_secs(3600), Interval::from_secs(1800));
    let files = vec![FileOptions { path: path.to_owned(), ..FileOptions::default() }];
    let options = AuditOptions { files, interval, timeout, ..AuditOptions::default() };
    let context = Context::default().with_storage(storage.map(Path::to_owned));
    let mut audit = Audit::open(&options, &context)?;
    let mut last = None;
    loop {
        let reading = audit.sample()?;
        let now = (reading.logs[0].total, reading.logs[0].unread);
        if now.1 == 0 && last == Some(now) {
            return Ok(now.0);
        }
        last = Some(now);
    }
}

fn write(file: File, unit: &[u8], size: u64) -> Result<u64, Box<dyn Error>> {
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut written = 0;
    while written < size {
        out.write_all(unit)?;
        written += unit.len() as u64;
    }
    out.flush()?;
    Ok(written)
}

fn timed<T>(work: impl FnOnce() -> Result<T, Box<dyn Error>>) -> Result<(Duration, T), Box<dyn Error>> {
    let processor = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    let start = processor();
    let result = work()?;
    Ok((processor().saturating_sub(start), result))
}
