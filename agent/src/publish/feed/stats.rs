//! What a feed counts about itself. The metrics `aura_feed_*` are read from here.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Counters of one feed. All but [`Stats::clients`] only grow.
#[derive(Debug, Default)]
pub struct Stats {
    pub(super) clients: AtomicU64,
    pub(super) opened: AtomicU64,
    pub(super) messages: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) bytes: AtomicU64,
    encoded: AtomicU64,
    encode_nanoseconds: AtomicU64,
    refused: [AtomicU64; Refused::ALL.len()],
    closed: [AtomicU64; Closed::ALL.len()],
}

/// Why a connection was refused before it became a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The request is no WebSocket handshake, or a wrong one.
    Handshake,
    /// A page of another site asked.
    Origin,
    /// The agent has as many clients as it takes.
    Clients,
    /// This address has as many clients as one address may have.
    Address,
}

/// Why a client is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It closed with a close frame.
    Peer,
    /// Its connection ended without a close frame.
    Gone,
    /// Nothing came from it for too long.
    Dead,
    /// It broke the protocol: 1002.
    Protocol,
    /// It sent something else than text: 1003.
    Unsupported,
    /// It sent text that is no UTF-8, or a broken compressed message: 1007.
    Invalid,
    /// It sent too much too fast: 1008.
    Flood,
    /// It may no longer listen, by a new configuration: 1008.
    Access,
    /// It sent a message that is too long: 1009.
    TooBig,
    /// The agent stopped: 1001.
    Shutdown,
}

impl Refused {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 4] = [Self::Handshake, Self::Origin, Self::Clients, Self::Address];

    /// The reason as a label value.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Origin => "origin",
            Self::Clients => "clients",
            Self::Address => "address",
        }
    }
}

impl Closed {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::Peer,
        Self::Gone,
        Self::Dead,
        Self::Protocol,
        Self::Unsupported,
        Self::Invalid,
        Self::Flood,
        Self::Access,
        Self::TooBig,
        Self::Shutdown,
    ];

    /// The reason as a label value.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Gone => "gone",
            Self::Dead => "dead",
            Self::Protocol => "protocol",
            Self::Unsupported => "unsupported",
            Self::Invalid => "invalid",
            Self::Flood => "flood",
            Self::Access => "access",
            Self::TooBig => "too_big",
            Self::Shutdown => "shutdown",
        }
    }

    /// The reason that belongs to a close code of ours.
    pub(super) fn of_code(code: u16) -> Self {
        match code {
            1001 => Self::Shutdown,
            1003 => Self::Unsupported,
            1007 => Self::Invalid,
            1008 => Self::Flood,
            1009 => Self::TooBig,
            _ => Self::Protocol,
        }
    }
}

impl Stats {
    /// Clients now, those in the middle of their handshake included.
    pub fn clients(&self) -> u64 {
        self.clients.load(Relaxed)
    }

    /// Connections that became clients.
    pub fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// Connections refused for this reason.
    pub fn refused(&self, reason: Refused) -> u64 {
        self.refused[reason as usize].load(Relaxed)
    }

    /// Clients that left for this reason.
    pub fn closed(&self, reason: Closed) -> u64 {
        self.closed[reason as usize].load(Relaxed)
    }

    /// Messages handed to the kernel: one message for three clients counts three times.
    pub fn messages(&self) -> u64 {
        self.messages.load(Relaxed)
    }

    /// Messages that a slow client did not get because a newer one was there before it could read them.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Relaxed)
    }

    /// Bytes of frames handed to the kernel (before TLS).
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Messages encoded: at most one a reading, and none while nobody listens.
    pub fn encoded(&self) -> u64 {
        self.encoded.load(Relaxed)
    }

    /// Time spent on encoding them.
    pub fn encode_time(&self) -> Duration {
        Duration::from_nanos(self.encode_nanoseconds.load(Relaxed))
    }

    pub(super) fn count_refused(&self, reason: Refused) {
        self.refused[reason as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn count_closed(&self, reason: Closed) {
        self.closed[reason as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn count_encoded(&self, took: Duration) {
        self.encoded.fetch_add(1, Relaxed);
        self.encode_nanoseconds.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_reasons_are_in_the_order_of_their_declaration() {
        for (at, reason) in Refused::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
        }
        for (at, reason) in Closed::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
        }
    }
}
