//! The source as the agent runs it, sampled by hand.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use aura_model::{Context, Interval, Missing, Source};
use aura_postgres::{Postgres, PostgresOptions, PostgresReading, ServerOptions, Statistics};

/// An answer may take this long: short, so that a test of timeouts ends soon, and long beside a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) fn at(port: u16, user: &str) -> ServerOptions {
    ServerOptions {
        host: Some("127.0.0.1".into()),
        port: Some(port),
        user: Some(user.into()),
        database: Some("postgres".into()),
        ..ServerOptions::default()
    }
}

/// Everything is read at each sample.
pub(crate) fn options(server: ServerOptions) -> PostgresOptions {
    let mut options = PostgresOptions {
        servers: vec![server],
        answer_timeout: Interval::from_millis(TIMEOUT.as_millis() as u64),
        slow_interval: Interval::from_millis(1),
        ..PostgresOptions::default()
    };
    options.tables.interval = Interval::from_millis(1);
    options
}

/// Statistics of a server that does not answer are shown for three intervals, the least there is.
pub(crate) fn open(server: ServerOptions) -> Postgres {
    open_showing(server, Duration::ZERO)
}

pub(crate) fn open_showing(server: ServerOptions, stale_after: Duration) -> Postgres {
    started(&options(server), stale_after)
}

/// The same, but after the first sizes the connection that reads them is closed.
pub(crate) fn open_without_sizes(server: ServerOptions) -> Postgres {
    let mut options = options(server);
    options.slow_interval = Interval::from_secs(3600);
    started(&options, Duration::ZERO)
}

fn started(options: &PostgresOptions, stale_after: Duration) -> Postgres {
    let context = Context::default().with_stale_after(stale_after);
    Postgres::open(options, &context).unwrap_or_else(|missing| panic!("{missing}"))
}

/// A sample; why there is none is a part of it.
pub(crate) fn sample(source: &mut Postgres) -> PostgresReading {
    source.sample().unwrap_or_else(|missing| panic!("{missing}"))
}

pub(crate) fn statistics(reading: &PostgresReading) -> &Statistics {
    let server = &reading.servers[0];
    server.up.value().unwrap_or_else(|| panic!("{:?}", server.up.missing()))
}

/// Why the server has no statistics.
pub(crate) fn away(reading: &PostgresReading) -> Option<&Missing> {
    reading.servers[0].up.missing()
}

/// Samples until it is as expected.
pub(crate) fn until(source: &mut Postgres, what: &str, expected: impl Fn(&PostgresReading) -> bool) -> PostgresReading {
    let start = Instant::now();
    loop {
        let reading = sample(source);
        if expected(&reading) {
            return reading;
        }
        assert!(start.elapsed() < Duration::from_secs(40), "never seen: {what}; {:#?}", reading.servers[0].up);
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The first sample of a new source for this server: whether it is let in.
pub(crate) fn first(server: ServerOptions) -> Result<(), Missing> {
    let reading = sample(&mut open(server));
    away(&reading).map_or(Ok(()), |missing| Err(missing.clone()))
}

/// Gives a file to the user that servers run as.
pub(crate) fn give(path: &Path, mode: u32) {
    use std::os::unix::fs::{PermissionsExt, chown};
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a file of our own");
    if rustix::process::geteuid().is_root() {
        chown(path, Some(65_534), Some(65_534)).expect("chown");
    }
}
