//! From the start to the stop, as users, supervisors and crashes do it.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
};

use aura_tests::{Agent, Feed, Request, Setup, receive, wait_until};
use rustix::process::Signal;

#[test]
fn it_starts_without_configuration_as_a_user_who_may_nothing() {
    let Some(setup) = Setup::unprivileged() else { return };
    let agent = setup.start();
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid().as_raw_nonzero())).unwrap();
    let user = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    assert!(!user.split_whitespace().any(|id| id == "0"), "it runs as root: {user}");
    assert!(agent.scrape("/metrics").get("node_memory_MemTotal_bytes", &[]).is_some());
    assert_eq!(agent.json("/api/system")["type"], "system_update");
    assert_eq!(agent.get("/").status, 200);
    // A few readable lines: what is watched, what is not and why, the address to open.
    let log = agent.log();
    for words in ["Aura Agent", "no configuration file", "watching ", &format!("open http://{}/", agent.address())] {
        assert!(log.contains(words), "{words:?} is not in the log:\n{log}");
    }
    assert!(log.lines().count() < 15, "{log}");
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn both_signals_end_it_with_a_close_frame_for_every_client() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut agent = Agent::start();
        let mut clients: Vec<Feed> = (0..20).map(|_| agent.feed()).collect();
        for client in &mut clients {
            client.message();
        }
        // One who never answers, and one who has only half a request to say.
        let silent = raw_feed(agent.address());
        let mut half = TcpStream::connect(agent.address()).unwrap();
        half.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        agent.signal(signal);
        let codes: Vec<Option<u16>> = clients.iter_mut().map(Feed::close_code).collect();
        let status = agent.wait();
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert_eq!(codes, vec![Some(1001); 20], "{signal:?}");
        drop((silent, half));
    }
}

/// A client that reads nothing and answers nothing.
fn raw_feed(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    write!(stream, "GET /ws/system HTTP/1.1\r\nHost: {address}\r\n{upgrade}\r\n{key}\r\n\r\n").unwrap();
    stream
}

#[test]
fn an_answer_that_is_on_its_way_is_finished() {
    let mut agent = Agent::start();
    let expected = agent.get("/metrics").body.len();
    let mut reader = TcpStream::connect(agent.address()).unwrap();
    // Little room on this side, so that most of the answer waits on the other.
    rustix::net::sockopt::set_socket_recv_buffer_size(&reader, 4096).unwrap();
    reader.write_all(&Request::new("GET", "/metrics").bytes(agent.address())).unwrap();
    let mut begin = [0; 64];
    reader.read_exact(&mut begin).unwrap();
    agent.signal(Signal::TERM);
    agent.wait_for_log("stopping");
    let answer = receive(&mut begin.chain(reader)).unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() > expected / 2, "{} bytes came", answer.body.len());
    let status = agent.wait();
    assert_eq!(status.code(), Some(0));
    assert!(TcpStream::connect(agent.address()).is_err(), "somebody still listens");
}

#[test]
fn killed_it_starts_again_at_once_on_the_same_port() {
    let mut agent = Agent::start();
    let address = agent.address();
    for round in 0..3 {
        let mut clients: Vec<Feed> = (0..5).map(|_| agent.feed()).collect();
        for client in &mut clients {
            client.message();
        }
        agent.kill();
        agent = Setup::default().listen(Some(&address.to_string())).start();
        assert_eq!(agent.address(), address, "round {round}");
        for client in &mut clients {
            assert_eq!(client.close_code(), None, "no close frame comes after a kill");
        }
    }
}

