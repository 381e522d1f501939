//! Watchdogs: timers that restart the machine when nobody feeds them. Settings and identity are read every ten
//! seconds together with what is left on the clock.

use std::{path::PathBuf, sync::Arc};

use aura_model::{Context, Metric, Missing, Unit, gauge};
use serde::Serialize;

use super::{Collector, attribute, every::Seldom, file::Buffer};
use crate::HostOptions;

/// One watchdog; missing where its driver does not say.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the files' names; Documentation/ABI/testing/sysfs-class-watchdog explains them")]
pub struct WatchdogTimer {
    pub name: String,
    pub bootstatus: Option<i64>,
    pub fw_version: Option<i64>,
    pub nowayout: Option<i64>,
    pub timeleft: Option<i64>,
    pub timeout: Option<i64>,
    pub pretimeout: Option<i64>,
    pub access_cs0: Option<i64>,
    /// options, identity, state, status, pretimeout_governor; empty where there is none.
    pub info: [String; 5],
}

/// All watchdogs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Watchdog {
    /// One row a watchdog.
    pub timers: Vec<WatchdogTimer>,
}

macro_rules! value {
    ($name:literal, $file:literal, $unit:ident, $field:ident) => {
        gauge(
            concat!("node_watchdog_", $name),
            concat!("Value of /sys/class/watchdog/<watchdog>/", $file),
            Unit::$unit,
            &["name"],
            |watchdog, emit| watchdog.timers.iter().for_each(|timer| emit.maybe(&[&timer.name], timer.$field)),
        )
    };
}

pub(super) const METRICS: &[Metric<Arc<Watchdog>>] = &[
    value!("access_cs0", "access_cs0", None, access_cs0),
    value!("bootstatus", "bootstatus", None, bootstatus),
    value!("fw_version", "fw_version", None, fw_version),
    gauge(
        "node_watchdog_info",
        "Info of /sys/class/watchdog/<watchdog>",
        Unit::None,
        &["name", "options", "identity", "state", "status", "pretimeout_governor"],
        |watchdog, emit| {
            for timer in &watchdog.timers {
                let [options, identity, state, status, governor] = &timer.info;
                emit.sample(&[&timer.name, options, identity, state, status, governor], true.into());
            }
        },
    ),
    value!("nowayout", "nowayout", None, nowayout),
    value!("pretimeout_seconds", "pretimeout", Seconds, pretimeout),
    value!("timeleft_seconds", "timeleft", Seconds, timeleft),
    value!("timeout_seconds", "timeout", Seconds, timeout),
];

pub(super) struct Reader {
    root: PathBuf,
    kept: Seldom<Watchdog>,
}

impl Collector for Reader {
    type Reading = Arc<Watchdog>;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { root: context.paths.sysfs.join("class/watchdog"), kept: Seldom::seconds(10) }
    }

    fn read(&mut self, _: &mut Buffer) -> Result<Arc<Watchdog>, Missing> {
        self.kept.get(|| {
            let timer = |name: String| {
                let folder = self.root.join(&name);
                let number = |file: &str| attribute::number(&folder.join(file)).ok();
                let text = |file: &str| attribute::text(&folder.join(file)).unwrap_or_default();
                WatchdogTimer {
                    bootstatus: number("bootstatus"),
                    fw_version: number("fw_version"),
                    nowayout: number("nowayout"),
                    timeleft: number("timeleft"),
                    timeout: number("timeout"),
                    pretimeout: number("pretimeout"),
                    access_cs0: number("access_cs0"),
                    info: ["options", "identity", "state", "status", "pretimeout_governor"].map(text),
                    name,
                }
            };
            Ok(Watchdog { timers: attribute::entries(&self.root)?.into_iter().map(timer).collect() })
        })
    }
}
