//! What a source hands to publishers, as text.

use std::{collections::BTreeMap, fmt::Write};

use aura_model::{Emit, Family, Group, Kind, Value};

use crate::Exposition;

/// What is handed over, as a page in the text format, without escaping.
///
/// # Panics
/// When a family is opened twice, or a sample has other labels than its family.
pub fn page(walk: impl FnOnce(&mut dyn Emit)) -> String {
    let mut page = Page::default();
    walk(&mut page);
    page.text
}

/// All series of a reading by name and labels, `name{label=value,...}` with the labels in order.
///
/// # Panics
/// When a series is there twice.
pub fn series<R>(groups: &[Group<R>], reading: &R) -> BTreeMap<String, f64> {
    let text = page(|emit| groups.iter().for_each(|group| (group.walk)(reading, emit)));
    let key = |name: &str, labels: &BTreeMap<String, String>| {
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        format!("{name}{{{}}}", labels.join(","))
    };
    Exposition::parse(&text).samples.iter().map(|sample| (key(&sample.name, &sample.labels), sample.value)).collect()
}

#[derive(Default)]
struct Page {
    text: String,
    head: Option<String>,
    name: String,
    labels: Vec<String>,
}

impl Emit for Page {
    fn family(&mut self, family: &Family<'_>) {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Unknown => "untyped",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
        };
        assert!(!self.text.contains(&format!("# TYPE {} ", family.name)), "{} is opened twice", family.name);
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
        self.text += &self.head.take().unwrap_or_default();
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={value:?}")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let value = match value {
            Value::Unsigned(number) => number.to_string(),
            Value::Signed(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
        };
        writeln!(self.text, "{}{suffix}{labels} {value}", self.name).unwrap();
    }
}
