//! Connections: accepted, bounded in number and patience, served by hyper, closed in an orderly way.
//!
//! An accept loop of our own, because the sockets of live feeds are taken out of hyper (see `publish/feed`) and
//! so their type must be known here.

use std::{
    convert::Infallible,
    io::{self, ErrorKind},
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aura_model::Stopwatch;
use http::StatusCode;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

use super::{ApiError, Front, Stream, Waiting, Wire};

/// A request head is far smaller; a larger one is refused with 431.
const HEAD_BYTES: usize = 16 << 10;
/// From the connection to the first whole request head, TLS handshake included.
const FIRST_REQUEST: Duration = Duration::from_secs(5);
/// From one request to the next, the time to read the answer included.
const NEXT_REQUEST: Duration = Duration::from_secs(120);
/// Connections that speak HTTP; feeds are counted on their own.
const CONNECTIONS: usize = 1024;
/// Who is too slow gets this long to hear it.
const GOODBYE: Duration = Duration::from_secs(1);
/// After so long without a refused connection, the shortage is over.
const CALM: Duration = Duration::from_secs(10);
/// Connections beyond those that are told so at once, and how long each may take to hear it.
const REFUSALS: usize = 64;
const REFUSAL: Duration = Duration::from_secs(1);

/// What a listener needs to serve.
#[derive(Clone)]
pub struct Serving {
    /// Answers the requests.
    pub front: Arc<Front>,
    /// Turns bytes into TLS, if configured.
    pub tls: Option<TlsAcceptor>,
    /// Becomes true when the agent stops.
    pub stopping: watch::Receiver<bool>,
}

/// Accepts until the agent stops, then waits until running answers are finished.
pub async fn listen(listener: TcpListener, mut serving: Serving) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let mut short: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = serving.stopping.wait_for(|&stopping| stopping) => break,
        };
        if accepted.is_ok() && short.take_if(|last| last.elapsed() > CALM).is_some() {
            info!("connections are accepted again");
        }
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let serving = serving.clone();
                    tokio::spawn(async move {
                        connection(stream, peer, serving).await;
                        drop(place);
                    });
                }
                Err(_) => {
                    // Who would have to agree on TLS first, or comes when many are being refused, gets no reason.
                    let place = Arc::clone(&refusals).try_acquire_owned().ok().filter(|_| serving.tls.is_none());
                    if let Some(place) = place {
                        tokio::spawn(async move {
                            let _ = timeout(REFUSAL, refuse(stream, no_place())).await;
                            drop(place);
                        });
                    }
                }
            },
            // The client left before it was its turn.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            Err(error) => {
                // Out of descriptors, most likely: say so once, and let some close before trying again.
                if short.replace(Instant::now()).is_none() {
                    warn!("connections are not accepted: {error}");
                }
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
    drop(listener);
    let _ = places.acquire_many(CONNECTIONS as u32).await;
}

fn no_place() -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", "all connections are in use")
        .hint("close some, or ask less often")
        .retry_after(5)
}

/// Says why not, and reads what the client says meanwhile: a connection that is closed with bytes unread is reset, and
/// the client would not get to read it.
async fn refuse(mut stream: TcpStream, error: ApiError) -> io::Result<()> {
    stream.write_all(&error.on_the_wire()).await?;
    stream.shutdown().await?;
    let mut unread = [0; 512];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

/// Agrees on TLS. Who speaks plain HTTP instead is told so: methods are written in capitals, and no TLS begins with one.
async fn shake_hands(tls: &TlsAcceptor, stream: TcpStream) -> io::Result<Stream> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
        let message = "this is a port for HTTPS, and plain HTTP was sent to it";
        refuse(stream, ApiError::bad("plain_http", message).hint("ask for https:// instead of http://")).await?;
        return Err(io::Error::other("plain HTTP was sent"));
    }
    Ok(Stream::Tls(Box::new(tls.accept(stream).await?)))
}

async fn connection(stream: TcpStream, peer: SocketAddr, serving: Serving) {
    let _ = stream.set_nodelay(true);
    let begun = Stopwatch::start();
    let stream = match &serving.tls {
        None => Stream::Plain(stream),
        Some(tls) => match timeout(FIRST_REQUEST, shake_hands(tls, stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return debug!(%peer, "TLS handshake failed: {error}"),
            Err(_) => return debug!(%peer, "TLS handshake took too long"),
        },
    };
    serve(stream, peer, begun, serving).await;
}

async fn serve(stream: Stream, peer: SocketAddr, begun: Stopwatch, serving: Serving) {
    let Serving { front, mut stopping, .. } = serving;
    // Milliseconds from the connection to its last request, and how many there were.
    let last = AtomicU64::new(0);
    let requests = AtomicU64::new(0);
    let waiting = Arc::new(Waiting::default());
    let service = service_fn(|request: http::Request<Incoming>| {
        waiting.whole();
        last.store(begun.elapsed().as_millis() as u64, Ordering::Relaxed);
        requests.fetch_add(1, Ordering::Relaxed);
        let front = &*front;
        async move { Ok::<_, Infallible>(front.answer(peer.ip(), request).await) }
    });
    let wire = TokioIo::new(Wire::new(stream, Arc::clone(&waiting)));
    let connection = http1::Builder::new().max_buf_size(HEAD_BYTES).serve_connection(wire, service).with_upgrades();
    let mut connection = pin!(connection);
    let mut asked_to_stop = false;
    loop {
        let limit = if requests.load(Ordering::Relaxed) == 0 { FIRST_REQUEST } else { NEXT_REQUEST };
        let deadline = Duration::from_millis(last.load(Ordering::Relaxed)) + limit;
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    debug!(%peer, "connection ended: {error}");
                }
                return;
            }
            () = sleep(deadline.saturating_sub(begun.elapsed())) => {
                let limit = if requests.load(Ordering::Relaxed) == 0 { FIRST_REQUEST } else { NEXT_REQUEST };
                if begun.elapsed() >= Duration::from_millis(last.load(Ordering::Relaxed)) + limit {
                    break;
                }
            }
            _ = stopping.wait_for(|&stopping| stopping), if !asked_to_stop => {
                asked_to_stop = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
    waiting.give_up();
    let _ = timeout(GOODBYE, connection).await;
    debug!(%peer, "connection closed: no request in time");
}
