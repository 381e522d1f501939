//! The opening handshake (RFC 6455, section 4; RFC 7692, section 7): who may become a client, and on what terms.

use std::time::Duration;

use aura_model::Interval;
use axum::{body::Body, response::Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};
use sha1::{Digest, Sha1};

use super::{client::Terms, stats::Refused};
use crate::api::{ApiError, check_origin};

/// What a server proves its understanding with.
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A handshake that may be accepted.
#[derive(Debug)]
pub(super) struct Handshake {
    accept: String,
    pub(super) terms: Terms,
}

/// A handshake that is refused, and why.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: Refused,
    pub(super) error: ApiError,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>, hint: &'static str) -> Self {
        Self { reason: Refused::Handshake, error: ApiError::new(status, code, message).hint(hint) }
    }

    fn bad(message: impl Into<String>) -> Self {
        let hint = "connect with a WebSocket client (RFC 6455, version 13)";
        Self::new(StatusCode::BAD_REQUEST, "bad_handshake", message, hint)
    }

    fn upgrade(code: &'static str, message: &'static str, hint: &'static str) -> Self {
        let Self { reason, error } = Self::new(StatusCode::UPGRADE_REQUIRED, code, message, hint);
        let error = error.header(header::UPGRADE, "websocket").header(header::CONNECTION, "upgrade");
        Self { reason, error }
    }

    /// There is no room for another client.
    pub(super) fn full(reason: Refused) -> Self {
        let (code, message) = match reason {
            Refused::Address => ("too_many_clients_of_address", "this address has as many feeds open as it may"),
            _ => ("too_many_clients", "as many feeds are open as the agent takes"),
        };
        let hint = "close another connection, or try again later";
        let Self { error, .. } = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message, hint);
        Self { reason, error: error.retry_after(10) }
    }
}

impl Handshake {
    /// The response that turns the connection into a WebSocket.
    pub(super) fn response(&self) -> Result<Response, Refusal> {
        let mut response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::UPGRADE, "websocket")
            .header(header::CONNECTION, "Upgrade")
            .header(header::SEC_WEBSOCKET_ACCEPT, &self.accept);
        if self.terms.deflate {
            let agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
            response = response.header(header::SEC_WEBSOCKET_EXTENSIONS, agreed);
        }
        response.body(Body::empty()).map_err(|error| Refusal::bad(error.to_string()))
    }
}

/// Judges a request: an upgrade of this protocol, from a page that may connect, on terms that can be met.
pub(super) fn check(
    method: &Method,
    version: Version,
    uri: &Uri,
    headers: &HeaderMap,
    origins: &[String],
) -> Result<Handshake, Refusal> {
    if version != Version::HTTP_11 {
        return Err(Refusal::bad("a WebSocket starts with HTTP/1.1"));
    }
    if method != Method::GET
        || !has_token(headers, &header::UPGRADE, "websocket")
        || !has_token(headers, &header::CONNECTION, "upgrade")
    {
        return Err(Refusal::upgrade(
            "upgrade_required",
            "this is a WebSocket feed; the request asks for no upgrade",
            "connect with a WebSocket client, or read the same message below /api; a proxy has to pass Upgrade on",
        ));
    }
    if single(headers, &header::SEC_WEBSOCKET_VERSION)? != Some("13") {
        let Refusal { reason, error } = Refusal::upgrade(
            "websocket_version",
            "only version 13 of the WebSocket protocol is spoken",
            "send Sec-WebSocket-Version: 13",
        );
        return Err(Refusal { reason, error: error.header(header::SEC_WEBSOCKET_VERSION, "13") });
    }
    let key = single(headers, &header::SEC_WEBSOCKET_KEY)?.unwrap_or_default();
    if STANDARD.decode(key).map_or(0, |nonce| nonce.len()) != 16 {
        return Err(Refusal::bad("Sec-WebSocket-Key is missing or is not 16 bytes in base64"));
    }
    check_origin(headers, origins).map_err(|error| Refusal { reason: Refused::Origin, error })?;
    let terms = Terms { deflate: offers_deflate(headers), pace: pace(uri)? };
    Ok(Handshake { accept: accept(key), terms })
}

fn accept(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(MAGIC).finalize())
}

/// A header that may stand once only.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(HeaderValue::to_str).transpose();
    match (value, values.next()) {
        (Ok(value), None) => Ok(value.map(str::trim)),
        _ => Err(Refusal::bad(format!("{name} cannot be read or stands more than once"))),
    }
}

fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    elements(headers, name).any(|element| element.eq_ignore_ascii_case(token))
}

