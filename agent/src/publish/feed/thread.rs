//! The thread that owns every client of every feed: it waits for sockets, takes new clients, and hands new messages
//! out.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use mio::{Events, Poll, Token, Waker};
use slab::Slab;

use super::{
    broadcast::Broadcast,
    client::{Client, Turn},
    deflate::Deflate,
    inbox::{Accepted, Command, Inbox},
    limits::Limits,
    socket::Socket,
    stats::Closed,
};

const WAKE: Token = Token(usize::MAX);

/// Clients that get a message before the thread looks at its sockets again.
const BATCH: usize = 512;

/// Reads of one client before it is another's turn.
const READS: usize = 4;

/// How long the thread lets events come together after it had some. Pongs of many clients trickle in one by one, and
/// waking up for each costs more than reading it.
const COALESCE: Duration = Duration::from_millis(1);

/// How often clients are looked at for the clock's sake; more often while some are closing.
const TICK: Duration = Duration::from_secs(1);
const CLOSING_TICK: Duration = Duration::from_millis(100);

pub(super) struct Thread {
    poll: Poll,
    inbox: Arc<Inbox>,
    limits: Arc<Limits>,
    clients: Slab<Client>,
    feeds: Vec<Broadcast>,
    /// Clients with more to read than one turn allows.
    again: Vec<usize>,
    gone: Vec<(usize, Closed)>,
    read_buffer: Box<[u8]>,
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

impl Thread {
    pub(super) fn new(limits: Limits) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let limits = Arc::new(limits);
        let inbox = Inbox { waker, commands: Mutex::new(Some(Vec::new())), limits: Mutex::new(Arc::clone(&limits)) };
        Ok(Self {
            poll,
            inbox: Arc::new(inbox),
            limits,
            clients: Slab::new(),
            feeds: Vec::new(),
            again: Vec::new(),
            gone: Vec::new(),
            read_buffer: vec![0; 16 * 1024].into(),
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
            self.remove_gone();
            self.run_commands(now);
            self.broadcast(now);
            self.tick(now);
            self.remove_gone();
            if self.stopping.is_some_and(|until| self.clients.is_empty() || now >= until) {
                return;
            }
            if served && self.poll_timeout() != Some(Duration::ZERO) {
                std::thread::sleep(COALESCE);
            }
        }
    }

    /// How long nothing may happen; for ever without clients.
    fn poll_timeout(&self) -> Option<Duration> {
        if !self.again.is_empty() || self.feeds.iter().any(|broadcast| broadcast.left > 0) {
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
            result = read(client, &mut self.read_buffer, ready.ended, &mut turn).map(|more| {
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

    fn run_commands(&mut self, now: Instant) {
        let commands = self.inbox.commands.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(std::mem::take);
        for command in commands.into_iter().flatten() {
            match command {
                Command::Open(feed) => {
                    self.feeds.push(Broadcast::new(feed));
                }
                Command::Accept(accepted) => self.accept(*accepted, now),
                Command::Recheck => self.recheck(now),
                Command::Stop(within) => self.stop(now, within),
            }
        }
    }

    fn accept(&mut self, accepted: Accepted, now: Instant) {
        let Accepted { socket, permit, terms, already_read } = accepted;
        let feed = Arc::clone(&permit.feed);
        let mut turn = Turn { now, limits: &self.limits, deflate: &mut self.deflate };
        let mut client = Client::new(socket, permit, terms, feed.index, &turn);
        let broadcast = &mut self.feeds[feed.index];
        let entry = self.clients.vacant_entry();
        let key = entry.key();
        if let Err(error) = client.socket.register(self.poll.registry(), Token(key)) {
            tracing::warn!(%error, feed = feed.name, "a client could not be taken over");
            return;
        }
        feed.stats.opened.fetch_add(1, Relaxed);
        client.member = broadcast.members.len();
        broadcast.members.push(key);
        self.deflating += usize::from(terms.deflate);
        let client = entry.insert(client);
        let mut result = client.recheck(&mut turn);
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

    fn recheck(&mut self, now: Instant) {
        let mut turn = Turn { now, limits: &self.limits, deflate: &mut self.deflate };
        for (key, client) in &mut self.clients {
            if let Err(reason) = client.recheck(&mut turn) {
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
    fn broadcast(&mut self, now: Instant) {
        for broadcast in &mut self.feeds {
            broadcast.renew();
            let Some(message) = &broadcast.message else { continue };
            let mut turn = Turn { now, limits: &self.limits, deflate: &mut self.deflate };
            for _ in 0..broadcast.left.min(BATCH) {
                broadcast.left -= 1;
                broadcast.next = if broadcast.next + 1 < broadcast.members.len() { broadcast.next + 1 } else { 0 };
                let key = broadcast.members[broadcast.next];
                if let Err(reason) = self.clients[key].offer(message, &mut turn) {
                    self.gone.push((key, reason));
                }
            }
            if broadcast.left == 0 {
                // The slot keeps the newest; holding an older one here would only keep its memory.
                broadcast.message = None;
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

    /// Removes the clients that are gone.
    fn remove_gone(&mut self) {
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
        *self.inbox.commands.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Reads until the socket is empty or the turn is over; `true` if there may be more.
fn read(client: &mut Client, read_buffer: &mut [u8], ended: bool, turn: &mut Turn<'_>) -> Result<bool, Closed> {
    for _ in 0..READS {
        if !client.listens() {
            return Ok(false);
        }
        match client.socket.read(read_buffer) {
            Ok(0) => return Err(client.lost()),
            Ok(length) => {
                client.receive(&read_buffer[..length], turn)?;
                // A short read has emptied a plain socket, and saves asking once more.
                if length < read_buffer.len() && !ended && matches!(client.socket, Socket::Plain(_)) {
                    return Ok(false);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(_) => return Err(client.lost()),
        }
    }
    Ok(true)
}
