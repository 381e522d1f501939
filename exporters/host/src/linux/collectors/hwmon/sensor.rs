//! What the files of a sensor are called, and what their numbers mean.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use aura_model::{Family, Kind, Unit};

use super::{LABELS, chip::clean};
use crate::linux::kernel::attribute;

/// The file of one property of one sensor.
#[derive(Debug, PartialEq)]
pub(super) struct SensorFile {
    pub(super) kind: &'static str,
    pub(super) property: String,
}

pub(super) const KINDS: [&str; 14] = [
    "vrm",
    "beep_enable",
    "update_interval",
    "in",
    "cpu",
    "fan",
    "pwm",
    "temp",
    "curr",
    "power",
    "energy",
    "humidity",
    "intrusion",
    "freq",
];

/// The sensors of a chip by name, with their files. Old drivers keep them in the folder of the device.
pub(super) fn sensors(folder: &Path) -> BTreeMap<String, Vec<(SensorFile, PathBuf)>> {
    let mut sensors: BTreeMap<String, Vec<(SensorFile, PathBuf)>> = BTreeMap::new();
    for folder in [folder.to_owned(), folder.join("device")] {
        for name in attribute::entries(&folder).unwrap_or_default() {
            let Some((sensor, file)) = sensor_file(&name) else { continue };
            let files = sensors.entry(sensor).or_default();
            files.retain(|(other, _)| *other != file);
            files.push((file, folder.join(name)));
        }
    }
    sensors
}

/// `temp1_crit_alarm`: kind, number, and after an underscore the property.
pub(super) fn sensor_file(name: &str) -> Option<(String, SensorFile)> {
    let letters = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    let (kind, rest) = name.split_at(letters);
    let kind = KINDS.into_iter().find(|known| *known == kind)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, rest) = rest.split_at(digits);
    let number: u32 = if number.is_empty() { 0 } else { number.parse().ok()? };
    let property = match rest.strip_prefix('_') {
        Some(property) if !property.is_empty() => property,
        None if rest.is_empty() => "",
        _ => return None,
    };
    Some((format!("{kind}{number}"), SensorFile { kind, property: property.to_owned() }))
}

/// What a file's number means.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Meaning {
    pub(super) name: String,
    pub(super) help: String,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    /// What the file's number is divided by.
    pub(super) divisor: f64,
}

impl Meaning {
    pub(super) fn family(&self) -> Family<'_> {
        Family { name: &self.name, help: &self.help, kind: self.kind, unit: self.unit, labels: LABELS }
    }
}

impl SensorFile {
    /// Whether it says how fast a GPU's clock runs.
    pub(super) fn is_clock(&self) -> bool {
        self.kind == "freq" && self.property == "input"
    }

    /// Whether it is read at each sample. All else are limits, settings and descriptions.
    pub(super) fn moves(&self) -> bool {
        let property = self.property.as_str();
        let settings = ["beep_enable", "update_interval", "vrm"];
        matches!(property, "input" | "average" | "fault" | "lowest" | "highest" | "input_lowest" | "input_highest")
            || property.ends_with("alarm")
            || (property.is_empty() && !settings.contains(&self.kind))
    }

    pub(super) fn meaning(&self, plain: bool) -> Option<Meaning> {
        let Self { kind, property } = self;
        let gauge = |name: String, help: String, unit, divisor| {
            Some(Meaning { name: format!("node_hwmon_{name}"), help, kind: Kind::Gauge, unit, divisor })
        };
        match (*kind, property.as_str()) {
            (_, "label") => return None,
            ("beep_enable", _) => return gauge("beep_enabled".into(), "Hardware beep enabled".into(), Unit::None, 1.0),
            ("vrm", _) => {
                return gauge("voltage_regulator_version".into(), "Hardware voltage regulator".into(), Unit::None, 1.0);
            }
            ("update_interval", _) => {
                let help = "Hardware monitor update interval";
                return gauge("update_interval_seconds".into(), help.into(), Unit::Seconds, 1e3);
            }
            _ => {}
        }
        let name = match property.as_str() {
            "" => (*kind).to_owned(),
            "input" if !plain => (*kind).to_owned(),
            property => format!("{kind}_{}", clean(property)),
        };
        let with = |what: &str| format!("Hardware monitor for {what} ({property})");
        match (*kind, property.as_str()) {
            (_, "fault" | "alarm") => {
                gauge(name, format!("Hardware sensor {property} status ({kind})"), Unit::None, 1.0)
            }
            (_, "beep") => {
                let help = "Hardware monitor sensor has beeping enabled".to_owned();
                gauge(name + "_enabled", help, Unit::None, 1.0)
            }
            ("in" | "cpu", _) => gauge(name + "_volts", with("voltage"), Unit::Volts, 1e3),
            ("temp", "type") => gauge(name, format!("Hardware monitor {kind} element {property}"), Unit::None, 1.0),
            ("temp", _) => gauge(name + "_celsius", with("temperature"), Unit::Celsius, 1e3),
            ("curr", _) => gauge(name + "_amps", with("current"), Unit::Amperes, 1e3),
            ("energy", _) => Some(Meaning {
                name: format!("node_hwmon_{name}_joule_total"),
                help: with("joules used so far"),
                kind: Kind::Counter,
                unit: Unit::Joules,
                divisor: 1e6,
            }),
            ("power", "accuracy") => {
                gauge(name, "Hardware monitor power meter accuracy, as a ratio".into(), Unit::Ratio, 1e6)
            }
            ("power", "average_interval" | "average_interval_min" | "average_interval_max") => gauge(
                name + "_seconds",
                format!("Hardware monitor power usage update interval ({property})"),
                Unit::Seconds,
                1e3,
            ),
            ("power", _) => gauge(name + "_watt", with("power usage in watts"), Unit::Watts, 1e6),
            ("humidity", _) => {
                let what = "humidity, as a ratio (multiply with 100.0 to get the humidity as a percentage)";
                gauge(name, with(what), Unit::Ratio, 1e6)
            }
            ("fan", "input" | "min" | "max" | "target") => {
                gauge(name + "_rpm", with("fan revolutions per minute"), Unit::None, 1.0)
            }
            ("freq", "input") => {
                gauge(name + "_freq_mhz", "Hardware monitor for GPU frequency in MHz".into(), Unit::None, 1e6)
            }
            _ => gauge(
                name,
                format!("Hardware monitor {kind} element {property}").trim_end().to_owned(),
                Unit::None,
                1.0,
            ),
        }
    }
}
