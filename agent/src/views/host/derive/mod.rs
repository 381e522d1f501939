//! From two raw readings to what people read: everything that is divided by time is divided here.

mod gpu;
#[cfg(all(target_os = "linux", not(feature = "portable")))]
#[path = "linux/mod.rs"]
mod reading;
#[cfg(any(not(target_os = "linux"), feature = "portable"))]
#[path = "portable.rs"]
mod reading;
mod work;

use aura_host::{Host, HostReading};

pub(super) use self::work::Walks;
use super::{
    HostSample,
    message::{Metrics, SourceState, SystemUpdate},
};
use crate::{
    hub::{Health, Hub, Snapshot},
    views::time::rfc3339,
};

const GIB: f64 = 1_073_741_824.0;
const MIB: f64 = 1_048_576.0;

/// A reading and the one that its rates are made from.
#[derive(Clone, Copy)]
struct Pair<'a> {
    now: &'a HostReading,
    /// The earlier reading, and the seconds between the two.
    before: Option<(&'a HostReading, f64)>,
}

impl<'a> Pair<'a> {
    fn new(now: &'a Snapshot<Host>, before: Option<&'a Snapshot<Host>>) -> Self {
        let before = before.map(|before| (&before.reading, now.taken.duration_since(before.taken).as_secs_f64()));
        Self { now: &now.reading, before: before.filter(|(_, seconds)| *seconds > 0.0) }
    }
}

/// The numbers that are remembered and limited; none when not known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Vitals {
    /// Use of all CPUs.
    pub cpu_percent: Option<f64>,
    /// Used memory.
    pub memory_percent: Option<f64>,
    /// Used swap; none without swap.
    pub swap_percent: Option<f64>,
    /// Load over one minute.
    pub load1: Option<f64>,
    /// The same for each CPU.
    pub load_per_cpu: Option<f64>,
    /// Bytes a second of all disks.
    pub disk_read: Option<f64>,
    /// Bytes a second of all disks.
    pub disk_write: Option<f64>,
    /// Used space of the fullest writable file system.
    pub fullest_disk_percent: Option<f64>,
    /// Bytes a second of all interfaces but loopback.
    pub network_receive: Option<f64>,
    /// Bytes a second of all interfaces but loopback.
    pub network_transmit: Option<f64>,
    /// The hottest sensor.
    pub temperature: Option<f64>,
    /// Share of the last 10 seconds in which some task waited for a CPU.
    pub pressure_cpu: Option<f64>,
    /// The same for memory.
    pub pressure_memory: Option<f64>,
    /// The same for disks.
    pub pressure_io: Option<f64>,
}

/// The few numbers of a sample.
pub(super) fn vitals(now: &Snapshot<Host>, before: Option<&Snapshot<Host>>) -> Vitals {
    reading::vitals(Pair::new(now, before))
}

/// The message of a sample.
pub(super) fn update(sample: &HostSample, hub: &Hub, seq: u64) -> SystemUpdate {
    let HostSample { now: snapshot, .. } = sample;
    let pair = Pair::new(snapshot, sample.before.as_deref());
    let now = pair.now;
    let missing = reading::missing(now).into_iter().filter_map(|(path, missing)| Some((path, missing?.clone())));
    let (gpu, no_gpu) = gpu::gpus(hub, &sample.walks);
    let missing = missing.chain(no_gpu.map(|missing| ("gpu", missing)));
    let timestamp = rfc3339(snapshot.sampled_at);
    SystemUpdate {
        r#type: "system_update",
        seq,
        sampled_at: timestamp.clone(),
        timestamp,
        interval_seconds: sample.interval.as_secs_f64(),
        metrics: Metrics { gpu, ..reading::metrics(pair, snapshot.sampled_at) },
        missing: missing.collect(),
        sources: hub
            .sources()
            .iter()
            .filter(|source| source.is_source())
            .map(|source| SourceState::from(source.health()))
            .collect(),
        alerts: sample.alerts.clone(),
    }
}

/// How much a counter has grown each second; none when it was set back, by a reboot of a device say.
fn rate(now: u64, before: u64, seconds: f64) -> Option<f64> {
    Some(now.checked_sub(before)? as f64 / seconds)
}

/// The sum begins again at 0 past 2^64, as the kernel's own counters do.
fn sum_of_counters(counters: impl Iterator<Item = u64>) -> u64 {
    counters.fold(0, u64::wrapping_add)
}

/// A share in percent; none of nothing.
fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64 * 100.0)
}

impl From<Health> for SourceState {
    fn from(health: Health) -> Self {
        let (reason, detail) = health.missing.map(|missing| (missing.reason.code(), missing.detail)).unzip();
        Self {
            name: health.name,
            state: health.state.word(),
            reason,
            detail,
            age_seconds: health.age.map(|age| age.as_secs_f64()),
            interval_seconds: health.interval.as_secs_f64(),
            duration_seconds: health.duration.map(|duration| duration.as_secs_f64()),
        }
    }
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / GIB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_near_their_end_have_a_sum() {
        assert_eq!(sum_of_counters([u64::MAX, 3].into_iter()), 2);
    }
}
