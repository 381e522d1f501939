//! The host's feed and its twins for scripts.

use std::sync::Arc;

use aura_model::Interval;
use axum::{
    Extension, Json,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::{Admitted, App, Live};
use crate::api::{ApiError, Query};

/// How far back a history goes when nobody says.
const WINDOW: Interval = Interval::from_secs(900);

/// A feed's newest message.
pub(super) async fn newest(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Response, ApiError> {
    let live = find(&app, &name)?;
    let message = live.feed.latest().filter(|_| (live.fresh)()).ok_or_else(nothing_fresh)?;
    Ok(json(message.text().clone().into_response()))
}

/// The same in a few flat numbers.
pub(super) async fn stats(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let moment = app.views.host.current().ok_or_else(nothing_fresh)?;
    Ok(Json(app.views.host.stats(&moment, &app.events.counts())).into_response())
}

/// The query of a history.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
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
    Ok(Json(app.views.host.history(window.get())).into_response())
}

/// A live feed.
pub(super) async fn live(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(admitted): Extension<Admitted>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let feed = &find(&app, &name)?.feed;
    let (client, origins) = (admitted.client.0, admitted.settings().trust.origins.clone());
    let pass = admitted.pass(request.method().clone(), request.headers(), app.watch_settings());
    Ok(feed.serve_while(&mut request, client, &origins, Some(Box::new(pass))))
}

fn find<'a>(app: &'a App, name: &str) -> Result<&'a Live, ApiError> {
    app.live(name).ok_or_else(|| {
        let names: Vec<&str> = app.live.iter().map(|live| live.feed.name()).collect();
        ApiError::new(StatusCode::NOT_FOUND, "unknown_feed", format!("there is no feed {name:?}"))
            .hint(format!("there are: {}", names.join(", ")))
    })
}

pub(super) fn nothing_fresh() -> ApiError {
    let message = "there is no reading that is on time";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stale", message)
        .hint("see the log, or aura_source_missing_info in /metrics/aura")
        .retry_after(1)
}

fn json(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
