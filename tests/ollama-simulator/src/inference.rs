//! Loading, unloading and answering: `/api/generate`, `/api/chat`, `/api/embed`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{body::Bytes, response::Response};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    engine::EngineResponse,
    request::{self, absent, bad, context, find, keep, not_found, option, text},
    routes::{Refusal, json as answer_json, json_text, lines, refusal_text},
    schedule::{acquire, failed},
    state::{Running, Shared},
    wire::{Chunk, Embeddings, Message, Spent, time},
};

/// Tokens of an answer when nobody limits it.
const TOKENS: u64 = 8;

/// What the template adds to every prompt: six words, that is six tokens here.
const TEMPLATE: &str = "<s> [user] [says] [assistant] [says] :";

/// What llama.cpp says to an embedding that it was not started for.
const NO_EMBEDDINGS: &str = "This server does not support embeddings. Start it with `--embeddings`";

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Dialect {
    Generate,
    Chat,
}

pub(crate) async fn embed(shared: &Arc<Shared>, body: &Bytes) -> Result<Response, Refusal> {
    let fields = request::read(body, "EmbedRequest")?;
    let begun = Instant::now();
    let inputs: Vec<&str> = match &fields["input"] {
        Value::Null => Vec::new(),
        Value::String(input) if input.is_empty() => Vec::new(),
        Value::String(input) => vec![input],
        Value::Array(inputs) => inputs.iter().map(|input| input.as_str().unwrap_or_default()).collect(),
        _ => return Err(bad("invalid input type")),
    };
    let keep = keep(shared, &fields)?;
    let pull_it = |name: &str| format!("model {name:?} not found, try pulling it first");
    let model = find(shared, text(&fields, "model"), pull_it)?;
    if model.capabilities.is_empty() {
        return Err(not_found(&pull_it(&model.name)));
    }
    let context = context(shared, &fields, &model)?;
    let (_request, load) = acquire(shared, &model, context, keep).await?;
    let mut spent = Spent::default();
    if !inputs.is_empty() {
        if !model.only_embeds() {
            return Err(Refusal(StatusCode::NOT_IMPLEMENTED, NO_EMBEDDINGS.into()));
        }
        for input in &inputs {
            spent.prompt_eval_count += embed_one(shared, &model.weights, input).await?;
        }
        spent.total_duration = nanoseconds(begun.elapsed());
        spent.load_duration = nanoseconds(load);
    }
    let embeddings = vec![[0.5, -0.5]; inputs.len()];
    let answer = Embeddings { model: text(&fields, "model"), embeddings, spent };
    Ok(answer_json(StatusCode::OK, &answer))
}

/// Embeds a text, and says how many tokens it has.
async fn embed_one(shared: &Shared, weights: &str, input: &str) -> Result<u64, Refusal> {
    let running = shared.state().holder(weights).ok_or_else(stopped)?;
    let _slot = running.slots.acquire().await.map_err(|_| stopped())?;
    let Some(engine) = &running.engine else { return Ok(input.split_whitespace().count() as u64) };
    let mut answer = engine.post("/embedding", &json!({ "content": input })).await.map_err(|_| stopped())?;
    let end = answer.next().await.ok_or_else(stopped)?;
    let tokens = |key: &str| end["timings"][key].as_u64().unwrap_or(0);
    Ok(tokens("cache_n") + tokens("prompt_n"))
}

pub(crate) async fn respond(shared: &Arc<Shared>, body: &Bytes, dialect: Dialect) -> Result<Response, Refusal> {
    let begun = Instant::now();
    let is_chat = dialect == Dialect::Chat;
    let fields = request::read(body, if is_chat { "ChatRequest" } else { "GenerateRequest" })?;
    let keep = keep(shared, &fields)?;
    // Answers and refusals name the model as it was asked for.
    let asked = text(&fields, "model").to_owned();
    if is_chat && asked.is_empty() {
        return Err(bad("model is required"));
    }
    let model = find(shared, &asked, absent)?;
    let prompt = match dialect {
        Dialect::Generate => text(&fields, "prompt").to_owned(),
        Dialect::Chat => {
            let messages = fields["messages"].as_array().into_iter().flatten();
            messages.map(|message| format!("{} ", text(message, "content"))).collect()
        }
    };
    let is_empty = match dialect {
        Dialect::Generate => prompt.is_empty(),
        Dialect::Chat => fields["messages"].as_array().is_none_or(Vec::is_empty),
    };
    if is_empty && keep.is_some_and(|keep| keep.is_zero()) {
        shared.state().expire(&model.weights);
        shared.changed.notify_waiters();
        return Ok(answer_json(StatusCode::OK, &chunk(&asked, dialect, "", Some("unload"))));
    }
    if model.only_embeds() {
        let verb = if is_chat { "chat" } else { "generate" };
        return Err(bad(&format!("{asked:?} does not support {verb}")));
    }
    let limit = option(&fields, "num_predict")?.and_then(|limit| u64::try_from(limit).ok()).filter(|&limit| limit > 0);
    let context = context(shared, &fields, &model)?;
    let (request, load) = acquire(shared, &model, context, keep).await?;
    if is_empty {
        return Ok(answer_json(StatusCode::OK, &chunk(&asked, dialect, "", Some("load"))));
    }
    // The wait for a slot has no limit and no key of its own.
    let running = shared.state().holder(&model.weights).ok_or_else(stopped)?;
    let slot = Arc::clone(&running.slots).acquire_owned().await.map_err(|_| stopped())?;
    let natural = (limit.is_none() && !model.endless).then_some(TOKENS);
    let prompt = format!("{TEMPLATE} {prompt}");
    let mut speech = Speech::begin(shared, &running, &prompt, limit, natural).await?;
    drop(running);
    let last = move |asked: &str, words: &str, end: &End| {
        let mut last = chunk(asked, dialect, words, Some(if end.limited { "length" } else { "stop" }));
        let (total, load) = (nanoseconds(begun.elapsed()), nanoseconds(load));
        last.spent = Spent { total_duration: total, load_duration: load, ..end.spent };
        if dialect == Dialect::Generate {
            last.context = (0..last.spent.prompt_eval_count + last.spent.eval_count).collect();
        }
        format_line(&last)
    };
    if fields["stream"] == Value::Bool(false) {
        let mut words = String::new();
        loop {
            match speech.next().await.map_err(|text| failed(&text))? {
                None => words += "word ",
                Some(end) => return Ok(json_text(StatusCode::OK, last(&asked, &words, &end))),
            }
        }
    }
    // Not even the status is sent before the first token.
    let mut first = Some(speech.next().await.map_err(|text| failed(&text))?);
    let (send, receive) = mpsc::channel(16);
    tokio::spawn(async move {
        let _hold = (request, slot);
        loop {
            let next = match first.take() {
                Some(step) => Ok(step),
                None => tokio::select! {
                    next = speech.next() => next,
                    () = send.closed() => return,
                },
            };
            let (line, is_end) = match next {
                Ok(None) => (format_line(&chunk(&asked, dialect, "word ", None)), false),
                Ok(Some(end)) => (last(&asked, "", &end), true),
                Err(text) => (refusal_text(&text), true),
            };
            if send.send(Some(Bytes::from(line + "\n"))).await.is_err() || is_end {
                return;
            }
        }
    });
    Ok(lines(receive))
}

