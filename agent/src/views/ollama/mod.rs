//! Ollama as people want it: the feed's message and its twins for scripts.

mod changes;
mod derive;
mod energy;
mod engines;
pub mod message;
mod routes;
pub(crate) mod status;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aura_gpu::Gpus;
use aura_model::{Context, Missing, Reason, Source};
use aura_ollama::{Audience, Ollama};
use aura_postgres::Postgres;
use jiff::Timestamp;

use self::{
    changes::Changes,
    derive::OllamaSample,
    message::{Controls, ModelUpdate},
};
use super::{
    debates::{DebatesView, Row},
    join::{Devices, DevicesReading},
    view::{Make, View},
};
use crate::{
    api::{FeedDescription, Routes},
    config::{self, Config},
    hub::{Hub, Published, Snapshot, State},
};

/// What is done to models, as far as the message shows it.
pub trait Actions: Send + Sync {
    /// Whether it may be done at all, and what was asked for.
    fn controls(&self) -> Controls;

    /// Grows with every change of that. Who changes it rings for Ollama in the hub.
    fn revision(&self) -> u64;
}

/// Ollama's state for people.
pub struct OllamaView {
    hub: Arc<Hub>,
    debates: Arc<DebatesView>,
    actions: Arc<dyn Actions>,
    devices: Arc<Devices>,
    /// Hears of everybody for whom a message is made: the source asks more often then.
    audience: Arc<Audience>,
    /// What electricity costs.
    price: Mutex<config::Energy>,
    /// What the newest message was made from.
    said: Mutex<Option<Said>>,
    changes: Mutex<Changes>,
}

/// What tells one message from the next.
#[derive(PartialEq)]
struct Said {
    state: State,
    reading: Option<Instant>,
    actions: u64,
    standings: u64,
}

impl View for OllamaView {
    const FEED: FeedDescription = message::FEED;
    const ABOUT: &'static str = "Models of Ollama: see [Ollama](sources/ollama.md).";
    const SOURCES: &'static [&'static str] = &[Ollama::NAME, Postgres::NAME];
    type Message = ModelUpdate;

    fn take(self: &Arc<Self>, seq: u64) -> Option<Make<ModelUpdate>> {
        self.devices.look(&self.hub);
        let channel = self.hub.channel::<Ollama>()?;
        let now = Said {
            state: channel.health().state,
            reading: channel.latest().map(|snapshot| snapshot.taken),
            actions: self.actions.revision(),
            standings: self.debates.revision(),
        };
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.as_ref() == Some(&now) {
            return None;
        }
        *said = Some(now);
        if let Some(snapshot) = channel.latest() {
            self.changes.lock().unwrap_or_else(PoisonError::into_inner).log(&snapshot.reading);
        }
        let pieces = self.pieces();
        Some(Box::new(move || pieces.message(seq)))
    }

    fn routes() -> Routes<Arc<Self>> {
        routes::routes()
    }

    fn configure(&self, config: &Config) {
        self.price.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&config.energy);
    }
}

impl OllamaView {
    /// Over these, with what devices do for models, which is published from here on.
    #[must_use]
    pub fn new(
        hub: &Arc<Hub>,
        config: &Config,
        context: &Context,
        debates: &Arc<DebatesView>,
        actions: Arc<dyn Actions>,
    ) -> Self {
        let devices = Arc::new(Devices::default());
        hub.add(Arc::clone(&devices) as _);
        Self {
            hub: Arc::clone(hub),
            debates: Arc::clone(debates),
            actions,
            devices,
            audience: context.lent().unwrap_or_default(),
            price: Mutex::new(config.energy.clone()),
            said: Mutex::default(),
            changes: Mutex::default(),
        }
    }

    /// Everything that a message is made from, as it is now.
    fn pieces(&self) -> Pieces {
        Pieces {
            reading: newest(&self.hub),
            gpus: self.hub.channel::<Gpus>().and_then(|channel| channel.latest()),
            model_stats: self.debates.rows(),
            interval: self.hub.channel::<Ollama>().map_or(Duration::ZERO, |channel| channel.interval()),
            controls: self.actions.controls(),
            devices: self.devices.latest(),
            audience: Arc::clone(&self.audience),
            price: self.price.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// What the feed says, made afresh for its twins, which have no number.
    fn current(&self) -> ModelUpdate {
        self.pieces().message(0)
    }
}

struct Pieces {
    reading: Result<Arc<Snapshot<Ollama>>, Missing>,
    gpus: Option<Arc<Snapshot<Gpus>>>,
    model_stats: Result<Arc<Vec<Row>>, Missing>,
    interval: Duration,
    controls: Controls,
    devices: Option<Arc<DevicesReading>>,
    audience: Arc<Audience>,
    price: config::Energy,
}

impl Pieces {
    /// Made only if anybody wants it.
    fn message(self, seq: u64) -> ModelUpdate {
        self.audience.look();
        let reading = match &self.reading {
            Ok(snapshot) => Ok((&snapshot.reading, snapshot.sampled_at)),
            Err(missing) => Err(missing.clone()),
        };
        derive::update(OllamaSample {
            seq,
            reading,
            gpus: self.gpus.as_ref().map(|gpus| &gpus.reading),
            model_stats: self.model_stats,
            interval_seconds: self.interval.as_secs_f64(),
            controls: self.controls,
            energy: self.devices.as_ref().map(|devices| energy::energy(&devices.energy, &self.price)),
            now: Timestamp::now(),
        })
    }
}

/// The newest reading, or why there is none.
pub(crate) fn newest(hub: &Hub) -> Result<Arc<Snapshot<Ollama>>, Missing> {
    let nothing = || Missing::new(Reason::Stale, "Ollama was not asked yet");
    let channel = hub.channel::<Ollama>().ok_or_else(nothing)?;
    channel.latest_or_outdated().ok_or_else(|| channel.health().missing.unwrap_or_else(nothing))
}

#[cfg(test)]
mod tests;
