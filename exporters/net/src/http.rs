//! The HTTP client of everything that asks a server over HTTP: pooled connections, TLS only as it is told, no proxies of
//! the environment, no redirects, and no response without end.

use std::{
    io::{self, ErrorKind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use aura_model::within;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use tokio::time::sleep;
use tower::{Layer, Service};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Sends requests to servers, and keeps the connections.
pub struct Client {
    client: reqwest::Client,
    connections: Arc<AtomicU64>,
    longest: usize,
}

/// A response, whatever its status.
#[derive(Debug)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there, the name is not known, or the network does not lead there.
    #[error("{0}")]
    Unreachable(io::Error),
    /// Somebody listens there and is not trusted, or speaks no TLS.
    #[error("TLS: {0}")]
    Untrusted(rustls::Error),
    /// The connection broke, or what came is no HTTP.
    #[error("{0}")]
    Broken(String),
    /// The body is longer than is taken.
    #[error("it is longer than {} MiB", .0 >> 20)]
    TooLong(usize),
}

impl Client {
    /// A client with these headers in every request, which takes bodies of at most `longest` bytes. A connection is made
    /// within `connect`, TLS included, or not at all.
    ///
    /// # Errors
    /// The client cannot be made as it is asked for.
    pub fn new(tls: ClientConfig, headers: HeaderMap, connect: Duration, longest: usize) -> Result<Self, Error> {
        let connections = Arc::new(AtomicU64::new(0));
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("aura/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connector_layer(ConnectingLayer { timeout: connect, connections: Arc::clone(&connections) })
            .build()
            .map_err(Error::from)?;
        Ok(Self { client, connections, longest })
    }

    /// How many connections were made: a server that was restarted costs a new one.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Sends a request, with a body of JSON if one is given. How long that may take is the caller's to say: giving up the
    /// wait closes the connection.
    ///
    /// # Errors
    /// Why there is no response.
    pub async fn send(&self, method: Method, url: &str, json: Option<Bytes>) -> Result<Response, Error> {
        let mut request = self.client.request(method, url);
        if let Some(json) = json {
            const JSON: HeaderValue = HeaderValue::from_static("application/json");
            request = request.header(header::CONTENT_TYPE, JSON).body(json);
        }
        let mut response = request.send().await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = BytesMut::new();
        while let Some(piece) = response.chunk().await? {
            if body.len() + piece.len() > self.longest {
                return Err(Error::TooLong(self.longest));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Response { status, headers, body: body.freeze() })
    }
}

impl From<reqwest::Error> for Error {
    /// What lies at the bottom says most; above it stands only who asked whom.
    fn from(error: reqwest::Error) -> Self {
        let is_connect = error.is_connect();
        let mut cause: &(dyn std::error::Error + 'static) = &error;
        loop {
            if let Some(error) = cause.downcast_ref::<rustls::Error>() {
                return Self::Untrusted(error.clone());
            }
            // An error of the system's that was packed into another shows it only so.
            let packed = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            cause = match (packed, cause.source()) {
                (Some(packed), _) => packed,
                (None, Some(source)) => source,
                (None, None) => break,
            };
        }
        match cause.downcast_ref::<io::Error>() {
            Some(error) if is_connect => Self::Unreachable(copied(error)),
            _ if is_connect => Self::Unreachable(io::Error::other(cause.to_string())),
            _ => Self::Broken(cause.to_string()),
        }
    }
}

fn copied(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

/// What each connection passes when it is made, TLS included: it is given up after a timeout of time in which the
/// machine ran us, which the client's own timeout would not know; and it is counted.
#[derive(Clone)]
struct Connecting<S> {
    inner: S,
    timeout: Duration,
    connections: Arc<AtomicU64>,
}

#[derive(Clone)]
struct ConnectingLayer {
    timeout: Duration,
    connections: Arc<AtomicU64>,
}

impl<S> Layer<S> for ConnectingLayer {
    type Service = Connecting<S>;

    fn layer(&self, inner: S) -> Connecting<S> {
        Connecting { inner, timeout: self.timeout, connections: Arc::clone(&self.connections) }
    }
}

impl<S, R> Service<R> for Connecting<S>
where
    S: Service<R, Error = Fault>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, Fault>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let (connect, timeout, connections) = (self.inner.call(target), self.timeout, Arc::clone(&self.connections));
        Box::pin(async move {
            let connection = within(timeout, sleep, connect).await;
            let connection = connection.unwrap_or_else(|| Err(io::Error::from(ErrorKind::TimedOut).into()))?;
            connections.fetch_add(1, Ordering::Relaxed);
            Ok(connection)
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Answers every request on every connection with these bytes; where it listens.
    async fn server(response: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                        stream.write_all(response.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        url
    }

    fn client() -> Client {
        let tls = crate::tls::client(None).unwrap();
        Client::new(tls, HeaderMap::new(), Duration::from_secs(20), 8).unwrap()
    }

    #[tokio::test]
    async fn a_connection_is_kept_and_counted_and_a_redirect_is_an_answer() {
        let url = server("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 4\r\n\r\nbody").await;
        let client = client();
        for _ in 0..3 {
            let response = client.send(Method::POST, &url, Some(Bytes::from_static(b"{}"))).await.unwrap();
            assert_eq!((response.status.as_u16(), &response.body[..]), (302, &b"body"[..]));
        }
        assert_eq!(client.connections(), 1);
    }

    #[tokio::test]
    async fn each_failure_is_told_apart() {
        let client = client();
        let long = server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123456789").await;
        assert!(matches!(client.send(Method::GET, &long, None).await, Err(Error::TooLong(8))));
        let odd = server("this is no HTTP at all\r\n\r\n").await;
        assert!(matches!(client.send(Method::GET, &odd, None).await, Err(Error::Broken(_))));
        let encrypted = odd.replace("http:", "https:");
        assert!(matches!(client.send(Method::GET, &encrypted, None).await, Err(Error::Untrusted(_))));
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = client.send(Method::GET, &format!("http://{nobody}/"), None).await.unwrap_err();
        assert!(
            matches!(&error, Error::Unreachable(error) if error.kind() == ErrorKind::ConnectionRefused),
            "{error:?}"
        );
    }
}
