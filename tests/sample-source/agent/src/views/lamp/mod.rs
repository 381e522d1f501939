//! The lamp as people want it.

pub mod message;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use aura_lamp::Lamp;
use aura_model::Source;

use self::message::LampUpdate;
use super::view::{Make, View};
use crate::{
    api::FeedDescription,
    hub::{Hub, Published, State},
};

/// The lamp's state for people.
pub struct LampView {
    hub: Arc<Hub>,
    /// What the newest message was made from.
    said: Mutex<Option<(State, Option<Instant>)>>,
}

impl LampView {
    /// Nothing read yet.
    #[must_use]
    pub fn new(hub: &Arc<Hub>) -> Self {
        Self { hub: Arc::clone(hub), said: Mutex::default() }
    }
}

impl View for LampView {
    const FEED: FeedDescription = message::FEED;
    const ABOUT: &'static str = "The lamp on the desk.";
    const SOURCES: &'static [&'static str] = &[Lamp::NAME];
    type Message = LampUpdate;

    fn take(self: &Arc<Self>, seq: u64) -> Option<Make<LampUpdate>> {
        let channel = self.hub.channel::<Lamp>()?;
        let (health, newest) = (channel.health(), channel.latest());
        let now = (health.state, newest.as_ref().map(|snapshot| snapshot.taken));
        if self.said.lock().unwrap_or_else(PoisonError::into_inner).replace(now) == Some(now) {
            return None;
        }
        Some(Box::new(move || LampUpdate::new(seq, newest.as_deref(), health.missing)))
    }
}
