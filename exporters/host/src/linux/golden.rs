//! Readings as text, for tests that compare a whole tree with what it was.

use std::{fmt::Write as _, path::PathBuf};

use aura_model::{Context, Emit, Family, Metric, Paths, Value, walk};

/// The recorded tree of this name; its procfs, sysfs and root lie beside each other.
pub(super) fn tree(name: &str) -> Context {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/trees").join(name);
    Context::new(Paths {
        procfs: root.join("proc"),
        sysfs: root.join("sys"),
        rootfs: root.join("root"),
        udev: root.join("udev"),
    })
}

/// The samples of a reading, a line each, families in the order of the walk.
pub(super) fn text<R>(metrics: &[Metric<R>], reading: &R) -> String {
    let mut sink = Sink::default();
    walk(metrics, reading, &mut sink);
    sink.text
}

#[derive(Default)]
struct Sink {
    text: String,
    family: String,
    header: Option<String>,
    labels: Vec<String>,
}

impl Emit for Sink {
    fn family(&mut self, family: &Family<'_>) {
        self.family = family.name.to_owned();
        self.header = Some(format!("# {} {:?}: {}\n", family.name, family.kind, family.help));
        self.labels = family.labels.iter().map(|&label| label.to_owned()).collect();
    }

    fn sample(&mut self, values: &[&str], value: Value) {
        assert_eq!(values.len(), self.labels.len(), "{}: labels", self.family);
        let labels = self.labels.clone();
        let pairs: Vec<(&str, &str)> = labels.iter().map(String::as_str).zip(values.iter().copied()).collect();
        self.labelled("", &pairs, value);
    }

    fn labelled(&mut self, suffix: &str, labels: &[(&str, &str)], value: Value) {
        self.text.push_str(&self.header.take().unwrap_or_default());
        let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let number = value.as_f64();
        let _ = writeln!(self.text, "{}{suffix}{{{}}} {number}", self.family, pairs.join(","));
    }
}

#[cfg(test)]
mod tests {
    use aura_model::Source;

    use super::*;
    use crate::{Host, HostOptions};

    /// What depends on the tree alone. The others ask the kernel of the machine that runs the tests.
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

    /// The whole output of a tree. Mounts are not there, so each of them shows its error.
    fn whole(name: &str) -> String {
        let context = tree(name);
        let mut host = Host::open(&HostOptions::default(), &context).unwrap();
        let reading = loop {
            let reading = host.sample().unwrap();
            let mounts = &reading.filesystem.value().unwrap().mounts;
            if mounts.iter().all(|mount| mount.usage.is_some() || mount.error.is_some()) {
                break reading;
            }
        };
        let mut sink = Sink::default();
        for group in Host::groups().iter().filter(|group| GROUPS.contains(&group.name)) {
            (group.walk)(&reading, &mut sink);
        }
        let root = context.paths.sysfs.parent().unwrap().to_owned();
        without_sizes(&sink.text).replace(&*root.to_string_lossy(), "")
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
    fn a_laptop() {
        insta::assert_snapshot!(whole("laptop-6.12"));
    }

    #[test]
    fn a_server_with_raid_a_bond_and_ecc() {
        insta::assert_snapshot!(whole("storage-5.15"));
    }

    #[test]
    fn a_container() {
        insta::assert_snapshot!(whole("container-6.1"));
    }

    #[test]
    fn a_virtual_machine() {
        insta::assert_snapshot!(whole("vm-6.18"));
    }

    #[test]
    fn partner_metrics_have_equal_labels() {
        let text = whole("storage-5.15") + &whole("laptop-6.12");
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
        for name in super::super::NAMES {
            let lines = ["same", "partly"].map(|state| format!("| {name} | {state} |"));
            assert!(lines.iter().any(|line| table.contains(line)), "docs/compatibility.md: no line for {name}");
        }
    }
}
