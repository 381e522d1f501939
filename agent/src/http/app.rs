//! What the handlers share.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderName, HeaderValue};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    ControlToken, Encryption, Trust,
    gate::{auth::Authenticator, permits::Permits, rate_limit::RateLimit, scrapes::Scrapes},
};
use crate::{
    api::ApiError,
    config::Network,
    hub::Hub,
    publish::{feed::Live, prometheus::Scraper},
    telemetry::Events,
};

/// Asks for the configuration to be loaded again; answered with what was wrong with it, if anything.
pub type Reload = oneshot::Sender<Result<(), String>>;

/// Says whether the agent does what it is there for, or why not.
pub type Ready = Box<dyn Fn() -> Result<(), ApiError> + Send + Sync>;

/// What the handlers share.
pub struct App {
    /// The sources' newest readings.
    pub hub: Arc<Hub>,
    /// Live feeds, by name at `/ws/<name>` and `/api/<name>`.
    pub live: Arc<[Live]>,
    /// Whether the agent is ready.
    pub ready: Ready,
    /// What is counted where it happens.
    pub events: Arc<Events>,
    /// Responses to scrapes.
    pub scraper: Scraper,
    /// Permits for connections.
    pub permits: Arc<Permits>,
    /// Scrapes that run.
    pub scrapes: Arc<Scrapes>,
    /// Asks for a reload.
    pub reload: mpsc::Sender<Reload>,
    settings: watch::Sender<Arc<Settings>>,
}

/// Who is let in, and to what: everything in one value, so that a reload changes all of it at once. What it says of
/// addresses and TLS is what listens, not what a file asks for.
#[derive(Default)]
pub struct Settings {
    /// Which settings these are, counted by [`App::set_settings`].
    pub(crate) generation: u64,
    /// Where the agent listens.
    pub addresses: Vec<SocketAddr>,
    /// How TLS is spoken, when it is.
    pub tls: Option<Arc<Encryption>>,
    /// Path of all metrics.
    pub telemetry_path: String,
    /// Scrapes at once; 0 is no limit.
    pub scrapes: usize,
    /// Which names and pages are trusted.
    pub trust: Trust,
    /// Who may read, when not everybody.
    pub authenticator: Option<Arc<Authenticator>>,
    /// What opens the controls where there are no users.
    pub control_token: Option<Arc<ControlToken>>,
    /// How many requests a second are answered, when not all.
    pub rate_limit: Option<Arc<RateLimit>>,
    /// Those whose word is taken for where a request comes from.
    pub trusted_proxies: Vec<Network>,
    /// Headers of every response, from the web configuration.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl App {
    /// Shares these.
    #[must_use]
    pub fn new(
        hub: Arc<Hub>,
        live: Arc<[Live]>,
        ready: Ready,
        events: Arc<Events>,
        connections: usize,
        reload: mpsc::Sender<Reload>,
    ) -> Self {
        let (permits, scrapes) = (Arc::new(Permits::new(connections)), Arc::default());
        // Nobody can ask before there are listeners, which come with settings.
        let (settings, _) = watch::channel(Arc::default());
        Self { hub, live, ready, events, scraper: Scraper::default(), permits, scrapes, reload, settings }
    }

    /// The feed of this name.
    pub fn live(&self, name: &str) -> Option<&Live> {
        self.live.iter().find(|live| live.feed.name() == name)
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    /// The settings in force, and word of each change.
    pub fn watch_settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.subscribe()
    }

    /// Puts new settings in force, all of them at once.
    pub fn set_settings(&self, settings: Settings) {
        self.settings.send_modify(|current| {
            *current = Arc::new(Settings { generation: current.generation + 1, ..settings });
        });
    }
}
