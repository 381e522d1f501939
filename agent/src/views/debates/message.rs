//! The message of `/ws/debates` and `/api/debates`. Times of debates are the installation's own clock without a zone,
//! usually UTC. Only finished debates count; one whose arguments are error messages counts too and is marked.

use std::{collections::BTreeMap, sync::Arc};

use aura_model::Missing;
use schemars::JsonSchema;
use serde::Serialize;

use crate::api::FeedDescription;

/// The feed of the debates.
pub(crate) const FEED: FeedDescription = FeedDescription::new::<DebateUpdate>(
    "debates",
    "Debates of models and their standings, from the tables of an installation in PostgreSQL.",
    "A message with each reading of PostgreSQL.",
)
.needs_reading();

/// A message of `/ws/debates`, and what `/api/debates` answers. Times of debates are those of the installation's
/// clock without a zone, usually UTC. Only finished debates count.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DebateUpdate {
    /// Always `debate_update`.
    pub r#type: &'static str,
    /// Grows by one with each reading of PostgreSQL since the agent started.
    pub seq: u64,
    /// When PostgreSQL was asked, RFC 3339 in UTC.
    pub sampled_at: String,
    /// The same as `sampled_at`.
    pub timestamp: String,
    /// Address of the server that holds the debates; `null` when none does.
    pub server: Option<String>,
    /// Every model that has debated or has a row in the installation's ranking, by rating, best first.
    pub leaderboard: Vec<Model>,
    /// The same, under the name and in the shape of the older message `model_stats_update`.
    pub stats: Arc<Vec<Row>>,
    /// The 20 newest debates, newest first.
    pub recent: Vec<Shown>,
    /// How many debates there are, by status; `null` when they could not be read.
    pub counts: Option<Counts>,
    /// What is easily taken for something else, in two sentences.
    pub notes: [&'static str; 2],
    /// Why something is `null` or empty, by its path here.
    pub missing: BTreeMap<&'static str, Missing>,
}

/// How many debates there are, by their status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "DebateCounts")]
pub struct Counts {
    /// All that were read.
    pub total: usize,
    /// Finished (`completed`): only these count for a model.
    pub completed: usize,
    /// Under way (`running`).
    pub running: usize,
    /// Not begun (`pending`).
    pub pending: usize,
    /// Given up (`cancelled`).
    pub cancelled: usize,
    /// Finished, but an argument is an error message; `null` when rounds could not be read.
    pub with_errors: Option<usize>,
    /// Finished, but no round is stored; `null` when rounds could not be read.
    pub without_rounds: Option<usize>,
}

/// A model of the leaderboard in the older shape.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "DebateModelRow")]
pub struct Row {
    /// The model's name.
    pub model_name: String,
    /// The stored rating, else the recomputed one; `null` when there is neither.
    pub elo_rating: Option<f64>,
    /// Debates won.
    pub wins: u32,
    /// Debates lost.
    pub losses: u32,
    /// Finished debates.
    pub total_debates: u32,
}

/// What the finished debates say of a model.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "DebateModel")]
pub struct Model {
    /// The model as Ollama names it, with its tag.
    pub model: String,
    /// Its name for people, from the installation's ranking; `null` when it is not ranked.
    pub display_name: Option<String>,
    /// Whether the installation has a row for it in its ranking (`model_rankings`).
    pub ranked: bool,
    /// Its place by `elo`, from 1; equal ratings share a place.
    pub rank: u32,
    /// The stored rating, else the recomputed one: what the place is made from. `null` when there is neither.
    pub elo: Option<f64>,
    /// The stored rating (`model_rankings`); the installation does not always update it.
    pub elo_stored: Option<i32>,
    /// The rating computed from all finished debates in their order, from 1500 with K = 32; `null` when not all were
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
    /// Wins as a share of all its debates, 0 to 1, as older dashboards show it; `null` without a debate.
    pub win_rate: Option<f64>,
    /// Wins as a share of the debates that somebody won, 0 to 1; `null` without one.
    pub decided_win_rate: Option<f64>,
    /// Wins in a row up to now; negative for losses, 0 after a draw.
    pub current_streak: i32,
    /// Most wins in a row.
    pub best_streak: u32,
    /// Mean of the judge's points for it, 0 to 100; `null` when none are stored.
    pub mean_score: Option<f64>,
    /// Its finished debates in which an argument is an error message; `null` when rounds could not be read.
    pub with_errors: Option<u32>,
    /// When its last debate ended; `null` without one.
    pub last_debate_at: Option<String>,
    /// What the installation's ranking counts, where that differs from the debates; `null` where it does not.
    pub stored: Option<Stored>,
    /// Its 10 newest debates, newest first.
    pub matches: Vec<Match>,
}

