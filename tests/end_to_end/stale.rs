//! A source that hangs makes its own readings stale, visibly, and nothing else late.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    time::Duration,
};

use aura_tests::{Feed, Machine, Setup, wait_until};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::Signal;

#[test]
fn a_host_that_hangs_is_shown_as_stale_and_comes_back() {
    let setup = Setup::default();
    let machine = Machine::beside(&setup);
    let agent = setup.config("sources: {host: {interval: 200ms, timeout: 300ms}}\n").over(&machine).start();
    let mut client = agent.feed();
    client.message();
    assert!(agent.scrape("/metrics").get("node_memory_MemTotal_bytes", &[]).is_some());

    // Whoever opens a pipe to read waits until somebody opens it to write. The host opens its files anew when its
    // settings change.
    let pipe = machine.path("schedstat");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    fs::write(agent.folder().join("aura.yaml"), "sources: {host: {interval: 250ms, timeout: 300ms}}\n").unwrap();
    agent.signal(Signal::HUP);
    wait_until("the host's series to go", || agent.scrape("/metrics").get("node_memory_MemTotal_bytes", &[]).is_none());
    let own = |name: &str| agent.scrape("/metrics/aura").get(name, &[("source", "host")]);
    wait_until("the source to be down", || own("aura_source_up") == Some(0.0));
    let scrape = agent.scrape("/metrics/aura");
    assert_eq!(scrape.value("aura_source_missing_info", &[("source", "host"), ("reason", "stale")]), 1.0);
    for path in ["/metrics", "/metrics/node"] {
        let scrape = agent.scrape(path);
        let host: Vec<&str> = scrape.names().into_iter().filter(|name| name.starts_with("node_")).collect();
        assert_eq!(host, Vec::<&str>::new(), "{path}");
        assert!(scrape.get("process_start_time_seconds", &[]).is_some(), "{path}");
    }
    for path in ["/api/system", "/api/system/stats"] {
        let answer = agent.get(path);
        assert_eq!((answer.status, answer.error_code().as_str()), (503, "stale"), "{path}");
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(agent.get("/-/healthy").status, 200);
    assert_eq!(agent.get("/-/ready").status, 503);

    // Nothing else is late: responses come, while the sample hangs for as long as the pipe is there.
    for _ in 0..20 {
        assert_eq!(agent.get("/metrics/aura").status, 200);
        assert_eq!(agent.get("/").status, 200);
    }
    let samples = own("aura_source_samples_total");

    // One who comes now gets nothing that looks new.
    let mut newcomer = Feed::connect(agent.address());
    if let Some(message) = newcomer.message_within(Duration::from_secs(1)) {
        assert_eq!(message["sources"][0]["state"], "stale", "{}", message["sources"]);
    }
    assert_eq!(own("aura_source_samples_total"), samples, "a sample that has not returned was started again");

    // Out of the way, so that it is not opened again, and then open on both sides: the reader goes on.
    let aside = machine.path("aside");
    fs::rename(&pipe, &aside).unwrap();
    drop(OpenOptions::new().write(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(&aside).unwrap());
    wait_until("the host's series to come back", || {
        agent.scrape("/metrics").get("node_memory_MemTotal_bytes", &[]).is_some()
    });
    wait_until("the source to be up", || own("aura_source_up") == Some(1.0));
    let fresh = agent.json("/api/system");
    assert_eq!(fresh["sources"][0]["state"], "fresh");
    while newcomer.message()["seq"].as_u64() < fresh["seq"].as_u64() {}
    while client.message()["seq"].as_u64() < fresh["seq"].as_u64() {}
}

#[test]
fn a_host_that_hangs_from_the_start_leaves_the_rest_at_work() {
    let setup = Setup::default();
    let machine = Machine::beside(&setup);
    mknodat(CWD, machine.path("schedstat"), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    let agent = setup.config("sources: {host: {interval: 200ms, timeout: 300ms}}\n").over(&machine).announced();
    let own = |name: &str| agent.scrape("/metrics/aura").get(name, &[("source", "host")]);
    wait_until("the source to be late", || own("aura_source_missing_info") == Some(1.0));
    assert_eq!(own("aura_source_up"), Some(0.0));
    assert_eq!(agent.get("/api/system").status, 503);
    assert_eq!(agent.get("/").status, 200);
    let mut agent = agent;
    agent.signal(Signal::TERM);
    // A stop that waited for what hangs would have no end.
    assert_eq!(agent.wait().code(), Some(0));
}
