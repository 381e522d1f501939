//! Asking mounts for their size, when one of them may never answer.
//!
//! `statfs` on a mount whose server is gone blocks in the kernel for as long as the server stays away; no signal ends
//! it. So it is never called on the thread that takes samples. One worker walks all mounts of a sample, which
//! on a healthy box takes microseconds and one wake-up. When it doesn't come back, another worker takes over
//! what is left. A mount whose question is still out is not asked again, and the number of workers is
//! bounded, with places kept free for local mounts: servers that went away together can't hide the root's numbers.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use aura_model::Stopwatch;

use super::{Usage, mounts::Mount};

/// So long a sample waits for mounts that answered at once the last time.
const GRACE: Duration = Duration::from_millis(50);
/// So long a worker may be silent before another one takes over what is left.
const STUCK_AFTER: Duration = Duration::from_millis(5);
/// A worker without work goes after so long.
const IDLE: Duration = Duration::from_secs(30);
/// Workers at most, and how many of them may wait for remote mounts.
const MOST: usize = 16;
const MOST_REMOTE: usize = 12;

/// What became of the question to one mount.
#[derive(Debug)]
pub(super) enum Answer {
    /// It answered since the last sample.
    Usage(Usage),
    /// The kernel refused.
    Error(io::Error),
    /// It has not answered yet.
    Pending,
    /// It has not answered for longer than it may take.
    Timeout,
}

type Ask = dyn Fn(&Path) -> io::Result<Usage> + Send + Sync;

/// Asks the mounts.
pub(super) struct Asker {
    shared: Arc<Shared>,
    timeout: Duration,
}

struct Shared {
    ask: Box<Ask>,
    state: Mutex<State>,
    /// A worker waits here for work.
    work: Condvar,
    /// The sample waits here for its answers.
    done: Condvar,
}

#[derive(Default)]
struct State {
    slots: HashMap<u64, Slot>,
    queue: VecDeque<u64>,
    /// Answers that the sample waits for.
    awaited: usize,
    workers: usize,
    idle: usize,
    remote: usize,
    closed: bool,
}

struct Slot {
    path: Arc<Path>,
    remote: bool,
    /// When the question that is not answered yet was put.
    asked: Option<Stopwatch>,
    running: bool,
    awaited: bool,
    /// Its last answer took longer than a sample waits; it is not waited for until one comes quickly again.
    slow: bool,
    answer: Option<io::Result<Usage>>,
    /// The answer came too late for the sample before.
    late: Option<io::Result<Usage>>,
}

impl Asker {
    pub(super) fn new(timeout: Duration, ask: impl Fn(&Path) -> io::Result<Usage> + Send + Sync + 'static) -> Self {
        let shared = Shared { ask: Box::new(ask), state: Mutex::default(), work: Condvar::new(), done: Condvar::new() };
        Self { shared: Arc::new(shared), timeout }
    }

    /// Asks every mount whose last question is answered; one answer a mount, in their order.
    pub(super) fn ask(&self, mounts: &[Mount]) -> Vec<Answer> {
        let start = Instant::now();
        let mut state = self.shared.lock();
        state.forget_all_but(mounts);
        for mount in mounts {
            state.put(mount);
        }
        let mut takeover = start;
        while state.runnable().is_some() || state.awaited > 0 {
            let now = Instant::now();
            if now >= takeover && state.runnable().is_some() {
                takeover = now + STUCK_AFTER;
                state = self.engage(state);
                continue;
            }
            let left = GRACE.saturating_sub(now - start);
            if state.awaited == 0 || left.is_zero() {
                break;
            }
            state =
                self.shared.done.wait_timeout(state, left.min(STUCK_AFTER)).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.awaited = 0;
        mounts.iter().map(|mount| state.collect(mount.id, self.timeout)).collect()
    }

    /// Has somebody work on the queue.
    fn engage<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        if state.idle > 0 {
            // Whoever is woken while the lock is held sleeps again at once, and has to be woken twice.
            drop(state);
            self.shared.work.notify_one();
            return self.shared.lock();
        } else if state.workers < MOST {
            let shared = self.shared.clone();
            let worker = thread::Builder::new().name("statfs".into()).stack_size(64 << 10).spawn(move || shared.work());
            // Without a thread (a limit was reached) the mounts stay unanswered, and the next sample tries again.
            state.workers += usize::from(worker.is_ok());
        }
        state
    }

