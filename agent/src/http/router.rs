//! All routes but those of the metrics, which `front` answers itself.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode, Uri};
use tokio::sync::oneshot;

use super::{App, api, page};
use crate::{
    actions,
    api::ApiError,
    views::{debates, governance, ollama, postgres},
};

/// No request of ours has a longer body.
pub(super) const BODY_BYTES: usize = 16 << 10;

/// Builds the routes.
pub(super) fn router(app: Arc<App>) -> Router {
    let mut routes = Router::new()
        .route("/api/{feed}", get(api::newest))
        .route("/api/system/stats", get(api::stats))
        .route("/api/system/history", get(api::history))
        .route("/ws/{feed}", get(api::live))
        .merge(postgres::routes())
        .merge(debates::routes())
        .route("/-/healthy", get(healthy))
        .route("/healthz", get(healthy))
        .route("/-/ready", get(ready))
        .route("/readyz", get(ready))
        .route("/-/reload", post(reload))
        .merge(ollama::routes())
        .merge(actions::ollama::routes());
    for path in page::paths() {
        routes =
            routes.route(path, get(|uri: Uri, headers: HeaderMap| async move { page::serve(uri.path(), &headers) }));
    }
    routes
        .merge(governance::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(app)
}

async fn healthy() -> &'static str {
    "Aura Agent is healthy.\n"
}

async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    if app.views.host.current().is_some() {
        return Ok("Aura Agent is ready.\n");
    }
    let error = if app.views.host.was_sampled() {
        api::nothing_fresh()
    } else {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "starting", "nothing was sampled yet")
    };
    Err(error.retry_after(1))
}

async fn reload(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    let (answer, answered) = oneshot::channel();
    let stopping = || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the agent is stopping");
    app.reload.send(answer).await.map_err(|_| stopping())?;
    match answered.await {
        Ok(Ok(())) => Ok("The configuration was loaded.\n"),
        Ok(Err(problems)) => {
            let error = ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "reload_failed", problems);
            Err(error.hint("the old configuration keeps running"))
        }
        Err(_) => Err(stopping()),
    }
}

async fn not_found(uri: Uri) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("there is nothing at {}", uri.path()))
        .hint("the page is at /, the metrics are at /metrics, the API is at /api/system")
}

async fn wrong_method(request: Request) -> ApiError {
    ApiError::wrong_method(request.method(), request.uri())
}
