//! Behind a proxy: what `docs/operation.md` says that nginx must pass on is enough.

use std::{fmt::Write as _, io::Write, net::SocketAddr, process::Command};

use aura_tests::{Agent, Authority, Feed, Peer, Request, Setup, needs, receive, wait_until};
use tempfile::TempDir;

use crate::tls::certify;

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
            [root, below, encrypted].iter().all(|address| std::net::TcpStream::connect(address).is_ok())
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

#[test]
fn a_proxy_that_does_not_pass_the_upgrade_on_is_named() {
    let agent = Agent::start();
    let answer = agent.ask(&Request::new("GET", "/ws/system").header("Connection", "close"));
    assert_eq!((answer.status, answer.error_code().as_str()), (426, "upgrade_required"));
    assert!(answer.text().contains("proxy"), "{}", answer.text());
    let wrong = Setup::default().config("web: {trusted_proxies: [10.0.0.0/8, box]}\n").fail();
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.log.contains("trusted_proxies[1]") && wrong.log.contains("10.0.0.0/8"), "{}", wrong.log);
}
