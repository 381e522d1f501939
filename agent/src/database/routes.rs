//! `/api/database/metrics`: the first server alone, as older dashboards poll it.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;

use crate::http::{ApiError, App};

/// The routes, without their state.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/database/metrics", get(metrics))
}

async fn metrics(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let moment = app.views.database.current();
    let metrics = moment.and_then(|moment| app.views.database.update(&moment).metrics);
    metrics.map(|metrics| Json(metrics).into_response()).ok_or_else(|| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stale", "PostgreSQL has no reading that is on time")
            .hint("see the log, or aura_source_missing_info in /metrics/aura")
            .retry_after(1)
    })
}
