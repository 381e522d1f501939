//! Probing a server that is named by the request, as postgres_exporter's `/probe` does: the one place where a request
//! causes asking a server. It is bounded on all sides: only hosts and modules of the configuration, one connection at a
//! time to each target, a few in all, a deadline, and an answer that is shared for a second.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aura_model::{Group, Options, Reason, Section, Switch, within};
use aura_net::HostPort;
use tokio::{sync::Semaphore, time::sleep};

use crate::{
    OtherDatabases, PostgresOptions, PostgresReading, ProbeModule, ServerOptions, groups, server::Server,
    target::Target,
};

/// Two scrapers of the same target share an answer of this age.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// Probes that run at once.
const MOST_AT_ONCE: usize = 8;

const DEFAULT_PORT: u16 = 5432;

/// Probes servers that are configured to be probed.
#[derive(Default)]
pub struct Prober {
    options: PostgresOptions,
    answers: Mutex<HashMap<Key, Newest>>,
    running: Option<Arc<Semaphore>>,
}

/// Who is asked, and with which module.
type Key = (Address, String);
/// The newest answer; locked while somebody asks.
type Newest = Arc<tokio::sync::Mutex<Option<(Instant, Arc<PostgresReading>)>>>;

/// Why a server is not probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeError {
    /// Nothing is configured to be probed.
    NotConfigured,
    /// The request names no target, or one that is not understood; says what is wrong.
    BadTarget(String),
    /// The request names no module, or one that is not configured; these are.
    UnknownModule {
        /// The module that was asked for.
        asked: Option<String>,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The target is not among those that may be probed.
    NotAllowed(String),
    /// As many probes run as may.
    TooMany,
}

/// Where a target is: what a request may say, and no more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Address {
    host: String,
    port: u16,
    database: Option<String>,
}

impl Prober {
    /// A prober with these options.
    #[must_use]
    pub fn new(options: &PostgresOptions) -> Self {
        let running = Some(Arc::new(Semaphore::new(MOST_AT_ONCE)));
        Self { options: options.clone(), answers: Mutex::default(), running }
    }

    /// The metrics of an answer.
    #[must_use]
    pub fn groups() -> &'static [Group<PostgresReading>] {
        groups::GROUPS
    }

    /// Asks the target, or shares what it said a moment ago. A server that is away is part of the reading.
    ///
    /// # Errors
    /// The target may not be probed, or not now.
    pub async fn probe(&self, target: Option<&str>, module: Option<&str>) -> Result<Arc<PostgresReading>, ProbeError> {
        let (address, module) = self.admit(target, module)?;
        let Some(running) = &self.running else { return Err(ProbeError::NotConfigured) };
        let newest = self.newest((address.clone(), module.name.clone()));
        let mut answer = newest.lock().await;
        if let Some((answered, reading)) = &*answer
            && answered.elapsed() < SHARED_FOR
        {
            return Ok(Arc::clone(reading));
        }
        let _running = running.try_acquire().map_err(|_| ProbeError::TooMany)?;
        let reading = Arc::new(self.ask(&address, module).await?);
        *answer = Some((Instant::now(), Arc::clone(&reading)));
        Ok(reading)
    }

    fn admit(&self, target: Option<&str>, module: Option<&str>) -> Result<(Address, &ProbeModule), ProbeError> {
        let probe = &self.options.probe;
        if probe.modules.is_empty() || probe.targets.is_empty() || self.options.schedule().enabled == Switch::Off {
            return Err(ProbeError::NotConfigured);
        }
        let target = target.filter(|target| !target.is_empty());
        let target = target.ok_or_else(|| ProbeError::BadTarget("the request names no target".to_owned()))?;
        let address = parse(target).map_err(ProbeError::BadTarget)?;
        let asked = module.filter(|module| !module.is_empty());
        let found = probe.modules.iter().find(|known| known.name == asked.unwrap_or("default"));
        let module = found.ok_or_else(|| ProbeError::UnknownModule {
            asked: asked.map(str::to_owned),
            known: probe.modules.iter().map(|module| module.name.clone()).collect(),
        })?;
        let allowed = probe.targets.iter().filter_map(|allowed| parse(allowed).ok());
        let fits = |allowed: &Address| {
            allowed.host == address.host
                && allowed.port == address.port
                && (allowed.database.is_none() || allowed.database == address.database)
        };
        if !allowed.into_iter().any(|allowed| fits(&allowed)) {
            return Err(ProbeError::NotAllowed(target.to_owned()));
        }
        Ok((address, module))
    }

    /// Where the answers of a target are; those that nobody shares any more are forgotten.
    fn newest(&self, key: Key) -> Newest {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|_, newest| {
            let shared = |(answered, _): &(Instant, _)| answered.elapsed() < SHARED_FOR;
            Arc::strong_count(newest) > 1 || newest.try_lock().is_ok_and(|answer| answer.as_ref().is_some_and(shared))
        });
        Arc::clone(answers.entry(key).or_default())
    }

    async fn ask(&self, address: &Address, module: &ProbeModule) -> Result<PostgresReading, ProbeError> {
        let server = ServerOptions {
            host: Some(address.host.clone()),
            port: Some(address.port),
            database: address.database.clone().or_else(|| module.database.clone()),
            user: Some(module.user.clone()),
            password_file: module.password_file.clone(),
            passfile: module.passfile.clone(),
            sslmode: module.sslmode,
            sslrootcert: module.sslrootcert.clone(),
            ..ServerOptions::default()
        };
        // What the environment says is meant for the servers that are watched.
        let target = Target::new(&server, &|_| None).map_err(ProbeError::BadTarget)?;
        let mut options = self.options.clone();
        options.debates.enabled = Switch::Off;
        options.tables.databases = OtherDatabases::default();
        // Asked once, it has no earlier answer to show.
        let mut server = Server::new(target, &options, Duration::ZERO);
        let timeout = options.probe.timeout.get();
        let asked = within(timeout, sleep, Box::pin(server.sample())).await;
        let reading = asked.unwrap_or_else(|| {
            let detail = format!("{}: no answer within {timeout:?} (probe.timeout)", address.host);
            server.reading(Section::off(Reason::Unreachable, detail), timeout)
        });
        Ok(PostgresReading { servers: vec![reading] })
    }
}

