//! The servers as a source: each is asked by a task of its own, so that one that hangs holds up no other.

use std::{sync::Arc, time::Duration};

use aura_model::{Context, Group, Missing, Name, Options, Reason, Section, Source, Stopwatch};
use jiff::Timestamp;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    FailureKind, HostReading, HostStatus, Ledger, LoadedModel, OllamaOptions, OllamaReading, RequestStats, Server,
    engine::{Engines, Look},
    metrics,
    observe::Observer,
    probe::{Probe, ProbeError, ProbeResult},
};

/// A sample waits at most this share of its interval for its servers. Those that have not answered are waited for
/// in the next one.
const WAIT_SHARE: f64 = 0.4;
/// A server that has been silent for so long is busy.
const BUSY_AFTER: Duration = Duration::from_secs(2);

/// All servers that are watched.
pub struct Ollama {
    // Dropped first: tasks that still wait for answers end with it.
    runtime: Runtime,
    hosts: Vec<Host>,
    wait: Duration,
    sampled: bool,
    /// What the agent did to them.
    ledger: Arc<Ledger>,
}

struct Host {
    name: Name,
    server: Server,
    /// Owned by the question while one runs.
    probe: Option<Box<Probe>>,
    asking: Option<Asking>,
    observer: Observer,
    engines: Engines,
    /// What the look of this sample said; none where nothing can be seen.
    look: Option<Look>,
    latest: Option<Latest>,
    /// So long its last answer is shown while it keeps silent.
    stale_after: Duration,
    standing: HostStatus,
    since: f64,
    missing: Option<Missing>,
    questions: RequestStats,
}

/// A question that runs.
struct Asking {
    begun: Stopwatch,
    task: JoinHandle<(Box<Probe>, Result<ProbeResult, ProbeError>)>,
}

struct Latest {
    came: Stopwatch,
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
            if let Err(silence) = runtime.block_on(probe.greet())
                && silence.kind != FailureKind::Timeout
            {
                let detail = format!(
                    "no Ollama was found: {}. Start it, or name it in sources.ollama.hosts",
                    silence.missing.detail
                );
                return Err(Missing::new(Reason::NotConfigured, detail));
            }
        }
        let schedule = options.schedule();
        let stale_after = context.stale_after.max(schedule.interval.get() * 3);
        let hosts = servers.into_iter().map(|server| Host::new(server, within, stale_after)).collect();
        let wait = schedule.interval.get().mul_f64(WAIT_SHARE);
        Ok(Self { runtime, hosts, wait, sampled: false, ledger: context.lent().unwrap_or_default() })
    }

    fn sample(&mut self) -> Result<OllamaReading, Missing> {
        let Self { runtime, hosts, ledger, .. } = self;
        for host in hosts.iter_mut() {
            host.look = host.engines.look();
            host.begin(runtime);
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
                for host in hosts.iter_mut().filter(|host| host.is_done()) {
                    host.finish().await;
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
            standing: HostStatus::Away,
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
    fn new(server: Server, within: Duration, stale_after: Duration) -> Self {
        Self {
            name: server.address.authority().into(),
            probe: Some(Box::new(Probe::new(server.clone(), within))),
            server,
            asking: None,
            observer: Observer::default(),
            engines: Engines::default(),
            look: None,
            latest: None,
            stale_after,
            standing: HostStatus::Busy,
            since: now(),
            missing: None,
            questions: RequestStats::default(),
        }
    }

    /// Asks, unless the last question still runs.
    fn begin(&mut self, runtime: &Runtime) {
        let Some(mut probe) = self.probe.take() else { return };
        let task = runtime.spawn(async move {
            let result = probe.ask().await;
            (probe, result)
        });
        self.asking = Some(Asking { begun: Stopwatch::start(), task });
    }

    fn is_done(&self) -> bool {
        self.asking.as_ref().is_some_and(|asking| asking.task.is_finished())
    }

    /// Waits for the answer. Giving up this wait leaves the question running.
    async fn finish(&mut self) {
        let Some(asking) = &mut self.asking else { return };
        let (probe, result) = match (&mut asking.task).await {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // Tasks are cancelled only with the runtime, and nobody waits then.
            Err(_) => return,
        };
        self.probe = Some(probe);
        self.asking = None;
        match result {
            Ok(answers) => self.answered(answers),
            Err(silence) => self.silent(&silence),
        }
    }

    fn answered(&mut self, mut answers: ProbeResult) {
        self.questions.seconds = Some(answers.seconds);
        let mut loaded = std::mem::take(&mut answers.loaded);
        let answered_at = answers.answered_at.as_duration().as_secs_f64();
        self.observer.look(&mut loaded, answered_at, answered_at + answers.clock_offset_seconds);
        self.latest = Some(Latest { came: Stopwatch::start(), holds: true, answers, loaded: Arc::new(loaded) });
        self.stand(HostStatus::Answering, None);
    }

    fn silent(&mut self, silence: &ProbeError) {
        self.questions.failures[silence.kind as usize] += 1;
        self.questions.seconds = None;
        let standing = match silence.kind {
            FailureKind::Timeout => HostStatus::Busy,
            FailureKind::Unreachable | FailureKind::Status | FailureKind::Unreadable => HostStatus::Away,
        };
        if standing == HostStatus::Away {
            self.observer.forget();
            if let Some(latest) = &mut self.latest {
                latest.holds = false;
            }
        }
        self.stand(standing, Some(silence.missing.clone()));
    }

    fn stand(&mut self, standing: HostStatus, missing: Option<Missing>) {
        if self.standing != standing {
            self.standing = standing;
            self.since = now();
        }
        self.missing = missing;
    }

    fn reading(&mut self, ledger: &Ledger) -> HostReading {
        if let Some(Asking { begun, .. }) = &self.asking
            && begun.elapsed() >= BUSY_AFTER
            && self.standing == HostStatus::Answering
        {
            let detail = format!(
                "{} has not answered for {:.0} s: it is busy",
                self.server.address,
                begun.started().elapsed().as_secs_f64()
            );
            self.stand(HostStatus::Busy, Some(Missing::new(Reason::Stale, detail)));
        }
        let missing = match (self.standing, &self.missing) {
            (HostStatus::Answering, _) => None,
            (_, Some(missing)) => Some(missing.clone()),
            (_, None) => Some(Missing::new(Reason::Stale, format!("{} has not answered yet", self.server.address))),
        };
        let latest = self.latest.as_ref();
        // Silence says nothing about the models: for a while they are what they were.
        let fresh = latest.filter(|latest| latest.holds && latest.came.elapsed() <= self.stale_after);
        HostReading {
            host: self.name.clone(),
            url: self.server.address.to_string(),
            server: self.server.clone(),
            standing: self.standing,
            since: self.since,
            answered_at: latest.map(|latest| latest.answers.answered_at.as_duration().as_secs_f64()),
            clock_offset_seconds: latest.map_or(0.0, |latest| latest.answers.clock_offset_seconds),
            version: latest.filter(|latest| latest.holds).and_then(|latest| latest.answers.version.clone()),
            installed: section(fresh.map(|latest| latest.answers.installed.clone()), &missing),
            loaded: section(fresh.map(|latest| latest.loaded.clone()), &missing),
            engines: Section::off(Reason::NoSensor, "its engines are not watched"),
            odd: fresh.map_or_else(Vec::new, |latest| latest.answers.odd.clone()),
            questions: self.questions.clone(),
            commands: ledger.commands(&self.name),
            missing,
        }
    }
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
