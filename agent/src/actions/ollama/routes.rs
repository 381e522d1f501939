//! The routes that load and unload.

use std::{sync::Arc, time::Duration};

use aura_model::{Interval, Name};
use aura_ollama::{Action, HostReading, InstalledModel, KeepAlive, MemoryNeed, Target};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Loader, explain,
    find::{find, hosts, not_watched},
    jobs::{Job, Order, Progress},
};
use crate::{
    api::{Access, ApiError, Failure, Operation, Query, REASONS, Routes, Success},
    views::ollama::newest,
};

/// A client is answered after this time, whether or not it is done: longer answers are taken for dead connections.
const WAIT: Duration = Duration::from_secs(100);

/// The routes.
pub(crate) fn routes() -> Routes<Arc<Loader>> {
    Routes::new().on(LOAD_ALL, load_all).on(LOAD, load).on(UNLOAD, unload)
}

const LOAD: Operation = Operation::post("load_model", "/v1/models/{name}/load", "Loads a model.")
    .description(
        "On each server one load or unload runs at a time, in the order in which they are asked for. Whoever leaves does not end \
         it: see [Ollama](sources/ollama.md#loading-and-unloading).",
    )
    .access(Access::Controllers)
    .path_parameter("name", NAME, "llama3.1:8b")
    .query::<Asked>()
    .responses(&[
        Success::json::<Done>(200, "It is loaded."),
        Success::json::<Done>(202, "It is not loaded yet: after 100 s, or at once with `wait=false`. The feed says how it goes on."),
    ])
    .errors(&[
        Failure::new(400, &["bad_query", "bad_keep_alive"], "a parameter is wrong, stands twice, or is none of these"),
        BAD_NAME,
        REFUSED,
        NOT_FOUND,
        Failure::new(422, &["remote_model", "not_supported"], "it runs in the cloud, or is of a kind that is not loaded by itself"),
        UNKNOWN,
        BROKEN,
        Failure::new(503, REASONS, "no server of Ollama answers, and why"),
        BUSY,
        Failure::new(504, &["unconfirmed", "too_long", "ollama_busy"], "it was not seen in memory in time"),
        Failure::new(507, &["not_enough_memory", "no_room"], "it does not fit into memory; `hint` says what could make room"),
    ]);

const UNLOAD: Operation = Operation {
    id: "unload_model",
    path: "/v1/models/{name}/unload",
    summary: "Unloads a model.",
    query: Operation::get("", "", "").query::<AskedToUnload>().query,
    responses: &[
        Success::json::<Done>(200, "It is unloaded, or was not in memory (`already`)."),
        Success::json::<Done>(
            202,
            "It is not unloaded yet: after 100 s, or at once with `wait=false`. The feed says how it goes on.",
        ),
    ],
    errors: &[
        Failure::new(400, &["bad_query"], "a parameter is wrong, stands twice, or is none of these"),
        BAD_NAME,
        REFUSED,
        NOT_FOUND,
        Failure::new(
            409,
            &["other_model"],
            "it is in memory under another name, which would go with it; `force=true` does that",
        ),
        Failure::new(
            409,
            &["out_of_reach"],
            "Ollama cannot unload it: it was deleted or made anew since; `message` says until when it stays",
        ),
        UNKNOWN,
        BROKEN,
        Failure::new(503, REASONS, "no server of Ollama answers, and why"),
        BUSY,
        Failure::new(504, &["unconfirmed", "too_long", "ollama_busy"], "it still answers somebody"),
    ],
    ..LOAD
};

const LOAD_ALL: Operation =
    Operation::post("load_all_models", "/v1/models/load", "Loads all models that are installed.")
        .description("One after the other, until they no longer fit into memory together.")
        .access(Access::Controllers)
        .query::<Asked>()
        .responses(&[
            Success::json::<Accepted>(200, "All are loaded already."),
            Success::json::<Accepted>(202, "They will be loaded; the feed says how it goes on."),
        ])
        .errors(&[
            Failure::new(
                400,
                &["bad_query", "bad_keep_alive"],
                "a parameter is wrong, stands twice, or is none of these",
            ),
            REFUSED,
            Failure::new(404, &["unknown_host"], "no watched server has this name"),
            Failure::new(503, REASONS, "no server of Ollama answers, and why"),
        ]);

