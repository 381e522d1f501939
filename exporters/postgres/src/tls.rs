//! TLS as libpq means it: what each `sslmode` checks.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use aura_model::{Missing, Reason};
use aura_net::tls::{self, Lenient};
use rustls::{
    ClientConfig, Error, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::SslMode;

/// How TLS is used with a server.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub mode: SslMode,
    pub certificates: Certificates,
    /// The server is spoken to in TLS from the first byte on; version 17 and later.
    pub direct: bool,
    /// The server is told which host is meant.
    pub names_host: bool,
    /// TLS 1.2 is spoken.
    pub older: bool,
    /// TLS 1.3 is spoken.
    pub newer: bool,
}

/// Files with certificates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates {
    pub roots: Option<String>,
    pub certificate: Option<String>,
    pub key: Option<String>,
    /// A list of revoked ones.
    pub revoked: Option<String>,
}

impl Tls {
    /// What the client is told.
    pub(crate) fn mode(&self) -> tokio_postgres::config::SslMode {
        use tokio_postgres::config::SslMode as Theirs;
        match self.mode {
            SslMode::Disable => Theirs::Disable,
            SslMode::Allow | SslMode::Prefer => Theirs::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Theirs::Require,
        }
    }

    /// Reads the certificates; they are read anew for each connection, because they are renewed.
    pub(crate) fn connector(&self) -> Result<MakeRustlsConnect, Missing> {
        let provider = tls::provider();
        let unreadable = |error: Error| Missing::new(Reason::Unreadable, format!("TLS: {error}"));
        let versions: Vec<_> = [(self.newer, &rustls::version::TLS13), (self.older, &rustls::version::TLS12)]
            .into_iter()
            .filter_map(|(spoken, version)| spoken.then_some(version))
            .collect();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(unreadable)?;
        let checks = match (self.mode, &self.certificates.roots) {
            (SslMode::VerifyFull, _) => Some(true),
            (SslMode::VerifyCa, _) | (SslMode::Require, Some(_)) => Some(false),
            _ => None,
        };
        let verifier: Arc<dyn ServerCertVerifier> = match checks {
            None => Arc::new(Lenient { provider, chain: None }),
            Some(names) => {
                let roots = Arc::new(self.roots()?);
                let chain = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                    .with_crls(self.revoked()?)
                    .build()
                    .map_err(|error| Missing::new(Reason::Unreadable, format!("sslrootcert: {error}")))?;
                if names { chain } else { Arc::new(Lenient { provider, chain: Some(chain) }) }
            }
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = match (&self.certificates.certificate, &self.certificates.key) {
            (Some(certificate), Some(key)) => {
                let chain = certificates(Path::new(certificate))?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| Missing::new(Reason::Unreadable, format!("sslkey {key}: {error}")))?;
                builder.with_client_auth_cert(chain, key).map_err(unreadable)?
            }
            (None, None) => builder.with_no_client_auth(),
            (certificate, _) => {
                let (one, other) = if certificate.is_some() { ("sslcert", "sslkey") } else { ("sslkey", "sslcert") };
                let detail = format!("{one} is set and {other} is not: set both, or neither");
                return Err(Missing::new(Reason::NotConfigured, detail));
            }
        };
        config.enable_sni = self.names_host;
        if self.direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(MakeRustlsConnect::new(config))
    }

    /// As in libpq, a list that is not there revokes nothing.
    fn revoked(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, Missing> {
        let Some(path) = self.certificates.revoked.as_deref().map(Path::new).filter(|path| path.exists()) else {
            return Ok(Vec::new());
        };
        let lists = CertificateRevocationListDer::pem_file_iter(path).and_then(Iterator::collect);
        lists.map_err(|error| Missing::new(Reason::Unreadable, format!("sslcrl {}: {error}", path.display())))
    }

    fn roots(&self) -> Result<RootCertStore, Missing> {
        let path = match self.certificates.roots.as_deref() {
            Some("system") => tls::system_roots(),
            path => path.map(PathBuf::from),
        };
        let path = path.ok_or_else(|| {
            let detail = "sslmode verify-ca and verify-full need sslrootcert: the file of the authority that signed the \
                          server's certificate, or system";
            Missing::new(Reason::NotConfigured, detail)
        })?;
        tls::roots(&path).map_err(|missing| Missing { detail: format!("sslrootcert {}", missing.detail), ..missing })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Missing> {
    let bytes = std::fs::read(path).map_err(|error| aura_net::named_file(path, &error))?;
    CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| Missing::new(Reason::Unreadable, format!("{}: {error}", path.display())))
}