#[test]
fn what_keeps_it_from_starting_is_named_with_the_exit_code_that_says_whose_fault_it_is() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = Setup::default().listen(Some(&address)).fail();
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    for words in [address.as_str(), "cannot be listened on", "in use"] {
        assert!(ended.log.contains(words), "{words:?} is not in: {}", ended.log);
    }
    for (config, words) in [
        ("sources: {host: {intervall: 1s}}\n", &["aura.yaml:1", "sources.host.intervall", "interval"][..]),
        ("feed:\n  max_clients: many\n", &["aura.yaml:2", "feed.max_clients"]),
        ("web: {telemetry_path: metrics}\n", &["aura.yaml:1", "web.telemetry_path", "/metrics"]),
        ("sources: {host: {interval: 1 fortnight}}\n", &["aura.yaml:1", "sources.host.interval"]),
        ("web: {config_file: not/there.yaml}\n", &["not/there.yaml"]),
    ] {
        let ended = Setup::default().config(config).fail();
        assert_eq!(ended.code, Some(2), "{config}: {}", ended.log);
        for word in words {
            assert!(ended.log.contains(word), "{config}: {word:?} is not in: {}", ended.log);
        }
    }
    let ended = Setup::default().argument("--no-such-flag").fail();
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    let ended = Setup::default().argument("--config.file").argument("not/there.yaml").fail();
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    assert!(ended.log.contains("not/there.yaml"), "{}", ended.log);
    let ended = Setup::default().variable("AURA_FEED_MAX_CLIENTS", "none").fail();
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    assert!(ended.log.contains("AURA_FEED_MAX_CLIENTS"), "{}", ended.log);
}

#[test]
fn nothing_is_written_outside_the_storage_path() {
    let setup = Setup::default();
    let folder = setup.folder().to_owned();
    let before = files(&folder);
    let agent = setup.start();
    let mut client = agent.feed();
    client.message();
    for path in ["/", "/app.js", "/metrics", "/metrics/aura", "/api/system", "/api/system/history", "/nothing"] {
        let _ = agent.get(path);
    }
    assert_eq!(agent.send(&Request::new("POST", "/-/reload")).status, 200);
    let open = writable(&agent);
    assert_eq!(open, ["log"], "files that are open for writing");
    drop(client);
    agent.signal(Signal::TERM);
    let mut agent = agent;
    agent.wait();
    let mut after = files(&folder);
    after.remove("log");
    assert_eq!(after, before);
}

/// Every file below a folder with its length.
fn files(folder: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let data = entry.metadata().unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if data.is_dir() {
            found.insert(format!("{name}/"), 0);
            found.extend(files(&entry.path()).into_iter().map(|(below, length)| (format!("{name}/{below}"), length)));
        } else {
            found.insert(name, data.len());
        }
    }
    found
}

/// The names of regular files that the agent has open for writing.
fn writable(agent: &Agent) -> Vec<String> {
    let process = format!("/proc/{}", agent.pid().as_raw_nonzero());
    let mut names = Vec::new();
    for entry in fs::read_dir(format!("{process}/fd")).unwrap().flatten() {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let info = format!("{process}/fdinfo/{}", entry.file_name().to_string_lossy());
        let Ok(info) = fs::read_to_string(info) else { continue };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
        let flags = u32::from_str_radix(flags, 8).unwrap();
        if flags & 3 != 0 && target.is_absolute() && fs::metadata(entry.path()).is_ok_and(|data| data.is_file()) {
            names.push(target.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    names.sort();
    names.dedup();
    names
}

#[test]
fn the_other_commands_work() {
    for (arguments, words) in [
        (&["--version"][..], "commit"),
        (&["--help"], "compare"),
        (&["config", "example"], "listen_address"),
        (&["config", "schema"], "$schema"),
        (&["config", "show"], "127.0.0.1:9205"),
        (&["sample", "--format", "prometheus"], "node_cpu_seconds_total"),
        (&["sample", "--format", "json"], "\"loadavg\""),
        (&["sample"], "memory"),
        (&["generate", "man"], ".TH"),
        (&["generate", "completions", "bash"], "complete"),
    ] {
        let ended = Agent::run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.log);
        assert!(ended.log.contains(words), "{arguments:?}: {words:?} is not in: {}", ended.log);
    }
    let agent = Agent::start();
    let healthy = Agent::run(&["healthcheck", "--url", &format!("http://{}/", agent.address())]);
    assert_eq!(healthy.code, Some(0), "{}", healthy.log);
    let address = agent.address();
    drop(agent);
    wait_until("the port to be free", || TcpListener::bind(address).is_ok());
    let gone = Agent::run(&["healthcheck", "--url", &format!("http://{address}/")]);
    assert_eq!(gone.code, Some(1), "{}", gone.log);
    assert!(gone.log.contains(&address.to_string()), "{}", gone.log);
}
