//! What a sample costs: CPU time of this process' sampling thread and the time it waits, against the simulator with
//! twenty models, one of them loaded. `cargo run --release -p aura-ollama --example ollama_sample_cost`

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use aura_model::{Context, Source, Switch};
use aura_ollama::{Command, GpuRoom, KeepAlive, Ledger, Ollama, OllamaOptions};
use aura_ollama_simulator::{Model, Settings, Simulator};

const SAMPLES: u32 = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let simulator = Simulator::start(Settings::default())?;
    for number in 0..20 {
        simulator.install(Model::new(&format!("model{number}:7b"), 5 << 30));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let server = simulator.url().parse()?;
    let command = Command {
        ledger: &Ledger::default(),
        server: &server,
        target: &"model7:7b".into(),
        known: HashMap::new(),
        machine: None,
        gpus: GpuRoom::default(),
        force: false,
        within: Duration::from_secs(10),
    };
    runtime.block_on(command.load(KeepAlive::Forever))?;
    let options =
        OllamaOptions { enabled: Switch::On, hosts: vec![simulator.url().into()], ..OllamaOptions::default() };
    let mut source = Ollama::open(&options, &Context::default()).map_err(|missing| missing.to_string())?;
    for _ in 0..20 {
        source.sample().map_err(|missing| missing.to_string())?;
    }
    let (lists, cpu, begun) = (simulator.asked("/api/tags"), thread_time(), Instant::now());
    let mut waited = Duration::ZERO;
    for _ in 0..SAMPLES {
        let sample = Instant::now();
        source.sample().map_err(|missing| missing.to_string())?;
        waited += sample.elapsed();
        std::thread::sleep(Duration::from_millis(20));
    }
    let cpu = thread_time() - cpu;
    println!(
        "a sample: {:?} of CPU, {:?} in all; {} lists in {:?}",
        cpu / SAMPLES,
        waited / SAMPLES,
        simulator.asked("/api/tags") - lists,
        begun.elapsed()
    );
    Ok(())
}

/// CPU time of this thread, user and system.
fn thread_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0))
}
