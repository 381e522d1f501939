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
mod tests {
    use proptest::prelude::*;

    use super::{sensor::sensor_file, *};

    #[test]
    fn files_are_told_apart_as_node_exporter_does() {
        for (name, expected) in [
            ("temp1_input", Some(("temp1", "temp", "input"))),
            ("temp12_crit_alarm", Some(("temp12", "temp", "crit_alarm"))),
            ("pwm1", Some(("pwm1", "pwm", ""))),
            ("pwm1_auto_point1_temp", Some(("pwm1", "pwm", "auto_point1_temp"))),
            ("update_interval", Some(("update_interval0", "update_interval", ""))),
            ("name", None),
            ("temp1input", None),
            ("temp1_", None),
            ("temp99999999999_input", None),
            ("fan_input", None),
        ] {
            let found = sensor_file(name);
            let found = found.as_ref().map(|(sensor, file)| (sensor.as_str(), file.kind, file.property.as_str()));
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn a_sensor_that_fails_for_a_moment_is_missing_for_that_moment() {
        let root = tempfile::tempdir().unwrap();
        let chip = root.path().join("class/hwmon/hwmon0");
        std::fs::create_dir_all(&chip).unwrap();
        for (file, text) in
            [("name", "k10temp"), ("temp1_input", "45125"), ("temp1_max", "70000"), ("temp1_label", "Tctl")]
        {
            std::fs::write(chip.join(file), text).unwrap();
        }
        let paths = aura_model::Paths { sysfs: root.path().into(), ..Default::default() };
        let mut reader = Reader::open(&HostOptions::default(), &Context::new(paths));
        let reading = reader.read(&mut Buffer::default()).unwrap();
        let expected = Temperature {
            chip: "k10temp",
            chip_name: Some("k10temp"),
            sensor: "temp1",
            label: Some("Tctl"),
            current: 45.125,
            high: Some(70.0),
            critical: None,
        };
        assert_eq!(reading.temperatures().collect::<Vec<_>>(), [expected]);
        std::fs::write(chip.join("temp1_input"), "").unwrap();
        assert_eq!(reader.read(&mut Buffer::default()).unwrap().temperatures().count(), 0);
        std::fs::write(chip.join("temp1_input"), "46000").unwrap();
        assert_eq!(reader.read(&mut Buffer::default()).unwrap().temperatures().next().map(|t| t.current), Some(46.0));
    }

    type Chip<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

    /// Chips of `sys/class/hwmon`: folder, device, files.
    fn tree(chips: &[Chip<'_>]) -> (tempfile::TempDir, Reader) {
        let root = tempfile::tempdir().unwrap();
        for (chip, device, files) in chips {
            let folder = root.path().join("class/hwmon").join(chip);
            std::fs::create_dir_all(&folder).unwrap();
            if !device.is_empty() {
                let device = root.path().join("devices").join(device);
                std::fs::create_dir_all(&device).unwrap();
                std::os::unix::fs::symlink(device, folder.join("device")).unwrap();
            }
            files.iter().for_each(|(file, text)| std::fs::write(folder.join(file), text).unwrap());
        }
        let paths = aura_model::Paths { sysfs: root.path().into(), ..Default::default() };
        let reader = Reader::open(&HostOptions::default(), &Context::new(paths));
        (root, reader)
    }

    fn samples(reader: &mut Reader) -> Vec<String> {
        let text = crate::linux::testing::text(METRICS, &reader.read(&mut Buffer::default()).unwrap());
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn chips_of_one_device_are_told_apart_by_their_names_or_their_numbers() {
        let (_root, mut reader) = tree(&[
            ("hwmon0", "platform/wmi", &[("name", "asus\n"), ("pwm1_enable", "2")]),
            ("hwmon1", "platform/wmi", &[("name", "Asus Sensors\n"), ("pwm1_enable", "3")]),
            ("hwmon2", "net/phy0", &[("name", "mt7996\n"), ("temp1_input", "55000")]),
            ("hwmon3", "net/phy0", &[("name", "mt7996\n"), ("temp1_input", "56000")]),
            ("hwmon4", "net/phy0", &[("temp1_input", "57000")]),
            ("hwmon5", "", &[("name", "k10temp\n"), ("temp1_input", "58000")]),
            ("hwmon6", "", &[("name", "k10temp\n"), ("temp1_input", "59000")]),
            ("hwmon7", "alone/one", &[("name", "asus\n"), ("temp1_input", "60000")]),
        ]);
        let chip = |line: &String| line.contains("_celsius") || line.contains("_enable");
        let found: Vec<String> = samples(&mut reader).into_iter().filter(chip).collect();
        assert_eq!(
            found,
            [
                "node_hwmon_pwm_enable{chip=\"platform_wmi_asus\",sensor=\"pwm1\"} 2",
                "node_hwmon_pwm_enable{chip=\"platform_wmi_asus_sensors\",sensor=\"pwm1\"} 3",
                "node_hwmon_temp_celsius{chip=\"net_phy0_hwmon2\",sensor=\"temp1\"} 55",
                "node_hwmon_temp_celsius{chip=\"net_phy0_hwmon3\",sensor=\"temp1\"} 56",
                "node_hwmon_temp_celsius{chip=\"net_phy0_hwmon4\",sensor=\"temp1\"} 57",
                "node_hwmon_temp_celsius{chip=\"k10temp_hwmon5\",sensor=\"temp1\"} 58",
                "node_hwmon_temp_celsius{chip=\"k10temp_hwmon6\",sensor=\"temp1\"} 59",
                "node_hwmon_temp_celsius{chip=\"alone_one\",sensor=\"temp1\"} 60",
            ]
        );
    }

    #[test]
    fn a_clock_is_called_by_its_label_and_a_label_stands_as_it_was_written() {
        let files = [
            ("freq1_input", "214000000\n"),
            ("freq1_label", "sclk\n"),
            ("freq2_input", "300000000\n"),
            ("freq3_input", "\n"),
            ("freq3_label", "MCLK (GPU)\n"),
            ("temp1_label", "\n"),
            ("in0_label", "vddgfx \n"),
        ];
        let (_root, mut reader) = tree(&[("hwmon4", "", &files)]);
        assert_eq!(
            samples(&mut reader),
            [
                "node_hwmon_freq_freq_mhz{chip=\"hwmon4\",sensor=\"sclk\"} 214",
                "node_hwmon_sensor_label{chip=\"hwmon4\",sensor=\"freq1\",label=\"sclk\"} 1",
                "node_hwmon_sensor_label{chip=\"hwmon4\",sensor=\"freq3\",label=\"MCLK (GPU)\"} 1",
                "node_hwmon_sensor_label{chip=\"hwmon4\",sensor=\"in0\",label=\"vddgfx \"} 1",
                "node_hwmon_sensor_label{chip=\"hwmon4\",sensor=\"temp1\",label=\"\"} 1",
            ]
        );
    }

    #[test]
    fn switched_off_it_reads_nothing_and_says_so() {
        let options = HostOptions { temperature: Switch::Off, ..HostOptions::default() };
        let missing = Reader::open(&options, &Context::default()).read(&mut Buffer::default()).unwrap_err();
        assert_eq!(missing.reason, Reason::NotConfigured);
    }

    proptest! {
        #[test]
        fn any_name_is_cleaned_to_what_a_metric_may_be_called(text: String, file in "[a-z]{0,16}[0-9]{0,3}_?[a-z_]{0,12}") {
            let cleaned = clean(&text);
            prop_assert!(cleaned.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == ':' || c == '_'));
            if let Some((_, sensor)) = sensor_file(&file) {
                sensor.meaning(false);
            }
        }
    }
}
