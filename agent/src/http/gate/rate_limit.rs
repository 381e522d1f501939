//! `rate_limit` of the web configuration: so many requests at once, then one an interval, for all callers
//! together as in the exporter-toolkit.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use aura_model::Interval;
use serde::Deserialize;

use super::auth::Refusal;

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Rate {
    interval: Interval,
    #[serde(default = "one")]
    burst: u32,
}

fn one() -> u32 {
    1
}

/// Counts requests.
pub struct RateLimit {
    interval: Duration,
    /// How far the requests that came in may run ahead of their interval.
    ahead: Duration,
    /// When the next request would be due if all had kept the interval.
    due: Mutex<Option<Instant>>,
}

impl RateLimit {
    pub(in crate::http) fn new(Rate { interval, burst }: Rate) -> Self {
        let interval = interval.get();
        Self { interval, ahead: interval.saturating_mul(burst.saturating_sub(1)), due: Mutex::default() }
    }

    /// Whether the other lets as many in.
    pub(in crate::http) fn is_like(&self, other: &Self) -> bool {
        (self.interval, self.ahead) == (other.interval, other.ahead)
    }

    /// Lets one more request in.
    ///
    /// # Errors
    /// There were too many; says when to come back.
    pub fn check(&self, now: Instant) -> Result<(), Refusal> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let next = due.map_or(now, |due| due.max(now));
        let early = next.duration_since(now);
        if early > self.ahead {
            let wait = (early - self.ahead).as_secs_f64().ceil();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and clamped")]
            return Err(Refusal::TooMany { retry_after_s: wait.min(86_400.0) as u32 });
        }
        *due = Some(next.checked_add(self.interval).unwrap_or(next));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limit(milliseconds: u64, burst: u32) -> RateLimit {
        RateLimit::new(Rate { interval: Interval::from_millis(milliseconds), burst })
    }

    #[test]
    fn a_burst_comes_in_and_then_one_an_interval() {
        let (limit, start) = (limit(1000, 3), Instant::now());
        for _ in 0..3 {
            assert_eq!(limit.check(start), Ok(()));
        }
        assert_eq!(limit.check(start), Err(Refusal::TooMany { retry_after_s: 1 }));
        assert!(limit.check(start + Duration::from_millis(999)).is_err());
        assert!(limit.check(start + Duration::from_millis(1000)).is_ok());
        assert!(limit.check(start + Duration::from_millis(1001)).is_err());
    }

    proptest! {
        #[test]
        fn no_pattern_of_requests_gets_more_through(
            milliseconds in 1..500_u64,
            burst in 0..6_u32,
            gaps in prop::collection::vec(0..700_u64, 1..200),
        ) {
            let limit = limit(milliseconds, burst);
            let start = Instant::now();
            let (mut elapsed, mut admitted) = (0, 0);
            for gap in gaps {
                elapsed += gap;
                admitted += u64::from(limit.check(start + Duration::from_millis(elapsed)).is_ok());
                prop_assert!(admitted <= u64::from(burst.max(1)) + elapsed / milliseconds);
            }
            prop_assert!(admitted >= 1);
        }
    }
}
