//! `/api/system/stats` and `/api/system/history`.

use std::sync::Arc;

use aura_model::Interval;
use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use serde::Deserialize;

use super::HostView;
use crate::api::{ApiError, Query};

/// How far back a history goes when nobody says.
const WINDOW: Interval = Interval::from_secs(900);

pub(super) fn routes() -> Router<Arc<HostView>> {
    Router::new().route("/api/system/stats", get(stats)).route("/api/system/history", get(history))
}

/// The same as the feed in a few flat numbers.
async fn stats(State(view): State<Arc<HostView>>) -> Result<Response, ApiError> {
    let stats = view.stats().ok_or_else(ApiError::nothing_fresh)?;
    Ok(Json(stats).into_response())
}

/// The query of a history.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    window: Option<String>,
}

/// What the agent remembers.
async fn history(State(view): State<Arc<HostView>>, Query(query): Query<HistoryQuery>) -> Result<Response, ApiError> {
    let window = match &query.window {
        None => WINDOW,
        Some(text) => text.parse().map_err(|error: aura_model::ParseIntervalError| {
            ApiError::new(StatusCode::BAD_REQUEST, "bad_window", error.to_string()).hint("ask for ?window=15m")
        })?,
    };
    Ok(Json(view.state().history.window(window.get())).into_response())
}
