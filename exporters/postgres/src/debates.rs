//! The debates of an installation, row by row, as its tables have them. What follows from them is derived elsewhere.
//!
//! The tables are read only when they have changed: a cheap fingerprint says so at each sample.

use serde::Serialize;
use tokio_postgres::{Error, Row};

use crate::{
    DebateOptions,
    ask::{columns, rows},
    standing::{full_name, literal},
    text::Column,
};

/// The newest so many debates are read.
pub const MOST_DEBATES: usize = 20_000;

columns! {
    /// One debate. Times are the installation's local clock without a zone, usually UTC.
    pub struct Debate {
        /// Its number.
        pub id: String = "id::pg_catalog.text",
        /// What it is about, cut at 500 letters.
        pub topic: String = "pg_catalog.left(topic::pg_catalog.text, 500)",
        /// The topic's category.
        pub category: Option<String> = "topic_category::pg_catalog.text",
        /// The side that speaks for the topic.
        pub model_a: String = "model_a::pg_catalog.text",
        /// The side that speaks against it.
        pub model_b: String = "model_b::pg_catalog.text",
        /// Who judges; may be one of the two.
        pub judge: Option<String> = "judge_model::pg_catalog.text",
        /// Who won; none for a draw.
        pub winner: Option<String> = "winner::pg_catalog.text",
        /// The stored change of A's rating.
        pub elo_change_a: Option<i32> = "elo_change_a",
        /// The stored change of B's rating.
        pub elo_change_b: Option<i32> = "elo_change_b",
        /// A's stored rating before.
        pub elo_before_a: Option<i32> = "elo_before_a",
        /// B's stored rating before.
        pub elo_before_b: Option<i32> = "elo_before_b",
        /// The judge's points for A, 0 to 100.
        pub score_a: Option<f64> = "score_a",
        /// The judge's points for B, 0 to 100.
        pub score_b: Option<f64> = "score_b",
        /// What the judge said, of the newest debates only, cut at 1000 letters.
        pub verdict: Option<String> =
            "CASE WHEN pg_catalog.row_number() OVER (ORDER BY coalesce(completed_at, started_at) DESC NULLS \
            LAST) <= 50 \
             THEN pg_catalog.left(verdict::pg_catalog.text, 1000) END",
        /// When it began.
        pub started_at: Option<String> = "pg_catalog.to_char(started_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS')",
        /// When it ended.
        pub completed_at: Option<String> = "pg_catalog.to_char(completed_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS')",
        /// How long it took; one row that begins or ends at infinity, which cannot be subtracted, must not cost the others.
        pub duration_seconds: Option<f64> = "CASE WHEN pg_catalog.isfinite(started_at) AND \
            pg_catalog.isfinite(completed_at) \
             THEN extract(epoch FROM completed_at - started_at)::float END",
        /// `pending`, `running`, `completed` or `cancelled`.
        pub status: Option<String> = "status::pg_catalog.text",
        /// How many rounds were meant.
        pub total_rounds: Option<i32> = "total_rounds",
    }
}

columns! {
    /// A model's stored ranking.
    pub struct Ranking {
        /// The model.
        pub model: String = "model_name::pg_catalog.text",
        /// Its name for people.
        pub display_name: String = "display_name::pg_catalog.text",
        /// The stored rating.
        pub elo: Option<i32> = "elo_rating",
        /// Stored wins.
        pub wins: Option<i32> = "wins",
        /// Stored losses.
        pub losses: Option<i32> = "losses",
        /// Stored draws.
        pub draws: Option<i32> = "draws",
        /// Stored number of debates.
        pub total_debates: Option<i32> = "total_debates",
        /// What it is said to be good at.
        pub specialty: Option<String> = "specialty::pg_catalog.text",
    }
}

columns! {
    /// The stored rounds of one debate.
    pub struct Rounds {
        /// The debate.
        pub debate: String = "debate_id::pg_catalog.text",
        /// How many turns are stored.
        pub turns: i64 = "pg_catalog.count(*)",
        /// How many of them are error messages in the place of an argument.
        pub errors: i64 = "pg_catalog.count(*) FILTER (WHERE pg_catalog.substr(argument::pg_catalog.text, 1, 7) = '[Error:')",
    }
}

/// Everything that is stored of debates.
#[derive(Debug, Serialize)]
pub struct Debates {
    /// In the order in which they ended; those that have not ended come last.
    pub debates: Vec<Debate>,
    /// There are more than were read.
    pub truncated: bool,
}

