//! What loads, in which order, and what goes for it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use http::StatusCode;
use jiff::SignedDuration;

use crate::{
    LoadBehaviour, Model,
    engine::{Engine, Launch},
    routes::Refusal,
    state::{Running, Shared},
};

/// What llama.cpp says of memory that it does not get.
const NO_MEMORY: &str = "llama-server process has terminated: exit status 1: llama_init_from_model: failed to initialize \
                         the context: std::bad_alloc\nllama_init_from_model: failed to initialize the context";

/// Has a model in memory with this context, and begins a request of it: one that is loaded is taken as it is, for
/// another the request waits until all loads before it are done. Dropped, the load is given up. The request runs until
/// what is returned is dropped.
///
/// # Errors
/// The load failed, or too many wait.
pub(crate) async fn acquire(
    shared: &Arc<Shared>,
    model: &Model,
    context: u64,
    keep: Option<SignedDuration>,
) -> Result<(InFlight, Duration), Refusal> {
    let begun = Instant::now();
    if let Some(request) = loaded(shared, model, context, keep).await {
        return Ok((request, begun.elapsed()));
    }
    if let Some(host) = &model.remote_host {
        return Err(Refusal(StatusCode::BAD_GATEWAY, format!("dial tcp: lookup {host}: no such host")));
    }
    let _pending = Pending::enter(shared)?;
    let _turn = shared.loading.lock().await;
    if let Some(request) = loaded(shared, model, context, keep).await {
        return Ok((request, begun.elapsed()));
    }
    let settings = &shared.settings;
    if settings.is_older() && model.memory > settings.memory {
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        let (needed, there) = (gib(model.memory), gib(settings.memory));
        return Err(failed(&format!(
            "model requires more system memory ({needed:.1} GiB) than is available ({there:.1} GiB)"
        )));
    }
    make_room(shared, model).await;
    let (too_large, mut loading) = {
        let mut state = shared.state();
        let too_large = state.memory_in_use() + model.memory > settings.memory;
        let default = SignedDuration::try_from(settings.keep_alive).unwrap_or(SignedDuration::MAX);
        let id = state.add(model.clone(), context, keep.unwrap_or(default), settings.slots(model));
        (too_large, Loading { shared, id, engine: None, done: false })
    };
    let ends_in = match &model.load {
        LoadBehaviour::Fine if too_large => LoadBehaviour::Fails(NO_MEMORY.into()),
        behaviour => behaviour.clone(),
    };
    match &settings.engine {
        Some(program) => {
            let launch = Launch { settings, model, context, load: &ends_in };
            let engine = Arc::new(Engine::start(program, &launch).map_err(|error| failed(&error.to_string()))?);
            loading.engine = Some(Arc::clone(&engine));
            engine.ready(&ends_in).await.map_err(|text| failed(&text))?;
        }
        None => {
            tokio::time::sleep(model.load_time).await;
            match ends_in {
                LoadBehaviour::Fine => {}
                LoadBehaviour::Fails(text) => return Err(failed(&text)),
                LoadBehaviour::Hangs => std::future::pending().await,
            }
        }
    }
    let request = InFlight::begin(shared, loading.id, keep);
    loading.done();
    Ok((request, begun.elapsed()))
}

/// A request of a model that is in memory as it is wanted, if it is and its engine is well. Lists of what is in memory
/// wait for the engine to say so.
async fn loaded(shared: &Arc<Shared>, model: &Model, context: u64, keep: Option<SignedDuration>) -> Option<InFlight> {
    let usable = |running: &Running| !running.loading && running.context == context;
    let running = shared.state().holder(&model.weights).filter(usable)?;
    if let Some(engine) = &running.engine {
        let _asked = running.pinged.lock().await;
        if !engine.is_well(shared.settings.ping_timeout).await {
            return None;
        }
    }
    let still = shared.state().holder(&model.weights).is_some_and(|now| now.id == running.id);
    still.then(|| InFlight::begin(shared, running.id, keep))
}

/// What holds the same weights otherwise goes, then idle models, those with the shortest keep-alive first, until the new
/// one has its place and, where some of it goes to a GPU, its memory.
async fn make_room(shared: &Arc<Shared>, model: &Model) {
    let settings = &shared.settings;
    loop {
        let changed = shared.changed.notified();
        {
            let mut state = shared.state();
            let fits = |count: usize, in_use: u64| {
                count < settings.max_loaded
                    && (model.vram == 0 || count == 0 || in_use + model.memory <= settings.memory)
            };
            if let Some(other) = state.holder(&model.weights) {
                state.let_go(other.id);
            }
            let mut before = usize::MAX;
            while !fits(state.count(), state.memory_in_use()) && state.count() < before {
                before = state.count();
                state.evict();
            }
            if fits(state.count(), state.memory_in_use()) && state.holder(&model.weights).is_none() {
                return;
            }
        }
        // Requests that a test began end without a bell.
        let _ = tokio::time::timeout(Duration::from_millis(20), changed).await;
    }
}

/// A permit among the requests that wait for a load.
struct Pending(Arc<Shared>);

impl Pending {
    fn enter(shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let permit = Self(Arc::clone(shared));
        if shared.pending.fetch_add(1, Ordering::Relaxed) >= shared.settings.max_queue {
            let text = "server busy, please try again.  maximum pending requests exceeded";
            return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, text.into()));
        }
        Ok(permit)
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
    id: u64,
    engine: Option<Arc<Engine>>,
    done: bool,
}

impl Loading<'_> {
    fn done(mut self) {
        self.shared.state().loaded(self.id, self.engine.as_ref());
        self.done = true;
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.shared.state().remove(self.id);
        }
    }
}

/// A request that a model in memory has.
pub(crate) struct InFlight {
    shared: Arc<Shared>,
    id: u64,
}

impl InFlight {
    fn begin(shared: &Arc<Shared>, id: u64, keep: Option<SignedDuration>) -> Self {
        shared.state().begin(id, keep);
        Self { shared: Arc::clone(shared), id }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.shared.state().end(self.id);
        self.shared.changed.notify_waiters();
    }
}

pub(crate) fn failed(text: &str) -> Refusal {
    Refusal(StatusCode::INTERNAL_SERVER_ERROR, text.to_owned())
}
