//! The thread that owns every client of every feed: it waits for sockets, takes newcomers, and walks the
//! clients of a feed when there is a new message.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytes::Bytes;
use mio::{Events, Poll, Token, Waker};
use slab::Slab;

use super::{
    Shared,
    client::{Client, Terms, Turn},
    deflate::Deflate,
    limits::{Limits, Permit},
    slot::Message,
    socket::Socket,
    stats::Closed,
};

const WAKE: Token = Token(usize::MAX);

/// Clients that a walk serves before the thread looks at its sockets again.
const STRIDE: usize = 512;

/// Reads of one client before it is another's turn.
const READS: usize = 4;

/// How long the thread lets events gather after it had some. Answers of many clients trickle in one by one, and
/// waking up for each costs more than reading it.
const GATHER: Duration = Duration::from_millis(1);

/// How often clients are looked at for the clock's sake; more often while some are closing.
const TICK: Duration = Duration::from_secs(1);
const CLOSING_TICK: Duration = Duration::from_millis(100);

/// What other threads leave for this one.
pub(super) struct Inbox {
    waker: Waker,
    /// `None` once the thread has ended: what is left then is dropped.
    left: Mutex<Option<Vec<Command>>>,
    pub(super) limits: Mutex<Arc<Limits>>,
}

pub(super) enum Command {
    Open(Arc<Shared>),
    Accept(Box<Newcomer>),
    Review,
    Stop(Duration),
}

/// A connection whose handshake is done.
pub(super) struct Newcomer {
    pub(super) socket: Socket,
    pub(super) permit: Permit,
    pub(super) terms: Terms,
    /// What the HTTP server had read beyond the handshake.
    pub(super) already_read: Bytes,
}

impl Inbox {
    pub(super) fn leave(&self, command: Command) {
        if let Some(left) = &mut *self.left.lock().unwrap_or_else(PoisonError::into_inner) {
            left.push(command);
        }
        self.wake();
    }

    pub(super) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the feed thread cannot be woken");
        }
    }

    pub(super) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.limits.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) struct Thread {
    poll: Poll,
    inbox: Arc<Inbox>,
    limits: Arc<Limits>,
    clients: Slab<Client>,
    feeds: Vec<Walk>,
    /// Clients with more to read than one turn allows.
    again: Vec<usize>,
    gone: Vec<(usize, Closed)>,
    scratch: Box<[u8]>,
    deflate: Deflate,
    deflating: usize,
    ticked: Instant,
    closing: bool,
    stopping: Option<Instant>,
}

/// What an event says about a socket.
#[derive(Clone, Copy)]
struct Ready {
    read: bool,
    write: bool,
    /// There may be an end to read, of which no other event will tell.
    ended: bool,
}

/// A feed's clients, and how far the newest message got among them.
struct Walk {
    feed: Arc<Shared>,
    members: Vec<usize>,
    /// Number of the newest message that a walk was started for.
    seq: u64,
    message: Option<Arc<Message>>,
    next: usize,
    left: usize,
}