const NAME: &str = "Name of the model with its tag, percent-encoded where it has a `/`, as Ollama takes it: case does not matter, without a tag it is `latest`.";
const BAD_NAME: Failure = Failure::new(400, &["bad_name"], "Ollama takes no such name; `message` says why");
const REFUSED: Failure = Failure::new(403, &["controls_off", "no_control"], "nobody may do this here: see `message`");
const NOT_FOUND: Failure =
    Failure::new(404, &["model_not_found", "unknown_host"], "it is not installed, or no watched server has this name");
const UNKNOWN: Failure = Failure::new(500, &["job_forgotten"], "what became of it is in the feed");
const BROKEN: Failure = Failure::new(
    502,
    &["refused", "unreachable", "unconnected", "broken_off"],
    "Ollama refused, or did not answer in full",
);
const BUSY: Failure = Failure::new(503, &["ollama_busy", "too_many_jobs"], "too much waits there already");

impl Loader {
    /// Why nobody may load and unload, if nobody may.
    pub fn closed(&self) -> Option<ApiError> {
        let message = "models are not loaded and unloaded through this agent";
        let error = || ApiError::new(StatusCode::FORBIDDEN, "controls_off", message);
        (!self.settings().on).then(|| error().hint("sources.ollama.controls is false"))
    }
}

/// What became of a load or unload.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ModelChange")]
pub(crate) struct Done {
    /// The model's name with its tag.
    model: Name,
    /// The server that it was for, as `HOST:PORT`.
    host: Name,
    /// Whether it is loaded: true with 200, false with 202. Absent after an unload.
    #[serde(skip_serializing_if = "Option::is_none")]
    loaded: Option<bool>,
    /// Whether it is unloaded: true with 200, false with 202. Absent after a load.
    #[serde(skip_serializing_if = "Option::is_none")]
    unloaded: Option<bool>,
    /// Its number among `controls.jobs` of the feed.
    job: u64,
    /// How long it took, in seconds; `null` with 202.
    seconds: Option<f64>,
    /// It was not in memory, so nothing was asked of Ollama.
    already: bool,
    /// The name under which it was in memory and is now gone, where that was another; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<Name>,
    /// What the load takes as reckoned before it: absent after an unload, for what was in memory, and where the server's
    /// process is not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    /// What else there is to say: how long it stays where Ollama left that as it was, what is still in memory. Absent where
    /// there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// What a load takes, in bytes; what is not known is `null`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LoadMemory")]
struct Memory {
    /// The model's files.
    weights_bytes: Option<u64>,
    /// The KV cache: slots times context times what a token takes.
    kv_cache_bytes: Option<u64>,
    /// Buffers for computing, at least.
    buffers_bytes: Option<u64>,
    /// The sum of what is known.
    total_bytes: u64,
    /// What was available: the least of RAM, the server's control groups, and the GPUs where it uses them.
    available_bytes: Option<u64>,
    /// Whether all of it is known. A load is refused only then.
    complete: bool,
}

impl Memory {
    fn of(need: &MemoryNeed) -> Self {
        Self {
            weights_bytes: need.weights_bytes,
            kv_cache_bytes: need.kv_cache_bytes,
            buffers_bytes: need.buffers_bytes,
            total_bytes: need.total_bytes(),
            available_bytes: need.available_bytes,
            complete: need.is_complete(),
        }
    }
}

/// The loads that a load of all has brought about.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AcceptedJobs")]
pub(crate) struct Accepted {
    /// Each with its number; empty when all that are installed are loaded, or as many as the server keeps.
    jobs: Vec<AcceptedJob>,
    /// Models that are not loaded, as the server keeps no more in memory (`OLLAMA_MAX_LOADED_MODELS`; three for each GPU, and on
    /// a CPU, where it is not set). Empty also where that number is not known.
    left_out: Vec<Name>,
}

/// A load that waits for its turn.
#[derive(Serialize, JsonSchema)]
struct AcceptedJob {
    /// Its number among `controls.jobs` of the feed.
    job: u64,
    /// The server that it is for, as `HOST:PORT`.
    host: Name,
    /// The model's name with its tag.
    model: Name,
}

/// The query of a load or unload.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    /// How long it stays in memory unused: a duration such as `10m`, seconds, `forever`, or `default` for what Ollama's own
    /// settings say, and for a model that is in memory what was said before. `default` unless given.
    #[schemars(example = &"10m")]
    keep_alive: Option<String>,
    /// Which server, as `HOST:PORT` or its URL. Unless given the first that has the model.
    host: Option<String>,
    /// Whether to be answered only when it is done, for 100 s at most. `true` unless given.
    wait: Option<bool>,
    /// Whether an unload is done although what was not named goes with it, and a load is tried although it does not fit.
    /// `false` unless given.
    force: Option<bool>,
}

