//! Tables of a database: scans, rows, vacuum, blocks and sizes.
//!
//! pg_stat_user_tables asks for every table there is. Here the largest are chosen first and only they are asked
//! about, so that ten thousand tables cost no more than the limit allows.

use aura_model::{Metric, Missing, Reason, Switch, rows};
use serde::Serialize;
use tokio_postgres::{Error, Row};

use crate::{
    failure::quoted,
    query::{Ask, Columns, Every, Known, Query, columns},
};

columns! {
    /// The counters of one table.
    pub struct Table {
        pub database: String = "pg_catalog.current_database()::pg_catalog.text",
        pub schema: String = "n.nspname::pg_catalog.text",
        pub name: String = "c.relname::pg_catalog.text",
        pub id: i64 = "c.oid::bigint",
        /// Sequential scans.
        pub seq_scans: i64 = "pg_catalog.pg_stat_get_numscans(c.oid)",
        /// Rows read by them.
        pub seq_rows: i64 = "pg_catalog.pg_stat_get_tuples_returned(c.oid)",
        /// Index scans; none without an index.
        pub index_scans: Option<i64> = "i.scans",
        /// Rows fetched by them.
        pub index_rows: Option<i64> = "i.fetched + pg_catalog.pg_stat_get_tuples_fetched(c.oid)",
        pub inserted: i64 = "pg_catalog.pg_stat_get_tuples_inserted(c.oid)",
        pub updated: i64 = "pg_catalog.pg_stat_get_tuples_updated(c.oid)",
        pub deleted: i64 = "pg_catalog.pg_stat_get_tuples_deleted(c.oid)",
        /// Rows updated without a new index entry.
        pub hot_updated: i64 = "pg_catalog.pg_stat_get_tuples_hot_updated(c.oid)",
        /// Rows that are alive, estimated.
        pub live: i64 = "pg_catalog.pg_stat_get_live_tuples(c.oid)",
        /// Rows that wait for vacuum, estimated.
        pub dead: i64 = "pg_catalog.pg_stat_get_dead_tuples(c.oid)",
        /// Rows changed since the last analyze.
        pub changed: i64 = "pg_catalog.pg_stat_get_mod_since_analyze(c.oid)",
        /// Last vacuum by hand, Unix seconds.
        pub last_vacuum: Option<f64> = "extract(epoch FROM pg_catalog.pg_stat_get_last_vacuum_time(c.oid))::float",
        /// Last vacuum by autovacuum, Unix seconds.
        pub last_autovacuum: Option<f64> = "extract(epoch FROM \
            pg_catalog.pg_stat_get_last_autovacuum_time(c.oid))::float",
        /// Last analyze by hand, Unix seconds.
        pub last_analyze: Option<f64> = "extract(epoch FROM pg_catalog.pg_stat_get_last_analyze_time(c.oid))::float",
        /// Last analyze by autovacuum, Unix seconds.
        pub last_autoanalyze: Option<f64> = "extract(epoch FROM \
            pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid))::float",
        /// Vacuums by hand.
        pub vacuums: i64 = "pg_catalog.pg_stat_get_vacuum_count(c.oid)",
        /// Vacuums by autovacuum.
        pub autovacuums: i64 = "pg_catalog.pg_stat_get_autovacuum_count(c.oid)",
        /// Analyzes by hand.
        pub analyzes: i64 = "pg_catalog.pg_stat_get_analyze_count(c.oid)",
        /// Analyzes by autovacuum.
        pub autoanalyzes: i64 = "pg_catalog.pg_stat_get_autoanalyze_count(c.oid)",
        /// Blocks of the table read from outside the buffer cache; a parent of partitions has none.
        pub heap_read: Option<i64> = "CASE WHEN c.relkind <> 'p' THEN \
            pg_catalog.pg_stat_get_blocks_fetched(c.oid) - pg_catalog.pg_stat_get_blocks_hit(c.oid) END",
        /// Blocks of the table found in the buffer cache.
        pub heap_hit: Option<i64> = "CASE WHEN c.relkind <> 'p' THEN pg_catalog.pg_stat_get_blocks_hit(c.oid) END",
        /// Blocks of its indexes read from outside the buffer cache.
        pub index_read: Option<i64> = "CASE WHEN c.relkind <> 'p' THEN i.read END",
        /// Blocks of its indexes found in the buffer cache.
        pub index_hit: Option<i64> = "CASE WHEN c.relkind <> 'p' THEN i.hit END",
        /// Blocks of its long values read from outside the buffer cache; none without long values.
        pub toast_read: Option<i64> = "CASE WHEN c.reltoastrelid <> 0 THEN \
            pg_catalog.pg_stat_get_blocks_fetched(c.reltoastrelid) - \
            pg_catalog.pg_stat_get_blocks_hit(c.reltoastrelid) END",
        /// Blocks of its long values found in the buffer cache.
        pub toast_hit: Option<i64> = "CASE WHEN c.reltoastrelid <> 0 THEN \
            pg_catalog.pg_stat_get_blocks_hit(c.reltoastrelid) END",
        /// Blocks of its long values' index read from outside the buffer cache.
        pub toast_index_read: Option<i64> = "o.read",
        /// Blocks of its long values' index found in the buffer cache.
        pub toast_index_hit: Option<i64> = "o.hit",
    }
}

