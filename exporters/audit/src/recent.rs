//! The newest events of all logs, for those who only want these. Each log's are read anew when it has changed, from its
//! end: what one log costs does not depend on the others.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use crate::{
    options::Log,
    query::{self, AuditEvent, KeyRing, Request, Weight},
};

/// So many events are shown with each reading.
const EVENTS: usize = 100;
/// So many bytes of them.
const BYTES: usize = 256 << 10;
/// So long may it take to find them, for all logs that have changed.
const TIME_LIMIT: Duration = Duration::from_millis(20);

pub(crate) struct Recent {
    logs: Vec<Log>,
    /// Of each log, the newest first.
    found: Vec<Vec<(Weight, AuditEvent)>>,
    events: Arc<Vec<AuditEvent>>,
}

impl Recent {
    pub(crate) fn new(logs: Vec<Log>) -> Self {
        let found = logs.iter().map(|_| Vec::new()).collect();
        Self { logs, found, events: Arc::default() }
    }

    pub(crate) fn events(&self) -> Arc<Vec<AuditEvent>> {
        Arc::clone(&self.events)
    }

    /// Reads the events of these logs.
    pub(crate) fn read(&mut self, changed: impl Iterator<Item = usize>, key: Option<&KeyRing>) {
        let until = Instant::now() + TIME_LIMIT;
        let nobody = AtomicBool::new(false);
        for index in changed {
            let log = &self.logs[index..=index];
            let request = Request { limit: EVENTS, ..Request::default() };
            if let Ok((page, weights)) = query::newest(log, key, &request, BYTES, until, &nobody) {
                self.found[index] = weights.into_iter().zip(page.events).collect();
            }
        }
        let mut places = vec![0; self.found.len()];
        let mut events = Vec::new();
        let mut bytes = 0;
        while events.len() < EVENTS {
            let next = (0..places.len())
                .filter_map(|index| self.found[index].get(places[index]).map(|((time, _), _)| (*time, index)))
                .max_by_key(|(time, _)| *time);
            let Some((_, index)) = next else { break };
            let ((_, size), event) = &self.found[index][places[index]];
            bytes += size;
            if bytes > BYTES && !events.is_empty() {
                break;
            }
            events.push(event.clone());
            places[index] += 1;
        }
        self.events = Arc::new(events);
    }
}
