//! Where every request comes in: past the guard, then to the metrics or to the routes.
//!
//! Scrapes take no part in routing. They are the requests that come again and again for as long as the agent runs, and
//! routing, layers and boxed handlers cost as much as the rest of their response.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Method, Request, header};
use hyper::body::Incoming;
use tower::ServiceExt;
use tracing::{Level, debug, enabled};

use super::{
    App,
    gate::{
        caller::{Admitted, Caller},
        client_address::ClientAddress,
        guard::{self, Admission},
        permits::AccessLevel,
    },
    metrics,
    router::{Actions, router},
    server::target,
};
use crate::api::ApiError;

/// Responds to requests.
pub struct Front {
    app: Arc<App>,
    routes: Router,
}

impl Front {
    /// With routes that read, and routes that act.
    #[must_use]
    pub fn new(app: Arc<App>, reading: Router, actions: Vec<Actions>) -> Self {
        Self { routes: router(Arc::clone(&app), reading, actions), app }
    }

    pub(super) fn app(&self) -> &App {
        &self.app
    }

    /// Responds to one request.
    pub(super) async fn respond(&self, mut request: Request<Incoming>, caller: &Arc<Caller>) -> Response {
        let asked = enabled!(Level::DEBUG).then(|| (request.method().clone(), request.uri().path().to_owned()));
        let checked = target::check(&mut request);
        let (settings, client, admission) = loop {
            let settings = self.app.settings();
            let client = ClientAddress::of(caller.peer.ip(), request.headers(), &settings.trusted_proxies);
            let admission = match &checked {
                Ok(()) => guard::admit(&settings, caller, client, &request).await,
                Err(refusal) => Err(refusal.clone()),
            };
            // While a password was checked, other rules may have come: they decide.
            if settings.generation == self.app.settings().generation {
                break (settings, client, admission);
            }
        };
        let mut response = match admission {
            Ok(admission) => {
                let (access, user) = match admission {
                    Admission::Open => (AccessLevel::Public, None),
                    Admission::Reader(user) => (settings.access(caller, user.as_ref()), user),
                };
                caller.activity().admitted_as(access);
                let admitted = Admitted { settings: Arc::clone(&settings), caller: Arc::clone(caller), client, user };
                self.pass(request, admitted).await
            }
            Err(refusal) => {
                caller.activity().admitted_as(AccessLevel::Public);
                refusal.into_response()
            }
        };
        guard::add_headers(&settings.headers, response.headers_mut());
        if let Some((method, path)) = asked {
            debug!(client = %client.0, %method, ?path, status = response.status().as_u16(), "asked");
        }
        self.app.events.note(|counts| {
            counts.requests += 1;
            counts.failed_requests += u64::from(response.status().is_server_error());
        });
        response
    }

    async fn pass(&self, mut request: Request<Incoming>, admitted: Admitted) -> Response {
        let Some(part) = scraped(&admitted.settings.telemetry_path, request.uri().path()) else {
            request.extensions_mut().insert(admitted);
            let Ok(response): Result<_, Infallible> = self.routes.clone().oneshot(request.map(Body::new)).await;
            return response;
        };
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return metrics::respond(&self.app, &admitted, part, &request);
        }
        let error = ApiError::wrong_method(request.method(), request.uri());
        error.header(header::ALLOW, "GET,HEAD").into_response()
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
