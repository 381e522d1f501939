//! `/api/governance/roles` and `/api/governance/audit-logs`.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aura_audit::{KeyRing, Outcome, QueryError, Request, page};
use aura_model::Interval;
use aura_roles::RoleFiles;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;

use super::{
    GovernanceView,
    message::{EventView, PageResponse, RolesResponse},
    rfc3339, roles_view,
};
use crate::{
    api::{ApiError, Failure, Operation, Query, REASONS, Routes, Success},
    config::suggestion,
};

/// Events on a page when nobody says.
const LIMIT: usize = 50;
const LONGEST_PAGE: usize = 1000;
const FARTHEST_OFFSET: usize = 10_000;
const LONGEST_TEXT: usize = 200;
/// So long is waited for a permit to read.
const PERMIT_TIMEOUT: Duration = Duration::from_millis(250);
const PARAMETERS: [&str; 11] =
    ["limit", "offset", "cursor", "log", "level", "kind", "actor", "outcome", "since", "until", "text"];

/// The routes below `/api/governance`.
pub(crate) fn routes() -> Routes<Arc<GovernanceView>> {
    Routes::new().on(ROLES, roles).on(AUDIT_LOGS, audit_logs)
}

const ROLES: Operation =
    Operation::get("roles", "/api/governance/roles", "Roles, their tree, drafts, migrations and findings.")
        .description("See [roles](sources/roles.md).")
        .responses(&[Success::json::<RolesResponse>(200, "What the files say.")])
        .errors(&[Failure::new(503, REASONS, "the files could not be read, and why")]);

const AUDIT_LOGS: Operation = Operation::get(
    "audit_logs",
    "/api/governance/audit-logs",
    "A page of events of the audit logs, newest first.",
)
.description(
    "The logs are read for it, archives included: see [audit logs](sources/audit.md#asking). A parameter that is empty \
             counts as left out.",
)
.query::<Parameters>()
.responses(&[Success::json::<PageResponse>(200, "The newest that fit.")])
.errors(&[
    Failure::new(400, &["bad_query"], "a parameter stands twice, or is none of these"),
    Failure::new(
        400,
        &["bad_number", "bad_level", "bad_outcome", "bad_time", "bad_text", "bad_cursor"],
        "a parameter is wrong; `hint` names the nearest that is right",
    ),
    Failure::new(404, &["unknown_log"], "no log has this name"),
    Failure::new(410, &["cursor_gone"], "the file that the cursor points into is gone: begin again without one"),
    Failure::new(500, &["panicked"], "the page was not finished"),
    Failure::new(503, &["not_configured"], "no audit logs are named"),
    Failure::new(503, &["too_many_pages"], "as many pages are being read as may be at once"),
]);

/// The query of a page. [`request`] reads it, to say of each mistake what would be right.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is wanted")]
struct Parameters {
    /// Events on the page, 1 to 1000; 50 unless given.
    #[schemars(example = 20)]
    limit: Option<usize>,
    /// Events to pass over, 10000 at most. To go on from a page take its `next` as `cursor`: that holds through rotation.
    offset: Option<usize>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
    /// Only events of the log with this name.
    log: Option<String>,
    /// Only events of exactly this level: `debug`, `info`, `warning`, `error`, or `all`.
    #[schemars(example = &"all")]
    level: Option<String>,
    /// Only events of this kind.
    kind: Option<String>,
    /// Only what this actor did.
    actor: Option<String>,
    /// Only what became `allowed`, `denied`, `pending`, `limited`, `ok`, `failed` or `none`.
    outcome: Option<String>,
    /// Not before: RFC 3339, Unix seconds, or how long ago.
    #[schemars(example = &"1h")]
    since: Option<String>,
    /// Not after: RFC 3339, Unix seconds, or how long ago.
    until: Option<String>,
    /// Only lines that hold this anywhere, in whatever case; 200 bytes at most.
    text: Option<String>,
}

async fn roles(State(view): State<Arc<GovernanceView>>) -> Result<Response, ApiError> {
    let snapshot = view.newest::<RoleFiles>().map_err(|missing| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, missing.reason.code(), missing.detail)
            .hint("see sources.roles in the configuration, and aura_source_missing_info in /metrics/aura")
    })?;
    Ok(Json(RolesResponse {
        status: "ok",
        timestamp: rfc3339(Timestamp::now()),
        sampled_at: rfc3339(snapshot.sampled_at),
        data: roles_view(&snapshot),
    })
    .into_response())
}

