//! Readings as text, for tests that compare a whole tree with what it was.

use std::{fmt::Write as _, path::PathBuf};

use aura_model::{Context, Emit, Family, Metric, Paths, Value, walk};

/// The recorded tree of this name; its procfs, sysfs and root lie beside each other.
pub(super) fn tree(name: &str) -> Context {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
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
