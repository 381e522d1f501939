//! `/api/database/metrics`: the first server alone, as older dashboards poll it. `/probe`: a server that the request
//! names.

use std::sync::Arc;

use aura_exposition::{Format, encode};
use aura_model::each_group;
use aura_postgres::{ProbeError, Prober};
use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use serde::Deserialize;

use super::{PostgresView, why};
use crate::{
    api::{ApiError, Query},
    publish::prometheus::report,
};

/// The routes.
pub fn routes(view: Arc<PostgresView>) -> Router {
    Router::new().route("/api/database/metrics", get(metrics)).route("/probe", get(probe)).with_state(view)
}

async fn metrics(State(view): State<Arc<PostgresView>>) -> Result<Response, ApiError> {
    let moment = view.current();
    let metrics = moment.and_then(|moment| view.update(&moment).metrics);
    metrics.map(|metrics| Json(metrics).into_response()).ok_or_else(|| {
        let missing = why(&view.hub);
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, missing.reason.code(), missing.detail)
            .hint("see docs/sources/postgres.md")
            .retry_after(1)
    })
}

/// The query of a probe, with postgres_exporter's names.
#[derive(Deserialize)]
struct Probed {
    target: Option<String>,
    auth_module: Option<String>,
}

/// Asks a server now; what may be asked, and how often, is the exporter's to say.
async fn probe(State(view): State<Arc<PostgresView>>, Query(asked): Query<Probed>) -> Result<Response, ApiError> {
    let prober = view.prober();
    let reading = prober.probe(asked.target.as_deref(), asked.auth_module.as_deref()).await.map_err(refused)?;
    let encoding = encode(|each| each_group(Prober::groups(), &*reading, each), Format::Text);
    report("postgres", encoding.left_out());
    let text = encoding.text().clone();
    Ok(([(header::CONTENT_TYPE, Format::Text.content_type())], text).into_response())
}

const TARGET: &str = "write /probe?target=host:port&auth_module=name";

fn refused(error: ProbeError) -> ApiError {
    match error {
        ProbeError::NotConfigured => {
            ApiError::new(StatusCode::NOT_FOUND, "not_configured", "nothing is configured to be probed")
                .hint("set sources.postgres.probe.targets and sources.postgres.probe.modules")
        }
        ProbeError::BadTarget(message) => ApiError::new(StatusCode::BAD_REQUEST, "bad_target", message).hint(TARGET),
        ProbeError::UnknownModule { asked, known } => {
            let message = match asked {
                Some(asked) => format!("there is no auth_module {asked:?}"),
                None => "the request names no auth_module, and there is none with the name default".to_owned(),
            };
            let hint = format!("sources.postgres.probe.modules has: {}", known.join(", "));
            ApiError::new(StatusCode::BAD_REQUEST, "unknown_module", message).hint(hint)
        }
        ProbeError::NotAllowed(target) => {
            ApiError::new(StatusCode::FORBIDDEN, "target_not_allowed", format!("{target:?} may not be probed"))
                .hint("add it to sources.postgres.probe.targets")
        }
        ProbeError::TooMany => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_probes", "as many probes run as may run at once")
                .hint("probe fewer targets at a time")
                .retry_after(1)
        }
    }
}
