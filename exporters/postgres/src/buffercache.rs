//! How the buffer cache is used, where the extension pg_buffercache is installed and new enough.

use aura_model::{Metric, Missing, Reason, rows};

use crate::{
    Features,
    failure::quoted,
    query::{Ask, Columns, Every, Query, Told, columns},
    statements::number,
};

columns! {
    /// The buffer cache; PostgreSQL 16 and later.
    pub struct BufferCache {
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

pub(crate) const QUERY: Query<BufferCache> = Query {
    every: Every::Tables,
    told: Told::Refused,
    needs_features: true,
    ..Query::new("buffercache_summary", |known, _| known.features.map_or(Ask::Nothing, ask), BufferCache::one)
};

fn ask(features: &Features) -> Ask {
    let summarises = number(features.buffercache_version.as_deref()).is_some_and(|version| version >= (1, 4));
    match features.buffercache_schema.as_deref().filter(|_| summarises) {
        Some(schema) => {
            let (columns, schema) = (BufferCache::select(|_| None), quoted(schema));
            format!("SELECT {columns} FROM {schema}.pg_buffercache_summary()").into()
        }
        None => {
            let detail = "buffercache_summary: pg_buffercache is not installed in this database, or older than 1.4";
            Ask::Missing(Missing::new(Reason::NotConfigured, detail))
        }
    }
}

pub(crate) const METRICS: &[Metric<BufferCache>] = rows! { |cache|
    gauge "pg_buffercache_summary_buffers_used" = cache.used, "Shared buffers in use.";
    gauge "pg_buffercache_summary_buffers_unused" = cache.unused, "Shared buffers that hold nothing.";
    gauge "pg_buffercache_summary_buffers_dirty" = cache.dirty, "Shared buffers to be written.";
    gauge "pg_buffercache_summary_buffers_pinned" = cache.pinned, "Shared buffers that somebody uses right now.";
    gauge "pg_buffercache_summary_usagecount_avg" = cache.usage,
        "How often the shared buffers in use were used lately, on average.";
};
