//! What the handlers share.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Instant,
};

use aura_postgres::Prober;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{ControlToken, Trust, auth::Authenticator, rate_limit::RateLimit};
use crate::{
    config::Network,
    hub::Hub,
    own::Events,
    publish::{feed::Feed, prometheus::Scraper},
    views::Views,
};

/// Asks for the configuration to be loaded again; answered with what was wrong with it, if anything.
pub type Reload = oneshot::Sender<Result<(), String>>;

/// A live feed, and whether its newest message may be shown as fresh.
pub struct Live {
    /// The feed.
    pub feed: Feed,
    /// Whether its source is on time.
    pub fresh: Box<dyn Fn() -> bool + Send + Sync>,
}

/// What the handlers share.
pub struct App {
    /// The sources' newest readings.
    pub hub: Arc<Hub>,
    /// The sources' readings as people want them.
    pub views: Views,
    /// Live feeds, by name at `/ws/<name>` and `/api/<name>`.
    pub live: Vec<Live>,
    /// What is counted where it happens.
    pub events: Arc<Events>,
    /// Answers to scrapes.
    pub scraper: Scraper,
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
    /// What opens the controls where there are no users.
    pub control_token: Option<Arc<ControlToken>>,
    /// How many requests a second are answered, when not all.
    pub rate_limit: Option<Arc<RateLimit>>,
    /// Asks database servers that a request names.
    pub prober: Arc<Prober>,
    /// Those whose word is taken for where a request comes from.
    pub trusted_proxies: Vec<Network>,
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
    pub fn new(
        hub: Arc<Hub>,
        views: Views,
        live: Vec<Live>,
        events: Arc<Events>,
        scrapes: usize,
        reload: mpsc::Sender<Reload>,
        settings: Settings,
    ) -> Self {
        let scrapes = Arc::new(Semaphore::new(scrapes));
        let settings = RwLock::new(Arc::new(settings));
        Self { hub, views, live, events, scraper: Scraper::default(), scrapes, reload, settings }
    }

    /// The feed of this name.
    pub fn live(&self, name: &str) -> Option<&Live> {
        self.live.iter().find(|live| live.feed.name() == name)
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
