//! What clients may not do.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use aura_tests::{Agent, Feed, Random, Request, Response, Setup, receive, wait_until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn pages_from_elsewhere_open_no_feed_and_change_nothing() {
    let agent = Agent::start();
    let own = format!("http://{}", agent.address());
    for origin in ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1"] {
        let feed = Feed::try_connect(agent.address(), "/ws/system", &[("Origin", origin)]);
        assert_eq!(feed.err(), Some(403), "{origin}");
        let answer = agent.send(&Request::new("POST", "/-/reload").header("Origin", origin));
        assert_eq!((answer.status, answer.error_code().as_str()), (403, "foreign_origin"), "{origin}");
    }
    assert!(Feed::try_connect(agent.address(), "/ws/system", &[("Origin", &own)]).is_ok());
    assert_eq!(agent.send(&Request::new("POST", "/-/reload").header("Origin", &own)).status, 200);

    let friend = Setup::default().config("web: {allowed_origins: ['https://wall.example']}\n").start();
    assert!(Feed::try_connect(friend.address(), "/ws/system", &[("Origin", "https://wall.example")]).is_ok());
    assert_eq!(Feed::try_connect(friend.address(), "/ws/system", &[("Origin", "https://x.example")]).err(), Some(403));
}

#[test]
fn on_loopback_only_names_of_this_machine_are_answered() {
    let agent = Setup::default().config("web: {allowed_hosts: [box.example]}\n").start();
    let port = agent.address().port();
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for host in ["localhost", "127.0.0.1", "[::1]", "box.example", &name] {
        let answer = agent.send(&Request::new("GET", "/metrics").host(&format!("{host}:{port}")));
        assert_eq!(answer.status, 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"] {
        for path in ["/metrics", "/", "/api/system", "/ws/system"] {
            let answer = agent.send(&Request::new("GET", path).host(&format!("{host}:{port}")));
            assert_eq!((answer.status, answer.error_code().as_str()), (421, "unknown_host"), "{host} {path}");
        }
    }
}

#[test]
fn every_response_carries_the_headers_that_keep_browsers_strict() {
    let agent = Agent::start();
    let check = |what: &str, answer: &Response| {
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{what}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{what}");
        assert_eq!(answer.header("server"), None, "{what}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{what}");
    };
    for (path, status) in [
        ("/", 200),
        ("/app.js", 200),
        ("/metrics", 200),
        ("/metrics/nothing", 404),
        ("/metrics?collect[]=nothing", 400),
        ("/api/system", 200),
        ("/api/system/history?window=soon", 400),
        ("/nothing", 404),
        ("/-/reload", 405),
        ("/ws/system", 426),
    ] {
        let answer = agent.get(path);
        assert_eq!(answer.status, status, "{path}");
        check(path, &answer);
    }
    for (method, path) in
        [("POST", "/metrics"), ("PUT", "/"), ("DELETE", "/api/system"), ("PATCH", "/app.js"), ("POST", "/ws/system")]
    {
        let answer = agent.send(&Request::new(method, path));
        assert!(matches!(answer.status, 400 | 405), "{method} {path}: {}", answer.status);
        assert!(!answer.error_code().is_empty(), "{method} {path}");
        check(path, &answer);
    }
    let wrong = agent.send(&Request::new("POST", "/metrics"));
    assert_eq!(wrong.status, 405);
    assert!(wrong.header("allow").is_some_and(|allow| allow.contains("GET")), "{:?}", wrong.headers);
}

#[test]
fn no_path_leads_out_of_the_page() {
    let agent = Agent::start();
    for path in [
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/metrics/../../etc/passwd",
        "/metrics/..%2f..%2fetc%2fpasswd",
        "/app.js/../../../etc/passwd",
        "/.%00/etc/passwd",
        "/etc/passwd",
        "/dist/index.html",
        "/src/main.tsx",
    ] {
        let answer = agent.get(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        assert!(!answer.text().contains("root:"), "{path}");
    }
}

fn raw(agent: &Agent, request: &[u8]) -> Option<Response> {
    let mut stream = TcpStream::connect(agent.address()).unwrap();
    stream.set_read_timeout(Some(aura_tests::TIMEOUT)).unwrap();
    // It may be cut off before all of it is said.
    let _ = stream.write_all(request);
    receive(&mut stream).ok()
}

#[test]
fn a_request_that_is_too_large_or_no_http_is_refused() {
    let agent = Agent::start();
    let host = format!("Host: {}\r\n", agent.address());
    let long = "x".repeat(40_000);
    let huge = format!("GET / HTTP/1.1\r\n{host}Cookie: {long}\r\n\r\n");
    assert_eq!(raw(&agent, huge.as_bytes()).map(|answer| answer.status), Some(431));
    let many: String = (0..300).map(|number| format!("X-{number}: 1\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\n{host}{many}\r\n");
    assert_eq!(raw(&agent, many.as_bytes()).map(|answer| answer.status), Some(431));
    let path = format!("GET /{long} HTTP/1.1\r\n{host}\r\n");
    assert!(matches!(raw(&agent, path.as_bytes()).map(|answer| answer.status), Some(414 | 431)));
    for nonsense in [
        &b"hello\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    ] {
        let answer = raw(&agent, nonsense);
        let status = answer.map(|answer| answer.status);
        assert!(matches!(status, None | Some(400 | 505)), "{nonsense:?}: {status:?}");
    }
    assert_eq!(agent.get("/-/healthy").status, 200);
}

/// Bytes of every kind, some of them nearly a request: whatever comes, the next client is served.
#[test]
fn no_sequence_of_bytes_disturbs_it() {
    let agent = Agent::start();
    let mut client = agent.feed();
    client.message();
    let host = agent.address().to_string();
    let pieces: [&[u8]; 16] = [
        b"GET ",
        b"POST ",
        b"/metrics",
        b"/ws/system?interval=",
        b"/api/system/history?window=1m",
        b" HTTP/1.1\r\n",
        b"Host: ",
        host.as_bytes(),
        b"\r\n",
        b"\r\n\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"\x81\xfe\xff\xff\x00\x00",
        b"\xff\x00%%%\xc0\xaf",
    ];
    let mut random = Random::any();
    for _ in 0..300 {
        let bytes: Vec<u8> = (0..random.below(14)).flat_map(|_| random.one_of(&pieces).to_vec()).collect();
        let mut stream = TcpStream::connect(agent.address()).unwrap();
        let _ = stream.write_all(&bytes);
        if random.below(2) == 0 {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    }
    assert_eq!(agent.get("/metrics").status, 200);
    let seq = client.message()["seq"].as_u64();
    assert!(client.message()["seq"].as_u64() > seq);
    assert!(!agent.log().contains("panicked"), "{}", agent.log());
    assert_eq!(agent.scrape("/metrics/aura").value("aura_source_panics_total", &[("source", "host")]), 0.0);
}

#[test]
fn who_trickles_or_says_nothing_is_cut_off() {
    let agent = Agent::start();
    let address = agent.address();
    let attempts: [fn(&mut TcpStream); 3] = [
        |_| {},
        |stream| {
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ");
        },
        |stream| {
            // One byte at a time, for as long as it is taken.
            for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ".iter().chain([&b'x'; 1000]) {
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(50));
            }
        },
    ];
    thread::scope(|scope| {
        for attempt in attempts {
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(aura_tests::TIMEOUT)).unwrap();
                attempt(&mut stream);
                let mut rest = Vec::new();
                // What is not cut off stays for two minutes, which this does not wait for.
                let end = stream.read_to_end(&mut rest).map_err(|error| error.kind());
                assert!(!matches!(end, Err(ErrorKind::WouldBlock)), "it stayed open");
                assert!(!rest.starts_with(b"HTTP/1.1 200"), "half a request was answered");
            });
        }
        // Nobody else is held up meanwhile.
        for _ in 0..20 {
            assert_eq!(agent.get("/-/healthy").status, 200);
            thread::sleep(Duration::from_millis(50));
        }
    });
}