/// Says in one line what these tables hold, for as long as nobody changes them.
pub(crate) fn fingerprint_sql(options: &DebateOptions, tables: &[&str]) -> String {
    let parts: Vec<String> = tables.iter().map(|table| sum(&full_name(options, table))).collect();
    format!("SELECT pg_catalog.concat_ws(' ', {})", parts.join(", "))
}

/// A new version of a row has a new xmin, a deleted row changes the count.
fn sum(table: &str) -> String {
    format!(
        "(SELECT pg_catalog.count(*) || ':' || coalesce(pg_catalog.sum(xmin::pg_catalog.text::bigint), 0) FROM {table})"
    )
}

/// Where changes of the tables are announced.
#[derive(Debug)]
pub(crate) struct Channels {
    /// The channels to listen on.
    pub names: Vec<String>,
    /// Each of the tables announces each kind of change; what else changes is not looked for as often.
    pub complete: bool,
}

/// Triggers whose function names its channel in so many words, and which changes call them. A channel that is put
/// together when the function runs is not known from outside.
pub(crate) fn channels_sql(options: &DebateOptions, tables: &[&str]) -> String {
    let tables: Vec<String> = tables.iter().map(|table| format!("('{table}')")).collect();
    format!(
        "SELECT announced.channel, coalesce(pg_catalog.bit_or(announced.events), 0)::int AS events \
         FROM (VALUES {}) AS known (name) LEFT JOIN LATERAL (\
         SELECT (pg_catalog.regexp_match(p.prosrc, \
         $$(?:pg_notify\\s*\\(\\s*'([^']+)'\\s*,|notify\\s+\"?(\\w+))$$, 'i')) AS found, \
         t.tgtype::int AS events FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid \
         JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relname = known.name AND NOT t.tgisinternal \
         AND t.tgenabled IN ('O', 'A')) triggers \
         ON triggers.found IS NOT NULL CROSS JOIN LATERAL (\
         SELECT coalesce(triggers.found[1], triggers.found[2]) AS channel, triggers.events) announced \
         GROUP BY known.name, announced.channel",
        tables.join(", "),
        literal(&options.schema)
    )
}

pub(crate) fn read_channels(answer: &[Row]) -> Result<Channels, Error> {
    /// Bits of `tgtype`: insert, delete and update.
    const CHANGES: i32 = 4 | 8 | 16;
    let mut channels = Channels { names: Vec::new(), complete: true };
    for row in answer {
        let (name, events) = (<Option<String> as Column>::at(row, 0)?, i32::at(row, 1)?);
        channels.complete &= name.is_some() && events & CHANGES == CHANGES;
        // The server cuts longer names, and refuses them in pg_notify.
        channels.names.extend(name.filter(|name| name.len() < 64 && !channels.names.contains(name)));
    }
    Ok(channels)
}

pub(crate) fn read_fingerprint(answer: &[Row]) -> Result<String, Error> {
    answer.first().map_or_else(|| Ok(String::new()), |row| String::at(row, 0))
}

pub(crate) fn debates_sql(options: &DebateOptions) -> String {
    format!(
        "SELECT {} FROM (SELECT * FROM {} ORDER BY coalesce(completed_at, 'infinity') DESC, id DESC LIMIT {}) \
         newest ORDER BY coalesce(newest.completed_at, 'infinity'), newest.started_at, newest.id",
        Debate::select(|_| None),
        full_name(options, "debates"),
        MOST_DEBATES + 1
    )
}

pub(crate) fn rankings_sql(options: &DebateOptions) -> String {
    let (columns, table) = (Ranking::select(|_| None), full_name(options, "model_rankings"));
    format!("SELECT {columns} FROM {table} ORDER BY model_name LIMIT 1000")
}

pub(crate) fn rounds_sql(options: &DebateOptions) -> String {
    let (columns, table) = (Rounds::select(|_| None), full_name(options, "debate_rounds"));
    format!("SELECT {columns} FROM {table} GROUP BY debate_id LIMIT {}", 2 * MOST_DEBATES)
}

pub(crate) fn read(answer: &[Row]) -> Result<Debates, Error> {
    let truncated = answer.len() > MOST_DEBATES;
    Ok(Debates { debates: rows(&answer[usize::from(truncated)..], Debate::read)?, truncated })
}

pub(crate) fn read_rankings(answer: &[Row]) -> Result<Vec<Ranking>, Error> {
    rows(answer, Ranking::read)
}

pub(crate) fn read_rounds(answer: &[Row]) -> Result<Vec<Rounds>, Error> {
    rows(answer, Rounds::read)
}
