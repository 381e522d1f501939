//! The GPUs' part of the configuration.

use std::path::PathBuf;

use aura_model::{Interval, Options, Schedule, Switch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// GPUs: NVIDIA through its driver's library, AMD and Intel through sysfs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GpuOptions {
    /// Whether GPUs are watched: `auto` watches those that there are and looks for them again now and then.
    pub enabled: Switch,
    /// From one sample to the next; at least 100ms.
    pub interval: Interval,
    /// A sample that takes longer is shown as late: a driver may block for seconds.
    pub timeout: Interval,
    /// NVIDIA's management library; the system's own `libnvidia-ml.so.1` if nothing is said.
    pub nvml_library: Option<PathBuf>,
}

impl Default for GpuOptions {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            interval: Interval::from_secs(1),
            timeout: Interval::from_secs(5),
            nvml_library: None,
        }
    }
}

impl Options for GpuOptions {
    fn schedule(&self) -> Schedule {
        Schedule { enabled: self.enabled, interval: self.interval, timeout: self.timeout }
    }
}
