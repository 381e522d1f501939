//! Exponential backoff between attempts.

use std::time::Duration;

use crate::Interval;

/// Environment variable that lowers every ceiling, as in `200ms`: for tests of outages, which would otherwise wait for
/// minutes. It is no setting.
pub const BACKOFF_CEILING: &str = "AURA_BACKOFF_CEILING";

/// Waits that double from the first up to a ceiling, until an attempt succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    ceiling: Duration,
    next: Duration,
}

impl Backoff {
    /// Begins with this wait; none is longer than the ceiling.
    #[must_use]
    pub fn new(first: Duration, ceiling: Duration) -> Self {
        let lowered = std::env::var(BACKOFF_CEILING).ok().and_then(|text| text.parse::<Interval>().ok());
        Self::limited(first, lowered.map_or(ceiling, |lowered| ceiling.min(lowered.get())))
    }

    fn limited(first: Duration, ceiling: Duration) -> Self {
        let first = first.min(ceiling);
        Self { first, ceiling, next: first }
    }

    /// How long to wait before the next attempt.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.ceiling);
        wait
    }

    /// An attempt has succeeded: the next wait is the first again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_ceiling_until_an_attempt_succeeds() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::limited(seconds(1), seconds(60));
        let waits: Vec<u64> = (0..8).map(|_| backoff.wait().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.reset();
        assert_eq!(backoff.wait(), seconds(1));
        assert_eq!(Backoff::limited(seconds(5), seconds(2)).wait(), seconds(2));
    }
}
