//! When a value is worth a warning.

use aura_model::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Values worth a warning on the page and in the feed. Each has `warning` and `critical`, the values above which
/// it is shown (leave one empty to have none), and `for`, how long the value must stay there first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Use of all CPUs together, in percent.
    pub cpu: Threshold,
    /// Used memory, in percent.
    pub memory: Threshold,
    /// Used swap, in percent.
    pub swap: Threshold,
    /// Used space of the fullest file system, in percent.
    pub disk: Threshold,
    /// The hottest sensor, in degrees Celsius.
    pub temperature: Threshold,
    /// Load average over one minute, divided by the number of CPUs.
    pub load_per_cpu: Threshold,
    /// Share of time in which some task waited for a CPU, in percent.
    pub pressure_cpu: Threshold,
    /// Share of time in which some task waited for memory, in percent.
    pub pressure_memory: Threshold,
    /// Share of time in which some task waited for a disk, in percent.
    pub pressure_io: Threshold,
}

/// Two values and a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Above this value it is a warning.
    #[serde(default)]
    pub warning: Option<f64>,
    /// Above this value it is critical.
    #[serde(default)]
    pub critical: Option<f64>,
    /// How long the value must have been there.
    #[serde(default = "a_minute", rename = "for")]
    pub sustained: Interval,
}

impl Default for Thresholds {
    fn default() -> Self {
        let above = |warning, critical, seconds| Threshold {
            warning: Some(warning),
            critical: Some(critical),
            sustained: Interval::from_secs(seconds),
        };
        Self {
            cpu: above(90.0, 98.0, 300),
            memory: above(90.0, 96.0, 60),
            swap: above(60.0, 90.0, 60),
            disk: above(85.0, 95.0, 60),
            temperature: above(85.0, 95.0, 30),
            load_per_cpu: above(2.0, 5.0, 300),
            pressure_cpu: above(40.0, 80.0, 60),
            pressure_memory: above(10.0, 30.0, 60),
            pressure_io: above(30.0, 60.0, 60),
        }
    }
}

impl Thresholds {
    /// Every threshold with its name.
    #[must_use]
    pub fn all(&self) -> [(&'static str, Threshold); 9] {
        [
            ("cpu", self.cpu),
            ("memory", self.memory),
            ("swap", self.swap),
            ("disk", self.disk),
            ("temperature", self.temperature),
            ("load_per_cpu", self.load_per_cpu),
            ("pressure_cpu", self.pressure_cpu),
            ("pressure_memory", self.pressure_memory),
            ("pressure_io", self.pressure_io),
        ]
    }

    /// Values that contradict each other: the key and what is wrong with it.
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        for (name, Threshold { warning, critical, .. }) in self.all() {
            if let (Some(warning), Some(critical)) = (warning, critical)
                && warning > critical
            {
                let message = format!("{warning} is above critical, which is {critical}: exchange them");
                problems.push((format!("{name}.warning"), message));
            }
            // Temperature and load have no upper end that we know.
            let highest = if matches!(name, "temperature" | "load_per_cpu") { f64::MAX } else { 100.0 };
            for (key, value) in [("warning", warning), ("critical", critical)] {
                if let Some(value) = value.filter(|value| !(0.0..=highest).contains(value)) {
                    let range = if highest > 100.0 { "0 or more" } else { "a percentage from 0 to 100" };
                    problems.push((format!("{name}.{key}"), format!("{value} is out of range: write {range}")));
                }
            }
        }
        problems
    }
}

fn a_minute() -> Interval {
    Interval::from_secs(60)
}
