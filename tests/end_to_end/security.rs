//! What clients may not do.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use aura_tests::{Agent, Feed, Request, Response, Setup, receive, wait_until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn pages_from_elsewhere_open_no_feed_and_change_nothing() {
    let agent = Agent::start();
    let own = format!("http://{}", agent.address());
    for origin in ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1"] {
        let feed = Feed::try_connect(agent.address(), "/ws/system", &[("Origin", origin)]);
        assert_eq!(feed.err(), Some(403), "{origin}");
        let answer = agent.ask(&Request::new("POST", "/-/reload").header("Origin", origin));
        assert_eq!((answer.status, answer.error_code().as_str()), (403, "foreign_origin"), "{origin}");
    }
    assert!(Feed::try_connect(agent.address(), "/ws/system", &[("Origin", &own)]).is_ok());
    assert_eq!(agent.ask(&Request::new("POST", "/-/reload").header("Origin", &own)).status, 200);

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
        let answer = agent.ask(&Request::new("GET", "/metrics").host(&format!("{host}:{port}")));
        assert_eq!(answer.status, 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"] {
        for path in ["/metrics", "/", "/api/system", "/ws/system"] {
            let answer = agent.ask(&Request::new("GET", path).host(&format!("{host}:{port}")));
            assert_eq!((answer.status, answer.error_code().as_str()), (421, "unknown_host"), "{host} {path}");
        }
    }
}

#[test]
fn every_answer_carries_the_fields_that_keep_browsers_strict() {
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
        let answer = agent.ask(&Request::new(method, path));
        assert!(matches!(answer.status, 400 | 405), "{method} {path}: {}", answer.status);
        assert!(!answer.error_code().is_empty(), "{method} {path}");
        check(path, &answer);
    }
    let wrong = agent.ask(&Request::new("POST", "/metrics"));
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
    stream.set_read_timeout(Some(aura_tests::PATIENCE)).unwrap();
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
    let mut seed = 0x1234_5678_9ABC_DEF0_u64;
    let mut choose = |limit: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % limit
    };
    for _ in 0..300 {
        let bytes: Vec<u8> =
            (0..choose(14)).flat_map(|_| pieces[choose(pieces.len() as u64) as usize].to_vec()).collect();
        let mut stream = TcpStream::connect(agent.address()).unwrap();
        let _ = stream.write_all(&bytes);
        if choose(2) == 0 {
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
                let begun = Instant::now();
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(aura_tests::PATIENCE)).unwrap();
                attempt(&mut stream);
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest);
                assert!(!rest.starts_with(b"HTTP/1.1 200"), "half a request was answered");
                // The limit is 5 s; what is not cut off would stay for two minutes.
                let open = begun.elapsed();
                assert!(open < Duration::from_secs(15), "it stayed open for {open:?}");
            });
        }
        // Nobody else is held up meanwhile.
        for _ in 0..20 {
            assert_eq!(agent.get("/-/healthy").status, 200);
            thread::sleep(Duration::from_millis(50));
        }
    });
}

#[test]
fn more_connections_than_there_are_places_are_refused_and_places_become_free_again() {
    const PLACES: usize = 1024;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let agent = Agent::start();
    // A client of the feed needs no place among those who speak HTTP.
    let mut client = agent.feed();
    client.message();
    // Each has had an answer and may ask again, so it keeps its place for a while.
    let request = format!("GET /-/healthy HTTP/1.1\r\nHost: {}\r\n\r\n", agent.address());
    let one = || {
        let mut stream = TcpStream::connect(agent.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        assert_eq!(receive(&mut stream).unwrap().status, 200);
        stream
    };
    let crowd: Vec<TcpStream> = (0..PLACES).map(|_| one()).collect();
    let refused = raw(&agent, &Request::new("GET", "/").bytes(agent.address())).expect("a refusal");
    assert_eq!((refused.status, refused.error_code().as_str()), (503, "too_many_connections"));
    assert!(refused.header("retry-after").is_some());
    let seq = client.message()["seq"].as_u64();
    assert!(client.message()["seq"].as_u64() > seq, "the feed stopped");
    drop(crowd);
    wait_until("a free place", || {
        let mut stream = TcpStream::connect(agent.address()).unwrap();
        let sent = stream.write_all(&Request::new("GET", "/-/healthy").bytes(agent.address()));
        sent.is_ok() && receive(&mut stream).is_ok_and(|answer| answer.status == 200)
    });
}

#[test]
fn more_scrapes_at_once_than_allowed_are_told_to_come_back() {
    let agent = Setup::default().config("web: {max_requests: 1}\n").start();
    let address = agent.address();
    // Asks again and again and reads nothing, so that one of its scrapes is never finished.
    let mut stuck = TcpStream::connect(address).unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&stuck, 4096).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stuck.write_all(request.repeat(150).as_bytes()).unwrap();
    let refused =
        aura_tests::wait_for("a refusal", || Some(agent.get("/metrics")).filter(|answer| answer.status == 503));
    assert_eq!(refused.error_code(), "too_many_scrapes");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(agent.get("/api/system").status, 200, "others are held up");
    drop(stuck);
    wait_until("a place", || agent.get("/metrics").status == 200);
    let refusals = || agent.scrape("/metrics").value("aura_scrapes_refused_total", &[]);
    wait_until("the refusals to be counted", || refusals() >= 1.0);
}
