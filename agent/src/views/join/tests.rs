//! Which process runs which model, over made-up readings.

use std::{collections::BTreeMap, sync::Arc};

use aura_gpu::{Gpu, Identity, Process, Values, Vendor};
use aura_model::{Context, Source, Switch};
use aura_ollama::{HostReading, Ollama, OllamaOptions};
use aura_ollama_simulator::{Model, Settings, Simulator};

use super::*;

pub(super) fn process(pid: u32, weights: Option<&str>) -> Process {
    let (name, memory) = (Some("ollama".into()), Some(u64::from(pid) << 20));
    Process { pid, name, memory, busy: None, gpu_instance: None, weights: weights.map(Into::into), engines: Vec::new() }
}

pub(super) fn gpu(index: u32, processes: Vec<Process>) -> Gpu {
    let uuid: Name = format!("GPU-{index}").into();
    let identity = Identity {
        vendor: Vendor::Nvidia,
        uuid,
        name: "a GPU".into(),
        pci_bus_id: "0000:01:00.0".into(),
        device: "nvidia0".into(),
        driver: "nvidia".into(),
    };
    Gpu {
        index,
        identity: Arc::new(identity),
        missing: None,
        values: Values::default(),
        unavailable: BTreeMap::new(),
        xids: None,
        instances: Vec::new(),
        processes: Some(processes),
        walk: None,
    }
}

/// A server with these models loaded, asked until it is known what each is made of.
pub(super) fn reading(models: &[Model]) -> (OllamaReading, Name) {
    let simulator = Simulator::start(Settings { memory: 64 << 30, ..Settings::default() }).unwrap();
    for model in models {
        simulator.install(model.clone());
    }
    let options =
        OllamaOptions { enabled: Switch::On, hosts: vec![simulator.url().into()], ..OllamaOptions::default() };
    let mut source = Ollama::open(&options, &Context::default()).unwrap();
    for model in models {
        let body = format!("{{\"model\":\"{}\"}}", model.name);
        post(&simulator, &body);
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let reading = source.sample().unwrap();
        let host = &reading.hosts[0];
        let known = host
            .loaded
            .value()
            .is_some_and(|loaded| loaded.len() == models.len() && loaded.iter().all(|model| model.weights.is_some()));
        if known {
            let host = host.host.clone();
            return (reading, host);
        }
        assert!(std::time::Instant::now() < deadline, "never known: {reading:?}");
    }
}

fn post(simulator: &Simulator, body: &str) {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(simulator.address()).unwrap();
    let length = body.len();
    write!(stream, "POST /api/generate HTTP/1.0\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
}

#[test]
fn a_process_and_a_model_meet_by_their_weights_on_every_card() {
    let (one, other) = (Model::new("phi3.5:3.8b", 4 << 30), Model::new("llama3.1:8b", 6 << 30));
    let (ollama, host) = reading(&[one.clone(), other.clone()]);
    let runners = Runners::of(&ollama);
    assert_eq!(runners.model(&one.weights).as_deref(), Some("phi3.5:3.8b"));
    assert_eq!(runners.model(&"0".repeat(64)), None);
    let gpus = GpuReading {
        gpus: vec![
            gpu(0, vec![process(10, Some(&one.weights)), process(11, None)]),
            gpu(1, vec![process(10, Some(&one.weights)), process(12, Some(&"0".repeat(64)))]),
        ],
        nvidia: None,
        hostname: "host".into(),
    };
    let row = |gpu: u32| GpuMemory { gpu, uuid: format!("GPU-{gpu}").into(), pid: 10, bytes: Some(10 << 20) };
    assert_eq!(runners.gpu_memory(&gpus, &host, "phi3.5:3.8b"), Some(vec![row(0), row(1)]));
    assert_eq!(runners.gpu_memory(&gpus, &host, "llama3.1:8b"), None, "no process is its");
    assert_eq!(runners.gpu_memory(&gpus, "other:11434", "phi3.5:3.8b"), None, "nor another server's model");
}

#[test]
fn where_two_servers_have_the_same_weights_neither_is_guessed() {
    let model = Model::new("phi3.5:3.8b", 4 << 30);
    let (mut ollama, host) = reading(std::slice::from_ref(&model));
    ollama.hosts.push(HostReading { host: "127.0.0.1:1".into(), ..ollama.hosts[0].clone() });
    let runners = Runners::of(&ollama);
    assert_eq!(runners.model(&model.weights), None);
    let process = process(10, Some(&model.weights));
    let gpus = GpuReading { gpus: vec![gpu(0, vec![process])], nvidia: None, hostname: "host".into() };
    assert_eq!(runners.gpu_memory(&gpus, &host, "phi3.5:3.8b"), None);
}

#[test]
fn a_model_of_another_machine_runs_in_no_process_here() {
    let model = Model::new("phi3.5:3.8b", 4 << 30);
    let (mut ollama, _) = reading(std::slice::from_ref(&model));
    for (host, here) in [("localhost:11434", true), ("[::1]:11434", true), ("10.0.0.7:11434", false), ("box:1", false)]
    {
        ollama.hosts[0].host = host.into();
        assert_eq!(Runners::of(&ollama).model(&model.weights).is_some(), here, "{host}");
    }
}
