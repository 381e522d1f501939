//! What a request asks for, and of whom: judged once for all routes, before anything else looks at it.

use aura_net::split_port;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header};
use percent_encoding::percent_decode_str;

use crate::{api::ApiError, http::router::BODY_BYTES};

/// Refuses what HTTP says is no request, and leaves the name that is asked for in `Host`: that of the target, where the
/// target names one (RFC 9112, 3.2.2).
///
/// # Errors
/// The response to send.
pub(in crate::http) fn check<B>(request: &mut Request<B>) -> Result<(), ApiError> {
    let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    host(request.version(), request.headers())?;
    if let Some(Ok(authority)) = authority {
        if !is_host(authority.to_str().unwrap_or("@")) {
            return Err(bad_host(&authority));
        }
        request.headers_mut().insert(header::HOST, authority);
    }
    if !request.uri().path().starts_with('/') || request.method() == Method::CONNECT {
        let asks_for_all = matches!(*request.method(), Method::OPTIONS | Method::CONNECT);
        return Err(if asks_for_all {
            ApiError::wrong_method(request.method(), request.uri()).header(header::ALLOW, "GET,HEAD,POST")
        } else {
            ApiError::bad("bad_target", "what is asked for is no path").hint("ask for a path that begins with /")
        });
    }
    for text in std::iter::once(request.uri().path()).chain(request.uri().query()) {
        percent_encoded(text)?;
    }
    body(request.headers())
}

/// Exactly one name; HTTP/1.0 knew none.
fn host(version: Version, headers: &HeaderMap) -> Result<(), ApiError> {
    let hint = "send the one field Host: name:port";
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if host.is_empty() || host.to_str().is_ok_and(is_host) => Ok(()),
        (Some(host), None) => Err(bad_host(host)),
        (None, None) if version == Version::HTTP_10 => Ok(()),
        (None, _) => Err(ApiError::bad("bad_host", "the request does not say whom it asks (Host)").hint(hint)),
        (Some(_), Some(_)) => Err(ApiError::bad("bad_host", "Host stands more than once").hint(hint)),
    }
}

fn bad_host(host: &HeaderValue) -> ApiError {
    let host = String::from_utf8_lossy(host.as_bytes());
    ApiError::bad("bad_host", format!("{host:?} is no host")).hint("send Host: name:port")
}

/// A name or an address, with a port or without.
fn is_host(text: &str) -> bool {
    let Some((name, port)) = split_port(text) else { return false };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&byte);
    let is_host = if text.starts_with('[') {
        name.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        !name.is_empty() && name.bytes().all(is_name)
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    is_host && port.is_none_or(|port| port.is_empty() || is_port(port))
}

/// Each `%` stands before two digits, and what they encode is text.
fn percent_encoded(text: &str) -> Result<(), ApiError> {
    if !text.contains('%') {
        return Ok(());
    }
    let whole = text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if whole && percent_decode_str(text).decode_utf8().is_ok() {
        return Ok(());
    }
    let message = if whole { "what is percent-encoded is no UTF-8" } else { "a % is not followed by two digits" };
    Err(ApiError::bad("bad_encoding", message).hint("write % as %25, and letters beyond ASCII as their bytes in UTF-8"))
}

/// No request of ours needs a long body, or a promise before it is sent that we do not know.
fn body(headers: &HeaderMap) -> Result<(), ApiError> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_BYTES as u64) {
        let message = format!("a body is {BODY_BYTES} bytes at most");
        let error = ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message);
        return Err(error.hint("what is asked for stands in the path and in the query"));
    }
    match headers.get(header::EXPECT) {
        Some(expected) if !expected.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            let message = "what the field Expect asks for is not known here";
            Err(ApiError::new(StatusCode::EXPECTATION_FAILED, "bad_expectation", message).hint("leave the field out"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, target: &str, headers: &[(header::HeaderName, &str)]) -> Request<()> {
        let mut request = Request::get(target).version(version).body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        request
    }

    #[test]
    fn one_host_that_can_be_one() {
        for host in
            ["", "localhost", "box:9205", "box:", "[::1]", "[::1]:9205", "10.0.0.1:80", "a_b.example", "%61.example"]
        {
            assert_eq!(check(&mut request(Version::HTTP_11, "/", &[(header::HOST, host)])), Ok(()), "{host}");
        }
        for host in [
            "user@box",
            "box:port",
            "box:99999",
            "box:1:2",
            ":9205",
            "[::1",
            "[::1]x",
            "[box]",
            "a b",
            "a/b",
            "b\u{fc}x",
        ] {
            let refused = check(&mut request(Version::HTTP_11, "/", &[(header::HOST, host)]));
            assert_eq!(refused.map_err(|error| error.code()), Err("bad_host"), "{host}");
        }
        let twice = [(header::HOST, "localhost"), (header::HOST, "localhost")];
        for headers in [&[][..], &twice] {
            let refused = check(&mut request(Version::HTTP_11, "/", headers)).expect_err("no single host");
            assert_eq!((refused.status(), refused.code()), (StatusCode::BAD_REQUEST, "bad_host"));
        }
        assert_eq!(check(&mut request(Version::HTTP_10, "/", &[])), Ok(()));
        assert!(check(&mut request(Version::HTTP_10, "/", &twice)).is_err());
    }

    #[test]
    fn the_target_wins_over_the_field() {
        let mut asked = request(Version::HTTP_11, "http://evil.example/-/healthy", &[(header::HOST, "localhost")]);
        assert_eq!(check(&mut asked), Ok(()));
        assert_eq!(asked.headers()[header::HOST], "evil.example");
        let mut asked = request(Version::HTTP_11, "http://a@box/", &[(header::HOST, "localhost")]);
        assert_eq!(check(&mut asked).map_err(|error| error.code()), Err("bad_host"));
    }

    #[test]
    fn what_is_encoded_is_text() {
        for (target, code) in [
            ("/api/%73ystem?window=1%6D", None),
            ("/%e2%82%ac?a=%25", None),
            ("/api/%ff", Some("bad_encoding")),
            ("/%zz", Some("bad_encoding")),
            ("/%", Some("bad_encoding")),
            ("/?text=%c3", Some("bad_encoding")),
            ("/?text=100%", Some("bad_encoding")),
        ] {
            let checked = check(&mut request(Version::HTTP_11, target, &[(header::HOST, "box")]));
            assert_eq!(checked.err().map(|error| error.code()), code, "{target}");
        }
    }
}
