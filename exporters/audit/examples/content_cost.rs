//! What following costs in processor time, whatever is in the log: odd lines, holes, records without end, packed files.
//!
//! Beside it stands the floor: the same file read, and the end of each line found.
//!
//! `cargo run --release -p aura-audit --example content_cost [MEGABYTES] [FOLDER] [PART OF A NAME]`

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use aura_audit::{Audit, AuditOptions, FileOptions};
use aura_model::{Context, Interval, Source};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

fn event(number: u32) -> String {
    format!("{{\"ts\": 1765800{number:03}.020011, \"type\": \"rate_limited\", \"key\": \"too{number:03}:call\"}}\n")
}

fn main() -> Result<(), Box<dyn Error>> {
    let size = env::args().nth(1).map_or(Ok(200), |text| text.parse::<u64>())? << 20;
    let folder = env::args().nth(2).map_or_else(env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("content_cost.{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let wanted = env::args().nth(3).unwrap_or_default();
    let result = measure(size, &folder, &wanted);
    fs::remove_dir_all(&folder)?;
    result
}

fn measure(size: u64, folder: &Path, wanted: &str) -> Result<(), Box<dyn Error>> {
    let mut long = vec![b'x'; size as usize];
    long.push(b'\n');
    let nested = |number: u32| format!("{}{number}{}\n", "{\"a\": [".repeat(20), "]}".repeat(20));
    // A line that is the same as the one before is counted without being read.
    let nested = nested(1) + &nested(2);
    let events: String = (0..1000).map(event).collect();
    let kinds: String =
        (0..1000).map(|number| event(number).replace("rate_limited", &format!("called_{number:05}"))).collect();
    let short: String = (b'!'..=b'~')
        .flat_map(|one| (b'!'..=b'~').map(move |other| format!("{}{}\n", char::from(one), char::from(other))))
        .collect();
    let contents: [(&str, &[u8]); 10] = [
        ("events of 72 bytes", events.as_bytes()),
        ("events of a thousand kinds", kinds.as_bytes()),
        ("all lines of three bytes", short.as_bytes()),
        ("blank lines", b"\n"),
        ("one line of three bytes again", b"{}\n"),
        ("lines of three bytes", b"{}\n[]\n"),
        ("text that is no event", b"2025-12-15 12:00:12 INFO a line of another program's log\n"),
        ("objects in objects", nested.as_bytes()),
        ("a hole of NULs", &[0; 4096]),
        ("one record without end", &long),
    ];
    for (index, (name, unit)) in contents.into_iter().enumerate().filter(|(_, (name, _))| name.contains(wanted)) {
        let path = folder.join(format!("log{index}.jsonl"));
        let length = write(File::create(&path)?, unit, size)?;
        let (took, _) = timed(|| follow(&path, None))?;
        let (floor, lines) = timed(|| line_ends(&path))?;
        let rate = |time: Duration| length as f64 / time.as_secs_f64() / 1e6;
        let each = (took.as_secs_f64() - floor.as_secs_f64()) * 1e9 / (lines.max(1)) as f64;
        println!("{name:<30} {:>6.0} MB/s; floor {:>6.0} MB/s, and {each:.1} ns a line", rate(took), rate(floor));
        fs::remove_file(path)?;
    }
    if !"an archive".contains(wanted) {
        return Ok(());
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

/// Reads a file and finds the end of each line; how many there are.
fn line_ends(path: &Path) -> Result<u64, Box<dyn Error>> {
    let (mut file, mut buffer) = (File::open(path)?, vec![0; 256 << 10]);
    let (mut lines, mut start) = (0, 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(lines);
        }
        for end in memchr::memchr_iter(b'\n', &buffer[..read]) {
            lines += u64::from(std::hint::black_box(end) != usize::MAX);
            start = end;
        }
        std::hint::black_box(start);
    }
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
