//! A source that does what its test says: fails to open, fails to sample, hangs, panics.

use std::{
    collections::HashMap,
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aura_model::{Group, Interval, Options, Reason, Schedule, Switch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;

/// What the next calls of `open` and `sample` do; the last step is repeated.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Fine,
    Fail,
    Panic,
    Hang(Duration),
}

#[derive(Default)]
struct Script {
    opens: Vec<Step>,
    samples: Vec<Step>,
    opened: usize,
    sampled: usize,
}

static SCRIPTS: LazyLock<Mutex<HashMap<u64, Script>>> = LazyLock::new(Mutex::default);

#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Scripted {
    script: u64,
}

impl Options for Scripted {
    fn schedule(&self) -> Schedule {
        let (interval, timeout) = (Interval::from_millis(50), Interval::from_millis(100));
        Schedule { enabled: Switch::Auto, interval, timeout }
    }
}

struct Actor(u64);

impl Source for Actor {
    type Options = Scripted;
    type Reading = usize;

    const NAME: &'static str = "actor";
    const PART: &'static str = "actor";

    fn groups() -> &'static [Group<usize>] {
        &[]
    }

    fn open(options: &Scripted, _: &Context) -> Result<Self, Missing> {
        let step = with(options.script, |script| {
            script.opened += 1;
            step(&script.opens, script.opened)
        });
        act(step)?;
        Ok(Self(options.script))
    }

    fn sample(&mut self) -> Result<usize, Missing> {
        let (step, number) = with(self.0, |script| {
            script.sampled += 1;
            (step(&script.samples, script.sampled), script.sampled)
        });
        act(step)?;
        Ok(number)
    }

    fn describe(_: &usize) -> Vec<String> {
        Vec::new()
    }

    fn outdated(_: &usize, missing: &Missing) -> Option<usize> {
        assert_eq!(missing.reason, Reason::Stale);
        Some(0)
    }
}

fn step(steps: &[Step], number: usize) -> Step {
    steps.get(number - 1).or(steps.last()).copied().unwrap_or(Step::Fine)
}

fn act(step: Step) -> Result<(), Missing> {
    match step {
        Step::Fine => Ok(()),
        Step::Fail => Err(Missing::new(Reason::Unreachable, "the far side is away")),
        Step::Panic => panic!("the script says so"),
        Step::Hang(time) => {
            std::thread::sleep(time);
            Ok(())
        }
    }
}

fn with<T>(script: u64, act: impl FnOnce(&mut Script) -> T) -> T {
    act(SCRIPTS.lock().unwrap().entry(script).or_default())
}

fn start(opens: Vec<Step>, samples: Vec<Step>) -> (u64, Arc<Channel<Actor>>, Running) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let script = NEXT.fetch_add(1, Ordering::Relaxed);
    with(script, |target| *target = Script { opens, samples, ..Script::default() });
    let channel = Hub::default().register::<Actor>();
    // Three intervals are the least for which a reading is shown.
    let running = channel.start(Scripted { script }, Context::default().with_stale_after(Duration::ZERO));
    (script, channel, running)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: still not so");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_source_is_sampled_again_and_again_and_stops_with_its_handle() {
    let (script, channel, running) = start(vec![Step::Hang(Duration::from_secs(1))], vec![]);
    let health = channel.health();
    assert_eq!((health.state, health.missing.map(|missing| missing.reason)), (State::Starting, Some(Reason::Stale)));
    wait_until("three readings", || channel.latest().is_some_and(|latest| latest.number >= 3));
    assert_eq!(channel.health().state, State::Fresh);
    drop(running);
    let mut before = usize::MAX;
    wait_until("no more samples", || {
        std::thread::sleep(Duration::from_millis(200));
        let now = with(script, |script| script.sampled);
        std::mem::replace(&mut before, now) == now
    });
    wait_until("its reading is too old to be served", || channel.latest().is_none());
    assert_eq!(channel.health().state, State::Stale);
}

