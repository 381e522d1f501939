//! Sensors of /sys/class/hwmon: temperatures, fans, voltages, currents, power. Chips are listed every minute, and
//! limits, labels and settings are read then. What moves (inputs, averages, alarms, faults) is read at each
//! sample from files kept open; a driver may have to ask its chip over a slow bus for each of them.
//!
//! Names follow node_exporter: `<kind><number>_<property>` becomes `node_hwmon_<kind>_<property>_<unit>`, the chip
//! is called by the path of its device, which stays the same across boots. Some drivers register several chips for one
//! device; these are told apart by their own names too. A clock is called by its label, and has none without.

mod chip;
mod sensor;

use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use aura_model::{Context, Metric, Missing, Name, Reason, Switch, Unit, gauge, rows};
use serde::Serialize;

use self::{
    chip::{chips, clean, clean_file},
    sensor::{Meaning, sensors},
};
use super::{Collector, some};
use crate::{
    HostOptions,
    linux::kernel::{
        attribute,
        every::Every,
        file::{Buffer, KeptFile},
    },
};

/// All sensors: what there is, and the values of now beside it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hwmon {
    #[serde(skip)]
    layout: Arc<Layout>,
    /// In base units, in the order of the layout; missing when a sensor can't be read now.
    #[serde(skip)]
    values: Vec<Option<f64>>,
}

/// One temperature with its limits, in degrees Celsius.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Temperature<'h> {
    /// The chip by its device: `platform_coretemp_0`.
    pub chip: &'h str,
    /// The chip's own name, if it has one: `coretemp`.
    pub chip_name: Option<&'h str>,
    /// The sensor: `temp1`.
    pub sensor: &'h str,
    /// What it measures, if the driver says: `Package id 0`.
    pub label: Option<&'h str>,
    /// Now.
    pub current: f64,
    /// Where it begins to be too hot.
    pub high: Option<f64>,
    /// Where the hardware protects itself.
    pub critical: Option<f64>,
}

impl Hwmon {
    /// How many sensors there are.
    fn sensors(&self) -> usize {
        let places = self.layout.entries.iter().filter(|place| &*place.sensor != "update_interval0");
        places.map(|place| (&place.chip, &place.sensor)).collect::<HashSet<_>>().len()
    }

    /// The temperatures that can be read now.
    pub fn temperatures(&self) -> impl Iterator<Item = Temperature<'_>> {
        self.layout.temperatures.iter().filter_map(|place| {
            let entry = &self.layout.entries[place.current];
            let value = |index: Option<usize>| self.values[index?];
            let label = |all: &'_ [(Name, Name, Name)]| {
                all.iter().position(|(chip, sensor, _)| (chip, sensor) == (&entry.chip, &entry.sensor))
            };
            Some(Temperature {
                chip: &entry.chip,
                chip_name: self.layout.chips.iter().find(|(chip, _)| *chip == entry.chip).map(|(_, name)| &**name),
                sensor: &entry.sensor,
                label: label(&self.layout.labels)
                    .map(|index| &*self.layout.labels[index].2)
                    .filter(|label| !label.trim().is_empty()),
                current: value(Some(place.current))?,
                high: value(place.high),
                critical: value(place.critical),
            })
        })
    }
}

/// What there is.
#[derive(Debug, Default, PartialEq)]
struct Layout {
    /// Chip and its own name.
    chips: Vec<(Name, Name)>,
    /// Chip, sensor and what it measures.
    labels: Vec<(Name, Name, Name)>,
    /// Families sorted by name, each with the number of its entries.
    families: Vec<(Meaning, usize)>,
    entries: Vec<Place>,
    temperatures: Vec<TemperaturePlace>,
}

#[derive(Debug, PartialEq)]
struct Place {
    chip: Name,
    sensor: Name,
}

#[derive(Debug, PartialEq)]
struct TemperaturePlace {
    current: usize,
    high: Option<usize>,
    critical: Option<usize>,
}

const LABELS: &[&str] = &["chip", "sensor"];

pub(super) const METRICS: &[Metric<Hwmon>] = rows! { |hwmon|
    gauge("node_hwmon_*", "Hardware monitor values, by kind and property.", Unit::None, LABELS, |hwmon, emit| {
        let mut all = hwmon.layout.entries.iter().zip(&hwmon.values);
        for (meaning, count) in &hwmon.layout.families {
            emit.family(&meaning.family());
            for (place, value) in all.by_ref().take(*count) {
                emit.maybe(&[&place.chip, &place.sensor], *value);
            }
        }
    });
    for (chip, name) in &hwmon.layout.chips => { chip, chip_name: name } {
        gauge "node_hwmon_chip_names" = 1, "Annotation metric for human-readable chip names";
    }
    for (chip, sensor, label) in &hwmon.layout.labels => { chip, sensor, label } {
        gauge "node_hwmon_sensor_label" = 1, "Label for given chip and sensor";
    }
};

