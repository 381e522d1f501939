//! HTTPS, as a proxy before Ollama speaks it. Ollama itself speaks none.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use aura_model::{Missing, Reason};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Server, server::no_file};

/// Where systems keep the authorities that they trust.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Encrypts a connection, or says why the other side is not trusted. Certificates of authorities are read anew for
/// each connection, because they are renewed.
pub(crate) async fn encrypt(stream: TcpStream, server: &Server) -> Result<TlsStream<TcpStream>, Missing> {
    let unreadable = |error: &dyn std::fmt::Display| Missing::new(Reason::Unreadable, format!("TLS: {error}"));
    let roots = roots(server.ca_file.as_deref())?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unreadable(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(server.address.host().to_owned()).map_err(|error| unreadable(&error))?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| {
        let help = help(&error);
        Missing::new(Reason::Unreadable, format!("TLS: {error}{help}"))
    })
}

fn help(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "; name the file of the authority that signed its certificate in ca_file"
        }
        Some(Error::InvalidCertificate(CertificateError::Other(_))) => {
            "; a certificate that a server shows must not be an authority's: make it with basicConstraints=CA:FALSE"
        }
        Some(Error::InvalidMessage(_)) => "; does it speak plain HTTP there? Then write http://",
        _ => "",
    }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Missing> {
    let system = || SYSTEM_ROOTS.iter().map(PathBuf::from).find(|path| path.exists());
    let path = ca_file.map(Path::to_owned).or_else(system).ok_or_else(|| {
        let detail = "this system has no list of authorities: install ca-certificates, or name a file in ca_file";
        Missing::new(Reason::NotConfigured, detail)
    })?;
    let bytes = std::fs::read(&path).map_err(|error| no_file(&path, &error))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok).collect();
    let mut roots = RootCertStore::empty();
    match roots.add_parsable_certificates(certificates) {
        (0, _) => {
            Err(Missing::new(Reason::Unreadable, format!("{}: holds no certificate of an authority", path.display())))
        }
        _ => Ok(roots),
    }
}
