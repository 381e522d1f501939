//! PostgreSQL as a source: state, statistics and debates, under postgres_exporter's names.
//!
//! Each server has one connection that lasts, and a task of its own. All queries of a sample go out together and are answered one by one, so
//! a sample takes one or two round trips, and a query that fails costs only its own part. What is expensive (sizes,
//! settings) has an interval of its own and is kept in between.

mod activity;
mod ask;
mod buffercache;
mod cluster;
mod connection;
mod conninfo;
mod databases;
mod debates;
mod failure;
mod groups;
mod indexes;
mod locks;
mod options;
mod others;
mod parameters;
mod passfile;
mod probe;
mod queries;
mod query;
mod reading;
mod receiver;
mod replication;
mod server;
mod servers;
mod service;
mod session;
mod settings;
mod sizes;
mod sizing;
mod standby;
mod statements;
mod tables;
mod target;
mod text;
mod tls;
mod vacuum;
#[cfg(test)]
mod versions;
mod watch;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aura_model::{Context, Group, GroupHealth, Missing, Reason, Section, Source};
use tokio::runtime::Builder;

pub use self::{
    activity::{Activity, Backend},
    buffercache::BufferCache,
    cluster::Cluster,
    databases::Database,
    debates::{Debate, Debates, MOST_DEBATES, Ranking, Rounds},
    indexes::Index,
    locks::Locks,
    options::{
        All, DatabaseUrl, DebateOptions, OtherDatabases, PostgresOptions, ProbeModule, ProbeOptions, ServerOptions,
        SslMode, StatementOptions, TableOptions,
    },
    others::{DatabaseTables, OtherDatabase},
    probe::{ProbeError, Prober},
    queries::Statistics,
    reading::{PostgresReading, ServerReading},
    receiver::{Receiver, Receivers},
    replication::{Sender, Senders, Slot, Slots},
    settings::{Number, Setting, Settings},
    sizes::{DatabaseSize, DatabaseSizes, Features, Listed, Role, Roles, Wal},
    standby::Standby,
    statements::{SlowStatement, SlowStatements, Statement, Statements},
    tables::{Table, TableSize, TableSizes},
    vacuum::{Vacuum, Vacuums},
};
use self::{
    server::Server,
    watch::{Timeouts, Watch},
};

/// PostgreSQL, connected.
pub struct Postgres {
    watch: Watch,
    timeouts: Timeouts,
}

/// A sample that hangs makes that of the other servers late by no more than this, or half an interval.
const SHORTEST_WAIT: Duration = Duration::from_millis(500);

/// The first sample waits for no server longer than this, with a moment for the login: the others are there.
const FIRST_ANSWER: Duration = Duration::from_secs(3);

impl Source for Postgres {
    type Options = PostgresOptions;
    type Reading = PostgresReading;

    const NAME: &'static str = "postgres";
    const PART: &'static str = "postgres";

    fn groups() -> &'static [Group<PostgresReading>] {
        groups::GROUPS
    }

    fn open(options: &PostgresOptions, context: &Context) -> Result<Self, Missing> {
        let found = servers::find(options, &|name| std::env::var(name).ok())?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Missing::new(Reason::Unreadable, format!("no event loop: {error}")))?;
        let interval = options.interval.get();
        let kept = context.stale_after.max(interval * 3);
        let servers = found.targets.into_iter().map(|target| Box::new(Server::new(target, options, kept)));
        let mut servers: Vec<Box<Server>> = servers.collect();
        if found.guessed {
            for server in &mut servers {
                runtime.block_on(server.try_connect()).map_err(|missing| {
                    let hint = "PostgreSQL runs here but does not let us in; configure sources.postgres.servers or \
                                DATABASE_URL if it should be watched";
                    Missing::new(missing.reason, format!("{hint}: {}", missing.detail))
                })?;
            }
        }
        let answer = options.answer_timeout.get();
        // A server that is alone makes nobody late; its reading must only come before the last one counts as stale.
        let usual = if servers.len() == 1 { interval * 2 } else { interval / 2 };
        let timeouts = Timeouts {
            first: answer.min(FIRST_ANSWER) + SHORTEST_WAIT * 2,
            usual: usual.max(SHORTEST_WAIT),
            kept,
            answer,
        };
        Ok(Self { watch: Watch::start(runtime, servers)?, timeouts })
    }

    fn sample(&mut self) -> Result<PostgresReading, Missing> {
        Ok(PostgresReading { servers: self.watch.sample(&self.timeouts) })
    }

    fn describe(reading: &PostgresReading) -> Vec<String> {
        reading.servers.iter().map(describe).collect()
    }

    fn outdated(reading: &PostgresReading, missing: &Missing) -> Option<PostgresReading> {
        let servers = reading.servers.iter().map(|server| {
            let missing = server.up.missing().unwrap_or(missing).clone();
            ServerReading { up: Section::Off { missing }, ..server.clone() }
        });
        Some(PostgresReading { servers: servers.collect() })
    }

    fn health(reading: &PostgresReading) -> Vec<GroupHealth> {
        match &reading.servers[..] {
            [only] => only.up.value().map_or_else(Vec::new, |statistics| statistics.health.clone()),
            _ => Vec::new(),
        }
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
