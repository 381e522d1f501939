//! Places for connections: so many in all and so many of one address, and who makes room for whom.
//!
//! A stranger can open connections as fast as we can refuse them, also from the address from which the scraper or the
//! supervisor comes. So nobody is sent away because others were there before: a newcomer takes the place of the
//! connection that deserves its own least. That is one whose request was refused, then one that has said nothing or
//! does not read, then one that waits between two requests. Connections that have shown a right password or
//! certificate keep theirs for as long as there are others.

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
/// who were not let in; and how long these may leave an answer unread.
const STRANGER: Duration = Duration::from_secs(5);
/// From one request to the next for those who were let in, and how long an answer may take.
const GUEST: Duration = Duration::from_secs(120);
/// How long those who were let in may read nothing of an answer.
const UNREAD: Duration = Duration::from_secs(10);
/// Who has said nothing for so long is no longer in the middle of saying it.
const SLOW: Duration = Duration::from_secs(1);

/// All places.
pub struct Places {
    limit: usize,
    of_one_address: usize,
    taken: Mutex<Taken>,
    emptied: Notify,
}

#[derive(Default)]
struct Taken {
    seats: Slab<Arc<Seat>>,
    by_network: HashMap<IpAddr, usize>,
}

/// A connection's place, free again when this is dropped.
pub struct Place {
    places: Arc<Places>,
    key: usize,
    seat: Arc<Seat>,
}

/// What is known of a connection.
pub struct Seat {
    network: IpAddr,
    begun: Stopwatch,
    conduct: Mutex<Conduct>,
    /// Since when nothing of an answer was taken, in milliseconds from the beginning, plus one; 0 while it is.
    unread: AtomicU64,
    leave: Notify,
}

#[derive(Clone, Copy)]
struct Conduct {
    phase: Phase,
    since: Instant,
    /// Since then, less the time in which the machine stood still: nobody is too slow while it does.
    watch: Stopwatch,
    standing: Standing,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// Nothing was asked yet.
    Greeting,
    /// A request is being answered.
    Answering,
    /// The last answer was given.
    Waiting,
}

/// How a connection's last request was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not let in, or asked only what everybody may ask.
    Stranger,
    /// Let in, as everybody is.
    Guest,
    /// Let in for a right password or certificate.
    Known,
}

impl Places {
    /// So many places, fewer of one address.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let of_one_address = OF_ONE_ADDRESS.min(limit.div_ceil(2));
        Self { limit, of_one_address, taken: Mutex::default(), emptied: Notify::new() }
    }

    /// A place for a connection from this address. Another may have to leave for it. Nothing when all that count are
    /// in use by those who have more right to them.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        self.admit(address, self.of_one_address)
    }

    /// The same for a proxy, which stands for many: its connections count among all alone.
    pub fn enter_for_others(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        self.admit(address, usize::MAX)
    }

    fn admit(self: &Arc<Self>, address: IpAddr, of_one_address: usize) -> Option<Place> {
        let network = network(address);
        let mut taken = self.taken();
        let crowded = taken.by_network.get(&network).is_some_and(|count| *count >= of_one_address);
        if crowded || taken.seats.len() >= self.limit {
            taken.make_room(crowded.then_some(network))?;
        }
        let seat = Arc::new(Seat::new(network));
        let key = taken.seats.insert(Arc::clone(&seat));
        *taken.by_network.entry(network).or_default() += 1;
        Some(Place { places: Arc::clone(self), key, seat })
    }

    /// Lets go of the connection that deserves its place least, because something else has run out.
    pub fn make_room(&self) {
        let _ = self.taken().make_room(None);
    }

    /// Waits until nobody has a place.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.taken().seats.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Among all, or among those of one network.
    fn make_room(&mut self, network: Option<IpAddr>) -> Option<()> {
        let now = Instant::now();
        let among = self.seats.iter().filter(|(_, seat)| network.is_none_or(|network| seat.network == network));
        let dispensable = among.filter_map(|(key, seat)| {
            let (rank, since) = seat.dispensable(now)?;
            // Of many, those go first who have the most.
            Some(((rank, self.by_network.get(&seat.network), Reverse(since)), key))
        });
        let (_, key) = dispensable.max()?;
        self.remove(key)?.leave.notify_one();
        Some(())
    }

    fn remove(&mut self, key: usize) -> Option<Arc<Seat>> {
        let seat = self.seats.try_remove(key)?;
        if let Some(count) = self.by_network.get_mut(&seat.network) {
            *count -= 1;
            if *count == 0 {
                self.by_network.remove(&seat.network);
            }
        }
        Some(seat)
    }
}

