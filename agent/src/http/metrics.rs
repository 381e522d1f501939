//! The response to a scrape.

use aura_exposition::{ContentEncoding, Format};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Request, StatusCode, header};
use schemars::JsonSchema;

use super::{App, gate::caller::Admitted, server::Shared};
use crate::{
    api::{ApiError, Failure, Operation, Success},
    publish::prometheus::{Scrape, ScrapeError},
};

/// Everything, and a part. No router knows them: the path is the configuration's, and scrapes are answered before routing.
pub(crate) const METRICS: [Operation; 2] = [
    ALL,
    Operation {
        id: "metrics_part",
        path: "/metrics/{part}",
        summary: "A part of the metrics, for a scrape job of its own.",
        errors: &[
            Failure::new(404, &["unknown_part"], "there is no such part; `message` lists those that there are"),
            Failure::new(400, &["bad_filter"], "`collect[]` and `exclude[]` are both given, or a group is not known"),
            NO_CODING,
            TOO_MANY,
        ],
        ..ALL
    }
    .path_parameter("part", "`node`, `postgres`, `gpu`, `ollama`, `audit`, `roles` or `aura`.", "node"),
];

const ALL: Operation = Operation::get("metrics", "/metrics", "All metrics, for Prometheus and those who read its formats.")
    .description(
        "Content negotiation is that of RFC 9110: text 0.0.4 unless `Accept` prefers OpenMetrics 1.0.0; gzip and zstd. Of \
         `Accept`'s parameters only `version` and `q` count. The path is that of `web.telemetry_path`, and parts lie below \
         it. All names are in [metrics](metrics.md). Parameters that are not known are passed over.",
    )
    .query::<Filter>()
    .responses(&[Success::text("The newest readings of all sources; one that is late or off has none.", &FORMATS)])
    .errors(&[
        Failure::new(400, &["bad_filter"], "`collect[]` and `exclude[]` are both given, or a group is not known"),
        NO_CODING,
        TOO_MANY,
    ]);

const FORMATS: [&str; 2] = [Format::Text.content_type(), Format::OpenMetrics.content_type()];
const NO_CODING: Failure = Failure::new(406, &["no_coding"], "`Accept-Encoding` refuses every coding that there is");
const TOO_MANY: Failure = Failure::new(503, &["too_many_scrapes"], "as many scrapes run as `web.max_requests` allows");

/// The query of a scrape, with node_exporter's names. `Scrape::parse` reads it: each may stand any number of times.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is wanted")]
struct Filter {
    /// Only this group of metrics (node_exporter's collector, such as `cpu`); may stand several times.
    #[serde(rename = "collect[]")]
    #[schemars(example = &"cpu")]
    collect: Option<String>,
    /// All groups but this one; may stand several times, and not beside `collect[]`.
    #[serde(rename = "exclude[]")]
    exclude: Option<String>,
}

/// The response to a scrape has about so many headers, those of the guard and of the HTTP server included.
const HEADERS: usize = 12;

/// Responds to a scrape of one part, or of everything.
pub(super) fn respond<B>(app: &App, admitted: &Admitted, part: Option<&str>, request: &Request<B>) -> Response {
    let response = scrape(app, admitted, part, request);
    app.events.note(|counts| match &response {
        Ok(_) => counts.scrapes += 1,
        Err(_) => counts.scrapes_refused += 1,
    });
    response.unwrap_or_else(IntoResponse::into_response)
}

fn scrape<B>(app: &App, admitted: &Admitted, part: Option<&str>, request: &Request<B>) -> Result<Response, ApiError> {
    let begun = app.scrapes.begin(admitted.caller.activity(), admitted.client.0, admitted.settings.scrapes);
    let permit = begun.ok_or_else(|| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_scrapes",
            "as many scrapes run as web.max_requests allows, half of them for one address",
        )
        .hint("scrape less often, or raise web.max_requests")
        .retry_after(1)
    })?;
    let format = Format::negotiate(request.headers());
    let encoding =
        ContentEncoding::negotiate(request.headers(), &ContentEncoding::ALL).ok_or_else(ApiError::no_coding)?;
    let body = Scrape::parse(part, request.uri().query())
        .and_then(|wanted| app.scraper.body(&app.hub.sources(), wanted, format, encoding))
        .map_err(|error| match &error {
            ScrapeError::UnknownPart { .. } => ApiError::new(StatusCode::NOT_FOUND, "unknown_part", error.to_string()),
            ScrapeError::UnknownGroup { .. } | ScrapeError::BothFilters => {
                ApiError::new(StatusCode::BAD_REQUEST, "bad_filter", error.to_string())
            }
        })?;
    let mut response = Response::new(Body::new(Shared::new(body, permit)));
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    if let Some(token) = encoding.token() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(token));
    }
    Ok(response)
}
