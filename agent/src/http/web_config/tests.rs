use std::{fs, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::ServerName};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::config::{Config, Override, Overrides};

/// A folder with an authority, a server's certificate, a client's, and a stranger's.
struct Certified {
    folder: TempDir,
    authority: String,
}

impl Certified {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters.clone(), KeyPair::generate().unwrap()).unwrap();
        let stranger = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let this = Self { folder, authority: issuer.pem() };
        this.write("ca.pem", &issuer.pem());
        for (name, host, signer) in [
            ("server", "localhost", &issuer),
            ("client", "dashboard.lan", &issuer),
            ("stranger", "localhost", &stranger),
        ] {
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, signer).unwrap();
            this.write(&format!("{name}.pem"), &certificate.pem());
            this.write(&format!("{name}.key"), &key.serialize_pem());
        }
        this
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn load(&self, text: &str) -> Result<WebConfig, String> {
        self.write("web.yaml", text);
        let folder = self.folder.path().display().to_string() + "/";
        WebConfig::load(&self.folder.path().join("web.yaml"))
            .map_err(|problems| problems.to_string().replace(&folder, ""))
    }

    fn tls(&self, more: &str) -> Arc<ServerConfig> {
        let text = format!("tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n{more}");
        self.load(&text).unwrap_or_else(|problems| panic!("{problems}")).tls().unwrap().config()
    }

    fn client(&self, name: Option<&str>, versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let builder = builder.with_root_certificates(roots);
        match name {
            Some(name) => {
                let file = |kind: &str| self.folder.path().join(format!("{name}.{kind}"));
                let chain = vec![CertificateDer::from_pem_file(file("pem")).unwrap()];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(file("key")).unwrap()).unwrap()
            }
            None => builder.with_no_client_auth(),
        }
    }
}

/// Shakes hands in memory and sends a word each way: whether that worked, and which certificate was shown.
fn meet(server: Arc<ServerConfig>, mut client: ClientConfig) -> Result<Vec<u8>, String> {
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let served = async {
            let mut stream = tokio_rustls::TlsAcceptor::from(server).accept(far).await?;
            let mut word = [0; 4];
            stream.read_exact(&mut word).await?;
            stream.write_all(&word).await?;
            stream.shutdown().await
        };
        let connected = async {
            let name = ServerName::try_from("localhost").unwrap();
            let mut stream = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, near).await?;
            stream.write_all(b"ping").await?;
            let mut word = [0; 4];
            stream.read_exact(&mut word).await?;
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
            Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
        };
        let (served, connected): (std::io::Result<()>, std::io::Result<Vec<u8>>) = tokio::join!(served, connected);
        served.map_err(|error| error.to_string())?;
        connected.map_err(|error| error.to_string())
    })
}

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

#[test]
fn tls_is_spoken_in_the_versions_that_the_file_names() {
    let certified = Certified::new();
    for (more, tls12, tls13) in [
        ("", true, true),
        ("  min_version: TLS13\n", false, true),
        ("  max_version: TLS12\n", true, false),
        ("  cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305]\n  curve_preferences: [CurveP256]\n", true, true),
        ("  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n", false, true),
    ] {
        let server = certified.tls(more);
        for (version, expected) in [(&rustls::version::TLS12, tls12), (&rustls::version::TLS13, tls13)] {
            let met = meet(server.clone(), certified.client(None, &[version]));
            assert_eq!(met.is_ok(), expected, "{more:?} {:?}: {met:?}", version.version);
        }
    }
}

#[test]
fn the_five_ways_to_ask_for_a_client_certificate() {
    let certified = Certified::new();
    let ca = "  client_ca_file: ca.pem\n";
    for (kind, more, none, ours, strangers) in [
        ("NoClientCert", "", true, true, true),
        ("RequestClientCert", "", true, true, true),
        ("RequireAnyClientCert", "", false, true, true),
        ("VerifyClientCertIfGiven", ca, true, true, false),
        ("RequireAndVerifyClientCert", ca, false, true, false),
    ] {
        let server = certified.tls(&format!("  client_auth_type: {kind}\n{more}"));
        for (client, expected) in [(None, none), (Some("client"), ours), (Some("stranger"), strangers)] {
            for version in BOTH {
                let met = meet(server.clone(), certified.client(client, &[version]));
                assert_eq!(met.is_ok(), expected, "{kind} {client:?} {:?}: {met:?}", version.version);
            }
        }
    }
}

