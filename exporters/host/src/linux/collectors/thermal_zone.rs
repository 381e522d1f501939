//! Thermal zones and what cools them, from /sys/class/thermal. Zones are listed every minute; temperatures and
//! states are read at each sample from files kept open. A zone that can't be read now (a radio that is off) is
//! left out.

use std::path::{Path, PathBuf};

use aura_model::{Context, Metric, Missing, Name, Reason, Switch, rows};
use serde::Serialize;

use super::{Collector, some};
use crate::{
    HostOptions,
    linux::kernel::{
        attribute,
        every::Every,
        file::{Buffer, KeptFile},
    },
};

/// One zone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Zone {
    /// `0` of `thermal_zone0`.
    pub zone: Name,
    /// What it measures: `x86_pkg_temp`, `acpitz`.
    pub kind: Name,
    /// Thousandths of a degree Celsius.
    pub temperature: i64,
}

/// One thing that cools.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CoolingDevice {
    /// `0` of `cooling_device0`.
    pub name: Name,
    /// What it is: `Processor`, `Fan`.
    pub kind: Name,
    /// How hard it works now; some devices can't say.
    pub current: Option<i64>,
    /// How hard it can work.
    pub maximum: Option<i64>,
}

/// All zones and cooling devices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Thermal {
    /// The zones that could be read.
    pub zones: Vec<Zone>,
    /// The devices.
    pub cooling: Vec<CoolingDevice>,
}

pub(super) const METRICS: &[Metric<Thermal>] = rows! { |thermal|
    for device in &thermal.cooling => { name: device.name, type: device.kind } {
        gauge "node_cooling_device_cur_state" = device.current, "Current throttle state of the cooling device";
        gauge "node_cooling_device_max_state" = device.maximum, "Maximum throttle state of the cooling device";
    }
    for Zone { zone, kind, temperature } in &thermal.zones => { zone, type: kind } {
        gauge "node_thermal_zone_temp" in Celsius = *temperature as f64 / 1000.0, "Zone temperature in Celsius";
    }
};

pub(super) struct Reader {
    wanted: bool,
    root: PathBuf,
    list: Every,
    listed: Result<(), Missing>,
    zones: Vec<(Name, Name, KeptFile)>,
    cooling: Vec<(CoolingDevice, KeptFile)>,
}

impl Collector for Reader {
    type Reading = Thermal;

    fn open(options: &HostOptions, context: &Context) -> Self {
        Self {
            wanted: options.temperature != Switch::Off,
            root: context.paths.sysfs.join("class/thermal"),
            list: Every::seconds(60),
            listed: Ok(()),
            zones: Vec::new(),
            cooling: Vec::new(),
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Thermal, Missing> {
        if !self.wanted {
            return Err(Missing::new(Reason::NotConfigured, "sources.host.temperature is false"));
        }
        if self.list.due() {
            self.listed = self.list();
        }
        self.listed.clone()?;
        let zones = self.zones.iter_mut().filter_map(|(zone, kind, file)| {
            Some(Zone { zone: zone.clone(), kind: kind.clone(), temperature: file.integer(buffer).ok()? })
        });
        let zones = zones.collect();
        let cooling = self
            .cooling
            .iter_mut()
            .map(|(device, state)| CoolingDevice { current: state.integer(buffer).ok(), ..device.clone() });
        Ok(Thermal { cooling: cooling.collect(), zones })
    }

    fn watched(reading: &Thermal) -> Option<String> {
        some(reading.zones.len(), "thermal zone")
    }
}

impl Reader {
    fn list(&mut self) -> Result<(), Missing> {
        let kind = |folder: &Path| attribute::text(&folder.join("type")).ok().map(Name::from);
        let zones = attribute::numbered(&self.root, "thermal_zone")?.into_iter().filter_map(|(zone, folder)| {
            Some((zone.to_string().into(), kind(&folder)?, KeptFile::one_line(folder.join("temp"))))
        });
        let cooling = attribute::numbered(&self.root, "cooling_device")?.into_iter().filter_map(|(number, folder)| {
            let maximum = attribute::number(&folder.join("max_state")).ok();
            let name = number.to_string().into();
            let device = CoolingDevice { name, kind: kind(&folder)?, current: None, maximum };
            Some((device, KeptFile::one_line(folder.join("cur_state"))))
        });
        (self.zones, self.cooling) = (zones.collect(), cooling.collect());
        Ok(())
    }
}
