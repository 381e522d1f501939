//! The routes, and what every request passes first.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use http::{StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{Fault, inference, state::Shared, store};

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(|| async { "Ollama is running" }))
        .route("/api/version", get(version))
        .route("/api/tags", get(store::tags))
        .route("/api/ps", get(store::ps))
        .route("/api/show", post(store::show))
        .route("/api/pull", post(store::pull))
        .route("/api/delete", delete(store::remove))
        .route("/api/generate", post(inference::generate))
        .route("/api/chat", post(inference::chat))
        .route("/api/embed", post(inference::embed))
        .fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found") })
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "405 method not allowed") })
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), enter))
        .with_state(shared)
}

async fn version(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({ "version": shared.settings.version }))
}

/// A refusal in Ollama's own dialect.
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// The fields of a request's body.
///
/// # Errors
/// It is missing, or no JSON object.
pub(crate) fn fields(body: &Bytes) -> Result<Value, Refusal> {
    let bad = |text: &str| Refusal(StatusCode::BAD_REQUEST, text.to_owned());
    if body.is_empty() {
        return Err(bad("missing request body"));
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| bad(&error.to_string()))?;
    if value.is_object() { Ok(value) } else { Err(bad("json: cannot unmarshal value into an object")) }
}

/// Lines that are sent as they are made; breaks off when the sender says so.
pub(crate) fn lines(lines: mpsc::Receiver<Option<Bytes>>) -> Response {
    let mut response = Response::new(Body::new(Lines(lines)));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, const { header::HeaderValue::from_static("application/x-ndjson") });
    response
}

struct Lines(mpsc::Receiver<Option<Bytes>>);

impl http_body::Body for Lines {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|line| match line {
            None => None,
            Some(Some(line)) => Some(Ok(http_body::Frame::data(line))),
            Some(None) => Some(Err(std::io::ErrorKind::ConnectionReset.into())),
        })
    }
}

async fn enter(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_allowed(host) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let fault = shared.state().note(request.uri().path());
    match fault {
        None => next.run(request).await,
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Slow(time)) => {
            tokio::time::sleep(time).await;
            next.run(request).await
        }
        Some(Fault::Garbage(text)) => text.into_response(),
        Some(Fault::Break) => {
            let (send, receive) = mpsc::channel(2);
            let _ = send.send(Some(Bytes::from_static(b"{\"mod"))).await;
            let _ = send.send(None).await;
            lines(receive)
        }
        Some(Fault::Refuse(status, text)) => {
            Refusal(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), text).into_response()
        }
    }
}

/// On loopback Ollama answers only to names that no foreign page can own.
fn is_allowed(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']').to_lowercase();
    match name.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_unspecified(),
        Ok(std::net::IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unspecified()
        }
        Err(_) => {
            name.is_empty()
                || name == "localhost"
                || is_this_machine(&name)
                || [".localhost", ".local", ".internal"].iter().any(|ending| name.ends_with(ending))
        }
    }
}

fn is_this_machine(name: &str) -> bool {
    std::fs::read_to_string("/proc/sys/kernel/hostname").is_ok_and(|own| own.trim().to_lowercase() == name)
}