#[test]
fn only_named_clients_come_in_where_names_are_listed() {
    let certified = Certified::new();
    let server = |names: &str| {
        let more = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";
        certified.tls(&format!("{more}  client_allowed_sans: {names}\n"))
    };
    assert!(meet(server("[other.lan, dashboard.lan]"), certified.client(Some("client"), BOTH)).is_ok());
    assert!(meet(server("[other.lan, 10.0.0.1]"), certified.client(Some("client"), BOTH)).is_err());
}

#[test]
fn certificate_and_key_may_stand_in_the_file_itself() {
    let certified = Certified::new();
    let inline = |name: &str| {
        let text = fs::read_to_string(certified.folder.path().join(name)).unwrap();
        text.lines().map(|line| format!("    {line}\n")).collect::<String>()
    };
    let text = format!("tls_server_config:\n  cert: |\n{}  key: |\n{}", inline("server.pem"), inline("server.key"));
    let server = certified.load(&text).unwrap_or_else(|problems| panic!("{problems}")).tls().unwrap();
    assert!(meet(server.config(), certified.client(None, BOTH)).is_ok());
}

#[test]
fn every_mistake_in_the_file_is_named_and_nothing_secret_is() {
    let certified = Certified::new();
    let pair = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";
    for (text, message) in [
        (
            "tls_server_config: {cert_file: server.pem}",
            "web.yaml:1:20: tls_server_config: key_file is missing: TLS needs cert_file and key_file",
        ),
        (
            "tls_server_config: {cert_file: none.pem, key_file: server.key}",
            "web.yaml:1:32: tls_server_config.cert_file: none.pem: No such file or directory (os error 2)",
        ),
        (
            "tls_server_config: {cert_file: server.key, key_file: server.key}",
            "web.yaml:1:32: tls_server_config.cert_file: server.key holds no certificate (BEGIN CERTIFICATE)",
        ),
        (
            "tls_server_config: {cert_file: server.pem, key_file: server.pem}",
            "web.yaml:1:32: tls_server_config.cert_file: server.pem holds no private key that can be read (BEGIN PRIVATE KEY)",
        ),
        (
            "tls_server_config: {cert_file: server.pem, key_file: client.key}",
            "web.yaml:1:32: tls_server_config.cert_file: server.pem and client.key do not go together: keys may not be consistent: KeyMismatch",
        ),
        (
            &format!("{pair}  min_version: TLS10\n"),
            "web.yaml:4:16: tls_server_config.min_version: TLS 1.0 and 1.1 are broken and not spoken here: write TLS12 or TLS13",
        ),
        (
            &format!("{pair}  min_version: SSL3\n"),
            "web.yaml:4:16: tls_server_config.min_version: \"SSL3\" is none of TLS10, TLS11, TLS12, TLS13",
        ),
        (
            &format!("{pair}  curve_preferences: [CurveP521]\n"),
            "web.yaml:4:23: tls_server_config.curve_preferences[0]: \"CurveP521\" is not offered here; these are: X25519, CurveP256, CurveP384, X25519MLKEM768",
        ),
        (
            &format!("{pair}  client_ca_file: ca.pem\n"),
            "web.yaml:4:19: tls_server_config.client_ca_file: has no use with NoClientCert: set client_auth_type",
        ),
        (
            &format!("{pair}  client_auth_type: RequireAndVerifyClientCert\n"),
            "web.yaml:4:21: tls_server_config.client_auth_type: needs client_ca_file, to know whom to trust",
        ),
        (
            &format!("{pair}  client_auth: x\n"),
            "web.yaml:4:3: tls_server_config.client_auth: unknown key; did you mean \"client_auth_type\"?",
        ),
        (
            "basic_auth_users: {ada: hunter2}",
            "web.yaml:1:25: basic_auth_users.ada: is no bcrypt hash: make one with `htpasswd -nBC 10 \"\"`",
        ),
        ("basic_auth_users: {ada: [hunter2]}", "web.yaml:1:25: basic_auth_users.ada: expected text, found a list"),
        (
            "basic_auth_users: {ada: $2y$31$Zbr7Pm2Y.6aAkWHgPm2Yd.d2mzBWfMpmfWSJQfMp7CDyLuYqTIoxa}",
            "web.yaml:1:25: basic_auth_users.ada: has cost 31: 16 is the highest taken here",
        ),
        (
            "http_server_config: {headers: {Server: aura}}",
            "web.yaml:1:40: http_server_config.headers.Server: cannot be set; these can: Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection",
        ),
        (
            "rate: {interval: 1s}",
            "web.yaml:1:1: rate: unknown key; known here: tls_server_config, http_server_config, basic_auth_users, rate_limit",
        ),
        ("rate_limit: {burst: 3}", "web.yaml:1:13: rate_limit: the key \"interval\" is missing"),
    ] {
        let Err(found) = certified.load(text) else { panic!("accepted: {text}") };
        assert_eq!(found, message, "{text}");
        assert!(!found.contains("hunter2"));
    }
}