    #[cfg(test)]
    pub(super) fn workers(&self) -> usize {
        self.shared.lock().workers
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        // A worker that is stuck goes when its mount answers or is taken away.
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        while !state.closed {
            if let Some((id, path)) = state.next() {
                drop(state);
                let answer = (self.ask)(&path);
                state = self.lock();
                state.answered(id, answer);
                if state.awaited == 0 {
                    self.done.notify_one();
                }
            } else if state.idle > 0 {
                // One that waits is enough.
                break;
            } else {
                state.idle += 1;
                let (woken, wait) = self.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
                state = woken;
                state.idle -= 1;
                if wait.timed_out() && state.queue.is_empty() {
                    break;
                }
            }
        }
        state.workers -= 1;
    }
}

impl State {
    /// Forgets mounts that are gone. One whose question is still out is kept, so that it is not asked again.
    fn forget_all_but(&mut self, mounts: &[Mount]) {
        if self.slots.len() <= mounts.len() && mounts.iter().all(|mount| self.slots.contains_key(&mount.id)) {
            return;
        }
        let ids: HashSet<u64> = mounts.iter().map(|mount| mount.id).collect();
        self.slots.retain(|id, slot| slot.running || ids.contains(id));
        self.queue.retain(|id| ids.contains(id));
    }

    fn put(&mut self, mount: &Mount) {
        let slot = self.slots.entry(mount.id).or_insert_with(|| Slot {
            path: mount.path.clone(),
            remote: mount.remote,
            asked: None,
            running: false,
            awaited: false,
            slow: false,
            answer: None,
            late: None,
        });
        slot.late = slot.answer.take();
        if !slot.running && slot.path != mount.path {
            slot.path = mount.path.clone();
            slot.remote = mount.remote;
            slot.late = None;
        }
        if slot.asked.is_none() {
            slot.asked = Some(Stopwatch::start());
            slot.awaited = !slot.slow;
            self.awaited += usize::from(slot.awaited);
            self.queue.push_back(mount.id);
        }
    }

    /// The place in the queue of the next question that may be put now.
    fn runnable(&self) -> Option<usize> {
        let full = self.remote >= MOST_REMOTE;
        self.queue.iter().position(|id| self.slots.get(id).is_some_and(|slot| !(full && slot.remote)))
    }

    /// Takes the next question that may be put now.
    fn next(&mut self) -> Option<(u64, Arc<Path>)> {
        let id = self.runnable().and_then(|position| self.queue.remove(position))?;
        let slot = self.slots.get_mut(&id)?;
        slot.running = true;
        self.remote += usize::from(slot.remote);
        Some((id, slot.path.clone()))
    }

