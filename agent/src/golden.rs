//! Whole outputs: what every feed sends and every route answers over fixed readings, against files in `tests/golden`.
//! A change of one byte shows there. `INSTA_UPDATE=always cargo test -p aura-agent --lib golden` writes them anew.

mod readings;
mod text;

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, mpsc::channel},
    time::{Duration, Instant},
};

use aura_audit::Audit;
use aura_gpu::Gpus;
use aura_host::Host;
use aura_model::{Context, Interval, Missing, Reason, Source};
use aura_ollama::Ollama;
use aura_postgres::Postgres;
use aura_roles::RoleFiles;
use aura_tests::{Feed, Request, wait_for};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use self::text::Masks;
use crate::{
    actions::ollama::Loader,
    config::Config,
    http::{App, Front, Listeners, Serving, Settings},
    hub::{Channel, Hub, Snapshot},
    publish::feed::{Feeds, Limits},
    telemetry::Events,
    views::{self, Parts},
};

/// No reading becomes late by itself, and nothing is looked at between the steps of a test.
const INTERVAL: Interval = Interval::from_secs(600);

/// The agent without its sources: readings are put into their channels by hand.
struct World {
    hub: Arc<Hub>,
    address: SocketAddr,
    masks: Masks,
    _stop: watch::Sender<bool>,
}

impl World {
    fn start(folder: &Path) -> Self {
        let hub = Arc::new(Hub::default());
        register::<Host>(&hub);
        register::<Gpus>(&hub);
        register::<Ollama>(&hub);
        register::<Postgres>(&hub);
        register::<Audit>(&hub);
        register::<RoleFiles>(&hub);
        let (stop, stopping) = watch::channel(false);
        let (tell, told) = channel();
        let mut config = Config::default();
        config.sources.audit.files = readings::audit_files(folder);
        let shared = Arc::clone(&hub);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut held = stopping.clone();
                let feeds = Feeds::start(Limits::default()).unwrap();
                let loader =
                    Loader::new(Arc::clone(&shared), Arc::default(), Default::default(), &config.sources.ollama, false);
                let events = Arc::new(Events::default());
                let actions = Arc::clone(&loader) as _;
                let mut views =
                    views::open(&feeds, &Parts::new(&shared, &config, &Context::default(), &events, actions));
                let live = views.live();
                let shown = Arc::clone(&live);
                let ready = Box::new(move || views::ready(&shown));
                let (reload, _reloads) = mpsc::channel(1);
                let app = Arc::new(App::new(shared, live, ready, events, 100, reload));
                let front = Arc::new(Front::new(Arc::clone(&app), views.routes(), Vec::new()));
                let mut listeners = Listeners::new(Serving { front, stopping });
                let addresses = ["127.0.0.1:0".parse().unwrap()];
                let bound = listeners.bind(&addresses).unwrap();
                app.set_settings(Settings {
                    addresses: listeners.addresses(&addresses, &bound).unwrap(),
                    telemetry_path: "/metrics".to_owned(),
                    ..Settings::default()
                });
                let opened = listeners.put_in_use(&addresses, bound).await;
                views.start();
                tell.send(opened[0]).unwrap();
                while held.changed().await.is_ok() {}
            });
        });
        let address = told.recv().unwrap();
        Self { hub, address, masks: Masks::new(folder, address), _stop: stop }
    }

    /// Puts a reading that was taken so long ago into its source's channel.
    fn put<S: Source>(&self, reading: S::Reading, taken: Instant, sampled_at: &str) {
        let mut snapshot = Snapshot::<S>::of(reading, taken);
        snapshot.sampled_at = sampled_at.parse().unwrap();
        self.channel::<S>().publish(snapshot);
    }

    fn off<S: Source>(&self) {
        self.channel::<S>().off(Missing::new(Reason::NotConfigured, format!("{} is off in this test", S::NAME)));
    }

    fn channel<S: Source>(&self) -> Arc<Channel<S>> {
        self.hub.channel().unwrap()
    }

    /// The response to a GET once it is as expected, against its file.
    fn response(&self, name: &str, path: &str, is_there: impl Fn(&str) -> bool) {
        let response = wait_for(&format!("{name} at {path}"), || {
            let response = Request::new("GET", path).send(self.address);
            is_there(&response.text()).then_some(response)
        });
        let headers: Vec<String> = response
            .headers
            .iter()
            .filter(|(name, _)| name != "date" && name != "content-length")
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        let body = self.masks.spread(&response.text());
        check(name, &format!("GET {path}\n\n{}\n{}\n{body}", response.status, headers.concat()));
    }

    /// What a client of a feed is greeted with once that is as expected, and the answers to what it says.
    fn feed(&self, name: &str, feed: &str, says: &[&str], is_there: impl Fn(&str) -> bool) {
        let (mut client, greeting) = wait_for(name, || {
            let mut client = Feed::try_connect(self.address, &format!("/ws/{feed}"), &[]).unwrap();
            let text = client.text();
            is_there(&text).then_some((client, text))
        });
        let mut all = format!("/ws/{feed}\n\n{}", self.masks.spread(&greeting));
        for text in says {
            client.say(text);
            // Between the answers come messages that everybody gets.
            let answer = std::iter::repeat_with(|| client.text()).find(|text| !text.contains("governance_update"));
            all += &format!("\n> {text}\n\n{}", self.masks.spread(&answer.unwrap()));
        }
        check(name, &all);
    }
}

fn register<S: Source>(hub: &Hub) {
    hub.register::<S>().schedule(INTERVAL, INTERVAL);
}

