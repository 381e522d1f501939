//! Listening sockets, and the connections that they bring.
//!
//! An accept loop of our own, because the sockets of live feeds are taken out of hyper (see `publish/feed`) and
//! so their type must be known here. A reload opens what is new before it closes what is old, and what cannot be opened
//! leaves all as it was.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use super::connection;
use crate::{
    api::ApiError,
    http::{Front, gate::client_address::is_trusted},
};

/// Connections that the kernel keeps until we take them: the kernel itself takes fewer where it is told to.
const BACKLOG: i32 = 4096;
/// After so long without a refused connection, the shortage is over.
const CALM: Duration = Duration::from_secs(10);
/// Connections without a permit that are told so at once, and how long each may take to hear it.
const REFUSALS: usize = 64;
const REFUSAL: Duration = Duration::from_secs(1);
/// How long to wait after the system had nothing left for another connection.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// What a listener needs to serve.
#[derive(Clone)]
pub struct Serving {
    /// Answers the requests.
    pub front: Arc<Front>,
    /// Becomes true when the agent stops.
    pub stopping: watch::Receiver<bool>,
}

/// The sockets that are listened on.
pub struct Listeners {
    serving: Serving,
    open: Vec<Open>,
}

struct Open {
    /// The address that was asked for; its port may be 0.
    asked: SocketAddr,
    /// The address that it became.
    address: SocketAddr,
    socket: Arc<TcpListener>,
    /// Its loop ends when this is dropped.
    keep: watch::Sender<()>,
    /// Its loop.
    accepting: JoinHandle<()>,
}

impl Open {
    /// Takes the connections that have come already, and closes.
    async fn close(self) {
        let Self { socket, keep, accepting, .. } = self;
        drop((keep, socket));
        // A loop that panicked has closed its socket as well.
        let _ = accepting.await;
    }
}

/// Sockets that are open, and from which nothing is accepted yet.
pub struct Bound(Vec<(SocketAddr, TcpListener)>);

impl Listeners {
    /// None yet.
    #[must_use]
    pub fn new(serving: Serving) -> Self {
        Self { serving, open: Vec::new() }
    }

    /// Binds those of these addresses that are not listened on yet. Nothing else changes.
    ///
    /// # Errors
    /// Which cannot be bound, and why.
    pub fn bind(&self, addresses: &[SocketAddr]) -> Result<Bound, String> {
        let mut bound = Vec::new();
        for &address in addresses {
            if self.open.iter().any(|open| open.asked == address) || bound.iter().any(|(known, _)| *known == address) {
                continue;
            }
            // Those that will close must not stand in the way of those that take over their port.
            let leaving = self.open.iter().filter(|open| !addresses.contains(&open.asked));
            let leaving: Vec<&TcpListener> = leaving.map(|open| &*open.socket).collect();
            let socket = bind(address, &leaving)
                .or_else(|error| match address {
                    // A kernel without IPv6: its IPv4 addresses are every address there is.
                    SocketAddr::V6(six) if six.ip().is_unspecified() && error.kind() != ErrorKind::AddrInUse => {
                        bind((Ipv4Addr::UNSPECIFIED, address.port()).into(), &leaving)
                    }
                    _ => Err(error),
                })
                .map_err(|error| format!("web.listen_address: {address} cannot be listened on: {error}"))?;
            bound.push((address, socket));
        }
        Ok(Bound(bound))
    }

    /// Where will be listened once these are in use for these addresses.
    ///
    /// # Errors
    /// A socket does not say where it is.
    pub fn addresses(&self, addresses: &[SocketAddr], bound: &Bound) -> Result<Vec<SocketAddr>, String> {
        let kept = self.open.iter().filter(|open| addresses.contains(&open.asked)).map(|open| Ok(open.address));
        let new = bound.0.iter().map(|(_, socket)| socket.local_addr().map_err(|error| error.to_string()));
        kept.chain(new).collect()
    }

