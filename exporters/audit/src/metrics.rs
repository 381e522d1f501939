//! What scrapers get.

use aura_model::{Group, Metric, declare, rows, walk};

use crate::AuditReading;

/// At most `kinds + 1` kinds, four levels and seven outcomes a log in `aura_audit_events_total`; a writer uses one or
/// two of those combinations for each kind. All else is a few series a log.
pub(crate) const GROUPS: &[Group<AuditReading>] = &[Group {
    name: "audit",
    walk: |reading, emit| walk(METRICS, reading, emit),
    declare: |show| declare(METRICS, show),
}];

const METRICS: &[Metric<AuditReading>] = rows! { |reading|
    for log in &reading.logs, events in &log.events
        => { log: log.name, kind: events.kind, level: events.level.word(), outcome: events.outcome.word() } {
        counter "aura_audit_events_total" = events.count,
            "Events in audit logs, by log, kind, level and outcome. Each line is counted once, also over restarts of the \
             agent where it has a folder for that.";
    }
    for log in &reading.logs, (reason, count) in [
        ("blank", log.skipped.blank),
        ("unreadable", log.skipped.unreadable),
        ("not_object", log.skipped.not_object),
        ("too_long", log.skipped.too_long),
    ] => { log: log.name, reason } {
        counter "aura_audit_skipped_lines_total" = count,
            "Lines of audit logs that are no events: blank, unreadable (torn, or no JSON), not_object, too_long.";
    }
    for log in reading.logs.iter().filter(|log| log.signatures != Default::default()), (result, count) in [
        ("valid", log.signatures.valid),
        ("invalid", log.signatures.invalid),
        ("not_checked", log.signatures.not_checked),
    ] => { log: log.name, result } {
        counter "aura_audit_signatures_total" = count,
            "Signed records of audit logs, by what checking gave: valid, invalid, not_checked (no key).";
    }
    for log in &reading.logs => { log: log.name } {
        counter "aura_audit_read_bytes_total" in Bytes = log.bytes, "Bytes of audit logs that were counted.";
        counter "aura_audit_rotations_total" = log.rotations,
            "How often the live file was renamed, replaced or cut.";
        counter "aura_audit_gaps_total" = log.gaps,
            "How often a file was gone or broken before it was certain that all of it had been counted.";
        gauge "aura_audit_log_present" = log.state == "following", "Whether the live file is there and can be read.";
        gauge "aura_audit_unread_bytes" in Bytes = (log.size.is_some() || log.unread > 0).then_some(log.unread),
            "Bytes of the live file, or of one that was renamed just now, that are not counted yet, an unfinished last line \
             among them.";
        gauge "aura_audit_size_bytes" in Bytes = log.size, "Size of the live file.";
        gauge "aura_audit_last_event_timestamp_seconds" in Seconds = log.last_event_seconds,
            "The time of the event that was read last, as its line has it.";
    }
    for log in &reading.logs, spike in &log.spikes, (window, events) in [("15m", spike.recent), ("1h", spike.count)]
        => { log: log.name, kind: spike.kind, window } {
        gauge "aura_audit_recent_events" = events,
            "Events of a watched kind within the window, by their own times, to ten seconds.";
    }
    for log in &reading.logs, spike in &log.spikes => { log: log.name, kind: spike.kind } {
        gauge "aura_audit_spike" = spike.spike,
            "Whether a watched kind has more events within an hour than its limit allows.";
    }
    gauge "aura_audit_position_kept" = reading.kept,
        "Whether positions and numbers were written to the storage folder. Absent where there is none.";
};
