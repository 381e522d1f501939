//! How a feed's newest message comes to all of its clients.

use std::sync::Arc;

use slab::Slab;

use super::{Shared, client::Client, slot::Message};

/// A feed's clients, and how far the newest message got among them. They are served some at a time.
pub(super) struct Broadcast {
    pub(super) feed: Arc<Shared>,
    pub(super) members: Vec<usize>,
    /// Number of the newest message that is or was handed out.
    pub(super) seq: u64,
    pub(super) message: Option<Arc<Message>>,
    pub(super) next: usize,
    pub(super) left: usize,
}

impl Broadcast {
    pub(super) fn new(feed: Arc<Shared>) -> Self {
        Self { feed, members: Vec::new(), seq: 0, message: None, next: 0, left: 0 }
    }

    /// Starts handing out if there is a newer message. One that is under way goes on with the newer message from
    /// where it is, so nobody is first or last every time.
    pub(super) fn renew(&mut self) {
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

    pub(super) fn remove(&mut self, member: usize, clients: &mut Slab<Client>) {
        self.members.swap_remove(member);
        if let Some(&moved) = self.members.get(member) {
            clients[moved].member = member;
        }
        self.next = if self.next < self.members.len() { self.next } else { 0 };
        if self.left > 0 {
            // The one that moved may have had its turn; offering a message twice does no harm.
            self.left = self.members.len();
        }
    }
}
