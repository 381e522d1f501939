//! Permits for connections: so many in all and so many of one address, and who is evicted for whom.
//!
//! A stranger can open connections as fast as we can refuse them, also from the address from which the scraper or the
//! supervisor comes. So nobody is refused because others were there before: when no permit is left, the connection that
//! deserves its own least is evicted. That is one whose request was refused, then one that has sent nothing or does not
//! read, then one that is idle between two requests. Authenticated connections keep theirs for as long as there are others.

use std::{
    cmp::Reverse,
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use aura_model::Stopwatch;
use slab::Slab;
use tokio::sync::Notify;

use crate::net::{WriteWatch, network};

/// Connections that speak HTTP; feeds are counted on their own.
pub const CONNECTIONS: usize = 1024;
/// Those of one address, or of one /64 network of IPv6.
const OF_ONE_ADDRESS: usize = 256;
/// From the connection to the first whole request head, TLS handshake included; from one request to the next for those
/// who were not let in; and how long these may leave a response unread.
const PUBLIC_TIMEOUT: Duration = Duration::from_secs(5);
/// From one request to the next for those who were let in, and how long a response may take.
const ADMITTED_TIMEOUT: Duration = Duration::from_secs(120);
/// How long those who were let in may read nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Who has sent nothing for so long is no longer in the middle of it.
const SLOW: Duration = Duration::from_secs(1);

/// All permits, and who has one.
pub struct Permits {
    limit: usize,
    of_one_address: usize,
    granted: Mutex<Granted>,
    released: Notify,
}

#[derive(Default)]
struct Granted {
    holders: Slab<Arc<Activity>>,
    by_network: HashMap<IpAddr, usize>,
}

/// A connection's permit, free again when this is dropped.
pub struct Permit {
    permits: Arc<Permits>,
    key: usize,
    activity: Arc<Activity>,
}

/// What is known of a connection.
pub struct Activity {
    network: IpAddr,
    begun: Stopwatch,
    state: Mutex<State>,
    /// Since when nothing of a response was taken, in milliseconds from the beginning, plus one; 0 while it is.
    unread: AtomicU64,
    leave: Notify,
}

#[derive(Clone, Copy)]
struct State {
    phase: Phase,
    since: Instant,
    /// Since then, less the time in which the machine stood still: nobody is too slow while it does.
    watch: Stopwatch,
    access: AccessLevel,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// There was no request yet.
    Connected,
    /// A request is being responded to.
    Responding,
    /// The last response was sent.
    Idle,
}

/// How a connection's last request was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLevel {
    /// Not let in, or asked only what is open to everybody.
    Public,
    /// Let in, as everybody is.
    Anonymous,
    /// Let in for a right password or certificate.
    Authenticated,
}

impl Permits {
    /// So many permits, fewer of one address.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let of_one_address = OF_ONE_ADDRESS.min(limit.div_ceil(2));
        Self { limit, of_one_address, granted: Mutex::default(), released: Notify::new() }
    }

    /// A permit for a connection from this address, for which another may be evicted. Nothing when all that count are held
    /// by those who have more right to them.
    pub fn acquire(self: &Arc<Self>, address: IpAddr) -> Option<Permit> {
        self.admit(address, self.of_one_address)
    }

    /// The same for a proxy, which stands for many: its connections count among all alone.
    pub fn acquire_for_proxy(self: &Arc<Self>, address: IpAddr) -> Option<Permit> {
        self.admit(address, usize::MAX)
    }

    fn admit(self: &Arc<Self>, address: IpAddr, of_one_address: usize) -> Option<Permit> {
        let network = network(address);
        let mut granted = self.granted();
        let crowded = granted.by_network.get(&network).is_some_and(|count| *count >= of_one_address);
        if crowded || granted.holders.len() >= self.limit {
            granted.evict_one(crowded.then_some(network))?;
        }
        let activity = Arc::new(Activity::new(network));
        let key = granted.holders.insert(Arc::clone(&activity));
        *granted.by_network.entry(network).or_default() += 1;
        Some(Permit { permits: Arc::clone(self), key, activity })
    }

    /// Evicts the connection that deserves its permit least, because something else has run out.
    pub fn evict_one(&self) {
        let _ = self.granted().evict_one(None);
    }

    /// Waits until nobody has a permit.
    pub async fn released(&self) {
        loop {
            let released = self.released.notified();
            if self.granted().holders.is_empty() {
                return;
            }
            released.await;
        }
    }

    fn granted(&self) -> MutexGuard<'_, Granted> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Granted {
    /// Among all, or among those of one network.
    fn evict_one(&mut self, network: Option<IpAddr>) -> Option<()> {
        let now = Instant::now();
        let among =
            self.holders.iter().filter(|(_, activity)| network.is_none_or(|network| activity.network == network));
        let ranked = among.filter_map(|(key, activity)| {
            let (rank, since) = activity.eviction_rank(now)?;
            // Of many, those go first who have the most.
            Some(((rank, self.by_network.get(&activity.network), Reverse(since)), key))
        });
        let (_, key) = ranked.max()?;
        self.remove(key)?.leave.notify_one();
        Some(())
    }

    fn remove(&mut self, key: usize) -> Option<Arc<Activity>> {
        let activity = self.holders.try_remove(key)?;
        if let Some(count) = self.by_network.get_mut(&activity.network) {
            *count -= 1;
            if *count == 0 {
                self.by_network.remove(&activity.network);
            }
        }
        Some(activity)
    }
}

