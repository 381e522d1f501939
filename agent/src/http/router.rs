//! All routes but those of the metrics, which `front` answers itself.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    routing::get,
};
use http::{HeaderMap, StatusCode, Uri};
use tokio::sync::oneshot;

use super::{App, api, page};
use crate::{
    actions,
    api::{Access, Answer, ApiError, Failure, Operation, Routes},
    views::{debates, governance, ollama, postgres},
};

/// No request of ours has a longer body.
pub(super) const BODY_BYTES: usize = 16 << 10;

/// Builds the routes.
pub(super) fn router(app: Arc<App>) -> Router {
    let mut routes = Router::new()
        .route("/api/{feed}", get(api::newest))
        .route("/ws/{feed}", get(api::live))
        .merge(api::routes().router())
        .merge(own().router())
        .merge(postgres::routes().router())
        .merge(postgres::probe_routes().router())
        .merge(debates::routes().router())
        .merge(ollama::routes().router())
        .merge(actions::ollama::routes().router())
        .merge(governance::routes().router());
    for path in page::paths() {
        routes =
            routes.route(path, get(|uri: Uri, headers: HeaderMap| async move { page::serve(uri.path(), &headers) }));
    }
    routes
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(app)
}

/// The routes about the agent itself.
pub(crate) fn own() -> Routes<Arc<App>> {
    Routes::new()
        .on(HEALTHY, healthy)
        .on(Operation { id: "healthz", path: "/healthz", ..HEALTHY }, healthy)
        .on(READY, ready)
        .on(Operation { id: "readyz", path: "/readyz", ..READY }, ready)
        .on(RELOAD, reload)
}

const HEALTHY: Operation = Operation::get("healthy", "/-/healthy", "Whether the agent answers.")
    .access(Access::Everybody)
    .answers(&[Answer::text("It does.", &["text/plain; charset=utf-8"])]);

const READY: Operation = Operation::get("ready", "/-/ready", "Whether there is a reading of the host that is on time.")
    .access(Access::Everybody)
    .answers(&[Answer::text("There is.", &["text/plain; charset=utf-8"])])
    .errors(&[
        Failure::new(503, &["starting"], "nothing was sampled yet"),
        Failure::new(503, &["stale"], "there is no reading that is on time"),
    ]);

const RELOAD: Operation = Operation::post("reload", "/-/reload", "Loads the configuration again.")
    .description("It is applied as a whole or not at all: `SIGHUP` does the same. Who may read may do this.")
    .answers(&[Answer::text("It is in force.", &["text/plain; charset=utf-8"])])
    .errors(&[
        Failure::new(
            500,
            &["reload_failed"],
            "the configuration has mistakes, which `message` lists; the old one keeps running",
        ),
        Failure::new(503, &["stopping"], "the agent is stopping"),
    ]);

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
