//! The live feeds: every new message of a feed goes to all WebSocket clients that listen to it.
//!
//! HTTP does the handshake; then the socket is taken out of the HTTP server and belongs to one thread that
//! owns all clients of all feeds. A feed holds one message, the newest, encoded once into a frame whose bytes
//! all clients share. A client holds a position in that frame, never a queue: one that reads too slowly
//! finishes the frame it has begun and goes on with the newest. Nothing is encoded while nobody listens.
//!
//! This part never samples: it is handed messages by [`Feed::publish`].

mod broadcast;
mod client;
mod deflate;
mod frame;
mod handshake;
mod inbox;
mod limits;
mod parser;
mod reply;
mod slot;
mod socket;
mod stats;
mod thread;

use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::Request;
use hyper_util::rt::TokioIo;

use self::{
    client::Terms,
    handshake::Refusal,
    inbox::{Accepted, Command, Inbox},
    limits::{Admission, Permit},
    slot::Slot,
    socket::Socket,
    thread::Thread,
};
pub use self::{
    limits::Limits,
    reply::{Replies, error},
    slot::Message,
    stats::{Closed, Refused, Stats},
};
use crate::net::{Stream, Wire};

/// How long the HTTP server may take to hand a connection over after its 101.
const HANDOVER: Duration = Duration::from_secs(10);

/// Says whether a client may still listen.
pub type StillAllowed = Box<dyn Fn() -> bool + Send>;

/// All feeds and the thread that serves their clients. Clones mean the same feeds; the thread ends with
/// [`Feeds::shutdown`], or with the last clone.
#[derive(Clone)]
pub struct Feeds(Arc<Owner>);

struct Owner {
    inbox: Arc<Inbox>,
    admission: Arc<Admission>,
    opened: Mutex<usize>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.inbox.send(Command::Stop(Duration::ZERO));
    }
}

/// One feed. Clones mean the same feed.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    admission: Arc<Admission>,
}

/// A feed, and whether its newest message may be shown as fresh.
#[derive(Clone)]
pub struct Live {
    /// The feed.
    pub feed: Feed,
    /// Whether its sources are on time.
    pub fresh: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// What a feed's publisher and the thread share.
struct Shared {
    name: &'static str,
    /// Its place in the thread's list.
    index: usize,
    slot: Slot,
    /// What a new client gets instead of the newest message, where there is such a thing.
    greeting: Slot,
    stats: Stats,
    replies: Option<Box<Replies>>,
}

impl Shared {
    /// What a new client gets.
    fn first(&self) -> Option<Arc<Message>> {
        self.greeting.latest(&self.stats).or_else(|| self.slot.latest(&self.stats))
    }
}

impl Feeds {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no descriptors or no thread left.
    pub fn start(limits: Limits) -> io::Result<Self> {
        let thread = Thread::new(limits)?;
        let inbox = thread.inbox();
        let thread = std::thread::Builder::new().name("feed".to_owned()).spawn(move || thread.run())?;
        let thread = Mutex::new(Some(thread));
        Ok(Self(Arc::new(Owner { inbox, admission: Arc::default(), opened: Mutex::default(), thread })))
    }

    /// Adds a feed.
    pub fn open(&self, name: &'static str) -> Feed {
        self.open_replying(name, None)
    }

    /// Adds a feed that understands messages from its clients itself.
    pub fn open_replying(&self, name: &'static str, replies: Option<Box<Replies>>) -> Feed {
        // Numbers are given in the order in which the thread learns of the feeds.
        let mut opened = self.0.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let (slot, greeting, stats) = (Slot::default(), Slot::default(), Stats::default());
        let shared = Arc::new(Shared { name, index: *opened, slot, greeting, stats, replies });
        *opened += 1;
        self.0.inbox.send(Command::Open(Arc::clone(&shared)));
        Feed { shared, inbox: Arc::clone(&self.0.inbox), admission: Arc::clone(&self.0.admission) }
    }

    /// Replaces the limits. Clients that are there already stay, even beyond a lower number.
    pub fn set_limits(&self, limits: Limits) {
        *self.0.inbox.limits.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }

    /// Closes (1008) every client that may no longer listen. Whoever connects is checked as well, so nobody slips
    /// through who is on the way in.
    pub fn recheck(&self) {
        self.0.inbox.send(Command::Recheck);
    }

