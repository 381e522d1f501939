//! How much clients may cost, and who may become one.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use super::{Shared, StillAllowed, stats::Refused};
use crate::net::network;

/// Bounds on everything that a client can make grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Clients at once, of all feeds together.
    pub clients: usize,
    /// Clients at once from one address (IPv4) or one /64 network (IPv6).
    pub clients_per_address: usize,
    /// Longest message from a client, all fragments together, before and after inflating.
    pub message_bytes: usize,
    /// What a client may send a second over time, in bytes; each frame and each read counts for some as well.
    pub incoming_per_second: u32,
    /// What it may send at once when it has sent nothing for a while.
    pub incoming_burst: u32,
    /// A client from which nothing came for this long gets a ping.
    pub ping_interval: Duration,
    /// A client from which nothing came for this long is dropped.
    pub idle_timeout: Duration,
    /// Whether permessage-deflate is agreed on with clients who offer it.
    pub compression: bool,
    /// How long a client may take to reply to a close frame.
    pub close_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: 10_000,
            clients_per_address: 256,
            message_bytes: 4096,
            incoming_per_second: 8 * 1024,
            incoming_burst: 64 * 1024,
            ping_interval: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(60),
            compression: true,
            close_timeout: Duration::from_secs(1),
        }
    }
}

/// Counts clients by address.
#[derive(Default)]
pub(super) struct Admission {
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Admission {
    /// Takes a permit for a client of this feed.
    pub(super) fn admit(
        self: &Arc<Self>,
        feed: &Arc<Shared>,
        address: IpAddr,
        limits: &Limits,
    ) -> Result<Permit, Refused> {
        let address = network(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= limits.clients {
            return Err(Refused::Clients);
        }
        let here = counts.by_address.entry(address).or_default();
        if *here >= limits.clients_per_address {
            return Err(Refused::Address);
        }
        *here += 1;
        counts.total += 1;
        feed.stats.clients.fetch_add(1, Relaxed);
        Ok(Permit { admission: Arc::clone(self), feed: Arc::clone(feed), allowed: None, address })
    }
}

/// A client's permit, given back when this is dropped.
pub(super) struct Permit {
    admission: Arc<Admission>,
    pub(super) feed: Arc<Shared>,
    /// Whether the client may stay; it always may when there is none.
    pub(super) allowed: Option<StillAllowed>,
    address: IpAddr,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admission.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        if let Some(here) = counts.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                counts.by_address.remove(&self.address);
            }
        }
        self.feed.stats.clients.fetch_sub(1, Relaxed);
    }
}
