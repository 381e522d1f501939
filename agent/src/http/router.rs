//! All routes but those of the metrics, which `front` answers itself.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{MethodRouter, get},
};
use http::{HeaderMap, StatusCode, Uri};
use tokio::sync::oneshot;

use super::{Admitted, App, feeds, page};
use crate::api::{Access, ApiError, Failure, Operation, Routes, Success};

/// No request of ours has a longer body.
pub(super) const BODY_BYTES: usize = 16 << 10;

/// Says why nobody may act, if nobody may.
pub type Closed = Arc<dyn Fn() -> Option<ApiError> + Send + Sync>;

/// Routes that change the world: open to whoever has a user or the control token, and to nobody while they are closed.
pub struct Actions {
    /// Each with its path.
    pub routes: Vec<(&'static str, MethodRouter)>,
    /// Why nobody may use them, if nobody may.
    pub closed: Closed,
}

/// Builds the routes: our own, and those that others bring.
pub(super) fn router(app: Arc<App>, reading: Router, actions: Vec<Actions>) -> Router {
    let mut routes = Router::new()
        .route("/api/{feed}", get(feeds::newest))
        .route("/ws/{feed}", get(feeds::live))
        .with_state(Arc::clone(&app))
        .merge(own().with(app))
        .merge(reading);
    for path in page::paths() {
        routes =
            routes.route(path, get(|uri: Uri, headers: HeaderMap| async move { page::serve(uri.path(), &headers) }));
    }
    for Actions { routes: acting, closed } in actions {
        for (path, handler) in acting {
            routes = routes.route(path, handler.route_layer(from_fn_with_state(Arc::clone(&closed), control)));
        }
    }
    routes.fallback(not_found).method_not_allowed_fallback(wrong_method).layer(DefaultBodyLimit::max(BODY_BYTES))
}

/// Lets nobody act who may not.
async fn control(
    State(closed): State<Closed>,
    Extension(admitted): Extension<Admitted>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if let Some(closed) = closed() {
        return Err(closed);
    }
    admitted.settings.may_control(request.headers())?;
    Ok(next.run(request).await)
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
    .responses(&[Success::text("It does.", &["text/plain; charset=utf-8"])]);

const READY: Operation = Operation::get("ready", "/-/ready", "Whether there is a reading of the host that is on time.")
    .access(Access::Everybody)
    .responses(&[Success::text("There is.", &["text/plain; charset=utf-8"])])
    .errors(&[
        Failure::new(503, &["starting"], "nothing was sampled yet"),
        Failure::new(503, &["stale"], "there is no reading that is on time"),
    ]);

const RELOAD: Operation = Operation::post("reload", "/-/reload", "Loads the configuration again.")
    .description("It is applied as a whole or not at all: `SIGHUP` does the same. Who may read may do this.")
    .responses(&[Success::text("It is in force.", &["text/plain; charset=utf-8"])])
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
    (app.ready)().map(|()| "Aura Agent is ready.\n")
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
    ApiError::nothing_at(uri.path())
}

async fn wrong_method(request: Request) -> ApiError {
    ApiError::wrong_method(request.method(), request.uri())
}
