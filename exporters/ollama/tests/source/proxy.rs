//! Ollama behind a proxy that speaks HTTPS and asks who is there.

use std::{fs, path::Path, sync::Arc, thread::JoinHandle, time::Duration};

use aura_model::{Context, Interval, Reason, Source, Switch};
use aura_ollama::{CommandError, Failure, HostStatus, KeepAlive, Ledger, Ollama, OllamaHost, OllamaOptions, Server};
use aura_ollama_simulator::{Model, Settings, Simulator};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

use super::support::{load, loaded, post, until};

const GIB: u64 = 1 << 30;

/// A proxy before a simulator that lets in who sends this header, checked with the first request of a connection.
struct Proxy {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one and writes its certificate into the file `ca.pem` of a folder.
    fn start(simulator: &Simulator, authorization: &'static str, folder: &Path, is_authority: bool) -> Self {
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        if is_authority {
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            parameters.distinguished_name.push(DnType::CommonName, "an authority");
        }
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel();
        let behind = simulator.address();
        let serve = async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut head = Vec::new();
                    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => return,
                        }
                    }
                    if !String::from_utf8_lossy(&head).contains(authorization) {
                        let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await;
                        let _ = stream.shutdown().await;
                        return;
                    }
                    let mut behind = TcpStream::connect(behind).await.unwrap();
                    behind.write_all(&head).await.unwrap();
                    let _ = copy_bidirectional(&mut stream, &mut behind).await;
                });
            }
        };
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = serve => {}
                    _ = stopped => {}
                }
            });
        });
        Self { port, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn simulator() -> Simulator {
    let simulator = Simulator::start(Settings::default()).unwrap();
    simulator.install(Model::new("llama3.1:8b", 6 * GIB));
    simulator
}

fn watch(entry: serde_json::Value) -> Ollama {
    let host: OllamaHost = serde_json::from_value(entry).unwrap();
    let options = OllamaOptions {
        enabled: Switch::On,
        hosts: vec![host],
        request_timeout: Interval::from_secs(5),
        ..OllamaOptions::default()
    };
    assert_eq!(aura_model::Options::problems(&options), []);
    Ollama::open(&options, &Context::default()).unwrap()
}

#[test]
fn who_shows_the_token_is_let_in_and_a_new_token_is_taken_from_its_file() {
    let (simulator, folder) = (simulator(), tempfile::tempdir().unwrap());
    let proxy = Proxy::start(&simulator, "authorization: Bearer sesame-of-today\r\n", folder.path(), false);
    let file = |name: &str| folder.path().join(name).display().to_string();
    fs::write(file("token"), "sesame-of-yesterday\n").unwrap();
    let url = format!("https://localhost:{}", proxy.port);
    let mut source = watch(json!({ "url": url, "ca_file": file("ca.pem"), "token_file": file("token") }));
    let reading = until(&mut source, 0, "it is not let in", |host| host.status == HostStatus::Away);
    let missing = reading.hosts[0].missing.as_ref().unwrap();
    assert_eq!(missing.reason, Reason::NoPermission, "{missing:?}");
    assert!(missing.detail.contains("401") && missing.detail.contains("token_file"), "{missing:?}");
    fs::write(file("token"), "sesame-of-today\n").unwrap();
    let reading = until(&mut source, 0, "it answers", |host| host.status == HostStatus::Answering);
    assert_eq!((&reading.hosts[0].url, reading.hosts[0].installed.value().unwrap().len()), (&url, 1));
    post(&simulator, r#"{"model":"llama3.1:8b"}"#);
    let reading = until(&mut source, 0, "it is loaded", |host| loaded(host) == Some(vec!["llama3.1:8b".into()]));
    let shown = format!("{reading:?} {}", serde_json::to_string(&reading).unwrap());
    assert!(!shown.contains("sesame"), "{shown}");
}

#[test]
fn models_are_loaded_through_the_proxy_with_user_and_password() {
    let (simulator, folder) = (simulator(), tempfile::tempdir().unwrap());
    // Base64 of `Aladdin:open sesame`.
    let proxy = Proxy::start(&simulator, "authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n", folder.path(), false);
    let file = |name: &str| folder.path().join(name).display().to_string();
    fs::write(file("password"), "open sesame").unwrap();
    let url = format!("https://localhost:{}", proxy.port);
    let entry = json!({ "url": url, "ca_file": file("ca.pem"), "user": "Aladdin", "password_file": file("password") });
    let mut source = watch(entry);
    let reading = until(&mut source, 0, "it answers", |host| host.status == HostStatus::Answering);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let within = Duration::from_secs(20);
    let server = &reading.hosts[0].server;
    runtime.block_on(load(&Ledger::default(), server, &"llama3.1:8b".into(), KeepAlive::Forever, within)).unwrap();
    assert_eq!(simulator.loaded(), ["llama3.1:8b"]);
    let stranger: Server = url.parse().unwrap();
    let refused = runtime
        .block_on(load(&Ledger::default(), &stranger, &"llama3.1:8b".into(), KeepAlive::Forever, within))
        .unwrap_err();
    assert!(matches!(refused, CommandError::Failure(Failure::Unconnected { .. })), "no authority was named: {refused}");
}

#[test]
fn what_cannot_be_trusted_says_what_would_help() {
    let (simulator, folder) = (simulator(), tempfile::tempdir().unwrap());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let says = |entry: serde_json::Value, reason: Reason, word: &str| {
        let reading = until(&mut watch(entry.clone()), 0, "it is away", |host| host.status == HostStatus::Away);
        let missing = reading.hosts[0].missing.as_ref().unwrap();
        assert!(missing.reason == reason && missing.detail.contains(word), "{entry}: {missing:?}");
        assert!(reading.hosts[0].loaded.value().is_none() && reading.hosts[0].installed.value().is_none());
    };
    let proxy = Proxy::start(&simulator, "", folder.path(), false);
    let url = format!("https://localhost:{}", proxy.port);
    fs::rename(file("ca.pem"), file("own.pem")).unwrap();
    let other = Proxy::start(&simulator, "", folder.path(), true);
    says(json!(url), Reason::Unreadable, "ca_file");
    says(json!({ "url": url, "ca_file": file("ca.pem") }), Reason::Unreadable, "name the file of the authority");
    let by_address = format!("https://127.0.0.1:{}", proxy.port);
    says(json!({ "url": by_address, "ca_file": file("own.pem") }), Reason::Unreadable, "not valid for name");
    let authority = format!("https://localhost:{}", other.port);
    says(json!({ "url": authority, "ca_file": file("ca.pem") }), Reason::Unreadable, "CA:FALSE");
    says(json!({ "url": url, "ca_file": file("gone.pem") }), Reason::NotConfigured, "gone.pem");
    fs::write(file("empty.pem"), "").unwrap();
    says(json!({ "url": url, "ca_file": file("empty.pem") }), Reason::Unreadable, "holds no certificate");
    let entry = json!({ "url": url, "ca_file": file("own.pem"), "token_file": file("gone") });
    says(entry, Reason::NotConfigured, "gone");
    let plain = format!("https://localhost:{}", simulator.address().port());
    says(json!({ "url": plain, "ca_file": file("own.pem") }), Reason::Unreadable, "http://");
    let encrypted = format!("http://localhost:{}", proxy.port);
    says(json!(encrypted), Reason::Unreadable, "broke off");
    let mut source = watch(json!({ "url": url, "ca_file": file("own.pem") }));
    until(&mut source, 0, "the right authority is trusted", |host| host.status == HostStatus::Answering);
}
