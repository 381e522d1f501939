//! Tables of a database: scans, rows, vacuum, blocks and sizes.
//!
//! pg_stat_user_tables asks for every table there is. Here the largest are chosen first and only they are asked
//! about, so that ten thousand tables cost no more than the limit allows.

use aura_model::{Emit, Metric, Unit, counter, gauge};
use serde::Serialize;
use tokio_postgres::{Error, Row};

use crate::ask::{columns, rows};

columns! {
    /// The counters of one table.
    pub struct Table {
        /// Its database.
        pub database: String = "pg_catalog.current_database()::pg_catalog.text",
        /// Its schema.
        pub schema: String = "n.nspname::pg_catalog.text",
        /// Its name.
        pub name: String = "c.relname::pg_catalog.text",
        /// Its number.
        pub id: i64 = "c.oid::bigint",
        /// Sequential scans.
        pub seq_scans: i64 = "pg_catalog.pg_stat_get_numscans(c.oid)",
        /// Rows read by them.
        pub seq_rows: i64 = "pg_catalog.pg_stat_get_tuples_returned(c.oid)",
        /// Index scans; none without an index.
        pub index_scans: Option<i64> = "i.scans",
        /// Rows fetched by them.
        pub index_rows: Option<i64> = "i.fetched + pg_catalog.pg_stat_get_tuples_fetched(c.oid)",
        /// Rows inserted.
        pub inserted: i64 = "pg_catalog.pg_stat_get_tuples_inserted(c.oid)",
        /// Rows updated.
        pub updated: i64 = "pg_catalog.pg_stat_get_tuples_updated(c.oid)",
        /// Rows deleted.
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
        /// Blocks of the table read from outside the buffer cache.
        pub heap_read: i64 = "pg_catalog.pg_stat_get_blocks_fetched(c.oid) - \
            pg_catalog.pg_stat_get_blocks_hit(c.oid)",
        /// Blocks of the table found in the buffer cache.
        pub heap_hit: i64 = "pg_catalog.pg_stat_get_blocks_hit(c.oid)",
        /// Blocks of its indexes read from outside the buffer cache.
        pub index_read: Option<i64> = "i.read",
        /// Blocks of its indexes found in the buffer cache.
        pub index_hit: Option<i64> = "i.hit",
        /// Blocks of its long values read from outside the buffer cache.
        pub toast_read: Option<i64> = "CASE WHEN c.reltoastrelid <> 0 THEN \
            pg_catalog.pg_stat_get_blocks_fetched(c.reltoastrelid) - \
            pg_catalog.pg_stat_get_blocks_hit(c.reltoastrelid) END",
        /// Blocks of its long values found in the buffer cache.
        pub toast_hit: Option<i64> = "CASE WHEN c.reltoastrelid <> 0 THEN \
            pg_catalog.pg_stat_get_blocks_hit(c.reltoastrelid) END",
    }
}

columns! {
    /// The size of one table.
    pub struct TableSize {
        /// The table's number.
        pub id: i64 = "c.oid::bigint",
        /// Its database.
        pub database: String = "pg_catalog.current_database()::pg_catalog.text",
        /// Its schema.
        pub schema: String = "n.nspname::pg_catalog.text",
        /// Its name.
        pub name: String = "c.relname::pg_catalog.text",
        /// Bytes of the table with its long values and maps; none when it was dropped just now.
        pub table_bytes: Option<i64> = "pg_catalog.pg_table_size(c.oid)",
        /// Bytes of its indexes.
        pub index_bytes: Option<i64> = "pg_catalog.pg_indexes_size(c.oid)",
    }
}

/// Sizes and when they were read: they are dear, so they are read rarely.
#[derive(Debug, Serialize)]
pub struct TableSizes {
    /// Unix seconds.
    pub read_at: f64,
    /// The tables.
    pub tables: Vec<TableSize>,
}

/// What puts those first that were published before, so that series do not come and go; nothing as long as there is
/// room for all.
pub(crate) fn first(known: Option<impl ExactSizeIterator<Item = i64>>, limit: u32) -> String {
    let Some(known) = known.filter(|known| known.len() >= limit as usize) else { return String::new() };
    let known: Vec<String> = known.map(|id| id.to_string()).collect();
    format!("oid = ANY ('{{{}}}'::pg_catalog.oid[]) DESC, ", known.join(","))
}

