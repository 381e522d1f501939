//! What watching a server costs, beside postgres_exporter in the same run: CPU of the watcher and of the server.
//!
//!     cost URL POSTMASTER_PID SECONDS [EXPORTER_PID EXPORTER_URL]
//!
//! The first half samples with this crate once a second, the second half scrapes the exporter once a second (a plain
//! `GET` without compression, so that neither encodes gzip). Both exporters' own text is made each time.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use aura_model::{Context, Emit, Family, Source, Value};
use aura_postgres::{DatabaseUrl, Postgres, PostgresOptions, ServerOptions};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, postmaster, seconds, rest @ ..] = &arguments[..] else {
        eprintln!("cost URL POSTMASTER_PID SECONDS [EXPORTER_PID EXPORTER_URL]");
        return;
    };
    let (postmaster, seconds): (u32, u32) = (postmaster.parse().expect("a pid"), seconds.parse().expect("seconds"));
    let server = ServerOptions { url: Some(DatabaseUrl::from(url.clone())), ..ServerOptions::default() };
    let options = PostgresOptions { servers: vec![server], ..PostgresOptions::default() };
    let mut source = Postgres::open(&options, &Context::default()).unwrap_or_else(|missing| panic!("{missing}"));
    let mut series = 0;
    // The first samples read what is read rarely; they are counted too, as they would be in a minute.
    let ours = measure(std::process::id(), postmaster, seconds, || {
        let reading = source.sample().unwrap_or_else(|missing| panic!("{missing}"));
        let mut text = Text::default();
        for group in Postgres::groups() {
            (group.walk)(&reading, &mut text);
        }
        series = text.series;
        std::hint::black_box(text.out.len());
    });
    println!("aura:              own {:.2} ms, server {:.2} ms a sample, {series} series", ours.0, ours.1);
    drop(source);
    if let [pid, address] = rest {
        let theirs = measure(pid.parse().expect("a pid"), postmaster, seconds, || scrape(address));
        println!("postgres_exporter: own {:.2} ms, server {:.2} ms a scrape", theirs.0, theirs.1);
        println!("ratios:            own {:.2}, server {:.2}", ours.0 / theirs.0, ours.1 / theirs.1);
    }
}

/// Milliseconds of CPU each time: of a process, and of a server with all its processes.
fn measure(pid: u32, postmaster: u32, times: u32, mut work: impl FnMut()) -> (f64, f64) {
    let before = (cpu(pid), cpu_of_children(postmaster));
    let start = Instant::now();
    for second in 1..=times {
        work();
        thread::sleep((start + Duration::from_secs(second.into())).saturating_duration_since(Instant::now()));
    }
    let after = (cpu(pid), cpu_of_children(postmaster));
    let each = |before: u64, after: u64| (after - before) as f64 / 1e6 / f64::from(times);
    (each(before.0, after.0), each(before.1, after.1))
}

/// Nanoseconds that all threads of a process ran.
fn cpu(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

fn cpu_of_children(parent: u32) -> u64 {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).map(cpu).sum::<u64>() + cpu(parent)
}

fn scrape(address: &str) {
    let mut stream = TcpStream::connect(address).expect("the exporter");
    write!(stream, "GET /metrics HTTP/1.0\r\n\r\n").expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    assert!(text.contains("pg_up 1"), "the exporter does not reach the server");
}

/// The simplest text there is.
#[derive(Default)]
struct Text {
    out: String,
    name: String,
    labels: Vec<String>,
    series: usize,
}

impl Emit for Text {
    fn family(&mut self, family: &Family<'_>) {
        self.name = family.name.to_owned();
        self.labels = family.labels.iter().map(|label| (*label).to_owned()).collect();
        self.out += &format!("# HELP {} {}\n", family.name, family.help);
    }

    fn sample(&mut self, values: &[&str], value: Value) {
        let labels = self.labels.clone();
        let pairs: Vec<(&str, &str)> = labels.iter().map(String::as_str).zip(values.iter().copied()).collect();
        self.labelled("", &pairs, value);
    }

    fn labelled(&mut self, suffix: &str, labels: &[(&str, &str)], value: Value) {
        self.series += 1;
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        self.out += &format!("{}{suffix}{{{}}} {}\n", self.name, labels.join(","), value.as_f64());
    }
}
