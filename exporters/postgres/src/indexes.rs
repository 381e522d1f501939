//! Indexes of a database: scans, rows and blocks of the largest. Many series, so only when they are asked for.

use aura_model::{Metric, Switch, rows};

use crate::{
    query::{Ask, Columns, Every, Known, Query, Told, columns},
    tables::{LOCKED, LOOKED_AT, known},
};

columns! {
    /// The counters of one index.
    pub struct Index {
        pub database: String = "pg_catalog.current_database()::pg_catalog.text",
        pub schema: String = "n.nspname::pg_catalog.text",
        pub table: String = "t.relname::pg_catalog.text",
        pub name: String = "c.relname::pg_catalog.text",
        pub id: i64 = "c.oid::bigint",
        pub scans: i64 = "pg_catalog.pg_stat_get_numscans(c.oid)",
        /// Entries returned by them.
        pub read: i64 = "pg_catalog.pg_stat_get_tuples_returned(c.oid)",
        /// Rows of the table fetched by plain scans.
        pub fetched: i64 = "pg_catalog.pg_stat_get_tuples_fetched(c.oid)",
        /// Blocks read from outside the buffer cache.
        pub blocks_read: i64 = "pg_catalog.pg_stat_get_blocks_fetched(c.oid) - \
            pg_catalog.pg_stat_get_blocks_hit(c.oid)",
        /// Blocks found in the buffer cache.
        pub blocks_hit: i64 = "pg_catalog.pg_stat_get_blocks_hit(c.oid)",
    }
}

pub(crate) const QUERY: Query<Vec<Index>> = Query {
    every: Every::Tables,
    told: Told::Refused,
    ..Query::new("stat_user_indexes", |known, before| ask(known, before.value().map(|before| &**before)), Index::all)
};

fn ask(known: &Known<'_>, before: Option<&Vec<Index>>) -> Ask {
    let options = &known.options.tables;
    let wanted = options.enabled != Switch::Off && options.indexes;
    if wanted { sql(options.limit, before).into() } else { Ask::Nothing }
}

/// The largest indexes; those that were published before come first. An index is known to the catalog as large as it
/// was when it was made or last vacuumed: those of the tables with most rows are looked at themselves.
pub(crate) fn sql(limit: u32, before: Option<&Vec<Index>>) -> String {
    let known = known(before.map(|before| before.iter().map(|index| index.id)), limit);
    let columns = "c.oid, c.relname, c.relnamespace, c.indrelid";
    let all = "(SELECT c.oid, c.relname, c.relnamespace, c.relpages, i.indrelid AS indrelid FROM pg_catalog.pg_class c JOIN \
        pg_catalog.pg_index i ON i.indexrelid = c.oid WHERE c.relkind = 'i' AND c.relpersistence <> 't' AND \
        c.oid >= 16384 AND c.relnamespace NOT IN ('pg_catalog'::pg_catalog.regnamespace, \
        'pg_toast'::pg_catalog.regnamespace)) c";
    let others = known.as_ref().map_or_else(String::new, |known| format!("WHERE c.oid <> ALL ({known}) "));
    let ranked = format!(
        "(SELECT {columns} FROM (SELECT {columns}, c.relpages, pg_catalog.row_number() OVER (ORDER BY \
         pg_catalog.pg_stat_get_live_tuples(c.indrelid) DESC, c.oid) AS place FROM {all} {others}) c ORDER BY CASE WHEN \
         c.place <= {LOOKED_AT} AND c.indrelid NOT IN (SELECT id FROM locked) AND (SELECT pg_catalog.count(*) FROM \
         {all}) > {limit} THEN pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint \
         ELSE c.relpages END DESC NULLS LAST, c.oid LIMIT {limit})"
    );
    let chosen = match known {
        None => ranked,
        Some(known) => {
            format!("((SELECT {columns} FROM {all} WHERE c.oid = ANY ({known})) UNION ALL {ranked} LIMIT {limit})")
        }
    };
    format!(
        "WITH {LOCKED} SELECT {} FROM {chosen} c JOIN pg_catalog.pg_class t ON t.oid = c.indrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
        Index::select(|_| None)
    )
}

pub(crate) const METRICS: &[Metric<Vec<Index>>] = rows! { |indexes|
    for index in indexes
        => { datname: index.database, schemaname: index.schema, relname: index.table, indexrelname: index.name } {
        counter "pg_stat_user_indexes_idx_scans_total" = index.scans, "Scans of the index.";
        counter "pg_stat_user_indexes_idx_tup_reads_total" = index.read, "Entries returned by scans of the index.";
        counter "pg_stat_user_indexes_idx_tup_fetches_total" = index.fetched,
            "Rows fetched by plain scans of the index.";
    }
};

pub(crate) const IO: &[Metric<Vec<Index>>] = rows! { |indexes|
    for index in indexes
        => { datname: index.database, schemaname: index.schema, relname: index.table, indexrelname: index.name } {
        counter "pg_statio_user_indexes_idx_blks_read_total" = index.blocks_read,
            "Blocks of the index read from outside the buffer cache.";
        counter "pg_statio_user_indexes_idx_blks_hit_total" = index.blocks_hit,
            "Blocks of the index found in the buffer cache.";
    }
};
