//! Where every request comes in: past the guard, then to the metrics or to the routes.
//!
//! Scrapes take no part in routing. They are the requests that come again and again for as long as the agent runs, and
//! routing, layers and boxed handlers cost as much as the rest of their answer.

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Method, Request, header};
use hyper::body::Incoming;
use tower::ServiceExt;
use tracing::{Level, debug, enabled};

use super::{ApiError, App, ClientAddress, guard, metrics, router::router, target};

/// Answers requests.
pub struct Front {
    app: Arc<App>,
    telemetry_path: String,
    routes: Router,
}

impl Front {
    /// The agent's answers; `telemetry_path` is where the metrics are, usually `/metrics`.
    #[must_use]
    pub fn new(app: Arc<App>, telemetry_path: &str) -> Self {
        Self { routes: router(Arc::clone(&app)), telemetry_path: telemetry_path.to_owned(), app }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, peer: IpAddr, mut request: Request<Incoming>) -> Response {
        let settings = self.app.settings();
        let client = ClientAddress::of(peer, request.headers(), &settings.trusted_proxies);
        request.extensions_mut().insert(client);
        let asked = enabled!(Level::DEBUG).then(|| (request.method().clone(), request.uri().path().to_owned()));
        let admitted = match target::check(&mut request) {
            Ok(()) => guard::admit(&settings, &request).await,
            Err(refusal) => Err(refusal.into_response()),
        };
        let mut response = match admitted {
            Ok(()) => self.pass(request).await,
            Err(refusal) => refusal,
        };
        guard::mark(&settings.fields, response.headers_mut());
        if let Some((method, path)) = asked {
            debug!(client = %client.0, %method, ?path, status = response.status().as_u16(), "asked");
        }
        self.app.events.note(|counts| {
            counts.requests += 1;
            counts.failed_requests += u64::from(response.status().is_server_error());
        });
        response
    }

    async fn pass(&self, request: Request<Incoming>) -> Response {
        let Some(part) = scraped(&self.telemetry_path, request.uri().path()) else {
            let Ok(response): Result<_, Infallible> = self.routes.clone().oneshot(request.map(Body::new)).await;
            return response;
        };
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return metrics::answer(&self.app, part, &request);
        }
        let error = ApiError::wrong_method(request.method(), request.uri());
        error.field(header::ALLOW, "GET,HEAD").into_response()
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
