//! All routes.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, Request, State},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use tokio::sync::oneshot;

use super::{ApiError, App, Chunks, api, guard, page};
use crate::publish::prometheus::{Coding, Format, Scrape, ScrapeError, scrape};

/// Answered to everybody: a supervisor that asks whether we are alive has no password.
pub(super) const OPEN: [&str; 4] = ["/-/healthy", "/-/ready", "/healthz", "/readyz"];

/// No request of ours has a longer body.
const BODY_BYTES: usize = 16 << 10;

/// Builds the routes; `telemetry_path` is where the metrics are, usually `/metrics`.
pub fn router(app: Arc<App>, telemetry_path: &str) -> Router {
    let mut routes = Router::new()
        .route(telemetry_path, get(metrics))
        .route(&format!("{}/{{part}}", telemetry_path.trim_end_matches('/')), get(metrics_part))
        .route("/api/{feed}", get(api::newest))
        .route("/api/system/stats", get(api::stats))
        .route("/api/system/history", get(api::history))
        .route("/ws/{feed}", any(api::live))
        .route("/-/healthy", get(healthy))
        .route("/healthz", get(healthy))
        .route("/-/ready", get(ready))
        .route("/readyz", get(ready))
        .route("/-/reload", post(reload));
    for path in page::paths() {
        routes =
            routes.route(path, get(|uri: Uri, headers: HeaderMap| async move { page::serve(uri.path(), &headers) }));
    }
    routes
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(app)
}

async fn metrics(State(app): State<Arc<App>>, request: Request) -> Response {
    answer_scrape(&app, None, &request)
}

async fn metrics_part(State(app): State<Arc<App>>, Path(part): Path<String>, request: Request) -> Response {
    answer_scrape(&app, Some(&part), &request)
}

fn answer_scrape(app: &App, part: Option<&str>, request: &Request) -> Response {
    let answer = try_scrape(app, part, request);
    app.events.note(|counts| match &answer {
        Ok(_) => counts.scrapes += 1,
        Err(_) => counts.scrapes_refused += 1,
    });
    answer.unwrap_or_else(IntoResponse::into_response)
}

fn try_scrape(app: &App, part: Option<&str>, request: &Request) -> Result<Response, ApiError> {
    let place = Arc::clone(&app.scrapes).try_acquire_owned().map_err(|_| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_scrapes",
            "as many scrapes run as web.max_requests allows",
        )
        .hint("scrape less often, or raise web.max_requests")
        .retry_after(1)
    })?;
    let (format, coding) = (Format::negotiate(request.headers()), Coding::negotiate(request.headers()));
    let chunks = Scrape::parse(part, request.uri().query())
        .and_then(|wanted| scrape(&app.hub.sources(), &wanted, format, coding))
        .map_err(|error| match &error {
            ScrapeError::UnknownPart { .. } => ApiError::new(StatusCode::NOT_FOUND, "unknown_part", error.to_string()),
            ScrapeError::UnknownGroup { .. } | ScrapeError::BothFilters => {
                ApiError::new(StatusCode::BAD_REQUEST, "bad_filter", error.to_string())
            }
        })?;
    let mut response = Response::new(Body::new(Chunks::new(chunks, place)));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    fields.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    if let Some(token) = coding.token() {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(token));
    }
    Ok(response)
}

async fn healthy() -> &'static str {
    "Aura Agent is healthy.\n"
}

async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    if app.system.current().is_some() {
        return Ok("Aura Agent is ready.\n");
    }
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "starting", "nothing was sampled yet").retry_after(1))
}

async fn reload(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    let (answer, answered) = oneshot::channel();
    let failed = |message: String| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "reload_failed", message);
    app.reload.send(answer).await.map_err(|_| failed("the agent is stopping".into()))?;
    match answered.await {
        Ok(Ok(())) => Ok("The configuration was loaded.\n"),
        Ok(Err(problems)) => Err(failed(problems).hint("the old configuration keeps running")),
        Err(_) => Err(failed("the agent is stopping".into())),
    }
}

async fn not_found(uri: Uri) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("there is nothing at {}", uri.path()))
        .hint("the page is at /, the metrics are at /metrics, the API is at /api/system")
}

async fn wrong_method(request: Request) -> ApiError {
    let message = format!("{} is not answered at {}", request.method(), request.uri().path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message)
}
