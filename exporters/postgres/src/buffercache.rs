//! How the buffer cache is used, where the extension pg_buffercache is installed and new enough.

use aura_model::{Metric, Unit, gauge};

use crate::{Features, ask::columns, failure::quoted, statements::number};

columns! {
    /// The buffer cache; PostgreSQL 16 and later.
    pub struct BufferCache {
        /// Buffers in use.
        pub used: i32 = "buffers_used",
        /// Buffers that hold nothing.
        pub unused: i32 = "buffers_unused",
        /// Buffers that are to be written.
        pub dirty: i32 = "buffers_dirty",
        /// Buffers that somebody uses right now.
        pub pinned: i32 = "buffers_pinned",
        /// How often buffers were used lately, 0 to 5; none when none is in use.
        pub usage: Option<f64> = "usagecount_avg",
    }
}

/// None without the extension, or with one that has no summary.
pub(crate) fn sql(features: &Features) -> Option<String> {
    let schema = quoted(features.buffercache_schema.as_deref()?);
    let summarises = number(features.buffercache_version.as_deref())? >= (1, 4);
    summarises.then(|| format!("SELECT {} FROM {schema}.pg_buffercache_summary()", BufferCache::select(|_| None)))
}

pub(crate) const METRICS: &[Metric<BufferCache>] = &[
    gauge("pg_buffercache_summary_buffers_used", "Shared buffers in use.", Unit::None, &[], |cache, emit| {
        emit.value(i64::from(cache.used));
    }),
    gauge(
        "pg_buffercache_summary_buffers_unused",
        "Shared buffers that hold nothing.",
        Unit::None,
        &[],
        |cache, emit| {
            emit.value(i64::from(cache.unused));
        },
    ),
    gauge("pg_buffercache_summary_buffers_dirty", "Shared buffers to be written.", Unit::None, &[], |cache, emit| {
        emit.value(i64::from(cache.dirty));
    }),
    gauge(
        "pg_buffercache_summary_buffers_pinned",
        "Shared buffers that somebody uses right now.",
        Unit::None,
        &[],
        |cache, emit| emit.value(i64::from(cache.pinned)),
    ),
    gauge(
        "pg_buffercache_summary_usagecount_avg",
        "How often the shared buffers in use were used lately, on average.",
        Unit::None,
        &[],
        |cache, emit| emit.maybe(&[], cache.usage),
    ),
];
