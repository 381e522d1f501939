//! The errors that belong to no route. All that goes out is an [`ApiError`], those of connections included that no handler
//! ever sees.

use http::{Method, StatusCode, Uri};

use super::gate::guard;
use crate::api::ApiError;

impl ApiError {
    /// A method that means nothing there. Which ones do is said in the header `Allow`.
    pub(crate) fn wrong_method(method: &Method, uri: &Uri) -> Self {
        let message = format!("{method} is not answered at {}", uri.path());
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message).hint("see the field Allow")
    }

    /// A path that leads nowhere. A slash in a model's name parts the path like any other.
    pub(crate) fn nothing_at(path: &str) -> Self {
        let of_a_model = path.starts_with("/v1/models/") && (path.ends_with("/load") || path.ends_with("/unload"));
        let hint = if of_a_model {
            "write each / in a model's name as %2F: /v1/models/team%2Fmodel:tag/load"
        } else {
            "the page is at /, the metrics are at /metrics, the API is at /api/system"
        };
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is nothing at {path}")).hint(hint)
    }

    /// What the HTTP server refuses by itself, before there is a request.
    pub(crate) fn unreadable(status: StatusCode) -> Self {
        let (code, message, hint) = match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
                ("head_too_large", "the head of the request is too large", "16 KiB and 100 fields are taken")
            }
            StatusCode::URI_TOO_LONG => ("uri_too_long", "the address asked for is too long", "16 KiB are taken"),
            StatusCode::REQUEST_TIMEOUT => {
                ("too_slow", "the request did not come to an end in time", "send a request at once, within 5 s")
            }
            _ => ("bad_request", "this is no request of HTTP/1.1", "see RFC 9112, or use a library"),
        };
        Self::new(status, code, message).hint(hint)
    }

    /// A client that takes none of the codings in which there is a response.
    pub(crate) fn no_coding() -> Self {
        let message = "Accept-Encoding refuses every coding in which this can be sent";
        Self::new(StatusCode::NOT_ACCEPTABLE, "no_coding", message).hint("accept identity or gzip")
    }

    /// The whole response as it goes over a connection that no HTTP server answers on and that is closed after it.
    pub(crate) fn alone(self) -> Vec<u8> {
        self.on_the_wire(|headers| guard::add_headers(&[], headers))
    }
}

/// Answers in place of the HTTP server what that refuses by itself.
pub(crate) fn unreadable(status: StatusCode) -> Vec<u8> {
    ApiError::unreadable(status).alone()
}