#[test]
fn a_sample_that_hangs_is_late_and_is_not_started_twice() {
    let (script, channel, _running) =
        start(vec![], vec![Step::Fine, Step::Fine, Step::Hang(Duration::from_millis(1200)), Step::Fine]);
    wait_until("the third sample hangs", || channel.health().state == State::Stale);
    wait_until("the last reading is too old", || channel.latest().is_none());
    let left = channel.latest_or_outdated().expect("what there was is still named");
    assert_eq!((left.reading, left.number), (0, 2));
    assert!(Arc::ptr_eq(&left, &channel.latest_or_outdated().unwrap()), "it is made once");
    let health = channel.health();
    assert_eq!(health.missing.unwrap().reason, Reason::Stale);
    assert_eq!(with(script, |script| script.sampled), 3, "a sample was started while another ran");
    wait_until("it goes on", || channel.latest().is_some_and(|latest| latest.reading >= 4));
    assert_eq!(channel.health().state, State::Fresh);
    assert!(channel.health().counts.missed >= 5, "{:?}", channel.health().counts);
}

#[test]
fn a_sample_that_returns_late_is_shown_with_its_own_time() {
    let hang = Step::Hang(Duration::from_millis(700));
    static LATE: AtomicU64 = AtomicU64::new(1 << 32);
    let script = LATE.fetch_add(1, Ordering::Relaxed);
    with(script, |target| {
        *target = Script { samples: vec![Step::Fine, hang, Step::Hang(Duration::from_secs(20))], ..Script::default() }
    });
    let channel = Hub::default().register::<Actor>();
    let _running = channel.start(Scripted { script }, Context::default());
    wait_until("the second sample has come", || channel.latest().is_some_and(|latest| latest.reading == 2));
    let late = channel.latest().unwrap();
    assert!(late.taken.elapsed() >= Duration::from_millis(700) && late.duration >= Duration::from_millis(700));
    let health = channel.health();
    assert!(health.age.unwrap() >= Duration::from_millis(700), "{health:?}");
    wait_until("it is late, and still shown", || channel.health().state == State::Stale);
    assert_eq!(channel.latest().unwrap().reading, 2);
}

#[test]
fn a_source_that_is_not_there_is_off_with_its_reason_and_comes_back() {
    let (script, channel, _running) = start(vec![Step::Fail, Step::Fine], vec![]);
    wait_until("the first attempt failed", || channel.health().counts.failures == 1);
    let health = channel.health();
    assert_eq!((health.state, health.missing.unwrap().reason), (State::Off, Reason::Unreachable));
    wait_until("the second attempt", || channel.health().state == State::Fresh);
    assert_eq!(with(script, |script| script.opened), 2);
}

#[test]
fn a_failed_sample_is_said_and_three_in_a_row_open_the_source_anew() {
    let steps = vec![Step::Fine, Step::Fail, Step::Fine, Step::Fail, Step::Fail, Step::Fail, Step::Fine];
    let (script, channel, _running) = start(vec![], steps);
    wait_until("four failures", || channel.health().counts.failures == 4);
    wait_until("it is fresh again", || channel.health().state == State::Fresh);
    assert_eq!(with(script, |script| script.opened), 2);
}

#[test]
fn a_panic_costs_its_source_a_backoff_and_nothing_else() {
    let (_, channel, _running) = start(vec![], vec![Step::Fine, Step::Panic, Step::Fine]);
    let (_, other, _other_running) = start(vec![], vec![]);
    wait_until("the panic", || channel.health().counts.panics == 1);
    let before = other.health().counts.samples;
    wait_until("it is fresh again", || channel.health().state == State::Fresh);
    assert!(other.health().counts.samples > before);
    assert_eq!(other.health().counts.failures, 0);
}

#[test]
fn what_is_switched_off_takes_its_reading_with_it() {
    let (_, channel, running) = start(vec![], vec![]);
    wait_until("a reading", || channel.latest().is_some());
    drop(running);
    wait_until("its thread ended", || Arc::strong_count(&channel) == 1);
    channel.off(Missing::new(Reason::NotConfigured, "switched off"));
    assert!(channel.latest().is_none());
    assert_eq!(channel.health().state, State::Off);
}
