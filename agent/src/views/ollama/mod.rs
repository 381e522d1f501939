//! Ollama as people want it: the feed's message and its twins for scripts.

mod derive;
pub mod message;
mod routes;
pub(crate) mod status;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aura_gpu::Gpus;
use aura_model::{Missing, Reason};
use aura_ollama::Ollama;
use jiff::Timestamp;
use tokio::{sync::watch, time::sleep};

pub use self::routes::routes;
use self::{
    derive::Moment,
    message::{Controls, ModelUpdate},
};
use crate::{
    hub::{Channel, Hub, Published, Snapshot},
    publish::feed::Feed,
};

/// What is done to models, as far as the message shows it.
pub trait Actions: Send + Sync {
    /// Whether it may be done at all, and what was asked for.
    fn controls(&self) -> Controls;

    /// Rings at every change of that.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// Ollama's state for people.
pub struct OllamaView {
    hub: Arc<Hub>,
    feed: Feed,
    actions: Arc<dyn Actions>,
    seq: AtomicU64,
}

impl OllamaView {
    /// Over this hub, publishing to this feed.
    #[must_use]
    pub fn new(hub: Arc<Hub>, feed: Feed, actions: Arc<dyn Actions>) -> Arc<Self> {
        Arc::new(Self { hub, feed, actions, seq: AtomicU64::new(0) })
    }

    /// Publishes a message with each reading and each step of a job, and when Ollama is no longer watched.
    pub async fn run(self: Arc<Self>) {
        let Some(channel) = self.hub.channel::<Ollama>() else { return };
        let mut readings = channel.subscribe();
        let mut jobs = self.actions.changes();
        loop {
            readings.borrow_and_update();
            jobs.borrow_and_update();
            let state = || (channel.health().state, channel.latest().is_some());
            let before = state();
            self.publish(&channel);
            loop {
                tokio::select! {
                    changed = readings.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        break;
                    }
                    _ = jobs.changed() => break,
                    () = sleep(channel.next_look()) => if state() != before { break },
                }
            }
        }
    }

    /// What the feed says now, made afresh.
    #[must_use]
    pub fn current(&self) -> ModelUpdate {
        let snapshot = newest(&self.hub);
        let interval = self.hub.channel::<Ollama>().map_or(Duration::ZERO, |channel| channel.interval());
        message(&snapshot, self.gpus().as_deref(), self.actions.controls(), interval, self.seq.load(Ordering::Relaxed))
    }

    fn publish(&self, channel: &Channel<Ollama>) {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        let (snapshot, gpus) = (newest(&self.hub), self.gpus());
        let (controls, interval) = (self.actions.controls(), channel.interval());
        self.feed.publish(seq, move |out| {
            if let Err(error) =
                serde_json::to_writer(out, &message(&snapshot, gpus.as_deref(), controls, interval, seq))
            {
                tracing::error!("the message of feed models could not be encoded: {error}");
            }
        });
    }

    /// The newest reading of the GPUs, for what models take of them.
    fn gpus(&self) -> Option<Arc<Snapshot<Gpus>>> {
        self.hub.channel::<Gpus>()?.latest()
    }
}

/// The newest reading, or why there is none.
pub(crate) fn newest(hub: &Hub) -> Result<Arc<Snapshot<Ollama>>, Missing> {
    let nothing = || Missing::new(Reason::Stale, "Ollama was not asked yet");
    let channel = hub.channel::<Ollama>().ok_or_else(nothing)?;
    channel.latest_or_outdated().ok_or_else(|| channel.health().missing.unwrap_or_else(nothing))
}

fn message(
    snapshot: &Result<Arc<Snapshot<Ollama>>, Missing>,
    gpus: Option<&Snapshot<Gpus>>,
    controls: Controls,
    interval: Duration,
    seq: u64,
) -> ModelUpdate {
    let reading = match snapshot {
        Ok(snapshot) => Ok((&snapshot.reading, snapshot.sampled_at)),
        Err(missing) => Err(missing.clone()),
    };
    derive::update(Moment {
        seq,
        reading,
        gpus: gpus.map(|gpus| &gpus.reading),
        interval_seconds: interval.as_secs_f64(),
        controls,
        now: Timestamp::now(),
    })
}

#[cfg(test)]
mod tests;
