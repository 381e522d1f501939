//! The routes that load and unload.

use std::{sync::Arc, time::Duration};

use aura_model::{Interval, Name};
use aura_ollama::{Action, HostReading, KeepAlive, OllamaReading, Target};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{MethodRouter, post},
};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Loader,
    jobs::{Job, Order, Progress},
};
use crate::{
    api::{ApiError, Query},
    views::ollama::newest,
};

/// A client is answered after this time, whether or not it is done: longer answers are taken for dead connections.
const WAIT: Duration = Duration::from_secs(100);

impl Loader {
    /// The routes.
    pub fn routes(self: &Arc<Self>) -> Vec<(&'static str, MethodRouter)> {
        let routes: [(_, MethodRouter<Arc<Self>>); 3] = [
            ("/v1/models/load", post(load_all)),
            ("/v1/models/{name}/load", post(load)),
            ("/v1/models/{name}/unload", post(unload)),
        ];
        routes.map(|(path, handler)| (path, handler.with_state(Arc::clone(self)))).into()
    }

    /// Why nobody may load and unload, if nobody may.
    pub fn closed(&self) -> Option<ApiError> {
        let message = "models are not loaded and unloaded through this agent";
        let error = || ApiError::new(StatusCode::FORBIDDEN, "controls_off", message);
        (!self.settings().on).then(|| error().hint("sources.ollama.controls is false"))
    }
}

/// Answers a load or an unload.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Done {
    model: Name,
    host: Name,
    /// Whether it is loaded; still false when the answer is 202.
    #[serde(skip_serializing_if = "Option::is_none")]
    loaded: Option<bool>,
    /// Whether it is unloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    unloaded: Option<bool>,
    /// Its number in the feed.
    job: u64,
    /// How long it took, when it is done.
    seconds: Option<f64>,
}

/// Answers a load of all.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Accepted {
    jobs: Vec<AcceptedJob>,
}

#[derive(Serialize, JsonSchema)]
struct AcceptedJob {
    job: u64,
    host: Name,
    model: Name,
}

/// The query of a load or unload.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    /// How long to keep it: a duration, seconds, `forever` or `default`.
    keep_alive: Option<String>,
    /// Which server, when several have it.
    host: Option<String>,
    /// Whether to answer only when it is done; usually true.
    wait: Option<bool>,
}

async fn load(
    State(loader): State<Arc<Loader>>,
    Path(name): Path<String>,
    query: Result<Query<Asked>, ApiError>,
) -> Result<Response, ApiError> {
    let asked = asked(query)?;
    let keep_alive = keep_alive(asked.keep_alive.as_deref())?;
    let snapshot = newest(&loader.hub).map_err(not_watched)?;
    let order = order_load(&snapshot.reading, &name, asked.host.as_deref(), keep_alive)?;
    answer(&loader, order, asked.wait.unwrap_or(true)).await
}

async fn unload(
    State(loader): State<Arc<Loader>>,
    Path(name): Path<String>,
    query: Result<Query<Asked>, ApiError>,
) -> Result<Response, ApiError> {
    let asked = asked(query)?;
    if asked.keep_alive.is_some() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_query", "an unload has no keep_alive"));
    }
    let snapshot = newest(&loader.hub).map_err(not_watched)?;
    let order = order_unload(&snapshot.reading, &name, asked.host.as_deref())?;
    answer(&loader, order, asked.wait.unwrap_or(true)).await
}

/// Loads all that are installed, one after the other, until they no longer fit together.
async fn load_all(
    State(loader): State<Arc<Loader>>,
    query: Result<Query<Asked>, ApiError>,
) -> Result<Response, ApiError> {
    let asked = asked(query)?;
    let keep_alive = keep_alive(asked.keep_alive.as_deref())?;
    let snapshot = newest(&loader.hub).map_err(not_watched)?;
    let batch = loader.jobs.new_batch();
    let mut accepted = Vec::new();
    for host in hosts(&snapshot.reading, asked.host.as_deref())? {
        let (Some(loaded), Some(installed)) = (host.loaded.value(), host.installed.value()) else { continue };
        // Several names of one model are loaded once.
        let mut asked: Vec<&Name> = Vec::new();
        for model in installed.iter().filter(|model| !model.remote && !model.is_among(loaded)) {
            if asked.contains(&&model.digest) {
                continue;
            }
            asked.push(&model.digest);
            let order = order_load(&snapshot.reading, &model.name, Some(&host.host), keep_alive)?;
            match loader.submit(Order { batch: Some(batch), ..order }) {
                Some(id) => accepted.push(AcceptedJob { job: id, host: host.host.clone(), model: model.name.clone() }),
                None => break,
            }
        }
    }
    let status = if accepted.is_empty() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(Accepted { jobs: accepted })).into_response())
}

fn asked(query: Result<Query<Asked>, ApiError>) -> Result<Asked, ApiError> {
    query.map(|Query(asked)| asked).map_err(|error| error.hint("there are keep_alive, host and wait"))
}

fn order_load(
    reading: &OllamaReading,
    name: &str,
    host: Option<&str>,
    keep_alive: KeepAlive,
) -> Result<Order, ApiError> {
    let hosts = hosts(reading, host)?;
    let found = hosts.iter().find_map(|host| {
        let installed = host.installed.value()?;
        Some((host, installed.iter().find(|model| is(&model.name, name))?))
    });
    let Some((host, model)) = found else { return Err(not_found(&hosts, name)) };
    if model.remote {
        let message = format!("{} runs in the cloud: there is nothing to load here", model.name);
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "remote_model", message));
    }
    Ok(Order {
        host: host.host.clone(),
        server: host.server.clone(),
        target: model.into(),
        action: Action::Load,
        keep_alive,
        batch: None,
    })
}

