//! Placeholder.
#![allow(missing_docs, reason = "replaced by the real source")]

use std::path::PathBuf;

use aura_model::{Context, Group, Interval, Missing, Options, Schedule, Source, Switch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Host;

/// The host's options.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostOptions {
    /// Whether the host is watched.
    pub enabled: Switch,
    /// From one sample to the next.
    pub interval: Interval,
    /// A sample that takes longer makes the source stale.
    pub timeout: Interval,
    /// Temperature sensors and fans.
    pub temperature: Switch,
    /// Metrics that others write into files.
    pub textfile: Textfile,
}

/// Metrics that others write into files.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Textfile {
    /// Where `*.prom` files are read.
    pub directory: Option<PathBuf>,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            interval: Interval::from_secs(1),
            timeout: Interval::from_secs(5),
            temperature: Switch::Auto,
            textfile: Textfile::default(),
        }
    }
}

impl Options for HostOptions {
    fn schedule(&self) -> Schedule {
        Schedule { enabled: self.enabled, interval: self.interval, timeout: self.timeout }
    }
}

impl Source for Host {
    type Options = HostOptions;
    type Reading = ();
    const NAME: &'static str = "host";
    const PART: &'static str = "node";
    fn groups() -> &'static [Group<()>] {
        &[]
    }
    fn open(_: &HostOptions, _: &Context) -> Result<Self, Missing> {
        Ok(Self)
    }
    fn sample(&mut self) -> Result<(), Missing> {
        Ok(())
    }
    fn describe(&self) -> Vec<String> {
        Vec::new()
    }
}
