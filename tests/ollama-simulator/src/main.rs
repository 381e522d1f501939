//! `aura-ollama-simulator [ADDRESS]`: a server with the four models of the installation this agent observes, for
//! trying the agent out where no Ollama is.

use std::time::Duration;

use aura_ollama_simulator::{Model, Settings, Simulator};

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:11434".into());
    let address = address.parse().map_err(|_| std::io::Error::other(format!("{address:?} is no IP:PORT")))?;
    let simulator = Simulator::start_at(address, Settings::default())?;
    for (name, gib, seconds) in
        [("phi3.5:3.8b", 3, 2), ("llama3.1:8b", 6, 5), ("qwen2.5-coder:7b", 5, 4), ("deepseek-r1:8b", 6, 5)]
    {
        simulator.install(Model { load_time: Duration::from_secs(seconds), ..Model::new(name, gib << 30) });
    }
    simulator.install(Model::embedding("nomic-embed-text", 600 << 20));
    println!("listening on {}", simulator.url());
    loop {
        std::thread::park();
    }
}