/// The query of an unload: that of a load, without `keep_alive`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is wanted")]
struct AskedToUnload {
    /// Which server, as `HOST:PORT` or its URL. Unless given the first that has the model.
    host: Option<String>,
    /// Whether to be answered only when it is done, for 100 s at most. `true` unless given.
    wait: Option<bool>,
    /// Whether the same weights may go that are in memory under another name. `false` unless given.
    force: Option<bool>,
}

async fn load(
    State(loader): State<Arc<Loader>>,
    Path(name): Path<String>,
    query: Result<Query<Asked>, ApiError>,
) -> Result<Response, ApiError> {
    let asked = asked(query)?;
    let keep_alive = keep_alive(asked.keep_alive.as_deref())?;
    let snapshot = newest(&loader.hub).map_err(not_watched)?;
    let hosts = hosts(&snapshot.reading, asked.host.as_deref())?;
    let (host, target) = find(&hosts, &name, false).await?;
    let order = Order { keep_alive, force: asked.force.unwrap_or(false), ..order(host, target, Action::Load) };
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
    let hosts = hosts(&snapshot.reading, asked.host.as_deref())?;
    let (host, target) = find(&hosts, &name, true).await?;
    let order = Order { force: asked.force.unwrap_or(false), ..order(host, target, Action::Unload) };
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
    let (mut accepted, mut left_out) = (Vec::new(), Vec::new());
    for host in hosts(&snapshot.reading, asked.host.as_deref())? {
        let (Some(loaded), Some(installed)) = (host.loaded.value(), host.installed.value()) else { continue };
        // Several names of the same weights are loaded once: Ollama has them in memory once.
        let weights = |model: &InstalledModel| model.weights.clone().unwrap_or_else(|| model.digest.clone());
        let mut taken: Vec<Name> = loaded.iter().filter_map(|model| model.weights.clone()).collect();
        let mut places = loader.limit(host).map(|most| most.saturating_sub(loaded.len() as u64));
        for model in installed.iter().filter(|model| !model.remote && !model.is_among(loaded)) {
            if taken.contains(&weights(model)) {
                continue;
            }
            taken.push(weights(model));
            if places == Some(0) {
                left_out.push(model.name.clone());
                continue;
            }
            places = places.map(|places| places - 1);
            let order = Order { keep_alive, ..order(host, model.into(), Action::Load) };
            match loader.submit(Order { batch: Some(batch), ..order }) {
                Some(id) => accepted.push(AcceptedJob { job: id, host: host.host.clone(), model: model.name.clone() }),
                None => break,
            }
        }
    }
    if !left_out.is_empty() {
        let count = left_out.len();
        tracing::info!("load all: {count} models are left out, as the server keeps no more in memory");
    }
    let status = if accepted.is_empty() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(Accepted { jobs: accepted, left_out })).into_response())
}

fn asked(query: Result<Query<Asked>, ApiError>) -> Result<Asked, ApiError> {
    query.map(|Query(asked)| asked).map_err(|error| error.hint("there are keep_alive, host, wait and force"))
}

fn order(host: &HostReading, target: Target, action: Action) -> Order {
    Order {
        host: host.host.clone(),
        server: host.server.clone(),
        target,
        action,
        keep_alive: KeepAlive::Default,
        force: false,
        batch: None,
    }
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
    let body = |done: bool, seconds: Option<f64>, how: Option<&aura_ollama::Done>| Done {
        model: job.order.target.name.clone(),
        host: job.order.host.clone(),
        loaded: (job.order.action == Action::Load).then_some(done),
        unloaded: (job.order.action == Action::Unload).then_some(done),
        job: id,
        seconds,
        already: how.is_some_and(|how| how.already),
        gone: how.and_then(|how| how.gone.clone()),
        memory: how.and_then(|how| how.memory.as_ref()).map(Memory::of),
        note: how.and_then(explain::note),
    };
    match &job.progress {
        Progress::Finished { took, result: Ok(how), .. } => {
            Ok(Json(body(true, Some(took.as_secs_f64()), Some(how))).into_response())
        }
        Progress::Finished { result: Err(error), .. } => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_GATEWAY);
            let answer = ApiError::new(status, error.code, &error.message).hint(&error.hint);
            Err(if status == StatusCode::SERVICE_UNAVAILABLE { answer.retry_after(5) } else { answer })
        }
        Progress::Queued | Progress::Running(_) => {
            Ok((StatusCode::ACCEPTED, Json(body(false, None, None))).into_response())
        }
    }
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
