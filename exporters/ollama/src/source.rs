//! The servers as a source: each is asked by a task of its own, so that one that hangs holds up no other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aura_model::{Context, Group, Missing, Name, Options, Paths, Reason, Section, Source, Stopwatch};
use jiff::Timestamp;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    Audience, Expiry, FailureKind, HostReading, HostStatus, Ledger, Limits, LoadedModel, Machine, OllamaOptions,
    OllamaReading, RequestStats, Server,
    engine::{Engines, Look, Process, Processes},
    metrics,
    observe::Observer,
    pace::Pace,
    probe::{Probe, ProbeError, ProbeResult},
};

/// A sample waits at most this share of its interval for its servers. Those that have not answered are waited for
/// in the next one.
const WAIT_SHARE: f64 = 0.4;
/// A server that has been silent for so long is busy.
const BUSY_AFTER: Duration = Duration::from_secs(2);
/// What its process may take is read again after this time.
const LIMITS: Duration = Duration::from_secs(60);

/// All servers that are watched.
pub struct Ollama {
    // Dropped first: tasks that still wait for answers end with it.
    runtime: Runtime,
    hosts: Vec<Host>,
    /// The processes of this machine, where one of them may be a server's.
    processes: Option<Processes>,
    wait: Duration,
    sampled: bool,
    /// What the agent did to them.
    ledger: Arc<Ledger>,
    /// Who looks; nobody says so where the source runs by itself.
    audience: Option<Arc<Audience>>,
    interval: Duration,
    paths: Paths,
}

struct Host {
    name: Name,
    server: Server,
    /// Owned by the question while one runs.
    probe: Option<Box<Probe>>,
    asking: Option<Asking>,
    observer: Observer,
    /// What holds its models, where that can be seen.
    engines: Result<Engines, Missing>,
    /// What the look of this sample said; none where nothing can be seen.
    look: Option<Look>,
    /// What its process may take, and when that was read.
    limits: Option<(Limits, Stopwatch)>,
    pace: Pace,
    /// The first question since its last answer: what it said holds for as long as nothing else was to be known.
    unanswered: Option<Stopwatch>,
    latest: Option<Latest>,
    /// So long its last answer is shown while it keeps silent.
    stale_after: Duration,
    status: HostStatus,
    since: f64,
    missing: Option<Missing>,
    requests: RequestStats,
}

/// A question that runs.
struct Asking {
    begun: Stopwatch,
    task: JoinHandle<(Box<Probe>, Result<ProbeResult, ProbeError>)>,
}

struct Latest {
    /// The server has not been away since: what it said may still be so.
    holds: bool,
    answers: ProbeResult,
    loaded: Arc<Vec<LoadedModel>>,
}

impl Source for Ollama {
    type Options = OllamaOptions;
    type Reading = OllamaReading;

    const NAME: &'static str = "ollama";
    const PART: &'static str = "ollama";

