//! Two readings of a made-up machine, and what people are shown of them.

use std::{fs, path::Path};

use aura_host::HostOptions;
use aura_model::{Context, Paths, Source};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// What the kernel of the made-up machine counts.
#[derive(Clone, Debug)]
struct Counters {
    ticks: [u64; 8],
    memory_total: u64,
    memory_available: u64,
    swap_total: u64,
    swap_free: u64,
    received: u64,
    sent: u64,
    sectors_read: u64,
    sectors_written: u64,
}

impl Counters {
    fn write(&self, root: &Path) {
        let [user, nice, system, idle, iowait, irq, softirq, steal] = self.ticks;
        let line = format!("{user} {nice} {system} {idle} {iowait} {irq} {softirq} {steal} 0 0");
        let stat = format!("cpu  {line}\ncpu0 {line}\nctxt 5\nbtime 1700000000\nprocs_running 2\nprocs_blocked 1\n");
        let meminfo = format!(
            "MemTotal: {} kB\nMemFree: 1 kB\nMemAvailable: {} kB\nSwapTotal: {} kB\nSwapFree: {} kB\n",
            self.memory_total, self.memory_available, self.swap_total, self.swap_free
        );
        let net = format!(
            "Inter-| Receive | Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs \
             drop fifo colls carrier compressed\n  lo: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\nveth1: 7 0 0 0 0 0 0 0 7 0 0 0 0 0 0 0\n\
             eth0: {} 3 1 0 0 0 0 0 {} 4 2 0 0 0 0 0\n",
            self.received, self.sent
        );
        let disks = format!(
            " 8 0 sda 1 0 {} 0 1 0 {} 0 0 0 0\n 254 0 dm-0 1 0 77 0 1 0 77 0 0 0 0\n",
            self.sectors_read, self.sectors_written
        );
        fs::create_dir_all(root.join("proc/net")).unwrap();
        fs::create_dir_all(root.join("proc/self/net")).unwrap();
        for (file, text) in [("stat", stat), ("meminfo", meminfo), ("diskstats", disks)] {
            fs::write(root.join("proc").join(file), text).unwrap();
        }
        for folder in ["net", "self/net"] {
            fs::write(root.join("proc").join(folder).join("dev"), &net).unwrap();
        }
    }
}

fn counters() -> impl Strategy<Value = Counters> {
    let ticks = prop::array::uniform8(0..1_000_000_u64);
    let large = || 0..1_u64 << 40;
    (ticks, 1..1_u64 << 32, 0.0..1.0, 0..1_u64 << 32, 0.0..1.0, large(), large(), large(), large()).prop_map(
        |(ticks, memory_total, available, swap_total, swap_free, received, sent, sectors_read, sectors_written)| {
            let share = |total: u64, share: f64| (total as f64 * share) as u64;
            Counters {
                ticks,
                memory_total,
                memory_available: share(memory_total, available),
                swap_total,
                swap_free: share(swap_total, swap_free),
                received,
                sent,
                sectors_read,
                sectors_written,
            }
        },
    )
}

fn view() -> HostView {
    HostView::new(&Arc::default(), &Config::default(), &Context::default(), &Arc::default())
}

/// Reads the machine at both moments, the second being `seconds` later.
fn shown(before: &Counters, after: &Counters, seconds: u64) -> (Vitals, Value) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let paths =
        Paths { procfs: root.join("proc"), sysfs: root.join("sys"), rootfs: root.to_owned(), udev: root.join("udev") };
    before.write(root);
    let mut options = HostOptions::default();
    options.collectors.disable = vec!["filesystem".into()];
    let mut host = Host::open(&options, &Context::new(paths)).unwrap();
    let first = Snapshot::of(host.sample().unwrap(), Instant::now());
    after.write(root);
    let taken = first.taken + Duration::from_secs(seconds);
    let second = Snapshot::of(host.sample().unwrap(), taken);
    let system = view();
    let interval = Duration::from_secs(seconds);
    let alone = system.add(Arc::new(first), interval);
    assert_eq!(alone.vitals.cpu_percent, None, "one reading has no rate");
    let sample = system.add(Arc::new(second), interval);
    let message = derive::update(&sample, &system.hub, 2);
    (sample.vitals, serde_json::to_value(message).unwrap())
}