impl Permit {
    /// What is known of the connection that has it.
    #[must_use]
    pub fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut granted = self.permits.granted();
        // It may be another's by now.
        if granted.holders.get(self.key).is_some_and(|activity| Arc::ptr_eq(activity, &self.activity)) {
            granted.remove(self.key);
        }
        if granted.holders.is_empty() {
            self.permits.released.notify_waiters();
        }
    }
}

impl Activity {
    fn new(network: IpAddr) -> Self {
        let begun = Stopwatch::start();
        let (phase, since, access) = (Phase::Connected, begun.started(), AccessLevel::Public);
        let state = Mutex::new(State { phase, since, watch: begun, access });
        Self { network, begun, state, unread: AtomicU64::new(0), leave: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request came in.
    pub fn request_begun(&self) {
        self.state().begin(Phase::Responding);
    }

    /// What its head has shown: the response follows.
    pub fn admitted_as(&self, access: AccessLevel) {
        self.state().access = access;
    }

    /// Its response is on its way.
    pub fn response_begun(&self) {
        self.state().begin(Phase::Idle);
    }

    /// How long after its beginning the connection took no more bytes.
    fn unread(&self) -> Option<Duration> {
        self.unread.load(Relaxed).checked_sub(1).map(Duration::from_millis)
    }

    fn unread_since(&self) -> Option<Instant> {
        self.unread().map(|unread| self.begun.started() + unread)
    }

    /// Whether nothing was read for so long.
    #[must_use]
    pub fn is_stalled(&self, time: Duration) -> bool {
        self.unread().is_some_and(|unread| self.begun.elapsed() >= unread + time)
    }

    /// Whether it has shown a right password or certificate.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        self.state().access == AccessLevel::Authenticated
    }

    /// Where it comes from: an address, or a network of IPv6.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// When the connection has had its time, if the machine does not stand still until then: see [`Activity::remaining`].
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let state = *self.state();
        let next = state.since + state.timeout();
        self.unread_since().map_or(next, |since| next.min(since + state.write_timeout()))
    }

    /// How much is left of the connection's time.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        let state = *self.state();
        let next = state.watch.left(state.timeout());
        self.unread().map_or(next, |unread| next.min(self.begun.left(unread + state.write_timeout())))
    }

    /// Tells whoever serves it to close it.
    pub fn evict(&self) {
        self.leave.notify_one();
    }

    /// Comes when it is told to.
    pub async fn evicted(&self) {
        self.leave.notified().await;
    }

    /// How early it is evicted, and since when it has been so.
    fn eviction_rank(&self, now: Instant) -> Option<(u8, Instant)> {
        let State { phase, since, access, .. } = *self.state();
        let stalled = self.unread_since();
        let rank = match (access, phase) {
            (AccessLevel::Authenticated, Phase::Responding) => return None,
            (AccessLevel::Authenticated, _) => 0,
            (AccessLevel::Public, Phase::Idle) => 5,
            (_, Phase::Connected) if now.saturating_duration_since(since) >= SLOW => 4,
            _ if stalled.is_some() => 4,
            (AccessLevel::Anonymous, Phase::Idle) => 3,
            (_, Phase::Connected) => 2,
            (_, Phase::Responding) => 1,
        };
        Some((rank, stalled.unwrap_or(since)))
    }
}

impl WriteWatch for Activity {
    fn wrote(&self, taken: bool) {
        let unread = self.unread.load(Relaxed);
        if taken && unread != 0 {
            self.unread.store(0, Relaxed);
        } else if !taken && unread == 0 {
            let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
            self.unread.store(now + 1, Relaxed);
        }
    }
}

impl State {
    fn begin(&mut self, phase: Phase) {
        self.phase = phase;
        self.watch = Stopwatch::start();
        self.since = self.watch.started();
    }

    /// How long this may last.
    fn timeout(&self) -> Duration {
        if self.access != AccessLevel::Public || self.phase == Phase::Responding {
            ADMITTED_TIMEOUT
        } else {
            PUBLIC_TIMEOUT
        }
    }

    /// How long nothing may be read meanwhile.
    fn write_timeout(&self) -> Duration {
        if self.access == AccessLevel::Public { PUBLIC_TIMEOUT } else { WRITE_TIMEOUT }
    }
}

#[cfg(test)]
mod tests;