pub(super) struct Reader {
    wanted: bool,
    root: PathBuf,
    list: Every,
    listed: Result<(), Missing>,
    layout: Arc<Layout>,
    values: Vec<Source>,
}

/// Where a value comes from.
enum Source {
    Moves(KeptFile, f64),
    Stays(f64),
}

impl Collector for Reader {
    type Reading = Hwmon;

    fn open(options: &HostOptions, context: &Context) -> Self {
        Self {
            wanted: options.temperature != Switch::Off,
            root: context.paths.sysfs.join("class/hwmon"),
            list: Every::seconds(60),
            listed: Ok(()),
            layout: Arc::default(),
            values: Vec::new(),
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Hwmon, Missing> {
        if !self.wanted {
            return Err(Missing::new(Reason::NotConfigured, "sources.host.temperature is false"));
        }
        if self.list.due() {
            self.listed = self.list();
        }
        self.listed.clone()?;
        let values = self.values.iter_mut().map(|source| match source {
            Source::Stays(value) => Some(*value),
            Source::Moves(file, divisor) => number(file.read(buffer).ok()?.trim_ascii()).map(|value| value / *divisor),
        });
        let values = values.collect();
        Ok(Hwmon { layout: self.layout.clone(), values })
    }

    fn watched(reading: &Hwmon) -> Option<String> {
        some(reading.sensors(), "sensor")
    }
}

impl Reader {
    fn list(&mut self) -> Result<(), Missing> {
        let mut layout = Layout::default();
        let mut families: BTreeMap<String, (Meaning, Vec<(Place, Source)>)> = BTreeMap::new();
        for (folder, chip) in chips(&self.root)? {
            let chip: Name = chip.into();
            if let Some(name) = clean_file(&folder.join("name")) {
                layout.chips.push((chip.clone(), name.into()));
            }
            for (sensor, properties) in sensors(&folder) {
                let label = properties.iter().find(|(file, _)| file.property == "label");
                let label = label.and_then(|(_, path)| attribute::line(path).ok());
                let plain = properties.iter().any(|(file, _)| file.property.is_empty());
                for (file, path) in &properties {
                    let Some(meaning) = file.meaning(plain) else { continue };
                    let called = match (file.is_clock(), &label) {
                        (false, _) => sensor.clone(),
                        (true, Some(label)) => clean(label),
                        (true, None) => continue,
                    };
                    let place = Place { chip: chip.clone(), sensor: called.into() };
                    let source = if file.moves() {
                        Some(Source::Moves(KeptFile::one_line(path.clone()), meaning.divisor))
                    } else {
                        attribute::text(path)
                            .ok()
                            .and_then(|text| number(text.as_bytes()))
                            .map(|value| Source::Stays(value / meaning.divisor))
                    };
                    let Some(source) = source else { continue };
                    families
                        .entry(meaning.name.clone())
                        .or_insert_with(|| (meaning, Vec::new()))
                        .1
                        .push((place, source));
                }
                if let Some(label) = label {
                    layout.labels.push((chip.clone(), sensor.into(), label.into()));
                }
            }
        }
        self.values.clear();
        for (meaning, entries) in families.into_values() {
            layout.families.push((meaning, entries.len()));
            for (place, source) in entries {
                layout.entries.push(place);
                self.values.push(source);
            }
        }
        layout.find_temperatures();
        self.layout = Arc::new(layout);
        Ok(())
    }
}

impl Layout {
    fn find_temperatures(&mut self) {
        let range = |name: &str| {
            let mut start = 0;
            for (meaning, count) in &self.families {
                if meaning.name == name {
                    return start..start + count;
                }
                start += count;
            }
            0..0
        };
        let (highs, criticals) = (range("node_hwmon_temp_max_celsius"), range("node_hwmon_temp_crit_celsius"));
        self.temperatures = range("node_hwmon_temp_celsius")
            .map(|current| {
                let same = |mut places: std::ops::Range<usize>| {
                    places.find(|&index| self.entries[index] == self.entries[current])
                };
                TemperaturePlace { current, high: same(highs.clone()), critical: same(criticals.clone()) }
            })
            .collect();
    }
}

fn number(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
