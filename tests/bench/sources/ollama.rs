//! Ollama's simulator, polled by the agent and by a client that throws the answers away.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use aura_ollama_simulator::{Model, Settings, Simulator};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;

use super::{Only, side_by_side};
use crate::{
    process::Program,
    table::{Row, Target},
};

pub(crate) fn measure(rows: &mut Vec<Row>) -> Result<()> {
    const MODELS: usize = 20;
    let simulator = Simulator::start(Settings { memory: 64 << 30, ..Settings::default() })?;
    for number in 0..MODELS {
        simulator.install(Model::new(&format!("model{number}:7b"), 5 << 30));
    }
    let only = Only::start("ollama", &format!("hosts: ['{}']", simulator.url()))?;
    let peer = Program::own(&["poll", "ollama", &simulator.address().to_string()])?;
    only.agent.wait_for("/metrics/ollama", "ollama_up{host=")?;
    // Each model is described once, two a sample.
    std::thread::sleep(Duration::from_secs(MODELS as u64 / 2 + 2));
    let asked = simulator.asked("/api/ps");
    let pairs = side_by_side(&only.agent, &peer)?;
    ensure!(simulator.asked("/api/ps") > asked + 60, "somebody does not poll");
    let what = format!("Ollama once a second, {MODELS} models, nobody asks: CPU a second");
    rows.push(Row::pairs(what, "ms", "bare hyper client, answers thrown away", &pairs, Target::None));
    Ok(())
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