    /// Closes (1001) every client, waits at most this long for their close frames, and ends the thread.
    /// Blocks until then.
    pub fn shutdown(&self, within: Duration) {
        self.0.inbox.send(Command::Stop(within));
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the feed thread panicked");
        }
    }
}

impl Feed {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.shared.name
    }

    /// What it counted.
    pub fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// Whether somebody listens.
    pub fn wanted(&self) -> bool {
        self.stats().clients() > 0
    }

    /// Replaces the newest message. Numbers start at 1 and grow by one.
    ///
    /// `encode` appends the message's JSON to the buffer. It runs at most once: now if somebody listens,
    /// else when the first asks ([`Feed::latest`], or a client that connects), else never.
    pub fn publish(&self, seq: u64, encode: impl FnOnce(&mut Vec<u8>) + Send + 'static) {
        self.shared.slot.put(seq, Box::new(encode));
        if self.wanted() {
            self.latest();
            self.inbox.wake();
        }
    }

    /// Replaces what a client that connects gets in place of the newest message, which has the same number. Comes
    /// before [`Feed::publish`], so that nobody is greeted with older news than the others have.
    pub fn greet(&self, seq: u64, encode: impl FnOnce(&mut Vec<u8>) + Send + 'static) {
        self.shared.greeting.put(seq, Box::new(encode));
    }

    /// Whether anything was published yet.
    pub fn has_message(&self) -> bool {
        self.shared.slot.newest() > 0
    }

    /// The newest message, encoded now if nobody wanted it before; `None` before the first.
    pub fn latest(&self) -> Option<Arc<Message>> {
        self.shared.slot.latest(&self.shared.stats)
    }

    /// Responds to a WebSocket handshake, and takes the connection over when it is accepted. `address` is the
    /// client's. The HTTP server must serve [`Wire`]s inside [`TokioIo`], with upgrades.
    pub fn serve<B>(&self, request: &mut Request<B>, address: IpAddr) -> Response {
        self.serve_while(request, address, &[], None)
    }

    /// The same for clients who may not stay for ever, and for pages of these origins besides our own.
    pub fn serve_while<B>(
        &self,
        request: &mut Request<B>,
        address: IpAddr,
        origins: &[String],
        allowed: Option<StillAllowed>,
    ) -> Response {
        match self.try_serve(request, address, origins, allowed) {
            Ok(response) => response,
            Err(refusal) => {
                self.shared.stats.count_refused(refusal.reason);
                refusal.error.into_response()
            }
        }
    }

    fn try_serve<B>(
        &self,
        request: &mut Request<B>,
        address: IpAddr,
        origins: &[String],
        allowed: Option<StillAllowed>,
    ) -> Result<Response, Refusal> {
        let limits = self.inbox.limits();
        let (method, version) = (request.method(), request.version());
        let mut handshake = handshake::check(method, version, request.uri(), request.headers(), origins)?;
        handshake.terms.deflate &= limits.compression;
        let mut permit = self.admission.admit(&self.shared, address, &limits).map_err(Refusal::full)?;
        permit.allowed = allowed;
        let response = handshake.response()?;
        let upgrade = hyper::upgrade::on(request);
        let (feed, terms) = (self.clone(), handshake.terms);
        tokio::spawn(async move {
            match tokio::time::timeout(HANDOVER, upgrade).await {
                Ok(Ok(upgraded)) => feed.take_over(upgraded, permit, terms),
                Ok(Err(error)) => tracing::debug!(%error, feed = feed.name(), "a client left during its handshake"),
                Err(_) => tracing::debug!(feed = feed.name(), "a client's handshake did not end"),
            }
        });
        Ok(response)
    }

    fn take_over(&self, upgraded: hyper::upgrade::Upgraded, permit: Permit, terms: Terms) {
        let Ok(parts) = upgraded.downcast::<TokioIo<Wire>>() else {
            tracing::error!(feed = self.name(), "the HTTP server serves connections of an unknown type");
            return;
        };
        if let Err(error) = self.accept(parts.io.into_inner().into_inner(), parts.read_buf, permit, terms) {
            tracing::warn!(%error, feed = self.name(), "a client could not be taken over");
        }
    }

    fn accept(&self, stream: Stream, already_read: Bytes, permit: Permit, terms: Terms) -> io::Result<()> {
        // Encoded here, if it has to be, so that the thread need not.
        self.shared.first();
        let socket = Socket::from_stream(stream)?;
        self.inbox.send(Command::Accept(Box::new(Accepted { socket, permit, terms, already_read })));
        Ok(())
    }
}
