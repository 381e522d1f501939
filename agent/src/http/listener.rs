//! Connections: accepted, bounded in number and patience, served by hyper, closed in an orderly way.
//!
//! An accept loop of our own, because the sockets of live feeds are taken out of hyper (see `publish/feed`) and
//! so their type must be known here.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aura_model::Stopwatch;
use axum::extract::ConnectInfo;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::{Front, Stream};

/// A request head is far smaller; a larger one is refused with 431.
const HEAD_BYTES: usize = 16 << 10;
/// From the connection to the first whole request head, TLS handshake included.
const FIRST_REQUEST: Duration = Duration::from_secs(5);
/// From one request to the next, the time to read the answer included.
const NEXT_REQUEST: Duration = Duration::from_secs(120);
/// Connections that speak HTTP; feeds are counted on their own.
const CONNECTIONS: usize = 1024;
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
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = serving.stopping.wait_for(|&stopping| stopping) => break,
        };
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
                            let _ = timeout(REFUSAL, refuse(stream)).await;
                            drop(place);
                        });
                    }
                }
            },
            Err(error) => {
                // Out of descriptors, most likely: say so and let some close before trying again.
                warn!("connections are not accepted: {error}");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
    drop(listener);
    let _ = places.acquire_many(CONNECTIONS as u32).await;
}

/// Says that there is no place, and reads what the client says meanwhile: a connection that is closed with bytes
/// unread is reset, and the client would not get to read why.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    const BODY: &str = r#"{"error":{"code":"too_many_connections","message":"all connections are in use","hint":"close some, or ask less often","retry_after_s":5}}"#;
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 5\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let mut unread = [0; 512];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

async fn connection(stream: TcpStream, peer: SocketAddr, serving: Serving) {
    let _ = stream.set_nodelay(true);
    let begun = Stopwatch::start();
    let stream = match &serving.tls {
        None => Stream::Plain(stream),
        Some(tls) => match timeout(FIRST_REQUEST, tls.accept(stream)).await {
            Ok(Ok(stream)) => Stream::Tls(Box::new(stream)),
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
    let service = service_fn(|mut request: http::Request<Incoming>| {
        last.store(begun.elapsed().as_millis() as u64, Ordering::Relaxed);
        requests.fetch_add(1, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(peer));
        let front = &*front;
        async move { Ok::<_, Infallible>(front.answer(request).await) }
    });
    let connection =
        http1::Builder::new().max_buf_size(HEAD_BYTES).serve_connection(TokioIo::new(stream), service).with_upgrades();
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
                    return debug!(%peer, "connection closed: no request in time");
                }
            }
            _ = stopping.wait_for(|&stopping| stopping), if !asked_to_stop => {
                asked_to_stop = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
