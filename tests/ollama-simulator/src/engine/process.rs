//! The engine itself: the process that is named `llama-server`, or `ollama` where it is a runner of older versions.

use std::{
    env, io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::parent_id,
    process::exit,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    PLAN, Plan,
    batch::Batch,
    slots::{Event, Task, Timings},
};
use crate::routes::lines;

struct Engine {
    batch: Batch,
    is_ready: AtomicBool,
    is_runner: bool,
    began_at: Instant,
    load_time: Duration,
    embeds: bool,
    tells_metrics: bool,
    /// Microseconds since the machine started, whatever the name under which it is told.
    began: u64,
}

/// Runs an engine as Ollama's command line says, until it is killed.
///
/// # Errors
/// The port is taken.
pub fn llama_server() -> io::Result<()> {
    let arguments: Vec<String> = env::args().collect();
    let is_runner = arguments.get(1).is_some_and(|first| first == "runner");
    if is_runner {
        rustix::thread::set_name(c"ollama")?;
    }
    let value = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1)?.parse::<u64>().ok()
    };
    let plan: Plan = env::var(PLAN).ok().and_then(|plan| serde_json::from_str(&plan).ok()).unwrap_or_default();
    let slots = value("-np").unwrap_or(1).max(1);
    let context = value("-c").unwrap_or(4096) / slots;
    let batch = value("-b").unwrap_or(512).max(1) as usize;
    let engine = Arc::new(Engine {
        batch: Batch::new(slots as usize, context, batch, Duration::from_micros(plan.token_microseconds)),
        is_ready: AtomicBool::new(false),
        is_runner,
        began_at: Instant::now(),
        load_time: Duration::from_millis(plan.load_milliseconds),
        embeds: arguments.iter().any(|argument| argument == "--embedding"),
        tells_metrics: env::var("LLAMA_ARG_ENDPOINT_METRICS")
            .is_ok_and(|set| ["1", "on", "true", "enabled"].contains(&set.as_str())),
        began: uptime_microseconds(),
    });
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, value("--port").unwrap_or(8080) as u16));
    let parent = parent_id();
    std::thread::spawn(move || {
        while parent_id() == parent {
            std::thread::sleep(Duration::from_millis(200));
        }
        std::thread::sleep(Duration::from_secs(plan.orphan_seconds));
        exit(0);
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async move {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let router = Router::new().fallback(respond).with_state(Arc::clone(&engine));
        let loading = async {
            tokio::time::sleep(Duration::from_millis(plan.load_milliseconds)).await;
            if plan.fails {
                exit(1);
            }
            if plan.hangs {
                std::future::pending::<()>().await;
            }
            engine.is_ready.store(true, Ordering::Relaxed);
            engine.batch.run().await;
        };
        tokio::select! {
            served = async { axum::serve(listener, router).await } => served,
            () = loading => Ok(()),
        }
    })
}

