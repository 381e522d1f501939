//! `/v1/debate/leaderboard` and `/v1/debate/history`, as dashboards of existing installations ask for them.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DebatesSample, DebatesView, message::Shown};
use crate::api::{ApiError, Failure, Operation, Query, REASONS, Routes, Success};

/// The routes.
pub(crate) fn routes() -> Routes<Arc<DebatesView>> {
    Routes::new().on(LEADERBOARD, leaderboard).on(HISTORY, history)
}

const LEADERBOARD: Operation = Operation::get(
    "leaderboard",
    "/v1/debate/leaderboard",
    "Models by their rating, in the shape of existing installations.",
)
.responses(&[Success::json::<Leaderboard>(200, "Every model.")])
.errors(&[UNREAD]);

const HISTORY: Operation =
    Operation::get("debate_history", "/v1/debate/history", "Finished debates, in the shape of existing installations.")
        .query::<Parameters>()
        .responses(&[Success::json::<History>(200, "The newest that fit.")])
        .errors(&[
            Failure::new(400, &["bad_query"], "a parameter stands twice, is wrong, or is none of these"),
            UNREAD,
        ]);

const UNREAD: Failure = Failure::new(503, REASONS, "debates could not be read, and why");

const USUAL_LIMIT: usize = 10;
const LARGEST_LIMIT: usize = 500;

/// The leaderboard in the older shape.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Leaderboard {
    /// Every model, by rating, best first.
    leaderboard: Vec<Line>,
}

/// A model of the leaderboard in the older shape.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LeaderboardLine")]
struct Line {
    /// The model as Ollama names it, with its tag.
    model: String,
    /// The stored rating, else the recomputed one; `null` when there is neither.
    elo: Option<f64>,
    /// Debates won.
    wins: u32,
    /// Debates lost.
    losses: u32,
    /// Debates without a winner.
    draws: u32,
    /// All three together.
    total_debates: u32,
    /// Wins as a share of all its debates, 0 to 1; `null` without a debate.
    win_rate: Option<f64>,
    /// Whether the installation has a row for it in its ranking (`model_rankings`).
    ranked: bool,
}

async fn leaderboard(State(view): State<Arc<DebatesView>>) -> Result<Response, ApiError> {
    let sample = read(&view)?;
    let Some(standings) = &sample.standings else { return Err(unread(&sample)) };
    let leaderboard = standings.models.iter().map(|model| Line {
        model: model.model.clone(),
        elo: model.elo,
        wins: model.wins,
        losses: model.losses,
        draws: model.draws,
        total_debates: model.total_debates,
        win_rate: model.win_rate,
        ranked: model.ranked,
    });
    Ok(Json(Leaderboard { leaderboard: leaderboard.collect() }).into_response())
}

/// Finished debates.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DebateHistory")]
pub(crate) struct History {
    /// Newest first.
    debates: Vec<Shown>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// How many: 10 unless given, 500 at most.
    #[schemars(example = 20)]
    limit: Option<usize>,
    /// Only those in which this model stood.
    model: Option<String>,
}

async fn history(
    State(view): State<Arc<DebatesView>>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, ApiError> {
    let sample = read(&view)?;
    let Some(standings) = &sample.standings else { return Err(unread(&sample)) };
    let limit = parameters.limit.unwrap_or(USUAL_LIMIT).min(LARGEST_LIMIT);
    // What is not finished is no history.
    let wanted = |debate: &&Shown| {
        let of = |model: &String| *model == debate.model_a || *model == debate.model_b;
        debate.status.as_deref() == Some("completed") && parameters.model.as_ref().is_none_or(of)
    };
    let debates = standings.debates.iter().filter(wanted).take(limit).cloned().collect();
    Ok(Json(History { debates }).into_response())
}

fn read(view: &DebatesView) -> Result<Arc<DebatesSample>, ApiError> {
    view.current().ok_or_else(|| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stale", "PostgreSQL has no reading that is on time")
            .hint("see the log, or aura_source_missing_info in /metrics/aura")
            .retry_after(1)
    })
}

fn unread(sample: &DebatesSample) -> ApiError {
    let (code, message) = sample
        .missing
        .get("leaderboard")
        .map_or(("not_configured", String::new()), |missing| (missing.reason.code(), missing.detail.clone()));
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message).retry_after(10)
}
