//! How other threads talk to the one that owns the clients.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use mio::Waker;

use super::{
    Shared,
    client::Terms,
    limits::{Limits, Permit},
    socket::Socket,
};

/// What other threads have for this one to do.
pub(super) struct Inbox {
    pub(super) waker: Waker,
    /// `None` once the thread has ended: what comes then is dropped.
    pub(super) commands: Mutex<Option<Vec<Command>>>,
    pub(super) limits: Mutex<Arc<Limits>>,
}

pub(super) enum Command {
    Open(Arc<Shared>),
    Accept(Box<Accepted>),
    Recheck,
    Stop(Duration),
}

/// A connection whose handshake is done.
pub(super) struct Accepted {
    pub(super) socket: Socket,
    pub(super) permit: Permit,
    pub(super) terms: Terms,
    /// What the HTTP server had read beyond the handshake.
    pub(super) already_read: Bytes,
}

impl Inbox {
    pub(super) fn send(&self, command: Command) {
        if let Some(commands) = &mut *self.commands.lock().unwrap_or_else(PoisonError::into_inner) {
            commands.push(command);
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
