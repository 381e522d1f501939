//! The twins of the host's feed for scripts, and whether the agent is ready.

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

/// The routes.
pub fn routes(view: Arc<HostView>) -> Router {
    Router::new().route("/api/system/stats", get(stats)).route("/api/system/history", get(history)).with_state(view)
}

impl HostView {
    /// Whether there is a reading of the host that is on time.
    ///
    /// # Errors
    /// The answer that says why not.
    pub fn ready(&self) -> Result<(), ApiError> {
        if self.current().is_some() {
            return Ok(());
        }
        let error = if self.was_sampled() {
            ApiError::nothing_fresh()
        } else {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "starting", "nothing was sampled yet")
        };
        Err(error.retry_after(1))
    }
}

/// The feed's message in a few flat numbers.
async fn stats(State(view): State<Arc<HostView>>) -> Result<Response, ApiError> {
    let moment = view.current().ok_or_else(ApiError::nothing_fresh)?;
    Ok(Json(view.stats(&moment)).into_response())
}

/// The query of a history.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    window: Option<String>,
}

/// What the agent remembers.
async fn history(State(view): State<Arc<HostView>>, Query(asked): Query<Asked>) -> Result<Response, ApiError> {
    let window = match &asked.window {
        None => WINDOW,
        Some(text) => text.parse().map_err(|error: aura_model::ParseIntervalError| {
            ApiError::new(StatusCode::BAD_REQUEST, "bad_window", error.to_string()).hint("ask for ?window=15m")
        })?,
    };
    Ok(Json(view.history(window.get())).into_response())
}
