//! Errors as every client gets them: an HTTP status and `{"error": {"code", "message", "hint", "retry_after_s"}}`.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

/// A response that says what is wrong and what would help.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    status: StatusCode,
    body: ErrorBody,
    headers: Vec<(HeaderName, &'static str)>,
}

/// What every error says.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ErrorBody {
    /// A word for programs. One code means the same at every route.
    pub code: &'static str,
    /// A sentence for people: what is wrong, with the value or name that is.
    pub message: String,
    /// What would help; `null` when there is nothing to try.
    pub hint: Option<String>,
    /// After how many seconds it is worth to try again, as the header `Retry-After` says too; `null` when it is not.
    pub retry_after_s: Option<u64>,
}

/// An error, of whichever route.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ErrorResponse {
    /// What is wrong.
    error: ErrorBody,
}

impl ApiError {
    /// An error with its code for programs and its sentence for people.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let body = ErrorBody { code, message: message.into(), hint: None, retry_after_s: None };
        Self { status, body, headers: Vec::new() }
    }

    /// A request that cannot be meant as it stands.
    pub fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// No reading is on time.
    #[must_use]
    pub fn nothing_fresh() -> Self {
        let message = "there is no reading that is on time";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stale", message)
            .hint("see the log, or aura_source_missing_info in /metrics/aura")
            .retry_after(1)
    }

    /// What the client can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.body.hint = Some(hint.into());
        self
    }

    /// When to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.body.retry_after_s = Some(seconds);
        self
    }

    /// A header that goes with the status.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.body.code
    }

    /// The whole response as it goes over a connection that no HTTP server answers on and that is closed after it.
    /// `complete` adds what every response carries.
    pub(crate) fn on_the_wire(self, complete: impl FnOnce(&mut HeaderMap)) -> Vec<u8> {
        let body = self.json();
        let mut response = self.into_response();
        complete(response.headers_mut());
        let mut answer = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
        for (name, value) in response.headers() {
            answer.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        answer.extend(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).bytes());
        answer.extend(body);
        answer
    }

    fn json(&self) -> Vec<u8> {
        // Text and numbers can always be written.
        serde_json::to_vec(&ErrorResponse { error: self.body.clone() }).unwrap_or_default()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.json()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.body.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        for (name, value) in self.headers {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
