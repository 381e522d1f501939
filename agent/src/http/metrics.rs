//! A scrape's answer.

use aura_exposition::{Coding, Format};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Request, StatusCode, header};

use super::{App, gate::guest::Admitted, server::Shared};
use crate::{
    api::ApiError,
    publish::prometheus::{Scrape, ScrapeError},
};

/// A scrape's answer has about so many fields, those of the guard and of the HTTP server included.
const FIELDS: usize = 12;

/// Answers a scrape of one part, or of everything.
pub(super) fn answer<B>(app: &App, admitted: &Admitted, part: Option<&str>, request: &Request<B>) -> Response {
    let answer = scrape(app, admitted, part, request);
    app.events.note(|counts| match &answer {
        Ok(_) => counts.scrapes += 1,
        Err(_) => counts.scrapes_refused += 1,
    });
    answer.unwrap_or_else(IntoResponse::into_response)
}

fn scrape<B>(app: &App, admitted: &Admitted, part: Option<&str>, request: &Request<B>) -> Result<Response, ApiError> {
    let begun = app.scrapes.begin(admitted.guest.seat(), admitted.client.0, admitted.settings.scrapes);
    let place = begun.ok_or_else(|| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_scrapes",
            "as many scrapes run as web.max_requests allows, half of them for one address",
        )
        .hint("scrape less often, or raise web.max_requests")
        .retry_after(1)
    })?;
    let format = Format::negotiate(request.headers());
    let coding = Coding::negotiate(request.headers(), &Coding::ALL).ok_or_else(ApiError::no_coding)?;
    let body = Scrape::parse(part, request.uri().query())
        .and_then(|wanted| app.scraper.answer(&app.hub.sources(), wanted, format, coding))
        .map_err(|error| match &error {
            ScrapeError::UnknownPart { .. } => ApiError::new(StatusCode::NOT_FOUND, "unknown_part", error.to_string()),
            ScrapeError::UnknownGroup { .. } | ScrapeError::BothFilters => {
                ApiError::new(StatusCode::BAD_REQUEST, "bad_filter", error.to_string())
            }
        })?;
    let mut response = Response::new(Body::new(Shared::new(body, place)));
    let fields = response.headers_mut();
    fields.reserve(FIELDS);
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    fields.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    if let Some(token) = coding.token() {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(token));
    }
    Ok(response)
}
