//! The time that windows are measured from, with a memory for where it was: a clock that jumps and comes right again
//! (a machine without one of its own, that was suspended, or is set wrong for a while) must not empty the last hour.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub(crate) const HOUR_MS: i64 = 3_600_000;
/// A smaller step is an adjustment.
const JUMP_MS: i64 = 60_000;
/// So many jumps are remembered.
const FRAMES: usize = 4;

/// The time now, and what it would be had it not jumped within the last hour.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    now: i64,
    started: Instant,
    /// From the steady clock to the wall's, and when that was last so on the steady one; milliseconds.
    frames: Vec<(i64, i64)>,
    steady: i64,
}

impl Clock {
    /// The time now; what was kept at `kept` is as old as it was then.
    pub(crate) fn start(kept: Option<i64>) -> Self {
        let now = wall();
        let mut clock = Self::at(now);
        if let Some(kept) = kept.filter(|kept| (now - kept).abs() > JUMP_MS) {
            clock.frames.insert(0, (kept, 0));
        }
        clock
    }

    pub(crate) fn at(now: i64) -> Self {
        Self { now, started: Instant::now(), frames: vec![(now, 0)], steady: 0 }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    pub(crate) fn tick(&mut self) {
        let steady = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.set(wall(), steady);
    }

    fn set(&mut self, now: i64, steady: i64) {
        (self.now, self.steady) = (now, steady);
        let shift = now - steady;
        self.frames.retain(|(other, seen)| (other - shift).abs() > JUMP_MS && steady - seen < HOUR_MS);
        let excess = (self.frames.len() + 1).saturating_sub(FRAMES);
        self.frames.drain(..excess);
        self.frames.push((shift, steady));
    }

    /// Whether this time lies within an hour of now, as the clock stands or stood. Times in the future are near for an
    /// hour's worth, so a wrong clock cannot fill the memory.
    pub(crate) fn is_near(&self, time: i64) -> bool {
        self.frames.iter().any(|(shift, _)| time.saturating_sub(shift + self.steady).unsigned_abs() <= NEAR_MS)
    }
}

const NEAR_MS: u64 = HOUR_MS as u64 + 10_000;

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_and_back_forgets_nothing() {
        const DAY: i64 = 24 * HOUR_MS;
        let event = 1_765_800_000_000;
        for jump in [-DAY, DAY, -event] {
            let mut clock = Clock::at(event);
            clock.set(event + jump, 1000);
            assert!(clock.is_near(event), "{jump}");
            assert!(clock.is_near(event + jump), "{jump}");
            clock.set(event + 60_000, 60_000);
            assert!(clock.is_near(event));
            // Two hours later the hour is over, and so is the jump.
            clock.set(event + 2 * HOUR_MS, 2 * HOUR_MS);
            assert!(!clock.is_near(event));
            assert!(!clock.is_near(event + jump));
            assert_eq!(clock.frames.len(), 1);
        }
    }

    #[test]
    fn jumps_without_end_are_forgotten() {
        let mut clock = Clock::at(0);
        for step in 0..1000 {
            clock.set(step * HOUR_MS * 5, step);
        }
        assert_eq!(clock.frames.len(), FRAMES);
    }
}
