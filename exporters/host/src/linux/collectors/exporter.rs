//! What node_exporter says about itself: its collectors' health and its build. Public dashboards take the list of
//! instances from the latter.

use aura_model::{GroupHealth, Metric, Unit, gauge, rows};

pub(super) const METRICS: &[Metric<Vec<GroupHealth>>] = rows! { |health|
    gauge(
        "node_exporter_build_info",
        "A metric with a constant '1' value labeled by version and platform of the agent that stands in for node_exporter.",
        Unit::None,
        &["version", "goos", "goarch"],
        |_, emit| emit.sample(&[env!("CARGO_PKG_VERSION"), std::env::consts::OS, architecture()], 1_u64.into()),
    );
    for collector in health => { collector: collector.group } {
        gauge "node_scrape_collector_duration_seconds" in Seconds = collector.duration.as_secs_f64(),
            "node_exporter: Duration of a collector scrape.";
        gauge "node_scrape_collector_success" = collector.success, "node_exporter: Whether a collector succeeded.";
    }
};

/// The architecture by Go's name, which is what the label has elsewhere.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}
