//! pg_stat_statements: the slowest for people, with their text, and those that take most time as metrics, without.

use std::collections::BTreeSet;

use aura_model::{Metric, Missing, Reason, rows};
use serde::Serialize;

use crate::{
    Features, StatementOptions,
    failure::{hidden, quoted},
    query::{Ask, Columns, Every, Query, Told, columns},
};

columns! {
    /// A statement that is slow on average.
    pub struct SlowStatement {
        /// Its first 200 letters; none when it is another role's and we may not see it.
        pub query: Option<String> = "pg_catalog.left(nullif(s.query, '<insufficient privilege>'), 200)",
        pub database: Option<String> = "d.datname::pg_catalog.text",
        pub calls: i64 = "s.calls",
        /// Milliseconds in all.
        pub total_ms: f64 = "s.total_exec_time",
        /// Milliseconds each time.
        pub mean_ms: f64 = "s.mean_exec_time",
        pub rows: i64 = "s.rows",
    }
}

columns! {
    /// What one statement took.
    pub struct Statement {
        /// Who ran it.
        pub user: String = "pg_catalog.pg_get_userbyid(s.userid)::pg_catalog.text",
        pub database: String = "d.datname::pg_catalog.text",
        /// The statement's number as a label.
        pub label: String = "s.queryid::pg_catalog.text",
        /// The statement's number.
        pub id: i64 = "s.queryid",
        pub calls: i64 = "pg_catalog.sum(s.calls)::bigint",
        /// Milliseconds in all.
        pub total_ms: f64 = "pg_catalog.sum(s.total_exec_time)::float",
        pub rows: i64 = "pg_catalog.sum(s.rows)::bigint",
        /// Milliseconds spent reading blocks.
        pub read_ms: f64 = "pg_catalog.sum(s.blk_read_time)::float",
        /// Its beginning; none unless it is asked for.
        pub query: Option<String> = "NULL::pg_catalog.text",
        /// Milliseconds spent writing blocks.
        pub write_ms: f64 = "pg_catalog.sum(s.blk_write_time)::float",
    }
}

/// The statements that are published.
#[derive(Debug, Serialize)]
pub struct Statements(pub Vec<Statement>);

/// The slowest statements.
#[derive(Debug, Serialize)]
pub struct SlowStatements(pub Vec<SlowStatement>);

/// Major and minor of the extension; it may be older than the server.
fn version(features: &Features) -> Option<(u32, u32)> {
    number(features.statements_version.as_deref())
}

