//! The newest message of a feed: one value, never a queue, encoded at most once and only if somebody wants it.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Acquire, Ordering::Release},
    },
    time::Instant,
};

use bytes::Bytes;

use super::{
    deflate::Deflate,
    frame::{self, FIN, LONGEST_HEADER, Opcode, PING},
    stats::Stats,
};

/// An encoded message and the frame around it, shared by all who get it.
#[derive(Debug)]
pub struct Message {
    seq: u64,
    /// The frame, and a ping behind it for those who are asked whether they read it.
    frame: Bytes,
    header: usize,
    deflated: OnceLock<Bytes>,
}

impl Message {
    /// Its number in the feed.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Its text, without copying it.
    pub fn text(&self) -> Bytes {
        self.frame.slice(self.header..self.frame.len() - PING.len())
    }

    /// The frame with a ping behind it.
    pub(super) fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The compressed frame with a ping behind it; the first who wants it makes it.
    pub(super) fn deflated(&self, deflate: &mut Deflate) -> &Bytes {
        let text = self.header..self.frame.len() - PING.len();
        self.deflated.get_or_init(|| deflate.text_frame(&self.frame[text], &PING))
    }
}

/// Writes a message's JSON behind what the buffer holds already.
pub(super) type Encode = Box<dyn FnOnce(&mut Vec<u8>) + Send>;

#[derive(Default)]
pub(super) struct Slot {
    newest: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seq: u64,
    message: Option<Arc<Message>>,
    encode: Option<Encode>,
}

impl Slot {
    /// The number of the newest message, encoded or not; 0 before the first.
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Acquire)
    }

    /// Replaces the newest message.
    pub(super) fn put(&self, seq: u64, encode: Encode) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State { seq, message: None, encode: Some(encode) };
        self.newest.store(seq, Release);
    }

    /// The newest message, encoded now if it was not yet.
    pub(super) fn latest(&self, stats: &Stats) -> Option<Arc<Message>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(encode) = state.encode.take() {
            let started = Instant::now();
            let mut buffer = Vec::with_capacity(4096);
            buffer.resize(LONGEST_HEADER, 0);
            encode(&mut buffer);
            let (frame, header) = frame::seal(buffer, FIN | Opcode::Text as u8, &PING);
            state.message = Some(Arc::new(Message { seq: state.seq, frame, header, deflated: OnceLock::new() }));
            stats.count_encoded(started.elapsed());
        }
        state.message.clone()
    }
}
