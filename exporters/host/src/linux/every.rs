//! What changes seldom is read seldom.

use std::time::{Duration, Instant};

/// A pace slower than the samples'.
pub(super) struct Every {
    period: Duration,
    last: Option<Instant>,
}

impl Every {
    /// The first time is due at once.
    pub(super) fn seconds(seconds: u64) -> Self {
        Self { period: Duration::from_secs(seconds), last: None }
    }

    /// Whether it is time; if so, the period starts anew.
    pub(super) fn due(&mut self) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_period() {
        let start = Instant::now();
        let mut every = Every::seconds(10);
        let due: Vec<u64> = (0..30).filter(|&second| every.due_at(start + Duration::from_secs(second))).collect();
        assert_eq!(due, [0, 10, 20]);
    }
}
