//! `/v1/debate/leaderboard` and `/v1/debate/history`, as dashboards of existing installations ask for them.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DebatesView, Moment, message::Shown};
use crate::api::{ApiError, Query};

/// The routes.
pub fn routes(view: Arc<DebatesView>) -> Router {
    Router::new()
        .route("/v1/debate/leaderboard", get(leaderboard))
        .route("/v1/debate/history", get(history))
        .with_state(view)
}

const USUAL_LIMIT: usize = 10;
const LARGEST_LIMIT: usize = 500;

/// Answers `/v1/debate/leaderboard`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Leaderboard {
    leaderboard: Vec<Line>,
}

#[derive(Serialize, JsonSchema)]
struct Line {
    model: String,
    elo: Option<f64>,
    wins: u32,
    losses: u32,
    draws: u32,
    total_debates: u32,
    win_rate: Option<f64>,
    ranked: bool,
}

async fn leaderboard(State(view): State<Arc<DebatesView>>) -> Result<Response, ApiError> {
    let moment = read(&view)?;
    let Some(standings) = &moment.standings else { return Err(unread(&moment)) };
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

/// Answers `/v1/debate/history`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct History {
    debates: Vec<Shown>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    limit: Option<usize>,
    model: Option<String>,
}

async fn history(State(view): State<Arc<DebatesView>>, Query(asked): Query<Asked>) -> Result<Response, ApiError> {
    let moment = read(&view)?;
    let Some(standings) = &moment.standings else { return Err(unread(&moment)) };
    let limit = asked.limit.unwrap_or(USUAL_LIMIT).min(LARGEST_LIMIT);
    // What is not finished is no history.
    let wanted = |debate: &&Shown| {
        let of = |model: &String| *model == debate.model_a || *model == debate.model_b;
        debate.status.as_deref() == Some("completed") && asked.model.as_ref().is_none_or(of)
    };
    let debates = standings.debates.iter().filter(wanted).take(limit).cloned().collect();
    Ok(Json(History { debates }).into_response())
}

fn read(view: &DebatesView) -> Result<Arc<Moment>, ApiError> {
    view.current().ok_or_else(|| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stale", "PostgreSQL has no reading that is on time")
            .hint("see the log, or aura_source_missing_info in /metrics/aura")
            .retry_after(1)
    })
}

fn unread(moment: &Moment) -> ApiError {
    let (code, message) = moment
        .missing
        .get("leaderboard")
        .map_or(("not_configured", String::new()), |missing| (missing.reason.code(), missing.detail.clone()));
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message).retry_after(10)
}