    fn groups() -> &'static [Group<OllamaReading>] {
        metrics::GROUPS
    }

    fn open(options: &OllamaOptions, context: &Context) -> Result<Self, Missing> {
        let variable = std::env::var("OLLAMA_HOST").ok();
        let (servers, named) =
            options.servers(variable.as_deref()).map_err(|problem| Missing::new(Reason::NotConfigured, problem))?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Missing::new(Reason::Unreadable, format!("no event loop for asking Ollama: {error}")))?;
        let within = options.request_timeout.get();
        if !named {
            let mut probe = Probe::new(servers[0].clone(), within);
            // One that keeps silent is there, and busy.
            if let Err(error) = runtime.block_on(probe.greet())
                && error.kind != FailureKind::Timeout
            {
                let detail = format!(
                    "no Ollama was found: {}. Start it, or name it in sources.ollama.hosts",
                    error.missing.detail
                );
                return Err(Missing::new(Reason::NotConfigured, detail));
            }
        }
        let schedule = options.schedule();
        let stale_after = context.stale_after.max(schedule.interval.get() * 3);
        let engines = |server: &Server| {
            if options.engine {
                Engines::new(&server.address, context.paths.procfs.clone())
            } else {
                Err(Missing::new(Reason::NotConfigured, "engines are not watched: sources.ollama.engine is false"))
            }
        };
        let hosts: Vec<Host> = servers
            .into_iter()
            .map(|server| {
                let engines = engines(&server);
                Host::new(server, engines, within, stale_after)
            })
            .collect();
        let on_this_machine = hosts.iter().any(|host| host.engines.is_ok());
        let processes = on_this_machine.then(|| Processes::new(&context.paths.procfs).with_events());
        let wait = schedule.interval.get().mul_f64(WAIT_SHARE);
        Ok(Self {
            runtime,
            hosts,
            processes,
            wait,
            sampled: false,
            ledger: context.lent().unwrap_or_default(),
            audience: context.lent(),
            interval: schedule.interval.get(),
            paths: context.paths.clone(),
        })
    }

    fn sample(&mut self) -> Result<OllamaReading, Missing> {
        let Self { runtime, hosts, processes, ledger, interval, paths, .. } = self;
        let processes = processes.as_mut().map(Processes::look);
        let rest = self.audience.as_ref().is_some_and(|audience| !audience.is_there(*interval));
        for host in hosts.iter_mut() {
            host.look(processes.as_ref(), runtime, paths);
            let commands = ledger.revision(&host.name);
            // What came in while a question still runs waits for the next.
            if host.asking.is_none() && host.is_due(rest, commands, *interval) {
                host.pace.asked(commands);
                host.begin(runtime, rest);
            }
        }
        // The first sample has no last answer to show, so it gives each server its time.
        let wait = if self.sampled { self.wait } else { BUSY_AFTER };
        self.sampled = true;
        runtime.block_on(async {
            let all = async {
                for host in hosts.iter_mut() {
                    host.finish().await;
                }
            };
            if timeout(wait, all).await.is_err() {
                for host in hosts.iter_mut() {
                    host.finish_done().await;
                }
            }
        });
        Ok(OllamaReading { hosts: hosts.iter_mut().map(|host| host.reading(ledger)).collect() })
    }

    fn describe(reading: &OllamaReading) -> Vec<String> {
        reading.hosts.iter().map(describe).collect()
    }

    fn outdated(reading: &OllamaReading, missing: &Missing) -> Option<OllamaReading> {
        let hosts = reading.hosts.iter().map(|host| HostReading {
            status: HostStatus::Away,
            missing: Some(missing.clone()),
            version: None,
            installed: Section::Off { missing: missing.clone() },
            loaded: Section::Off { missing: missing.clone() },
            engines: Section::Off { missing: missing.clone() },
            odd: Vec::new(),
            ..host.clone()
        });
        Some(OllamaReading { hosts: hosts.collect() })
    }
}

impl Host {
    fn new(server: Server, engines: Result<Engines, Missing>, within: Duration, stale_after: Duration) -> Self {
        Self {
            name: server.address.authority().into(),
            probe: Some(Box::new(Probe::new(server.clone(), within))),
            server,
            asking: None,
            observer: Observer::default(),
            engines,
            look: None,
            limits: None,
            pace: Pace::default(),
            unanswered: None,
            latest: None,
            stale_after,
            status: HostStatus::Busy,
            since: now(),
            missing: None,
            requests: RequestStats::default(),
        }
    }

    /// Looks at the engines, and asks them.
    fn look(&mut self, processes: Option<&Result<Vec<Process>, Missing>>, runtime: &Runtime, paths: &Paths) {
        let installed = self.latest.as_ref().map(|latest| &latest.answers.installed);
        let knows = |weights: &str| {
            installed.is_some_and(|models| models.iter().any(|model| model.weights.as_deref() == Some(weights)))
        };
        let seen = self.engines.as_mut().ok().zip(processes);
        self.look = seen.and_then(|(engines, processes)| engines.look(processes, knows));
        self.pace.look(self.look);
        self.limit(paths);
        if let Ok(engines) = &mut self.engines {
            engines.begin(runtime);
        }
    }