fn open_files(agent: &Agent) -> usize {
    fs::read_dir(format!("/proc/{}/fd", agent.pid().as_raw_nonzero())).map_or(0, Iterator::count)
}

/// More than one address may have, and as many as there are permits for all.
fn crowd(agent: &Agent, from: &[u8], request: &str) -> Vec<TcpStream> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let one = |number: usize| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let host = from[number % from.len()];
        socket.bind(&SocketAddr::from(([127, 0, 0, host], 0)).into()).unwrap();
        socket.connect(&agent.address().into()).unwrap();
        let mut stream = TcpStream::from(socket);
        // Some are let go of while they say it.
        let _ = stream.write_all(request.as_bytes());
        stream
    };
    (0..1100).map(one).collect()
}

#[test]
fn a_crowd_of_strangers_keeps_nobody_out_who_is_known_and_no_supervisor() {
    let setup = Setup::default();
    let users = format!("basic_auth_users: {{ada: '{}'}}\n", bcrypt::hash("right", 4).unwrap());
    let file = setup.write("web.yaml", &users);
    let agent = setup.argument("--web.config.file").argument(file).announced();
    // Her connection is kept, and waits most of the time.
    let mut scraper = TcpStream::connect(agent.address()).unwrap();
    scraper.set_read_timeout(Some(aura_tests::TIMEOUT)).unwrap();
    let mut scrape = || {
        scraper
            .write_all(b"GET /metrics/aura HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRhOnJpZ2h0\r\n\r\n")
            .unwrap();
        receive(&mut scraper).unwrap().status
    };
    assert_eq!(scrape(), 200);
    let refused = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    for (from, request) in [
        (&[1][..], refused),
        (&[1], ""),
        (&[1], "GET / HTTP/1.1\r\nX: "),
        (&[50], refused),
        (&[50, 51, 52, 53, 54, 55], refused),
    ] {
        let crowd = crowd(&agent, from, request);
        for _ in 0..3 {
            assert_eq!(scrape(), 200, "{from:?} {request:?}");
            let fresh = agent.send(&Request::new("GET", "/metrics/aura").user("ada", "right"));
            assert_eq!(fresh.status, 200, "{from:?} {request:?}");
            assert_eq!(agent.get("/-/healthy").status, 200, "{from:?} {request:?}");
        }
        let sockets = open_files(&agent);
        assert!(sockets < 1150, "{sockets} files are open");
        drop(crowd);
    }
}

