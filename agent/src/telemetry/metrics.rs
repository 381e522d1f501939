//! The agent's own metrics.

use aura_model::{Group, Metric, Unit, counter, declare, gauge, walk};

use super::{Reading, Telemetry, build};
use crate::{
    hub::State,
    publish::{
        feed::{Closed, Refused},
        prometheus::left_out,
    },
};

/// All groups, in the order in which they are published.
pub const GROUPS: &[Group<Reading>] = &[
    Group { name: "aura", walk: |own, emit| walk(AGENT, own, emit), declare: |show| declare(AGENT, show) },
    Group { name: "source", walk: |own, emit| walk(SOURCES, own, emit), declare: |show| declare(SOURCES, show) },
    Group { name: "feed", walk: |own, emit| walk(FEEDS, own, emit), declare: |show| declare(FEEDS, show) },
    Group { name: "process", walk: |own, emit| walk(PROCESS, own, emit), declare: |show| declare(PROCESS, show) },
];

const AGENT: &[Metric<Reading>] = &[
    gauge("aura_build_info", "The running agent; always 1.", Unit::None, &["version", "revision"], |_, emit| {
        let (version, revision) = build();
        emit.sample(&[version, revision], 1_u64.into());
    }),
    gauge(
        "aura_config_last_reload_successful",
        "Whether the newest attempt to load the configuration succeeded.",
        Unit::None,
        &[],
        |own, emit| emit.value(own.events.reload_success),
    ),
    gauge(
        "aura_config_last_reload_success_timestamp_seconds",
        "When the configuration was last loaded.",
        Unit::Seconds,
        &[],
        |own, emit| emit.value(own.events.reload_time),
    ),
    counter("aura_http_requests_total", "Requests answered, of all kinds.", Unit::None, &[], |own, emit| {
        emit.value(own.events.requests);
    }),
    counter(
        "aura_http_requests_failed_total",
        "Requests that failed on the agent's side: status 500 and above, a late source among them.",
        Unit::None,
        &[],
        |own, emit| emit.value(own.events.failed_requests),
    ),
    counter("aura_scrapes_total", "Scrapes answered.", Unit::None, &[], |own, emit| emit.value(own.events.scrapes)),
    counter(
        "aura_scrapes_refused_total",
        "Scrapes refused: wrong parameters, or too many at once.",
        Unit::None,
        &[],
        |own, emit| emit.value(own.events.scrapes_refused),
    ),
    counter(
        "aura_series_dropped_total",
        "Series left out of the metrics because an equal one was there already or their name was none; the log names them. \
         Counted once for each reading that was scraped.",
        Unit::None,
        &["source"],
        |own, emit| {
            for source in own.sources.iter().map(|source| source.name).chain([Telemetry::NAME]) {
                emit.one(source, left_out(source));
            }
        },
    ),
    gauge(
        "aura_threshold_exceeded",
        "Limits of the configuration that are exceeded now; always 1, absent while all is well.",
        Unit::None,
        &["threshold", "severity"],
        |own, emit| {
            for (name, severity) in &own.events.alerts {
                emit.sample(&[name, severity], 1_u64.into());
            }
        },
    ),
];

const SOURCES: &[Metric<Reading>] = &[
    gauge("aura_source_up", "Whether the source's newest reading is on time.", Unit::None, &["source"], |own, emit| {
        for source in &own.sources {
            emit.one(source.name, source.state == State::Fresh);
        }
    }),
    gauge(
        "aura_source_missing_info",
        "Why the source has no reading on time; always 1, absent while it has.",
        Unit::None,
        &["source", "reason"],
        |own, emit| {
            for source in &own.sources {
                if let Some(missing) = &source.missing {
                    emit.sample(&[source.name, missing.reason.code()], 1_u64.into());
                }
            }
        },
    ),
    gauge(
        "aura_source_interval_seconds",
        "From one sample of the source to the next, as configured.",
        Unit::Seconds,
        &["source"],
        |own, emit| {
            for source in &own.sources {
                emit.one(source.name, source.interval.as_secs_f64());
            }
        },
    ),
    gauge(
        "aura_source_sample_duration_seconds",
        "How long the newest sample took.",
        Unit::Seconds,
        &["source"],
        |own, emit| {
            for source in &own.sources {
                emit.maybe(&[source.name], source.duration.map(|duration| duration.as_secs_f64()));
            }
        },
    ),
    gauge(
        "aura_source_sample_timestamp_seconds",
        "When the newest sample was taken.",
        Unit::Seconds,
        &["source"],
        |own, emit| {
            for source in &own.sources {
                let time = source.sampled_at.map(|time| time.as_duration().as_secs_f64());
                emit.maybe(&[source.name], time);
            }
        },
    ),
    counter("aura_source_samples_total", "Samples that gave a reading.", Unit::None, &["source"], |own, emit| {
        for source in &own.sources {
            emit.one(source.name, source.counts.samples);
        }
    }),
    counter(
        "aura_source_failures_total",
        "Samples that failed, and attempts to open the source that did.",
        Unit::None,
        &["source"],
        |own, emit| {
            for source in &own.sources {
                emit.one(source.name, source.counts.failures);
            }
        },
    ),
    counter(
        "aura_source_missed_ticks_total",
        "Ticks that passed while a sample was still running.",
        Unit::None,
        &["source"],
        |own, emit| {
            for source in &own.sources {
                emit.one(source.name, source.counts.missed);
            }
        },
    ),
    counter(
        "aura_source_panics_total",
        "Panics of the source's code; each is a bug.",
        Unit::None,
        &["source"],
        |own, emit| {
            for source in &own.sources {
                emit.one(source.name, source.counts.panics);
            }
        },
    ),
];