    /// Reads what its process may take, unless that is known.
    fn limit(&mut self, paths: &Paths) {
        let pid = self.engines.as_ref().ok().and_then(Engines::server);
        let known = self.limits.take().filter(|(limits, read)| Some(limits.pid) == pid && read.elapsed() < LIMITS);
        self.limits = known.or_else(|| Some((Machine::new(paths, pid?).limits(), Stopwatch::start())));
    }

    /// Whether it is to be asked: at rest only where something can have changed, or nothing is known.
    fn is_due(&mut self, rest: bool, commands: u64, interval: Duration) -> bool {
        let hinted = self.pace.is_due(commands, interval);
        let Some(latest) = self.latest.as_ref().filter(|_| self.status == HostStatus::Answering) else { return true };
        // The time of one in memory is over that was not before.
        let answered_at = latest.answers.answered_at.as_duration().as_secs_f64();
        let over = |expiry| {
            matches!(expiry, Expiry::At(time)
            if (answered_at..now()).contains(&(time - latest.answers.clock_offset_seconds)))
        };
        !rest || hinted || latest.answers.incomplete || latest.loaded.iter().any(|model| over(model.expiry))
    }

    /// Asks, unless the last question still runs.
    fn begin(&mut self, runtime: &Runtime, rest: bool) {
        let Some(mut probe) = self.probe.take() else { return };
        self.unanswered.get_or_insert_with(Stopwatch::start);
        let task = runtime.spawn(async move {
            let result = probe.ask(rest).await;
            (probe, result)
        });
        self.asking = Some(Asking { begun: Stopwatch::start(), task });
    }

    fn is_done(&self) -> bool {
        self.asking.as_ref().is_some_and(|asking| asking.task.is_finished())
    }

    /// Waits for the answers. Giving up this wait leaves the requests running.
    async fn finish(&mut self) {
        self.finish_server().await;
        if let Ok(engines) = &mut self.engines {
            engines.finish().await;
        }
    }

    /// Takes the answers that are there.
    async fn finish_done(&mut self) {
        if self.is_done() {
            self.finish_server().await;
        }
        if let Ok(engines) = &mut self.engines {
            engines.finish_done().await;
        }
    }

    async fn finish_server(&mut self) {
        let Some(asking) = &mut self.asking else { return };
        let (probe, result) = match (&mut asking.task).await {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // Tasks are cancelled only with the runtime, and nobody waits then.
            Err(_) => return,
        };
        self.requests.requests = probe.requests();
        self.probe = Some(probe);
        let asked = asking.begun.started();
        self.asking = None;
        match result {
            Ok(answers) => self.answered(answers, asked),
            Err(error) => self.silent(&error),
        }
    }

    fn answered(&mut self, mut answers: ProbeResult, asked: Instant) {
        self.requests.seconds = Some(answers.seconds);
        let mut loaded = std::mem::take(&mut answers.loaded);
        let answered_at = answers.answered_at.as_duration().as_secs_f64();
        self.observer.look(&mut loaded, answered_at, answered_at + answers.clock_offset_seconds);
        if let Ok(engines) = &mut self.engines {
            engines.listed(asked, |weights| is_listed(weights, &loaded));
            for model in &mut loaded {
                let Some(weights) = &model.weights else { continue };
                model.crashed = engines.is_crashed(weights);
                model.loaded_at = engines.born(weights).or(model.loaded_at);
            }
        }
        self.latest = Some(Latest { holds: true, answers, loaded: Arc::new(loaded) });
        self.unanswered = None;
        self.pace.answered(&self.server.address);
        self.set_status(HostStatus::Answering, None);
    }

    fn silent(&mut self, error: &ProbeError) {
        self.requests.failures[error.kind as usize] += 1;
        self.requests.seconds = None;
        let status = match error.kind {
            FailureKind::Timeout => HostStatus::Busy,
            FailureKind::Unreachable | FailureKind::Status | FailureKind::Unreadable => HostStatus::Away,
        };
        if status == HostStatus::Away {
            self.observer.forget();
            if let Some(latest) = &mut self.latest {
                latest.holds = false;
            }
        }
        self.set_status(status, Some(error.missing.clone()));
    }

