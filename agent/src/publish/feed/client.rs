//! One client: a slot for the newest message instead of a queue, and the few control frames it is owed.

use std::{
    collections::VecDeque,
    io,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};

use super::{
    answer::{self, Reaction},
    deflate::Deflate,
    frame::{self, Opcode},
    limits::{Limits, Permit},
    parser::{Event, Parser, Rules, Violation},
    slot::Message,
    socket::Socket,
    stats::Closed,
};

/// What a read and a frame cost beside their bytes, so that many small ones are a flood too.
const READ_COST: u32 = 32;
const FRAME_COST: u32 = 96;

/// Replies that may wait for a client that does not read them.
const REPLIES: usize = 16;

/// Messages that a client may have unread. Its kernel takes in many more, and acknowledges them, while the
/// program behind it does not read at all; only the program's pong says that it does. So the fourth message
/// in a row asks for one, and the fifth waits for it. A pong costs about as much as a message, so no more of them
/// are asked for; a client is only slowed by it if its answers take longer than a message.
const UNREAD: u8 = 4;

/// Which message in a row asks for a pong.
const ASK_AFTER: u8 = 4;

/// What the thread lends a client while it is this client's turn.
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
    /// Number of the newest message that it got or is owed.
    seq: u64,
    /// The newest message waits until the client reads.
    owed: bool,
    /// Messages sent that no pong has told of yet.
    unread: u8,
    /// How many of them were sent after the ping that is not answered yet.
    after_ping: Option<u8>,
    /// What is left of the frame being written: part of a shared one, usually nothing.
    writing: Bytes,
    backlog: Option<Box<Backlog>>,
    /// Kept only while a message has arrived in part.
    parser: Option<Box<Parser>>,
    allowance: u32,
    heard: Instant,
    /// Pings since it was heard.
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
        /// Nothing that still arrives matters, but for the end of the stream.
        deaf: bool,
        /// Bytes that are still read and thrown away. What comes after them stays in the kernel: cutting the
        /// connection there would take the close frame with it.
        discard_budget: usize,
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
            owed: false,
            unread: 0,
            after_ping: None,
            writing: Bytes::new(),
            backlog: None,
            parser: None,
            allowance: turn.limits.incoming_burst,
            heard: turn.now,
            pings: 0,
            phase: Phase::Open,
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        !matches!(self.phase, Phase::Open)
    }

    /// Whether what arrives is worth reading.
    pub(super) fn listens(&self) -> bool {
        !matches!(self.phase, Phase::Closing { discard_budget: 0, .. })
    }

    pub(super) fn wants_deflate(&self) -> bool {
        self.terms.deflate
    }

    pub(super) fn count_closed(&self, reason: Closed) {
        self.permit.feed.stats.count_closed(reason);
    }

    /// Gives it a message of its feed, or remembers that it is owed the newest one. Giving the same message
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
        if self.owed || !self.writing.is_empty() || self.backlog.is_some() {
            self.owed = true;
            return Ok(());
        }
        self.send_message(message, turn.deflate)
    }

    /// Counts what lies between the last message that it got and the one it gets next. A client that asked
    /// for a slower pace misses nothing it wanted.
    fn count_skipped(&self, seq: u64) {
        let last = if self.owed { self.seq } else { self.seq + 1 };
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
            self.owed = true;
            return Ok(());
        }
        let frame = if self.terms.deflate { message.deflated(deflate) } else { message.frame() };
        let asks = self.after_ping.is_none() && self.unread + 1 >= ASK_AFTER;
        let length = if asks { frame.len() } else { frame.len() - frame::PING.len() };
        match self.socket.write(&frame[..length]) {
            Ok(taken) => {
                self.owed = false;
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
                self.owed = true;
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
        if let Phase::Closing { deaf, sent, .. } = &mut self.phase {
            if !*sent && self.socket.flush().is_ok() {
                *sent = true;
                if *deaf {
                    self.socket.half_close();
                }
            }
        } else if self.owed
            && let Some(message) = self.permit.feed.slot.latest(&self.permit.feed.stats)
        {
            self.count_skipped(message.seq());
            self.seq = message.seq().max(self.seq);
            self.send_message(&message, turn.deflate)?;
        }
        Ok(())
    }

    /// Takes bytes that arrived.
    pub(super) fn receive(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> Result<(), Closed> {
        if let Phase::Closing { deaf: true, discard_budget, .. } = &mut self.phase {
            *discard_budget = discard_budget.saturating_sub(bytes.len());
            return Ok(());
        }
        self.heard = turn.now;
        self.pings = 0;
        self.charge(READ_COST.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX)), turn);
        let rules = Rules { message_bytes: turn.limits.message_bytes, deflate: self.terms.deflate };
        let mut parser = self.parser.take().map_or_else(Parser::default, |parser| *parser);
        let mut input = bytes;
        while !self.is_deaf() {
            match parser.take(&mut input, rules, turn.deflate) {
                Ok(Some(event)) => self.handle(event, turn)?,
                Ok(None) => break,
                Err(violation) => self.fail(violation, turn),
            }
        }
        if !parser.is_idle() && !self.is_deaf() {
            self.parser = Some(Box::new(parser));
        }
        self.flush(turn)
    }

    fn is_deaf(&self) -> bool {
        matches!(self.phase, Phase::Closing { deaf: true, .. })
    }

    fn handle(&mut self, event: Event, turn: &mut Turn<'_>) -> Result<(), Closed> {
        self.charge(FRAME_COST, turn);
        if let Phase::Closing { reason, .. } = self.phase {
            // We said good-bye first; all that matters now is the answer.
            return if matches!(event, Event::Close(_)) { Err(reason) } else { Ok(()) };
        }
        let reaction = match event {
            Event::Pong => {
                if let Some(sent) = self.after_ping.take() {
                    self.unread = sent;
                    // It was asked for, so it is free.
                    self.allowance = self.allowance.saturating_add(FRAME_COST + READ_COST);
                }
                return Ok(());
            }
            Event::Ping(payload) => {
                self.backlog().pong = Some(frame::build(Opcode::Pong, &payload));
                return self.flush(turn);
            }
            Event::Close(code) => {
                let echo = code.map_or_else(|| frame::build(Opcode::Close, &[]), |code| frame::close(code, ""));
                self.begin_close(echo, Closed::Peer, true, turn);
                return Ok(());
            }
            Event::Text(text) => answer::text(&text, self.permit.feed.answer.as_deref()),
            Event::Binary(_) => {
                self.fail(Violation { code: 1003, reason: "only text is understood" }, turn);
                return Ok(());
            }
        };
        match reaction {
            Reaction::Pace(pace) => {
                self.terms.pace = pace;
                self.due = turn.now + pace;
            }
            Reaction::Reply(reply) => {
                self.backlog().replies.push_back(reply);
                self.flush(turn)?;
                if self.backlog.as_ref().is_some_and(|backlog| backlog.replies.len() > REPLIES) {
                    self.fail(Violation { code: 1008, reason: "replies are not read" }, turn);
                }
            }
        }
        Ok(())
    }

    fn charge(&mut self, cost: u32, turn: &Turn<'_>) {
        match self.allowance.checked_sub(cost) {
            Some(left) => self.allowance = left,
            None if self.is_closing() => self.allowance = 0,
            None => self.fail(Violation { code: 1008, reason: "too much too fast" }, turn),
        }
    }

    fn backlog(&mut self) -> &mut Backlog {
        self.backlog.get_or_insert_default()
    }

    fn fail(&mut self, violation: Violation, turn: &Turn<'_>) {
        let Violation { code, reason } = violation;
        if !self.is_closing() {
            self.begin_close(frame::close(code, reason), Closed::of_code(code), true, turn);
        } else if let Phase::Closing { deaf, .. } = &mut self.phase {
            *deaf = true;
        }
    }

    /// Says good-bye if it may no longer listen.
    pub(super) fn review(&mut self, turn: &mut Turn<'_>) -> Result<(), Closed> {
        if self.is_closing() || self.permit.pass.as_ref().is_none_or(|pass| pass()) {
            return Ok(());
        }
        self.begin_close(frame::close(1008, "who may listen has changed"), Closed::Access, false, turn);
        self.flush(turn)
    }

    /// Says good-bye because the agent stops.
    pub(super) fn go_away(&mut self, until: Instant, turn: &mut Turn<'_>) -> Result<(), Closed> {
        if !self.is_closing() {
            self.begin_close(frame::close(1001, "the agent stops"), Closed::Shutdown, false, turn);
        }
        if let Phase::Closing { until: end, .. } = &mut self.phase {
            *end = until.min(*end);
        }
        self.flush(turn)
    }

    fn begin_close(&mut self, frame: Bytes, reason: Closed, deaf: bool, turn: &Turn<'_>) {
        let until = turn.now + turn.limits.close_timeout;
        self.phase = Phase::Closing { reason, until, deaf, discard_budget: 256 * 1024, sent: false };
        self.owed = false;
        self.backlog = Some(Box::new(Backlog { close: Some(frame), ..Backlog::default() }));
    }

    /// The connection ended.
    pub(super) fn lost(&self) -> Closed {
        match self.phase {
            Phase::Closing { reason, .. } => reason,
            Phase::Open => Closed::Gone,
        }
    }

    /// Looks at the clock: refills the allowance, asks a silent client, drops a dead one.
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
        self.allowance = self.allowance.saturating_add(refill).min(limits.incoming_burst);
        let silent = turn.now.saturating_duration_since(self.heard);
        if silent >= limits.dead_after {
            self.socket.abandon();
            return Err(Closed::Dead);
        }
        if silent >= limits.ping_interval * (self.pings + 1) {
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
