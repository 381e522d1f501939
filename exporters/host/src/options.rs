//! The host's part of the configuration.

use aura_model::{Interval, Options, Schedule, Switch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The machine itself: CPU, memory, disks, network, temperatures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostOptions {
    /// Whether the host is watched.
    pub enabled: Switch,
    /// From one sample to the next; at least 100ms.
    pub interval: Interval,
    /// A sample that takes longer is shown as late.
    pub timeout: Interval,
    /// Temperatures and fans (hwmon and thermal zones): `auto` reads them where the box has them.
    pub temperature: Switch,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            interval: Interval::from_secs(1),
            timeout: Interval::from_secs(5),
            temperature: Switch::Auto,
        }
    }
}

impl Options for HostOptions {
    fn schedule(&self) -> Schedule {
        Schedule { enabled: self.enabled, interval: self.interval, timeout: self.timeout }
    }
}
