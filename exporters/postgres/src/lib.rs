//! PostgreSQL as a source: state, statistics and debates, under postgres_exporter's names.
//!
//! Each server has one connection that lasts. All queries of a sample go out together and are answered one by one, so
//! a sample takes one or two round trips, and a query that fails costs only its own part. What is dear (sizes,
//! settings) has an interval of its own and is kept in between.

mod activity;
mod ask;
mod cluster;
mod connection;
mod databases;
mod debates;
mod failure;
mod groups;
mod locks;
mod options;
mod passfile;
mod reading;
mod replication;
mod server;
mod settings;
mod sizes;
mod statements;
mod tables;
mod target;
mod tls;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aura_model::{Context, Group, GroupHealth, Missing, Reason, Source};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

use self::server::Server;
pub use self::{
    activity::{Activity, Backend},
    cluster::Cluster,
    databases::Database,
    debates::{Debate, Debates, MOST_DEBATES, Ranking, Rounds},
    locks::Locks,
    options::{DatabaseUrl, PostgresOptions, ServerOptions, SslMode, StatementOptions, TableOptions},
    reading::{PostgresReading, ServerReading, Statistics},
    replication::{Sender, Senders, Slot, Slots},
    settings::{Number, Setting, Settings},
    sizes::{DatabaseSize, DatabaseSizes, Features, Role, Roles, Wal},
    statements::{SlowStatement, SlowStatements, Statement, Statements},
    tables::{Table, TableSize, TableSizes},
};

/// PostgreSQL, connected.
pub struct Postgres {
    runtime: Runtime,
    servers: Vec<Watched>,
    /// So long a sample waits for the slowest of several servers.
    patience: Duration,
}

/// A server between two samples, or in one that has not returned.
enum Watched {
    Idle(Box<Server>),
    Busy {
        task: JoinHandle<(Box<Server>, ServerReading)>,
        since: Instant,
        late: Box<dyn Fn(Duration) -> ServerReading>,
    },
}

impl Source for Postgres {
    type Options = PostgresOptions;
    type Reading = PostgresReading;

    const NAME: &'static str = "postgres";
    const PART: &'static str = "postgres";

    fn groups() -> &'static [Group<PostgresReading>] {
        groups::GROUPS
    }

    fn open(options: &PostgresOptions, _: &Context) -> Result<Self, Missing> {
        let found = target::find(options, &|name| std::env::var(name).ok())?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Missing::new(Reason::Unreadable, format!("no event loop: {error}")))?;
        let mut servers: Vec<Box<Server>> =
            found.targets.into_iter().map(|target| Box::new(Server::new(target, options))).collect();
        if found.guessed {
            for server in &mut servers {
                runtime.block_on(server.try_connect()).map_err(|missing| {
                    let hint = "PostgreSQL runs here but does not let us in; configure sources.postgres.servers or \
                                DATABASE_URL if it should be watched";
                    Missing::new(missing.reason, format!("{hint}: {}", missing.detail))
                })?;
            }
        }
        // The last server must not make the sample of the first late.
        let patience = if servers.len() == 1 { options.timeout.get() } else { options.interval.get() / 2 };
        Ok(Self { runtime, servers: servers.into_iter().map(Watched::Idle).collect(), patience })
    }

    fn sample(&mut self) -> Result<PostgresReading, Missing> {
        let started = Instant::now();
        let mut servers = Vec::with_capacity(self.servers.len());
        let watched = std::mem::take(&mut self.servers);
        let busy: Vec<Watched> = watched.into_iter().map(|watched| self.begin(watched, started)).collect();
        for watched in busy {
            let Watched::Busy { mut task, since, late } = watched else { continue };
            let left = self.patience.saturating_sub(started.elapsed());
            let done = self.runtime.block_on(async { tokio::time::timeout(left, &mut task).await });
            match done {
                Ok(Ok((server, reading))) => {
                    servers.push(reading);
                    self.servers.push(Watched::Idle(server));
                }
                // The panic of one server is that of the source: its thread is started anew with all servers.
                Ok(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {
                    servers.push(late(since.elapsed()));
                    self.servers.push(Watched::Busy { task, since, late });
                }
            }
        }
        Ok(PostgresReading { servers })
    }

    fn describe(reading: &PostgresReading) -> Vec<String> {
        reading.servers.iter().map(describe).collect()
    }

    fn health(reading: &PostgresReading) -> Vec<GroupHealth> {
        match &reading.servers[..] {
            [only] => only.up.value().map_or_else(Vec::new, |statistics| statistics.health.clone()),
            _ => Vec::new(),
        }
    }
}

impl Postgres {
    fn begin(&self, watched: Watched, since: Instant) -> Watched {
        let Watched::Idle(mut server) = watched else { return watched };
        let late = server.late();
        let task = self.runtime.spawn(async move {
            let reading = server.sample().await;
            (server, reading)
        });
        Watched::Busy { task, since, late: Box::new(late) }
    }
}

fn describe(server: &ServerReading) -> String {
    let (name, address) = (&server.name, &server.address);
    match server.up.value() {
        None => format!("{name} does not answer: {}", server.up.missing().map_or("", |missing| &missing.detail)),
        Some(statistics) => {
            let databases = statistics.databases.value().map_or(0, |databases| databases.len());
            let missing: Vec<&str> = statistics.missing().map(|(part, _)| part).collect();
            let missing =
                if missing.is_empty() { String::new() } else { format!("; not read: {}", missing.join(", ")) };
            let version = statistics.version / 10_000;
            format!("{name}: PostgreSQL {version} at {address}, {databases} databases{missing}")
        }
    }
}

fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
