//! The host's feed and its twins for scripts.

use std::{net::SocketAddr, sync::Arc};

use aura_model::Interval;
use axum::{
    Json,
    extract::{ConnectInfo, Query, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::{ApiError, App};

/// How far back a history goes when nobody says.
const WINDOW: Interval = Interval::from_secs(900);

/// The feed's newest message.
pub(super) async fn system(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    app.system.current().ok_or_else(nothing_fresh)?;
    let message = app.system_feed.latest().ok_or_else(nothing_fresh)?;
    Ok(json(message.text().clone().into_response()))
}

/// The same in a few flat numbers.
pub(super) async fn stats(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let moment = app.system.current().ok_or_else(nothing_fresh)?;
    Ok(Json(app.system.stats(&moment)).into_response())
}

/// The query of a history.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    window: Option<String>,
}

/// What the agent remembers.
pub(super) async fn history(State(app): State<Arc<App>>, Query(asked): Query<Asked>) -> Result<Response, ApiError> {
    let window = match &asked.window {
        None => WINDOW,
        Some(text) => text.parse().map_err(|error: aura_model::ParseIntervalError| {
            ApiError::new(StatusCode::BAD_REQUEST, "bad_window", error.to_string()).hint("ask for ?window=15m")
        })?,
    };
    Ok(Json(app.system.history(window.get())).into_response())
}

/// The live feed.
pub(super) async fn feed(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    app.system_feed.serve(&mut request, peer.ip())
}

fn nothing_fresh() -> ApiError {
    let message = "the host has no reading that is on time";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stale", message)
        .hint("see the log, or aura_source_missing_info in /metrics/aura")
        .retry_after(1)
}

fn json(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
