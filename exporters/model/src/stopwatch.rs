//! Time in which the machine ran us.
//!
//! A machine under a load of 60, or out of memory, stands still for seconds, and a process may be stopped for minutes.
//! Whoever then looks at a clock finds every deadline passed, although nobody had a chance to keep it. So the agent has
//! something that ticks, and what its ticks come too late is time in which it did not run: a [`Stopwatch`] leaves that
//! out. Where nothing ticks, a stopwatch is a clock.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};

/// From one [`tick`] to the next.
pub const TICK: Duration = Duration::from_millis(200);

static TICKS: Mutex<Ticks> = Mutex::new(Ticks { last: None, stood: Duration::ZERO });

/// To be called every [`TICK`], by one thread that does nothing else.
pub fn tick() {
    ticks().tick(Instant::now());
}

/// Counts the time from a moment on in which the machine ran us.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: Instant,
    stood: Duration,
}

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        let ticks = ticks();
        let started = Instant::now();
        Self { started, stood: ticks.stood(started) }
    }

    /// When it was started, by the clock.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// How long ago that was, less the time in which the machine stood still.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let ticks = ticks();
        let now = Instant::now();
        self.elapsed_at(now, ticks.stood(now))
    }

    /// What is left of a limit.
    #[must_use]
    pub fn left(&self, limit: Duration) -> Duration {
        limit.saturating_sub(self.elapsed())
    }

    fn elapsed_at(&self, now: Instant, stood: Duration) -> Duration {
        let stood = stood.saturating_sub(self.stood);
        now.saturating_duration_since(self.started).saturating_sub(stood)
    }
}

/// Waits for `work` for at most so long as the machine runs us: `tokio::time::timeout`, with `tokio::time::sleep` given,
/// on a [`Stopwatch`].
pub async fn within<W: Future, S: Future<Output = ()>>(
    limit: Duration,
    sleep: impl Fn(Duration) -> S,
    work: W,
) -> Option<W::Output> {
    let begun = Stopwatch::start();
    let mut work = pin!(work);
    let mut nap = pin!(sleep(limit));
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        while nap.as_mut().poll(context).is_ready() {
            let left = begun.left(limit);
            if left.is_zero() {
                return Poll::Ready(None);
            }
            nap.set(sleep(left));
        }
        Poll::Pending
    })
    .await
}

/// What is known from the ticks.
struct Ticks {
    last: Option<Instant>,
    /// How late all ticks so far were, together.
    stood: Duration,
}

impl Ticks {
    fn tick(&mut self, now: Instant) {
        self.stood = self.stood(now);
        self.last = Some(now);
    }

    /// How long the machine stood still until now. A tick that is overdue counts already: after a stop the first
    /// thread to run may be any.
    fn stood(&self, now: Instant) -> Duration {
        self.stood + self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last + TICK))
    }
}

fn ticks() -> MutexGuard<'static, Ticks> {
    TICKS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::pending, task::Context, task::Waker};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        /// Over any history of ticks on time and of stops, a stopwatch counts what was run, to a tick for each stop.
        #[test]
        fn what_stood_still_is_not_counted(history in prop::collection::vec((0..3_000_u64, 0..60_000_u64), 1..20), read_first: bool) {
            let mut now = Instant::now();
            let mut ticks = Ticks { last: Some(now), stood: Duration::ZERO };
            let watch = Stopwatch { started: now, stood: ticks.stood(now) };
            let (mut ran, mut stops, mut before) = (Duration::ZERO, 0, Duration::ZERO);
            for (run, stop) in history {
                // Ticks come on time while it runs; a part of one is left when it stops.
                let run = Duration::from_millis(run);
                ran += run;
                let end = now + run;
                while ticks.last.unwrap() + TICK <= end {
                    let next = ticks.last.unwrap().max(now) + TICK;
                    if next > end { break; }
                    ticks.tick(next);
                }
                now = end + Duration::from_millis(stop);
                stops += 1;
                // Whoever runs first, the thread that ticks or one that reads, finds the same.
                let read = watch.elapsed_at(now, ticks.stood(now));
                if !read_first { ticks.tick(now); }
                prop_assert_eq!(read, watch.elapsed_at(now, ticks.stood(now)));
                if read_first { ticks.tick(now); }
                prop_assert!(read >= before, "time goes back");
                prop_assert!(read <= ran + TICK * stops, "{read:?} of {ran:?} after {stops} stops");
                before = read;
            }
            prop_assert!(before + TICK * stops >= ran.saturating_sub(TICK * stops), "{before:?} of {ran:?}");
        }
    }

    #[test]
    fn without_ticks_it_is_a_clock() {
        let ticks = Ticks { last: None, stood: Duration::ZERO };
        let watch = Stopwatch::start();
        let later = watch.started + Duration::from_secs(9);
        assert_eq!(watch.elapsed_at(later, ticks.stood(later)), Duration::from_secs(9));
    }

    #[test]
    fn a_limit_ends_after_its_time_and_what_is_done_by_then_counts() {
        let naps = RefCell::new(Vec::new());
        let sleep = |time: Duration| {
            naps.borrow_mut().push(time);
            std::thread::sleep(time);
            std::future::ready(())
        };
        let mut context = Context::from_waker(Waker::noop());
        let limit = Duration::from_millis(2);
        let mut never = pin!(within(limit, sleep, pending::<u8>()));
        assert_eq!(never.as_mut().poll(&mut context), Poll::Ready(None));
        assert_eq!(naps.borrow()[0], limit);
        let mut done = pin!(within(limit, |_| pending(), std::future::ready(7)));
        assert_eq!(done.as_mut().poll(&mut context), Poll::Ready(Some(7)));
    }
}
