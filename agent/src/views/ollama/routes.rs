//! The routes below `/v1/models` that read.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};

use super::{OllamaView, status};
use crate::api::ApiError;

/// The routes.
pub fn routes(view: Arc<OllamaView>) -> Router {
    Router::new().route("/v1/models/status", get(model_status)).route("/v1/models/health", get(health)).with_state(view)
}

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
