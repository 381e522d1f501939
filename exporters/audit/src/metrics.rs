//! What scrapers get.

use aura_model::{Emit, Group, Metric, Unit, Value, counter, declare, gauge, walk};

use crate::{AuditReading, LogReading};

/// At most `kinds + 1` kinds, four levels and seven outcomes a log in `aura_audit_events_total`; a writer uses one or
/// two of those combinations for each kind. All else is a few series a log.
pub(crate) const GROUPS: &[Group<AuditReading>] = &[Group {
    name: "audit",
    walk: |reading, emit| walk(METRICS, reading, emit),
    declare: |show| declare(METRICS, show),
}];

const LOG: &[&str] = &["log"];

const METRICS: &[Metric<AuditReading>] = &[
    counter(
        "aura_audit_events_total",
        "Events in audit logs, by log, kind, level and outcome. Each line is counted once, also over restarts of the \
         agent where it has a folder for that.",
        Unit::None,
        &["log", "kind", "level", "outcome"],
        |reading, emit| {
            for log in &reading.logs {
                for events in &log.events {
                    let labels = [&*log.name, &*events.kind, events.level.word(), events.outcome.word()];
                    emit.sample(&labels, Value::Unsigned(events.count));
                }
            }
        },
    ),
    counter(
        "aura_audit_skipped_lines_total",
        "Lines of audit logs that are no events: blank, unreadable (torn, or no JSON), not_object, too_long.",
        Unit::None,
        &["log", "reason"],
        |reading, emit| {
            for log in &reading.logs {
                let skipped = log.skipped;
                for (reason, count) in [
                    ("blank", skipped.blank),
                    ("unreadable", skipped.unreadable),
                    ("not_object", skipped.not_object),
                    ("too_long", skipped.too_long),
                ] {
                    emit.sample(&[&log.name, reason], Value::Unsigned(count));
                }
            }
        },
    ),
    counter(
        "aura_audit_signatures_total",
        "Signed records of audit logs, by what checking gave: valid, invalid, not_checked (no key).",
        Unit::None,
        &["log", "result"],
        |reading, emit| {
            for log in reading.logs.iter().filter(|log| log.signatures != Default::default()) {
                let signatures = log.signatures;
                for (result, count) in [
                    ("valid", signatures.valid),
                    ("invalid", signatures.invalid),
                    ("not_checked", signatures.not_checked),
                ] {
                    emit.sample(&[&log.name, result], Value::Unsigned(count));
                }
            }
        },
    ),
    counter(
        "aura_audit_read_bytes_total",
        "Bytes of audit logs that were counted.",
        Unit::Bytes,
        LOG,
        |reading, emit| {
            each(reading, emit, |log| Some(Value::Unsigned(log.bytes)));
        },
    ),
    counter(
        "aura_audit_rotations_total",
        "How often the live file was renamed, replaced or cut.",
        Unit::None,
        LOG,
        |reading, emit| each(reading, emit, |log| Some(Value::Unsigned(log.rotations))),
    ),
    counter(
        "aura_audit_gaps_total",
        "How often a file was gone or broken before it was certain that all of it had been counted.",
        Unit::None,
        LOG,
        |reading, emit| each(reading, emit, |log| Some(Value::Unsigned(log.gaps))),
    ),
    gauge(
        "aura_audit_log_present",
        "Whether the live file is there and can be read.",
        Unit::None,
        LOG,
        |reading, emit| each(reading, emit, |log| Some(Value::from(log.state == "following"))),
    ),
    gauge(
        "aura_audit_unread_bytes",
        "Bytes of the live file, or of one that was renamed just now, that are not counted yet, an unfinished last line \
         among them.",
        Unit::Bytes,
        LOG,
        |reading, emit| {
            each(reading, emit, |log| (log.size.is_some() || log.unread > 0).then_some(Value::Unsigned(log.unread)));
        },
    ),
    gauge("aura_audit_size_bytes", "Size of the live file.", Unit::Bytes, LOG, |reading, emit| {
        each(reading, emit, |log| log.size.map(Value::Unsigned));
    }),
    gauge(
        "aura_audit_last_event_timestamp_seconds",
        "The time of the event that was read last, as its line has it.",
        Unit::Seconds,
        LOG,
        |reading, emit| each(reading, emit, |log| log.last_event_seconds.map(Value::Float)),
    ),
    gauge(
        "aura_audit_recent_events",
        "Events of a watched kind within the window, by their own times, to ten seconds.",
        Unit::None,
        &["log", "kind", "window"],
        |reading, emit| {
            for log in &reading.logs {
                for spike in &log.spikes {
                    emit.sample(&[&log.name, &spike.kind, "15m"], Value::Unsigned(spike.recent));
                    emit.sample(&[&log.name, &spike.kind, "1h"], Value::Unsigned(spike.count));
                }
            }
        },
    ),
    gauge(
        "aura_audit_spike",
        "Whether a watched kind has more events within an hour than its limit allows.",
        Unit::None,
        &["log", "kind"],
        |reading, emit| {
            for log in &reading.logs {
                for spike in &log.spikes {
                    emit.sample(&[&log.name, &spike.kind], Value::from(spike.spike));
                }
            }
        },
    ),
    gauge(
        "aura_audit_position_kept",
        "Whether positions and numbers were written to the storage folder. Absent where there is none.",
        Unit::None,
        &[],
        |reading, emit| emit.maybe(&[], reading.kept),
    ),
];

fn each(reading: &AuditReading, emit: &mut dyn Emit, take: fn(&LogReading) -> Option<Value>) {
    for log in &reading.logs {
        emit.maybe(&[&log.name], take(log));
    }
}
