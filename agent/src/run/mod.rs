//! The running agent: everything is started here, changed by a reload, and stopped in order.

mod heap;
mod logging;
#[cfg(all(unix, not(feature = "portable")))]
mod notify;
mod sources;
mod storage;
#[cfg(all(unix, not(feature = "portable")))]
#[path = "unix.rs"]
mod system;
#[cfg(any(not(unix), feature = "portable"))]
#[path = "elsewhere.rs"]
mod system;

use std::{
    fs::File,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use aura_model::Context;
use aura_ollama::{Audience, Ledger};
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
    time::timeout,
};
use tracing::{error, info, warn};

use self::{logging::Logging, sources::Supervised, system::Signals};
use crate::{
    actions::ollama::{self, Loader},
    config::{Config, Loaded, Overrides, process_variables},
    http::{Actions, App, CONNECTIONS, Front, Listeners, Reload, Serving, Settings, Trust, web_config::WebConfig},
    hub::{Hub, start_ticking},
    publish::feed::{Feeds, Limits},
    telemetry::{Events, Telemetry},
    views::{self, Parts, Views, declared},
};

/// What the system or a person asks of the process.
enum Signal {
    /// Read the configuration again.
    #[cfg_attr(any(not(unix), feature = "portable"), expect(dead_code, reason = "other systems have no signal for it"))]
    Reload,
    /// Stop.
    Stop,
}

/// Clients and running answers get this long when the agent stops.
const GRACE_PERIOD: Duration = Duration::from_millis(1500);

/// How long the names of listening addresses may take to be looked up.
const LOOKUP: Duration = Duration::from_secs(5);

