//! A machine that stands still, as one does that is out of memory: the agent is stopped, its servers are, or there are
//! far more processes than cores. Nothing vanishes, and nothing is said to be down that is not.

use std::{
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use aura_ollama_simulator::{Fault, Model, Settings, Simulator};
use aura_tests::{Agent, Control, Exposition, PostgresServer, Setup, wait_for, wait_until};
use rustix::process::Signal;

/// What the agent watches here.
struct World {
    postgres: PostgresServer,
    ollama: Simulator,
}

impl World {
    fn new() -> Option<Self> {
        let postgres = PostgresServer::start("")?;
        let ollama = Simulator::start(Settings::default()).unwrap();
        ollama.install(Model::new("llama3.1:8b", 5 << 30));
        Some(Self { postgres, ollama })
    }

    fn agent(&self, stale_after: &str, options: &str) -> Agent {
        let (postgres, ollama) = (self.postgres.url("postgres"), self.ollama.url());
        let setup = Setup::default();
        let config = format!(
            "stale_after: {stale_after}\nsources:\n  host: {{interval: 200ms, timeout: 1s}}\n  \
             ollama: {{interval: 200ms, timeout: 1s, hosts: ['{ollama}'], request_timeout: {options}}}\n  \
             postgres: {{interval: 200ms, timeout: 1s, servers: [{{url: '{postgres}'}}], answer_timeout: {options}}}\n  \
             audit: {{roots: [{root}]}}\n  roles: {{roots: [{root}]}}\n",
            root = setup.folder().join("installation").display(),
        );
        let installation = setup.folder().join("installation");
        for folder in ["logs", "ops/role_engine"] {
            std::fs::create_dir_all(installation.join(folder)).unwrap();
        }
        std::fs::write(installation.join("logs/security_audit.jsonl"), "{\"ts\": 1, \"type\": \"a\"}\n").unwrap();
        std::fs::write(installation.join("ops/role_engine/role_registry_v2.json"), r#"{"roles": {"a": {}}}"#).unwrap();
        let agent = setup.config(&config).start();
        wait_until("all is read", || missing(&agent.scrape("/metrics")).is_none());
        wait_until("models are shown", || !agent.json("/api/models")["loaded_models"].is_null());
        agent
    }
}

/// What every scrape has while all is well.
fn missing(scrape: &Exposition) -> Option<&'static str> {
    let database = [("datname", "postgres")];
    let up = |name: &str| scrape.all(name).next().map(|sample| sample.value);
    [
        ("pg_up", up("pg_up") == Some(1.0)),
        ("pg_stat_database", scrape.get("pg_stat_database_numbackends", &database).is_some()),
        ("pg_stat_archiver", up("pg_stat_archiver_archived_count").is_some()),
        ("pg_database_size_bytes", scrape.get("pg_database_size_bytes", &database).is_some()),
        ("ollama_up", up("ollama_up") == Some(1.0)),
        ("ollama_models_installed", up("ollama_models_installed") == Some(1.0)),
        ("node_memory", up("node_memory_MemTotal_bytes").is_some()),
        ("node_cpu", up("node_cpu_seconds_total").is_some()),
        ("aura_audit", up("aura_audit_events_total").is_some()),
        ("aura_roles", up("aura_roles").is_some()),
        ("aura_source_up", scrape.all("aura_source_up").count() >= 6),
    ]
    .into_iter()
    .find_map(|(name, there)| (!there).then_some(name))
}

fn counted(agent: &Agent, name: &str) -> Vec<(String, f64)> {
    let scrape = agent.scrape("/metrics/aura");
    let watched = ["host", "ollama", "postgres"];
    watched.iter().map(|source| ((*source).to_owned(), scrape.value(name, &[("source", source)]))).collect()
}

#[test]
fn an_agent_that_was_stopped_shows_what_it_had_and_nothing_as_down() {
    let Some(world) = World::new() else { return };
    // The stop is longer than all limits together.
    let agent = world.agent("3s", "2s");
    let control = Control::start("200ms");
    let missed_by_control = control.missed();
    let before = [counted(&agent, "aura_source_missed_ticks_total"), counted(&agent, "aura_source_failures_total")];
    let connects = |agent: &Agent| agent.scrape("/metrics").value("aura_postgres_connects_total", &[]);
    let connected = connects(&agent);
    let goes_on = AtomicBool::new(true);
    thread::scope(|scope| {
        // Somebody asks all the time, so that there is a question under way when it stops and when it goes on.
        let asker = scope.spawn(|| {
            while goes_on.load(Ordering::Relaxed) {
                let scrape = agent.scrape("/metrics");
                if let Some(name) = missing(&scrape) {
                    return Err(format!("{name} is gone or down: {:?}", scrape.names()));
                }
                let models = agent.json("/api/models");
                let host = &models["hosts"][0];
                if host["state"] != "answering" || models["installed_models"].as_array().is_none_or(Vec::is_empty) {
                    return Err(format!("models: {models}"));
                }
                let database = agent.json("/api/database");
                if database["metrics"]["status"] != "connected" || agent.get("/api/system").status != 200 {
                    return Err(format!("database: {database}"));
                }
            }
            Ok(())
        });
        for _ in 0..2 {
            agent.signal(Signal::STOP);
            thread::sleep(Duration::from_secs(5));
            agent.signal(Signal::CONT);
            thread::sleep(Duration::from_millis(1500));
        }
        goes_on.store(false, Ordering::Relaxed);
        asker.join().unwrap().unwrap();
    });
    let after = [counted(&agent, "aura_source_missed_ticks_total"), counted(&agent, "aura_source_failures_total")];
    // A stop of 25 intervals is none of theirs; of what the machine costs an agent that is not stopped they have a share.
    let machine = control.missed() - missed_by_control;
    for ((source, before), (_, after)) in before[0].iter().zip(&after[0]) {
        assert!(after - before < 25.0 + machine, "{source} missed {}, the control {machine}", after - before);
    }
    assert_eq!(before[1], after[1], "nothing failed");
    assert_eq!(connects(&agent), connected, "a connection was given up");
}

#[test]
fn servers_that_are_stopped_keep_their_last_values_until_these_are_too_old_and_their_up_always() {
    let Some(world) = World::new() else { return };
    let agent = world.agent("6s", "2s");
    world.postgres.freeze();
    world.ollama.set_fault("/api/ps", Some(Fault::Hang));
    let age = |scrape: &Exposition| scrape.all("aura_postgres_age_seconds").next().map_or(0.0, |sample| sample.value);
    // Long after their answers were given up: the same values, with their age.
    wait_until("values of some age", || {
        let scrape = agent.scrape("/metrics");
        let age = age(&scrape);
        assert_eq!(missing(&scrape).filter(|_| age < 5.5), None, "at the age of {age} s");
        age > 4.0
    });
    let busy = || agent.json("/api/models");
    wait_until("it is busy", || busy()["hosts"][0]["state"] == "busy");
    let gone = |scrape: &Exposition| {
        let up = |name: &str| scrape.all(name).map(|sample| sample.value).collect::<Vec<_>>();
        assert_eq!((up("pg_up").len(), up("ollama_up")), (1, vec![1.0]), "busy is not down");
        let pg_gone = up("pg_up") == [0.0] && !scrape.names().iter().any(|name| name.starts_with("pg_stat_"));
        pg_gone && up("ollama_models_installed").is_empty()
    };
    wait_until("they are too old", || gone(&agent.scrape("/metrics")));
    assert_eq!(busy()["hosts"].as_array().map(Vec::len), Some(1));
    world.postgres.thaw();
    world.ollama.set_fault("/api/ps", None);
    wait_until("they are back", || missing(&agent.scrape("/metrics")).is_none());
}

/// Processes that do nothing but run, with an end of their own should nobody end them.
struct Load(Vec<Child>);

impl Load {
    fn of(count: usize, seconds: u64) -> Self {
        let busy = || {
            let mut command = Command::new("timeout");
            command.args([&seconds.to_string(), "sh", "-c", "while :; do :; done"]).stdin(Stdio::null());
            command.spawn().unwrap()
        };
        Self((0..count).map(|_| busy()).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // `timeout` passes it on to what it started.
            if let Ok(id) = i32::try_from(child.id())
                && let Some(id) = rustix::process::Pid::from_raw(id)
            {
                let _ = rustix::process::kill_process(id, Signal::TERM);
            }
            let _ = child.wait();
        }
    }
}

#[test]
#[ignore = "sixty busy processes for ten seconds: make e2e load"]
fn under_a_load_of_60_nothing_vanishes() {
    let Some(world) = World::new() else { return };
    let agent = world.agent("15s", "10s");
    let _load = Load::of(60, 30);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        let scrape = wait_for("an answer", || Some(agent.scrape("/metrics")));
        assert_eq!(missing(&scrape), None, "after {:?}", begun.elapsed());
        assert_eq!(agent.json("/api/models")["hosts"].as_array().map(Vec::len), Some(1));
    }
}
