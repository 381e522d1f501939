//! `/api/system/stats`: the few flat numbers that older monitors poll. Unlike the server they were made for, rates
//! are rates, the GPU's temperature does not stand in for the CPU's, and what is not known is `null`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{HostView, Moment, derive};
/// The answer.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Stats {
    /// How long the agent has been running.
    uptime_seconds: f64,
    /// Requests answered since the agent started.
    requests_total: u64,
    /// Requests that failed on the agent's side since it started.
    error_count: u64,
    /// Use of all CPUs.
    cpu_percent: Option<f64>,
    /// Used memory in MiB.
    memory_mb: Option<f64>,
    /// Used memory.
    memory_percent: Option<f64>,
    /// Used space of the root file system.
    disk_percent: Option<f64>,
    /// KiB a second, both directions together.
    network_kbs: Option<f64>,
    /// Load of the first GPU.
    gpu_percent: Option<f64>,
    /// Memory in use of the first GPU, in MiB.
    gpu_memory_used_mb: Option<f64>,
    /// Memory of the first GPU, in MiB.
    gpu_memory_total_mb: Option<f64>,
    /// The hottest sensor, in degrees Celsius.
    temperature: Option<f64>,
}

impl HostView {
    /// The flat numbers of a moment.
    pub fn stats(&self, moment: &Moment) -> Stats {
        let events = self.events.counts();
        let vitals = &moment.vitals;
        let metrics = derive::update(moment, &self.hub).metrics;
        let gpu = metrics.gpu.as_ref().and_then(|gpus| gpus.first());
        Stats {
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
        }
    }
}
