//! Temperatures and pressure.

use std::collections::BTreeMap;

use aura_host::{HostReading, Stall as Counted, Waiting};
use aura_model::Missing;

use crate::views::host::message::{Averages, Pressure, Stall, Temperature};

/// Temperatures by chip; none without a sensor.
pub(super) fn temperature(now: &HostReading) -> Option<BTreeMap<String, Vec<Temperature>>> {
    let mut chips: BTreeMap<String, Vec<Temperature>> = BTreeMap::new();
    if let Some(hwmon) = now.hwmon.value() {
        for sensor in hwmon.temperatures() {
            let temperature = Temperature {
                label: sensor.label.unwrap_or(sensor.sensor).to_owned(),
                current: sensor.current,
                high: sensor.high,
                critical: sensor.critical,
            };
            chips.entry(sensor.chip_name.unwrap_or(sensor.chip).to_owned()).or_default().push(temperature);
        }
    }
    // Most thermal zones repeat a chip's sensor; they count where there is no chip.
    if chips.is_empty()
        && let Some(thermal) = now.thermal_zone.value()
    {
        for zone in &thermal.zones {
            let current = zone.temperature as f64 / 1000.0;
            let label = zone.zone.to_string();
            let temperature = Temperature { label, current, high: None, critical: None };
            chips.entry(zone.kind.to_string()).or_default().push(temperature);
        }
    }
    (!chips.is_empty()).then_some(chips)
}

/// Why there is no temperature, if there is none.
pub(super) fn no_temperature(now: &HostReading) -> Option<&Missing> {
    if temperature(now).is_some() {
        return None;
    }
    now.hwmon.missing().or_else(|| now.thermal_zone.missing())
}

/// The hottest sensor.
pub(super) fn hottest(now: &HostReading) -> Option<f64> {
    let chips = temperature(now)?;
    chips.values().flatten().map(|temperature| temperature.current).max_by(f64::total_cmp)
}

/// Pressure as the kernel averages it.
pub(super) fn pressure(now: &HostReading) -> Option<Pressure> {
    let pressure = now.pressure.value()?;
    Some(Pressure {
        cpu: pressure.cpu.as_ref().and_then(stall),
        memory: pressure.memory.as_ref().and_then(stall),
        io: pressure.io.as_ref().and_then(stall),
    })
}

fn stall(counted: &Counted) -> Option<Stall> {
    let averages = |waiting: &Waiting| Averages { avg10: waiting.avg10, avg60: waiting.avg60, avg300: waiting.avg300 };
    Some(Stall { some: counted.some.as_ref().map(averages)?, full: counted.full.as_ref().map(averages) })
}
