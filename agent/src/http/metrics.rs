//! The response to a scrape.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Request, StatusCode, header};

use super::{App, gate::caller::Admitted, server::Shared};
use crate::{
    api::ApiError,
    publish::prometheus::{Coding, Format, Scrape, ScrapeError},
};

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
    let coding = Coding::negotiate(request.headers(), &Coding::ALL).ok_or_else(ApiError::no_coding)?;
    let body = Scrape::parse(part, request.uri().query())
        .and_then(|wanted| app.scraper.body(&app.hub.sources(), wanted, format, coding))
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
    if let Some(token) = coding.token() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(token));
    }
    Ok(response)
}