impl Place {
    /// What is known of the connection that has it.
    #[must_use]
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        // It may be another's by now.
        if taken.seats.get(self.key).is_some_and(|seat| Arc::ptr_eq(seat, &self.seat)) {
            taken.remove(self.key);
        }
        if taken.seats.is_empty() {
            self.places.emptied.notify_waiters();
        }
    }
}

impl Seat {
    fn new(network: IpAddr) -> Self {
        let begun = Stopwatch::start();
        let (phase, since, standing) = (Phase::Greeting, begun.started(), Standing::Stranger);
        let conduct = Mutex::new(Conduct { phase, since, watch: begun, standing });
        Self { network, begun, conduct, unread: AtomicU64::new(0), leave: Notify::new() }
    }

    fn conduct(&self) -> MutexGuard<'_, Conduct> {
        self.conduct.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request came in.
    pub fn asked(&self) {
        self.conduct().enter(Phase::Answering);
    }

    /// It was received like this, and will be answered.
    pub fn received(&self, standing: Standing) {
        self.conduct().standing = standing;
    }

    /// Its answer is on its way.
    pub fn answered(&self) {
        self.conduct().enter(Phase::Waiting);
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
    pub fn is_stuck(&self, time: Duration) -> bool {
        self.unread().is_some_and(|unread| self.begun.elapsed() >= unread + time)
    }

    /// Whether it has shown a right password or certificate.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.conduct().standing == Standing::Known
    }

    /// Where it comes from: an address, or a network of IPv6.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// When the connection has had its time, if the machine does not stand still until then: see [`Seat::left`].
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let conduct = *self.conduct();
        let next = conduct.since + conduct.patience();
        self.unread_since().map_or(next, |since| next.min(since + conduct.patience_unread()))
    }

    /// How much is left of the connection's time.
    #[must_use]
    pub fn left(&self) -> Duration {
        let conduct = *self.conduct();
        let next = conduct.watch.left(conduct.patience());
        self.unread().map_or(next, |unread| next.min(self.begun.left(unread + conduct.patience_unread())))
    }

    /// Has to leave.
    pub fn let_go(&self) {
        self.leave.notify_one();
    }

    /// Comes when it has to.
    pub async fn told_to_leave(&self) {
        self.leave.notified().await;
    }

    /// How easily it can be done without, and since when.
    fn dispensable(&self, now: Instant) -> Option<(u8, Instant)> {
        let Conduct { phase, since, standing, .. } = *self.conduct();
        let stuck = self.unread_since();
        let rank = match (standing, phase) {
            (Standing::Known, Phase::Answering) => return None,
            (Standing::Known, _) => 0,
            (Standing::Stranger, Phase::Waiting) => 5,
            (_, Phase::Greeting) if now.saturating_duration_since(since) >= SLOW => 4,
            _ if stuck.is_some() => 4,
            (Standing::Guest, Phase::Waiting) => 3,
            (_, Phase::Greeting) => 2,
            (_, Phase::Answering) => 1,
        };
        Some((rank, stuck.unwrap_or(since)))
    }
}

impl WriteWatch for Seat {
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

impl Conduct {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.watch = Stopwatch::start();
        self.since = self.watch.started();
    }

    /// How long this may last.
    fn patience(&self) -> Duration {
        if self.standing != Standing::Stranger || self.phase == Phase::Answering { GUEST } else { STRANGER }
    }

    /// How long nothing may be read meanwhile.
    fn patience_unread(&self) -> Duration {
        if self.standing == Standing::Stranger { STRANGER } else { UNREAD }
    }
}

#[cfg(test)]
mod tests;
