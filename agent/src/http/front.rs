//! Where every request comes in: past the guard, then to the metrics or to the routes.
//!
//! Scrapes take no part in routing. They are the requests that come again and again for as long as the agent runs, and
//! routing, layers and boxed handlers cost as much as the rest of their answer.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, Request, header};
use hyper::body::Incoming;
use tower::ServiceExt;

use super::{
    ApiError, App,
    guard::{self, Admission},
    guest::{Admitted, Guest},
    metrics,
    places::Standing,
    router::router,
};

/// Answers requests.
pub struct Front {
    app: Arc<App>,
    routes: Router,
}

impl Front {
    /// The agent's answers.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self { routes: router(Arc::clone(&app)), app }
    }

    pub(super) fn app(&self) -> &App {
        &self.app
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: Request<Incoming>, guest: &Arc<Guest>) -> Response {
        let (settings, admission) = loop {
            let settings = self.app.settings();
            let admission = guard::admit(&settings, guest, &request).await;
            // While a password was checked, other rules may have come: they decide.
            if settings.generation == self.app.settings().generation {
                break (settings, admission);
            }
        };
        let mut response = match admission {
            Ok(admission) => {
                let (standing, user) = match admission {
                    Admission::Open => (Standing::Stranger, None),
                    Admission::Reader(user) => (settings.standing(guest, user.as_ref()), user),
                };
                guest.seat().received(standing);
                let admitted = Admitted { settings: Arc::clone(&settings), guest: Arc::clone(guest), user };
                self.pass(request, admitted).await
            }
            Err(refusal) => {
                guest.seat().received(Standing::Stranger);
                refusal
            }
        };
        guard::mark(&settings, response.headers_mut());
        self.app.events.note(|counts| {
            counts.requests += 1;
            counts.failed_requests += u64::from(response.status().is_server_error());
        });
        response
    }

    async fn pass(&self, mut request: Request<Incoming>, admitted: Admitted) -> Response {
        let Some(part) = scraped(&admitted.settings.telemetry_path, request.uri().path()) else {
            request.extensions_mut().insert(ConnectInfo(admitted.guest.peer));
            request.extensions_mut().insert(admitted);
            let Ok(response): Result<_, Infallible> = self.routes.clone().oneshot(request.map(Body::new)).await;
            return response;
        };
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return metrics::answer(&self.app, &admitted, part, &request);
        }
        let mut response = ApiError::wrong_method(request.method(), request.uri()).into_response();
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
        response
    }
}

/// Which part of the metrics is at this path: everything, or the one that is named.
fn scraped<'path>(telemetry_path: &str, path: &'path str) -> Option<Option<&'path str>> {
    match path.strip_prefix(telemetry_path)?.strip_prefix('/') {
        None if path.len() == telemetry_path.len() => Some(None),
        Some(part) if !part.is_empty() && !part.contains('/') => Some(Some(part)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_and_their_parts_and_nothing_beside() {
        for (path, part) in [
            ("/metrics", Some(None)),
            ("/metrics/node", Some(Some("node"))),
            ("/metrics/", None),
            ("/metrics/node/", None),
            ("/metrics/node/more", None),
            ("/metricsnode", None),
            ("/", None),
            ("/node", None),
            ("/api/metrics", None),
        ] {
            assert_eq!(scraped("/metrics", path), part, "{path}");
        }
    }
}