columns! {
    /// The size of one table.
    pub struct TableSize {
        pub id: i64 = "c.oid::bigint",
        pub database: String = "pg_catalog.current_database()::pg_catalog.text",
        pub schema: String = "n.nspname::pg_catalog.text",
        pub name: String = "c.relname::pg_catalog.text",
        /// Bytes of the table with its long values and maps; none when it is locked, or was dropped just now.
        pub table_bytes: Option<i64> = "CASE WHEN c.oid NOT IN (SELECT id FROM locked) THEN \
            pg_catalog.pg_table_size(c.oid) END",
        /// Bytes of its indexes.
        pub index_bytes: Option<i64> = "CASE WHEN c.oid NOT IN (SELECT id FROM locked) THEN \
            pg_catalog.pg_indexes_size(c.oid) END",
        /// Somebody keeps everybody out of it, so that it was not asked for its size.
        pub locked: bool = "c.oid IN (SELECT id FROM locked)",
    }
}

/// Sizes and when they were read: they are expensive, so they are read rarely.
#[derive(Debug, Serialize)]
pub struct TableSizes {
    /// Unix seconds.
    pub read_at: f64,
    /// The tables.
    pub tables: Vec<TableSize>,
    /// Those that have no size, and why.
    #[serde(skip)]
    pub without: Option<Missing>,
}

/// Numbers of what was published before, as long as there is no room for all: series that come and go are worth nothing.
pub(crate) fn known(before: Option<impl ExactSizeIterator<Item = i64>>, limit: u32) -> Option<String> {
    let before = before.filter(|before| before.len() >= limit as usize)?;
    let ids: Vec<String> = before.map(|id| id.to_string()).collect();
    Some(format!("'{{{}}}'::pg_catalog.oid[]", ids.join(",")))
}

/// Tables that somebody keeps everybody out of, or will when it is their turn: to ask for the size of one, of its
/// indexes or of its long values is to wait.
pub(crate) const LOCKED: &str = "\
    held AS (SELECT l.relation FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database \
    AND d.datname = pg_catalog.current_database() WHERE l.mode = 'AccessExclusiveLock' AND l.relation IS NOT NULL \
    AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()), \
    hit AS (SELECT h.relation AS id FROM held h UNION SELECT i.indrelid FROM pg_catalog.pg_index i JOIN held h ON \
    h.relation = i.indexrelid), \
    locked AS MATERIALIZED (SELECT h.id FROM hit h UNION SELECT c.oid FROM pg_catalog.pg_class c JOIN hit h ON \
    h.id = c.reltoastrelid)";

/// So many tables may be looked at for their true size when the largest are chosen: a tenth of a second of the server's time.
pub(crate) const LOOKED_AT: u32 = 1000;