/// What the installation's ranking counts (`model_rankings`).
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "StoredRanking")]
pub struct Stored {
    /// Debates won.
    pub wins: Option<i32>,
    /// Debates lost.
    pub losses: Option<i32>,
    /// Debates without a winner.
    pub draws: Option<i32>,
    /// All its debates.
    pub total_debates: Option<i32>,
}

/// A debate from the point of view of a model.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Match {
    /// The debate's number, as text.
    pub debate_id: String,
    /// Name of the model that stood against it.
    pub opponent: String,
    /// `win`, `loss` or `draw`.
    pub result: &'static str,
    /// The stored change of its rating; `null` when none is stored.
    pub elo_change: Option<i32>,
    /// When it ended.
    pub completed_at: Option<String>,
}

/// A debate, from the tables `debates` and `debate_rounds`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Debate")]
pub struct Shown {
    /// Its number, as text.
    pub debate_id: String,
    /// What it is about.
    pub topic: String,
    /// The topic's category; `null` without one.
    pub topic_category: Option<String>,
    /// Name of the model that speaks for it.
    pub model_a: String,
    /// Name of the model that speaks against it.
    pub model_b: String,
    /// Name of the model that judges; `null` without one.
    pub judge_model: Option<String>,
    /// Whether the judge is one of the two.
    pub judge_debates: bool,
    /// `pending`, `running`, `completed` or `cancelled`.
    pub status: Option<String>,
    /// Name of the model that won; `null` for a draw and for what is not finished.
    pub winner: Option<String>,
    /// Finished without a winner.
    pub draw: bool,
    /// The judge's points for A, 0 to 100; `null` when none are stored.
    pub score_a: Option<f64>,
    /// The judge's points for B, 0 to 100; `null` when none are stored.
    pub score_b: Option<f64>,
    /// Stored rating of A before it.
    pub elo_before_a: Option<i32>,
    /// Stored rating of B before it.
    pub elo_before_b: Option<i32>,
    /// Stored change for A.
    pub elo_change_a: Option<i32>,
    /// Stored change for B.
    pub elo_change_b: Option<i32>,
    /// A stored rating before it is not what that model's debate before left: the installation was started anew in
    /// between.
    pub chain_broken: bool,
    /// How far the points are apart, as a share of 100: 0 to 1.
    pub margin: Option<f64>,
    /// The chance that the stored ratings before gave the winner, 0 to 1; `null` without a winner or ratings.
    pub winner_expected: Option<f64>,
    /// An argument is an error message, so the result means nothing; `null` when rounds could not be read.
    pub has_errors: Option<bool>,
    /// Stored turns; `null` when rounds could not be read.
    pub turns: Option<i64>,
    /// How many rounds were meant.
    pub total_rounds: Option<i32>,
    /// What the judge said; `null` when nothing is stored.
    pub verdict: Option<String>,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ended; `null` while it has not.
    pub completed_at: Option<String>,
    /// Seconds from `started_at` to `completed_at`; `null` when one of them is.
    pub duration_seconds: Option<f64>,
}
