//! Thermal zones and what cools them, from /sys/class/thermal. Zones are listed every minute; temperatures and
//! states are read at each sample from files kept open. A zone that can't be read now (a radio that is off) is
//! left out.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use aura_model::{Context, Metric, Missing, Name, Reason, Switch, Unit, gauge};
use serde::Serialize;

use super::{
    Collector,
    attribute::{self, Attribute, Page},
    file::Buffer,
};
use crate::HostOptions;

const LIST: Duration = Duration::from_secs(60);

/// One zone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Zone {
    /// Its number.
    pub zone: Name,
    /// What it measures: `x86_pkg_temp`, `acpitz`.
    pub kind: Name,
    /// Thousandths of a degree Celsius.
    pub temperature: i64,
}

/// One thing that cools.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CoolingDevice {
    /// Its number.
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

pub(super) const METRICS: &[Metric<Thermal>] = &[
    gauge(
        "node_cooling_device_cur_state",
        "Current throttle state of the cooling device",
        Unit::None,
        &["name", "type"],
        |thermal, emit| thermal.cooling.iter().for_each(|one| emit.maybe(&[&one.name, &one.kind], one.current)),
    ),
    gauge(
        "node_cooling_device_max_state",
        "Maximum throttle state of the cooling device",
        Unit::None,
        &["name", "type"],
        |thermal, emit| thermal.cooling.iter().for_each(|one| emit.maybe(&[&one.name, &one.kind], one.maximum)),
    ),
    gauge(
        "node_thermal_zone_temp",
        "Zone temperature in Celsius",
        Unit::Celsius,
        &["zone", "type"],
        |thermal, emit| {
            for Zone { zone, kind, temperature } in &thermal.zones {
                emit.sample(&[zone, kind], (*temperature as f64 / 1000.0).into());
            }
        },
    ),
];

pub(super) struct Reader {
    wanted: bool,
    root: PathBuf,
    page: Page,
    listed: Option<Instant>,
    zones: Vec<(Name, Name, Attribute)>,
    cooling: Vec<(CoolingDevice, Attribute)>,
}

impl Collector for Reader {
    type Reading = Thermal;

    fn open(options: &HostOptions, context: &Context) -> Self {
        Self {
            wanted: options.temperature != Switch::Off,
            root: context.paths.sysfs.join("class/thermal"),
            page: Page::default(),
            listed: None,
            zones: Vec::new(),
            cooling: Vec::new(),
        }
    }

    fn read(&mut self, _: &mut Buffer) -> Result<Thermal, Missing> {
        if !self.wanted {
            return Err(Missing::new(Reason::NotConfigured, "sources.host.temperature is false"));
        }
        if self.listed.is_none_or(|when| when.elapsed() >= LIST) {
            self.list()?;
        }
        let page = &mut self.page;
        let zones = self.zones.iter_mut().filter_map(|(zone, kind, file)| {
            Some(Zone { zone: zone.clone(), kind: kind.clone(), temperature: file.number(page).ok()? })
        });
        let zones = zones.collect();
        let cooling = self
            .cooling
            .iter_mut()
            .map(|(device, state)| CoolingDevice { current: state.number(page).ok(), ..device.clone() });
        Ok(Thermal { cooling: cooling.collect(), zones })
    }
}

impl Reader {
    fn list(&mut self) -> Result<(), Missing> {
        let names = attribute::entries(&self.root)?;
        let kind = |name: &str| attribute::text(&self.root.join(name).join("type")).ok().map(Name::from);
        let zones = attribute::numbered(&names, "thermal_zone").filter_map(|(name, zone)| {
            Some((zone.into(), kind(name)?, Attribute::new(self.root.join(name).join("temp"))))
        });
        let cooling = attribute::numbered(&names, "cooling_device").filter_map(|(name, number)| {
            let folder = self.root.join(name);
            let maximum = attribute::number(&folder.join("max_state")).ok();
            let device = CoolingDevice { name: number.into(), kind: kind(name)?, current: None, maximum };
            Some((device, Attribute::new(folder.join("cur_state"))))
        });
        let (zones, cooling) = (zones.collect(), cooling.collect());
        (self.zones, self.cooling) = (zones, cooling);
        self.listed = Some(Instant::now());
        Ok(())
    }
}