async fn audit_logs(
    State(view): State<Arc<GovernanceView>>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let request = request(parameters)?;
    let sources = view.query.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    if sources.logs.is_empty() {
        let message = "no audit logs are named";
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_configured", message)
            .hint("set sources.audit.roots to the root folder of an installation, or sources.audit.files"));
    }
    // Those who left give their permits back at once.
    let permit = tokio::time::timeout(PERMIT_TIMEOUT, Arc::clone(&view.readers).acquire_owned()).await;
    let permit = permit.ok().and_then(Result::ok).ok_or_else(|| {
        let message = "as many pages are being read as may be at once";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_pages", message).retry_after(1)
    })?;
    // This future is dropped when its client leaves; the search ends then too.
    let waiting = Waiting(Arc::default());
    let gone = Arc::clone(&waiting.0);
    let reading = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let key = sources.key_file.as_deref().and_then(|path| KeyRing::read(path).ok());
        page(&sources.logs, key.as_ref(), &request, &gone)
    });
    let page = reading.await.map_err(|error| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "panicked", format!("the page was not finished: {error}"))
    })?;
    let page = page.map_err(|error| match &error {
        QueryError::BadCursor(_) => bad("bad_cursor", error.to_string()),
        QueryError::CursorGone => ApiError::new(StatusCode::GONE, "cursor_gone", error.to_string()),
        QueryError::UnknownLog { name, known } => {
            ApiError::new(StatusCode::NOT_FOUND, "unknown_log", error.to_string())
                .hint(suggestion(name, known.iter().map(String::as_str)))
        }
    })?;
    Ok(Json(PageResponse {
        status: "ok",
        count: page.events.len(),
        events: page.events.into_iter().map(EventView::from).collect(),
        timestamp: rfc3339(Timestamp::now()),
        next: page.next,
        skipped: page.skipped,
        complete: page.complete,
        problems: page.problems,
    })
    .into_response())
}

/// Somebody waits for a page; when this goes, nobody does.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What is parameters for. Everything may be left out, and what is empty is.
fn request(parameters: Vec<(String, String)>) -> Result<Request, ApiError> {
    let mut request = Request { limit: LIMIT, ..Request::default() };
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in parameters {
        if seen.contains(&name) {
            return Err(bad("bad_query", format!("{name} stands more than once")).hint("each parameter stands once"));
        }
        seen.push(name.clone());
        if !PARAMETERS.contains(&name.as_str()) {
            let message = format!("there is no parameter {name:?}");
            return Err(bad("bad_query", message).hint(suggestion(&name, PARAMETERS)));
        }
        if value.is_empty() {
            continue;
        }
        match name.as_str() {
            "limit" => request.limit = number(&name, &value, 1..=LONGEST_PAGE)?,
            "offset" => request.offset = number(&name, &value, 0..=FARTHEST_OFFSET)?,
            "cursor" => request.cursor = Some(value),
            "log" => request.log = Some(value),
            "level" => {
                request.level = super::level(&value)
                    .map_err(|hint| bad("bad_level", format!("{value:?} is no level")).hint(hint))?;
            }
            "kind" => request.kind = Some(value),
            "actor" => request.actor = Some(value),
            "outcome" => {
                let unknown = || {
                    bad("bad_outcome", format!("{value:?} is no outcome"))
                        .hint(suggestion(&value, Outcome::ALL.map(Outcome::word)))
                };
                request.outcome = Some(Outcome::of(&value).ok_or_else(unknown)?);
            }
            "since" => request.since = Some(moment(&value)?),
            "until" => request.until = Some(moment(&value)?),
            _ if value.len() > LONGEST_TEXT => {
                return Err(bad("bad_text", format!("text is {LONGEST_TEXT} bytes at most")));
            }
            _ => request.text = Some(value),
        }
    }
    if let (Some(since), Some(until)) = (request.since, request.until)
        && since > until
    {
        return Err(bad("bad_time", "since is after until").hint("swap them"));
    }
    Ok(request)
}

/// A number within these limits; a wrong one is told the nearest that is right.
fn number(name: &str, text: &str, right: RangeInclusive<usize>) -> Result<usize, ApiError> {
    let number: Option<i128> = text.parse().ok();
    let nearest = number.map(|number| number.clamp(*right.start() as i128, *right.end() as i128) as usize);
    match nearest {
        Some(nearest) if Some(nearest as i128) == number => Ok(nearest),
        _ => {
            let (least, most) = (right.start(), right.end());
            let hint = format!("the nearest is {name}={}; to go on, use next as cursor", nearest.unwrap_or(*least));
            Err(bad("bad_number", format!("{name} is a number from {least} to {most}, not {text:?}")).hint(hint))
        }
    }
}

/// A time in RFC 3339 or Unix seconds, or how long ago: milliseconds since 1970.
fn moment(text: &str) -> Result<i64, ApiError> {
    let ago = |interval: Interval| {
        let milliseconds = i64::try_from(interval.get().as_millis()).unwrap_or(i64::MAX);
        Timestamp::now().as_millisecond().saturating_sub(milliseconds)
    };
    #[expect(clippy::cast_possible_truncation, reason = "a time that far away is as good as any")]
    let seconds = |seconds: f64| seconds.is_finite().then_some((seconds * 1000.0) as i64);
    let time = text.parse().ok().map(ago);
    let time = time.or_else(|| text.parse().ok().and_then(seconds));
    let time = time.or_else(|| text.parse().ok().map(Timestamp::as_millisecond));
    time.ok_or_else(|| {
        bad("bad_time", format!("{text:?} is no time")).hint("2025-12-15T12:00:00Z, Unix seconds, or how long ago: 15m")
    })
}

fn bad(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_parameters_are_those_that_are_read() {
        let schema = schemars::schema_for!(Parameters).to_value();
        let mut documented: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut read = PARAMETERS;
        documented.sort_unstable();
        read.sort_unstable();
        assert_eq!(documented, read);
    }
}
