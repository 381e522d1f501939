//! The routes, and what every request passes first.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::{
    Fault,
    inference::{self, Dialect},
    origin::{self, Origin},
    state::Shared,
    store,
};

/// Go's server buffers so much of an answer to tell its length; what is longer comes in chunks.
const BUFFERED: usize = 2048;

/// What a request's body may have at most. Ollama has no such limit.
const LARGEST: usize = 64 << 20;

/// The methods of each path, in the order in which a 405 names them.
const ROUTES: &[(&str, &str)] = &[
    ("/", "HEAD, GET"),
    ("/api/version", "HEAD, GET"),
    ("/api/tags", "HEAD, GET"),
    ("/api/ps", "GET"),
    ("/api/show", "POST"),
    ("/api/pull", "POST"),
    ("/api/copy", "POST"),
    ("/api/create", "POST"),
    ("/api/delete", "DELETE"),
    ("/api/generate", "POST"),
    ("/api/chat", "POST"),
    ("/api/embed", "POST"),
];

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(enter).with_state(shared)
}

/// A refusal in Ollama's own dialect.
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) String);

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json_text(self.0, refusal_text(&self.1))
    }
}

/// An error as a body, or as a last line.
pub(crate) fn refusal_text(text: &str) -> String {
    serde_json::to_string(&ErrorBody { error: text }).unwrap_or_default()
}

/// An answer of one object.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    json_text(status, serde_json::to_string(value).unwrap_or_default())
}

pub(crate) fn json_text(status: StatusCode, text: String) -> Response {
    (status, [("content-type", "application/json; charset=utf-8")], text).into_response()
}

/// Lines that are sent as they are made; breaks off when the sender says so.
pub(crate) fn lines(lines: mpsc::Receiver<Option<Bytes>>) -> Response {
    let mut response = Response::new(Body::new(Lines(lines)));
    response.headers_mut().insert(header::CONTENT_TYPE, const { HeaderValue::from_static("application/x-ndjson") });
    response
}

struct Lines(mpsc::Receiver<Option<Bytes>>);

impl http_body::Body for Lines {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        let Some(first) = std::task::ready!(self.0.poll_recv(context)) else { return Poll::Ready(None) };
        let Some(mut lines) = first else { return Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into()))) };
        // Lines that are there already go together, as they do over a socket; not the sign to break off.
        while !self.0.is_empty() && lines.ends_with(b"\n") {
            match self.0.try_recv() {
                Ok(Some(more)) => lines = [&lines[..], &more[..]].concat().into(),
                _ => return Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into()))),
            }
        }
        Poll::Ready(Some(Ok(http_body::Frame::data(lines))))
    }
}

async fn enter(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Infallible> {
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let allowed = Origin::of(&request);
    let mut response = match &allowed {
        Origin::Refused => StatusCode::FORBIDDEN.into_response(),
        Origin::Allowed(_) if method == Method::OPTIONS => origin::preflight(),
        _ if !origin::is_allowed_host(origin::host(&request)) => StatusCode::FORBIDDEN.into_response(),
        _ => respond(&shared, request).await,
    };
    if let Origin::Allowed(origin) = allowed {
        origin::allow(response.headers_mut(), origin);
    }
    if shared.settings.logs_requests {
        let (status, time) = (response.status().as_u16(), begun.elapsed());
        eprintln!("[GIN] | {status} | {time:>13.1?} | {:>15} | {method:<8} {path:?}", "127.0.0.1");
    }
    Ok(response)
}

async fn respond(shared: &Arc<Shared>, request: Request) -> Response {
    let fault = shared.state().note(request.uri().path());
    match fault {
        None => dispatch(shared, request).await,
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Slow(time)) => {
            tokio::time::sleep(time).await;
            dispatch(shared, request).await
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

async fn dispatch(shared: &Arc<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let Some((_, methods)) = ROUTES.iter().find(|(known, _)| *known == path) else {
        return plain(StatusCode::NOT_FOUND, "404 page not found");
    };
    if !methods.split(", ").any(|method| method == head.method.as_str()) {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "405 method not allowed");
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
        return refused;
    }
    let body = to_bytes(body, LARGEST).await.unwrap_or_default();
    let answered = match path {
        "/" => Ok("Ollama is running".into_response()),
        "/api/version" => Ok(json(StatusCode::OK, &Version { version: &shared.settings.version })),
        "/api/tags" => Ok(store::tags(shared)),
        "/api/ps" => Ok(store::ps(shared).await),
        "/api/show" => store::show(shared, &body),
        "/api/pull" => store::pull(shared, &body),
        "/api/copy" => store::copy(shared, &body),
        "/api/create" => store::create(shared, &body),
        "/api/delete" => store::remove(shared, &body),
        "/api/chat" => inference::respond(shared, &body, Dialect::Chat).await,
        "/api/embed" => inference::embed(shared, &body).await,
        _ => inference::respond(shared, &body, Dialect::Generate).await,
    };
    chunked(answered.unwrap_or_else(Refusal::into_response))
}

#[derive(Serialize)]
struct Version<'a> {
    version: &'a str,
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, [("content-type", "text/plain")], text).into_response()
}

fn chunked(response: Response) -> Response {
    use http_body::Body as _;
    if response.body().size_hint().exact().is_none_or(|length| length <= BUFFERED as u64) {
        return response;
    }
    let (head, body) = response.into_parts();
    Response::from_parts(head, Body::new(Unmeasured(body)))
}

/// A body that does not tell its length.
struct Unmeasured(Body);

impl http_body::Body for Unmeasured {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }
}