    fn set_status(&mut self, status: HostStatus, missing: Option<Missing>) {
        if self.status != status {
            self.status = status;
            self.since = now();
        }
        self.missing = missing;
    }

    fn reading(&mut self, ledger: &Ledger) -> HostReading {
        if let Some(Asking { begun, .. }) = &self.asking
            && begun.elapsed() >= BUSY_AFTER
            && self.status == HostStatus::Answering
        {
            let detail = format!(
                "{} has not answered for {:.0} s: it is busy",
                self.server.address,
                begun.started().elapsed().as_secs_f64()
            );
            self.set_status(HostStatus::Busy, Some(Missing::new(Reason::Stale, detail)));
        }
        let mut missing = match (self.status, &self.missing) {
            (HostStatus::Answering, _) => None,
            (_, Some(missing)) => Some(missing.clone()),
            (_, None) => Some(Missing::new(Reason::Stale, format!("{} has not answered yet", self.server.address))),
        };
        // Ollama waits for its engine while it holds the lock that its lists need.
        if let (HostStatus::Busy, Some(missing), Ok(engines)) = (self.status, &mut missing, &self.engines)
            && let Some(stuck) = engines.stuck()
        {
            missing.detail = format!("{}: {stuck}", missing.detail);
        }
        let latest = self.latest.as_ref();
        // Silence says nothing about the models: for a while they are what they were.
        let silent = self.unanswered.is_some_and(|since| since.elapsed() > self.stale_after);
        let fresh = latest.filter(|latest| latest.holds && !silent);
        let mut reading = HostReading {
            host: self.name.clone(),
            url: self.server.address.to_string(),
            server: self.server.clone(),
            status: self.status,
            since: self.since,
            answered_at: latest.map(|latest| latest.answers.answered_at.as_duration().as_secs_f64()),
            clock_offset_seconds: latest.map_or(0.0, |latest| latest.answers.clock_offset_seconds),
            version: latest.filter(|latest| latest.holds).and_then(|latest| latest.answers.version.clone()),
            installed: section(fresh.map(|latest| latest.answers.installed.clone()), &missing),
            loaded: section(fresh.map(|latest| latest.loaded.clone()), &missing),
            engines: Section::off(Reason::Stale, "they were not looked for yet"),
            odd: fresh.map_or_else(Vec::new, |latest| latest.answers.odd.clone()),
            requests: self.requests.clone(),
            limits: self.limits.as_ref().map(|(limits, _)| limits.clone()),
            commands: ledger.commands(&self.name),
            missing,
        };
        reading.engines = match &mut self.engines {
            Ok(engines) => engines.reading(|weights| reading.models_of(weights)),
            Err(missing) => Section::Off { missing: missing.clone() },
        };
        reading
    }
}

/// Whether a server lists a model with these weights; none when it lists one whose weights are not known.
fn is_listed(weights: &str, loaded: &[LoadedModel]) -> Option<bool> {
    let of_listed = |model: &LoadedModel| model.weights.as_deref().map(|of_listed| of_listed == weights);
    let listed: Vec<Option<bool>> = loaded.iter().map(of_listed).collect();
    if listed.contains(&Some(true)) { Some(true) } else { (!listed.contains(&None)).then_some(false) }
}

fn section<T>(value: Option<T>, missing: &Option<Missing>) -> Section<T> {
    match (value, missing) {
        (Some(value), _) => Section::Fresh(value),
        (None, Some(missing)) => Section::Off { missing: missing.clone() },
        (None, None) => Section::off(Reason::Stale, "it has not answered yet"),
    }
}

fn describe(host: &HostReading) -> String {
    match (&host.installed, &host.loaded, &host.version) {
        (Section::Fresh(installed), Section::Fresh(loaded), Some(version)) => {
            format!("{}: Ollama {version}, {} models, {} loaded", host.url, installed.len(), loaded.len())
        }
        _ => format!("{}: {}", host.url, host.missing.as_ref().map_or("", |missing| &missing.detail)),
    }
}

fn now() -> f64 {
    Timestamp::now().as_duration().as_secs_f64()
}