/// `?interval=5s`: a slower pace than the feed's own.
fn pace(uri: &Uri) -> Result<Duration, Refusal> {
    let wrong = |problem: String| {
        let hint = "write ?interval=5s; leave it out for every message";
        Refusal::new(StatusCode::BAD_REQUEST, "bad_interval", problem, hint)
    };
    let query = uri.query().unwrap_or_default();
    let mut intervals = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "interval");
    match (intervals.next(), intervals.next()) {
        (None, _) => Ok(Duration::ZERO),
        (Some((_, interval)), None) => {
            interval.parse().map(Interval::get).map_err(|error| wrong(format!("interval: {error}")))
        }
        (Some(_), Some(_)) => Err(wrong("interval stands more than once".to_owned())),
    }
}

/// Whether one of the offers can be met by frames that are the same for everybody: our window is the full one.
fn offers_deflate(headers: &HeaderMap) -> bool {
    elements(headers, &header::SEC_WEBSOCKET_EXTENSIONS).any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        if parts.next() != Some("permessage-deflate") {
            return false;
        }
        let mut seen = Vec::new();
        parts.all(|part| {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
                None => (part, None),
            };
            let known = match (name, value) {
                ("server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits", None) => true,
                ("client_max_window_bits", Some(bits)) => is_window(bits),
                _ => false,
            };
            let new = !seen.contains(&name);
            seen.push(name);
            known && new
        })
    })
}

fn is_window(bits: &str) -> bool {
    matches!(bits, "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15")
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    const GOOD: &[(&str, &str)] = &[
        ("host", "box:9205"),
        ("upgrade", "websocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    /// The good handshake with these headers in place of its own; an empty value leaves the header out.
    fn check_with(changes: &[(&str, &str)], target: &str) -> Result<Handshake, Refusal> {
        let mut headers = HeaderMap::new();
        let kept = GOOD.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        for (name, value) in kept.chain(changes).filter(|(_, value)| !value.is_empty()) {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let origins = ["https://board.example:8443".to_owned()];
        check(&Method::GET, Version::HTTP_11, &target.parse().unwrap(), &headers, &origins)
    }

    #[test]
    fn the_example_of_rfc_6455() {
        let response = check_with(&[], "/ws/system").unwrap().response().unwrap();
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(!response.headers().contains_key("sec-websocket-extensions"));
    }

    #[test]
    fn wrong_handshakes_and_what_is_said_to_them() {
        for (changes, target, status, code) in [
            (&[("upgrade", "")][..], "/", 426, "upgrade_required"),
            (&[("upgrade", "h2c")], "/", 426, "upgrade_required"),
            (&[("connection", "close")], "/", 426, "upgrade_required"),
            (&[("sec-websocket-version", "8")], "/", 426, "websocket_version"),
            (&[("sec-websocket-version", "")], "/", 426, "websocket_version"),
            (&[("sec-websocket-key", "")], "/", 400, "bad_handshake"),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZQ==")], "/", 400, "bad_handshake"),
            (&[("sec-websocket-key", "not base64 at all!")], "/", 400, "bad_handshake"),
            (&[("sec-websocket-version", "13"), ("sec-websocket-version", "13")], "/", 400, "bad_handshake"),
            (&[("origin", "https://evil.example")], "/", 403, "foreign_origin"),
            (&[], "/ws/system?interval=soon", 400, "bad_interval"),
            (&[], "/ws/system?interval=0s", 400, "bad_interval"),
            (&[], "/ws/system?interval=", 400, "bad_interval"),
            (&[], "/ws/system?interval=1s&interval=2s", 400, "bad_interval"),
        ] {
            let refusal = check_with(changes, target).expect_err(code);
            assert_eq!((refusal.error.status().as_u16(), refusal.error.code()), (status, code), "{changes:?} {target}");
        }
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let response = Refusal::full(Refused::Clients).error.into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "10");
    }

    #[test]
    fn which_offers_of_compression_can_be_met() {
        for (offer, met) in [
            ("permessage-deflate", true),
            ("permessage-deflate; client_max_window_bits", true),
            ("permessage-deflate; client_max_window_bits=10; server_no_context_takeover", true),
            ("permessage-deflate; server_max_window_bits=10, permessage-deflate", true),
            ("permessage-deflate; server_max_window_bits=10", false),
            ("permessage-deflate; client_max_window_bits=7", false),
            ("permessage-deflate; client_max_window_bits; client_max_window_bits", false),
            ("permessage-deflate; something_new", false),
            ("x-webkit-deflate-frame", false),
        ] {
            let handshake = check_with(&[("sec-websocket-extensions", offer)], "/").unwrap();
            assert_eq!(handshake.terms.deflate, met, "{offer}");
        }
    }

    #[test]
    fn a_client_may_ask_for_a_slower_pace() {
        let pace = |target| check_with(&[], target).unwrap().terms.pace;
        assert_eq!(pace("/ws/system?theme=dark&interval=5s"), Duration::from_secs(5));
        assert_eq!(pace("/ws/system?interval=%35s"), Duration::from_secs(5));
        assert_eq!(pace("/ws/system?theme=dark"), Duration::ZERO);
    }
}