    /// Listens on these addresses, whose new ones were bound, and no longer on others: those are closed when this
    /// returns, so that nobody who connects afterwards comes to one of them. Returns the new ones.
    pub async fn put_in_use(&mut self, addresses: &[SocketAddr], bound: Bound) -> Vec<SocketAddr> {
        let leaving: Vec<Open> = self.open.extract_if(.., |open| !addresses.contains(&open.asked)).collect();
        let mut new = Vec::new();
        for (asked, socket) in bound.0 {
            let Ok(address) = socket.local_addr() else { continue };
            let (keep, kept) = watch::channel(());
            let socket = Arc::new(socket);
            let accepting = tokio::spawn(listen(Arc::clone(&socket), kept, self.serving.clone()));
            self.open.push(Open { asked, address, socket, keep, accepting });
            new.push(address);
        }
        for open in leaving {
            let address = open.address;
            open.close().await;
            info!(%address, "no longer listened on");
        }
        new
    }

    /// Waits until the agent has stopped listening and the last response is given.
    pub async fn finished(self) {
        for open in self.open {
            open.close().await;
        }
        self.serving.front.app().permits.released().await;
    }
}

/// A socket that listens; its port may be that of sockets that will close.
fn bind(address: SocketAddr, leaving: &[&TcpListener]) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    match socket.bind(&address.into()) {
        #[cfg(unix)]
        Err(error) if error.kind() == ErrorKind::AddrInUse && !leaving.is_empty() => {
            // Two sockets may have one port while both agree to it, which is asked at the call to listen again.
            let agree = |yes| leaving.iter().try_for_each(|leaving| SockRef::from(*leaving).set_reuse_port(yes));
            agree(true)?;
            socket.set_reuse_port(true)?;
            let listening = socket.bind(&address.into()).and_then(|()| socket.listen(BACKLOG));
            socket.set_reuse_port(false)?;
            agree(false)?;
            listening?;
        }
        result => {
            result?;
            socket.listen(BACKLOG)?;
        }
    }
    TcpListener::from_std(socket.into())
}

/// Accepts until the socket is not wanted any more, or the agent stops.
async fn listen(listener: Arc<TcpListener>, mut kept: watch::Receiver<()>, mut serving: Serving) {
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let mut short: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = kept.changed() => break,
            _ = serving.stopping.wait_for(|&stopping| stopping) => return,
        };
        if accepted.is_ok() && short.take_if(|last| last.elapsed() > CALM).is_some() {
            info!("connections are accepted again");
        }
        match accepted {
            Ok((stream, peer)) => take(stream, peer, &serving, &refusals),
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                // Out of descriptors, most likely: say so once, and evict the least deserving.
                if short.replace(Instant::now()).is_none() {
                    warn!("connections are not accepted: {error}");
                }
                serving.front.app().permits.evict_one();
                sleep(RETRY_AFTER).await;
            }
        }
    }
    // Those that have connected already may be covered by another address. The kernel is asked itself: the event loop may
    // not know of the last of them yet.
    while let Ok((stream, _)) = SockRef::from(&*listener).accept() {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream.into()));
        if let Ok(stream) = stream
            && let Ok(peer) = stream.peer_addr()
        {
            take(stream, peer, &serving, &refusals);
        }
    }
}

/// Whether it is a connection that failed, before it was one.
fn is_the_clients(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, PermissionDenied, TimedOut};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | PermissionDenied | TimedOut
    )
}

fn take(stream: TcpStream, peer: SocketAddr, serving: &Serving, refusals: &Arc<Semaphore>) {
    let app = serving.front.app();
    let settings = app.settings();
    // Who is behind a trusted proxy is counted at each request.
    let permit = if is_trusted(peer.ip(), &settings.trusted_proxies) {
        app.permits.acquire_for_proxy(peer.ip())
    } else {
        app.permits.acquire(peer.ip())
    };
    if let Some(permit) = permit {
        tokio::spawn(connection::serve(stream, peer, permit, serving.clone()));
        return;
    }
    // Who would have to agree on TLS first, or comes when many are being refused, gets no reason.
    let refusal = Arc::clone(refusals).try_acquire_owned().ok().filter(|_| settings.tls.is_none());
    if let Some(refusal) = refusal {
        tokio::spawn(async move {
            let _ = timeout(REFUSAL, connection::refuse(stream, no_place())).await;
            drop(refusal);
        });
    }
}

fn no_place() -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", "all connections are in use")
        .hint("close some, or ask less often")
        .retry_after(5)
}
