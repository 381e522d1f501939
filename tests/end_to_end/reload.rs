//! The configuration is loaded again while everything runs.

use std::{
    fs,
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use aura_tests::{Agent, Feed, Request, Setup, receive, wait_until};
use rustix::process::Signal;

fn with(config: &str) -> Agent {
    Setup::default().config(config).start()
}

fn write(agent: &Agent, config: &str) {
    fs::write(agent.folder().join("aura.yaml"), config).unwrap();
}

fn interval(agent: &Agent) -> f64 {
    agent.scrape("/metrics/aura").value("aura_source_interval_seconds", &[("source", "host")])
}

fn successful(agent: &Agent) -> f64 {
    agent.scrape("/metrics/aura").value("aura_config_last_reload_successful", &[])
}

#[test]
fn a_good_configuration_takes_effect_by_signal_and_by_request() {
    let agent = with("sources: {host: {interval: 1s}}\n");
    let mut client = agent.feed();
    client.message();
    let loaded = || agent.scrape("/metrics/aura").value("aura_config_last_reload_success_timestamp_seconds", &[]);
    let first = loaded();
    write(&agent, "sources: {host: {interval: 300ms}}\n");
    agent.signal(Signal::HUP);
    wait_until("the new interval", || interval(&agent) == 0.3);
    assert!(loaded() > first);
    write(&agent, "sources: {host: {interval: 200ms}}\n");
    let answer = agent.send(&Request::new("POST", "/-/reload"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    wait_until("the newest interval", || interval(&agent) == 0.2);
    assert_eq!(successful(&agent), 1.0);
    // Who was connected still is.
    let next = client.message()["seq"].as_u64();
    assert!(client.message()["seq"].as_u64() > next);
    wait_until("messages at the new pace", || client.message()["interval_seconds"] == 0.2);
}

#[test]
fn a_broken_configuration_is_refused_with_its_error_and_the_old_one_stays() {
    let agent = with("sources: {host: {interval: 400ms}}\n");
    let mut client = agent.feed();
    let broken = "sources:\n  host: {intervall: 200ms}\nfeed: {max_client: 5}\n";
    write(&agent, broken);
    let answer = agent.send(&Request::new("POST", "/-/reload"));
    assert_eq!((answer.status, answer.error_code().as_str()), (500, "reload_failed"));
    let message = answer.text();
    for words in ["aura.yaml:2", "sources.host.intervall", "aura.yaml:3", "feed.max_client", "old configuration"] {
        assert!(message.contains(words), "{words:?} is not in: {message}");
    }
    agent.wait_for_log("sources.host.intervall");
    wait_until("the failure to show", || successful(&agent) == 0.0);
    assert_eq!(interval(&agent), 0.4);
    let seq = client.message()["seq"].as_u64();
    assert!(client.message()["seq"].as_u64() > seq);

    // By signal the log alone says it.
    write(&agent, "web: {no_such_key: 1}\n");
    agent.signal(Signal::HUP);
    agent.wait_for_log("web.no_such_key");
    assert_eq!(agent.get("/metrics").status, 200);

    write(&agent, "sources: {host: {interval: 500ms}}\n");
    agent.signal(Signal::HUP);
    wait_until("the repaired one", || successful(&agent) == 1.0 && interval(&agent) == 0.5);
}

#[test]
fn a_source_can_be_switched_off_and_on_again() {
    let agent = with("sources: {host: {interval: 200ms}}\n");
    let mut client = agent.feed();
    client.message();
    write(&agent, "sources: {host: {enabled: false}}\n");
    agent.signal(Signal::HUP);
    wait_until("the host's series to go", || agent.scrape("/metrics").get("node_load1", &[]).is_none());
    assert_eq!(agent.get("/api/system").status, 503);
    wait_until("the source to be down", || {
        agent.scrape("/metrics/aura").get("aura_source_up", &[("source", "host")]) == Some(0.0)
    });
    wait_until("the feed to say so", || client.message()["sources"][0]["state"] == "off");
    write(&agent, "sources: {host: {interval: 200ms}}\n");
    agent.signal(Signal::HUP);
    wait_until("the host's series to come back", || agent.scrape("/metrics").get("node_load1", &[]).is_some());
    wait_until("the feed to go on", || client.message()["sources"][0]["state"] == "fresh");
}

#[test]
fn what_cannot_change_while_it_runs_refuses_the_whole_reload() {
    let agent = with("history: {window: 10m}\nsources: {host: {interval: 400ms}}\n");
    write(&agent, "history: {window: 20m}\nsources: {host: {interval: 200ms}}\n");
    let answer = agent.send(&Request::new("POST", "/-/reload"));
    assert_eq!((answer.status, answer.error_code().as_str()), (500, "reload_failed"));
    assert!(answer.text().contains("history: cannot change while the agent runs"), "{}", answer.text());
    agent.wait_for_log("history: cannot change while the agent runs");
    assert_eq!((interval(&agent), successful(&agent)), (0.4, 0.0));
}

#[test]
fn the_address_is_changed_and_clients_stay() {
    let agent = Setup::default().listen(None).config("web: {listen_address: '127.0.0.1:0'}\n").start();
    let port = agent.address().port();
    let mut client = agent.feed();
    client.message();
    // Everything of this machine beside what was there before, on the same port, and back.
    let reload = |address: &str| {
        write(&agent, &format!("web: {{listen_address: {address}, allow_unauthenticated: true}}\n"));
        agent.send(&Request::new("POST", "/-/reload"))
    };
    let second = SocketAddr::from(([127, 0, 0, 2], port));
    let answers = || TcpStream::connect(second).is_ok();
    for (address, elsewhere) in [("'0.0.0.0:PORT'", true), ("'127.0.0.1:PORT'", false), ("':PORT'", true)] {
        let answer = reload(&address.replace("PORT", &port.to_string()));
        assert_eq!(answer.status, 200, "{address}: {}", answer.text());
        assert_eq!(agent.get("/metrics").status, 200, "{address}");
        assert_eq!(answers(), elsewhere, "{address}");
        let seq = client.message()["seq"].as_u64();
        assert!(client.message()["seq"].as_u64() > seq);
    }
    // What cannot be listened on leaves all as it is.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let answer = reload(&format!("['127.0.0.1:{port}', '{}']", taken.local_addr().unwrap()));
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("cannot be listened on"), "{}", answer.text());
    assert!(answers() && agent.get("/metrics").status == 200);
    // Who came in by an address that is left leaves with it.
    let mut elsewhere = Feed::connect(second);
    elsewhere.message();
    assert_eq!(reload(&format!("'127.0.0.1:{port}'")).status, 200);
    assert_eq!(elsewhere.close_code(), Some(1008));
    client.message();
}

#[test]
fn half_a_file_opens_nothing() {
    let setup = Setup::default();
    let users = format!("basic_auth_users:\n  ada: {}\n", bcrypt::hash("right", 4).unwrap());
    let file = setup.write("web.yaml", &users);
    let agent = setup.argument("--web.config.file").argument(&file).announced();
    for part in ["", "basic_auth_users:\n", "basic_auth_users:\n  ada: $2b$04$abc", "basic_auth_users:\n  ad"] {
        fs::write(&file, part).unwrap();
        let answer = agent.send(&Request::new("POST", "/-/reload").user("ada", "right"));
        assert_eq!(answer.status, 500, "{part:?}");
        assert_eq!(agent.get("/api/system/stats").status, 401, "{part:?}");
    }
    fs::remove_file(&file).unwrap();
    agent.signal(Signal::HUP);
    agent.wait_for_log("web.yaml: cannot be opened");
    assert_eq!(agent.get("/api/system/stats").status, 401);
}

#[test]
fn who_is_no_user_any_more_is_asked_anew_and_loses_the_feed() {
    let setup = Setup::default();
    let hash = |password| bcrypt::hash(password, 4).unwrap();
    let (ada, bob) = (hash("ada's"), hash("bob's"));
    let file = setup.write("web.yaml", &format!("basic_auth_users: {{ada: '{ada}', bob: '{bob}'}}\n"));
    let agent = setup.argument("--web.config.file").argument(&file).announced();
    let basic =
        |pair: &str| [("Authorization", if pair == "ada" { "Basic YWRhOmFkYSdz" } else { "Basic Ym9iOmJvYidz" })];
    let connect = |pair| Feed::try_connect(agent.address(), "/ws/system", &basic(pair)).unwrap();
    let (mut adas, mut bobs) = (connect("ada"), connect("bob"));
    adas.message();
    bobs.message();
    let mut kept = TcpStream::connect(agent.address()).unwrap();
    kept.set_read_timeout(Some(aura_tests::TIMEOUT)).unwrap();
    let mut ask = || {
        kept.write_all(b"GET /api/system/stats HTTP/1.1\r\nHost: x\r\nAuthorization: Basic Ym9iOmJvYidz\r\n\r\n")
            .unwrap();
        receive(&mut kept).unwrap().status
    };
    assert!(matches!(ask(), 200 | 503));
    fs::write(&file, format!("basic_auth_users: {{ada: '{ada}'}}\n")).unwrap();
    assert_eq!(agent.send(&Request::new("POST", "/-/reload").user("ada", "ada's")).status, 200);
    assert_eq!(ask(), 401);
    assert_eq!(bobs.close_code(), Some(1008));
    let seq = adas.message()["seq"].as_u64();
    assert!(adas.message()["seq"].as_u64() > seq);
    let closed = agent.send(&Request::new("GET", "/metrics/aura").user("ada", "ada's")).text();
    let counted = r#"aura_feed_closed_total{feed="system",reason="access"} 1"#;
    assert!(closed.contains(counted), "{closed}");
}

#[test]
fn reloads_that_come_all_at_once_are_done_one_after_the_other() {
    let agent = with("sources: {host: {interval: 300ms}}\n");
    let mut client = agent.feed();
    client.message();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..5 {
                    agent.signal(Signal::HUP);
                    assert_eq!(agent.send(&Request::new("POST", "/-/reload")).status, 200);
                }
            });
        }
    });
    assert_eq!((interval(&agent), successful(&agent)), (0.3, 1.0));
    let seq = client.message()["seq"].as_u64();
    assert!(client.message()["seq"].as_u64() > seq);
}
