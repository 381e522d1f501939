//! From where Ollama takes requests: `Origin` as gin's CORS does it, and `Host`.

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// Schemes of applications that may ask from any page of theirs.
const SCHEMES: [&str; 7] =
    ["app://", "file://", "tauri://", "vscode-webview://", "vscode-file://", "chrome-extension://", "moz-extension://"];

/// What the origin of a request is to Ollama.
pub(crate) enum Origin {
    /// None, or the server itself: nothing is said about it.
    Own,
    /// It may read the answer.
    Allowed(HeaderValue),
    /// 403 with an empty body.
    Refused,
}

impl Origin {
    pub(crate) fn of(request: &Request) -> Self {
        let Some(origin) = request.headers().get(header::ORIGIN) else { return Self::Own };
        let text = origin.to_str().unwrap_or_default();
        let own = |scheme: &str| text.strip_prefix(scheme).is_some_and(|rest| rest == host(request));
        if own("http://") || own("https://") {
            return Self::Own;
        }
        let local = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme)).is_some_and(|rest| {
            let name = rest.split_once(':').map_or(rest, |(name, _)| name);
            ["localhost", "127.0.0.1", "0.0.0.0"].contains(&name)
        });
        if local || SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
            Self::Allowed(origin.clone())
        } else {
            Self::Refused
        }
    }
}

/// Says to a browser that this origin may read the answer.
pub(crate) fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, const { HeaderValue::from_static("Origin") });
}

/// The answer to what a browser asks before it asks.
pub(crate) fn preflight() -> Response {
    let headers = [
        ("access-control-allow-headers", "Authorization,Content-Type,User-Agent,Accept,X-Requested-With"),
        ("access-control-allow-methods", "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"),
        ("access-control-max-age", "43200"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

pub(crate) fn host(request: &Request) -> &str {
    request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

/// On loopback Ollama answers only to names that no foreign page can own.
pub(crate) fn is_allowed_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']').to_lowercase();
    match name.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_unspecified(),
        Ok(std::net::IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unspecified()
        }
        Err(_) => {
            name.is_empty()
                || name == "localhost"
                || is_this_machine(&name)
                || [".localhost", ".local", ".internal"].iter().any(|ending| name.ends_with(ending))
        }
    }
}

fn is_this_machine(name: &str) -> bool {
    std::fs::read_to_string("/proc/sys/kernel/hostname").is_ok_and(|own| own.trim().to_lowercase() == name)
}