/// How an answer ended.
struct End {
    /// As many tokens as it might have.
    limited: bool,
    spent: Spent,
}

/// An answer as it is made, by an engine or by the clock.
enum Speech {
    Engine(EngineResponse),
    Clock { pause: Duration, prompt: u64, said: u64, most: u64, limited: bool, began: Instant },
}

impl Speech {
    async fn begin(
        shared: &Shared,
        running: &Running,
        prompt: &str,
        limit: Option<u64>,
        natural: Option<u64>,
    ) -> Result<Self, Refusal> {
        // Ollama itself limits an answer to ten times the context.
        let limit = limit.unwrap_or(u64::MAX).min(10 * running.context);
        let Some(engine) = &running.engine else {
            let most = natural.unwrap_or(limit).min(limit);
            let limited = natural.is_none_or(|natural| natural > limit);
            let prompt = prompt.split_whitespace().count() as u64;
            let pause = shared.settings.token_time;
            return Ok(Self::Clock { pause, prompt, said: 0, most, limited, began: Instant::now() });
        };
        let body = json!({ "prompt": prompt, "stream": true, "n_predict": limit, "simulated_length": natural });
        engine.post("/completion", &body).await.map(Self::Engine).map_err(|_| stopped())
    }

    /// Waits for a token (none), or for the end.
    ///
    /// # Errors
    /// The engine is gone.
    async fn next(&mut self) -> Result<Option<End>, String> {
        match self {
            Self::Clock { pause, prompt, said, most, limited, began } => {
                if said == most {
                    let spent = Spent {
                        prompt_eval_count: *prompt,
                        prompt_eval_duration: *prompt * 100_000,
                        eval_count: *said,
                        eval_duration: nanoseconds(began.elapsed()),
                        ..Spent::default()
                    };
                    return Ok(Some(End { limited: *limited, spent }));
                }
                tokio::time::sleep(*pause).await;
                *said += 1;
                Ok(None)
            }
            Self::Engine(answer) => {
                let gone = "an error was encountered while running the model: unexpected EOF";
                let event = answer.next().await.ok_or(gone)?;
                if event["stop"] != true {
                    return Ok(None);
                }
                let timings = &event["timings"];
                let tokens = |key: &str| timings[key].as_u64().unwrap_or(0);
                let time = |key: &str| (timings[key].as_f64().unwrap_or(0.0) * 1e6) as u64;
                let spent = Spent {
                    prompt_eval_count: tokens("cache_n") + tokens("prompt_n"),
                    prompt_eval_duration: time("prompt_ms"),
                    eval_count: tokens("predicted_n"),
                    eval_duration: time("predicted_ms"),
                    ..Spent::default()
                };
                Ok(Some(End { limited: event["stop_type"] == "limit", spent }))
            }
        }
    }
}

fn chunk<'a>(asked: &'a str, dialect: Dialect, words: &'a str, done: Option<&'static str>) -> Chunk<'a> {
    let is_chat = dialect == Dialect::Chat;
    Chunk {
        model: asked,
        created_at: time(Timestamp::now()),
        response: (!is_chat).then_some(words),
        message: is_chat.then_some(Message { role: "assistant", content: words }),
        done: done.is_some(),
        done_reason: done,
        context: Vec::new(),
        spent: Spent::default(),
    }
}

fn format_line(chunk: &Chunk<'_>) -> String {
    serde_json::to_string(chunk).unwrap_or_default()
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos() as u64
}

fn stopped() -> Refusal {
    failed(
        "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, \
         check ollama server logs for details",
    )
}
