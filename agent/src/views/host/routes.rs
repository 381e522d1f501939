//! The twins of the host's feed for scripts.

use std::sync::Arc;

use aura_model::Interval;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{HostView, history::Window, stats::Stats};
use crate::api::{ApiError, Failure, Operation, Query, Routes, Success};

/// How far back a history goes when nobody says.
const WINDOW: Interval = Interval::from_secs(900);

/// The routes.
pub(crate) fn routes() -> Routes<Arc<HostView>> {
    Routes::new().on(STATS, stats).on(HISTORY, history)
}

const STATS: Operation =
    Operation::get("system_stats", "/api/system/stats", "The host in a few flat numbers, for monitors that poll.")
        .responses(&[Success::json::<Stats>(200, "The newest reading.")])
        .errors(&[Failure::new(503, &["stale"], "there is no reading that is on time")]);

const HISTORY: Operation = Operation::get("system_history", "/api/system/history", "What is remembered of the host.")
    .description(
        "A row a second for an hour unless `history` in the configuration says otherwise; it is gone when the agent is started anew.",
    )
    .query::<Parameters>()
    .responses(&[Success::json::<Window>(200, "What is remembered, as far as it goes back.")])
    .errors(&[
        Failure::new(400, &["bad_window"], "`window` is no duration"),
        Failure::new(400, &["bad_query"], "a parameter stands twice, or is none of these"),
    ]);

/// The feed's message in a few flat numbers.
async fn stats(State(view): State<Arc<HostView>>) -> Result<Response, ApiError> {
    Ok(Json(view.stats().ok_or_else(ApiError::nothing_fresh)?).into_response())
}

/// The query of a history.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// How far back: a duration such as `90s`, `15m` or `1h`. 15 minutes unless given.
    #[schemars(example = &"15m")]
    window: Option<String>,
}

/// What the agent remembers.
async fn history(
    State(view): State<Arc<HostView>>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, ApiError> {
    let window = match &parameters.window {
        None => WINDOW,
        Some(text) => text.parse().map_err(|error: aura_model::ParseIntervalError| {
            ApiError::new(StatusCode::BAD_REQUEST, "bad_window", error.to_string()).hint("ask for ?window=15m")
        })?,
    };
    Ok(Json(view.state().history.window(window.get())).into_response())
}
