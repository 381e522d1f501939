//! What the handlers share.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Instant,
};

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{Trust, auth::Authenticator, rate_limit::RateLimit};
use crate::{
    hub::Hub,
    own::Events,
    publish::feed::{Feed, Feeds},
    system::System,
};

/// Asks for the configuration to be loaded again; answered with what was wrong with it, if anything.
pub type Reload = oneshot::Sender<Result<(), String>>;

/// What the handlers share.
pub struct App {
    /// The sources' newest readings.
    pub hub: Arc<Hub>,
    /// The host's readings as people want them.
    pub system: Arc<System>,
    /// Live feeds.
    pub feeds: Feeds,
    /// The feed of [`App::system`].
    pub system_feed: Feed,
    /// What is counted where it happens.
    pub events: Arc<Events>,
    /// Places for running scrapes.
    pub scrapes: Arc<Semaphore>,
    /// Asks for a reload.
    pub reload: mpsc::Sender<Reload>,
    settings: RwLock<Arc<Settings>>,
}

/// What a reload may change.
#[derive(Default)]
pub struct Settings {
    /// Which names and pages are trusted.
    pub trust: Trust,
    /// Who may read, when not everybody.
    pub authenticator: Option<Arc<Authenticator>>,
    /// How many requests a second are answered, when not all.
    pub rate_limit: Option<Arc<RateLimit>>,
    /// Fields of every answer, from the web configuration.
    pub fields: Vec<(HeaderName, HeaderValue)>,
}

impl Settings {
    pub(super) async fn authenticate(&self, headers: &HeaderMap) -> Result<(), Response> {
        if let Some(limit) = &self.rate_limit {
            limit.check(Instant::now()).map_err(IntoResponse::into_response)?;
        }
        match &self.authenticator {
            Some(authenticator) => authenticator.check(headers).await.map(drop).map_err(IntoResponse::into_response),
            None => Ok(()),
        }
    }
}

impl App {
    /// Shares these; `scrapes` may run at once.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "each is a thing of its own, named by its type")]
    pub fn new(
        hub: Arc<Hub>,
        system: Arc<System>,
        feeds: Feeds,
        system_feed: Feed,
        events: Arc<Events>,
        scrapes: usize,
        reload: mpsc::Sender<Reload>,
        settings: Settings,
    ) -> Self {
        let scrapes = Arc::new(Semaphore::new(scrapes));
        let settings = RwLock::new(Arc::new(settings));
        Self { hub, system, feeds, system_feed, events, scrapes, reload, settings }
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts new settings in force.
    pub fn set_settings(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}