const FEEDS: &[Metric<Reading>] = &[
    gauge("aura_feed_clients", "Clients of the feed now.", Unit::None, &["feed"], |own, emit| {
        for (feed, stats) in own.stats() {
            emit.one(feed, stats.clients());
        }
    }),
    counter("aura_feed_connections_total", "Connections that became clients.", Unit::None, &["feed"], |own, emit| {
        for (feed, stats) in own.stats() {
            emit.one(feed, stats.opened());
        }
    }),
    counter(
        "aura_feed_refused_total",
        "Connections refused before they became clients.",
        Unit::None,
        &["feed", "reason"],
        |own, emit| {
            for (feed, stats) in own.stats() {
                for reason in Refused::ALL {
                    emit.sample(&[feed, reason.code()], stats.refused(reason).into());
                }
            }
        },
    ),
    counter("aura_feed_closed_total", "Clients that left.", Unit::None, &["feed", "reason"], |own, emit| {
        for (feed, stats) in own.stats() {
            for reason in Closed::ALL {
                emit.sample(&[feed, reason.code()], stats.closed(reason).into());
            }
        }
    }),
    counter(
        "aura_feed_messages_total",
        "Messages handed to the kernel: one message for three clients counts three times.",
        Unit::None,
        &["feed"],
        |own, emit| {
            for (feed, stats) in own.stats() {
                emit.one(feed, stats.messages());
            }
        },
    ),
    counter(
        "aura_feed_skipped_total",
        "Messages that a slow client did not get because a newer one was there first.",
        Unit::None,
        &["feed"],
        |own, emit| {
            for (feed, stats) in own.stats() {
                emit.one(feed, stats.skipped());
            }
        },
    ),
    counter(
        "aura_feed_sent_bytes_total",
        "Bytes of frames handed to the kernel, before TLS.",
        Unit::Bytes,
        &["feed"],
        |own, emit| {
            for (feed, stats) in own.stats() {
                emit.one(feed, stats.bytes());
            }
        },
    ),
    counter(
        "aura_feed_encoded_messages_total",
        "Messages encoded: at most one a reading, none while nobody listens.",
        Unit::None,
        &["feed"],
        |own, emit| {
            for (feed, stats) in own.stats() {
                emit.one(feed, stats.encoded());
            }
        },
    ),
    counter(
        "aura_feed_encode_seconds_total",
        "Time spent on encoding messages.",
        Unit::Seconds,
        &["feed"],
        |own, emit| {
            for (feed, stats) in own.stats() {
                emit.one(feed, stats.encode_time().as_secs_f64());
            }
        },
    ),
];

const PROCESS: &[Metric<Reading>] = &[
    counter(
        "process_cpu_seconds_total",
        "Total user and system CPU time spent in seconds.",
        Unit::Seconds,
        &[],
        |own, emit| emit.maybe(&[], own.process.as_ref().map(|process| process.cpu_seconds)),
    ),
    gauge("process_max_fds", "Maximum number of open file descriptors.", Unit::None, &[], |own, emit| {
        emit.maybe(&[], own.process.as_ref().and_then(|process| process.most_descriptors));
    }),
    gauge("process_open_fds", "Number of open file descriptors.", Unit::None, &[], |own, emit| {
        emit.maybe(&[], own.process.as_ref().and_then(|process| process.open_descriptors));
    }),
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.", Unit::Bytes, &[], |own, emit| {
        emit.maybe(&[], own.process.as_ref().map(|process| process.resident_bytes));
    }),
    gauge(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        Unit::Seconds,
        &[],
        |own, emit| emit.maybe(&[], own.process.as_ref().map(|process| process.start_time)),
    ),
    gauge("process_threads", "Number of threads.", Unit::None, &[], |own, emit| {
        emit.maybe(&[], own.process.as_ref().map(|process| process.threads));
    }),
    gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", Unit::Bytes, &[], |own, emit| {
        emit.maybe(&[], own.process.as_ref().map(|process| process.virtual_bytes));
    }),
    gauge(
        "process_virtual_memory_max_bytes",
        "Maximum amount of virtual memory available in bytes.",
        Unit::Bytes,
        &[],
        |own, emit| match own.process.as_ref().and_then(|process| process.most_virtual_bytes) {
            Some(limit) => emit.value(limit),
            None if own.process.is_some() => emit.value(18_446_744_073_709_551_615_u64),
            None => {}
        },
    ),
];
