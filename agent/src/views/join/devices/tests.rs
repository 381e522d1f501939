//! Engines, GPUs and energy, over made-up readings in a hub.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use aura_exposition::{Format, encode};
use aura_gpu::{Gpu, GpuReading, Gpus, Process, Values};
use aura_model::{Name, Reason, Section};
use aura_ollama::{
    Counters, Engine, EngineKind, EngineState, EnginesReading, Ollama, OllamaReading, Parent, Slot, WeightsTotals,
};
use aura_ollama_simulator::Model as Simulated;

use super::{super::tests, *};
use crate::hub::Snapshot;

const PID: u32 = 4711;

struct World {
    hub: Hub,
    devices: Devices,
    reading: OllamaReading,
    weights: Name,
    began: Instant,
}

impl World {
    fn new() -> Self {
        let (reading, _) = tests::reading(&[Simulated::new("llama3:8b", 1 << 30)]);
        let host = &reading.hosts[0];
        let weights = host.loaded.value().unwrap()[0].weights.clone().unwrap();
        let hub = Hub::default();
        hub.register::<Ollama>();
        hub.register::<Gpus>();
        Self { hub, devices: Devices::default(), reading, weights, began: Instant::now() }
    }

    /// A second of the machine: what the GPU counted, who is on it, what the engine does and has generated.
    fn second(&mut self, number: u64, joules: f64, processes: Vec<Process>, busy: bool, generated: u64) {
        self.reading.hosts[0].engines = Section::Fresh(self.engines(busy, generated));
        self.publish(number, joules, processes);
    }

    fn publish(&self, number: u64, joules: f64, processes: Vec<Process>) {
        let taken = self.began + Duration::from_secs(number);
        let gpu = Gpu { values: Values { energy: Some(joules), ..Values::default() }, ..tests::gpu(0, processes) };
        let gpus = GpuReading { gpus: vec![gpu], nvidia: None, hostname: "box".into() };
        self.hub.channel::<Gpus>().unwrap().publish(Snapshot::of(gpus, taken));
        self.hub.channel::<Ollama>().unwrap().publish(Snapshot::of(self.reading.clone(), taken));
        self.devices.look(&self.hub);
    }

    fn engines(&self, busy: bool, generated: u64) -> EnginesReading {
        let engine = Engine {
            pid: PID,
            born: 1_700_000_000.0,
            weights: Some(self.weights.clone()),
            file: "blob".into(),
            parent: Parent::Server,
            kind: EngineKind::LlamaServer,
            port: Some(40_000),
            slots: Some(1),
            context: Some(4096),
            gpu_layers: None,
            cache_type: None,
            embedding: false,
            memory_bytes: Some(1 << 30),
            cpu_seconds: 1.0,
            requests: Some(0),
            state: EngineState::Ready,
            progress: None,
            detail: None,
            activity: Section::Fresh(vec![Slot { busy, ..Slot::default() }]),
            counters: Section::Fresh(Counters::default()),
            any_origin: None,
            tokens_per_second: None,
            tokens_per_second_minute: None,
        };
        let totals = WeightsTotals {
            weights: self.weights.clone(),
            since: 1_700_000_000.0,
            starts: 1,
            ends: Default::default(),
            lives_cut: 0,
            cpu_seconds: 1.0,
            counters: Some(Counters { generated_tokens: generated, ..Counters::default() }),
        };
        let names = Arc::new(BTreeMap::from([(self.weights.clone(), "llama3:8b".into())]));
        EnginesReading { engines: vec![engine], totals: vec![totals], names, missing: None }
    }

    fn text(&self) -> String {
        let reading = self.devices.latest().unwrap();
        String::from_utf8_lossy(encode(|each| reading.groups(each), Format::Text).text()).into_owned()
    }
}

fn engine(busy: f64) -> Process {
    Process { busy: Some(busy), ..tests::process(PID, None) }
}

#[test]
fn an_answer_has_its_joules_and_its_tokens() {
    let mut world = World::new();
    let host = world.reading.hosts[0].host.clone();
    world.second(0, 1000.0, vec![engine(0.0)], false, 0);
    world.second(1, 1020.0, vec![engine(0.0)], false, 0);
    world.second(2, 1120.0, vec![engine(0.9)], true, 0);
    world.second(3, 1320.0, vec![engine(0.9)], false, 80);
    world.second(4, 1340.0, vec![engine(0.1)], false, 80);
    let text = world.text();
    let labels = format!("{{host=\"{host}\",model=\"llama3:8b\"");
    for line in [
        format!("ollama_energy_joules_total{labels},device=\"GPU-0\"}} 300"),
        format!("ollama_energy_seconds_total{labels},device=\"GPU-0\"}} 2"),
        format!("ollama_token_energy_joules_total{labels},device=\"GPU-0\"}} 300"),
        format!("ollama_token_energy_tokens_total{labels}}} 80"),
        "ollama_energy_rest_joules_total{device=\"GPU-0\"} 40".to_owned(),
        "ollama_energy_shared_joules_total{device=\"GPU-0\"} 0".to_owned(),
        format!("ollama_engine_gpu_memory_bytes{labels},uuid=\"GPU-0\"}} {}", u64::from(PID) << 20),
        format!("ollama_engine_gpu_busy_ratio{labels},uuid=\"GPU-0\"}} 0.1"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn a_game_on_the_gpu_is_no_model() {
    let mut world = World::new();
    let game = |busy| Process { busy: Some(busy), ..tests::process(99, None) };
    world.second(0, 0.0, vec![engine(0.0), game(0.8)], false, 0);
    world.second(1, 200.0, vec![engine(0.0), game(0.8)], false, 0);
    world.second(2, 500.0, vec![engine(0.5), game(0.5)], true, 0);
    world.second(3, 600.0, vec![engine(0.9), game(0.0)], true, 0);
    let energy = &world.devices.latest().unwrap().energy;
    let device = &energy.devices["GPU-0"];
    assert_eq!((device.others, device.shared, device.rest), (200.0, 300.0, 0.0));
    assert_eq!(energy.models.values().next().unwrap().alone["GPU-0"], (100.0, 1.0));
}

#[test]
fn a_reading_is_looked_at_once_and_an_old_one_is_not_shown() {
    let mut world = World::new();
    world.second(0, 0.0, vec![engine(0.0)], false, 0);
    world.second(1, 50.0, vec![engine(0.0)], false, 0);
    world.devices.look(&world.hub);
    assert_eq!(world.devices.latest().unwrap().energy.devices["GPU-0"].rest, 50.0);
    let old = World::new();
    let snapshot = Snapshot::of(old.reading.clone(), old.began).shown_for(Duration::ZERO);
    old.hub.channel::<Ollama>().unwrap().publish(snapshot);
    old.devices.look(&old.hub);
    assert!(old.devices.latest().is_none());
}

#[test]
fn where_engines_cannot_be_seen_nothing_is_rest() {
    let mut world = World::new();
    world.second(0, 0.0, vec![engine(0.0)], false, 0);
    world.second(1, 10.0, vec![engine(0.0)], false, 0);
    world.reading.hosts[0].engines = Section::off(Reason::NoSensor, "it runs in a container");
    for (number, joules) in [(2, 300.0), (3, 600.0)] {
        world.publish(number, joules, Vec::new());
    }
    let energy = &world.devices.latest().unwrap().energy;
    assert_eq!(energy.devices["GPU-0"].rest, 10.0, "what a container computes is no rest");
}
