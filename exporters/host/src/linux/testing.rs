//! Recorded trees of /proc and /sys (below `tests/fixtures`), and what they give as text.

use std::{fmt::Write, path::PathBuf};

use aura_model::{Context, Metric, Paths, Source, walk};
use aura_tests::page;

use super::{Host, HostReading, collectors::NAMES};
use crate::{HostOptions, options::CollectorOptions};

/// Every tree below `tests/fixtures` that has a /proc.
pub(super) const TREES: [&str; 5] = ["container-5.10", "server-4.19", "torn", "vm-6.18", "workstation-6.1"];

fn root(tree: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(tree)
}

/// The roots of a recorded tree.
pub(super) fn context(tree: &str) -> Context {
    let root = root(tree);
    Context::new(Paths {
        procfs: root.join("proc"),
        sysfs: root.join("sys"),
        rootfs: root.join("root"),
        udev: root.join("udev"),
    })
}

/// A sample of a recorded tree, with every collector on. Its mounts are not there, so each of them shows its error.
pub(super) fn sample(tree: &str) -> HostReading {
    let collectors = CollectorOptions { enable: NAMES.iter().map(|&name| name.into()).collect(), ..Default::default() };
    let options = HostOptions { collectors, ..Default::default() };
    let mut host = Host::open(&options, &context(tree)).unwrap();
    loop {
        let reading = host.sample().unwrap();
        let mounts = reading.filesystem.value().map(|filesystem| filesystem.mounts.as_slice()).unwrap_or_default();
        if mounts.iter().all(|mount| mount.usage.is_some() || mount.error.is_some()) {
            return reading;
        }
    }
}

/// The metrics of these collectors on a recorded tree, in text format, or why there are none. The trees'
/// place on this machine is left out.
pub(super) fn output(tree: &str, groups: &[&str]) -> String {
    let reading = sample(tree);
    let mut text = String::new();
    for group in Host::groups().iter().filter(|group| groups.contains(&group.name)) {
        text += &page(|emit| (group.walk)(&reading, emit));
        if let Some((name, missing)) = reading.missing().find(|(name, _)| *name == group.name) {
            writeln!(text, "# {name} is missing: {missing}").unwrap();
        }
    }
    text.replace(root(tree).to_str().unwrap(), "")
}

/// The samples of one collector's reading, in text format.
pub(super) fn text<R>(metrics: &[Metric<R>], reading: &R) -> String {
    page(|emit| walk(metrics, reading, emit))
}

mod tests {
    use super::*;

    /// Collectors whose golden file is that of the whole tree. The others have one each, or ask the kernel of the
    /// machine that runs the tests.
    const GROUPS: [&str; 15] = [
        "bonding",
        "dmi",
        "edac",
        "filesystem",
        "hwmon",
        "kernel_hung",
        "mdadm",
        "netclass",
        "nvme",
        "os",
        "powersupplyclass",
        "rapl",
        "selinux",
        "thermal_zone",
        "watchdog",
    ];

    fn whole(tree: &str) -> String {
        without_sizes(&output(tree, &GROUPS))
    }

    /// The root of a tree is a folder of the machine that runs the tests: its sizes are not the tree's.
    fn without_sizes(text: &str) -> String {
        let sizes = ["_avail_bytes{", "_files{", "_files_free{", "_free_bytes{", "_size_bytes{"];
        let is_size = |line: &str| line.starts_with("node_filesystem") && sizes.iter().any(|size| line.contains(size));
        text.lines()
            .map(|line| match line.rsplit_once(' ') {
                Some((series, _)) if is_size(line) => format!("{series} …\n"),
                _ => format!("{line}\n"),
            })
            .collect()
    }

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(tree, whole(tree));
        }
    }

    #[test]
    fn partner_metrics_have_equal_labels() {
        let text = whole("server-4.19") + &whole("workstation-6.1");
        let labels = |name: &str| -> Vec<&str> {
            let prefix = format!("{name}{{");
            text.lines().filter_map(|line| line.strip_prefix(&prefix)?.split('}').next()).collect()
        };
        for (one, other) in [
            ("node_bonding_active", "node_bonding_slaves"),
            ("node_filesystem_avail_bytes", "node_filesystem_size_bytes"),
            ("node_filesystem_files", "node_filesystem_files_free"),
            ("node_filesystem_device_error", "node_filesystem_readonly"),
        ] {
            assert!(!labels(one).is_empty(), "{one}");
            assert_eq!(labels(one), labels(other), "{one} and {other}");
        }
        let readonly = labels("node_filesystem_readonly");
        assert!(labels("node_filesystem_size_bytes").iter().all(|labels| readonly.contains(labels)));
        let active: Vec<String> =
            labels("node_md_disks_required").iter().map(|labels| format!("{labels},state=\"active\"")).collect();
        assert!(active.iter().all(|active| labels("node_md_disks").contains(&active.as_str())), "{active:?}");
    }

    #[test]
    fn every_collector_has_its_line_in_the_table_of_compatibility() {
        let table = include_str!("../../../../docs/compatibility.md");
        for name in NAMES {
            let lines = ["same", "partly"].map(|state| format!("| {name} | {state} |"));
            assert!(lines.iter().any(|line| table.contains(line)), "docs/compatibility.md: no line for {name}");
        }
    }
}
