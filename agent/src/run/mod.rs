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
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use aura_model::Context;
use aura_postgres::Prober;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tracing::{error, info, warn};

use self::{logging::Logging, sources::Supervised, system::Signals};
use crate::{
    config::{Config, ListenAddress, Loaded, Overrides, process_variables},
    http::{App, Front, Reload, Serving, Settings, Trust, listen, web_config::WebConfig},
    hub::{Hub, start_ticking},
    own::{Events, Own},
    publish::{
        feed::{Feeds, Limits},
        prometheus::declared,
    },
    views::{self, Views},
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
const PATIENCE: Duration = Duration::from_millis(1500);

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
    system::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no event loop")?;
    runtime.block_on(Agent::start(loaded, overrides, logging)?.serve())
}

/// What runs.
struct Agent {
    loaded: Loaded,
    overrides: Overrides,
    logging: Logging,
    sources: Supervised,
    context: Context,
    feeds: Feeds,
    web: WebConfig,
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
        let context = Context::new(config.paths.clone().into())
            .with_storage(config.storage.path.clone())
            .with_stale_after(config.stale_after.0.get())
            .with_declared(declared());
        let mut sources = Supervised::new(Arc::clone(&hub), context.clone());
        sources.apply(&config.sources);
        let feeds = Feeds::start(limits(config)).context("the feeds could not be started")?;
        let settings = settings(config, &web);
        let (views, live) = Views::open(&hub, &feeds, config, settings.has_controllers());
        let events = Arc::new(Events::default());
        note_reload(&events, true);
        hub.add(Arc::new(Own::new(&hub, live.iter().map(|live| live.feed.clone()).collect(), Arc::clone(&events))));
        let (reload, reloads) = mpsc::channel(4);
        let app = Arc::new(App::new(hub, views, live, events, scrapes(config), reload, settings));
        Ok(Self { loaded, overrides, logging, sources, context, feeds, web, app, reloads, _storage: storage })
    }

    async fn serve(mut self) -> anyhow::Result<()> {
        let (stop, stopping) = watch::channel(false);
        let serving = Serving {
            front: Arc::new(Front::new(Arc::clone(&self.app), &self.loaded.config.web.telemetry_path)),
            tls: self.web.tls().map(TlsAcceptor::from),
            stopping: stopping.clone(),
        };
        let mut listeners = JoinSet::new();
        for listener in bind(&self.loaded.config)? {
            announce(listener.local_addr()?, serving.tls.is_some());
            listeners.spawn(listen(listener, serving.clone()));
        }
        views::publish(&self.app, &self.context);
        tokio::spawn(system::watchdog());
        system::ready("watching");

        let mut signals = Signals::listen()?;
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Reload => { let _ = self.reload(); }
                    Signal::Stop => break,
                },
                Some(answer) = self.reloads.recv() => { let _ = answer.send(self.reload()); }
            }
        }
        info!("stopping");
        system::stopping();
        self.sources.stop();
        let _ = stop.send(true);
        let feeds = self.feeds.clone();
        let goodbye = tokio::task::spawn_blocking(move || feeds.shutdown(PATIENCE));
        let finished = async {
            let _ = goodbye.await;
            while listeners.join_next().await.is_some() {}
        };
        if timeout(PATIENCE, finished).await.is_err() {
            warn!("some clients were cut off: they did not close in {PATIENCE:?}");
        }
        info!("stopped");
        Ok(())
    }

    /// Reads the configuration again. What is wrong leaves everything as it was.
    fn reload(&mut self) -> Result<(), String> {
        system::reloading();
        let result = self.try_reload();
        note_reload(&self.app.events, result.is_ok());
        match &result {
            Ok(()) => info!("the configuration was loaded again"),
            Err(problems) => error!("the configuration was not loaded, the old one keeps running:\n{problems}"),
        }
        system::ready("watching");
        result
    }

    fn try_reload(&mut self) -> Result<(), String> {
        let loaded = Config::load(&self.overrides, &process_variables()).map_err(|problems| problems.to_string())?;
        let web = WebConfig::of(&loaded).map_err(|problems| problems.to_string())?;
        let (old, new) = (&self.loaded.config, &loaded.config);
        let fixed = [
            ("web.listen_address", old.web.listen_address != new.web.listen_address),
            ("web.telemetry_path", old.web.telemetry_path != new.web.telemetry_path),
            ("web.max_requests", old.web.max_requests != new.web.max_requests),
            ("log.format", old.log.format != new.log.format),
            ("storage.path", old.storage != new.storage),
            ("paths", old.paths != new.paths),
            ("stale_after", old.stale_after != new.stale_after),
            ("history", old.history != new.history),
            ("whether TLS is spoken", self.web.tls().is_some() != web.tls().is_some()),
        ];
        for (key, _) in fixed.iter().filter(|(_, changed)| *changed) {
            warn!("{key} has changed: it takes effect when the agent is started again");
        }
        self.logging.set_level(&new.log);
        self.app.views.system.set_thresholds(new.thresholds.clone());
        self.feeds.set_limits(limits(new));
        self.app.views.governance.set_options(&new.sources.audit);
        self.sources.apply(&new.sources);
        let settings = settings(new, &web);
        self.app.views.models.configure(&new.sources.ollama, settings.has_controllers());
        self.app.set_settings(settings);
        self.loaded = loaded;
        Ok(())
    }
}

fn settings(config: &Config, web: &WebConfig) -> Settings {
    let authenticator = web.authenticator();
    let mut hosts = config.web.allowed_hosts.clone();
    hosts.extend(system::host_name());
    let loopback = config.web.listen_address.iter().all(ListenAddress::is_loopback);
    let trust = Trust {
        known_hosts_only: loopback && authenticator.is_none(),
        hosts,
        origins: config.web.allowed_origins.clone(),
    };
    Settings {
        trust,
        authenticator,
        control_token: web.control_token(),
        rate_limit: web.rate_limit(),
        prober: Arc::new(Prober::new(&config.sources.postgres)),
        trusted_proxies: config.web.trusted_proxies.clone(),
        fields: web.headers().to_vec(),
    }
}

fn limits(config: &Config) -> Limits {
    let feed = &config.feed;
    Limits {
        clients: feed.max_clients as usize,
        clients_per_address: feed.max_clients_per_address as usize,
        message_bytes: feed.max_message_bytes as usize,
        ping_interval: feed.ping_interval.get(),
        dead_after: feed.ping_interval.get() + feed.pong_timeout.get(),
        origins: config.web.allowed_origins.clone(),
        ..Limits::default()
    }
}

fn scrapes(config: &Config) -> usize {
    match config.web.max_requests {
        0 => tokio::sync::Semaphore::MAX_PERMITS,
        limit => limit as usize,
    }
}

fn bind(config: &Config) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in &config.web.listen_address {
        let resolved = address.resolve().with_context(|| format!("web.listen_address: {address}"))?;
        for address in resolved {
            let listener = std::net::TcpListener::bind(address)
                .or_else(|error| match address {
                    // A kernel without IPv6: its IPv4 addresses are every address there is.
                    SocketAddr::V6(six) if six.ip().is_unspecified() && error.kind() != ErrorKind::AddrInUse => {
                        std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()))
                    }
                    _ => Err(error),
                })
                .with_context(|| format!("web.listen_address: {address} cannot be listened on"))?;
            listener.set_nonblocking(true)?;
            listeners.push(TcpListener::from_std(listener)?);
        }
    }
    Ok(listeners)
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
