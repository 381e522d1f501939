//! The certificate that is shown, read again when its files change: renewals need no restart.

use std::{
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aura_model::FileStamp;
use rustls::{
    crypto::CryptoProvider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// Files are looked at when somebody connects, and then not again for so long.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where PEM text is.
#[derive(Clone)]
pub(super) enum Pem {
    File(PathBuf),
    Inline(Box<str>),
}

/// Certificate and key from files or from the web configuration itself.
pub(super) struct Certificates {
    certificate: Pem,
    key: Pem,
    provider: Arc<CryptoProvider>,
    current: Mutex<Current>,
}

struct Current {
    shown: Arc<CertifiedKey>,
    stamps: [Option<FileStamp>; 2],
    looked: Instant,
    /// Why files that have changed could not be read, as the log has it.
    complaint: Option<String>,
}

impl Certificates {
    /// # Errors
    /// What is wrong with certificate or key, for the user; nothing of their content.
    pub(super) fn new(certificate: Pem, key: Pem, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        // Stamps first: a change while reading is then seen as a change.
        let stamps = [certificate.stamp(), key.stamp()];
        let shown = Arc::new(read(&certificate, &key, &provider)?);
        let current = Mutex::new(Current { shown, stamps, looked: Instant::now(), complaint: None });
        Ok(Self { certificate, key, provider, current })
    }

    fn at(&self, now: Instant) -> Arc<CertifiedKey> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(current.looked) >= LOOK_EVERY {
            current.looked = now;
            let stamps = [self.certificate.stamp(), self.key.stamp()];
            if stamps != current.stamps {
                match read(&self.certificate, &self.key, &self.provider) {
                    Ok(new) => {
                        (current.shown, current.stamps, current.complaint) = (Arc::new(new), stamps, None);
                        tracing::info!("the TLS certificate was read again");
                    }
                    // Perhaps only one of the two files is written yet, or there is no descriptor left: it is tried again.
                    Err(message) => {
                        if current.complaint.as_ref() != Some(&message) {
                            tracing::warn!("the TLS certificate has changed and the old one is kept: {message}");
                        }
                        current.complaint = Some(message);
                    }
                }
            }
        }
        current.shown.clone()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.at(Instant::now()))
    }
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Certificates")
    }
}

fn read(certificate: &Pem, key: &Pem, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let text = certificate.text().map_err(|error| format!("{}: {error}", certificate.name()))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| format!("{} is not PEM: {error}", certificate.name()))?;
    if chain.is_empty() {
        return Err(format!("{} holds no certificate (BEGIN CERTIFICATE)", certificate.name()));
    }
    let text = key.text().map_err(|error| format!("{}: {error}", key.name()))?;
    let secret = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| format!("{} holds no private key that can be read (BEGIN PRIVATE KEY)", key.name()))?;
    CertifiedKey::from_der(chain, secret, provider)
        .map_err(|error| format!("{} and {} do not go together: {error}", certificate.name(), key.name()))
}

impl Pem {
    fn text(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::File(path) => fs::read(path),
            Self::Inline(text) => Ok(text.as_bytes().to_vec()),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Inline(_) => "the text".to_owned(),
        }
    }

    fn stamp(&self) -> Option<FileStamp> {
        let Self::File(path) = self else { return None };
        fs::metadata(path).ok().as_ref().map(FileStamp::of)
    }
}

#[cfg(test)]
mod tests;
