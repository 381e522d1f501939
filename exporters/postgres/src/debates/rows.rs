//! The debates of an installation, row by row, as its tables have them. What follows from them is derived elsewhere.
//!
//! The tables are read only when they have changed: a cheap fingerprint says so at each sample.

use serde::Serialize;
use tokio_postgres::{Error, Row};

use super::access::full_name;
use crate::{
    DebateOptions,
    query::{Columns, columns},
};

/// The newest so many debates are read.
pub const MOST_DEBATES: usize = 20_000;

columns! {
    /// One debate. Times are the installation's local clock without a zone, usually UTC.
    pub struct Debate {
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
        pub model: String = "model_name::pg_catalog.text",
        /// Its name for people.
        pub display_name: String = "display_name::pg_catalog.text",
        /// The stored rating.
        pub elo: Option<i32> = "elo_rating",
        pub wins: Option<i32> = "wins",
        pub losses: Option<i32> = "losses",
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
    Ok(Debates { debates: Debate::all(&answer[usize::from(truncated)..])?, truncated })
}
