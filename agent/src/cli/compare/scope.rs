//! What another exporter may have and we do not mean to, each with its reason.

/// Prefix of a family's name, and why it is left out.
const OUT_OF_SCOPE: [(&str, &str); 3] = [
    ("go_", "the Go runtime of the other exporter"),
    ("promhttp_", "the HTTP library of the other exporter"),
    ("node_exporter_build_info", "names the other exporter's build; ours names our own"),
];

/// Families that are about the exporter itself, so that values and series differ by nature.
const ABOUT_ITSELF: [&str; 2] = ["process_", "node_scrape_collector_"];

/// Why a family is not compared at all, if it is not.
pub(super) fn reason(family: &str) -> Option<&'static str> {
    OUT_OF_SCOPE.iter().find(|(prefix, _)| family.starts_with(prefix)).map(|(_, reason)| *reason)
}

/// Whether a family is about the exporter itself.
pub(super) fn about_itself(family: &str) -> bool {
    ABOUT_ITSELF.iter().any(|prefix| family.starts_with(prefix))
}
