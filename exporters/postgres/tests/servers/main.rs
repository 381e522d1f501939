//! Against real servers: values and names, what each feature reads, and what each fault costs.

mod features;
mod real;
mod stream;
mod values;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use aura_model::{Context, Interval, Source};
use aura_postgres::{Postgres, PostgresOptions, PostgresReading, ServerOptions, Statistics};

/// Everything here comes within this time, however busy the machine is.
const TIMEOUT: Duration = Duration::from_secs(60);

fn at(port: u16, user: &str) -> ServerOptions {
    ServerOptions {
        host: Some("127.0.0.1".into()),
        port: Some(port),
        user: Some(user.into()),
        database: Some("postgres".into()),
        ..ServerOptions::default()
    }
}

fn options(servers: Vec<ServerOptions>) -> PostgresOptions {
    let mut options = PostgresOptions {
        servers,
        interval: Interval::from_millis(200),
        slow_interval: Interval::from_millis(100),
        ..PostgresOptions::default()
    };
    options.tables.interval = Interval::from_millis(100);
    options
}

fn open(options: &PostgresOptions) -> Postgres {
    Postgres::open(options, &Context::default()).unwrap_or_else(|missing| panic!("{missing}"))
}

fn statistics(reading: &PostgresReading) -> &Statistics {
    let server = &reading.servers[0];
    server.up.value().unwrap_or_else(|| panic!("{:?}", server.up.missing()))
}

/// Samples until it is as expected; a server's counters come with a delay of up to a second.
fn until(source: &mut Postgres, what: &str, expected: impl Fn(&PostgresReading) -> bool) -> PostgresReading {
    let start = Instant::now();
    loop {
        let reading = source.sample().unwrap_or_else(|missing| panic!("{missing}"));
        if expected(&reading) {
            return reading;
        }
        assert!(start.elapsed() < TIMEOUT, "never seen: {what}; {:#?}", reading.servers[0].up);
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The same for what the first server says, once it says something.
fn until_says(source: &mut Postgres, what: &str, expected: impl Fn(&Statistics) -> bool) -> PostgresReading {
    until(source, what, |reading| reading.servers[0].up.value().is_some_and(|statistics| expected(statistics)))
}

fn series(reading: &PostgresReading) -> BTreeMap<String, f64> {
    aura_tests::series(Postgres::groups(), reading)
}
