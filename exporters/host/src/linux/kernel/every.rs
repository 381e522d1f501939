//! What changes seldom is read seldom.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aura_model::Missing;

/// A pace slower than the samples'.
pub(crate) struct Every {
    period: Duration,
    last: Option<Instant>,
}

impl Every {
    /// The first time is due at once.
    pub(crate) fn seconds(seconds: u64) -> Self {
        Self { period: Duration::from_secs(seconds), last: None }
    }

    /// Makes it due, whenever the last time was.
    pub(crate) fn hurry(&mut self) {
        self.last = None;
    }

    /// Whether it is time; if so, the period starts anew.
    pub(crate) fn due(&mut self) -> bool {
        self.due_at(Instant::now())
    }

    /// A timer is never exact: what comes a little early must not be put off to the sample after.
    fn due_at(&mut self, now: Instant) -> bool {
        let due = self.last.is_none_or(|last| now.duration_since(last) + self.period / 20 >= self.period);
        if due {
            self.last = Some(now);
        }
        due
    }
}

/// A reading of what hardly ever changes: taken anew after a while and shared in between.
pub(crate) struct Seldom<T> {
    pace: Every,
    taken: Option<Result<Arc<T>, Missing>>,
}

impl<T> Seldom<T> {
    /// Takes the reading anew when it is this old.
    pub(crate) fn seconds(seconds: u64) -> Self {
        Self { pace: Every::seconds(seconds), taken: None }
    }

    /// The reading, taken now or before.
    pub(crate) fn get(&mut self, take: impl FnOnce() -> Result<T, Missing>) -> Result<Arc<T>, Missing> {
        let due = self.pace.due();
        match &self.taken {
            Some(reading) if !due => reading.clone(),
            _ => self.taken.insert(take().map(Arc::new)).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_seldom_is_the_same_in_between_and_so_is_its_absence() {
        let mut seldom = Seldom::seconds(3600);
        let first = seldom.get(|| Ok(1)).unwrap();
        assert!(Arc::ptr_eq(&first, &seldom.get(|| Ok(2)).unwrap()));
        let mut seldom = Seldom::seconds(3600);
        let missing = Missing::new(aura_model::Reason::NoSensor, "none");
        assert_eq!(seldom.get(|| Err(missing.clone())), Err(missing.clone()));
        assert_eq!(seldom.get(|| Ok(2)), Err(missing));
        seldom.pace.hurry();
        assert_eq!(seldom.get(|| Ok(2)), Ok(Arc::new(2)));
    }

    #[test]
    fn once_a_period() {
        let start = Instant::now();
        let mut every = Every::seconds(10);
        let due: Vec<u64> = (0..30).filter(|&second| every.due_at(start + Duration::from_secs(second))).collect();
        assert_eq!(due, [0, 10, 20]);
    }
}
