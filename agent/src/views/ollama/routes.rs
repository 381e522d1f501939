//! The routes below `/v1/models` that read.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

use super::{OllamaView, status};
use crate::api::{ApiError, Failure, Operation, REASONS, Routes, Success};

/// The routes.
pub(crate) fn routes() -> Routes<Arc<OllamaView>> {
    Routes::new().on(STATUS, model_status).on(HEALTH, health)
}

const STATUS: Operation =
    Operation::get("models_status", "/v1/models/status", "What is loaded, in the shape of existing installations.")
        .responses(&[Success::json::<status::Status>(200, "What Ollama says.")])
        .errors(&[Failure::new(503, REASONS, "no server of Ollama answers, and why")]);

const HEALTH: Operation = Operation::get(
    "models_health",
    "/v1/models/health",
    "Whether every server of Ollama is there, in the shape of existing installations.",
)
.responses(&[
    Success::json::<status::Health>(200, "All are."),
    Success::json::<status::Health>(503, "One is away, or nothing is known."),
]);

async fn model_status(State(view): State<Arc<OllamaView>>) -> Result<Response, ApiError> {
    let status = status::status(view.current());
    status.map(|status| Json(status).into_response()).map_err(|missing| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, missing.reason.code(), missing.detail)
            .hint("start Ollama, or name it in sources.ollama.hosts")
            .retry_after(5)
    })
}

async fn health(State(view): State<Arc<OllamaView>>) -> Response {
    let (healthy, body) = status::health(view.current());
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = (status, Json(body)).into_response();
    if !healthy {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}
