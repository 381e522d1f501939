//! One question at a time to one server, on a connection that is kept.

use std::{fmt, io, time::Duration};

use aura_model::Missing;
use aura_model::within as in_time;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::sleep,
};

use crate::{Address, Server, Trouble, server::Login, tls};

/// No list of models and no description of one is longer: a thousand models are half a MiB.
const LONGEST_ANSWER: usize = 4 << 20;
/// A server that is there accepts at once; one that is busy accepts too, and then keeps silent.
const CONNECT: Duration = Duration::from_secs(2);

/// A server that answers questions.
pub struct Client {
    server: Server,
    connection: Option<Connection>,
    connections: u64,
}

struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// What lets us in; read with each new connection.
    authorization: Option<HeaderValue>,
}

/// Plain or encrypted.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
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
    /// The kind of trouble, as a word for metrics.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Unreachable { .. } => Trouble::Unreachable,
            Self::Busy { .. } => Trouble::Timeout,
            Self::Unconnected { .. } | Self::Broken { .. } => Trouble::Unreadable,
        }
    }
}

impl Client {
    /// A client without a connection.
    #[must_use]
    pub fn new(server: Server) -> Self {
        Self { server, connection: None, connections: 0 }
    }

    /// How many connections were made: a server that was restarted costs a new one.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Asks for what is there.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn get(&mut self, path: &str, within: Duration) -> Result<Answer, Failure> {
        self.ask(Method::GET, path, Bytes::new(), within).await
    }

    /// Asks with a JSON body.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn post(&mut self, path: &str, body: &serde_json::Value, within: Duration) -> Result<Answer, Failure> {
        self.ask(Method::POST, path, body.to_string().into(), within).await
    }

    async fn ask(&mut self, method: Method, path: &str, body: Bytes, within: Duration) -> Result<Answer, Failure> {
        let answer = in_time(within, sleep, self.ask_until_answered(&method, path, &body)).await;
        if !matches!(&answer, Some(Ok(answer)) if answer.status != StatusCode::UNAUTHORIZED) {
            // The answer that was given up may still come, and must not be taken for the next one's. Who was not let
            // in reads the file with the secret again.
            self.connection = None;
        }
        let address = || self.server.address.clone();
        answer.unwrap_or_else(|| Err(Failure::Busy { address: address(), path: path.to_owned(), within }))
    }

    async fn ask_until_answered(&mut self, method: &Method, path: &str, body: &Bytes) -> Result<Answer, Failure> {
        // A kept connection may have been closed since the last question, and the only way to know is to use it.
        if let Some(connection) = self.connection.as_mut()
            && connection.sender.ready().await.is_ok()
            && let Ok(response) = connection.ask(&self.server.address, method, path, body).await
        {
            return self.read(path, response).await;
        }
        let mut connection = self.connect(path).await?;
        let response = connection.ask(&self.server.address, method, path, body).await;
        let response = response.map_err(|error| self.broken(path, &error))?;
        self.connection = Some(connection);
        self.read(path, response).await
    }

    async fn connect(&mut self, path: &str) -> Result<Connection, Failure> {
        let Server { address, login, .. } = &self.server;
        let unconnected = |missing| Failure::Unconnected { address: address.clone(), missing };
        let authorization = login.as_ref().map(Login::header).transpose().map_err(unconnected)?;
        let unreachable = |error| Failure::Unreachable { address: address.clone(), error };
        let connected = in_time(CONNECT, sleep, TcpStream::connect((address.host(), address.port()))).await;
        let stream = match connected {
            Some(stream) => stream.map_err(unreachable)?,
            None => return Err(unreachable(io::ErrorKind::TimedOut.into())),
        };
        let _ = stream.set_nodelay(true);
        let wire: Box<dyn Wire> = if address.is_encrypted() {
            Box::new(tls::encrypt(stream, &self.server).await.map_err(unconnected)?)
        } else {
            Box::new(stream)
        };
        let handshake = http1::handshake(TokioIo::new(wire)).await;
        let (sender, connection) = handshake.map_err(|error| self.broken(path, &error))?;
        // Ends with the sender, or when the server closes.
        tokio::spawn(connection);
        self.connections += 1;
        Ok(Connection { sender, authorization })
    }

    async fn read(&self, path: &str, response: Response<Incoming>) -> Result<Answer, Failure> {
        let status = response.status();
        let date = response.headers().get(header::DATE).and_then(|date| date.to_str().ok()).and_then(time_of);
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                self.broken(path, &format!("it is longer than {} MiB", LONGEST_ANSWER >> 20))
            } else {
                self.broken(path, &error)
            }
        })?;
        Ok(Answer { status, body: body.to_bytes(), date })
    }

    fn broken(&self, path: &str, error: &dyn fmt::Display) -> Failure {
        Failure::Broken { address: self.server.address.clone(), path: path.to_owned(), error: error.to_string() }
    }
}

impl Connection {
    async fn ask(
        &mut self,
        address: &Address,
        method: &Method,
        path: &str,
        body: &Bytes,
    ) -> hyper::Result<Response<Incoming>> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method.clone();
        // Paths are ours, and the prefix was checked when the address was read.
        *request.uri_mut() = format!("{}{path}", address.prefix()).parse().unwrap_or_default();
        let fields = request.headers_mut();
        if let Ok(host) = address.authority().parse() {
            fields.insert(header::HOST, host);
        }
        fields.insert(
            header::USER_AGENT,
            const { HeaderValue::from_static(concat!("aura/", env!("CARGO_PKG_VERSION"))) },
        );
        if let Some(authorization) = &self.authorization {
            fields.insert(header::AUTHORIZATION, authorization.clone());
        }
        if !body.is_empty() {
            fields.insert(header::CONTENT_TYPE, const { HeaderValue::from_static("application/json") });
        }
        self.sender.send_request(request).await
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
