//! The same over TLS.

use std::{fs, io::Write, net::TcpStream, path::Path};

use aura_tests::{Agent, Authority, Feed, Request, Setup, receive, wait_until};
use rustix::process::Signal;

/// Puts a new certificate and its key into a folder, and returns what trusts it.
pub(crate) fn certify(folder: &Path) -> Authority {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
    Authority::of(&made.cert.pem())
}

fn encrypted() -> (Agent, Authority) {
    let setup = Setup::default();
    let authority = certify(setup.folder());
    let tls = "tls_server_config: {cert_file: certificate.pem, key_file: key.pem}\n";
    let file = setup.write("web.yaml", tls);
    let agent = setup.argument("--web.config.file").argument(file).announced();
    wait_until("the first reading", || ask(&agent, &authority, "/-/ready") == Some(200));
    (agent, authority)
}

/// The status of an answer; none when the certificate is not trusted.
fn ask(agent: &Agent, authority: &Authority, path: &str) -> Option<u16> {
    let mut wire = authority.connect(agent.address());
    wire.write_all(&Request::new("GET", path).bytes(agent.address())).ok()?;
    Some(receive(&mut wire).ok()?.status)
}

fn feed(agent: &Agent, authority: &Authority) -> Feed {
    let url = format!("wss://localhost:{}/ws/system", agent.address().port());
    Feed::over(authority.connect(agent.address()), &url, &[]).unwrap()
}

#[test]
fn page_metrics_and_feed_are_there_and_the_close_frame_too() {
    let (mut agent, authority) = encrypted();
    assert!(agent.log().contains(&format!("open https://{}/", agent.address())), "{}", agent.log());
    for path in ["/", "/metrics", "/api/system"] {
        assert_eq!(ask(&agent, &authority, path), Some(200), "{path}");
    }
    let mut clients: Vec<Feed> = (0..5).map(|_| feed(&agent, &authority)).collect();
    for client in &mut clients {
        let seq = client.message()["seq"].as_u64();
        assert!(client.message()["seq"].as_u64() > seq);
    }
    agent.signal(Signal::TERM);
    for client in &mut clients {
        assert_eq!(client.close_code(), Some(1001));
    }
    let status = agent.wait();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_new_certificate_is_used_without_a_restart() {
    let (agent, old) = encrypted();
    let mut client = feed(&agent, &old);
    client.message();
    let new = certify(agent.folder());
    wait_until("the new certificate", || ask(&agent, &new, "/-/healthy") == Some(200));
    assert_eq!(ask(&agent, &old, "/-/healthy"), None, "the old certificate is still shown");
    client.message();

    // A certificate that does not fit its key is not taken: the one before stays in use.
    fs::write(agent.folder().join("certificate.pem"), "no certificate\n").unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&agent, &new, "/-/healthy"), Some(200));
    }
}

#[test]
fn who_does_not_speak_tls_is_turned_away_and_holds_nobody_up() {
    let (agent, authority) = encrypted();
    let mut plain = TcpStream::connect(agent.address()).unwrap();
    plain.set_read_timeout(Some(aura_tests::TIMEOUT)).unwrap();
    plain.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(receive(&mut plain).map(|answer| answer.status).ok(), Some(400), "only told to speak TLS");
    let silent: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(agent.address()).unwrap()).collect();
    assert_eq!(ask(&agent, &authority, "/metrics"), Some(200));
    drop(silent);
}

#[test]
fn a_certificate_that_is_not_there_keeps_it_from_starting() {
    let setup = Setup::default();
    let file = setup.write("web.yaml", "tls_server_config: {cert_file: gone.pem, key_file: gone.key}\n");
    let ended = setup.argument("--web.config.file").argument(file).fail();
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    assert!(ended.log.contains("gone.pem"), "{}", ended.log);
}