/// The version of an extension as numbers.
pub(crate) fn number(version: Option<&str>) -> Option<(u32, u32)> {
    let (major, minor) = version?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

pub(crate) const SLOW_QUERY: Query<SlowStatements> = Query {
    every: Every::Slow,
    told: Told::Missing,
    needs_features: true,
    ..Query::new(
        "statements",
        |known, before| match known.features {
            Some(features) => slow_sql(features, !before.met_encoding()).map_or_else(not_installed, Ask::Sql),
            None => Ask::Nothing,
        },
        |answer| SlowStatement::all(answer).map(SlowStatements),
    )
};

pub(crate) const QUERY: Query<Statements> = Query {
    every: Every::Tables,
    told: Told::Refused,
    needs_features: true,
    ..Query::new(
        "stat_statements",
        |known, before| {
            let Some(features) = known.features.filter(|_| known.options.statements.metrics) else {
                return Ask::Nothing;
            };
            if features.statements_schema.is_some() && !features.sees_all {
                return Ask::Missing(hidden("stat_statements", known.user));
            }
            // Texts that our database's encoding cannot hold cost all texts, but no more.
            let query_length = if before.met_encoding() { 0 } else { known.options.statements.query_length };
            let options = StatementOptions { query_length, ..known.options.statements.clone() };
            sql(features, &options, before.value().map(|before| &**before)).map_or_else(not_installed, Ask::Sql)
        },
        |answer| Statement::all(answer).map(Statements),
    )
};

fn not_installed() -> Ask {
    let detail = "statements: pg_stat_statements is not installed in this database; add it to shared_preload_libraries, \
                  restart, and run: CREATE EXTENSION pg_stat_statements;";
    Ask::Missing(Missing::new(Reason::NotConfigured, detail))
}

/// None without the extension. The extension makes all its texts at once, each in our database's encoding, or none.
fn slow_sql(features: &Features, with_text: bool) -> Option<String> {
    let schema = quoted(features.statements_schema.as_deref()?);
    let old = version(features)? < (1, 8);
    let columns = SlowStatement::select(|column| match column {
        "query" if !with_text => Some("NULL::pg_catalog.text"),
        "total_ms" if old => Some("s.total_time"),
        "mean_ms" if old => Some("s.mean_time"),
        _ => None,
    });
    let mean = if old { "mean_time" } else { "mean_exec_time" };
    Some(format!(
        "SELECT {columns} FROM {schema}.pg_stat_statements({with_text}) s LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid \
         WHERE s.{mean} > 100 ORDER BY s.{mean} DESC LIMIT 10"
    ))
}

/// Statements that were published before come first: series that come and go are worth nothing.
fn sql(features: &Features, options: &StatementOptions, before: Option<&Statements>) -> Option<String> {
    let StatementOptions { limit, query_length, .. } = options;
    let schema = quoted(features.statements_schema.as_deref()?);
    let version = version(features)?;
    let columns = Statement::select(|column| match column {
        "total_ms" if version < (1, 8) => Some("pg_catalog.sum(s.total_time)::float"),
        "read_ms" if version >= (1, 11) => Some("pg_catalog.sum(s.shared_blk_read_time)::float"),
        "write_ms" if version >= (1, 11) => Some("pg_catalog.sum(s.shared_blk_write_time)::float"),
        _ => None,
    });
    let with_text = *query_length > 0;
    let columns = if with_text {
        let text = format!("pg_catalog.min(pg_catalog.left(s.query, {query_length}))");
        columns.replace("NULL::pg_catalog.text", &text)
    } else {
        columns
    };
    let total = if version < (1, 8) { "total_time" } else { "total_exec_time" };
    let known: Vec<String> =
        before.map(|before| before.0.iter().map(|one| one.id.to_string()).collect()).unwrap_or_default();
    Some(format!(
        "SELECT {columns} FROM {schema}.pg_stat_statements({with_text}) s JOIN pg_catalog.pg_database d ON d.oid = s.dbid \
         WHERE s.queryid IS NOT NULL GROUP BY pg_catalog.pg_get_userbyid(s.userid), d.datname, s.queryid \
         ORDER BY s.queryid = ANY ('{{{}}}'::bigint[]) DESC, pg_catalog.sum(s.{total}) DESC LIMIT {limit}",
        known.join(",")
    ))
}

pub(crate) const METRICS: &[Metric<Statements>] = rows! { |statements|
    for (queryid, query) in texts(statements) => { queryid, query } {
        counter "pg_stat_statements_query_id" = true,
            "The beginning of a statement's text; 1. Only with sources.postgres.statements.query_length.";
    }
    for one in &statements.0 => { user: one.user, datname: one.database, queryid: one.label } {
        counter "pg_stat_statements_calls_total" = one.calls, "How often the statement ran.";
        counter "pg_stat_statements_seconds_total" in Seconds = one.total_ms / 1000.0, "Time spent in the statement.";
        counter "pg_stat_statements_rows_total" = one.rows, "Rows that the statement returned or changed.";
        counter "pg_stat_statements_block_read_seconds_total" in Seconds = one.read_ms / 1000.0,
            "Time spent reading blocks.";
        counter "pg_stat_statements_block_write_seconds_total" in Seconds = one.write_ms / 1000.0,
            "Time spent writing blocks.";
    }
};

/// One number may stand for several users and databases: its text is shown once.
fn texts(statements: &Statements) -> impl Iterator<Item = (&String, &String)> {
    let mut seen = BTreeSet::new();
    statements.0.iter().filter_map(move |one| Some((&one.label, one.query.as_ref().filter(|_| seen.insert(one.id))?)))
}
