//! `tls_server_config` as rustls understands it.

use std::{fs, path::Path, sync::Arc};

use rustls::{
    CertificateError, CipherSuite, DigitallySignedStruct, DistinguishedName, Error, ProtocolVersion, RootCertStore,
    ServerConfig, ServerConnection, SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion,
    client::{danger::HandshakeSignatureValid, verify_server_name},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    server::{
        ParsedCertificate, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};

use super::certificates::{Certificates, Pem};
use crate::http::web_config::{ClientAuth, Found, Tls, TlsVersion};

const SECTION: &str = "tls_server_config";

/// TLS as it is spoken: how to shake hands, and what a handshake must have shown.
pub struct Encryption {
    config: Arc<ServerConfig>,
    versions: Vec<ProtocolVersion>,
    suites: Vec<CipherSuite>,
    clients: Option<Verifier>,
    verifies: bool,
}

/// What a handshake has shown.
pub(in crate::http) struct Shown {
    version: Option<ProtocolVersion>,
    suite: Option<CipherSuite>,
    /// The client's certificate and those between it and its authority. That the client has its key is proven.
    certificates: Vec<CertificateDer<'static>>,
}

impl Shown {
    pub(in crate::http) fn of(connection: &ServerConnection) -> Self {
        Self {
            version: connection.protocol_version(),
            suite: connection.negotiated_cipher_suite().map(|suite| suite.suite()),
            certificates: connection.peer_certificates().unwrap_or_default().to_vec(),
        }
    }
}

impl Encryption {
    /// How to shake hands.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Whether a handshake that has shown this, perhaps under other rules, would succeed under these.
    pub(in crate::http) fn admits(&self, shown: &Shown) -> bool {
        let clients = match (&self.clients, shown.certificates.split_first()) {
            (None, _) => true,
            (Some(clients), None) => !clients.client_auth_mandatory(),
            (Some(clients), Some((certificate, others))) => {
                clients.verify_client_cert(certificate, others, UnixTime::now()).is_ok()
            }
        };
        clients
            && shown.version.is_some_and(|version| self.versions.contains(&version))
            && shown.suite.is_some_and(|suite| self.suites.contains(&suite))
    }

    /// Whether what an admitted handshake has shown is a certificate of a known authority.
    pub(in crate::http) fn knows(&self, shown: &Shown) -> bool {
        self.verifies && !shown.certificates.is_empty()
    }
}

/// The server's side of TLS; nothing when a mistake was found.
pub(in crate::http) fn encryption(tls: &Tls, folder: &Path, found: &mut Found<'_>) -> Option<Encryption> {
    let provider = Arc::new(provider(tls, found)?);
    let versions = versions(tls, found)?;
    let certificates = Certificates::new(
        pem(tls.cert_file.as_deref(), tls.cert.as_ref(), ("cert_file", "cert"), folder, found)?,
        pem(tls.key_file.as_deref(), tls.key.as_ref(), ("key_file", "key"), folder, found)?,
        provider.clone(),
    );
    let certificates = match certificates {
        Ok(certificates) => certificates,
        Err(message) => {
            found.add(&format!("{SECTION}.cert_file"), message);
            return None;
        }
    };
    let clients = clients(tls, folder, &provider, found)?;
    let builder = match ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions) {
        Ok(builder) => builder,
        Err(error) => {
            found.add(SECTION, error.to_string());
            return None;
        }
    };
    let suites = builder.crypto_provider().cipher_suites.iter().map(SupportedCipherSuite::suite).collect();
    let builder = match clients.clone() {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ignore_client_order = tls.prefer_server_cipher_suites.unwrap_or(true);
    let versions = versions.iter().map(|version| version.version).collect();
    let verifies = verifies(tls.client_auth_type);
    Some(Encryption { config: Arc::new(config), versions, suites, clients, verifies })
}

fn verifies(kind: ClientAuth) -> bool {
    matches!(kind, ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert)
}

fn pem(
    file: Option<&Path>,
    inline: Option<&crate::http::web_config::Secret>,
    (file_key, inline_key): (&str, &str),
    folder: &Path,
    found: &mut Found<'_>,
) -> Option<Pem> {
    match (file, inline) {
        (Some(file), None) => Some(Pem::File(folder.join(file))),
        (None, Some(text)) => Some(Pem::Inline(text.reveal().into())),
        (Some(_), Some(_)) => {
            found.add(&format!("{SECTION}.{inline_key}"), format!("stands beside {file_key}: write one of them"));
            None
        }
        (None, None) => {
            found.add(SECTION, format!("{file_key} is missing: TLS needs cert_file and key_file"));
            None
        }
    }
}

fn versions(tls: &Tls, found: &mut Found<'_>) -> Option<Vec<&'static SupportedProtocolVersion>> {
    let highest = tls.max_version.unwrap_or(TlsVersion::Tls13);
    if tls.min_version < TlsVersion::Tls12 || highest < TlsVersion::Tls12 {
        let key = if tls.min_version < TlsVersion::Tls12 { "min_version" } else { "max_version" };
        found.add(&format!("{SECTION}.{key}"), "TLS 1.0 and 1.1 are broken and not spoken here: write TLS12 or TLS13");
        return None;
    }
    if tls.min_version > highest {
        found.add(&format!("{SECTION}.max_version"), "is below min_version");
        return None;
    }
    let spoken = [(TlsVersion::Tls13, &TLS13), (TlsVersion::Tls12, &TLS12)];
    let wanted = spoken.into_iter().filter(|(version, _)| (tls.min_version..=highest).contains(version));
    Some(wanted.map(|(_, version)| version).collect())
}

/// The cryptography, narrowed to what the file names. As in Go, TLS 1.3's suites are not negotiable.
fn provider(tls: &Tls, found: &mut Found<'_>) -> Option<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    let (mut suites, mut curves) = (Vec::new(), Vec::new());
    let mut wrong = false;
    for (index, name) in tls.cipher_suites.iter().enumerate() {
        match provider.cipher_suites.iter().find(|suite| is_called(suite, name)) {
            Some(suite) => suites.push(*suite),
            None => {
                let known: Vec<String> = provider.cipher_suites.iter().map(suite_name).collect();
                let message = format!("{name:?} is not offered here; these are: {}", known.join(", "));
                found.add(&format!("{SECTION}.cipher_suites[{index}]"), message);
                wrong = true;
            }
        }
    }
    for (index, name) in tls.curve_preferences.iter().enumerate() {
        let wanted = CURVES.iter().find(|(known, _)| known == name).map(|(_, group)| group);
        let offered = aws_lc_rs::ALL_KX_GROUPS.iter().find(|group| Some(&group.name()) == wanted);
        match offered {
            Some(group) => curves.push(*group),
            None => {
                let known: Vec<_> = CURVES.iter().map(|(known, _)| *known).collect();
                let message = format!("{name:?} is not offered here; these are: {}", known.join(", "));
                found.add(&format!("{SECTION}.curve_preferences[{index}]"), message);
                wrong = true;
            }
        }
    }
    if !suites.is_empty() {
        let fixed = provider.cipher_suites.iter().filter(|suite| suite.tls13().is_some() && !suites.contains(suite));
        suites.extend(fixed.copied().collect::<Vec<_>>());
        provider.cipher_suites = suites;
    }
    if !curves.is_empty() {
        provider.kx_groups = curves;
    }
    (!wrong).then_some(provider)
}

/// Go's names of curves, and the registered names of the same.
const CURVES: &[(&str, rustls::NamedGroup)] = &[
    ("X25519", rustls::NamedGroup::X25519),
    ("CurveP256", rustls::NamedGroup::secp256r1),
    ("CurveP384", rustls::NamedGroup::secp384r1),
    ("X25519MLKEM768", rustls::NamedGroup::X25519MLKEM768),
];

/// The registered name: rustls marks those of TLS 1.3.
fn suite_name(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite()).replace("TLS13_", "TLS_")
}

/// Go has short names for two suites.
fn is_called(suite: &SupportedCipherSuite, name: &str) -> bool {
    let full = suite_name(suite);
    full == name || (name.ends_with("_CHACHA20_POLY1305") && full == format!("{name}_SHA256"))
}

type Verifier = Arc<dyn ClientCertVerifier>;

/// Who may shake hands; nothing inside when nobody is asked for a certificate.
fn clients(
    tls: &Tls,
    folder: &Path,
    provider: &Arc<CryptoProvider>,
    found: &mut Found<'_>,
) -> Option<Option<Verifier>> {
    let mut wrong = |key: &str, message: String| {
        found.add(&format!("{SECTION}.{key}"), message);
        None
    };
    let authority = match (&tls.client_ca_file, &tls.client_ca) {
        (Some(file), None) => Some(("client_ca_file", Pem::File(folder.join(file)))),
        (None, Some(text)) => Some(("client_ca", Pem::Inline(text.reveal().into()))),
        (Some(_), Some(_)) => return wrong("client_ca", "stands beside client_ca_file: write one of them".to_owned()),
        (None, None) => None,
    };
    let verifies = verifies(tls.client_auth_type);
    let authority = match authority {
        Some((key, pem)) if tls.client_auth_type == ClientAuth::NoClientCert => {
            let _ = pem;
            return wrong(key, "has no use with NoClientCert: set client_auth_type".to_owned());
        }
        None if verifies => {
            return wrong("client_auth_type", "needs client_ca_file, to know whom to trust".to_owned());
        }
        Some((key, pem)) if verifies => match verifier(&pem, provider) {
            Ok(verifier) => Some(verifier),
            Err(message) => return wrong(key, message),
        },
        _ => None,
    };
    let mut names = Vec::new();
    for (index, name) in tls.client_allowed_sans.iter().enumerate() {
        match ServerName::try_from(name.clone()) {
            Ok(name) if authority.is_some() => names.push(name),
            Ok(_) => {
                return wrong("client_allowed_sans", "needs RequireAndVerifyClientCert and client_ca_file".to_owned());
            }
            Err(_) => {
                let message = format!("{name:?} is neither a DNS name nor an IP address; others are not checked here");
                return wrong(&format!("client_allowed_sans[{index}]"), message);
            }
        }
    }
    let mandatory =
        matches!(tls.client_auth_type, ClientAuth::RequireAnyClientCert | ClientAuth::RequireAndVerifyClientCert);
    Some(match tls.client_auth_type {
        ClientAuth::NoClientCert => None,
        _ => Some(Arc::new(Clients { mandatory, authority, names, provider: provider.clone() })),
    })
}

fn verifier(authority: &Pem, provider: &Arc<CryptoProvider>) -> Result<Verifier, String> {
    let text = match authority {
        Pem::File(path) => fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?,
        Pem::Inline(text) => text.as_bytes().to_vec(),
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| format!("is not PEM: {error}"))?;
        roots.add(certificate).map_err(|error| format!("holds a certificate that cannot be used: {error}"))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    builder.build().map_err(|error| format!("holds no authority's certificate: {error}"))
}

/// Go's five ways of asking for a client's certificate.
#[derive(Debug)]
struct Clients {
    mandatory: bool,
    /// Who must have signed it; anybody when there is none.
    authority: Option<Verifier>,
    /// Whom it must name; anybody when empty.
    names: Vec<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.authority.as_ref().map_or(&[], |authority| authority.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let Some(authority) = &self.authority else { return Ok(ClientCertVerified::assertion()) };
        let verified = authority.verify_client_cert(certificate, intermediates, now)?;
        let parsed = ParsedCertificate::try_from(certificate)?;
        if self.names.is_empty() || self.names.iter().any(|name| verify_server_name(&parsed, name).is_ok()) {
            return Ok(verified);
        }
        Err(CertificateError::NotValidForName.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
