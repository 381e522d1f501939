//! Models as people want them: the feed's message, its twins for scripts, and loading and unloading.
//!
//! Loads run on connections and tasks of the agent's own: Ollama gives a load up when the connection that asked for it
//! closes, so a client that leaves must not own it. On each server one runs at a time, as in Ollama itself.

mod derive;
mod explain;
mod jobs;
pub mod message;
pub(crate) mod routes;
pub(crate) mod status;

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aura_gpu::Gpus;
use aura_model::{Interval, Missing, Name, Reason};
use aura_ollama::{Action, HostReading, Ollama, OllamaOptions};
use jiff::Timestamp;
use tokio::time::sleep;

pub(crate) use self::routes::routes;
use self::{
    derive::Moment,
    jobs::{Jobs, Order, SharedJobs},
    message::{Controls, JobError, ModelUpdate},
};
use crate::{
    hub::{Channel, Hub, Published, Snapshot},
    publish::feed::Feed,
};

/// Ollama unloads at once unless the model still answers somebody; that is waited for so long.
const UNLOAD: Duration = Duration::from_secs(60);
/// A reading that shows what a load has done comes within this time, or it is not waited for.
const NEXT_READING: Duration = Duration::from_secs(5);

/// The models' state for people, and what is done to them.
pub struct Models {
    hub: Arc<Hub>,
    feed: Feed,
    jobs: SharedJobs,
    seq: AtomicU64,
    settings: RwLock<ControlSettings>,
}

#[derive(Clone, Copy)]
struct ControlSettings {
    /// What the configuration says.
    on: bool,
    /// Whether there is anybody who may.
    permitted: bool,
    load_timeout: Interval,
}

impl ControlSettings {
    fn new(options: &OllamaOptions, permitted: bool) -> Self {
        Self { on: options.controls, permitted, load_timeout: options.load_timeout }
    }
}

impl Models {
    /// Over this hub, publishing to this feed. `permitted` says whether there is anybody who may load and unload.
    #[must_use]
    pub fn new(hub: Arc<Hub>, feed: Feed, options: &OllamaOptions, permitted: bool) -> Arc<Self> {
        let settings = RwLock::new(ControlSettings::new(options, permitted));
        Arc::new(Self { hub, feed, jobs: Arc::new(Jobs::new()), seq: AtomicU64::new(0), settings })
    }

    /// Puts other settings in force.
    pub fn configure(&self, options: &OllamaOptions, permitted: bool) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = ControlSettings::new(options, permitted);
    }

    /// Publishes a message with each reading and each step of a job, and when Ollama is no longer watched.
    pub async fn run(self: Arc<Self>) {
        let Some(channel) = self.hub.channel::<Ollama>() else { return };
        let mut readings = channel.subscribe();
        let mut jobs = self.jobs.changes();
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
        let snapshot = self.snapshot();
        let interval = self.hub.channel::<Ollama>().map_or(Duration::ZERO, |channel| channel.interval());
        message(&snapshot, self.gpus().as_deref(), self.controls(), interval, self.seq.load(Ordering::Relaxed))
    }

    fn publish(&self, channel: &Channel<Ollama>) {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        let (snapshot, gpus) = (self.snapshot(), self.gpus());
        let (controls, interval) = (self.controls(), channel.interval());
        self.feed.publish(seq, move |out| {
            if let Err(error) =
                serde_json::to_writer(out, &message(&snapshot, gpus.as_deref(), controls, interval, seq))
            {
                tracing::error!("the message of feed models could not be encoded: {error}");
            }
        });
    }

    /// The newest reading, or why there is none.
    fn snapshot(&self) -> Result<Arc<Snapshot<Ollama>>, Missing> {
        let nothing = || Missing::new(Reason::Stale, "Ollama was not asked yet");
        let channel = self.hub.channel::<Ollama>().ok_or_else(nothing)?;
        channel.latest_or_outdated().ok_or_else(|| channel.health().missing.unwrap_or_else(nothing))
    }

    /// The newest reading of the GPUs, for what models take of them.
    fn gpus(&self) -> Option<Arc<Snapshot<Gpus>>> {
        self.hub.channel::<Gpus>()?.latest()
    }

    fn controls(&self) -> Controls {
        let settings = self.settings();
        Controls { enabled: settings.on && settings.permitted, jobs: self.jobs.shown() }
    }

    fn settings(&self) -> ControlSettings {
        *self.settings.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an order and sees to it that it is carried out. `None` when too many wait.
    fn submit(self: &Arc<Self>, order: Order) -> Option<u64> {
        let host = order.host.clone();
        let accepted = self.jobs.submit(order)?;
        if accepted.idle {
            tokio::spawn(Arc::clone(self).work(host));
        }
        Some(accepted.id)
    }

    async fn work(self: Arc<Self>, host: Name) {
        while let Some(job) = self.jobs.next(&host) {
            let Order { target, action, .. } = &job.order;
            let model = &target.name;
            let result = self.carry_out(&job.order).await;
            match &result {
                Ok(()) => tracing::info!(%host, %model, ?action, "done"),
                Err(error) => tracing::warn!(%host, %model, ?action, "not done: {}", error.message),
            }
            self.jobs.finish(job.id, result);
        }
    }

    async fn carry_out(&self, order: &Order) -> Result<(), JobError> {
        if let Some(batch) = order.batch
            && let Some(model) = self.driven_out(order, batch).await
        {
            return Err(explain::no_room(order, &model));
        }
        let done = match order.action {
            Action::Load => {
                let within = self.settings().load_timeout.get();
                aura_ollama::load(&order.server, &order.target, order.keep_alive, within).await
            }
            Action::Unload => aura_ollama::unload(&order.server, &order.target, UNLOAD).await,
        };
        done.map(drop).map_err(|error| explain::command_error(order, &error, &self.others(order)))
    }

    /// A model that this batch has loaded and that is gone again: to load more would only go round in circles.
    async fn driven_out(&self, order: &Order, batch: u64) -> Option<Name> {
        let loaded = self.jobs.loaded_by(batch);
        let newest = loaded.iter().map(|(_, at)| *at).max()?;
        let host = self.reading_after(newest, &order.host).await?;
        let listed = host.loaded.value()?;
        loaded.into_iter().map(|(model, _)| model).find(|model| listed.iter().all(|listed| listed.name != *model))
    }

    async fn reading_after(&self, time: Instant, host: &Name) -> Option<HostReading> {
        let channel = self.hub.channel::<Ollama>()?;
        let mut readings = channel.subscribe();
        let wait = async {
            loop {
                let newest = readings.borrow_and_update().clone();
                if let Some(snapshot) = newest.filter(|snapshot| snapshot.taken > time) {
                    let begun = snapshot.sampled_at.as_duration().as_secs_f64();
                    let found = snapshot.reading.hosts.iter().find(|reading| reading.host == *host);
                    if let Some(reading) = found.filter(|reading| reading.answered_at.is_some_and(|time| time >= begun))
                    {
                        return Some(reading.clone());
                    }
                }
                readings.changed().await.ok()?;
            }
        };
        tokio::time::timeout(NEXT_READING, wait).await.ok().flatten()
    }

    /// Other models in the same memory.
    fn others(&self, order: &Order) -> Vec<Name> {
        let Ok(snapshot) = self.snapshot() else { return Vec::new() };
        let host = snapshot.reading.hosts.iter().find(|host| host.host == order.host);
        let loaded = host.and_then(|host| host.loaded.value());
        loaded.into_iter().flat_map(|models| models.iter()).map(|model| model.name.clone()).collect()
    }
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
