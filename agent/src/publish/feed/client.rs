//! One client: a slot for the newest message instead of a queue, and a few control frames.

mod receive;

use std::{
    collections::VecDeque,
    io,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};

use super::{
    deflate::Deflate,
    frame,
    limits::{Limits, Permit},
    parser::Parser,
    slot::Message,
    socket::Socket,
    stats::Closed,
};

/// Messages that a client may have unread. Its kernel takes in many more, and acknowledges them, while the
/// program behind it does not read at all; only the program's pong says that it does. So the fourth message
/// in a row asks for one, and the fifth waits for it. A pong costs about as much as a message, so no more of them
/// are asked for; a client is only slowed by it if its pongs take longer than a message.
const UNREAD: u8 = 4;

/// Which message in a row asks for a pong.
const ASK_AFTER: u8 = 4;

/// What the thread lends a client while it serves it.
pub(super) struct Turn<'a> {
    pub(super) now: Instant,
    pub(super) limits: &'a Limits,
    pub(super) deflate: &'a mut Deflate,
}

/// How a client wants to be served, from its handshake.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    /// permessage-deflate was agreed on.
    pub(super) deflate: bool,
    /// At most one message in this time; zero for every message.
    pub(super) pace: Duration,
}

pub(super) struct Client {
    pub(super) socket: Socket,
    /// Where it stands in its feed's list of members.
    pub(super) member: usize,
    pub(super) feed: usize,
    permit: Permit,
    terms: Terms,
    /// When the next message is due, for a client with a pace.
    due: Instant,
    /// Number of the newest message that it got or will get.
    seq: u64,
    /// The newest message waits until the client reads.
    pending: bool,
    /// Messages sent that no pong has acknowledged yet.
    unread: u8,
    /// How many of them were sent after the ping that has no pong yet.
    after_ping: Option<u8>,
    /// What is left of the frame being written: part of a shared one, usually nothing.
    writing: Bytes,
    backlog: Option<Box<Backlog>>,
    /// Kept only while a message has arrived in part.
    parser: Option<Box<Parser>>,
    budget: u32,
    last_received: Instant,
    /// Pings since something was received.
    pings: u32,
    phase: Phase,
}

/// Control frames and replies that wait for the socket. Bounded: the newest pong replaces an older one.
#[derive(Default)]
struct Backlog {
    pong: Option<Bytes>,
    ping: bool,
    replies: VecDeque<Bytes>,
    close: Option<Bytes>,
}

enum Phase {
    Open,
    /// A close frame is on its way.
    Closing {
        reason: Closed,
        until: Instant,
        /// What still arrives is thrown away, until the end of the stream.
        discarding: bool,
        /// Bytes that are still read and thrown away. What comes after them stays in the kernel: cutting the
        /// connection there would take the close frame with it.
        discard_bytes: usize,
        sent: bool,
    },
}

impl Client {
    pub(super) fn new(socket: Socket, permit: Permit, terms: Terms, feed: usize, turn: &Turn<'_>) -> Self {
        Self {
            socket,
            member: 0,
            feed,
            permit,
            terms,
            due: turn.now,
            seq: 0,
            pending: false,
            unread: 0,
            after_ping: None,
            writing: Bytes::new(),
            backlog: None,
            parser: None,
            budget: turn.limits.incoming_burst,
            last_received: turn.now,
            pings: 0,
            phase: Phase::Open,
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        !matches!(self.phase, Phase::Open)
    }

    /// Whether what arrives is worth reading.
    pub(super) fn listens(&self) -> bool {
        !matches!(self.phase, Phase::Closing { discard_bytes: 0, .. })
    }

    pub(super) fn wants_deflate(&self) -> bool {
        self.terms.deflate
    }

    pub(super) fn count_closed(&self, reason: Closed) {
        self.permit.feed.stats.count_closed(reason);
    }

    /// Gives it a message of its feed, or remembers that the newest one is pending. Giving the same message
    /// twice does nothing.
    ///
    /// # Errors
    /// Why the client has to go.
    pub(super) fn offer(&mut self, message: &Message, turn: &mut Turn<'_>) -> Result<(), Closed> {
        if message.seq() <= self.seq || self.is_closing() || !self.is_due(turn.now) {
            return Ok(());
        }
        self.count_skipped(message.seq());
        self.seq = message.seq();
        if self.pending || !self.writing.is_empty() || self.backlog.is_some() {
            self.pending = true;
            return Ok(());
        }
        self.send_message(message, turn.deflate)
    }

    /// Counts what lies between the last message that it got and the one it gets next. A client that asked
    /// for a slower pace misses nothing it wanted.
    fn count_skipped(&self, seq: u64) {
        let last = if self.pending { self.seq } else { self.seq + 1 };
        if self.seq > 0 && seq > last && self.terms.pace.is_zero() {
            self.permit.feed.stats.skipped.fetch_add(seq - last, Relaxed);
        }
    }

    /// Readings come with some jitter, so a message a little before its time is in time.
    fn is_due(&mut self, now: Instant) -> bool {
        let pace = self.terms.pace;
        if pace.is_zero() {
            return true;
        }
        if now + pace / 20 < self.due {
            return false;
        }
        self.due += pace;
        if self.due < now {
            self.due = now + pace;
        }
        true
    }

    fn send_message(&mut self, message: &Message, deflate: &mut Deflate) -> Result<(), Closed> {
        if self.unread >= UNREAD {
            self.pending = true;
            return Ok(());
        }
        let frame = if self.terms.deflate { message.deflated(deflate) } else { message.frame() };
        let asks = self.after_ping.is_none() && self.unread + 1 >= ASK_AFTER;
        let length = if asks { frame.len() } else { frame.len() - frame::PING.len() };
        match self.socket.write(&frame[..length]) {
            Ok(taken) => {
                self.pending = false;
                self.unread += 1;
                self.after_ping = if asks { Some(0) } else { self.after_ping.map(|sent| sent + 1) };
                self.permit.feed.stats.messages.fetch_add(1, Relaxed);
                self.permit.feed.stats.bytes.fetch_add(taken as u64, Relaxed);
                if taken < length {
                    self.writing = frame.slice(taken..length);
                    self.push()?;
                }
                Ok(())
            }
            // Not started, so a newer one can still take its place.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.pending = true;
                Ok(())
            }
            Err(_) => Err(self.lost()),
        }
    }

