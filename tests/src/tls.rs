//! The client's side of TLS.

use std::{net::SocketAddr, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    client::Resumption,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::http::{Wire, connect};

/// Certificates that a client trusts.
pub struct Authority(Arc<ClientConfig>);

impl Authority {
    /// Trusts this certificate and no other.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn of(pem: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().expect("versions");
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        // A session that is taken up again shows no certificate.
        config.resumption = Resumption::disabled();
        Self(Arc::new(config))
    }

    /// Connects to `localhost` at this address. Whether it is trusted shows at the first read or write.
    ///
    /// # Panics
    /// When nobody listens there.
    #[must_use]
    pub fn connect(&self, address: SocketAddr) -> Box<dyn Wire> {
        let name = "localhost".try_into().expect("a name");
        let connection = ClientConnection::new(Arc::clone(&self.0), name).expect("a configuration");
        Box::new(StreamOwned::new(connection, connect(address)))
    }
}
