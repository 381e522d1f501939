//! Ollama's simulator, watched by the agent and polled by a client that throws the answers away.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use aura_ollama_simulator::{Model, Settings, Simulator};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;

use super::{Only, each_second, side_by_side};
use crate::{
    client::Client,
    process::Program,
    table::{Pairs, Row, Target},
};

/// At rest at most a tenth of what a question for both lists at every second is.
const REQUESTS: Target = Target::Figure(12.0);

pub(crate) fn measure(rows: &mut Vec<Row>) -> Result<()> {
    const MODELS: usize = 99;
    let (watched, polled, alone) = (server(MODELS)?, server(MODELS)?, server(MODELS)?);
    let only = Only::start("ollama", &format!("hosts: ['http://{}']", watched.address))?;
    let peer = Program::own(&["poll", "ollama", &polled.address.to_string()])?;
    only.agent.wait_for("/metrics/ollama", "ollama_up{host=")?;
    // Each model is described once, two a sample.
    thread::sleep(Duration::from_secs(MODELS as u64 / 2 + 10));
    let (before, begun) = (requests(&only)?, Instant::now());
    let ours = side_by_side(&only.agent, &peer)?;
    let caused = caused(&watched, &polled, &alone)?;
    let a_minute = (requests(&only)? - before) * 60.0 / begun.elapsed().as_secs_f64();
    let what = format!("Ollama with {MODELS} models, nobody looks: CPU a second");
    rows.push(Row::pairs(what, "ms", "bare hyper client, both lists once a second", &ours, Target::None));
    let what = "  CPU caused in the watched service: a second";
    rows.push(Row::pairs(what, "ms", "by the same client", &caused, Target::Ratio(0.5)));
    rows.push(Row::alone("  requests a minute", "requests", a_minute, REQUESTS));
    Ok(())
}

/// Milliseconds of CPU a second that two servers spend beyond what one spends that nobody asks.
fn caused(watched: &Program, polled: &Program, alone: &Program) -> Result<Pairs> {
    const SLICES: usize = 5;
    const SECONDS: u32 = 20;
    let spent = || -> Result<[Duration; 3]> { Ok([watched.cpu()?, polled.cpu()?, alone.cpu()?]) };
    let mut pairs = Pairs::default();
    for _ in 0..SLICES {
        let before = spent()?;
        thread::sleep(Duration::from_secs(SECONDS.into()));
        let after = spent()?;
        let [watched, polled, alone] = std::array::from_fn(|at| each_second(after[at] - before[at], SECONDS));
        pairs.add((watched - alone).max(0.0), polled - alone);
    }
    Ok(pairs)
}

fn server(models: usize) -> Result<Program> {
    let server = Program::own_server("ollama", &models.to_string())?;
    server.wait_for("/api/tags", &format!("model{}:7b", models - 1))?;
    Ok(server)
}

/// What the agent says it has asked.
fn requests(only: &Only) -> Result<f64> {
    let metrics = Client::connect(only.agent.address)?.get("/metrics/ollama", None)?.text();
    let line = metrics.lines().find(|line| line.starts_with("ollama_requests_total{")).context("no requests")?;
    Ok(line.rsplit(' ').next().unwrap_or_default().parse()?)
}

/// Serves so many models for ever, in a process of its own, so that what is asked of it is all that it costs.
pub(crate) fn serve(address: SocketAddr, models: usize) -> Result<()> {
    let simulator = Simulator::start_at(address, Settings { memory: 64 << 30, ..Settings::default() })?;
    for number in 0..models {
        simulator.install(Model::new(&format!("model{number}:7b"), 5 << 30));
    }
    loop {
        thread::park();
    }
}

/// Asks what is loaded and what is installed once a second, on one connection, for ever.
pub(crate) fn poll(address: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            for path in ["/api/ps", "/api/tags"] {
                let request =
                    Request::get(path).header(header::HOST, address.to_string()).body(Empty::<Bytes>::new())?;
                sender.ready().await?;
                sender.send_request(request).await?.into_body().collect().await?;
            }
        }
    })
}