    fn answered(&mut self, id: u64, answer: io::Result<Usage>) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        self.remote -= usize::from(slot.remote);
        if slot.awaited {
            self.awaited = self.awaited.saturating_sub(1);
        }
        slot.running = false;
        slot.awaited = false;
        // Counted from the question, so that a machine that is short of CPU gets the answers of the interval
        // before, not none.
        slot.slow = slot.asked.take().is_none_or(|asked| asked.elapsed() >= GRACE);
        slot.answer = Some(answer);
    }

    fn collect(&mut self, id: u64, timeout: Duration) -> Answer {
        let Some(slot) = self.slots.get_mut(&id) else { return Answer::Pending };
        if slot.awaited {
            slot.awaited = false;
            slot.slow = true;
        }
        match slot.answer.take().or_else(|| slot.late.take()) {
            Some(Ok(usage)) => Answer::Usage(usage),
            Some(Err(error)) => Answer::Error(error),
            None if slot.asked.is_some_and(|asked| asked.elapsed() >= timeout) => Answer::Timeout,
            None => Answer::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Mounts that answer, but for those below /stuck, which answer when they are released.
    #[derive(Default)]
    struct Mounts {
        released: Mutex<bool>,
        release: Condvar,
        asked: AtomicUsize,
    }

    impl Mounts {
        fn asker(self: &Arc<Self>, timeout: Duration) -> Asker {
            let mounts = self.clone();
            Asker::new(timeout, move |path| {
                if path.starts_with("/stuck") {
                    mounts.asked.fetch_add(1, Ordering::SeqCst);
                    let released = mounts.released.lock().unwrap();
                    drop(mounts.release.wait_while(released, |released| !*released).unwrap());
                }
                Ok(Usage { size: path.as_os_str().len() as u64, ..Usage::default() })
            })
        }

        fn release(&self) {
            *self.released.lock().unwrap() = true;
            self.release.notify_all();
        }
    }

    fn mount(id: u64, path: &str, remote: bool) -> Mount {
        let name: aura_model::Name = "x".into();
        Mount {
            id,
            device: name.clone(),
            mountpoint: path.into(),
            fstype: name.clone(),
            major: name.clone(),
            minor: name,
            readonly: false,
            remote,
            path: Path::new(path).into(),
        }
    }

    fn until(condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(60), "it never came true");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_healthy_box_needs_one_worker_and_answers_in_the_same_sample() {
        let asker = Arc::new(Mounts::default()).asker(Duration::from_secs(5));
        let mounts: Vec<Mount> = (0..40).map(|id| mount(id, &format!("/{id}"), id % 2 == 0)).collect();
        for _ in 0..20 {
            for (answer, mount) in asker.ask(&mounts).iter().zip(&mounts) {
                let Answer::Usage(usage) = answer else { continue };
                assert_eq!(usage.size, mount.mountpoint.len() as u64);
            }
        }
        until(|| asker.ask(&mounts).iter().all(|answer| matches!(answer, Answer::Usage(_))));
        assert!(asker.workers() <= 3, "{} workers", asker.workers());
    }

    #[test]
    fn a_hundred_stuck_mounts_take_a_bounded_number_of_threads_and_hide_no_local_mount() {
        let mounts_of = Arc::new(Mounts::default());
        let asker = mounts_of.asker(Duration::from_millis(1));
        let mut mounts: Vec<Mount> = (0..100).map(|id| mount(id, &format!("/stuck/{id}"), true)).collect();
        mounts.push(mount(100, "/", false));
        until(|| {
            mounts_of.asked.load(Ordering::SeqCst) == MOST_REMOTE || {
                asker.ask(&mounts);
                false
            }
        });
        for _ in 0..30 {
            let answers = asker.ask(&mounts);
            assert!(answers[..100].iter().all(|answer| !matches!(answer, Answer::Usage(_) | Answer::Error(_))));
        }
        until(|| matches!(asker.ask(&mounts)[100], Answer::Usage(_)));
        assert!(matches!(asker.ask(&mounts)[0], Answer::Timeout));
        assert_eq!(mounts_of.asked.load(Ordering::SeqCst), MOST_REMOTE, "no mount is asked twice");
        assert!(asker.workers() <= MOST, "{} workers", asker.workers());
        mounts_of.release();
        until(|| asker.ask(&mounts).iter().all(|answer| matches!(answer, Answer::Usage(_))));
        until(|| asker.workers() <= 2);
    }

    #[test]
    fn a_stuck_mount_lets_a_sample_wait_once() {
        let mounts_of = Arc::new(Mounts::default());
        let asker = mounts_of.asker(Duration::from_secs(3600));
        let mounts = [mount(1, "/", false), mount(2, "/stuck", true)];
        assert!(matches!(asker.ask(&mounts)[1], Answer::Pending));
        let shared = asker.shared.clone();
        assert!(shared.lock().slots[&2].slow);
        asker.ask(&mounts);
        assert!(!shared.lock().slots[&2].awaited);
        mounts_of.release();
        until(|| matches!(asker.ask(&mounts)[1], Answer::Usage(_)));
        until(|| {
            asker.ask(&mounts);
            !shared.lock().slots[&2].slow
        });
    }

    #[test]
    fn a_mount_that_went_away_while_it_was_asked_is_not_asked_again_and_forgotten_in_the_end() {
        let mounts_of = Arc::new(Mounts::default());
        let asker = mounts_of.asker(Duration::from_secs(5));
        let (root, stuck) = (mount(1, "/", false), mount(2, "/stuck", true));
        until(|| {
            asker.ask(&[root.clone(), stuck.clone()]);
            mounts_of.asked.load(Ordering::SeqCst) == 1
        });
        asker.ask(std::slice::from_ref(&root));
        asker.ask(&[root.clone(), stuck]);
        assert_eq!(mounts_of.asked.load(Ordering::SeqCst), 1);
        mounts_of.release();
        until(|| {
            asker.ask(std::slice::from_ref(&root));
            asker.shared.lock().slots.len() == 1
        });
    }

    #[test]
    fn workers_go_with_their_asker() {
        let asker = Arc::new(Mounts::default()).asker(Duration::from_secs(5));
        asker.ask(&[mount(1, "/", false)]);
        let shared = asker.shared.clone();
        drop(asker);
        until(|| shared.lock().workers == 0);
    }
}
