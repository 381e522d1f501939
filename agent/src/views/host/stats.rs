//! `/api/system/stats`: the few flat numbers that older monitors poll. Unlike the server they were made for, rates
//! are rates, the GPU's temperature does not stand in for the CPU's, and what is not known is `null`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{HostView, derive};

/// The few flat numbers that older monitors poll. What is not known is `null`.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "SystemStats")]
pub(crate) struct Stats {
    /// Seconds since the agent started.
    uptime_seconds: f64,
    /// Requests that the agent has answered since it started.
    requests_total: u64,
    /// Requests that were answered with a status of 500 or above since the agent started.
    error_count: u64,
    /// Use of all CPUs together, 0 to 100.
    cpu_percent: Option<f64>,
    /// Used memory in MiB: all less what is available.
    memory_mb: Option<f64>,
    /// Used memory as a share of all, 0 to 100.
    memory_percent: Option<f64>,
    /// Used space of the root file system, 0 to 100.
    disk_percent: Option<f64>,
    /// KiB a second that the counted interfaces send and receive together.
    network_kbs: Option<f64>,
    /// Load of the first GPU, 0 to 100.
    gpu_percent: Option<f64>,
    /// Memory in use of the first GPU, in MiB.
    gpu_memory_used_mb: Option<f64>,
    /// All memory of the first GPU, in MiB.
    gpu_memory_total_mb: Option<f64>,
    /// The hottest sensor of the machine, in degrees Celsius; no GPU's, unless the kernel lists it among the sensors.
    temperature: Option<f64>,
}

impl HostView {
    /// The flat numbers of the newest reading, while that is on time.
    pub(super) fn stats(&self) -> Option<Stats> {
        let sample = self.current()?;
        let (vitals, events) = (&sample.vitals, self.events.counts());
        let metrics = derive::update(&sample, &self.hub, 0).metrics;
        let gpu = metrics.gpu.as_ref().and_then(|gpus| gpus.first());
        Some(Stats {
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            requests_total: events.requests,
            error_count: events.failed_requests,
            cpu_percent: vitals.cpu_percent,
            memory_mb: metrics.memory.map(|memory| memory.used as f64 / 1_048_576.0),
            memory_percent: vitals.memory_percent,
            disk_percent: metrics.disk.percent,
            network_kbs: vitals.network_receive.zip(vitals.network_transmit).map(|(down, up)| (down + up) / 1024.0),
            gpu_percent: gpu.and_then(|gpu| gpu.load_percent),
            gpu_memory_used_mb: gpu.and_then(|gpu| gpu.memory_used_mb),
            gpu_memory_total_mb: gpu.and_then(|gpu| gpu.memory_total_mb),
            temperature: vitals.temperature,
        })
    }
}
