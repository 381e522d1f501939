//! Errors as every client gets them: an HTTP status and `{"error": {"code", "message", "hint", "retry_after_s"}}`.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, Uri, header};
use serde::Serialize;

/// An answer that says what is wrong and what would help.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    status: StatusCode,
    body: Body,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Body {
    code: &'static str,
    message: String,
    hint: Option<String>,
    retry_after_s: Option<u64>,
}

impl ApiError {
    /// An error with its code for programs and its sentence for people.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, body: Body { code, message: message.into(), hint: None, retry_after_s: None } }
    }

    /// A method that means nothing there.
    pub(super) fn wrong_method(method: &Method, uri: &Uri) -> Self {
        let message = format!("{method} is not answered at {}", uri.path());
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message)
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
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Envelope {
            error: Body,
        }
        let retry_after = self.body.retry_after_s;
        let mut response = (self.status, axum::Json(Envelope { error: self.body })).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