/// Runs until a signal asks to stop.
///
/// # Errors
/// What kept the agent from starting.
pub fn run(loaded: Loaded, overrides: Overrides) -> anyhow::Result<()> {
    heap::keep_small();
    let logging = Logging::start(&loaded.config.log);
    info!(version = crate::VERSION, revision = crate::COMMIT, "Aura Agent");
    match &loaded.file {
        Some(file) => info!("configuration from {}", file.display()),
        None => info!("no configuration file: defaults, environment and flags"),
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no event loop")?;
    runtime.block_on(Agent::start(loaded, overrides, logging)?.serve())
}

/// What runs.
struct Agent {
    loaded: Loaded,
    overrides: Overrides,
    logging: Logging,
    sources: Supervised,
    views: Views,
    feeds: Feeds,
    web: WebConfig,
    /// How many files and sockets may be open, where that is known.
    descriptors: Option<usize>,
    /// The addresses to listen on, names looked up.
    addresses: Vec<SocketAddr>,
    loader: Arc<Loader>,
    app: Arc<App>,
    reloads: mpsc::Receiver<Reload>,
    /// Held for as long as the agent runs.
    _storage: Option<File>,
}

impl Agent {
    fn start(loaded: Loaded, overrides: Overrides, logging: Logging) -> anyhow::Result<Self> {
        let config = &loaded.config;
        let web = WebConfig::of(&loaded)?;
        for warning in loaded.warnings.iter().chain(&web.warnings) {
            warn!("{warning}");
        }
        if let Err(error) = start_ticking() {
            warn!("no thread for ticks: a machine that stands still will look like sources that do: {error}");
        }
        let storage = config.storage.path.as_deref().map(storage::claim).transpose()?.flatten();
        let hub = Arc::new(Hub::default());
        let ledger = Arc::new(Ledger::default());
        let context = Context::new(config.paths.clone())
            .with_storage(config.storage.path.clone())
            .with_stale_after(config.stale_after.0.get())
            .with_declared(declared())
            .lending(Arc::clone(&ledger))
            .lending(Arc::<Audience>::default());
        let mut sources = Supervised::new(Arc::clone(&hub), context.clone());
        sources.apply(&config.sources);
        let descriptors = system::raise_descriptor_limit();
        let feeds = Feeds::start(limits(config, descriptors)).context("the feeds could not be started")?;
        let controllers = web.authenticator().is_some() || web.control_token().is_some();
        let events = Arc::new(Events::default());
        note_reload(&events, true);
        let paths = context.paths.clone();
        let loader = Loader::new(Arc::clone(&hub), ledger, paths, &config.sources.ollama, controllers);
        let views = views::open(&feeds, &Parts::new(&hub, config, &context, &events, Arc::clone(&loader) as _));
        let live = views.live();
        let own = live.iter().map(|live| live.feed.clone()).collect();
        hub.add(Arc::new(Telemetry::new(&hub, own, Arc::clone(&events))));
        let (reload, reloads) = mpsc::channel(4);
        // Sources and feeds need descriptors, too.
        let connections = descriptors.map_or(CONNECTIONS, |limit| CONNECTIONS.min(limit / 4));
        let shown = Arc::clone(&live);
        let ready = Box::new(move || views::ready(&shown));
        let app = Arc::new(App::new(hub, live, ready, events, connections, reload));
        Ok(Self {
            loaded,
            overrides,
            logging,
            sources,
            views,
            feeds,
            web,
            descriptors,
            addresses: Vec::new(),
            loader,
            app,
            reloads,
            _storage: storage,
        })
    }

    async fn serve(mut self) -> anyhow::Result<()> {
        let (stop, stopping) = watch::channel(false);
        let closed = Arc::clone(&self.loader);
        let actions = Actions {
            routes: ollama::routes().handlers(Arc::clone(&self.loader)),
            closed: Arc::new(move || closed.closed()),
        };
        let front = Front::new(Arc::clone(&self.app), self.views.routes(), vec![actions]);
        let mut listeners = Listeners::new(Serving { front: Arc::new(front), stopping });
        self.addresses = resolve(&self.loaded.config).await.map_err(anyhow::Error::msg)?;
        for address in &self.addresses {
            self.web.fits(*address).map_err(anyhow::Error::msg)?;
        }
        let bound = listeners.bind(&self.addresses).map_err(anyhow::Error::msg)?;
        let addresses = listeners.addresses(&self.addresses, &bound).map_err(anyhow::Error::msg)?;
        self.app.set_settings(settings(&self.loaded.config, &self.web, addresses));
        for address in listeners.put_in_use(&self.addresses, bound).await {
            announce(address, self.web.tls().is_some());
        }
        self.views.start();
        tokio::spawn(system::watchdog());
        system::ready("watching");

        let mut signals = Signals::listen()?;
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Reload => { let _ = self.reload(&mut listeners).await; }
                    Signal::Stop => break,
                },
                Some(answer) = self.reloads.recv() => { let _ = answer.send(self.reload(&mut listeners).await); }
            }
        }
        info!("stopping");
        system::stopping();
        self.sources.stop();
        let _ = stop.send(true);
        let feeds = self.feeds.clone();
        let goodbye = spawn_blocking(move || feeds.shutdown(GRACE_PERIOD));
        let finished = async {
            let _ = goodbye.await;
            listeners.finished().await;
        };
        if timeout(GRACE_PERIOD, finished).await.is_err() {
            warn!("some clients were cut off: they did not close in {GRACE_PERIOD:?}");
        }
        info!("stopped");
        Ok(())
    }

    /// Reads the configuration again. What is wrong leaves everything as it was.
    async fn reload(&mut self, listeners: &mut Listeners) -> Result<(), String> {
        system::reloading();
        let result = self.try_reload(listeners).await;
        note_reload(&self.app.events, result.is_ok());
        match &result {
            Ok(()) => info!("the configuration was loaded again"),
            Err(problems) => error!("the configuration was not loaded, the old one keeps running:\n{problems}"),
        }
        system::ready("watching");
        result
    }

    /// First all that can fail, then all that cannot.
    async fn try_reload(&mut self, listeners: &mut Listeners) -> Result<(), String> {
        let loaded = Config::load(&self.overrides, &process_variables()).map_err(|problems| problems.to_string())?;
        let web = WebConfig::of(&loaded).map_err(|problems| problems.to_string())?.after(&self.web)?;
        let (old, new) = (&self.loaded.config, &loaded.config);
        let fixed = [
            ("log.format", old.log.format != new.log.format),
            ("storage.path", old.storage != new.storage),
            ("paths", old.paths != new.paths),
            ("stale_after", old.stale_after != new.stale_after),
            ("history", old.history != new.history),
        ];
        let fixed: Vec<&str> = fixed.iter().filter(|(_, changed)| *changed).map(|(key, _)| *key).collect();
        if !fixed.is_empty() {
            return Err(format!(
                "{}: cannot change while the agent runs: start it again, or set back what stood there",
                fixed.join(", ")
            ));
        }
        // A name is looked up again only when the addresses are new: what it means may have changed, what it is to be not.
        let addresses = if old.web.listen_address == new.web.listen_address {
            self.addresses.clone()
        } else {
            resolve(new).await?
        };
        addresses.iter().try_for_each(|address| web.fits(*address))?;
        let bound = listeners.bind(&addresses)?;
        let listened = listeners.addresses(&addresses, &bound)?;

        for warning in loaded.warnings.iter().chain(&web.warnings) {
            warn!("{warning}");
        }
        self.logging.set_level(&new.log);
        self.feeds.set_limits(limits(new, self.descriptors));
        self.views.configure(new);
        self.sources.apply(&new.sources);
        let settings = settings(new, &web, listened);
        self.loader.configure(&new.sources.ollama, settings.has_controllers());
        self.app.set_settings(settings);
        for address in listeners.put_in_use(&addresses, bound).await {
            announce(address, web.tls().is_some());
        }
        self.feeds.recheck();
        (self.loaded, self.web, self.addresses) = (loaded, web, addresses);
        Ok(())
    }
}

