//! A source over simulators, sampled by hand.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use aura_model::{Context, Interval, Source, Switch};
use aura_ollama::{
    Command, CommandError, Done, GpuRoom, HostReading, KeepAlive, Ledger, Ollama, OllamaOptions, OllamaReading, Server,
    Target,
};
use aura_ollama_simulator::Simulator;

/// Watches these servers.
pub(crate) fn watch(simulators: &[&Simulator]) -> Ollama {
    watch_with(simulators, &Context::default().with_stale_after(Duration::from_secs(2)))
}

pub(crate) fn watch_with(simulators: &[&Simulator], context: &Context) -> Ollama {
    let hosts = simulators.iter().map(|simulator| simulator.url().into()).collect();
    let options = OllamaOptions {
        enabled: Switch::On,
        hosts,
        request_timeout: Interval::from_millis(2500),
        ..OllamaOptions::default()
    };
    Ollama::open(&options, context).unwrap()
}

/// Samples until a host is as expected. Samples are taken one after the other, as the agent takes them.
pub(crate) fn until(
    source: &mut Ollama,
    index: usize,
    what: &str,
    mut is_so: impl FnMut(&HostReading) -> bool,
) -> OllamaReading {
    let begun = Instant::now();
    loop {
        let reading = source.sample().unwrap();
        if is_so(&reading.hosts[index]) {
            return reading;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}: still not so: {:?}", reading.hosts[index]);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The names of the loaded models, if known.
pub(crate) fn loaded(host: &HostReading) -> Option<Vec<String>> {
    host.loaded.value().map(|models| models.iter().map(|model| model.name.to_string()).collect())
}

/// Loads as the agent does that knows nothing of the server yet.
pub(crate) async fn load(
    ledger: &Ledger,
    server: &Server,
    target: &Target,
    keep_alive: KeepAlive,
    within: Duration,
) -> Result<Done, CommandError> {
    command(ledger, server, target, within).load(keep_alive).await
}

/// Unloads as the agent does that knows nothing of the server yet.
pub(crate) async fn unload(
    ledger: &Ledger,
    server: &Server,
    target: &Target,
    within: Duration,
) -> Result<Done, CommandError> {
    command(ledger, server, target, within).unload().await
}

pub(crate) fn command<'a>(ledger: &'a Ledger, server: &'a Server, target: &'a Target, within: Duration) -> Command<'a> {
    Command {
        ledger,
        server,
        target,
        known: HashMap::new(),
        machine: None,
        gpus: GpuRoom::default(),
        force: false,
        within,
    }
}

/// Asks the server itself to generate, as a user of it does.
pub(crate) fn post(simulator: &Simulator, body: &str) {
    let mut stream = TcpStream::connect(simulator.address()).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /api/generate HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