fn close(shown: &Value, expected: Option<f64>) -> Result<(), TestCaseError> {
    match (shown.as_f64(), expected) {
        (Some(shown), Some(expected)) => {
            prop_assert!((shown - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{shown} for {expected}");
        }
        (shown, expected) => prop_assert_eq!(shown, expected),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Property 6: CPU, memory and disk are shown as the machine has them.
    #[test]
    fn numbers_for_people_are_what_the_counters_say(before in counters(), after in counters(), seconds in 1_u64..20) {
        let (vitals, message) = shown(&before, &after, seconds);
        let metrics = &message["metrics"];
        let grown: [u64; 8] = std::array::from_fn(|mode| after.ticks[mode].saturating_sub(before.ticks[mode]));
        let all: u64 = grown.iter().sum();
        let busy = (all > 0).then(|| (all - grown[3] - grown[4]) as f64 / all as f64 * 100.0);
        close(&metrics["cpu"]["usage_percent"], busy)?;
        close(&metrics["cpu"]["per_cpu_percent"][0], busy)?;
        close(&metrics["cpu"]["usage_percent"], vitals.cpu_percent)?;

        let used = after.memory_total - after.memory_available;
        close(&metrics["memory"]["percent"], Some(used as f64 / after.memory_total as f64 * 100.0))?;
        prop_assert_eq!(metrics["memory"]["used"].as_u64(), Some(used * 1024));
        let swap_used = after.swap_total - after.swap_free;
        let swap = (after.swap_total > 0).then(|| swap_used as f64 / after.swap_total as f64 * 100.0);
        close(&metrics["memory"]["swap"]["percent"], swap)?;

        // A counter that was set back gives no rate; loopback, veth and mapped disks are not counted again.
        let rate = |before: u64, after: u64, unit: f64| {
            after.checked_sub(before).map(|grown| grown as f64 / seconds as f64 * unit)
        };
        let (received, sent) = (rate(before.received, after.received, 1.0), rate(before.sent, after.sent, 1.0));
        let eth0 = &metrics["network"]["interfaces"].as_array().unwrap()[2];
        prop_assert_eq!(&eth0["device"], "eth0");
        close(&eth0["receive_bytes_per_second"], received)?;
        close(&eth0["transmit_bytes_per_second"], sent)?;
        if let (Some(received), Some(sent)) = (received, sent) {
            close(&metrics["network"]["speed"]["download_mb"], Some(received / 1_048_576.0))?;
            prop_assert_eq!((vitals.network_receive, vitals.network_transmit), (Some(received), Some(sent)));
        }
        prop_assert_eq!(metrics["network"]["bytes_recv"].as_u64(), Some(after.received));
        let disk = &metrics["disk"]["devices"].as_array().unwrap()[0];
        close(&disk["read_bytes_per_second"], rate(before.sectors_read, after.sectors_read, 512.0))?;
        close(&disk["write_bytes_per_second"], rate(before.sectors_written, after.sectors_written, 512.0))?;
    }
}

#[test]
fn what_is_missing_is_null_or_absent_and_says_why() {
    let still = Counters {
        ticks: [0; 8],
        memory_total: 4,
        memory_available: 1,
        swap_total: 0,
        swap_free: 0,
        received: 0,
        sent: 0,
        sectors_read: 0,
        sectors_written: 0,
    };
    let (vitals, message) = shown(&still, &still, 1);
    let metrics = &message["metrics"];
    assert_eq!(metrics["cpu"]["usage_percent"], Value::Null, "no tick went by, so there is no share of them");
    assert_eq!(metrics["memory"]["swap"]["percent"], Value::Null);
    assert_eq!(vitals.swap_percent, None);
    for absent in ["temperature", "pressure", "gpu"] {
        assert!(metrics.get(absent).is_none(), "{absent} is there");
    }
    for path in ["cpu.frequency", "cpu.load_average", "temperature", "pressure", "disk.filesystems"] {
        let missing = &message["missing"][path];
        assert!(missing["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{path}: {missing}");
    }
    assert_eq!(message["missing"]["temperature"]["reason"], "no_sensor");
    assert_eq!(message["missing"]["disk.filesystems"]["reason"], "not_configured");
}

#[test]
fn a_late_reading_is_not_current() {
    let system = view();
    let mut host = Host::open(&HostOptions::default(), &Context::default()).unwrap();
    let shown = Duration::from_secs(1);
    let snapshot = Snapshot::of(host.sample().unwrap(), Instant::now()).shown_for(shown);
    system.add(Arc::new(snapshot), Duration::from_millis(20));
    assert!(system.current().is_some());
    std::thread::sleep(shown + Duration::from_millis(50));
    assert!(system.current().is_none());
}