/// `host`, `host:port`, `host:port/database`, or the same behind `postgres://`. Everything else is the module's to say:
/// a request could otherwise switch TLS off or send a password somewhere.
fn parse(target: &str) -> Result<Address, String> {
    let rest = match target.split_once("://") {
        None => target,
        Some(("postgres" | "postgresql", rest)) => rest,
        Some((scheme, _)) => return Err(format!("{scheme:?} is not PostgreSQL")),
    };
    if rest.contains(['@', '?', '=', ' ', '\\', ',']) {
        return Err("a target is host, host:port or host:port/database: the module says all else".to_owned());
    }
    let (place, database) = rest.split_once('/').map_or((rest, None), |(place, database)| (place, Some(database)));
    let place = HostPort::parse(place, Some(DEFAULT_PORT)).map_err(|why| format!("{target:?}: {why}"))?;
    if place.host.is_empty() || place.port == 0 {
        return Err(format!("{target:?} names no host, or a port that is none"));
    }
    let database = database.filter(|database| !database.is_empty()).map(str::to_owned);
    if database.as_deref().is_some_and(|database| database.contains('/')) {
        return Err(format!("{target:?} names no database"));
    }
    Ok(Address { host: place.host.to_ascii_lowercase(), port: place.port, database })
}

/// Checks an entry of `probe.targets`.
pub(crate) fn check(target: &str) -> Result<(), String> {
    parse(target).map(drop)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prober() -> Prober {
        let mut options = PostgresOptions::default();
        options.probe.targets = vec!["db.example".into(), "127.0.0.1:6000/app".into()];
        options.probe.modules =
            vec![ProbeModule { name: "watch".into(), user: "aura".into(), ..ProbeModule::default() }];
        Prober::new(&options)
    }

    #[test]
    fn only_configured_targets_and_modules_are_admitted() {
        let prober = prober();
        let admit = |target: &str, module| prober.admit(Some(target), module).map(|(address, _)| address);
        let module = Some("watch");
        for (target, port, database) in [
            ("db.example", 5432, None),
            ("DB.example:5432", 5432, None),
            ("postgres://db.example/any", 5432, Some("any")),
            ("127.0.0.1:6000/app", 6000, Some("app")),
        ] {
            let address = admit(target, module).unwrap();
            assert_eq!((address.port, address.database.as_deref()), (port, database), "{target}");
        }
        for target in ["db.example:5433", "127.0.0.1:6000", "127.0.0.1:6000/other", "other.example", "db.example.org"] {
            assert_eq!(admit(target, module), Err(ProbeError::NotAllowed(target.into())));
        }
        for target in [
            "db.example?sslmode=disable",
            "postgres://user:secret@db.example/app",
            "host=db.example",
            "mysql://db.example",
            "db.example:x",
            "",
            ":5432",
        ] {
            assert!(matches!(admit(target, module), Err(ProbeError::BadTarget(_))), "{target}");
        }
        let unknown = |asked: Option<&str>| ProbeError::UnknownModule {
            asked: asked.map(str::to_owned),
            known: vec!["watch".into()],
        };
        assert_eq!(admit("db.example", Some("other")), Err(unknown(Some("other"))));
        assert_eq!(admit("db.example", None), Err(unknown(None)));
        assert_eq!(Prober::default().admit(Some("db.example"), module).err(), Some(ProbeError::NotConfigured));
    }

    proptest! {
        #[test]
        fn no_text_reaches_a_host_that_is_not_configured(target in "(postgres://)?[a-z0-9.:@/?=\\[\\] ]{0,24}") {
            if let Ok((address, _)) = prober().admit(Some(&target), Some("watch")) {
                let known = [("db.example", 5432), ("127.0.0.1", 6000)];
                prop_assert!(known.contains(&(address.host.as_str(), address.port)), "{:?}", address);
            }
        }
    }
}
