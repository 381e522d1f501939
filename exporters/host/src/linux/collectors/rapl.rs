//! Energy that the processor counts (RAPL), from /sys/class/powercap. Zones are listed once a minute; counters are
//! read at each sample. Since 2020 they are readable by root alone, because they betray what a CPU computes.

use std::path::PathBuf;

use aura_model::{Context, Family, Kind, Metric, Missing, Name, Reason, Unit, counter};
use serde::Serialize;

use super::{Collector, some};
use crate::{
    HostOptions, HostReading,
    linux::kernel::{
        attribute,
        every::Every,
        file::{Buffer, KeptFile},
    },
};

/// One zone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RaplZone {
    /// What is counted: `package`, `dram`, `core`.
    pub zone: Name,
    /// Which of them.
    pub index: Name,
    /// Below /sys/class/powercap.
    pub path: Name,
    /// Millionths of a joule; starts anew at a limit of the hardware.
    pub microjoules: i64,
}

/// All zones, those of one kind beside each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rapl {
    /// One row a zone.
    pub zones: Vec<RaplZone>,
}

impl HostReading {
    /// Joules that each package of the processor counted, where they may be read: `package-0` and so on.
    #[must_use]
    pub fn package_joules(&self) -> Vec<(Name, f64)> {
        let zones = self.rapl.value().map(|rapl| rapl.zones.as_slice()).unwrap_or_default();
        // Processors of several dies count each: `package-0-die-1`, which carries its number in its name.
        let packages = zones.iter().filter_map(|zone| match &*zone.zone {
            "package" => Some((format!("package-{}", zone.index).into(), zone)),
            name => name.starts_with("package-").then(|| (zone.zone.clone(), zone)),
        });
        packages.map(|(name, zone)| (name, zone.microjoules as f64 / 1e6)).collect()
    }
}

pub(super) const METRICS: &[Metric<Rapl>] = &[counter(
    "node_rapl_*_joules_total",
    "Energy counted by the processor, in joules.",
    Unit::Joules,
    &["index", "path"],
    |rapl, emit| {
        for zones in rapl.zones.chunk_by(|one, other| one.zone == other.zone) {
            let letters = zones[0].zone.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' });
            let name = format!("node_rapl_{}_joules_total", letters.collect::<String>());
            let help = format!("Current RAPL {} value in joules", zones[0].zone);
            let (kind, unit, labels) = (Kind::Counter, Unit::Joules, &["index", "path"][..]);
            emit.family(&Family { name: &name, help: &help, kind, unit, labels });
            for zone in zones {
                emit.sample(&[&zone.index, &zone.path], (zone.microjoules as f64 / 1e6).into());
            }
        }
    },
)];

pub(super) struct Reader {
    root: PathBuf,
    list: Every,
    listed: Result<(), Missing>,
    zones: Vec<(RaplZone, KeptFile)>,
}

impl Collector for Reader {
    type Reading = Rapl;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self {
            root: context.paths.sysfs.join("class/powercap"),
            list: Every::seconds(60),
            listed: Ok(()),
            zones: Vec::new(),
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Rapl, Missing> {
        if self.list.due() {
            self.listed = self.list();
        }
        self.listed.clone()?;
        let mut zones = Vec::with_capacity(self.zones.len());
        let mut refused = None;
        for (zone, energy) in &mut self.zones {
            match energy.integer(buffer) {
                Ok(microjoules) => zones.push(RaplZone { microjoules, ..zone.clone() }),
                Err(missing) => refused = Some(missing),
            }
        }
        match refused {
            Some(missing) if zones.is_empty() && missing.reason == Reason::NoPermission => {
                let help = "let the agent's group read energy_uj by a udev rule, or give it CAP_DAC_READ_SEARCH";
                Err(Missing::new(Reason::NoPermission, format!("{}: {help}", missing.detail)))
            }
            Some(missing) if zones.is_empty() => Err(missing),
            None if zones.is_empty() => {
                Err(Missing::new(Reason::NoSensor, format!("{}: no zone counts energy", self.root.display())))
            }
            _ => Ok(Rapl { zones }),
        }
    }

    fn watched(reading: &Rapl) -> Option<String> {
        some(reading.zones.len(), "energy counter")
    }
}

impl Reader {
    fn list(&mut self) -> Result<(), Missing> {
        let mut zones: Vec<(RaplZone, KeptFile)> = Vec::new();
        for entry in attribute::entries(&self.root)? {
            let folder = self.root.join(entry);
            let Ok(name) = attribute::text(&folder.join("name")) else { continue };
            // `package-0` carries its number, others are counted.
            let (zone, index) = match name.split_once('-') {
                Some((zone, index)) if index.parse::<u32>().is_ok() => (zone, index.to_owned()),
                _ => (name.as_str(), zones.iter().filter(|(other, _)| *other.zone == *name).count().to_string()),
            };
            let path = folder.to_string_lossy().into();
            let zone = RaplZone { zone: zone.into(), index: index.into(), path, microjoules: 0 };
            zones.push((zone, KeptFile::one_line(folder.join("energy_uj"))));
        }
        zones.sort_by(|(one, _), (other, _)| one.zone.cmp(&other.zone));
        self.zones = zones;
        Ok(())
    }
}
