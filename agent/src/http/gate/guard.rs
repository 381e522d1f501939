//! What every request passes and every response carries.
//!
//! A page from elsewhere must not read this box through its owner's browser. Browsers say where a page is from
//! (`Origin`), so requests that change something and live feeds are refused to foreign pages. Against a name that a
//! foreign page points at this machine (DNS rebinding), an agent that asks for neither passwords nor certificates answers
//! only to addresses and to names that are known to be this machine's.

use std::{net::IpAddr, sync::Arc, time::Instant};

use aura_net::split_port;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};

use super::{auth::User, caller::Caller, client_address::ClientAddress};
use crate::{
    api::{ApiError, check_origin},
    http::Settings,
};

/// Answered to everybody: a supervisor that asks whether we are alive has no password.
const OPEN: [&str; 4] = ["/-/healthy", "/-/ready", "/healthz", "/readyz"];

/// Headers of every response. The page needs nothing from elsewhere and nobody may frame it.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Which names and pages are trusted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trust {
    /// Whether only known names are answered: when nobody is asked for a password or a certificate.
    pub known_hosts_only: bool,
    /// Names besides addresses and `localhost` under which the agent may be asked: the machine's own, a proxy's.
    pub hosts: Vec<String>,
    /// Origins besides our own whose pages may open feeds and change things.
    pub origins: Vec<String>,
}

impl Trust {
    /// Whether a request with these headers comes from where it may.
    ///
    /// # Errors
    /// The response to send.
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if self.known_hosts_only
            && !host.is_empty()
            && !is_safe(host)
            && !self.hosts.iter().any(|known| is(known, host))
        {
            let message = format!("this agent does not answer as {host:?}");
            let hint = "ask for 127.0.0.1 or localhost, or add the name to web.allowed_hosts";
            return Err(ApiError::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", message).hint(hint));
        }
        if method.is_safe() {
            return Ok(());
        }
        check_origin(headers, &self.origins)
    }
}

/// How a request was let in.
pub(in crate::http) enum Admission {
    /// It asks what everybody may ask.
    Open,
    /// As one who may read; as this user, where there are users.
    Reader(Option<Arc<User>>),
}

/// Whether a request is answered under these rules.
///
/// # Errors
/// The response to send instead.
pub(in crate::http) async fn admit<B>(
    settings: &Settings,
    caller: &Caller,
    client: ClientAddress,
    request: &Request<B>,
) -> Result<Admission, ApiError> {
    if !settings.admits(caller) {
        return Err(outdated());
    }
    settings.trust.check(request.method(), request.headers())?;
    if OPEN.contains(&request.uri().path()) {
        return Ok(Admission::Open);
    }
    if let Some(limit) = &settings.rate_limit {
        limit.check(Instant::now())?;
    }
    let Some(authenticator) = &settings.authenticator else { return Ok(Admission::Reader(None)) };
    Ok(Admission::Reader(Some(authenticator.check(request.headers(), client.0).await?)))
}

/// The connection was made under rules that hold no longer, and could not be made today.
fn outdated() -> ApiError {
    let message = "the addresses or the TLS of this agent have changed since this connection was made";
    ApiError::new(StatusCode::MISDIRECTED_REQUEST, "outdated_connection", message)
        .hint("connect again")
        .header(header::CONNECTION, "close")
}

/// Adds the headers of every response, those of the web configuration last. What does not say how long it holds is true for
/// this moment only, errors included.
pub(in crate::http) fn add_headers(configured: &[(HeaderName, HeaderValue)], headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in configured {
        headers.insert(name.clone(), value.clone());
    }
}

fn is(known: &str, host: &str) -> bool {
    let name = split_port(host).map_or(host, |(name, _)| name);
    known.eq_ignore_ascii_case(host) || known.eq_ignore_ascii_case(name)
}

fn is_safe(host: &str) -> bool {
    let Some((name, _)) = split_port(host) else { return false };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &'static str, origin: Option<&'static str>) -> HeaderMap {
        let host = (header::HOST, HeaderValue::from_static(host));
        let origin = origin.map(|origin| (header::ORIGIN, HeaderValue::from_static(origin)));
        std::iter::once(host).chain(origin).collect()
    }

    fn trust() -> Trust {
        Trust {
            known_hosts_only: true,
            hosts: vec!["box.example".into()],
            origins: vec!["https://wall.example".into()],
        }
    }

    #[test]
    fn only_names_that_no_foreign_page_can_own_are_answered() {
        for host in [
            "localhost",
            "localhost:9205",
            "127.0.0.1:9205",
            "127.1.2.3",
            "[::1]:9205",
            "[::1]",
            "192.168.1.1:9205",
            "box.example:80",
            "",
        ] {
            assert!(trust().check(&Method::GET, &headers(host, None)).is_ok(), "{host} was refused");
        }
        for host in ["evil.example:9205", "127.0.0.1.evil.example", "localhost.evil.example"] {
            assert!(trust().check(&Method::GET, &headers(host, None)).is_err(), "{host} was accepted");
        }
        let open = Trust { known_hosts_only: false, ..trust() };
        assert!(open.check(&Method::GET, &headers("any.example", None)).is_ok());
    }

    #[test]
    fn foreign_pages_change_nothing() {
        for (origin, may) in [(None, true), (Some("https://wall.example"), true), (Some("http://evil.example"), false)]
        {
            let headers = headers("localhost:9205", origin);
            assert_eq!(trust().check(&Method::POST, &headers).is_ok(), may, "{origin:?}");
            assert!(trust().check(&Method::GET, &headers).is_ok(), "a plain GET from {origin:?} was refused");
        }
    }
}
