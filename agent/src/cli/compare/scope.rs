//! What another exporter may have and we do not mean to, each with its reason.

use aura_exposition::Series;

/// Prefix of a family's name, and why it is left out.
const OUT_OF_SCOPE: [(&str, &str); 5] = [
    ("go_", "the Go runtime of the other exporter"),
    ("promhttp_", "the HTTP library of the other exporter"),
    ("process_network_", "the whole network namespace, which node_network_* has by interface"),
    ("node_filesystem_purgeable_bytes", "only macOS knows such space; 0 everywhere else"),
    ("node_exporter_build_info", "names the other exporter's build; ours names our own"),
];

/// Series that another exporter may have and we do not mean to: family, what makes the series one of these, why.
type SeriesRule = (&'static str, fn(&Series) -> bool, &'static str);

const SERIES_OUT_OF_SCOPE: [SeriesRule; 2] = [
    (
        "node_network_speed_bytes",
        |series| series.value < 0.0,
        "the driver does not know the speed; a negative one is no speed",
    ),
    (
        "node_disk_",
        |series| series.labels.iter().any(|(name, value)| name == "device" && value.starts_with("zram")),
        "memory that looks like a disk: node_exporter leaves zram out too since 1.8",
    ),
];

/// Families that are about the exporter itself, so that values and series differ by nature.
const ABOUT_ITSELF: [&str; 2] = ["process_", "node_scrape_collector_"];

/// Why a family is not compared at all, if it is not.
pub(super) fn reason(family: &str) -> Option<&'static str> {
    OUT_OF_SCOPE.iter().find(|(prefix, _)| family.starts_with(prefix)).map(|(_, reason)| *reason)
}

/// Why a series is not compared, if it is not.
pub(super) fn series_reason(family: &str, series: &Series) -> Option<&'static str> {
    let rule = |(prefix, applies, _): &&SeriesRule| family.starts_with(prefix) && applies(series);
    SERIES_OUT_OF_SCOPE.iter().find(rule).map(|(_, _, reason)| *reason)
}

/// Whether a family is about the exporter itself.
pub(super) fn about_itself(family: &str) -> bool {
    ABOUT_ITSELF.iter().any(|prefix| family.starts_with(prefix))
}
