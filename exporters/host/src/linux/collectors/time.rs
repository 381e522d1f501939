//! The system's clock, its zone, and what it ticks by. The zone is that of the watched root's /etc/localtime;
//! like the list of clock sources it is read once a minute.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use aura_model::{Context, Metric, Missing, Name, Reason, rows};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{attribute, every::Seldom, file::Buffer, names::Names},
};

/// The clock at the moment of the sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: f64,
    /// The zone in force now: abbreviation and seconds east of Greenwich. Missing when /etc/localtime can't be
    /// understood.
    pub zone: Option<(Name, i32)>,
    /// What the kernel can tick by, a row a device.
    pub clocksources: Arc<Vec<Clocksource>>,
}

/// The clock sources of one device; there is one device only, unless a future kernel has more.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Clocksource {
    /// The device's number.
    pub device: String,
    /// Those that work here.
    pub available: Vec<String>,
    /// The one in use.
    pub current: Option<String>,
}

pub(super) const METRICS: &[Metric<Time>] = rows! { |time|
    for source in &*time.clocksources, clocksource in &source.available => { device: source.device, clocksource } {
        gauge "node_time_clocksource_available_info" = 1,
            "Available clocksources read from '/sys/devices/system/clocksource'.";
    }
    for source in &*time.clocksources, clocksource in source.current.iter() => { device: source.device, clocksource } {
        gauge "node_time_clocksource_current_info" = 1,
            "Current clocksource read from '/sys/devices/system/clocksource'.";
    }
    gauge "node_time_seconds" in Seconds = time.seconds, "System time in seconds since epoch (1970).";
    for (zone, offset) in time.zone.iter() => { time_zone: zone } {
        gauge "node_time_zone_offset_seconds" in Seconds = *offset, "System time zone offset in seconds.";
    }
};

pub(super) struct Reader {
    localtime: PathBuf,
    clocksource: PathBuf,
    names: Names,
    zone: Seldom<TimeZone>,
    clocksources: Seldom<Vec<Clocksource>>,
}

impl Collector for Reader {
    type Reading = Time;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self {
            localtime: context.paths.rootfs.join("etc/localtime"),
            clocksource: context.paths.sysfs.join("devices/system/clocksource"),
            names: Names::default(),
            zone: Seldom::seconds(60),
            clocksources: Seldom::seconds(60),
        }
    }

    fn read(&mut self, _: &mut Buffer) -> Result<Time, Missing> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(|_| {
            Missing::new(Reason::Unreadable, "the system clock stands before 1970: set it (timedatectl set-ntp true)")
        })?;
        let zone = self.zone.get(|| zone(&self.localtime)).ok().map(|zone| {
            let info = zone.to_offset_info(Timestamp::now());
            (self.names.intern(info.abbreviation().as_bytes()), info.offset().seconds())
        });
        let clocksources = self.clocksources.get(|| Ok(clocksources(&self.clocksource)))?;
        Ok(Time { seconds: now.as_secs_f64(), zone, clocksources })
    }
}

/// Without the file the C library takes UTC, and so do all programs.
fn zone(path: &std::path::Path) -> Result<TimeZone, Missing> {
    match std::fs::read(path) {
        Ok(bytes) => TimeZone::tzif("local", &bytes)
            .map_err(|error| Missing::new(Reason::Unreadable, format!("{}: {error}", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(TimeZone::UTC),
        Err(error) => Err(Missing::from_io(path, &error)),
    }
}

fn clocksources(root: &std::path::Path) -> Vec<Clocksource> {
    let folders = attribute::numbered(root, "clocksource").unwrap_or_default().into_iter();
    folders
        .map(|(device, folder)| {
            let text = |file: &str| attribute::text(&folder.join(file)).ok();
            Clocksource {
                device: device.to_string(),
                available: text("available_clocksource")
                    .map(|all| all.split_whitespace().map(str::to_owned).collect())
                    .unwrap_or_default(),
                current: text("current_clocksource").filter(|current| !current.is_empty()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(root: &std::path::Path) -> Time {
        let paths = aura_model::Paths { sysfs: root.join("sys"), rootfs: root.into(), ..Default::default() };
        Reader::open(&HostOptions::default(), &Context::new(paths)).read(&mut Buffer::default()).unwrap()
    }

    #[test]
    fn the_zone_is_that_of_the_watched_root() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read(root.path()).zone, Some(("UTC".into(), 0)), "no file means UTC");
        fs::create_dir(root.path().join("etc")).unwrap();
        // A zone without changes: version 1, one type (5 h 30 min east), abbreviation IST.
        let mut tzif = b"TZif\0".to_vec();
        tzif.extend([0; 15]);
        for count in [0_u32, 0, 0, 0, 1, 4] {
            tzif.extend(count.to_be_bytes());
        }
        tzif.extend(19_800_i32.to_be_bytes());
        tzif.extend([0, 0]);
        tzif.extend(b"IST\0");
        fs::write(root.path().join("etc/localtime"), tzif).unwrap();
        assert_eq!(read(root.path()).zone, Some(("IST".into(), 19_800)));
        fs::write(root.path().join("etc/localtime"), "torn").unwrap();
        assert_eq!(read(root.path()).zone, None);
    }

    #[test]
    fn clock_sources_are_listed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sys/devices/system/clocksource/clocksource0");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("available_clocksource"), "kvm-clock tsc \n").unwrap();
        fs::write(folder.join("current_clocksource"), "tsc\n").unwrap();
        let expected = Clocksource {
            device: "0".into(),
            available: vec!["kvm-clock".into(), "tsc".into()],
            current: Some("tsc".into()),
        };
        assert_eq!(*read(root.path()).clocksources, [expected]);
    }
}
