//! One source, one thread, one deadline. A sample that has not returned is not started twice, and a source whose
//! code panics costs that source alone.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use aura_model::{Backoff, Context, Missing, Options, Reason, Source, Stopwatch, Switch};
use jiff::Timestamp;
use tracing::{info, warn};

use super::{Channel, FRESH_INTERVALS, Snapshot};

/// A source may speak TLS or parse deeply; what it does not touch of this costs no memory.
const STACK_BYTES: usize = 2 << 20;

/// Backoff between attempts to open a source that is not there.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// After so many failed samples in a row the source is opened anew.
const FAILURES_UNTIL_REOPEN: u32 = 3;

/// A source's thread; it stops when this is dropped. A thread that hangs in a sample is left behind.
pub struct Running {
    _stop: Sender<()>,
}

impl<S: Source> Channel<S> {
    /// Starts the source's thread.
    pub fn start(self: &Arc<Self>, options: S::Options, context: Context) -> Running {
        let (stop, stopped) = channel();
        let schedule = options.schedule();
        self.schedule(schedule.interval, schedule.timeout);
        let target = Arc::clone(self);
        let work = move || Worker { channel: target, options, context, stopped, samples: 0 }.run();
        if let Err(error) = thread::Builder::new().name(S::NAME.into()).stack_size(STACK_BYTES).spawn(work) {
            self.off(Missing::new(Reason::Unreadable, format!("its thread could not be started: {error}")));
        }
        Running { _stop: stop }
    }
}

/// Takes one sample and notes when and how long.
pub(super) fn take<S: Source>(source: &mut S, stale_after: Duration, number: u64) -> Result<Snapshot<S>, Missing> {
    let sampled_at = Timestamp::now();
    let watch = Stopwatch::start();
    let reading = source.sample()?;
    Ok(Snapshot::new(reading, sampled_at, watch, stale_after, number))
}

/// Ticks for all stopwatches of this process, on a thread of its own that does nothing else.
///
/// # Errors
/// There is no thread; stopwatches are clocks then.
pub fn start_ticking() -> std::io::Result<()> {
    let work = || {
        loop {
            aura_model::tick();
            thread::sleep(aura_model::TICK);
        }
    };
    thread::Builder::new().name("ticks".into()).stack_size(64 << 10).spawn(work).map(drop)
}

/// Why a worker went back to opening its source.
enum Left {
    Stopped,
    Failed(Missing),
}

struct Worker<S: Source> {
    channel: Arc<Channel<S>>,
    options: S::Options,
    context: Context,
    stopped: Receiver<()>,
    samples: u64,
}

impl<S: Source> Worker<S> {
    fn run(mut self) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut said: Option<Missing> = None;
        loop {
            let before = self.samples;
            let left = catch_unwind(AssertUnwindSafe(|| self.watch())).unwrap_or_else(|_| {
                self.channel.panicked();
                Left::Failed(Missing::new(Reason::Unreadable, "its code panicked: please report this as a bug"))
            });
            let Left::Failed(missing) = left else { return };
            if self.samples > before {
                backoff.reset();
            }
            // Nothing is wrong: the box does not have it, and nobody said that it must.
            let absent = matches!(missing.reason, Reason::NoSensor | Reason::NotConfigured)
                && self.options.schedule().enabled != Switch::On;
            if said.as_ref() != Some(&missing) {
                if absent {
                    info!(source = S::NAME, "not watched: {missing}");
                } else {
                    warn!(source = S::NAME, "not watched: {missing}; trying again with exponential backoff");
                }
                said = Some(missing.clone());
            }
            if absent {
                self.channel.absent(missing);
            } else {
                self.channel.failed(missing);
            }
            if self.stop_within(backoff.wait()) {
                return;
            }
        }
    }

    /// Opens the source and samples it until it is stopped or fails for good.
    fn watch(&mut self) -> Left {
        let mut source = match S::open(&self.options, &self.context) {
            Ok(source) => source,
            Err(missing) => return Left::Failed(missing),
        };
        let interval = self.options.schedule().interval.get();
        let stale_after = self.context.stale_after.max(interval * FRESH_INTERVALS);
        let mut due = Instant::now();
        let mut failures = 0;
        let mut described = false;
        loop {
            let begun = Stopwatch::start();
            self.channel.begin(begun);
            match take(&mut source, stale_after, self.samples + 1) {
                Ok(snapshot) => {
                    if !described {
                        described = true;
                        for line in S::describe(&snapshot.reading) {
                            info!(source = S::NAME, "{line}");
                        }
                    }
                    failures = 0;
                    self.samples += 1;
                    self.channel.publish(snapshot);
                }
                Err(missing) if failures + 1 == FAILURES_UNTIL_REOPEN => return Left::Failed(missing),
                Err(missing) => {
                    failures += 1;
                    self.channel.failed(missing);
                }
            }
            due += interval;
            let late = Instant::now().saturating_duration_since(due);
            due += interval * late.div_duration_f64(interval) as u32;
            // The first tick after its beginning is the one that waits for it. While the machine stood still there were none.
            self.channel.missed((begun.elapsed().div_duration_f64(interval) as u64).saturating_sub(1));
            if self.stop_within(due.saturating_duration_since(Instant::now())) {
                return Left::Stopped;
            }
        }
    }

    fn stop_within(&self, wait: Duration) -> bool {
        !matches!(self.stopped.recv_timeout(wait), Err(RecvTimeoutError::Timeout))
    }
}
