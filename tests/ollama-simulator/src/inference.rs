//! Loading, unloading and answering: `/api/generate`, `/api/chat`, `/api/embed`.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use axum::{
    Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::{
    LoadBehaviour, Model, duration,
    routes::{Refusal, fields, lines},
    state::Shared,
    store::{find, find_or_404, time},
};

/// Tokens of an answer when nobody limits it.
const TOKENS: u64 = 8;

pub(crate) async fn generate(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Refusal> {
    let fields = fields(&body)?;
    let empty = fields["prompt"].as_str().unwrap_or_default().is_empty();
    answer(shared, &fields, Dialect::Generate, empty).await
}

pub(crate) async fn chat(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Refusal> {
    let fields = fields(&body)?;
    let empty = fields["messages"].as_array().is_none_or(Vec::is_empty);
    answer(shared, &fields, Dialect::Chat, empty).await
}

pub(crate) async fn embed(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Refusal> {
    let fields = fields(&body)?;
    let begun = Instant::now();
    let model = find_or_404(&shared, &fields)?;
    let (_request, load_duration) = load(&shared, &model, keep(&fields)?).await?;
    let inputs = match &fields["input"] {
        Value::Array(inputs) => inputs.len(),
        Value::String(input) if !input.is_empty() => 1,
        _ => 0,
    };
    let mut answer = json!({ "model": fields["model"], "embeddings": vec![[0.5, -0.5]; inputs] });
    if inputs > 0 {
        put(&mut answer, "total_duration", begun.elapsed());
        put(&mut answer, "load_duration", load_duration);
        answer["prompt_eval_count"] = (inputs * 4).into();
    }
    Ok(Json(answer).into_response())
}

#[derive(Clone, Copy, PartialEq)]
enum Dialect {
    Generate,
    Chat,
}

async fn answer(shared: Arc<Shared>, fields: &Value, dialect: Dialect, empty: bool) -> Result<Response, Refusal> {
    let begun = Instant::now();
    let model = match dialect {
        Dialect::Generate => find_or_404(&shared, fields)?,
        Dialect::Chat => find(&shared, fields)?,
    };
    // Answers and refusals name the model as it was asked for.
    let asked = fields["model"].as_str().unwrap_or(&model.name).to_owned();
    let keep = keep(fields)?;
    if empty && keep == Some(Duration::ZERO) {
        shared.state().expire(&model);
        shared.changed.notify_waiters();
        return Ok(Json(chunk(&asked, dialect, "", Some("unload"))).into_response());
    }
    if !model.can("completion") {
        let verb = if dialect == Dialect::Chat { "chat" } else { "generate" };
        return Err(bad(format!("{asked:?} does not support {verb}")));
    }
    let (request, load_duration) = load(&shared, &model, keep).await?;
    if empty {
        return Ok(Json(chunk(&asked, dialect, "", Some("load"))).into_response());
    }
    // The wait for a slot has no limit and no field of its own.
    let slots = shared.state().slots(&model).ok_or_else(|| failed("model runner has unexpectedly stopped"))?;
    let slot = slots.acquire_owned().await.map_err(|_| failed("model runner has unexpectedly stopped"))?;
    let tokens = fields["options"]["num_predict"].as_u64().unwrap_or(TOKENS);
    let evaluated = Instant::now();
    let last = {
        let asked = asked.clone();
        move |evaluated: Instant| {
            let mut last = chunk(&asked, dialect, "", Some("stop"));
            put(&mut last, "total_duration", begun.elapsed());
            put(&mut last, "load_duration", load_duration);
            last["prompt_eval_count"] = 7.into();
            put(&mut last, "prompt_eval_duration", Duration::from_micros(700));
            last["eval_count"] = tokens.into();
            put(&mut last, "eval_duration", evaluated.elapsed());
            last
        }
    };
    let pause = shared.settings.token_time;
    if fields["stream"] == Value::Bool(false) {
        tokio::time::sleep(pause * u32::try_from(tokens).unwrap_or(u32::MAX)).await;
        let mut whole = last(evaluated);
        say(&mut whole, dialect, &"word ".repeat(usize::try_from(tokens).unwrap_or(0)));
        return Ok(Json(whole).into_response());
    }
    // Not even the status is sent before the first token.
    tokio::time::sleep(pause).await;
    let (send, receive) = mpsc::channel(1);
    tokio::spawn(async move {
        let _hold = (request, slot);
        for _ in 0..tokens {
            let line = format!("{}\n", chunk(&asked, dialect, "word ", None));
            if send.send(Some(Bytes::from(line))).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
        let _ = send.send(Some(Bytes::from(format!("{}\n", last(evaluated))))).await;
    });
    Ok(lines(receive))
}

/// Loads a model unless it is loaded, after all loads before it. Dropped, it is given up. The request that asked for
/// it runs until what is returned is dropped.
async fn load(shared: &Arc<Shared>, model: &Model, keep: Option<Duration>) -> Result<(InFlight, Duration), Refusal> {
    let begun = Instant::now();
    if shared.state().is_loaded(model) {
        return Ok((InFlight::begin(shared, model, keep), begun.elapsed()));
    }
    if let Some(host) = &model.remote_host {
        return Err(Refusal(StatusCode::BAD_GATEWAY, format!("dial tcp: lookup {host}: no such host")));
    }
    let _pending = Pending::enter(shared)?;
    let _turn = shared.loading.lock().await;
    if shared.state().is_loaded(model) {
        return Ok((InFlight::begin(shared, model, keep), begun.elapsed()));
    }
    if model.memory > shared.settings.memory {
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        return Err(failed(&format!(
            "model requires more system memory ({:.1} GiB) than is available ({:.1} GiB)",
            gib(model.memory),
            gib(shared.settings.memory)
        )));
    }
    loop {
        let changed = shared.changed.notified();
        let fits = {
            let mut state = shared.state();
            loop {
                if state.memory_in_use() + model.memory <= shared.settings.memory {
                    break true;
                }
                if !state.evict() {
                    break false;
                }
            }
        };
        if fits {
            break;
        }
        // Requests that a test began end without a bell.
        let _ = tokio::time::timeout(Duration::from_millis(20), changed).await;
    }
    let settings = &shared.settings;
    shared.state().add(model.clone(), keep.unwrap_or(settings.keep_alive), settings.parallel);
    let loading = Loading { shared, model, done: false };
    tokio::time::sleep(model.load_time).await;
    match &model.load {
        LoadBehaviour::Fine => {
            let request = InFlight::begin(shared, model, keep);
            loading.done();
            Ok((request, begun.elapsed()))
        }
        LoadBehaviour::Fails(text) => Err(failed(text)),
        LoadBehaviour::Hangs => std::future::pending().await,
    }
}

/// A place among the requests that wait for a load.
struct Pending(Arc<Shared>);

impl Pending {
    fn enter(shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let place = Self(Arc::clone(shared));
        if shared.pending.fetch_add(1, Ordering::Relaxed) >= shared.settings.max_queue {
            let text = "server busy, please try again.  maximum pending requests exceeded";
            return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, text.into()));
        }
        Ok(place)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The load that runs; given up, it leaves nothing behind.
struct Loading<'a> {
    shared: &'a Shared,
    model: &'a Model,
    done: bool,
}

impl Loading<'_> {
    fn done(mut self) {
        self.shared.state().loaded(self.model);
        self.done = true;
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.shared.state().remove(self.model);
        }
    }
}

/// A request that a loaded model answers.
struct InFlight {
    shared: Arc<Shared>,
    model: Model,
}

impl InFlight {
    fn begin(shared: &Arc<Shared>, model: &Model, keep: Option<Duration>) -> Self {
        shared.state().begin(model, keep);
        Self { shared: Arc::clone(shared), model: model.clone() }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.shared.state().end(&self.model);
        self.shared.changed.notify_waiters();
    }
}

fn chunk(asked: &str, dialect: Dialect, text: &str, done: Option<&str>) -> Value {
    let mut chunk = json!({ "model": asked, "created_at": time(Timestamp::now()), "done": done.is_some() });
    say(&mut chunk, dialect, text);
    if let Some(reason) = done {
        chunk["done_reason"] = reason.into();
    }
    chunk
}

fn say(chunk: &mut Value, dialect: Dialect, text: &str) {
    match dialect {
        Dialect::Generate => chunk["response"] = text.into(),
        Dialect::Chat => chunk["message"] = json!({ "role": "assistant", "content": text }),
    }
}

/// Nanoseconds; a zero is left out.
fn put(chunk: &mut Value, key: &str, time: Duration) {
    if !time.is_zero() {
        chunk.as_object_mut().unwrap_or(&mut Map::new()).insert(key.to_owned(), json!(time.as_nanos() as u64));
    }
}

fn keep(fields: &Value) -> Result<Option<Duration>, Refusal> {
    match &fields["keep_alive"] {
        Value::Null => Ok(None),
        value => duration::keep_alive(value).map(Some).map_err(bad),
    }
}

fn bad(text: String) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, text)
}

fn failed(text: &str) -> Refusal {
    Refusal(StatusCode::INTERNAL_SERVER_ERROR, text.to_owned())
}
