//! A reading as a page of metrics.

use std::fmt::Write;

use aura_gpu::{GpuReading, Gpus};
use aura_model::{Emit, Family, Kind, Source, Value};

/// All metrics of a reading in text format, without escaping and help.
pub(crate) fn text(reading: &GpuReading) -> String {
    let mut text = Text::default();
    for group in Gpus::groups() {
        (group.walk)(reading, &mut text);
    }
    text.out.replace(&format!("hostname={:?}", &*reading.hostname), "hostname=\"HOST\"")
}

#[derive(Default)]
struct Text {
    out: String,
    head: Option<String>,
    name: String,
    labels: Vec<String>,
}

impl Emit for Text {
    fn family(&mut self, family: &Family<'_>) {
        let kind = if family.kind == Kind::Counter { "counter" } else { "gauge" };
        assert!(!self.out.contains(&format!("# TYPE {} ", family.name)), "{} is opened twice", family.name);
        self.head = Some(format!("# TYPE {} {kind}\n", family.name));
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
        let value = match value {
            Value::Unsigned(number) => number.to_string(),
            Value::Signed(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
        };
        writeln!(self.out, "{}{suffix}{{{}}} {value}", self.name, labels.join(",")).unwrap();
    }
}
