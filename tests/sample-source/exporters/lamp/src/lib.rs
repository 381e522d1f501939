//! A lamp as a source: what `docs/adding-a-source.md` shows.

use std::{fs, path::PathBuf};

use aura_model::{
    Context, Group, Interval, Metric, Missing, Options, Reason, Schedule, Source, Switch, declare, rows, walk,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The lamp on the desk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LampOptions {
    /// Whether the lamp is watched.
    pub enabled: Switch,
    /// From one sample to the next.
    pub interval: Interval,
    /// A sample that takes longer is shown as late.
    pub timeout: Interval,
    /// The file in which the lamp says how many watts it draws.
    pub path: Option<PathBuf>,
}

impl Default for LampOptions {
    fn default() -> Self {
        let (interval, timeout) = (Interval::from_secs(1), Interval::from_secs(5));
        Self { enabled: Switch::Auto, interval, timeout, path: None }
    }
}

impl Options for LampOptions {
    fn schedule(&self) -> Schedule {
        Schedule { enabled: self.enabled, interval: self.interval, timeout: self.timeout }
    }
}

/// The lamp at one moment.
#[derive(Debug, Serialize)]
pub struct LampReading {
    /// What it draws.
    pub watts: f64,
}

const METRICS: &[Metric<LampReading>] = rows! { |lamp|
    gauge "lamp_power_watts" in Watts = lamp.watts, "Power drawn by the lamp.";
};

const GROUPS: &[Group<LampReading>] = &[Group {
    name: "lamp",
    walk: |lamp, emit| walk(METRICS, lamp, emit),
    declare: |show| declare(METRICS, show),
}];

/// The lamp, found.
pub struct Lamp(PathBuf);

impl Source for Lamp {
    type Options = LampOptions;
    type Reading = LampReading;

    const NAME: &'static str = "lamp";
    const PART: &'static str = "lamp";

    fn groups() -> &'static [Group<LampReading>] {
        GROUPS
    }

    fn open(options: &LampOptions, _: &Context) -> Result<Self, Missing> {
        let nowhere = || Missing::new(Reason::NotConfigured, "no lamp is named: set sources.lamp.path");
        options.path.clone().map(Self).ok_or_else(nowhere)
    }

    fn sample(&mut self) -> Result<LampReading, Missing> {
        let text = fs::read_to_string(&self.0).map_err(|error| Missing::from_io(&self.0, &error))?;
        let odd = || Missing::new(Reason::Unreadable, format!("{}: {text:?} is no number", self.0.display()));
        Ok(LampReading { watts: text.trim().parse().map_err(|_| odd())? })
    }

    fn describe(reading: &LampReading) -> Vec<String> {
        vec![format!("watching a lamp of {} W", reading.watts)]
    }
}