/// The largest tables. Temporary ones are other sessions' own business.
fn largest(limit: u32, first: &str) -> String {
    format!(
        "(SELECT oid, relname, relnamespace, reltoastrelid FROM pg_catalog.pg_class WHERE relkind IN ('r', 'm') \
         AND relpersistence <> 't' AND oid >= 16384 AND relnamespace <> \
         'information_schema'::pg_catalog.regnamespace \
         ORDER BY {first}relpages DESC, oid LIMIT {limit}) c JOIN pg_catalog.pg_namespace n ON n.oid = \
         c.relnamespace \
         AND n.nspname NOT IN ('pg_catalog', 'pg_toast')"
    )
}

pub(crate) fn sql(limit: u32, before: Option<&Vec<Table>>) -> String {
    let first = first(before.map(|before| before.iter().map(|table| table.id)), limit);
    format!(
        "SELECT {} FROM {} LEFT JOIN LATERAL (SELECT \
        pg_catalog.sum(pg_catalog.pg_stat_get_numscans(indexrelid))::bigint AS scans, \
         pg_catalog.sum(pg_catalog.pg_stat_get_tuples_fetched(indexrelid))::bigint AS fetched, \
         pg_catalog.sum(pg_catalog.pg_stat_get_blocks_fetched(indexrelid) - \
         pg_catalog.pg_stat_get_blocks_hit(indexrelid))::bigint AS read, \
         pg_catalog.sum(pg_catalog.pg_stat_get_blocks_hit(indexrelid))::bigint AS hit \
         FROM pg_catalog.pg_index WHERE indrelid = c.oid) i ON true",
        Table::select(|_| None),
        largest(limit, &first)
    )
}

pub(crate) fn sizes_sql(limit: u32, before: Option<&TableSizes>) -> String {
    let first = first(before.map(|before| before.tables.iter().map(|table| table.id)), limit);
    format!("SELECT {} FROM {}", TableSize::select(|_| None), largest(limit, &first))
}

pub(crate) fn read(answer: &[Row]) -> Result<Vec<Table>, Error> {
    rows(answer, Table::read)
}

pub(crate) fn read_sizes(answer: &[Row]) -> Result<TableSizes, Error> {
    Ok(TableSizes { read_at: crate::unix_now(), tables: rows(answer, TableSize::read)? })
}

const LABELS: &[&str] = &["datname", "schemaname", "relname"];

macro_rules! each {
    ($kind:ident, $name:literal, $help:literal, $unit:expr, $value:expr) => {
        $kind($name, $help, $unit, LABELS, |tables: &Vec<Table>, emit: &mut dyn Emit| {
            for table in tables {
                let value: fn(&Table) -> Option<_> = $value;
                emit.maybe(&[&table.database, &table.schema, &table.name], value(table));
            }
        })
    };
}

