//! Permits for running scrapes: `web.max_requests` in all, half of them for one address.
//!
//! A scrape takes no time here but for the client's reading of the response. So one whose client reads nothing makes room
//! for the next.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use slab::Slab;

use super::permits::Activity;
use crate::net::network;

/// Who has read nothing for so long is evicted when its permit is wanted.
const STALLED: Duration = Duration::from_millis(500);

/// The scrapes that run.
#[derive(Default)]
pub struct Scrapes(Mutex<Slab<Running>>);

struct Running {
    network: IpAddr,
    activity: Arc<Activity>,
    since: Instant,
}

/// The permit of one that runs, free again when this is dropped.
pub struct ScrapePermit {
    scrapes: Arc<Scrapes>,
    key: usize,
    activity: Arc<Activity>,
}

impl Scrapes {
    /// A permit for this client beside at most so many others; 0 is no limit.
    pub fn begin(self: &Arc<Self>, activity: &Arc<Activity>, client: IpAddr, limit: usize) -> Option<ScrapePermit> {
        let mut running = self.running();
        let network = network(client);
        if limit > 0 {
            let here = running.iter().filter(|(_, other)| other.network == network).count();
            let crowded = here >= limit.div_ceil(2);
            if crowded || running.len() >= limit {
                let among = running.iter().filter(|(_, other)| !crowded || other.network == network);
                let stalled = among.filter(|(_, other)| other.activity.is_stalled(STALLED));
                let (key, _) = stalled.min_by_key(|(_, other)| (other.activity.is_authenticated(), other.since))?;
                running.remove(key).activity.evict();
            }
        }
        let key = running.insert(Running { network, activity: Arc::clone(activity), since: Instant::now() });
        Some(ScrapePermit { scrapes: Arc::clone(self), key, activity: Arc::clone(activity) })
    }

    fn running(&self) -> MutexGuard<'_, Slab<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ScrapePermit {
    fn drop(&mut self) {
        let mut running = self.scrapes.running();
        // It may be another's by now. A connection has one scrape that runs.
        if running.get(self.key).is_some_and(|running| Arc::ptr_eq(&running.activity, &self.activity)) {
            running.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        http::gate::permits::{Permit, Permits},
        net::WriteWatch,
    };

    #[test]
    fn one_address_has_half_and_who_reads_nothing_makes_room() {
        let permits = Arc::new(Permits::new(16));
        let scrapes = Arc::new(Scrapes::default());
        let enter = |last: u8| permits.acquire([127, 0, 0, last].into()).unwrap();
        let begin = |permit: &Permit| scrapes.begin(permit.activity(), permit.activity().network(), 4);
        let (a, b, c, other) = (enter(1), enter(1), enter(1), enter(2));
        let (first, second) = (begin(&a).unwrap(), begin(&b).unwrap());
        assert!(begin(&c).is_none(), "one address had more than its half");
        let elsewhere = begin(&other).unwrap();
        // Who has just begun to be slow may be slow by nature.
        b.activity().wrote(false);
        assert!(begin(&c).is_none());
        std::thread::sleep(STALLED + Duration::from_millis(20));
        let third = begin(&c).unwrap();
        assert!(begin(&enter(1)).is_none(), "a permit was given twice");
        // What it held is another's now.
        drop(second);
        assert!(begin(&enter(1)).is_none());
        drop((first, third, elsewhere));
        assert!(scrapes.running().is_empty());
        assert!((0..20).map(|_| scrapes.begin(a.activity(), a.activity().network(), 0)).all(|permit| permit.is_some()));
    }
}