    /// Goes on with the frame being written; `true` when nothing is left of it.
    fn push(&mut self) -> Result<bool, Closed> {
        while !self.writing.is_empty() {
            match self.socket.write(&self.writing) {
                Ok(0) => return Err(self.lost()),
                Ok(taken) => {
                    self.permit.feed.stats.bytes.fetch_add(taken as u64, Relaxed);
                    self.writing.advance(taken);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(_) => return Err(self.lost()),
            }
        }
        // A slice of a shared frame keeps all of it alive, even an empty one.
        self.writing = Bytes::new();
        Ok(true)
    }

    /// Sends what waits: the rest of a frame, then control frames and replies, then the newest message.
    pub(super) fn flush(&mut self, turn: &mut Turn<'_>) -> Result<(), Closed> {
        match self.socket.flush() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(_) => return Err(self.lost()),
            Ok(()) => {}
        }
        if !self.push()? {
            return Ok(());
        }
        while let Some(backlog) = &mut self.backlog {
            match backlog.next() {
                Some(control) => {
                    self.writing = control;
                    if !self.push()? {
                        return Ok(());
                    }
                }
                None => self.backlog = None,
            }
        }
        if let Phase::Closing { discarding, sent, .. } = &mut self.phase {
            if !*sent && self.socket.flush().is_ok() {
                *sent = true;
                if *discarding {
                    self.socket.half_close();
                }
            }
        } else if self.pending
            && let Some(message) = self.permit.feed.slot.latest(&self.permit.feed.stats)
        {
            self.count_skipped(message.seq());
            self.seq = message.seq().max(self.seq);
            self.send_message(&message, turn.deflate)?;
        }
        Ok(())
    }

    /// Sends a close frame if it may no longer listen.
    pub(super) fn recheck(&mut self, turn: &mut Turn<'_>) -> Result<(), Closed> {
        if self.is_closing() || self.permit.allowed.as_ref().is_none_or(|allowed| allowed()) {
            return Ok(());
        }
        self.begin_close(frame::close(1008, "who may listen has changed"), Closed::Access, false, turn);
        self.flush(turn)
    }

    /// Sends a close frame because the agent stops.
    pub(super) fn go_away(&mut self, until: Instant, turn: &mut Turn<'_>) -> Result<(), Closed> {
        if !self.is_closing() {
            self.begin_close(frame::close(1001, "the agent stops"), Closed::Shutdown, false, turn);
        }
        if let Phase::Closing { until: end, .. } = &mut self.phase {
            *end = until.min(*end);
        }
        self.flush(turn)
    }

    fn backlog(&mut self) -> &mut Backlog {
        self.backlog.get_or_insert_default()
    }

    fn begin_close(&mut self, frame: Bytes, reason: Closed, discarding: bool, turn: &Turn<'_>) {
        let until = turn.now + turn.limits.close_timeout;
        self.phase = Phase::Closing { reason, until, discarding, discard_bytes: 256 * 1024, sent: false };
        self.pending = false;
        self.backlog = Some(Box::new(Backlog { close: Some(frame), ..Backlog::default() }));
    }

    /// The connection ended.
    pub(super) fn lost(&self) -> Closed {
        match self.phase {
            Phase::Closing { reason, .. } => reason,
            Phase::Open => Closed::Gone,
        }
    }

    /// Looks at the clock: refills the budget, pings an idle client, drops a dead one.
    pub(super) fn tick(&mut self, elapsed: Duration, turn: &mut Turn<'_>) -> Result<(), Closed> {
        if let Phase::Closing { reason, until, sent, .. } = self.phase {
            if turn.now < until {
                return Ok(());
            }
            if !sent {
                self.socket.abandon();
            }
            return Err(reason);
        }
        let limits = turn.limits;
        let refill = (elapsed.as_secs_f64() * f64::from(limits.incoming_per_second)).min(f64::from(u32::MAX));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and u32::MAX")]
        let refill = refill as u32;
        self.budget = self.budget.saturating_add(refill).min(limits.incoming_burst);
        let idle = turn.now.saturating_duration_since(self.last_received);
        if idle >= limits.idle_timeout {
            self.socket.abandon();
            return Err(Closed::Dead);
        }
        if idle >= limits.ping_interval * (self.pings + 1) {
            self.pings += 1;
            self.backlog().ping = true;
            return self.flush(turn);
        }
        Ok(())
    }
}

impl Backlog {
    fn next(&mut self) -> Option<Bytes> {
        if let Some(pong) = self.pong.take() {
            return Some(pong);
        }
        if std::mem::take(&mut self.ping) {
            return Some(Bytes::from_static(&frame::PING));
        }
        self.replies.pop_front().or_else(|| self.close.take())
    }
}

const _: () = assert!(size_of::<Client>() <= 256, "an idle client costs little");
