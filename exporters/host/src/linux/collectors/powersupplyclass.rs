//! Batteries and chargers. One file, `uevent`, has every property of a supply; reading it asks the firmware, which
//! may take milliseconds, so it is read every five seconds.

use std::{path::PathBuf, sync::Arc};

use aura_model::{Context, Family, Kind, Metric, Missing, Reason, Unit, gauge};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{attribute, every::Seldom, file::Buffer},
};

/// One battery or charger.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PowerSupply {
    /// Its name: `BAT0`.
    pub name: String,
    /// Its properties by the kernel's names in lower case, as the kernel writes them.
    pub properties: Vec<(String, String)>,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PowerSupplies {
    /// One row a supply.
    pub supplies: Vec<PowerSupply>,
}

/// The kernel's name, the metric's name, and what the number is divided by.
const NUMBERS: [(&str, &str, f64); 49] = [
    ("authentic", "authentic", 1.0),
    ("calibrate", "calibrate", 1.0),
    ("capacity", "capacity", 1.0),
    ("capacity_alert_max", "capacity_alert_max", 1.0),
    ("capacity_alert_min", "capacity_alert_min", 1.0),
    ("charge_control_limit", "charge_control_limit", 1e6),
    ("charge_control_limit_max", "charge_control_limit_max", 1e6),
    ("charge_counter", "charge_counter", 1e6),
    ("charge_empty", "charge_empty", 1e6),
    ("charge_empty_design", "charge_empty_design", 1e6),
    ("charge_full", "charge_full", 1e6),
    ("charge_full_design", "charge_full_design", 1e6),
    ("charge_now", "charge_ampere", 1e6),
    ("charge_term_current", "charge_term_current", 1e6),
    ("constant_charge_current", "constant_charge_current", 1e6),
    ("constant_charge_current_max", "constant_charge_current_max", 1e6),
    ("constant_charge_voltage", "constant_charge_voltage", 1e6),
    ("constant_charge_voltage_max", "constant_charge_voltage_max", 1e6),
    ("current_boot", "current_boot", 1e6),
    ("current_max", "current_max", 1e6),
    ("current_now", "current_ampere", 1e6),
    ("cycle_count", "cyclecount", 1.0),
    ("energy_empty", "energy_empty", 1e6),
    ("energy_empty_design", "energy_empty_design", 1e6),
    ("energy_full", "energy_full", 1e6),
    ("energy_full_design", "energy_full_design", 1e6),
    ("energy_now", "energy_watthour", 1e6),
    ("input_current_limit", "input_current_limit", 1e6),
    ("online", "online", 1.0),
    ("power_now", "power_watt", 1e6),
    ("precharge_current", "precharge_current", 1e6),
    ("present", "present", 1.0),
    ("temp", "temp_celsius", 10.0),
    ("temp_alert_max", "temp_alert_max_celsius", 10.0),
    ("temp_alert_min", "temp_alert_min_celsius", 10.0),
    ("temp_ambient", "temp_ambient_celsius", 10.0),
    ("temp_ambient_alert_max", "temp_ambient_max_celsius", 10.0),
    ("temp_ambient_alert_min", "temp_ambient_min_celsius", 10.0),
    ("temp_max", "temp_max_celsius", 10.0),
    ("temp_min", "temp_min_celsius", 10.0),
    ("time_to_empty_now", "time_to_empty_seconds", 1.0),
    ("time_to_full_now", "time_to_full_seconds", 1.0),
    ("voltage_boot", "voltage_boot", 1e6),
    ("voltage_max", "voltage_max", 1e6),
    ("voltage_max_design", "voltage_max_design", 1e6),
    ("voltage_min", "voltage_min", 1e6),
    ("voltage_min_design", "voltage_min_design", 1e6),
    ("voltage_now", "voltage_volt", 1e6),
    ("voltage_ocv", "voltage_ocv", 1e6),
];

/// Properties that are words, and the labels they become.
const WORDS: [&str; 11] = [
    "capacity_level",
    "charge_type",
    "health",
    "manufacturer",
    "model_name",
    "scope",
    "serial_number",
    "status",
    "technology",
    "type",
    "usb_type",
];

pub(super) const METRICS: &[Metric<Arc<PowerSupplies>>] = &[
    gauge(
        "node_power_supply_*",
        "A property of /sys/class/power_supply.",
        Unit::None,
        &["power_supply"],
        |all, emit| {
            for (property, metric, divisor) in NUMBERS {
                let name = format!("node_power_supply_{metric}");
                let help = format!("{metric} value of /sys/class/power_supply/<power_supply>.");
                let (kind, unit, labels) = (Kind::Gauge, Unit::None, &["power_supply"][..]);
                emit.family(&Family { name: &name, help: &help, kind, unit, labels });
                for supply in &all.supplies {
                    let value = supply.get(property).and_then(|text| text.parse::<i64>().ok());
                    emit.maybe(&[&supply.name], value.map(|value| value as f64 / divisor));
                }
            }
        },
    ),
    gauge(
        "node_power_supply_info",
        "info of /sys/class/power_supply/<power_supply>.",
        Unit::None,
        &["power_supply"],
        |all, emit| {
            for supply in &all.supplies {
                let mut labels = vec![("power_supply", supply.name.as_str())];
                labels.extend(WORDS.iter().filter_map(|&word| Some((word, supply.get(word)?))));
                emit.labelled("", &labels, true.into());
            }
        },
    ),
];

impl PowerSupply {
    /// A property; missing when it is empty.
    fn get(&self, property: &str) -> Option<&str> {
        let (_, text) = self.properties.iter().find(|(name, _)| name == property)?;
        (!text.is_empty()).then_some(text)
    }
}

pub(super) struct Reader {
    root: PathBuf,
    kept: Seldom<PowerSupplies>,
}

impl Collector for Reader {
    type Reading = Arc<PowerSupplies>;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { root: context.paths.sysfs.join("class/power_supply"), kept: Seldom::seconds(5) }
    }

    fn read(&mut self, _: &mut Buffer) -> Result<Arc<PowerSupplies>, Missing> {
        self.kept.get(|| {
            let supplies: Vec<_> = attribute::entries(&self.root)?
                .into_iter()
                .filter_map(|name| {
                    let folder = self.root.join(&name);
                    let mut properties = parse(&attribute::text(&folder.join("uevent")).ok()?);
                    // Before Linux 5.17 the type was in a file of its own alone.
                    if !properties.iter().any(|(name, _)| name == "type") {
                        properties
                            .extend(attribute::text(&folder.join("type")).ok().map(|kind| ("type".to_owned(), kind)));
                    }
                    Some(PowerSupply { name, properties })
                })
                .collect();
            if supplies.is_empty() {
                return Err(Missing::new(Reason::NoSensor, format!("{}: no battery, no charger", self.root.display())));
            }
            Ok(PowerSupplies { supplies })
        })
    }
}

fn parse(uevent: &str) -> Vec<(String, String)> {
    uevent
        .lines()
        .filter_map(|line| {
            let (name, value) = line.strip_prefix("POWER_SUPPLY_")?.split_once('=')?;
            (name != "NAME").then(|| (name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect()
}