fn order_unload(reading: &OllamaReading, name: &str, host: Option<&str>) -> Result<Order, ApiError> {
    let hosts = hosts(reading, host)?;
    let loaded = hosts.iter().find_map(|host| {
        let model = host.loaded.value()?.iter().find(|model| is(&model.name, name))?;
        Some((host, Target { digest: Some(model.digest.clone()), ..Target::from(&*model.name) }))
    });
    let installed = || {
        hosts.iter().find_map(|host| {
            let model = host.installed.value()?.iter().find(|model| is(&model.name, name))?;
            Some((host, Target::from(model)))
        })
    };
    let Some((host, target)) = loaded.or_else(installed) else { return Err(not_found(&hosts, name)) };
    Ok(Order {
        host: host.host.clone(),
        server: host.server.clone(),
        target,
        action: Action::Unload,
        keep_alive: KeepAlive::Default,
        batch: None,
    })
}

async fn answer(loader: &Arc<Loader>, order: Order, wait: bool) -> Result<Response, ApiError> {
    let mut changes = loader.jobs.changes();
    let id = loader.submit(order).ok_or_else(|| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_jobs", "too many loads and unloads wait already")
            .retry_after(10)
    })?;
    let finished = async {
        loop {
            changes.borrow_and_update();
            match loader.jobs.find(id) {
                Some(Job { progress: Progress::Queued | Progress::Running(_), .. }) => {}
                other => return other,
            }
            if changes.changed().await.is_err() {
                return None;
            }
        }
    };
    let limit = if wait { WAIT } else { Duration::ZERO };
    // Whoever leaves here leaves the job to itself.
    let job = tokio::time::timeout(limit, finished).await.ok().flatten().or_else(|| loader.jobs.find(id));
    let job = job.ok_or_else(|| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "job_forgotten", "see the feed"))?;
    let body = |done: bool, seconds: Option<f64>| Done {
        model: job.order.target.name.clone(),
        host: job.order.host.clone(),
        loaded: (job.order.action == Action::Load).then_some(done),
        unloaded: (job.order.action == Action::Unload).then_some(done),
        job: id,
        seconds,
    };
    match &job.progress {
        Progress::Finished { took, result: Ok(()), .. } => {
            Ok(Json(body(true, Some(took.as_secs_f64()))).into_response())
        }
        Progress::Finished { result: Err(error), .. } => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_GATEWAY);
            let answer = ApiError::new(status, error.code, &error.message).hint(&error.hint);
            Err(if status == StatusCode::SERVICE_UNAVAILABLE { answer.retry_after(5) } else { answer })
        }
        Progress::Queued | Progress::Running(_) => Ok((StatusCode::ACCEPTED, Json(body(false, None))).into_response()),
    }
}

/// A name without a tag means the tag `latest`.
fn is(known: &str, asked: &str) -> bool {
    known == asked || known.strip_suffix(":latest").is_some_and(|stem| stem == asked)
}

fn hosts<'a>(reading: &'a OllamaReading, host: Option<&str>) -> Result<Vec<&'a HostReading>, ApiError> {
    let wanted = |known: &&HostReading| host.is_none_or(|host| *known.host == *host || known.url == host);
    let found: Vec<_> = reading.hosts.iter().filter(wanted).collect();
    if found.is_empty() {
        let known: Vec<&str> = reading.hosts.iter().map(|host| &*host.host).collect();
        let message = format!("there is no host {:?}", host.unwrap_or_default());
        return Err(ApiError::new(StatusCode::NOT_FOUND, "unknown_host", message).hint(known.join(", ")));
    }
    Ok(found)
}

fn not_found(hosts: &[&HostReading], name: &str) -> ApiError {
    if let Some(missing) = hosts.iter().find_map(|host| host.missing.as_ref()) {
        return not_watched(missing.clone());
    }
    let installed = hosts.iter().filter_map(|host| host.installed.value()).flat_map(|models| models.iter());
    let mut names: Vec<&str> = installed.map(|model| &*model.name).take(20).collect();
    names.sort_unstable();
    names.dedup();
    ApiError::new(StatusCode::NOT_FOUND, "model_not_found", format!("no model {name:?} is installed"))
        .hint(format!("`ollama pull {name}`; installed are: {}", names.join(", ")))
}

fn not_watched(missing: aura_model::Missing) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, missing.reason.code(), missing.detail)
        .hint("nothing is done to a server that does not answer")
        .retry_after(5)
}

fn keep_alive(text: Option<&str>) -> Result<KeepAlive, ApiError> {
    let wrong = |problem: String| {
        ApiError::new(StatusCode::BAD_REQUEST, "bad_keep_alive", problem)
            .hint("ask for keep_alive=10m, 600, forever or default")
    };
    match text {
        None | Some("default") => Ok(KeepAlive::Default),
        Some("forever" | "-1") => Ok(KeepAlive::Forever),
        Some("0") => Err(wrong("keep_alive=0 would unload it at once: that is what unload is for".to_owned())),
        Some(text) => {
            let seconds = text.parse::<u32>().map(|_| format!("{text}s"));
            let interval: Result<Interval, _> = seconds.as_deref().unwrap_or(text).parse();
            interval.map(KeepAlive::For).map_err(|error| wrong(error.to_string()))
        }
    }
}
