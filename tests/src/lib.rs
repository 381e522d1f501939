//! Runs the real binary against real peers: starts them on free ports in temporary folders, asks them, ends them by
//! process id.

mod agent;
mod contract;
mod control;
mod emitted;
mod exposition;
mod feed;
mod http;
mod machine;
mod ollama;
mod peer;
mod postgres;
mod prometheus;
mod random;
mod tls;
mod tools;

use std::time::{Duration, Instant};

pub use self::{
    agent::{Agent, Ended, Setup},
    contract::{Contract, Route},
    control::{Beside, Control},
    emitted::{page, series},
    exposition::{Exposition, Sample},
    feed::Feed,
    http::{Request, Response, Wire, encode, get, receive},
    machine::Machine,
    ollama::{EngineProcess, OllamaServer},
    peer::Peer,
    postgres::PostgresServer,
    prometheus::Prometheus,
    random::Random,
    tls::Authority,
    tools::{POSTGRES_VERSIONS, aura, needs, python, skip},
};

/// Nothing takes this long, on the busiest machine, unless it never comes. No test measures with it.
pub const TIMEOUT: Duration = Duration::from_secs(100);

/// Waits for a condition that comes true by itself.
///
/// # Panics
/// When it does not.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Waits for a value that comes by itself.
///
/// # Panics
/// When it does not.
pub fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(begun.elapsed() < TIMEOUT, "{what}: did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}
