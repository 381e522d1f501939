//! `aura sample`: one sample of each source, printed.

use std::fmt::Write as _;

use anyhow::bail;
use aura_exposition::{Format, encode};
use aura_model::{Context, Emit, Family, Options, Reason, Source, Switch, Unit, Value};

use super::{
    SampleArguments, SampleFormat,
    configuration::load,
    terminal::{self, print, visible},
};
use crate::{
    config::{Overrides, Visit},
    hub::{AnyReading, Snapshot, sample_once},
    views::declared,
};

pub(super) fn sample(overrides: &Overrides, arguments: &SampleArguments) -> anyhow::Result<()> {
    let config = load(overrides)?.config;
    let context = Context::new(config.paths.clone()).with_declared(declared());
    let mut sampler =
        Sampler { arguments, context, json: serde_json::Map::new(), out: String::new(), failed: Vec::new() };
    config.sources.visit(&mut sampler);
    if arguments.format == SampleFormat::Json {
        sampler.out = terminal::json(&serde_json::to_string_pretty(&sampler.json)?) + "\n";
    }
    match arguments.format {
        SampleFormat::Prometheus => terminal::print_for_programs(&sampler.out)?,
        SampleFormat::Text | SampleFormat::Json => print(&sampler.out)?,
    }
    if !sampler.failed.is_empty() {
        bail!("{}", sampler.failed.join("\n"));
    }
    Ok(())
}

struct Sampler<'a> {
    arguments: &'a SampleArguments,
    context: Context,
    json: serde_json::Map<String, serde_json::Value>,
    out: String,
    failed: Vec<String>,
}

impl Visit for Sampler<'_> {
    fn visit<S: Source>(&mut self, options: &S::Options) {
        let named = &self.arguments.sources;
        if !named.is_empty() && !named.iter().any(|name| name == S::NAME) {
            return;
        }
        if options.schedule().enabled == Switch::Off {
            let detail = format!("switched off: sources.{}.enabled is false", S::NAME);
            if !named.is_empty() {
                self.failed.push(format!("{}: {detail}", S::NAME));
            }
            return;
        }
        // Somebody looks now: the time for what is too expensive otherwise.
        self.context.set_watched(true);
        let named = named.iter().any(|name| name == S::NAME);
        match sample_once::<S>(options, &self.context) {
            // What this box does not have is no failure, unless somebody asked for it.
            Err(missing)
                if !named
                    && options.schedule().enabled != Switch::On
                    && matches!(missing.reason, Reason::NoSensor | Reason::NotConfigured) =>
            {
                if self.arguments.format == SampleFormat::Text {
                    let _ = writeln!(self.out, "{}: not watched: {}\n", S::NAME, visible(&missing.to_string()));
                }
            }
            Err(missing) => self.failed.push(format!("{}: {missing}", S::NAME)),
            Ok(snapshot) => match self.arguments.format {
                SampleFormat::Text => self.out += &text(&snapshot),
                SampleFormat::Prometheus => {
                    self.out += &String::from_utf8_lossy(encode(|each| snapshot.groups(each), Format::Text).text());
                }
                SampleFormat::Json => match serde_json::to_value(&snapshot.reading) {
                    Ok(value) => {
                        self.json.insert(S::NAME.to_owned(), value);
                    }
                    Err(error) => self.failed.push(format!("{}: {error}", S::NAME)),
                },
            },
        }
    }
}

/// For people: groups, their values with units, and what is missing.
fn text<S: Source>(snapshot: &Snapshot<S>) -> String {
    let mut lines = Lines::default();
    let milliseconds = snapshot.duration.as_secs_f64() * 1000.0;
    let _ = writeln!(lines.out, "{}: sampled at {} in {milliseconds:.1} ms", S::NAME, snapshot.sampled_at);
    for line in S::describe(&snapshot.reading) {
        let _ = writeln!(lines.out, "  {}", visible(&line));
    }
    for group in S::groups() {
        let before = lines.out.len();
        let _ = writeln!(lines.out, "\n{}", group.name);
        let empty = lines.out.len();
        (group.walk)(&snapshot.reading, &mut lines);
        if lines.out.len() == empty {
            lines.out.truncate(before);
        }
    }
    lines.out.push('\n');
    lines.out
}

#[derive(Default)]
struct Lines {
    out: String,
    name: String,
    labels: Vec<String>,
    unit: Option<Unit>,
}

impl Emit for Lines {
    fn family(&mut self, family: &Family<'_>) {
        family.name.clone_into(&mut self.name);
        self.labels = family.labels.iter().map(|&label| label.to_owned()).collect();
        self.unit = Some(family.unit);
    }

    fn sample(&mut self, values: &[&str], value: Value) {
        let labels = std::mem::take(&mut self.labels);
        let pairs: Vec<(&str, &str)> = labels.iter().map(String::as_str).zip(values.iter().copied()).collect();
        self.labelled("", &pairs, value);
        self.labels = labels;
    }

    fn labelled(&mut self, suffix: &str, labels: &[(&str, &str)], value: Value) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={}", visible(value))).collect();
        let name = format!("{}{suffix} {}", self.name, labels.join(" "));
        let _ = writeln!(self.out, "  {name:<72} {}", quantity(value, self.unit.unwrap_or(Unit::None)));
    }
}

fn quantity(value: Value, unit: Unit) -> String {
    let number = value.as_f64();
    let plain = match value {
        Value::Unsigned(number) => number.to_string(),
        Value::Signed(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
    };
    match unit {
        Unit::None | Unit::Ratio => plain,
        Unit::Bytes => format!("{plain} B{}", scaled(number, 1024.0, &["", " KiB", " MiB", " GiB", " TiB"])),
        Unit::Hertz => format!("{plain} Hz{}", scaled(number, 1000.0, &["", " kHz", " MHz", " GHz"])),
        Unit::Seconds => format!("{plain} s"),
        Unit::Celsius => format!("{plain} °C"),
        Unit::Volts => format!("{plain} V"),
        Unit::Amperes => format!("{plain} A"),
        Unit::Watts => format!("{plain} W"),
        Unit::Joules => format!("{plain} J"),
    }
}

/// The same number with a larger unit, where that is easier to read.
fn scaled(mut number: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while number.abs() >= step && unit + 1 < units.len() {
        number /= step;
        unit += 1;
    }
    if unit == 0 { String::new() } else { format!(" ({number:.1}{})", units[unit]) }
}
