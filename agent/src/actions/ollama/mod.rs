//! Loading and unloading of models.
//!
//! Loads run on connections and tasks of the agent's own: Ollama gives a load up when the connection that asked for it
//! closes, so a client that leaves must not own it. On each server one runs at a time, as in Ollama itself.

mod explain;
mod find;
mod jobs;
mod routes;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use aura_gpu::Gpus;
use aura_model::{Interval, Name, Paths};
use aura_ollama::{Action, Command, Done, GpuRoom, HostReading, Ledger, Machine, Ollama, OllamaOptions};

use self::jobs::{Jobs, Order};
pub(crate) use self::routes::routes;
use crate::{
    hub::Hub,
    views::ollama::{
        Actions,
        message::{Controls, JobError},
        newest,
    },
};

/// Ollama unloads at once unless the model still answers somebody; that is waited for so long.
const UNLOAD: Duration = Duration::from_secs(60);
/// A reading that shows what a load has done comes within this time, or it is not waited for.
const NEXT_READING: Duration = Duration::from_secs(5);

/// Loads and unloads models.
pub struct Loader {
    hub: Arc<Hub>,
    jobs: Jobs,
    ledger: Arc<Ledger>,
    paths: Paths,
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

impl Loader {
    /// Of the servers that this hub's readings name. `permitted` says whether there is anybody who may load and unload;
    /// what was done is noted in the ledger, and what memory there is stands below the paths.
    #[must_use]
    pub fn new(
        hub: Arc<Hub>,
        ledger: Arc<Ledger>,
        paths: Paths,
        options: &OllamaOptions,
        permitted: bool,
    ) -> Arc<Self> {
        let settings = RwLock::new(ControlSettings::new(options, permitted));
        let jobs = Jobs::new(Arc::clone(&hub));
        Arc::new(Self { hub, jobs, ledger, paths, settings })
    }

    /// Puts other settings in force.
    pub fn configure(&self, options: &OllamaOptions, permitted: bool) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = ControlSettings::new(options, permitted);
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
        // Of a load of all, what no longer fits is said once.
        let mut said = None;
        while let Some(job) = self.jobs.next(&host) {
            let Order { target, action, .. } = &job.order;
            let model = &target.name;
            let result = self.carry_out(&job.order).await;
            match &result {
                Ok(done) if done.already => tracing::info!(%host, %model, ?action, "it was so already"),
                Ok(_) => tracing::info!(%host, %model, ?action, "done"),
                Err(error) if error.code == explain::NO_ROOM && said == job.order.batch => {}
                Err(error) => tracing::warn!(%host, %model, ?action, "not done: {}", error.message),
            }
            if result.as_ref().is_err_and(|error| error.code == explain::NO_ROOM) {
                said = job.order.batch;
            }
            self.jobs.finish(job.id, result);
        }
    }

    async fn carry_out(&self, order: &Order) -> Result<Done, JobError> {
        if let Some(batch) = order.batch
            && let Some(model) = self.driven_out(order, batch).await
        {
            return Err(explain::no_room(order, &model, self.reached_limit(&order.host)));
        }
        let host = self.reading(&order.host);
        let command = Command {
            ledger: &self.ledger,
            server: &order.server,
            target: &order.target,
            known: host.as_ref().map(HostReading::weights).unwrap_or_default(),
            machine: host.as_ref().and_then(|host| Machine::of(&self.paths, host)),
            gpus: host.as_ref().map(|host| self.gpus(host)).unwrap_or_default(),
            force: order.force,
            within: match order.action {
                Action::Load => self.settings().load_timeout.get(),
                Action::Unload => UNLOAD,
            },
        };
        let done = match order.action {
            Action::Load => command.load(order.keep_alive).await,
            Action::Unload => command.unload().await,
        };
        done.map_err(|error| explain::command_error(order, &error, &self.others(order)))
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
        let host = self.reading(&order.host);
        let loaded = host.as_ref().and_then(|host| host.loaded.value());
        loaded.into_iter().flat_map(|models| models.iter()).map(|model| model.name.clone()).collect()
    }

    /// The GPUs of this machine, with what is free where the server is known to use them.
    fn gpus(&self, host: &HostReading) -> GpuRoom {
        let Some(snapshot) = self.hub.channel::<Gpus>().and_then(|channel| channel.latest()) else {
            return GpuRoom::default();
        };
        let gpus = &snapshot.reading.gpus;
        let sum =
            |of: fn(&aura_gpu::Values) -> Option<u64>| gpus.iter().map(|gpu| of(&gpu.values)).sum::<Option<u64>>();
        let uses = |host: &HostReading| {
            host.loaded
                .value()
                .is_some_and(|models| models.iter().any(|model| model.size_vram.is_some_and(|size| size > 0)))
        };
        GpuRoom {
            count: gpus.len(),
            total: sum(|values| values.memory_total),
            free: sum(|values| values.memory_free).filter(|_| !gpus.is_empty() && uses(host)),
        }
    }

    /// How many models a server keeps in memory, where that is known.
    fn limit(&self, host: &HostReading) -> Option<u64> {
        host.limits.as_ref()?.max_loaded(self.gpus(host).count)
    }

    /// The same where so many are there.
    fn reached_limit(&self, host: &Name) -> Option<u64> {
        let host = self.reading(host)?;
        let loaded = host.loaded.value()?.len() as u64;
        self.limit(&host).filter(|&most| loaded >= most)
    }

    /// The newest reading of a server.
    fn reading(&self, host: &Name) -> Option<HostReading> {
        newest(&self.hub).ok()?.reading.hosts.iter().find(|reading| reading.host == *host).cloned()
    }
}

impl Actions for Loader {
    fn controls(&self) -> Controls {
        let settings = self.settings();
        Controls { enabled: settings.on && settings.permitted, jobs: self.jobs.shown() }
    }

    fn revision(&self) -> u64 {
        self.jobs.revision()
    }
}