pub(crate) const METRICS: &[Metric<Vec<Table>>] = &[
    each!(counter, "pg_stat_user_tables_seq_scan", "Sequential scans.", Unit::None, |t| Some(t.seq_scans)),
    each!(counter, "pg_stat_user_tables_seq_tup_read", "Rows read by sequential scans.", Unit::None, |t| {
        Some(t.seq_rows)
    }),
    each!(counter, "pg_stat_user_tables_idx_scan", "Index scans.", Unit::None, |t| t.index_scans),
    each!(counter, "pg_stat_user_tables_idx_tup_fetch", "Rows fetched by index scans.", Unit::None, |t| t.index_rows),
    each!(counter, "pg_stat_user_tables_n_tup_ins", "Rows inserted.", Unit::None, |t| Some(t.inserted)),
    each!(counter, "pg_stat_user_tables_n_tup_upd", "Rows updated.", Unit::None, |t| Some(t.updated)),
    each!(counter, "pg_stat_user_tables_n_tup_del", "Rows deleted.", Unit::None, |t| Some(t.deleted)),
    each!(counter, "pg_stat_user_tables_n_tup_hot_upd", "Rows updated without a new index entry.", Unit::None, |t| {
        Some(t.hot_updated)
    }),
    each!(gauge, "pg_stat_user_tables_n_live_tup", "Rows that are alive, estimated.", Unit::None, |t| Some(t.live)),
    each!(gauge, "pg_stat_user_tables_n_dead_tup", "Rows that wait for vacuum, estimated.", Unit::None, |t| {
        Some(t.dead)
    }),
    each!(gauge, "pg_stat_user_tables_n_mod_since_analyze", "Rows changed since the last analyze.", Unit::None, |t| {
        Some(t.changed)
    }),
    each!(
        gauge,
        "pg_stat_user_tables_last_vacuum",
        "Last vacuum by hand, Unix seconds; absent if never.",
        Unit::Seconds,
        |t| t.last_vacuum
    ),
    each!(
        gauge,
        "pg_stat_user_tables_last_autovacuum",
        "Last vacuum by autovacuum, Unix seconds; absent if never.",
        Unit::Seconds,
        |t| t.last_autovacuum
    ),
    each!(
        gauge,
        "pg_stat_user_tables_last_analyze",
        "Last analyze by hand, Unix seconds; absent if never.",
        Unit::Seconds,
        |t| t.last_analyze
    ),
    each!(
        gauge,
        "pg_stat_user_tables_last_autoanalyze",
        "Last analyze by autovacuum, Unix seconds; absent if never.",
        Unit::Seconds,
        |t| t.last_autoanalyze
    ),
    each!(counter, "pg_stat_user_tables_vacuum_count", "Vacuums by hand.", Unit::None, |t| Some(t.vacuums)),
    each!(counter, "pg_stat_user_tables_autovacuum_count", "Vacuums by autovacuum.", Unit::None, |t| {
        Some(t.autovacuums)
    }),
    each!(counter, "pg_stat_user_tables_analyze_count", "Analyzes by hand.", Unit::None, |t| Some(t.analyzes)),
    each!(counter, "pg_stat_user_tables_autoanalyze_count", "Analyzes by autovacuum.", Unit::None, |t| {
        Some(t.autoanalyzes)
    }),
];

pub(crate) const IO: &[Metric<Vec<Table>>] = &[
    each!(
        counter,
        "pg_statio_user_tables_heap_blocks_read",
        "Blocks of the table read from outside the buffer cache.",
        Unit::None,
        |t| Some(t.heap_read)
    ),
    each!(
        counter,
        "pg_statio_user_tables_heap_blocks_hit",
        "Blocks of the table found in the buffer cache.",
        Unit::None,
        |t| Some(t.heap_hit)
    ),
    each!(
        counter,
        "pg_statio_user_tables_idx_blocks_read",
        "Blocks of the table's indexes read from outside the buffer cache.",
        Unit::None,
        |t| t.index_read
    ),
    each!(
        counter,
        "pg_statio_user_tables_idx_blocks_hit",
        "Blocks of the table's indexes found in the buffer cache.",
        Unit::None,
        |t| t.index_hit
    ),
    each!(
        counter,
        "pg_statio_user_tables_toast_blocks_read",
        "Blocks of the table's long values read from outside the buffer cache.",
        Unit::None,
        |t| t.toast_read
    ),
    each!(
        counter,
        "pg_statio_user_tables_toast_blocks_hit",
        "Blocks of the table's long values found in the buffer cache.",
        Unit::None,
        |t| t.toast_hit
    ),
];

pub(crate) const SIZES: &[Metric<TableSizes>] = &[
    gauge(
        "pg_stat_user_tables_index_size_bytes",
        "Disk space used by the table's indexes.",
        Unit::Bytes,
        LABELS,
        |sizes, emit| {
            for table in &sizes.tables {
                emit.maybe(&[&table.database, &table.schema, &table.name], table.index_bytes);
            }
        },
    ),
    gauge(
        "pg_stat_user_tables_table_size_bytes",
        "Disk space used by the table, without its indexes.",
        Unit::Bytes,
        LABELS,
        |sizes, emit| {
            for table in &sizes.tables {
                emit.maybe(&[&table.database, &table.schema, &table.name], table.table_bytes);
            }
        },
    ),
];