fn settings(config: &Config, web: &WebConfig, addresses: Vec<SocketAddr>) -> Settings {
    let mut hosts = config.web.allowed_hosts.clone();
    hosts.extend(system::host_name());
    let trust =
        Trust { known_hosts_only: !web.names_who_comes_in(), hosts, origins: config.web.allowed_origins.clone() };
    Settings {
        addresses,
        tls: web.tls(),
        telemetry_path: config.web.telemetry_path.clone(),
        scrapes: config.web.max_requests as usize,
        trust,
        authenticator: web.authenticator(),
        control_token: web.control_token(),
        rate_limit: web.rate_limit(),
        trusted_proxies: config.web.trusted_proxies.clone(),
        headers: web.headers().to_vec(),
        ..Settings::default()
    }
}

/// The addresses that are meant. A name may take its time, and nothing else waits for it.
async fn resolve(config: &Config) -> Result<Vec<SocketAddr>, String> {
    let meant = config.web.listen_address.clone();
    let lookup = spawn_blocking(move || {
        let mut addresses = Vec::new();
        for address in meant {
            let found = address.resolve().map_err(|error| format!("web.listen_address: {address}: {error}"))?;
            addresses.extend(found);
        }
        Ok(addresses)
    });
    match timeout(LOOKUP, lookup).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("web.listen_address: a name was not found in {LOOKUP:?}")),
    }
}

fn limits(config: &Config, descriptors: Option<usize>) -> Limits {
    let feed = &config.feed;
    Limits {
        clients: (feed.max_clients as usize).min(descriptors.map_or(usize::MAX, |limit| limit / 2)),
        clients_per_address: feed.max_clients_per_address as usize,
        message_bytes: feed.max_message_bytes as usize,
        ping_interval: feed.ping_interval.get(),
        idle_timeout: feed.ping_interval.get() + feed.pong_timeout.get(),
        compression: feed.compression,
        ..Limits::default()
    }
}

fn announce(address: SocketAddr, tls: bool) {
    let scheme = if tls { "https" } else { "http" };
    // Port first: a wildcard address is not one that a browser can open.
    let host =
        if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() };
    info!(%address, "open {scheme}://{host}/ — metrics at {scheme}://{host}/metrics");
}

fn note_reload(events: &Events, success: bool) {
    events.note(|counts| {
        counts.reload_success = success;
        if success {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            counts.reload_time = now.map_or(0.0, |since| since.as_secs_f64());
        }
    });
}
