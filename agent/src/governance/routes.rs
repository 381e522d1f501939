//! `/api/governance/roles` and `/api/governance/audit-logs`.

use std::sync::Arc;

use aura_audit::{KeyRing, Level, Outcome, QueryError, Request, page};
use aura_model::Interval;
use aura_roles::RoleFiles;
use axum::{
    Json, Router,
    extract::{Query, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    message::{EventView, RolesView},
    rfc3339, roles_view,
};
use crate::http::{ApiError, App};

/// Events on a page when nobody says.
const LIMIT: usize = 50;
const LONGEST_PAGE: usize = 1000;
const FARTHEST_OFFSET: usize = 10_000;
const LONGEST_TEXT: usize = 200;

/// The routes below `/api/governance`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/governance/roles", get(roles)).route("/api/governance/audit-logs", get(audit_logs))
}

#[derive(Serialize)]
struct RolesAnswer {
    status: &'static str,
    timestamp: String,
    sampled_at: String,
    data: RolesView,
}

async fn roles(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let snapshot = app.views.governance.newest::<RoleFiles>().map_err(|missing| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, missing.reason.code(), missing.detail)
            .hint("see sources.roles in the configuration, and aura_source_missing_info in /metrics/aura")
    })?;
    Ok(fresh(RolesAnswer {
        status: "ok",
        timestamp: rfc3339(Timestamp::now()),
        sampled_at: rfc3339(snapshot.sampled_at),
        data: roles_view(&snapshot),
    }))
}

/// The query of a page. Everything may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    limit: Option<usize>,
    offset: Option<usize>,
    cursor: Option<String>,
    log: Option<String>,
    level: Option<String>,
    kind: Option<String>,
    actor: Option<String>,
    outcome: Option<String>,
    since: Option<String>,
    until: Option<String>,
    text: Option<String>,
}

#[derive(Serialize)]
struct PageAnswer {
    status: &'static str,
    events: Vec<EventView>,
    count: usize,
    timestamp: String,
    next: Option<String>,
    skipped: u64,
    complete: bool,
    problems: Vec<String>,
}

async fn audit_logs(
    State(app): State<Arc<App>>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(asked) = asked.map_err(|rejection| bad("bad_query", rejection.body_text()))?;
    let request = asked.request()?;
    let governance = &app.views.governance;
    let sources = governance.query.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    if sources.logs.is_empty() {
        let message = "no audit logs are named";
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_configured", message)
            .hint("set sources.audit.roots to the root folder of an installation, or sources.audit.files"));
    }
    let place = Arc::clone(&governance.readers).try_acquire_owned().map_err(|_| {
        let message = "as many pages are being read as may be at once";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_pages", message).retry_after(1)
    })?;
    let reading = tokio::task::spawn_blocking(move || {
        let _place = place;
        let key = sources.key_file.as_deref().and_then(|path| KeyRing::read(path).ok());
        page(&sources.logs, key.as_ref(), &request)
    });
    let page = reading.await.map_err(|error| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "panicked", format!("the page was not finished: {error}"))
    })?;
    let page = page.map_err(|error| match &error {
        QueryError::BadCursor(_) => bad("bad_cursor", error.to_string()),
        QueryError::CursorGone => ApiError::new(StatusCode::GONE, "cursor_gone", error.to_string()),
        QueryError::UnknownLog { .. } => ApiError::new(StatusCode::NOT_FOUND, "unknown_log", error.to_string()),
    })?;
    Ok(fresh(PageAnswer {
        status: "ok",
        count: page.events.len(),
        events: page.events.into_iter().map(EventView::from).collect(),
        timestamp: rfc3339(Timestamp::now()),
        next: page.next,
        skipped: page.skipped,
        complete: page.complete,
        problems: page.problems,
    }))
}

impl Asked {
    fn request(self) -> Result<Request, ApiError> {
        let limit = self.limit.unwrap_or(LIMIT);
        let offset = self.offset.unwrap_or(0);
        if !(1..=LONGEST_PAGE).contains(&limit) {
            return Err(
                bad("bad_limit", format!("limit is from 1 to {LONGEST_PAGE}")).hint("go on with next as cursor")
            );
        }
        if offset > FARTHEST_OFFSET {
            return Err(
                bad("bad_offset", format!("offset is {FARTHEST_OFFSET} at most")).hint("go on with next as cursor")
            );
        }
        if self.text.as_ref().is_some_and(|text| text.len() > LONGEST_TEXT) {
            return Err(bad("bad_text", format!("text is {LONGEST_TEXT} bytes at most")));
        }
        let level = self.level.filter(|level| level != "all" && !level.is_empty()).map(|word| {
            Level::of(&word).ok_or_else(|| {
                bad("bad_level", format!("{word:?} is no level")).hint("all, debug, info, warning or error")
            })
        });
        let outcome = self.outcome.filter(|outcome| !outcome.is_empty()).map(|word| {
            Outcome::of(&word).ok_or_else(|| {
                bad("bad_outcome", format!("{word:?} is no outcome"))
                    .hint("allowed, denied, pending, limited, ok, failed or none")
            })
        });
        Ok(Request {
            limit,
            offset,
            cursor: self.cursor.filter(|cursor| !cursor.is_empty()),
            log: self.log,
            level: level.transpose()?,
            kind: self.kind,
            actor: self.actor,
            outcome: outcome.transpose()?,
            since: self.since.as_deref().map(moment).transpose()?,
            until: self.until.as_deref().map(moment).transpose()?,
            text: self.text.filter(|text| !text.is_empty()),
        })
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

fn fresh(answer: impl Serialize) -> Response {
    let mut response = Json(answer).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
