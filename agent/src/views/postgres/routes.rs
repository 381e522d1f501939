//! `/api/database/metrics`: the first server alone, as older dashboards poll it. `/probe`: a server that the request
//! names.

use std::sync::Arc;

use aura_exposition::{Format, encode};
use aura_model::each_group;
use aura_postgres::{ProbeError, Prober};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{PostgresView, message::Metrics};
use crate::{
    api::{ApiError, Failure, Operation, Query, REASONS, Routes, Success},
    publish::prometheus::report,
};

/// The routes.
pub(crate) fn routes() -> Routes<Arc<PostgresView>> {
    Routes::new().on(METRICS, metrics).on(PROBE, probe)
}

const METRICS: Operation =
    Operation::get("database_metrics", "/api/database/metrics", "The first database server alone.")
        .responses(&[Success::json::<Metrics>(200, "What `metrics` of the newest message says.")])
        .errors(&[Failure::new(503, REASONS, "no reading is on time, and why")]);

const PROBE: Operation = Operation::get("probe", "/probe", "The metrics of a database server that the request names.")
    .description(
        "It is asked now, if `sources.postgres.probe` allows that: see [PostgreSQL](sources/postgres.md). A server that does not \
         answer has `pg_up 0`. Parameters that are not known are passed over.",
    )
    .query::<Probed>()
    .responses(&[Success::text("Its metrics.", &PROBED)])
    .errors(&[
        Failure::new(400, &["bad_target", "unknown_module", "bad_query"], "what the parameters say is not to be understood"),
        Failure::new(403, &["target_not_allowed"], "`sources.postgres.probe.targets` does not name it"),
        Failure::new(404, &["not_configured"], "nothing may be probed"),
        Failure::new(503, &["too_many_probes"], "as many probes run as may run at once"),
    ]);

const PROBED: [&str; 1] = [Format::Text.content_type()];

async fn metrics(State(view): State<Arc<PostgresView>>) -> Result<Response, ApiError> {
    view.first().map(|metrics| Json(metrics).into_response()).map_err(|missing| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, missing.reason.code(), missing.detail)
            .hint("see docs/sources/postgres.md")
            .retry_after(1)
    })
}

/// The query of a probe, with postgres_exporter's names.
#[derive(Deserialize, JsonSchema)]
struct Probed {
    /// Which server: `host:port`, as `sources.postgres.probe.targets` has it.
    #[schemars(example = &"db.example:5432")]
    target: Option<String>,
    /// The entry of `sources.postgres.probe.modules` that says how to log in; `default` unless given.
    #[schemars(example = &"default")]
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