impl Thread {
    pub(super) fn new(limits: Limits) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let limits = Arc::new(limits);
        let inbox = Inbox { waker, left: Mutex::new(Some(Vec::new())), limits: Mutex::new(Arc::clone(&limits)) };
        Ok(Self {
            poll,
            inbox: Arc::new(inbox),
            limits,
            clients: Slab::new(),
            feeds: Vec::new(),
            again: Vec::new(),
            gone: Vec::new(),
            scratch: vec![0; 16 * 1024].into(),
            deflate: Deflate::default(),
            deflating: 0,
            ticked: Instant::now(),
            closing: false,
            stopping: None,
        })
    }

    pub(super) fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.inbox)
    }

    /// Serves until told to stop.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        loop {
            if let Err(error) = self.poll.poll(&mut events, self.poll_timeout())
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the feed thread cannot wait for its sockets");
                return;
            }
            let now = Instant::now();
            let again = std::mem::take(&mut self.again);
            for key in again {
                self.serve(key, Ready { read: true, write: false, ended: true }, now);
            }
            let mut served = false;
            for event in &events {
                if event.token() != WAKE {
                    let ended = event.is_read_closed() || event.is_error();
                    if ended {
                        self.notice_end(event.token().0);
                    }
                    let ready = Ready { read: ended || event.is_readable(), write: event.is_writable(), ended };
                    self.serve(event.token().0, ready, now);
                    served = true;
                }
            }
            self.bury();
            self.obey(now);
            self.walk(now);
            self.tick(now);
            self.bury();
            if self.stopping.is_some_and(|until| self.clients.is_empty() || now >= until) {
                return;
            }
            if served && self.poll_timeout() != Some(Duration::ZERO) {
                std::thread::sleep(GATHER);
            }
        }
    }

    /// How long nothing may happen; for ever without clients.
    fn poll_timeout(&self) -> Option<Duration> {
        if !self.again.is_empty() || self.feeds.iter().any(|walk| walk.left > 0) {
            return Some(Duration::ZERO);
        }
        if self.clients.is_empty() && self.stopping.is_none() {
            return None;
        }
        Some(self.until_tick().saturating_sub(self.ticked.elapsed()))
    }

    fn until_tick(&self) -> Duration {
        if self.closing { CLOSING_TICK } else { TICK }
    }

    fn serve(&mut self, key: usize, ready: Ready, now: Instant) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let mut turn = Turn { now, limits: &self.limits, deflate: &mut self.deflate };
        let mut result = Ok(());
        if ready.write {
            result = client.flush(&mut turn);
        }
        if ready.read && result.is_ok() {
            result = read(client, &mut self.scratch, ready.ended, &mut turn).map(|more| {
                if more {
                    self.again.push(key);
                }
            });
        }
        self.closing |= client.is_closing();
        if let Err(reason) = result {
            self.gone.push((key, reason));
        }
    }

    /// The end of a connection from which nothing more is read is seen by its event alone.
    fn notice_end(&mut self, key: usize) {
        if let Some(client) = self.clients.get(key).filter(|client| !client.listens()) {
            self.gone.push((key, client.lost()));
        }
    }

    fn obey(&mut self, now: Instant) {
        let commands = self.inbox.left.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(std::mem::take);
        for command in commands.into_iter().flatten() {
            match command {
                Command::Open(feed) => {
                    self.feeds.push(Walk { feed, members: Vec::new(), seq: 0, message: None, next: 0, left: 0 });
                }
                Command::Accept(newcomer) => self.welcome(*newcomer, now),
                Command::Review => self.review(now),
                Command::Stop(within) => self.stop(now, within),
            }
        }
    }

    fn welcome(&mut self, newcomer: Newcomer, now: Instant) {
        let Newcomer { socket, permit, terms, already_read } = newcomer;
        let feed = Arc::clone(&permit.feed);
        let mut turn = Turn { now, limits: &self.limits, deflate: &mut self.deflate };
        let mut client = Client::new(socket, permit, terms, feed.index, &turn);
        let walk = &mut self.feeds[feed.index];
        let entry = self.clients.vacant_entry();
        let key = entry.key();
        if let Err(error) = client.socket.register(self.poll.registry(), Token(key)) {
            tracing::warn!(%error, feed = feed.name, "a client could not be taken over");
            return;
        }
        feed.stats.opened.fetch_add(1, Relaxed);
        client.member = walk.members.len();
        walk.members.push(key);
        self.deflating += usize::from(terms.deflate);
        let client = entry.insert(client);
        let mut result = client.review(&mut turn);
        if result.is_ok()
            && let Some(message) = feed.first()
        {
            result = client.offer(&message, &mut turn);
        }
        if result.is_ok() && !already_read.is_empty() {
            result = client.receive(&already_read, &mut turn);
        }
        if result.is_ok() && self.stopping.is_some() {
            result = client.go_away(now, &mut turn);
        }
        match result {
            // Under TLS more may have been decrypted than was read, and no event would tell.
            Ok(()) => self.serve(key, Ready { read: true, write: false, ended: false }, now),
            Err(reason) => self.gone.push((key, reason)),
        }
    }

    fn review(&mut self, now: Instant) {
        let mut turn = Turn { now, limits: &self.limits, deflate: &mut self.deflate };
        for (key, client) in &mut self.clients {
            if let Err(reason) = client.review(&mut turn) {
                self.gone.push((key, reason));
            }
            self.closing |= client.is_closing();
        }
    }

    fn stop(&mut self, now: Instant, within: Duration) {
        let until = now + within;
        self.stopping = Some(until);
        self.closing = true;
        let mut turn = Turn { now, limits: &self.limits, deflate: &mut self.deflate };
        for (key, client) in &mut self.clients {
            if let Err(reason) = client.go_away(until, &mut turn) {
                self.gone.push((key, reason));
            }
        }
    }

    /// Brings new messages to the clients of their feeds, some clients at a time.
    fn walk(&mut self, now: Instant) {
        for walk in &mut self.feeds {
            walk.renew();
            let Some(message) = &walk.message else { continue };
            let mut turn = Turn { now, limits: &self.limits, deflate: &mut self.deflate };
            for _ in 0..walk.left.min(STRIDE) {
                walk.left -= 1;
                walk.next = if walk.next + 1 < walk.members.len() { walk.next + 1 } else { 0 };
                let key = walk.members[walk.next];
                if let Err(reason) = self.clients[key].offer(message, &mut turn) {
                    self.gone.push((key, reason));
                }
            }
            if walk.left == 0 {
                // The slot keeps the newest; holding an older one here would only keep its memory.
                walk.message = None;
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.ticked);
        if elapsed < self.until_tick() {
            return;
        }
        self.ticked = now;
        self.limits = self.inbox.limits();
        self.closing = false;
        let mut turn = Turn { now, limits: &self.limits, deflate: &mut self.deflate };
        for (key, client) in &mut self.clients {
            if let Err(reason) = client.tick(elapsed, &mut turn) {
                self.gone.push((key, reason));
            }
            self.closing |= client.is_closing();
        }
    }

    /// Lets go of the clients that are gone.
    fn bury(&mut self) {
        for (key, reason) in std::mem::take(&mut self.gone) {
            let Some(client) = self.clients.try_remove(key) else { continue };
            client.count_closed(reason);
            self.deflating -= usize::from(client.wants_deflate());
            self.feeds[client.feed].remove(client.member, &mut self.clients);
        }
        if self.deflating == 0 {
            self.deflate.rest();
        }
        if self.clients.is_empty() {
            self.clients.shrink_to_fit();
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        *self.inbox.left.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Walk {
    /// Starts a walk if there is a newer message. One that is under way goes on with the newer message from
    /// where it is, so nobody is first or last every time.
    fn renew(&mut self) {
        if self.feed.slot.newest() <= self.seq || self.members.is_empty() {
            return;
        }
        if let Some(message) = self.feed.slot.latest(&self.feed.stats) {
            self.seq = message.seq();
            if self.left == 0 {
                self.next += self.members.len() / 3;
                if self.next >= self.members.len() {
                    self.next -= self.members.len();
                }
            }
            self.left = self.members.len();
            self.message = Some(message);
        }
    }

    fn remove(&mut self, member: usize, clients: &mut Slab<Client>) {
        self.members.swap_remove(member);
        if let Some(&moved) = self.members.get(member) {
            clients[moved].member = member;
        }
        self.next = if self.next < self.members.len() { self.next } else { 0 };
        if self.left > 0 {
            // The one that moved may have moved behind the walk; offering a message twice does no harm.
            self.left = self.members.len();
        }
    }
}

/// Reads until the socket is empty or the turn is over; `true` if there may be more.
fn read(client: &mut Client, scratch: &mut [u8], ended: bool, turn: &mut Turn<'_>) -> Result<bool, Closed> {
    for _ in 0..READS {
        if !client.listens() {
            return Ok(false);
        }
        match client.socket.read(scratch) {
            Ok(0) => return Err(client.lost()),
            Ok(length) => {
                client.receive(&scratch[..length], turn)?;
                // A short read has emptied a plain socket, and saves asking once more.
                if length < scratch.len() && !ended && matches!(client.socket, Socket::Plain(_)) {
                    return Ok(false);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(_) => return Err(client.lost()),
        }
    }
    Ok(true)
}
