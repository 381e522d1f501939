//! Behind a proxy: what `docs/operation.md` says that nginx must pass on is enough.

use std::{
    fmt::Write as _,
    io::{ErrorKind, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::Duration,
};

use aura_tests::{Agent, Authority, Feed, Peer, Request, Setup, needs, receive, wait_until};
use tempfile::TempDir;

use crate::{
    security::{is_connected, stuck},
    tls::certify,
};

/// What the documentation tells to write, in a `location`.
const PASSED_ON: &str = "proxy_http_version 1.1; proxy_set_header Host $http_host; \
     proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; \
     proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; proxy_read_timeout 1h;";

/// A real nginx in front of the agent.
struct Nginx {
    _peer: Peer,
    _folder: TempDir,
    /// The agent at `/`.
    root: SocketAddr,
    /// The agent below `/aura/`.
    below: SocketAddr,
    /// The agent at `/` over TLS.
    encrypted: SocketAddr,
    authority: Authority,
}

impl Nginx {
    fn start(agent: SocketAddr) -> Option<Self> {
        let program = needs("nginx")?;
        let folder = tempfile::tempdir().unwrap();
        let authority = certify(folder.path());
        let [root, below, encrypted] = [(); 3].map(|()| Agent::free_address());
        let place = folder.path().display();
        let mut config = format!(
            "daemon off; master_process off; pid {place}/pid; error_log stderr warn; events {{ }}\nhttp {{ access_log off;\n"
        );
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            let _ = writeln!(config, "{kind}_temp_path {place}/{kind};");
        }
        let _ = write!(
            config,
            "map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}\n\
             server {{ listen {root}; location / {{ proxy_pass http://{agent}; {PASSED_ON} }} }}\n\
             server {{ listen {below}; location = /aura {{ return 301 /aura/; }}\n\
             location /aura/ {{ proxy_pass http://{agent}/; {PASSED_ON} }} }}\n\
             server {{ listen {encrypted} ssl; ssl_certificate {place}/certificate.pem; ssl_certificate_key {place}/key.pem;\n\
             location / {{ proxy_pass http://{agent}; {PASSED_ON} }} }}\n}}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&file).args(["-e", "stderr"]);
        let mut peer = Peer::start(&mut command, folder.path().join("log"));
        wait_until("nginx to listen", || {
            assert!(peer.ended().is_none(), "nginx has ended:\n{}", peer.log());
            [root, below, encrypted].iter().all(|address| TcpStream::connect(address).is_ok())
        });
        Some(Self { _peer: peer, _folder: folder, root, below, encrypted, authority })
    }
}

/// The addresses that a text of the page loads, as it writes them.
fn loads(page: &str) -> Vec<&str> {
    let values = ["src=\"", "href=\""].map(|key| page.split(key).skip(1).filter_map(|rest| rest.split('"').next()));
    values.into_iter().flatten().collect()
}

#[test]
fn page_api_and_feeds_are_there_behind_nginx() {
    let agent = Agent::start();
    let Some(nginx) = Nginx::start(agent.address()) else { return };
    for (address, prefix) in [(nginx.root, ""), (nginx.below, "/aura")] {
        let page = aura_tests::get(address, &format!("{prefix}/"));
        assert_eq!(page.status, 200);
        let page = page.text();
        let loaded = loads(&page);
        assert!(loaded.len() >= 3, "{loaded:?}");
        for path in loaded {
            // What begins with a slash would be asked of whatever else lives at the proxy.
            assert!(!path.starts_with('/') && !path.contains("://"), "{path}");
            let answer = aura_tests::get(address, &format!("{prefix}/{}", path.trim_start_matches("./")));
            assert_eq!(answer.status, 200, "{prefix} {path}");
        }
        for path in ["/metrics", "/api/system", "/api/system/history", "/-/healthy"] {
            assert_eq!(aura_tests::get(address, &format!("{prefix}{path}")).status, 200, "{prefix}{path}");
        }
        let origin = format!("http://{address}");
        let mut feed = Feed::try_connect(address, &format!("{prefix}/ws/system"), &[("Origin", &origin)]).unwrap();
        let seq = feed.message()["seq"].as_u64();
        assert!(feed.message()["seq"].as_u64() > seq);
        let foreign = Feed::try_connect(address, &format!("{prefix}/ws/system"), &[("Origin", "http://evil.example")]);
        assert_eq!(foreign.err(), Some(403));
        let rebound = Request::new("GET", &format!("{prefix}/api/system")).host("evil.example").send(address);
        assert_eq!((rebound.status, rebound.error_code().as_str()), (421, "unknown_host"));
    }
    assert_eq!(aura_tests::get(nginx.below, "/aura").header("location").map(|to| to.ends_with("/aura/")), Some(true));

    let mut wire = nginx.authority.connect(nginx.encrypted);
    wire.write_all(&Request::new("GET", "/api/system").bytes(nginx.encrypted)).unwrap();
    assert_eq!(receive(&mut wire).unwrap().status, 200);
    let url = format!("wss://localhost:{}/ws/system", nginx.encrypted.port());
    let origin = format!("https://localhost:{}", nginx.encrypted.port());
    let mut feed = Feed::over(nginx.authority.connect(nginx.encrypted), &url, &[("Origin", &origin)]).unwrap();
    feed.message();
}

#[test]
fn limits_count_those_whom_a_trusted_proxy_names() {
    const FOR: &str = "X-Forwarded-For";
    let open = |address, client: &str| Feed::try_connect(address, "/ws/system", &[(FOR, client)]);
    let config = "web: {trusted_proxies: [127.0.0.1]}\nfeed: {max_clients_per_address: 1}\n";
    let agent = Setup::default().config(config).argument("--log.level=debug").start();
    let Some(nginx) = Nginx::start(agent.address()) else { return };
    let _first = open(nginx.root, "192.0.2.1").unwrap();
    let _second = open(nginx.root, "192.0.2.2").unwrap();
    assert_eq!(open(nginx.root, "192.0.2.1").err(), Some(503));
    // What stands further left is the client's own word.
    assert_eq!(open(nginx.root, "192.0.2.9, 192.0.2.1").err(), Some(503));
    let _third = open(nginx.root, "2001:db8::1").unwrap();
    assert!(agent.log().contains("client=192.0.2.1"), "the log names the proxy");

    // Nobody is trusted: all are the proxy.
    let agent = Setup::default().config("feed: {max_clients_per_address: 1}\n").start();
    let _first = open(agent.address(), "192.0.2.1").unwrap();
    assert_eq!(open(agent.address(), "192.0.2.2").err(), Some(503));
}

/// A connection that has asked once and waits.
fn waiting(agent: &Agent) -> TcpStream {
    let mut stream = TcpStream::connect(agent.address()).unwrap();
    write!(stream, "GET /api/system HTTP/1.1\r\nHost: {}\r\n\r\n", agent.address()).unwrap();
    assert_eq!(receive(&mut stream).unwrap().status, 200);
    stream.set_nonblocking(true).unwrap();
    stream
}

fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn a_trusted_proxy_has_more_connections_than_an_address_until_a_reload_takes_its_name_away() {
    let agent = Setup::default().config("web: {trusted_proxies: [127.0.0.0/8]}\n").start();
    let mut connections: Vec<TcpStream> = (0..300).map(|_| waiting(&agent)).collect();
    assert!(connections.iter().all(is_open), "a proxy was limited like one address");
    std::fs::write(agent.folder().join("aura.yaml"), "web: {trusted_proxies: []}\n").unwrap();
    assert_eq!(agent.send(&Request::new("POST", "/-/reload")).status, 200);
    // More than one address may have: each that comes takes the place of another.
    connections.retain(is_open);
    connections.extend((0..10).map(|_| waiting(&agent)));
    wait_until("the oldest to go", || connections.iter().filter(|stream| is_open(stream)).count() <= 300);
}

#[test]
fn one_client_of_a_proxy_does_not_use_up_what_others_have() {
    let hash = bcrypt::hash("right", 10).unwrap();
    let setup = Setup::default();
    let file = setup.write("web.yaml", &format!("basic_auth_users: {{ada: '{hash}', bob: '{hash}', eve: '{hash}'}}\n"));
    let config = "web: {trusted_proxies: [127.0.0.1], max_requests: 2}\n";
    let agent = setup.config(config).argument("--web.config.file").argument(file).announced();
    let request = |client: &str| Request::new("GET", "/metrics").header("X-Forwarded-For", client);

    // Guesses, more than may wait of one address.
    let (done, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    let rightful: Vec<u16> = thread::scope(|scope| {
        for guesser in 0..24 {
            let (agent, request, done, refused) = (&agent, &request, &done, &refused);
            scope.spawn(move || {
                for guess in 0.. {
                    if done.load(Relaxed) {
                        break;
                    }
                    let guess = request("192.0.2.1").user("ada", &format!("{guesser} {guess}"));
                    refused.fetch_add(usize::from(agent.send(&guess).status == 503), Relaxed);
                }
            });
        }
        wait_until("the guesser's part of the line to be full", || refused.load(Relaxed) > 50);
        let answers = ["ada", "bob", "eve"].map(|user| agent.send(&request("192.0.2.2").user(user, "right")).status);
        done.store(true, Relaxed);
        answers.into()
    });
    assert_eq!(rightful, [200; 3], "a guesser used up the line of another client");

    // A scrape that is never finished: one for each client.
    let ask = |client: &str| agent.send(&request(client).user("ada", "right")).status;
    let reader = stuck(agent.address(), "X-Forwarded-For: 192.0.2.1\r\nAuthorization: Basic YWRhOnJpZ2h0\r\n");
    for _ in 0..20 {
        assert_eq!(ask("192.0.2.2"), 200);
        thread::sleep(Duration::from_millis(50));
    }
    assert!(is_connected(&agent, &reader), "a client made room for another client of its proxy");
    wait_until("a refusal or room", || ask("192.0.2.1") == 503 || !is_connected(&agent, &reader));
}

#[test]
fn a_proxy_that_does_not_pass_the_upgrade_on_is_named() {
    let agent = Agent::start();
    let answer = agent.send(&Request::new("GET", "/ws/system").header("Connection", "close"));
    assert_eq!((answer.status, answer.error_code().as_str()), (426, "upgrade_required"));
    assert!(answer.text().contains("proxy"), "{}", answer.text());
    let wrong = Setup::default().config("web: {trusted_proxies: [10.0.0.0/8, box]}\n").fail();
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.log.contains("trusted_proxies[1]") && wrong.log.contains("10.0.0.0/8"), "{}", wrong.log);
}
