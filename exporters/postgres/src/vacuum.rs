//! Vacuums that run now, from pg_stat_progress_vacuum.

use aura_model::{Metric, rows};
use serde::Serialize;

use crate::query::{Columns, Every, Query, columns};

/// The phases in their order; each is published, 1 for the one that it is in.
const PHASES: [&str; 7] = [
    "initializing",
    "scanning heap",
    "vacuuming indexes",
    "vacuuming heap",
    "cleaning up indexes",
    "truncating heap",
    "performing final cleanup",
];

columns! {
    /// A vacuum that runs. Those of other roles are hidden from those without pg_read_all_stats.
    pub struct Vacuum {
        pub database: Option<String> = "datname::pg_catalog.text",
        /// Its table: by name in the database that we are connected to (with its schema unless that is
        /// `public`), by number elsewhere.
        pub table: Option<String> = "CASE WHEN datname = pg_catalog.current_database() THEN coalesce((SELECT \
            CASE WHEN n.nspname = 'pg_catalog' OR n.nspname = 'public' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class \
            WHERE relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND relname = c.relname) THEN \
            pg_catalog.quote_ident(c.relname) ELSE pg_catalog.format('%I.%I', n.nspname, c.relname) END \
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
            WHERE c.oid = relid), relid::pg_catalog.text) ELSE relid::pg_catalog.text END",
        /// What it does now.
        pub phase: Option<String> = "phase",
        pub blocks: Option<i64> = "heap_blks_total",
        pub scanned: Option<i64> = "heap_blks_scanned",
        /// Blocks cleaned.
        pub vacuumed: Option<i64> = "heap_blks_vacuumed",
        /// Rounds over the indexes.
        pub index_rounds: Option<i64> = "index_vacuum_count",
        /// Dead rows that it can remember; until version 16, later ones count bytes.
        pub most_dead: Option<i64> = "max_dead_tuples",
        /// Dead rows found since the last round over the indexes.
        pub dead: Option<i64> = "num_dead_tuples",
    }
}

/// Vacuums that run.
#[derive(Debug, Default, Serialize)]
pub struct Vacuums(pub Vec<Vacuum>);

pub(crate) const QUERY: Query<Vacuums> = Query {
    every: Every::Seconds(5),
    hides: |vacuums| vacuums.0.iter().any(|one| one.phase.is_none()),
    ..Query::new(
        "stat_progress_vacuum",
        |known, _| sql(known.version).into(),
        |answer| Vacuum::all(answer).map(Vacuums),
    )
};

/// The query for a version, given as `server_version_num`.
fn sql(version: u32) -> String {
    let columns = Vacuum::select(|column| match column {
        "most_dead" if version >= 170_000 => Some("NULL::bigint"),
        "dead" if version >= 170_000 => Some("num_dead_item_ids"),
        _ => None,
    });
    format!("SELECT {columns} FROM pg_catalog.pg_stat_progress_vacuum")
}

pub(crate) const METRICS: &[Metric<Vacuums>] = rows! { |vacuums|
    for (vacuum, datname, relname) in running(vacuums), phase in PHASES => { datname, relname, phase } {
        gauge "pg_stat_progress_vacuum_phase" = vacuum.phase.as_ref().map(|now| phase == now),
            "Whether a running vacuum is in this phase.";
    }
    for (vacuum, datname, relname) in running(vacuums) => { datname, relname } {
        gauge "pg_stat_progress_vacuum_heap_blks" = vacuum.blocks, "Blocks of the table that is vacuumed.";
        gauge "pg_stat_progress_vacuum_heap_blks_scanned" = vacuum.scanned, "Blocks scanned so far.";
        gauge "pg_stat_progress_vacuum_heap_blks_vacuumed" = vacuum.vacuumed, "Blocks cleaned so far.";
        gauge "pg_stat_progress_vacuum_index_vacuums" = vacuum.index_rounds, "Finished rounds over the indexes.";
        gauge "pg_stat_progress_vacuum_max_dead_tuples" = vacuum.most_dead,
            "Dead rows that can be remembered until a round over the indexes is due; until PostgreSQL 16.";
        gauge "pg_stat_progress_vacuum_num_dead_tuples" = vacuum.dead,
            "Dead rows found since the last round over the indexes.";
    }
};

/// Those whose table may be seen, with its database and name.
fn running(vacuums: &Vacuums) -> impl Iterator<Item = (&Vacuum, &String, &String)> {
    vacuums.0.iter().filter_map(|vacuum| Some((vacuum, vacuum.database.as_ref()?, vacuum.table.as_ref()?)))
}
