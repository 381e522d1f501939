//! How fast each CPU runs, from /sys/devices/system/cpu/cpu*/cpufreq, in kHz there.
//!
//! `scaling_cur_freq` is read each sample: it is what one looks at, and costs a read of a kept file a CPU (kernels
//! before 5.18 interrupt that CPU for it). On boxes with more than 64 CPUs it is read every 10 s, as all the rest is:
//! limits and governors change when somebody changes them, and `cpuinfo_cur_freq` asks the hardware, which can take
//! long and needs root.

use std::path::{Path, PathBuf};

use aura_model::{Context, Metric, Missing, Name, Reason, Unit, gauge};
use serde::Serialize;

use super::{
    Collector,
    every::Every,
    file::{Buffer, KeptFile, line, numbered},
};
use crate::HostOptions;

/// One row a CPU whose frequency the kernel manages.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cpufreq {
    /// CPUs that are online.
    pub cpus: Vec<CpuFrequency>,
}

/// Frequencies in Hz.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CpuFrequency {
    /// The CPU's number.
    pub cpu: Option<Name>,
    /// As the hardware says.
    pub hardware: Option<u64>,
    /// The least that the hardware can.
    pub hardware_min: Option<u64>,
    /// The most that the hardware can.
    pub hardware_max: Option<u64>,
    /// As the kernel believes.
    pub current: Option<u64>,
    /// The least that the kernel may choose.
    pub min: Option<u64>,
    /// The most that the kernel may choose.
    pub max: Option<u64>,
    /// Governors to choose from, and whether each is chosen.
    pub governors: Vec<(Name, bool)>,
}
