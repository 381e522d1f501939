//! One GET at a time, for `aura compare` and `aura healthcheck`.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::WebPkiSupportedAlgorithms,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// No exposition that anyone compares is longer.
const LONGEST_ANSWER: usize = 64 << 20;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body; bytes that are no UTF-8 are replaced.
    pub body: String,
}

/// Asks for a URL, `http://` or `https://`. Certificates are not verified: nothing secret is sent, and the answer
/// is compared or counted, never obeyed.
///
/// # Errors
/// What went wrong, with the URL.
pub async fn get(url: &str, within: Duration) -> anyhow::Result<Answer> {
    match timeout(within, ask(url)).await {
        Ok(answer) => answer.with_context(|| format!("no answer from {url}")),
        Err(_) => bail!("no answer from {url} within {} s", within.as_secs_f64()),
    }
}

async fn ask(url: &str) -> anyhow::Result<Answer> {
    let uri: Uri = url.parse().context("this is no URL: write http://HOST:PORT/PATH")?;
    let authority = uri.authority().context("the URL names no host: write http://HOST:PORT/PATH")?.clone();
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let connect = |port| TcpStream::connect((host.clone(), port));
    match uri.scheme_str() {
        Some("http") => exchange(connect(authority.port_u16().unwrap_or(80)).await?, &uri).await,
        Some("https") => {
            let stream = connect(authority.port_u16().unwrap_or(443)).await?;
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let verifier = Arc::new(AnyCertificate(provider.signature_verification_algorithms));
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()?
                .dangerous()
                .with_custom_certificate_verifier(verifier)
                .with_no_client_auth();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            let name = ServerName::try_from(host)?;
            exchange(TlsConnector::from(Arc::new(config)).connect(name, stream).await?, &uri).await
        }
        _ => bail!("the URL begins with neither http:// nor https://"),
    }
}

async fn exchange(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, uri: &Uri) -> anyhow::Result<Answer> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map(ToString::to_string).unwrap_or_default();
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "text/plain;version=0.0.4")
        .header(header::USER_AGENT, concat!("aura/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await.map_err(anyhow::Error::from_boxed)?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body.to_bytes()).into_owned() })
}

#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