fn check(name: &str, text: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    insta::with_settings!({ snapshot_path => folder, prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

/// When the fixed readings were taken.
const FIRST: &str = "2025-12-15T12:00:00Z";
const SECOND: &str = "2025-12-15T12:00:10Z";

fn seconds(time: &str) -> f64 {
    time.parse::<Timestamp>().unwrap().as_duration().as_secs_f64()
}

#[test]
fn every_message_and_every_response() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path());
    let now = Instant::now();
    let before = now.checked_sub(Duration::from_secs(10)).unwrap();

    world.response("system_nothing", "/api/system", |_| true);
    world.response("system_stats_nothing", "/api/system/stats", |_| true);
    world.response("ready_nothing", "/-/ready", |_| true);
    world.response("ollama_nothing", "/api/models", |text| text.contains("model_update"));
    world.response("ollama_status_nothing", "/v1/models/status", |_| true);
    world.response("ollama_health_nothing", "/v1/models/health", |_| true);
    world.response("postgres_nothing", "/api/database", |text| text.contains("database_update"));
    world.response("postgres_metrics_nothing", "/api/database/metrics", |_| true);
    world.response("debates_nothing", "/api/debates", |_| true);
    world.response("debates_leaderboard_nothing", "/v1/debate/leaderboard", |_| true);
    world.response("governance_nothing", "/api/governance", |text| text.contains("governance_update"));
    world.response("governance_roles_nothing", "/api/governance/roles", |_| true);
    world.response("unknown_feed", "/api/nothing", |_| true);

    let machine = readings::Machine::new(folder.path());
    world.put::<Host>(machine.first(), before, FIRST);
    world.feed("system_first", "system", &[], |text| text.contains("system_update"));
    world.put::<Gpus>(readings::gpus(), now, SECOND);
    world.put::<Host>(machine.second(), now, SECOND);
    let newest = |text: &str| text.contains("12:00:10");
    world.feed("system", "system", &[r#"{"type":"dance"}"#], newest);
    world.response("system_rest", "/api/system", newest);
    world.response("system_stats", "/api/system/stats", |_| true);
    world.response("system_history", "/api/system/history", |_| true);
    world.response("system_history_bad_window", "/api/system/history?window=soon", |_| true);
    world.response("ready", "/-/ready", |_| true);

    world.put::<Ollama>(readings::ollama(), now, SECOND);
    world.feed("ollama", "models", &[], newest);
    world.response("ollama_rest", "/api/models", newest);
    world.response("ollama_status", "/v1/models/status", |_| true);
    world.response("ollama_health", "/v1/models/health", |_| true);
    let mut alone = readings::ollama();
    alone.hosts.truncate(1);
    world.put::<Ollama>(alone, Instant::now(), "2025-12-15T12:00:20Z");
    world.response("ollama_one_host", "/api/models", |text| text.contains("12:00:20"));
    world.response("ollama_one_host_health", "/v1/models/health", |_| true);

    let (first, second) = readings::postgres();
    world.put::<Postgres>(first, before, FIRST);
    world.feed("postgres_first", "database", &[], |text| text.contains("12:00:00"));
    world.put::<Postgres>(second, now, SECOND);
    world.feed("postgres", "database", &[], newest);
    world.response("postgres_rest", "/api/database", newest);
    world.response("postgres_metrics", "/api/database/metrics", |_| true);
    world.feed("debates", "debates", &[], newest);
    world.response("debates_rest", "/api/debates", newest);
    world.response("debates_leaderboard", "/v1/debate/leaderboard", |_| true);
    world.response("debates_history", "/v1/debate/history?limit=2&model=red:1b", |_| true);

    world.response("ollama_with_debates", "/api/models", |text| text.contains(r#""model_name":"#));

    world.put::<Audit>(readings::audit(folder.path()), now, FIRST);
    world.put::<RoleFiles>(readings::roles(), now, SECOND);
    let requests = [
        r#"{"type":"refresh_roles"}"#,
        r#"{"type":"refresh_audit","level":"error","limit":1}"#,
        r#"{"type":"refresh_audit","level":"loud"}"#,
    ];
    world.feed("governance", "governance", &requests, newest);
    world.response("governance_rest", "/api/governance", newest);
    world.response("governance_roles", "/api/governance/roles", |_| true);
    world.response("governance_audit_logs", "/api/governance/audit-logs?limit=2", |_| true);
    world.response("audit_metrics", "/metrics?collect[]=audit", |_| true);
    world.response("roles_metrics", "/metrics?collect[]=roles", |_| true);
    world.response("governance_audit_logs_bad", "/api/governance/audit-logs?limit=0", |_| true);

    let off = |text: &str| text.contains("is off in this test");
    world.off::<Host>();
    world.feed("system_off", "system", &[], off);
    world.response("system_off_rest", "/api/system", |_| true);
    world.response("ready_off", "/-/ready", |_| true);
    world.off::<Ollama>();
    world.feed("ollama_off", "models", &[], off);
    world.response("ollama_off_status", "/v1/models/status", |_| true);
    world.off::<Postgres>();
    world.feed("postgres_off", "database", &[], off);
    world.response("postgres_off_metrics", "/api/database/metrics", |_| true);
    world.response("debates_off", "/v1/debate/leaderboard", |_| true);
    world.off::<Audit>();
    world.off::<RoleFiles>();
    world.feed("governance_off", "governance", &[], |text| text.matches("is off in this test").count() == 3);
    world.response("governance_off_roles", "/api/governance/roles", |_| true);
}
