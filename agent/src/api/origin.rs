//! Which pages may open feeds and change things. Browsers say where a page is from (`Origin`); programs that are no browsers
//! say nothing and are judged by authentication alone.

use http::{HeaderMap, StatusCode, header};

use super::ApiError;

/// Whether the page that asks, if a page asks, is ours or from one of these origins.
///
/// # Errors
/// The answer to give. Two origins, or one that cannot be read, are foreign: a proxy may have joined what a browser never
/// sends.
pub fn check_origin(headers: &HeaderMap, origins: &[String]) -> Result<(), ApiError> {
    let mut shown = headers.get_all(header::ORIGIN).iter();
    let Some(first) = shown.next() else { return Ok(()) };
    let origin = first.to_str().ok().filter(|_| shown.next().is_none()).map(str::trim);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let listed = |origin: &str| origins.iter().any(|known| known.trim_end_matches('/').eq_ignore_ascii_case(origin));
    if origin.is_some_and(|origin| is_same_site(origin, host) || listed(origin)) {
        return Ok(());
    }
    let message = format!("a page from {:?} may not do this", origin.unwrap_or("more than one place"));
    let hint = "open the agent's own page, or add the origin to web.allowed_origins";
    Err(ApiError::new(StatusCode::FORBIDDEN, "foreign_origin", message).hint(hint))
}

/// Whether a page of this origin was served by the host that it asks.
fn is_same_site(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |authority: &str| authority.strip_suffix(default_port).unwrap_or(authority).to_ascii_lowercase();
    !authority.is_empty() && bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn one_origin_that_is_ours_or_listed() {
        let check = |origins: &[&'static str], host: &'static str| {
            let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            for origin in origins {
                headers.append(header::ORIGIN, HeaderValue::from_static(origin));
            }
            check_origin(&headers, &["https://board.example:8443".to_owned()]).map_err(|error| error.code())
        };
        for (origins, host) in [
            (&[][..], "box"),
            (&["http://box:9205"], "box:9205"),
            (&["https://BOX:9205"], "box:9205"),
            (&["http://box"], "box:80"),
            (&["https://box:443"], "box"),
            (&["https://board.example:8443"], "box:9205"),
            (&["http://[::1]:9205"], "[::1]:9205"),
        ] {
            assert_eq!(check(origins, host), Ok(()), "{origins:?} at {host}");
        }
        for origins in [
            &["https://evil.example"][..],
            &["null"],
            &["http://box"],
            &["http://box:9205.evil.example"],
            &["x://"],
            &["http://box:9205", "https://evil.example"],
        ] {
            assert_eq!(check(origins, "box:9205"), Err("foreign_origin"), "{origins:?}");
        }
        assert_eq!(check(&["file://"], ""), Err("foreign_origin"));
    }
}