#[test]
fn where_everybody_is_answered_the_oldest_make_room() {
    let agent = Agent::start();
    let mut client = agent.feed();
    client.message();
    let request = format!("GET /-/healthy HTTP/1.1\r\nHost: {}\r\n\r\n", agent.address());
    let _crowd = crowd(&agent, &[1], &request);
    for path in ["/-/healthy", "/metrics", "/api/system"] {
        assert_eq!(agent.get(path).status, 200, "{path}");
    }
    let seq = client.message()["seq"].as_u64();
    assert!(client.message()["seq"].as_u64() > seq, "the feed stopped");
}

/// Asks again and again and reads nothing, so that one of its scrapes is never finished.
pub(crate) fn stuck(address: SocketAddr, headers: &str) -> TcpStream {
    let mut stuck = TcpStream::connect(address).unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&stuck, 4096).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    let _ = stuck.write_all(request.repeat(150).as_bytes());
    stuck
}

#[test]
fn who_reads_nothing_holds_no_scrape_for_long() {
    // One for each address.
    let agent = Setup::default().config("web: {max_requests: 2}\n").start();
    wait_until("no connections", || agent.get("/-/healthy").status == 200);
    let reader = stuck(agent.address(), "");
    // At first it may only be slow, and others are told to come back.
    wait_until("a refusal or room", || {
        let answer = agent.get("/metrics");
        let refused = answer.status == 503;
        assert!(!refused || answer.error_code() == "too_many_scrapes" && answer.header("retry-after").is_some());
        refused || !is_connected(&agent, &reader)
    });
    assert_eq!(agent.get("/api/system").status, 200, "others are held up");
    wait_until("room", || agent.get("/metrics").status == 200 && !is_connected(&agent, &reader));
}

/// Whether the agent still has its end of this connection.
pub(crate) fn is_connected(agent: &Agent, stream: &TcpStream) -> bool {
    let (near, far) = (stream.local_addr().unwrap().port(), agent.address().port());
    let ends = format!("0100007F:{far:04X} 0100007F:{near:04X} ");
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    // An end that nobody holds any more has no inode.
    table.lines().any(|line| line.contains(&ends) && line.split_whitespace().nth(9) != Some("0"))
}

#[test]
fn who_was_refused_has_to_say_something_better_soon() {
    let setup = Setup::default();
    let users = format!("basic_auth_users: {{ada: '{}'}}\n", bcrypt::hash("right", 4).unwrap());
    let file = setup.write("web.yaml", &users);
    let agent = setup.argument("--web.config.file").argument(file).announced();
    let mut stream = TcpStream::connect(agent.address()).unwrap();
    stream.set_read_timeout(Some(aura_tests::TIMEOUT)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(receive(&mut stream).unwrap().status, 401);
    // Its two minutes are for those who were let in.
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn without_passwords_no_foreign_name_is_answered_wherever_it_listens() {
    let agent = Setup::default().listen(Some("0.0.0.0:0")).argument("--web.allow-unauthenticated").start();
    for (method, path) in [("GET", "/metrics"), ("GET", "/ws/system"), ("POST", "/-/reload"), ("GET", "/-/healthy")] {
        let answer =
            agent.send(&Request::new(method, path).host("evil.example").header("Origin", "http://evil.example"));
        assert_eq!((answer.status, answer.error_code().as_str()), (421, "unknown_host"), "{method} {path}");
        let known = agent.send(&Request::new(method, path));
        assert!(matches!(known.status, 200 | 426), "{method} {path}: {}", known.status);
    }
}
