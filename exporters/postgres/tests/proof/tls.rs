//! Every `sslmode` against a server with a certificate: the right one, another host's, an unknown authority's.

use std::{
    fs,
    path::{Path, PathBuf},
};

use aura_model::{Missing, Reason};
use aura_postgres::{ServerOptions, SslMode};
use aura_tests::PostgresServer;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevokedCertParams, date_time_ymd,
};
use tempfile::TempDir;

use crate::watch::{at, first, give, open, sample, statistics};

const ALL: [SslMode; 6] =
    [SslMode::Disable, SslMode::Allow, SslMode::Prefer, SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull];

/// The number of each certificate.
const SERIAL: u64 = 7;

/// An authority and the folder that its certificates are in.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        give(folder.path(), 0o755);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "an authority");
        let key = KeyPair::generate().unwrap();
        fs::write(folder.path().join("ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// A certificate in the name of a host or a role, and its key.
    fn certify(&self, name: &str) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SERIAL.into());
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (at, key_at) =
            (self.folder.path().join(format!("{name}.crt")), self.folder.path().join(format!("{name}.key")));
        fs::write(&at, certificate.pem()).unwrap();
        fs::write(&key_at, key.serialize_pem()).unwrap();
        give(&key_at, 0o600);
        (at, key_at)
    }

    fn roots(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// A server with a certificate for this host, that lets in whom these rules let in.
    fn server(&self, host: &str, rules: &str) -> Option<PostgresServer> {
        PostgresServer::start(&self.settings(host, rules))
    }

    fn settings(&self, host: &str, rules: &str) -> String {
        let (certificate, key) = self.certify(host);
        let file = self.folder.path().join("hba");
        fs::write(&file, format!("local all all trust\n{rules}\n")).unwrap();
        give(&file, 0o644);
        format!(
            "ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\nssl_ca_file = '{}'\nhba_file = '{}'",
            certificate.display(),
            key.display(),
            self.roots().display(),
            file.display()
        )
    }

    /// A list of revoked certificates that names this one.
    fn revoke(&self, serial: u64) -> PathBuf {
        let revoked = RevokedCertParams {
            serial_number: serial.into(),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let path = self.folder.path().join(format!("{serial}.crl"));
        fs::write(&path, list.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
        path
    }
}

fn with(server: &PostgresServer, mode: SslMode, roots: Option<&Path>) -> ServerOptions {
    ServerOptions {
        host: Some("localhost".into()),
        sslmode: Some(mode),
        sslrootcert: roots.map(|path| path.to_string_lossy().into_owned()),
        ..at(server.port(), "postgres")
    }
}

/// Whether the server sees this connection as encrypted.
fn encrypted(server: &PostgresServer, options: ServerOptions) -> Result<bool, Missing> {
    let mut source = open(options);
    let reading = sample(&mut source);
    if let Some(missing) = reading.servers[0].up.missing() {
        return Err(missing.clone());
    }
    statistics(&reading);
    let seen = server.sql(
        "postgres",
        "SELECT bool_and(s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'aura'",
    );
    Ok(seen == "t")
}

#[test]
fn a_server_that_is_who_it_says_is_taken_in_every_mode() {
    let authority = Authority::new();
    let Some(server) = authority.server("localhost", "host all all all trust") else { return };
    for mode in ALL {
        let seen = encrypted(&server, with(&server, mode, Some(&authority.roots())));
        assert_eq!(seen, Ok(mode != SslMode::Disable), "{mode:?}");
    }
}

#[test]
fn the_name_of_another_host_is_refused_by_verify_full_alone() {
    let authority = Authority::new();
    let Some(server) = authority.server("elsewhere.example", "host all all all trust") else { return };
    for mode in ALL {
        let seen = encrypted(&server, with(&server, mode, Some(&authority.roots())));
        if mode == SslMode::VerifyFull {
            let missing = seen.unwrap_err();
            assert_eq!(missing.reason, Reason::Unreachable);
            assert!(missing.detail.contains("certificate") && missing.detail.contains("localhost"), "{missing}");
        } else {
            assert_eq!(seen, Ok(mode != SslMode::Disable), "{mode:?}");
        }
    }
}

#[test]
fn an_unknown_authority_is_refused_where_roots_are_given_or_asked_for() {
    let (authority, other) = (Authority::new(), Authority::new());
    let Some(server) = authority.server("localhost", "host all all all trust") else { return };
    for mode in ALL {
        // As libpq does: `require` with roots checks the chain.
        let seen = encrypted(&server, with(&server, mode, Some(&other.roots())));
        if matches!(mode, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) {
            let missing = seen.unwrap_err();
            assert!(missing.detail.contains("certificate"), "{mode:?}: {missing}");
        } else {
            assert_eq!(seen, Ok(mode != SslMode::Disable), "{mode:?}");
        }
        // Without roots there is nothing to check against.
        let seen = encrypted(&server, with(&server, mode, None));
        if matches!(mode, SslMode::VerifyCa | SslMode::VerifyFull) {
            let missing = seen.unwrap_err();
            assert_eq!(missing.reason, Reason::NotConfigured);
            assert!(missing.detail.contains("sslrootcert"), "{mode:?}: {missing}");
        } else {
            assert_eq!(seen, Ok(mode != SslMode::Disable), "{mode:?}");
        }
    }
}

#[test]
fn a_server_without_tls_is_refused_from_require_on() {
    let Some(server) = PostgresServer::start("") else { return };
    for mode in [SslMode::Disable, SslMode::Allow, SslMode::Prefer] {
        assert_eq!(encrypted(&server, with(&server, mode, None)), Ok(false), "{mode:?}");
    }
    let missing = encrypted(&server, with(&server, SslMode::Require, None)).unwrap_err();
    assert!(missing.detail.contains("TLS") || missing.detail.contains("SSL"), "{missing}");
}

#[test]
fn a_server_that_wants_tls_refuses_those_who_come_without() {
    let authority = Authority::new();
    let Some(server) = authority.server("localhost", "hostssl all all all trust") else { return };
    assert_eq!(encrypted(&server, with(&server, SslMode::Prefer, None)), Ok(true));
    let missing = encrypted(&server, with(&server, SslMode::Disable, None)).unwrap_err();
    assert_eq!(missing.reason, Reason::NoPermission);
}

#[test]
fn a_client_certificate_lets_its_role_in_and_no_other() {
    let authority = Authority::new();
    let Some(server) = authority.server("localhost", "hostssl all all all cert") else { return };
    server.sql("postgres", "CREATE ROLE aura LOGIN; CREATE ROLE other LOGIN");
    let (certificate, key) = authority.certify("aura");
    let signed = |user: &str| ServerOptions {
        user: Some(user.into()),
        sslcert: Some(certificate.to_string_lossy().into()),
        sslkey: Some(key.to_string_lossy().into()),
        ..with(&server, SslMode::VerifyFull, Some(&authority.roots()))
    };
    assert_eq!(encrypted(&server, signed("aura")), Ok(true));
    assert_eq!(first(signed("other")).unwrap_err().reason, Reason::NoPermission);
    let bare = ServerOptions { sslcert: None, sslkey: None, ..signed("aura") };
    first(bare).unwrap_err();
    let half = ServerOptions { sslkey: None, ..signed("aura") };
    let missing = first(half).unwrap_err();
    assert!(missing.detail.contains("sslkey"), "{missing}");
}

#[test]
fn libpqs_other_parameters_of_tls_are_obeyed() {
    let authority = Authority::new();
    let Some(server) = authority.server("localhost", "host all all all trust") else { return };
    let roots = authority.roots();
    let ask = |server: &PostgresServer, parameters: &str| {
        let url = format!(
            "postgres://postgres@localhost:{}/postgres?sslmode=verify-full&sslrootcert={}&{parameters}",
            server.port(),
            roots.display()
        );
        let mut source = open(ServerOptions { url: Some(url.into()), ..ServerOptions::default() });
        let reading = sample(&mut source);
        if let Some(missing) = reading.servers[0].up.missing() {
            return Err(missing.detail.clone());
        }
        Ok(server.sql(
            "postgres",
            "SELECT s.version FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'aura'",
        ))
    };
    for (parameters, version) in [
        ("ssl_max_protocol_version=TLSv1.2", "TLSv1.2"),
        ("ssl_min_protocol_version=TLSv1.3", "TLSv1.3"),
        ("sslsni=0", "TLSv1.3"),
        ("channel_binding=prefer", "TLSv1.3"),
        ("sslcrl=/none", "TLSv1.3"),
    ] {
        assert_eq!(ask(&server, parameters), Ok(version.to_owned()), "{parameters}");
    }
    let list = |serial| format!("sslcrl={}", authority.revoke(serial).display());
    assert!(ask(&server, &list(SERIAL + 1)).is_ok());
    let refused = ask(&server, &list(SERIAL)).unwrap_err();
    assert!(refused.contains("Revoked"), "{refused}");
    // Version 17 is the first that is spoken to in TLS at once.
    assert!(ask(&server, "sslnegotiation=direct").is_err());
    let settings = authority.settings("localhost", "host all all all trust");
    let Some(newer) = PostgresServer::start_version(18, &settings) else { return };
    assert_eq!(ask(&newer, "sslnegotiation=direct"), Ok("TLSv1.3".to_owned()));
}
