//! `aura-ollama-simulator [ADDRESS]`: a server with the four models of the installation this agent observes, for
//! trying the agent out where no Ollama is. Or `aura-ollama-simulator serve`, which takes what Ollama takes from its
//! variables, and `AURA_SIMULATED_MODELS="NAME=GIB,SECONDS ..."` for other models: their memory and the time of a load.
//!
//! Its process is named `ollama`, and it starts an engine for each model in memory: the `llama-server` that lies beside
//! it, or the real one that `AURA_SIMULATED_ENGINE` names.

use std::{env, io, net::SocketAddr, time::Duration};

use aura_ollama_simulator::{Model, Settings, Simulator};

const MODELS: &str = "phi3.5:3.8b=3,2 llama3.1:8b=6,5 qwen2.5-coder:7b=5,4 deepseek-r1:8b=6,5";

fn main() -> io::Result<()> {
    rustix::thread::set_name(c"ollama")?;
    let wrong = |text: &str, wanted: &str| io::Error::other(format!("{text:?} is no {wanted}"));
    let argument = env::args().nth(1);
    let serves = argument.as_deref() == Some("serve");
    let address = if serves { env::var("OLLAMA_HOST").ok() } else { argument };
    let address = address.unwrap_or_else(|| "127.0.0.1:11434".into());
    let address: SocketAddr = address.parse().map_err(|_| wrong(&address, "IP:PORT"))?;
    let beside = || env::current_exe().map(|own| own.with_file_name("llama-server"));
    let engine = env::var_os("AURA_SIMULATED_ENGINE").map_or_else(beside, |real| Ok(real.into()))?;
    let settings = Settings {
        engine: engine.is_file().then_some(engine),
        // Whoever kills a test cleans nothing up, but for a while they stay as real ones do.
        orphans_stay: Duration::from_secs(if serves { 600 } else { 0 }),
        logs_requests: serves,
        ..Settings::from_environment()
    };
    let simulator = Simulator::start_at(address, settings)?;
    let models = env::var("AURA_SIMULATED_MODELS").unwrap_or_else(|_| MODELS.into());
    for text in models.split_whitespace() {
        simulator.install(model(text).ok_or_else(|| wrong(text, "NAME=GIB,SECONDS"))?);
    }
    simulator.install(Model::embedding("nomic-embed-text", 600 << 20));
    println!("listening on {}", simulator.url());
    // Asked to end, Ollama unloads what is in memory; killed, it leaves the engines behind.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}

fn model(text: &str) -> Option<Model> {
    let (name, rest) = text.rsplit_once('=')?;
    let (gib, seconds) = rest.split_once(',')?;
    let load_time = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
    Some(Model { load_time, ..Model::new(name, (gib.parse::<f64>().ok()? * f64::from(1 << 30)) as u64) })
}