/// The largest tables. Temporary ones are other sessions' own business.
///
/// The catalog knows sizes as of the last vacuum or analyze. A table that had none since it was filled counts as empty
/// there, so those that have changed since are looked at themselves: first those with most rows. Nothing is looked at
/// as long as there is room for all, or all that were published before are still there.
fn largest(version: u32, limit: u32, known: Option<String>) -> String {
    // From version 14 on parents of partitions have statistics of their own.
    let kinds = if version < 140_000 { "'r', 'm'" } else { "'r', 'm', 'p'" };
    let watched = format!(
        "c.relkind IN ({kinds}) AND c.relpersistence <> 't' AND c.oid >= 16384 AND c.relnamespace NOT IN (SELECT oid \
         FROM pg_catalog.pg_namespace WHERE nspname IN ('pg_catalog', 'pg_toast', 'information_schema'))"
    );
    let columns = "c.oid, c.relname, c.relnamespace, c.relkind, c.reltoastrelid";
    let others = known.as_ref().map_or_else(String::new, |known| format!(" AND c.oid <> ALL ({known})"));
    let ranked = format!(
        "(SELECT {columns} FROM (SELECT {columns}, c.pages, c.doubtful, pg_catalog.row_number() OVER \
         (ORDER BY c.doubtful DESC, pg_catalog.pg_stat_get_live_tuples(c.oid) DESC, c.oid) AS place FROM \
         (SELECT {columns}, c.relpages + coalesce(t.relpages, 0) AS pages, c.relkind <> 'p' AND (c.relpages <= 0 OR \
         t.relpages <= 0 OR pg_catalog.pg_stat_get_mod_since_analyze(c.oid) > c.reltuples) IS TRUE AS doubtful \
         FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid \
         WHERE {watched}{others}) c) c ORDER BY CASE WHEN c.doubtful AND c.place <= {LOOKED_AT} \
         AND c.oid NOT IN (SELECT id FROM locked) AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c WHERE \
         {watched}) > {limit} THEN pg_catalog.pg_table_size(c.oid) / pg_catalog.current_setting('block_size')::bigint \
         ELSE c.pages END DESC NULLS LAST, c.oid LIMIT {limit})"
    );
    let chosen = match known {
        None => ranked,
        Some(known) => format!(
            "((SELECT {columns} FROM pg_catalog.pg_class c WHERE c.oid = ANY ({known}) AND {watched}) UNION ALL \
             {ranked} LIMIT {limit})"
        ),
    };
    format!("{chosen} c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace")
}

pub(crate) const QUERY: Query<Vec<Table>> = Query {
    every: Every::Tables,
    ..Query::new("stat_user_tables", |known, before| ask(known, before.value().map(|before| &**before)), Table::all)
};

fn ask(known: &Known<'_>, before: Option<&Vec<Table>>) -> Ask {
    let options = &known.options.tables;
    if options.enabled == Switch::Off { Ask::Nothing } else { sql(known.version, options.limit, before).into() }
}

pub(crate) fn sql(version: u32, limit: u32, before: Option<&Vec<Table>>) -> String {
    let known = known(before.map(|before| before.iter().map(|table| table.id)), limit);
    format!(
        "WITH {LOCKED} SELECT {} FROM {} LEFT JOIN LATERAL (SELECT \
        pg_catalog.sum(pg_catalog.pg_stat_get_numscans(indexrelid))::bigint AS scans, \
         pg_catalog.sum(pg_catalog.pg_stat_get_tuples_fetched(indexrelid))::bigint AS fetched, \
         pg_catalog.sum(pg_catalog.pg_stat_get_blocks_fetched(indexrelid) - \
         pg_catalog.pg_stat_get_blocks_hit(indexrelid))::bigint AS read, \
         pg_catalog.sum(pg_catalog.pg_stat_get_blocks_hit(indexrelid))::bigint AS hit \
         FROM pg_catalog.pg_index WHERE indrelid = c.oid) i ON true LEFT JOIN LATERAL (SELECT \
         pg_catalog.sum(pg_catalog.pg_stat_get_blocks_fetched(indexrelid) - \
         pg_catalog.pg_stat_get_blocks_hit(indexrelid))::bigint AS read, \
         pg_catalog.sum(pg_catalog.pg_stat_get_blocks_hit(indexrelid))::bigint AS hit \
         FROM pg_catalog.pg_index WHERE c.reltoastrelid <> 0 AND indrelid = c.reltoastrelid) o ON true",
        Table::select(|_| None),
        largest(version, limit, known)
    )
}

pub(crate) fn sizes_sql(version: u32, limit: u32, before: Option<&TableSizes>) -> String {
    let known = known(before.map(|before| before.tables.iter().map(|table| table.id)), limit);
    format!("WITH {LOCKED} SELECT {} FROM {}", TableSize::select(|_| None), largest(version, limit, known))
}

pub(crate) fn read_sizes(answer: &[Row]) -> Result<TableSizes, Error> {
    let tables = TableSize::all(answer)?;
    let locked: Vec<String> = tables
        .iter()
        .filter(|table| table.locked)
        .map(|table| format!("{}.{}", quoted(&table.schema), quoted(&table.name)))
        .collect();
    let without = (!locked.is_empty()).then(|| {
        let detail = format!("table_sizes: somebody holds a strong lock on {}", some_of(&locked));
        Missing::new(Reason::Unreadable, detail)
    });
    Ok(TableSizes { read_at: crate::unix_now(), tables, without })
}

/// The first three of some names, and how many more there are.
pub(crate) fn some_of(names: &[String]) -> String {
    let (first, more) = names.split_at(names.len().min(3));
    if more.is_empty() { first.join(", ") } else { format!("{} and {} more", first.join(", "), more.len()) }
}

