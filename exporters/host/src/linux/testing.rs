//! Recorded trees of /proc and /sys (below `tests/fixtures`), and what they give as text.

use std::{fmt::Write, path::PathBuf};

use aura_model::{Context, Emit, Family, Kind, Paths, Source, Value};

use super::{Host, HostReading};
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

/// A sample of a recorded tree, with every collector on.
pub(super) fn sample(tree: &str) -> HostReading {
    let collectors =
        CollectorOptions { enable: super::NAMES.iter().map(|&name| name.into()).collect(), ..Default::default() };
    let options = HostOptions { collectors, ..Default::default() };
    Host::open(&options, &context(tree)).unwrap().sample().unwrap()
}

/// The metrics of these collectors on a recorded tree, in text format, or why there are none. The trees'
/// place on this machine is left out.
pub(super) fn output(tree: &str, groups: &[&str]) -> String {
    let reading = sample(tree);
    let mut text = Text::default();
    for group in Host::groups().iter().filter(|group| groups.contains(&group.name)) {
        (group.walk)(&reading, &mut text);
        if let Some((name, missing)) = reading.missing().find(|(name, _)| *name == group.name) {
            writeln!(text.out, "# {name} is missing: {missing}").unwrap();
        }
    }
    text.out.replace(root(tree).to_str().unwrap(), "")
}

/// Writes what it is given as a page in the text format, without escaping.
#[derive(Default)]
struct Text {
    out: String,
    head: Option<String>,
    name: String,
    labels: Vec<String>,
}

impl Emit for Text {
    fn family(&mut self, family: &Family<'_>) {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Unknown => "untyped",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
        };
        assert!(!self.out.contains(&format!("# TYPE {} ", family.name)), "{} is opened twice", family.name);
        self.head = Some(format!("# HELP {0} {1}\n# TYPE {0} {kind}\n", family.name, family.help));
        self.name = family.name.into();
        self.labels = family.labels.iter().map(|&label| label.into()).collect();
    }

    fn sample(&mut self, values: &[&str], value: Value) {
        assert_eq!(values.len(), self.labels.len(), "labels of {}", self.name);
        let labels = std::mem::take(&mut self.labels);
        let pairs: Vec<(&str, &str)> = labels.iter().map(String::as_str).zip(values.iter().copied()).collect();
        self.labelled("", &pairs, value);
        self.labels = labels;
    }

    fn labelled(&mut self, suffix: &str, labels: &[(&str, &str)], value: Value) {
        self.out += &self.head.take().unwrap_or_default();
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={value:?}")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let value = match value {
            Value::Unsigned(number) => number.to_string(),
            Value::Signed(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
        };
        writeln!(self.out, "{}{suffix}{labels} {value}", self.name).unwrap();
    }
}
