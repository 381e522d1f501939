//! Watchdogs: timers that restart the machine when nobody feeds them. Settings and identity are read every ten
//! seconds together with what is left on the clock.

use std::{path::PathBuf, sync::Arc};

use aura_model::{Context, Metric, Missing, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{attribute, every::Seldom, file::Buffer},
};

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

pub(super) const METRICS: &[Metric<Arc<Watchdog>>] = rows! { |watchdog|
    for timer in &watchdog.timers => { name: timer.name } {
        gauge "node_watchdog_access_cs0" = timer.access_cs0, "Value of /sys/class/watchdog/<watchdog>/access_cs0";
        gauge "node_watchdog_bootstatus" = timer.bootstatus, "Value of /sys/class/watchdog/<watchdog>/bootstatus";
        gauge "node_watchdog_fw_version" = timer.fw_version, "Value of /sys/class/watchdog/<watchdog>/fw_version";
    }
    for WatchdogTimer { name, info: [options, identity, state, status, governor], .. } in &watchdog.timers
        => { name, options, identity, state, status, pretimeout_governor: governor } {
        gauge "node_watchdog_info" = 1, "Info of /sys/class/watchdog/<watchdog>";
    }
    for timer in &watchdog.timers => { name: timer.name } {
        gauge "node_watchdog_nowayout" = timer.nowayout, "Value of /sys/class/watchdog/<watchdog>/nowayout";
        gauge "node_watchdog_pretimeout_seconds" in Seconds = timer.pretimeout,
            "Value of /sys/class/watchdog/<watchdog>/pretimeout";
        gauge "node_watchdog_timeleft_seconds" in Seconds = timer.timeleft,
            "Value of /sys/class/watchdog/<watchdog>/timeleft";
        gauge "node_watchdog_timeout_seconds" in Seconds = timer.timeout,
            "Value of /sys/class/watchdog/<watchdog>/timeout";
    }
};

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
