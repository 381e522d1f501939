//! The message of `/ws/debates` and `/api/debates`. Times of debates are the installation's own clock without a zone,
//! usually UTC. Only finished debates count; one whose arguments are error messages counts too and is marked.

use std::collections::BTreeMap;

use aura_model::Missing;
use schemars::JsonSchema;
use serde::Serialize;

/// One message.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DebateUpdate {
    /// Always `debate_update`.
    pub r#type: &'static str,
    /// One more with each message.
    pub seq: u64,
    /// When PostgreSQL was asked, RFC 3339.
    pub sampled_at: String,
    /// The same as `sampled_at`.
    pub timestamp: String,
    /// The server that holds the debates; `null` when none does.
    pub server: Option<String>,
    /// Models by rating.
    pub leaderboard: Vec<Model>,
    /// The same, under the name of the older message `model_stats_update`.
    pub stats: Vec<Row>,
    /// The newest debates, newest first.
    pub recent: Vec<Shown>,
    /// How many there are, by status; `null` when they could not be read.
    pub counts: Option<Counts>,
    /// Which number means what.
    pub notes: [&'static str; 2],
    /// Why something is `null` or empty, by its path.
    pub missing: BTreeMap<&'static str, Missing>,
}

/// How many debates there are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Counts {
    /// All that were read.
    pub total: usize,
    /// Finished: only these count for a model.
    pub completed: usize,
    /// Under way.
    pub running: usize,
    /// Not begun.
    pub pending: usize,
    /// Given up.
    pub cancelled: usize,
    /// Finished, but an argument is an error message.
    pub with_errors: Option<usize>,
    /// Finished, but no round is stored.
    pub without_rounds: Option<usize>,
}

/// A model's line in the older shape.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    /// The model.
    pub model_name: String,
    /// The stored rating, else the recomputed one.
    pub elo_rating: Option<f64>,
    /// Debates won.
    pub wins: u32,
    /// Debates lost.
    pub losses: u32,
    /// Debates.
    pub total_debates: u32,
}

/// What the debates say of a model.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Model {
    /// Its name.
    pub model: String,
    /// Its name for people; `null` when it is not ranked.
    pub display_name: Option<String>,
    /// Whether the installation has a row for it in its ranking.
    pub ranked: bool,
    /// Its place by `elo`, from 1; equal ratings share a place.
    pub rank: u32,
    /// The stored rating, else the recomputed one: what the place is made from.
    pub elo: Option<f64>,
    /// The stored rating; the installation does not always update it.
    pub elo_stored: Option<i32>,
    /// The rating computed from all finished debates in their order, from 1500 with K 32; `null` when not all were
    /// read.
    pub elo_recomputed: Option<f64>,
    /// Debates won.
    pub wins: u32,
    /// Debates lost.
    pub losses: u32,
    /// Debates without a winner.
    pub draws: u32,
    /// All three together.
    pub total_debates: u32,
    /// Wins by all debates, 0 to 1, as the dashboards show it; `null` without a debate.
    pub win_rate: Option<f64>,
    /// Wins by debates that somebody won, 0 to 1; `null` without one.
    pub decided_win_rate: Option<f64>,
    /// Wins in a row up to now; negative for losses, 0 after a draw.
    pub current_streak: i32,
    /// Most wins in a row.
    pub best_streak: u32,
    /// Mean points from the judge.
    pub mean_score: Option<f64>,
    /// Finished debates in which an argument is an error message.
    pub with_errors: Option<u32>,
    /// When its last debate ended.
    pub last_debate_at: Option<String>,
    /// The numbers that the installation's ranking has, where they differ from the debates.
    pub stored: Option<Stored>,
    /// Its newest debates, newest first.
    pub matches: Vec<Match>,
}

/// The ranking's own numbers.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Stored {
    /// Stored wins.
    pub wins: Option<i32>,
    /// Stored losses.
    pub losses: Option<i32>,
    /// Stored draws.
    pub draws: Option<i32>,
    /// Stored number of debates.
    pub total_debates: Option<i32>,
}

/// One debate from the point of view of a model.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Match {
    /// The debate.
    pub debate_id: String,
    /// Who stood against it.
    pub opponent: String,
    /// `win`, `loss` or `draw`.
    pub result: &'static str,
    /// The stored change of its rating.
    pub elo_change: Option<i32>,
    /// When it ended.
    pub completed_at: Option<String>,
}

/// One debate.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Shown {
    /// Its number.
    pub debate_id: String,
    /// What it is about.
    pub topic: String,
    /// The topic's category.
    pub topic_category: Option<String>,
    /// Who speaks for it.
    pub model_a: String,
    /// Who speaks against it.
    pub model_b: String,
    /// Who judges.
    pub judge_model: Option<String>,
    /// The judge is one of the two.
    pub judge_debates: bool,
    /// `pending`, `running`, `completed` or `cancelled`.
    pub status: Option<String>,
    /// Who won; `null` for a draw and for what is not finished.
    pub winner: Option<String>,
    /// Finished without a winner.
    pub draw: bool,
    /// The judge's points for A.
    pub score_a: Option<f64>,
    /// The judge's points for B.
    pub score_b: Option<f64>,
    /// Stored rating of A before.
    pub elo_before_a: Option<i32>,
    /// Stored rating of B before.
    pub elo_before_b: Option<i32>,
    /// Stored change for A.
    pub elo_change_a: Option<i32>,
    /// Stored change for B.
    pub elo_change_b: Option<i32>,
    /// The stored rating before is not what the debate before left: the installation was started anew in between.
    pub chain_broken: bool,
    /// How far the points are apart, 0 to 1.
    pub margin: Option<f64>,
    /// The chance that the ratings before gave the winner, 0 to 1.
    pub winner_expected: Option<f64>,
    /// An argument is an error message, so the result means nothing; `null` when the rounds could not be read.
    pub has_errors: Option<bool>,
    /// Stored turns; `null` when the rounds could not be read.
    pub turns: Option<i64>,
    /// How many rounds were meant.
    pub total_rounds: Option<i32>,
    /// What the judge said.
    pub verdict: Option<String>,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ended.
    pub completed_at: Option<String>,
    /// How long it took.
    pub duration_seconds: Option<f64>,
}