#[test]
fn headers_and_warnings_come_from_the_file() {
    let certified = Certified::new();
    let hash = bcrypt::hash("x", 4).unwrap();
    let text = format!(
        "http_server_config: {{http2: true, headers: {{x-frame-options: DENY}}}}\nbasic_auth_users: {{a: {hash}}}\n\
         rate_limit: {{interval: 1h, burst: 2}}\n"
    );
    let Ok(config) = certified.load(&text) else { panic!("refused") };
    assert_eq!(config.headers(), [(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"))]);
    assert_eq!(config.warnings.len(), 2);
    assert!(config.tls().is_none() && config.authenticator().is_some());
    let limit = config.rate_limit().unwrap();
    let now = std::time::Instant::now();
    let admitted = (0..5).filter(|_| limit.check(now).is_ok()).count();
    assert_eq!(admitted, 2);
}

#[test]
fn an_address_that_strangers_reach_needs_a_door() {
    let certified = Certified::new();
    let of = |address: &str, web: Option<&str>, more: &[(&'static str, &str)]| {
        let mut flags = vec![("web.listen_address", address.to_owned())];
        if let Some(text) = web {
            certified.write("web.yaml", text);
            flags.push(("web.config_file", certified.folder.path().join("web.yaml").display().to_string()));
        }
        flags.extend(more.iter().map(|(path, value)| (*path, (*value).to_owned())));
        let flags = flags.into_iter().map(|(path, value)| Override { flag: "--flag", path, values: vec![value] });
        // A file that says nothing, lest this machine's own one says something.
        certified.write("empty.yaml", "");
        let file = Some(certified.folder.path().join("empty.yaml"));
        let Ok(loaded) = Config::load(&Overrides { file, flags: flags.collect() }, &[]) else { panic!("refused") };
        WebConfig::of(&loaded).map(|_| ()).map_err(|problems| problems.to_string())
    };
    let pair = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";
    let users = format!("basic_auth_users: {{a: {}}}", bcrypt::hash("x", 4).unwrap());
    let verified = format!("{pair}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n");
    let unverified = format!("{pair}  client_auth_type: RequireAnyClientCert\n");
    for address in ["127.0.0.1:9205", "127.8.8.8:1", "[::1]:9205", "localhost:9205"] {
        assert_eq!(of(address, None, &[]), Ok(()), "{address}");
    }
    for address in [":9205", "0.0.0.0:9205", "[::]:9205", "10.0.0.1:9205", "box.lan:9205", "[::ffff:10.0.0.1]:1"] {
        for web in [None, Some(pair), Some(&unverified)] {
            let message = of(address, web, &[]).expect_err(address);
            assert!(message.starts_with("--flag: web.listen_address: "), "{message}");
            assert!(message.contains("basic_auth_users") && message.contains("allow_unauthenticated"), "{message}");
        }
        for web in [users.as_str(), &verified] {
            assert_eq!(of(address, Some(web), &[]), Ok(()), "{address}");
        }
        assert_eq!(of(address, None, &[("web.allow_unauthenticated", "true")]), Ok(()), "{address}");
    }
}
