//! One request at a time to one server, on a connection that is kept.

use std::{io, time::Duration};

use aura_model::{Missing, Reason, within as in_time};
use aura_net::{
    http::{self as net, Error},
    tls,
};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::time::sleep;

use crate::{Address, FailureKind, Server, server::Login};

/// No list of models and no description of one is longer: a thousand models are half a MiB.
const LONGEST_BODY: usize = 4 << 20;

/// A server that is there accepts at once; one that is busy accepts too, and then keeps silent.
const CONNECT: Duration = Duration::from_secs(2);

/// A server that answers questions.
pub struct Client {
    server: Server,
    /// Made anew after each failure, so that files with secrets and certificates are read again.
    client: Option<net::Client>,
    connections: u64,
    requests: u64,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
    /// What the server's clock said, to the second.
    pub date: Option<Timestamp>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody listens there, or nobody can be reached.
    #[error("{address} cannot be reached: {error}")]
    Unreachable {
        /// Where.
        address: Address,
        /// Why.
        error: io::Error,
    },
    /// There is somebody, but no connection was made: it is not trusted, or a file that this needs cannot be read.
    #[error("{address}: {}", .missing.detail)]
    Unconnected {
        /// Where.
        address: Address,
        /// Why.
        missing: Missing,
    },
    /// It listens and keeps silent.
    #[error("{address} has not answered {path} within {:.1} s", .within.as_secs_f64())]
    Busy {
        /// Where.
        address: Address,
        /// What was asked.
        path: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// The connection broke, or what came is no HTTP.
    #[error("{address} broke off its answer to {path}: {error}")]
    Broken {
        /// Where.
        address: Address,
        /// What was asked.
        path: String,
        /// Why.
        error: String,
    },
}

impl Failure {
    /// The kind of kind, as a word for metrics.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Unreachable { .. } => FailureKind::Unreachable,
            Self::Busy { .. } => FailureKind::Timeout,
            Self::Unconnected { .. } | Self::Broken { .. } => FailureKind::Unreadable,
        }
    }
}

impl Client {
    /// A client without a connection.
    #[must_use]
    pub fn new(server: Server) -> Self {
        Self { server, client: None, connections: 0, requests: 0 }
    }

    /// How many connections were made: a server that was restarted costs a new one.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections + self.client.as_ref().map_or(0, net::Client::connections)
    }

    /// How many requests were sent, answered or not.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Asks for what is there.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn get(&mut self, path: &str, within: Duration) -> Result<Response, Failure> {
        self.ask(Method::GET, path, None, within).await
    }

    /// Asks with a JSON body.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn post(&mut self, path: &str, body: &serde_json::Value, within: Duration) -> Result<Response, Failure> {
        self.ask(Method::POST, path, Some(body.to_string().into()), within).await
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        within: Duration,
    ) -> Result<Response, Failure> {
        self.requests += 1;
        let answer = in_time(within, sleep, self.ask_until_answered(&method, path, &body)).await;
        if !matches!(&answer, Some(Ok(answer)) if answer.status != StatusCode::UNAUTHORIZED) {
            // The answer that was given up may still come, and must not be taken for the next one's. Who was not let
            // in reads the file with the secret again.
            self.forget();
        }
        let address = || self.server.address.clone();
        answer.unwrap_or_else(|| Err(Failure::Busy { address: address(), path: path.to_owned(), within }))
    }

    async fn ask_until_answered(
        &mut self,
        method: &Method,
        path: &str,
        body: &Option<Bytes>,
    ) -> Result<Response, Failure> {
        let url = format!("{}{path}", self.server.address);
        // A kept connection may have been closed since the last request, and the only way to know is to use it.
        if let Some(client) = &self.client
            && let Ok(response) = client.send(method.clone(), &url, body.clone()).await
        {
            return Ok(response.into());
        }
        self.forget();
        let client = self.client.insert(self.server.client()?);
        let response = client.send(method.clone(), &url, body.clone()).await;
        response.map(Into::into).map_err(|error| self.server.failure(path, error))
    }

    fn forget(&mut self) {
        self.connections = self.connections();
        self.client = None;
    }
}

impl Server {
    /// A client that is let in here. Certificates of authorities and secrets are read now, because they are renewed.
    fn client(&self) -> Result<net::Client, Failure> {
        let unconnected = |missing| Failure::Unconnected { address: self.address.clone(), missing };
        let mut headers = HeaderMap::new();
        if let Some(login) = &self.login {
            headers.insert(header::AUTHORIZATION, Login::header(login).map_err(unconnected)?);
        }
        let tls = self.tls().map_err(unconnected)?;
        net::Client::new(tls, headers, CONNECT, LONGEST_BODY).map_err(|error| self.failure("", error))
    }

    fn tls(&self) -> Result<ClientConfig, Missing> {
        let roots = if self.address.is_encrypted() {
            let file = self.ca_file.clone().or_else(tls::system_roots).ok_or_else(|| {
                let help = "install ca-certificates, or name a file in ca_file";
                Missing::new(Reason::NotConfigured, format!("this system has no list of authorities: {help}"))
            })?;
            tls::roots(&file)?
        } else {
            RootCertStore::empty()
        };
        tls::client(Some(roots)).map_err(|error| Missing::new(Reason::Unreadable, format!("TLS: {error}")))
    }

    fn failure(&self, path: &str, error: Error) -> Failure {
        let address = self.address.clone();
        match error {
            Error::Unreachable(error) => Failure::Unreachable { address, error },
            Error::Untrusted(error) => {
                let detail = format!("TLS: {error}{}", help(&error));
                Failure::Unconnected { address, missing: Missing::new(Reason::Unreadable, detail) }
            }
            error => Failure::Broken { address, path: path.to_owned(), error: error.to_string() },
        }
    }
}

fn help(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "; name the file of the authority that signed its certificate in ca_file"
        }
        rustls::Error::InvalidCertificate(CertificateError::Other(_)) => {
            "; a certificate that a server shows must not be an authority's: make it with basicConstraints=CA:FALSE"
        }
        rustls::Error::InvalidMessage(_) => "; does it speak plain HTTP there? Then write http://",
        _ => "",
    }
}

impl From<net::Response> for Response {
    fn from(net::Response { status, headers, body }: net::Response) -> Self {
        let date = headers.get(header::DATE).and_then(|date| date.to_str().ok()).and_then(time_of);
        Self { status, body, date }
    }
}

fn time_of(date: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(date).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer() {
        assert_eq!(time_of("Mon, 23 Nov 2026 07:00:01 GMT"), "2026-11-23T07:00:01Z".parse().ok());
        assert_eq!(time_of("yesterday"), None);
    }
}
