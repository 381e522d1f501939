//! The tables as a whole, and what the log says of a reading.

use aura_model::Kind;

use super::*;
use crate::{
    linux::testing::{self, context},
    options::CollectorOptions,
};

#[test]
fn a_collector_that_is_switched_off_is_not_read_and_says_so() {
    let collectors = CollectorOptions { disable: vec!["loadavg".into()], ..Default::default() };
    let options = HostOptions { collectors, ..Default::default() };
    let reading = Host::open(&options, &context("vm-6.18")).unwrap().sample().unwrap();
    assert!(reading.cpu.value().is_some());
    assert_eq!(reading.loadavg.missing().unwrap().reason, Reason::NotConfigured);
    assert!(reading.health.iter().all(|health| health.group != "loadavg"));
    assert_eq!(
        describe(&[Some("2 CPUs".into()), None], reading.missing().filter(|(name, _)| *name == "loadavg")),
        ["watching 2 CPUs", "switched off: loadavg"]
    );
}

#[test]
fn the_log_says_what_is_watched_and_what_is_not_and_why() {
    let no_sensor = Missing::new(Reason::NoSensor, "/sys/class/hwmon: No such file or directory");
    let refused = Missing::new(Reason::NoPermission, "/proc/x: Permission denied");
    assert_eq!(
        describe(
            &[Some(count(1, "disk")), Some(count(2, "CPU"))],
            [("hwmon", &no_sensor), ("x", &refused)].into_iter()
        ),
        [
            "watching 1 disk, 2 CPUs",
            "not on this machine: hwmon",
            "x not watched: /proc/x: Permission denied (no_permission)"
        ]
    );
}

#[test]
fn temperature_may_be_switched_off_and_may_be_expected() {
    let describe = |tree, temperature| {
        let options = HostOptions { temperature, ..Default::default() };
        let reading = Host::open(&options, &context(tree)).unwrap().sample().unwrap();
        let off = [reading.hwmon.missing(), reading.thermal_zone.missing()];
        let off = off.map(|missing| missing.is_some_and(|missing| missing.reason == Reason::NotConfigured));
        (off, Host::describe(&reading).join("\n"))
    };
    let complains = |text: &str| text.contains("no temperature, though sources.host.temperature is true");
    for tree in ["workstation-6.1", "vm-6.18"] {
        let (off, text) = describe(tree, Switch::Off);
        let line = text.lines().find(|line| line.starts_with("switched off:")).unwrap();
        assert!(off == [true, true] && line.contains("hwmon") && line.contains("thermal_zone"), "{text}");
        let (off, text) = describe(tree, Switch::Auto);
        assert!(off == [false, false] && !complains(&text), "{text}");
        let (off, text) = describe(tree, Switch::On);
        assert!(off == [false, false] && complains(&text) == (tree == "vm-6.18"), "{text}");
    }
}

#[test]
fn the_log_counts_what_is_there() {
    let reading = testing::sample("server-4.19");
    let watched = Host::describe(&reading).swap_remove(0);
    for phrase in ["1 bond", "RAID array", "ECC memory controller", "file systems", "sensors"] {
        assert!(watched.contains(phrase), "{phrase}: {watched}");
    }
}

fn families() -> Vec<(&'static str, aura_model::Family<'static>)> {
    let mut families = Vec::new();
    for group in Host::groups() {
        (group.declare)(&mut |family| families.push((group.name, *family)));
    }
    families
}

#[test]
fn every_metric_is_declared_once_and_explained() {
    let families = families();
    for (at, (group, family)) in families.iter().enumerate() {
        let name = family.name;
        assert!((name.starts_with("node_") || name == "*") && !family.help.is_empty(), "{group}: {name}");
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'*');
        assert!(name.bytes().all(allowed), "{group}: {name}");
        assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{group}: {name}");
        assert!(families[..at].iter().all(|(_, other)| other.name != name), "{name} is declared twice");
    }
}

/// Expressions in public alerts match these on all labels: one label more on one side silences them.
#[test]
fn partners_have_the_same_labels() {
    let families = families();
    let labels = |name: &str| families.iter().find(|(_, family)| family.name == name).map(|(_, family)| family.labels);
    for (one, other) in [
        ("node_filefd_allocated", "node_filefd_maximum"),
        ("node_network_receive_errs_total", "node_network_receive_packets_total"),
        ("node_network_transmit_errs_total", "node_network_transmit_packets_total"),
        ("node_nf_conntrack_entries", "node_nf_conntrack_entries_limit"),
    ] {
        assert!(labels(one).is_some() && labels(one) == labels(other), "{one} and {other}");
    }
}

/// What node-mixin's alerts, rules and dashboards ask of these collectors, with the labels that they use.
#[test]
fn the_public_dashboards_find_their_metrics() {
    let text = testing::output("vm-6.18", NAMES);
    for series in [
        "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"}",
        "node_disk_io_time_seconds_total{device=\"vda\"}",
        "node_disk_io_time_weighted_seconds_total{device=\"vda\"}",
        "node_disk_read_bytes_total{device=\"vda\"}",
        "node_disk_written_bytes_total{device=\"vda\"}",
        "node_filefd_allocated",
        "node_filefd_maximum",
        "node_load1",
        "node_load15",
        "node_load5",
        "node_memory_Buffers_bytes",
        "node_memory_Cached_bytes",
        "node_memory_MemAvailable_bytes",
        "node_memory_MemFree_bytes",
        "node_memory_MemTotal_bytes",
        "node_memory_Slab_bytes",
        "node_network_receive_bytes_total{device=\"eth0\"}",
        "node_network_receive_drop_total{device=\"eth0\"}",
        "node_network_receive_errs_total{device=\"eth0\"}",
        "node_network_receive_packets_total{device=\"eth0\"}",
        "node_network_transmit_bytes_total{device=\"eth0\"}",
        "node_network_transmit_drop_total{device=\"eth0\"}",
        "node_network_transmit_errs_total{device=\"eth0\"}",
        "node_network_transmit_packets_total{device=\"eth0\"}",
        "node_nf_conntrack_entries",
        "node_nf_conntrack_entries_limit",
        "node_vmstat_pgmajfault",
    ] {
        assert!(text.lines().any(|line| line.starts_with(&format!("{series} "))), "{series}");
    }
}