async fn respond(
    State(engine): State<Arc<Engine>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if engine.is_runner {
        return run(&engine, uri.path(), &body);
    }
    let mut response = match (method.as_str(), uri.path()) {
        ("OPTIONS", _) => preflight(),
        _ if !engine.is_ready.load(Ordering::Relaxed) => {
            // The order of its keys is another one here.
            json_text(503, r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#.to_owned())
        }
        ("GET", "/health" | "/v1/health") => json_text(200, r#"{"status":"ok"}"#.to_owned()),
        ("GET", "/slots") => json_text(200, engine.batch.slots()),
        ("GET", "/metrics") if engine.tells_metrics => metrics(&engine),
        ("GET", "/metrics") => {
            not_supported("This server does not support metrics endpoint. Start it with `--metrics`")
        }
        ("POST", "/completion") => work(&engine, &body, false),
        ("POST", "/embedding") if engine.embeds => work(&engine, &body, true),
        ("POST", "/embedding") => {
            not_supported("This server does not support embeddings. Start it with `--embeddings`")
        }
        _ => json_text(404, r#"{"error":{"message":"File Not Found","type":"not_found_error","code":404}}"#.to_owned()),
    };
    let answered = response.headers_mut();
    answered.insert(header::SERVER, const { HeaderValue::from_static("llama.cpp") });
    // Whoever asks may read it: any page of a browser that finds the port.
    let origin = headers.get(header::ORIGIN).cloned().unwrap_or(const { HeaderValue::from_static("") });
    answered.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let closes = headers.get(header::CONNECTION).is_some_and(|value| value == "close");
    if response.status().is_success() && !closes {
        response.headers_mut().insert("keep-alive", const { HeaderValue::from_static("timeout=5, max=100") });
    } else {
        response.headers_mut().insert(header::CONNECTION, const { HeaderValue::from_static("close") });
    }
    response
}

/// What a runner of older versions answers: how far its load is.
fn run(engine: &Arc<Engine>, path: &str, body: &Bytes) -> Response {
    match path {
        "/health" if engine.is_ready.load(Ordering::Relaxed) => json_text(200, r#"{"status":0,"progress":1}"#.into()),
        "/health" => {
            let done = engine.began_at.elapsed().as_secs_f64() / engine.load_time.as_secs_f64();
            json_text(200, format!(r#"{{"status":3,"progress":{:.2}}}"#, done.min(1.0)))
        }
        "/completion" => work(engine, body, false),
        "/embedding" => work(engine, body, true),
        _ => (StatusCode::NOT_FOUND, "404 page not found\n").into_response(),
    }
}

fn preflight() -> Response {
    let headers = [
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET, POST, DELETE, OPTIONS"),
        ("access-control-allow-headers", "*"),
        ("content-type", "text/html"),
    ];
    (headers, ()).into_response()
}

fn json_text(status: u16, text: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [("content-type", "application/json; charset=utf-8")], text).into_response()
}

fn not_supported(message: &str) -> Response {
    json_text(501, format!(r#"{{"error":{{"code":501,"message":{},"type":"not_supported_error"}}}}"#, json!(message)))
}

fn metrics(engine: &Engine) -> Response {
    let headers = [
        ("content-type", "text/plain; version=0.0.4".to_owned()),
        ("process-start-time-unix", engine.began.to_string()),
    ];
    (headers, engine.batch.metrics()).into_response()
}

/// Gives a request to a slot, and answers with events: tokens as they come, and the end.
fn work(engine: &Arc<Engine>, body: &Bytes, embeds: bool) -> Response {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let (send, mut events) = mpsc::unbounded_channel();
    let prompt = asked[if embeds { "content" } else { "prompt" }].as_str().unwrap_or_default();
    engine.batch.push(Task {
        id: 0,
        prompt: prompt.split_whitespace().map(str::to_owned).collect(),
        limit: asked["n_predict"].as_u64().filter(|&limit| limit > 0),
        natural: asked["simulated_length"].as_u64(),
        embeds,
        send,
    });
    let (to_client, from_slot) = mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                // The client has left: so does its receiver, and the slot hears of it with the next token.
                () = to_client.closed() => return,
            };
            let (line, is_end) = match event {
                None => return,
                Some(Event::Token) => (json!({ "content": "word ", "stop": false }), false),
                Some(Event::End(timings)) => (end(&timings), true),
            };
            if to_client.send(Some(Bytes::from(format!("data: {line}\n\n")))).await.is_err() || is_end {
                return;
            }
        }
    });
    let mut response: Response<Body> = lines(from_slot);
    response.headers_mut().insert(header::CONTENT_TYPE, const { HeaderValue::from_static("text/event-stream") });
    response
}

fn end(timings: &Timings) -> Value {
    json!({
        "content": "",
        "stop": true,
        "stop_type": if timings.limited { "limit" } else { "eos" },
        "timings": {
            "cache_n": timings.cached,
            "prompt_n": timings.processed,
            "prompt_ms": timings.prompt_seconds * 1e3,
            "predicted_n": timings.decoded,
            "predicted_ms": timings.decode_seconds * 1e3,
        },
    })
}

fn uptime_microseconds() -> u64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds: f64 = text.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0.0);
    (seconds * 1e6) as u64
}