pub(crate) const METRICS: &[Metric<Vec<Table>>] = rows! { |tables|
    for table in tables => { datname: table.database, schemaname: table.schema, relname: table.name } {
        counter "pg_stat_user_tables_seq_scan" = table.seq_scans, "Sequential scans.";
        counter "pg_stat_user_tables_seq_tup_read" = table.seq_rows, "Rows read by sequential scans.";
        counter "pg_stat_user_tables_idx_scan" = table.index_scans, "Index scans.";
        counter "pg_stat_user_tables_idx_tup_fetch" = table.index_rows, "Rows fetched by index scans.";
        counter "pg_stat_user_tables_n_tup_ins" = table.inserted, "Rows inserted.";
        counter "pg_stat_user_tables_n_tup_upd" = table.updated, "Rows updated.";
        counter "pg_stat_user_tables_n_tup_del" = table.deleted, "Rows deleted.";
        counter "pg_stat_user_tables_n_tup_hot_upd" = table.hot_updated, "Rows updated without a new index entry.";
        gauge "pg_stat_user_tables_n_live_tup" = table.live, "Rows that are alive, estimated.";
        gauge "pg_stat_user_tables_n_dead_tup" = table.dead, "Rows that wait for vacuum, estimated.";
        gauge "pg_stat_user_tables_n_mod_since_analyze" = table.changed, "Rows changed since the last analyze.";
        gauge "pg_stat_user_tables_last_vacuum" in Seconds = table.last_vacuum.map_or(0.0, f64::floor),
            "Last vacuum by hand, Unix seconds; 0 if never.";
        gauge "pg_stat_user_tables_last_autovacuum" in Seconds = table.last_autovacuum.map_or(0.0, f64::floor),
            "Last vacuum by autovacuum, Unix seconds; 0 if never.";
        gauge "pg_stat_user_tables_last_analyze" in Seconds = table.last_analyze.map_or(0.0, f64::floor),
            "Last analyze by hand, Unix seconds; 0 if never.";
        gauge "pg_stat_user_tables_last_autoanalyze" in Seconds = table.last_autoanalyze.map_or(0.0, f64::floor),
            "Last analyze by autovacuum, Unix seconds; 0 if never.";
        counter "pg_stat_user_tables_vacuum_count" = table.vacuums, "Vacuums by hand.";
        counter "pg_stat_user_tables_autovacuum_count" = table.autovacuums, "Vacuums by autovacuum.";
        counter "pg_stat_user_tables_analyze_count" = table.analyzes, "Analyzes by hand.";
        counter "pg_stat_user_tables_autoanalyze_count" = table.autoanalyzes, "Analyzes by autovacuum.";
    }
};

pub(crate) const IO: &[Metric<Vec<Table>>] = rows! { |tables|
    for table in tables => { datname: table.database, schemaname: table.schema, relname: table.name } {
        counter "pg_statio_user_tables_heap_blocks_read" = table.heap_read,
            "Blocks of the table read from outside the buffer cache.";
        counter "pg_statio_user_tables_heap_blocks_hit" = table.heap_hit,
            "Blocks of the table found in the buffer cache.";
        counter "pg_statio_user_tables_idx_blocks_read" = table.index_read,
            "Blocks of the table's indexes read from outside the buffer cache.";
        counter "pg_statio_user_tables_idx_blocks_hit" = table.index_hit,
            "Blocks of the table's indexes found in the buffer cache.";
        counter "pg_statio_user_tables_toast_blocks_read" = table.toast_read,
            "Blocks of the table's long values read from outside the buffer cache.";
        counter "pg_statio_user_tables_toast_blocks_hit" = table.toast_hit,
            "Blocks of the table's long values found in the buffer cache.";
        counter "pg_statio_user_tables_tidx_blocks_read" = table.toast_index_read,
            "Blocks of the index of the table's long values read from outside the buffer cache.";
        counter "pg_statio_user_tables_tidx_blocks_hit" = table.toast_index_hit,
            "Blocks of the index of the table's long values found in the buffer cache.";
    }
};

pub(crate) const SIZES: &[Metric<TableSizes>] = rows! { |sizes|
    for table in &sizes.tables => { datname: table.database, schemaname: table.schema, relname: table.name } {
        gauge "pg_stat_user_tables_index_size_bytes" in Bytes = table.index_bytes,
            "Disk space used by the table's indexes.";
        gauge "pg_stat_user_tables_table_size_bytes" in Bytes = table.table_bytes,
            "Disk space used by the table, without its indexes.";
    }
};
