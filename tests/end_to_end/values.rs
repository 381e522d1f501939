//! What is shown is what the machine says at that moment: every number lies between what the kernel said before
//! the reading and what it says after it.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use aura_tests::{Agent, Exposition, Setup, wait_for};
use serde_json::Value;

/// A metric with its labels, as a test writes it.
type Series = (String, Vec<(String, String)>);

/// What the kernel says at one moment. Counters never fall; levels may do what they like.
#[derive(Default)]
struct Kernel {
    counters: BTreeMap<Series, f64>,
    levels: BTreeMap<Series, f64>,
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn series(name: &str, labels: &[(&str, &str)]) -> Series {
    (name.to_owned(), labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

impl Kernel {
    fn now() -> Self {
        let mut kernel = Self::default();
        kernel.stat();
        kernel.devices();
        kernel.disks();
        for line in read("/proc/vmstat").lines() {
            let (name, value) = line.split_once(' ').unwrap();
            if ["pgpgin", "pgpgout", "pswpin", "pswpout", "pgfault", "pgmajfault", "oom_kill"].contains(&name) {
                kernel.count(&format!("node_vmstat_{name}"), &[], number(value));
            }
        }
        for (path, prefix) in [("/proc/net/netstat", ""), ("/proc/net/snmp", "")] {
            let text = read(path);
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.chunks_exact(2) {
                let (protocol, names) = pair[0].split_once(": ").unwrap();
                let values = pair[1].split_once(": ").unwrap().1.split(' ');
                for (name, value) in names.split(' ').zip(values) {
                    let known = ["IpExt InOctets", "IpExt OutOctets", "Tcp InSegs", "Tcp OutSegs", "Tcp PassiveOpens"];
                    if known.contains(&format!("{protocol} {name}").as_str()) {
                        kernel.count(&format!("node_netstat_{prefix}{protocol}_{name}"), &[], number(value));
                    }
                }
            }
        }
        for line in read("/proc/meminfo").lines() {
            let mut words = line.split_whitespace();
            let (name, value) = (words.next().unwrap().trim_end_matches(':'), number(words.next().unwrap()));
            if words.next() == Some("kB") && !name.contains('(') {
                kernel.level(&format!("node_memory_{name}_bytes"), &[], value * 1024.0);
            }
        }
        let load = read("/proc/loadavg");
        for (name, value) in ["node_load1", "node_load5", "node_load15"].iter().zip(load.split(' ')) {
            kernel.level(name, &[], number(value));
        }
        let files = read("/proc/sys/fs/file-nr");
        let mut files = files.split_whitespace();
        kernel.level("node_filefd_allocated", &[], number(files.next().unwrap()));
        kernel.level("node_filefd_maximum", &[], number(files.nth(1).unwrap()));
        kernel
    }

    fn stat(&mut self) {
        let modes = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        for line in read("/proc/stat").lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[0] {
                "ctxt" => self.count("node_context_switches_total", &[], number(words[1])),
                "intr" => self.count("node_intr_total", &[], number(words[1])),
                "processes" => self.count("node_forks_total", &[], number(words[1])),
                "btime" => self.level("node_boot_time_seconds", &[], number(words[1])),
                cpu if cpu.len() > 3 && cpu.starts_with("cpu") => {
                    for (mode, value) in modes.iter().zip(&words[1..]) {
                        // An idle CPU's newest span goes to one of these or the other, as it looks at the
                        // moment of asking, so that each of them may shrink.
                        if !["idle", "iowait"].contains(mode) {
                            let labels = [("cpu", &cpu[3..]), ("mode", *mode)];
                            self.count("node_cpu_seconds_total", &labels, number(value) / ticks);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn devices(&mut self) {
        for line in read("/proc/net/dev").lines().skip(2) {
            let (device, values) = line.split_once(':').unwrap();
            let values: Vec<f64> = values.split_whitespace().map(number).collect();
            let names = [
                ("receive_bytes", 0),
                ("receive_packets", 1),
                ("receive_errs", 2),
                ("receive_drop", 3),
                ("transmit_bytes", 8),
                ("transmit_packets", 9),
                ("transmit_errs", 10),
                ("transmit_drop", 11),
            ];
            for (name, place) in names {
                self.count(&format!("node_network_{name}_total"), &[("device", device.trim())], values[place]);
            }
        }
    }

    fn disks(&mut self) {
        for line in read("/proc/diskstats").lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let names = [
                ("reads_completed_total", 3, 1.0),
                ("read_bytes_total", 5, 512.0),
                ("read_time_seconds_total", 6, 0.001),
                ("writes_completed_total", 7, 1.0),
                ("written_bytes_total", 9, 512.0),
                ("write_time_seconds_total", 10, 0.001),
                ("io_time_seconds_total", 12, 0.001),
            ];
            for (name, place, factor) in names {
                self.count(&format!("node_disk_{name}"), &[("device", words[2])], number(words[place]) * factor);
            }
        }
    }

    fn count(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.counters.insert(series(name, labels), value);
    }

    fn level(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.levels.insert(series(name, labels), value);
    }
}

fn shown(scrape: &Exposition, (name, labels): &Series) -> Option<f64> {
    let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    scrape.get(name, &labels)
}

/// Property 6: CPU, memory and disk are shown as the machine has them.
#[test]
fn every_number_lies_between_what_the_kernel_said_before_and_what_it_says_after() {
    let agent = Setup::default().config("sources: {host: {interval: 100ms}}\n").start();
    let path = "/metrics/node";
    let mut compared: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..20 {
        let before = Kernel::now();
        let asked = agent.scrape(path).value("node_time_seconds", &[]);
        // The reading after the one that may have begun before we asked.
        let mut readings = 0;
        let mut last = asked;
        let scrape = wait_for("two new readings", || {
            let scrape = agent.scrape(path);
            let time = scrape.value("node_time_seconds", &[]);
            readings += usize::from(time > last);
            last = last.max(time);
            (readings >= 2).then_some(scrape)
        });
        let after = Kernel::now();
        for (series, &low) in &before.counters {
            let (Some(&high), Some(value)) = (after.counters.get(series), shown(&scrape, series)) else { continue };
            // Sums of a few floats differ in their last digits.
            let slack = high.abs() * 1e-9;
            assert!(
                low - slack <= value && value <= high + slack,
                "round {round}: {series:?} is shown as {value}, the kernel said {low} before and {high} after"
            );
            *compared.entry(series.0.clone()).or_default() += 1;
        }
        for (series, &level) in &before.levels {
            let value = shown(&scrape, series);
            // A level that is the same before and after has not moved; one that moves often may have come back.
            if after.levels.get(series) == Some(&level) && is_steady(&series.0) {
                assert_eq!(value, Some(level), "round {round}: {series:?}");
                *compared.entry(series.0.clone()).or_default() += 1;
            }
        }
    }
    let total: usize = compared.values().sum();
    assert!(total >= 100 && compared.len() > 30, "{total} comparisons of {compared:?}");
}

/// Whether a level changes so seldom that the same value before and after means the same value between.
fn is_steady(name: &str) -> bool {
    let words = ["Total", "Limit", "Hugepagesize", "node_load", "boot_time", "filefd_maximum"];
    words.iter().any(|word| name.contains(word))
}

#[test]
fn the_message_for_people_tells_of_the_same_machine() {
    let agent = Agent::start();
    let uptime = || number(read("/proc/uptime").split(' ').next().unwrap());
    let mut feed = agent.feed();
    for _ in 0..3 {
        let (before, begun) = (uptime(), Instant::now());
        feed.message();
        let message = feed.message();
        let metrics = &message["metrics"];
        let get = |path: &str| metrics.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {path}"));
        let shown = get("/platform/uptime_seconds");
        let after = before + begun.elapsed().as_secs_f64();
        // The boot time is a whole second, so what is counted from it may be one off.
        assert!((before - 1.1..after + 1.1).contains(&shown), "up for {shown} s, not {before} to {after} s");
        let name = rustix::system::uname();
        assert_eq!(metrics["platform"]["hostname"], name.nodename().to_str().unwrap());
        assert_eq!(metrics["platform"]["release"], name.release().to_str().unwrap());
        let memory = read("/proc/meminfo");
        let total = memory.lines().next().unwrap().split_whitespace().nth(1).unwrap();
        assert_eq!(get("/memory/total"), number(total) * 1024.0);
        assert_eq!(get("/memory/used"), get("/memory/total") - get("/memory/available"));
        let percent = get("/memory/used") / get("/memory/total") * 100.0;
        assert!((get("/memory/percent") - percent).abs() < 1e-6);
        assert_eq!(get("/cpu/count_logical") as usize, cpus());
        assert_eq!(metrics["cpu"]["per_cpu_percent"].as_array().unwrap().len(), cpus());
        assert!((0.0..=100.0).contains(&get("/cpu/usage_percent")));
        let root = rustix::fs::statvfs("/").unwrap();
        assert_eq!(get("/disk/total"), root.f_blocks as f64 * root.f_frsize as f64);
    }
}

fn cpus() -> usize {
    read("/proc/stat").lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count()
}

#[test]
fn a_busy_cpu_is_shown_as_busy() {
    let agent = Agent::start();
    let mut feed = agent.feed();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        for _ in 0..cpus() {
            scope.spawn(|| {
                while !stop.load(relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let busiest = wait_for("a busy machine", || {
            let message = feed.message_within(Duration::from_secs(5))?;
            let usage = message["metrics"]["cpu"]["usage_percent"].as_f64()?;
            (usage > 95.0).then_some(usage)
        });
        stop.store(true, relaxed);
        assert!(busiest <= 100.0);
    });
}
