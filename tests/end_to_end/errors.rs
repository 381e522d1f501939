//! Every error has one shape, whoever finds the mistake.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use aura_tests::{Agent, Contract, Request, Response, Setup, receive, wait_until};

use crate::tls::certify;

/// The page's files, and every documented route: an example of its path, and the methods that it answers.
fn routes() -> Vec<(String, &'static str)> {
    let page = ["/", "/app.js", "/app.css", "/favicon.svg"].map(|path| (path.to_owned(), "GET,HEAD"));
    let documented = Contract::read().routes().into_iter().map(|route| {
        let path = route.target.split('?').next().unwrap_or_default().to_owned();
        (path, if route.method == "GET" { "GET,HEAD" } else { "POST" })
    });
    page.into_iter().chain(documented).collect()
}

#[track_caller]
fn check(what: &str, answer: &Response) -> String {
    let json = answer.json();
    let keys: Vec<&str> = json["error"].as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["code", "hint", "message", "retry_after_s"], "{what}: {json}");
    assert!(json["error"]["code"].is_string() && json["error"]["message"].is_string(), "{what}: {json}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    let wait = json["error"]["retry_after_s"].as_u64().map(|seconds| seconds.to_string());
    assert_eq!(answer.header("retry-after"), wait.as_deref(), "{what}");
    json["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// What comes back to these bytes, and that nothing follows it.
fn raw(agent: &Agent, bytes: &[u8]) -> Response {
    let mut stream = TcpStream::connect(agent.address()).unwrap();
    stream.set_read_timeout(Some(aura_tests::TIMEOUT)).unwrap();
    let _ = stream.write_all(bytes);
    receive(&mut stream).unwrap_or_else(|error| panic!("{}: {error}", bytes.escape_ascii()))
}

#[test]
fn every_mistake_at_every_route_is_answered_in_one_shape() {
    let agent = Agent::start();
    let host = agent.address().to_string();
    let long = "x".repeat(20_000);
    let mut checked = 0;
    for (path, methods) in &routes() {
        let method = methods.split(',').next().unwrap_or_default();
        let get = |target: &str, headers: &str| {
            format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n")
        };
        for (request, status, code) in [
            (format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n\r\n"), 400, "bad_host"),
            (get(path, "Host: localhost\r\n"), 400, "bad_host"),
            (format!("{method} {path} HTTP/1.1\r\nHost: a@b\r\nConnection: close\r\n\r\n"), 400, "bad_host"),
            (format!("{method} http://evil.example{path} HTTP/1.1\r\nHost: {host}\r\n\r\n"), 421, "unknown_host"),
            (get(&format!("{path}?a=%ff"), ""), 400, "bad_encoding"),
            (get(&format!("{path}?a=%z"), ""), 400, "bad_encoding"),
            (get(&format!("{}/%ff", path.trim_end_matches('/')), ""), 400, "bad_encoding"),
            (get(path, "Expect: the unexpected\r\n"), 417, "bad_expectation"),
            (get(path, "Content-Length: 99999\r\n"), 413, "body_too_large"),
            (get(path, "Content-Length: 1\r\nContent-Length: 2\r\n"), 400, "bad_request"),
            (get(path, "Transfer-Encoding: brotli\r\n"), 400, "bad_request"),
            (get(path, "No colon\r\n"), 400, "bad_request"),
            (get(path, "Bad\x01name: x\r\n"), 400, "bad_request"),
            (get(path, &format!("X: {long}\r\n")), 431, "head_too_large"),
            (get(path, &"X: 1\r\n".repeat(200)), 431, "head_too_large"),
            (get(&format!("{path}?{long}"), ""), 414, "uri_too_long"),
            (format!("{method} {path}?{} HTTP/1.1\r\nHost: {host}\r\n\r\n", "x".repeat(15_000)), 0, ""),
            (format!("{method} {path} HTTP/7.1\r\nHost: {host}\r\n\r\n"), 400, "bad_request"),
            (format!("{method}{path}\r\n\r\n"), 400, "bad_request"),
        ] {
            let answer = raw(&agent, request.as_bytes());
            let shown: String = request.chars().take(120).collect();
            if status != 0 {
                assert_eq!(answer.status, status, "{shown}: {}", answer.text());
            }
            if answer.status >= 400 {
                let found = check(&shown, &answer);
                assert!(code.is_empty() || found == code, "{shown}: {found}");
                checked += 1;
            }
        }
        for other in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            if methods.split(',').any(|method| method == other) {
                continue;
            }
            let answer = raw(&agent, &Request::new(other, path).bytes(agent.address()));
            assert_eq!((answer.status, answer.header("allow")), (405, Some(*methods)), "{other} {path}");
            assert_eq!(check(&format!("{other} {path}"), &answer), "wrong_method");
            checked += 1;
        }
    }
    assert!(checked > 500, "{checked}");
    for (request, status) in [
        (format!("OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n"), 405),
        (format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n"), 405),
        (format!("GET * HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400),
        ("hello\r\n\r\n".to_owned(), 400),
    ] {
        let answer = raw(&agent, request.as_bytes());
        assert_eq!(answer.status, status, "{request}");
        check(&request, &answer);
    }
    assert!(!agent.log().contains("panicked"));
}

#[test]
fn what_a_query_says_twice_or_wrongly_is_told() {
    let agent = Setup::default().config("web: {max_requests: 1}\n").start();
    for (target, status, code) in [
        ("/api/system/history?window=1m&window=2m", 400, "bad_query"),
        ("/api/system/history?windows=1m", 400, "bad_query"),
        ("/api/system/history?window=soon", 400, "bad_window"),
        ("/v1/debate/history?limit=abc", 400, "bad_query"),
        ("/v1/debate/history?limit=-1", 400, "bad_query"),
        ("/v1/debate/history?limit=", 400, "bad_query"),
        ("/v1/debate/history?limit=1&limit=2", 400, "bad_query"),
        ("/v1/debate/history?limits=1", 400, "bad_query"),
        ("/api/governance/audit-logs?limit=1&limit=2", 400, "bad_query"),
        ("/api/governance/audit-logs?limits=1", 400, "bad_query"),
        ("/api/governance/audit-logs?limit=x", 400, "bad_number"),
        ("/probe?target=a:1&target=b:1", 400, "bad_query"),
        ("/probe?target=a:1", 404, "not_configured"),
        ("/metrics?collect[]=nothing", 400, "bad_filter"),
        ("/metrics/nothing", 404, "unknown_part"),
        ("/api/nothing", 404, "unknown_feed"),
        ("/ws/nothing", 404, "unknown_feed"),
        ("/ws/system", 426, "upgrade_required"),
        ("/nothing", 404, "not_found"),
        ("/%zz", 400, "bad_encoding"),
    ] {
        let answer = agent.get(target);
        assert_eq!((answer.status, check(target, &answer).as_str()), (status, code), "{target}: {}", answer.text());
    }
    let websocket = |headers: &[(&str, &str)], target: &str| {
        let request = Request::new("GET", target).header("Connection", "Upgrade").header("Upgrade", "websocket");
        agent.send(&headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
    };
    let key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let version = ("Sec-WebSocket-Version", "13");
    for (headers, target, status, code) in [
        (&[][..], "/ws/system", 426, "websocket_version"),
        (&[version], "/ws/system", 400, "bad_handshake"),
        (&[version, key, ("Origin", "http://evil.example")], "/ws/system", 403, "foreign_origin"),
        (&[version, key], "/ws/system?interval=never", 400, "bad_interval"),
        (&[version, key], "/ws/system?interval=1s&interval=2s", 400, "bad_interval"),
    ] {
        let answer = websocket(headers, target);
        assert_eq!((answer.status, check(target, &answer).as_str()), (status, code), "{target}");
        assert_eq!(answer.header("upgrade").is_some(), status == 426, "{target}");
    }
}

#[test]
fn a_wrong_secret_is_told_how_to_show_a_right_one() {
    let setup = Setup::default();
    setup.write("token", "0123456789abcdef0123456789abcdef");
    let agent = setup.config("web: {control_token_file: token}\n").announced();
    let answer = agent.send(&Request::new("POST", "/v1/models/load"));
    assert_eq!((answer.status, check("load", &answer).as_str()), (401, "unauthorized"));
    assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")));
}

#[test]
fn half_a_request_is_told_that_it_came_too_slowly() {
    let agent = Agent::start();
    let answer = raw(&agent, b"GET /metrics HTTP/1.1\r\nHost: ");
    assert_eq!((answer.status, check("half a request", &answer).as_str()), (408, "too_slow"));
    // Who says nothing is told nothing: browsers open connections that they may need later.
    let mut silent = TcpStream::connect(agent.address()).unwrap();
    silent.set_read_timeout(Some(aura_tests::TIMEOUT)).unwrap();
    let mut said = Vec::new();
    let _ = silent.read_to_end(&mut said);
    assert_eq!(said, b"");
}

#[test]
fn the_wrong_protocol_is_told_so() {
    let setup = Setup::default();
    let authority = certify(setup.folder());
    let web = setup.write("web.yaml", "tls_server_config: {cert_file: certificate.pem, key_file: key.pem}\n");
    let agent = setup.argument("--web.config.file").argument(web).announced();
    let answer = raw(&agent, &Request::new("GET", "/metrics").bytes(agent.address()));
    assert_eq!((answer.status, check("plain HTTP", &answer).as_str()), (400, "plain_http"));
    assert!(answer.text().contains("https://"), "{}", answer.text());
    let mut wire = authority.connect(agent.address());
    wire.write_all(b"hello\r\n\r\n").unwrap();
    let answer = receive(&mut wire).unwrap();
    assert_eq!((answer.status, check("nonsense over TLS", &answer).as_str()), (400, "bad_request"));

    let plain = Setup::default().argument("--log.level=debug").start();
    let mut wire = authority.connect(plain.address());
    let refused = wire.write_all(b"GET / HTTP/1.1\r\n\r\n").and_then(|()| wire.read(&mut [0])).unwrap_err();
    // Nothing came that was no TLS: the connection was closed.
    assert_ne!(refused.kind(), std::io::ErrorKind::InvalidData, "{refused}");
    wait_until("a line in the log", || plain.log().contains("speaks TLS where plain HTTP is spoken"));
}

/// A head is the same, a body is none.
#[test]
fn head_is_get_without_a_body() {
    let agent = Setup::default().config("sources: {host: {interval: 20s}}\n").start();
    for (path, methods) in &routes() {
        if !methods.contains("HEAD") {
            continue;
        }
        let connection = |method: &str| {
            let mut stream = TcpStream::connect(agent.address()).unwrap();
            stream.set_read_timeout(Some(aura_tests::TIMEOUT)).unwrap();
            stream.write_all(&Request::new(method, path).bytes(agent.address())).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            let at = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
            let head = String::from_utf8(answer[..at].to_vec()).unwrap();
            // What changes from one moment to the next: the time, and the length of what is counted.
            let lines = head.lines().filter(|line| !line.starts_with("date:") && !line.starts_with("content-length:"));
            (lines.map(str::to_owned).collect::<Vec<_>>(), head.contains("content-length:"), answer.len() - at - 4)
        };
        let (get, head) = (connection("GET"), connection("HEAD"));
        assert_eq!((&head.0, head.1), (&get.0, get.1), "{path}");
        assert!(head.2 == 0 && get.2 > 0, "{path}");
        let kept = if matches!(path.as_str(), "/" | "/app.js" | "/app.css" | "/favicon.svg") {
            "no-cache"
        } else {
            "no-store"
        };
        assert!(get.0.contains(&format!("cache-control: {kept}")), "{path}: {:?}", get.0);
    }
}

#[test]
fn what_a_client_has_is_not_sent_again() {
    let agent = Agent::start();
    let ask = |headers: &[(&str, &str)]| {
        let request = Request::new("GET", "/app.js");
        agent.send(&headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
    };
    let (plain, packed) = (ask(&[]), ask(&[("Accept-Encoding", "gzip")]));
    let tag = |answer: &Response| answer.header("etag").unwrap_or_default().to_owned();
    assert_ne!(tag(&plain), tag(&packed));
    for (headers, status) in [
        (vec![("If-None-Match", tag(&plain))], 304),
        (vec![("If-None-Match", format!("W/{}", tag(&plain)))], 304),
        (vec![("If-None-Match", format!("\"other\", W/\"more\" , {}", tag(&plain)))], 304),
        (vec![("If-None-Match", "\"other\"".to_owned()), ("If-None-Match", tag(&plain))], 304),
        (vec![("If-None-Match", "*".to_owned())], 304),
        (vec![("If-None-Match", tag(&packed))], 200),
        (vec![("If-None-Match", tag(&packed)), ("Accept-Encoding", "gzip".to_owned())], 304),
        (vec![("If-None-Match", "\"other\"".to_owned())], 200),
        (vec![("If-None-Match", tag(&plain).trim_matches('"').to_owned())], 200),
        (vec![("Accept-Encoding", "identity;q=0".to_owned())], 406),
    ] {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = ask(&headers);
        assert_eq!(answer.status, status, "{headers:?}");
        if status == 304 {
            assert!(answer.body.is_empty() && answer.header("vary") == Some("accept-encoding"), "{:?}", answer.headers);
            assert!(answer.header("etag").is_some(), "{:?}", answer.headers);
        }
    }
}
