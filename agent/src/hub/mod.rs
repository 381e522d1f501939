//! The latest reading of each source, when it was taken, and the health of the source.
//!
//! Each source has a thread of its own (see [`scheduler`]), so one that hangs is late alone. Readers take the
//! newest [`Snapshot`]; there is no queue. Nothing in here or behind it asks a source for anything.

mod channel;
mod scheduler;
mod snapshot;

use std::{
    any::Any,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aura_model::{Context, Missing, Source};
use tokio::sync::Notify;

pub use self::{
    channel::{Channel, Counts, FRESH_INTERVALS, Health, State},
    scheduler::{Running, start_ticking},
    snapshot::{AnyReading, Snapshot},
};

/// A source as publishers see it, whatever its reading's type.
pub trait Published: Any + Send + Sync {
    /// Its name in `aura_source_*`.
    fn name(&self) -> &'static str;

    /// Whether it is a source. What is put together from sources is listed nowhere beside them.
    fn is_source(&self) -> bool {
        true
    }

    /// Its part of the metrics: `/metrics/<part>`.
    fn part(&self) -> &'static str;

    /// Its newest reading, unless that is too old to be served as fresh.
    fn reading(&self) -> Option<Arc<dyn AnyReading>>;

    /// Its health now.
    fn health(&self) -> Health;

    /// The names of its groups, for `collect[]`.
    fn groups(&self) -> Vec<&'static str>;

    /// Notifies this listener whenever there is something new to see of it.
    fn listen(&self, _listener: Arc<Notify>) {}

    /// Notifies its listeners of something new that is no reading.
    fn notify(&self) {}

    /// After so long without a notification its state is worth another look, as nobody tells of a reading that does not come.
    fn next_look(&self) -> Duration {
        Duration::MAX
    }
}

/// A source of any type.
pub type AnySource = Arc<dyn Published>;

/// All sources, in the order of their registration.
#[derive(Default)]
pub struct Hub {
    sources: RwLock<Vec<AnySource>>,
}

impl Hub {
    /// Registers a source without starting it.
    pub fn register<S: Source>(&self) -> Arc<Channel<S>> {
        let channel = Arc::new(Channel::<S>::new());
        self.add(channel.clone());
        channel
    }

    /// The channel of a source that is registered.
    pub fn channel<S: Source>(&self) -> Option<Arc<Channel<S>>> {
        self.sources().into_iter().find_map(|source| {
            let any: Arc<dyn Any + Send + Sync> = source;
            any.downcast().ok()
        })
    }

    /// Adds something that is published like a source.
    pub fn add(&self, source: AnySource) {
        self.sources.write().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// A listener that is notified whenever there is something new to see of one of these sources.
    pub fn listen(&self, names: &[&str]) -> Arc<Notify> {
        let listener = Arc::new(Notify::new());
        self.named(names).for_each(|source| source.listen(Arc::clone(&listener)));
        listener
    }

    /// Notifies the listeners of a source.
    pub fn notify(&self, name: &str) {
        self.named(&[name]).for_each(|source| source.notify());
    }

    /// After so long without a notification one of these sources is worth another look.
    pub fn next_look(&self, names: &[&str]) -> Duration {
        self.named(names).map(|source| source.next_look()).min().unwrap_or(Duration::MAX)
    }

    fn named(&self, names: &[&str]) -> impl Iterator<Item = AnySource> {
        self.sources().into_iter().filter(|source| names.contains(&source.name()))
    }

    /// All sources, in the order of their registration.
    pub fn sources(&self) -> Vec<AnySource> {
        self.sources.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes one sample outside any schedule, as `aura sample` does.
///
/// # Errors
/// Why there is none.
pub fn sample_once<S: Source>(options: &S::Options, context: &Context) -> Result<Snapshot<S>, Missing> {
    let mut source = S::open(options, context)?;
    scheduler::take(&mut source, context.stale_after, 1)
}

#[cfg(test)]
mod tests;
