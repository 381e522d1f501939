//! How the collectors fared, under the names by which node_exporter's users know it.

use aura_model::{Metric, Unit, gauge};

use super::HostReading;

pub(super) const METRICS: &[Metric<HostReading>] = &[
    // Dashboards list the machines by this one.
    gauge(
        "node_exporter_build_info",
        "The build that exports these metrics; always 1.",
        Unit::None,
        &["version"],
        |_, emit| emit.one(env!("CARGO_PKG_VERSION"), 1_u64),
    ),
    gauge(
        "node_scrape_collector_duration_seconds",
        "How long the collector took to read.",
        Unit::Seconds,
        &["collector"],
        |host, emit| {
            for collector in &host.health {
                emit.one(collector.group, collector.duration.as_secs_f64());
            }
        },
    ),
    gauge(
        "node_scrape_collector_success",
        "Whether the collector could read.",
        Unit::None,
        &["collector"],
        |host, emit| {
            for collector in &host.health {
                emit.one(collector.group, collector.success);
            }
        },
    ),
];
