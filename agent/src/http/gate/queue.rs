//! The queue before the password check.
//!
//! Checking a password takes tens of milliseconds on purpose, so a stranger who guesses keeps all of them waiting who
//! were not seen before. So few checks run at once; addresses take turns, so that one that guesses holds up itself;
//! and who was refused and comes back with the same name and password goes before those who bring new ones: people
//! and scrapers repeat what they say, and guesses are made once.

use std::{
    collections::{HashSet, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::available_parallelism,
};

use tokio::sync::oneshot;

use crate::net::network;

/// Who waits, from one address and in all; more are refused.
const OF_ONE_ADDRESS: usize = 8;
const WAITING: usize = 128;
/// Pairs that were refused, by the first bytes of their tags.
const REJECTED: usize = 4096;

/// The queue.
pub(super) struct Queue {
    /// How many are checked at once.
    concurrent: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    /// Those who come back, and those who come first.
    lanes: [Lane; 2],
    rejected: Rejected,
}

/// Addresses in turn, each with those of it who wait.
#[derive(Default)]
struct Lane(VecDeque<(IpAddr, VecDeque<oneshot::Sender<Turn>>)>);

#[derive(Default)]
struct Rejected {
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

/// It is this one's turn, until this is dropped.
pub(super) struct Turn(Arc<Queue>);

impl Queue {
    pub(super) fn new() -> Arc<Self> {
        // The machine has other work than to refuse strangers.
        let concurrent = available_parallelism().map_or(1, usize::from) / 4;
        Arc::new(Self { concurrent: concurrent.clamp(1, 4), state: Mutex::default() })
    }

    /// Waits for a turn. Nothing when too many do.
    pub(super) async fn wait(self: &Arc<Self>, address: IpAddr, tag: &[u8; 32]) -> Option<Turn> {
        let waiting = {
            let mut state = self.state();
            if state.running < self.concurrent {
                state.running += 1;
                return Some(Turn(Arc::clone(self)));
            }
            state.enqueue(network(address), tag)?
        };
        waiting.await.ok()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enqueue(&mut self, network: IpAddr, tag: &[u8; 32]) -> Option<oneshot::Receiver<Turn>> {
        let tag = u64::from_le_bytes(std::array::from_fn(|index| tag[index]));
        let comes_back = self.rejected.known.contains(&tag);
        let lane = &mut self.lanes[usize::from(!comes_back)];
        let waiting = lane.push(network);
        if waiting.is_none() {
            self.rejected.note(tag);
        }
        waiting
    }
}

impl Lane {
    fn push(&mut self, network: IpAddr) -> Option<oneshot::Receiver<Turn>> {
        let index = self.0.iter().position(|(known, _)| *known == network);
        let here = index.map_or(0, |index| self.0[index].1.len());
        if here >= OF_ONE_ADDRESS {
            return None;
        }
        if self.0.iter().map(|(_, queue)| queue.len()).sum::<usize>() >= WAITING {
            // Whose address has the most makes room.
            let (_, most) = self.0.iter_mut().max_by_key(|(_, queue)| queue.len())?;
            if most.len() <= here + 1 {
                return None;
            }
            most.pop_back();
        }
        let (sender, receiver) = oneshot::channel();
        match index {
            Some(index) => self.0[index].1.push_back(sender),
            None => self.0.push_back((network, VecDeque::from([sender]))),
        }
        Some(receiver)
    }

    fn pop(&mut self) -> Option<oneshot::Sender<Turn>> {
        loop {
            let (network, mut queue) = self.0.pop_front()?;
            let next = queue.pop_front();
            if !queue.is_empty() {
                self.0.push_back((network, queue));
            }
            // Who has left meanwhile needs no turn.
            if let Some(next) = next.filter(|next| !next.is_closed()) {
                return Some(next);
            }
        }
    }
}

impl Rejected {
    fn note(&mut self, tag: u64) {
        if self.known.insert(tag) {
            self.order.push_back(tag);
        }
        if self.order.len() > REJECTED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.state();
            let next = state.lanes.iter_mut().find_map(Lane::pop);
            if next.is_none() {
                state.running -= 1;
            }
            next
        };
        if let Some(next) = next {
            // Who leaves at this very moment drops the turn, and so passes it on.
            drop(next.send(Turn(Arc::clone(&self.0))));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;

    use super::*;

    type Waiting = std::pin::Pin<Box<dyn Future<Output = Option<Turn>>>>;

    fn queue() -> Arc<Queue> {
        Arc::new(Queue { concurrent: 1, state: Mutex::default() })
    }

    fn wait(queue: &Arc<Queue>, host: u8, tag: u64) -> Waiting {
        let queue = Arc::clone(queue);
        let mut whole = [0; 32];
        whole[..8].copy_from_slice(&tag.to_le_bytes());
        Box::pin(async move { queue.wait([10, 0, 0, host].into(), &whole).await })
    }

    fn poll(waiting: &mut Waiting) -> Poll<Option<Turn>> {
        waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    fn turn(waiting: &mut Waiting) -> Turn {
        match poll(waiting) {
            Poll::Ready(Some(turn)) => turn,
            Poll::Ready(None) => panic!("sent away"),
            Poll::Pending => panic!("still waits"),
        }
    }

    #[test]
    fn addresses_take_turns() {
        let queue = queue();
        let mut first = turn(&mut wait(&queue, 1, 0));
        let mut guesses: Vec<_> = (0..8).map(|tag| wait(&queue, 1, tag)).collect();
        assert!(guesses.iter_mut().all(|guess| poll(guess).is_pending()));
        let mut other = wait(&queue, 2, 100);
        assert!(poll(&mut other).is_pending());
        drop(first);
        first = turn(&mut guesses[0]);
        assert!(poll(&mut other).is_pending());
        drop(first);
        drop(turn(&mut other));
    }

    #[test]
    fn who_comes_back_goes_before_who_brings_something_new() {
        let queue = queue();
        let first = turn(&mut wait(&queue, 1, 0));
        let mut guesses: Vec<_> = (0..8).map(|tag| wait(&queue, 1, tag)).collect();
        assert!(guesses.iter_mut().all(|guess| poll(guess).is_pending()));
        assert!(matches!(poll(&mut wait(&queue, 1, 100)), Poll::Ready(None)));
        let mut again = wait(&queue, 1, 100);
        assert!(poll(&mut again).is_pending());
        drop(first);
        drop(turn(&mut again));
    }

    proptest! {
        #[test]
        fn every_turn_is_passed_on_whoever_leaves(
            steps in prop::collection::vec((0..4_u8, 1..5_u8, 0..40_u64), 1..200),
        ) {
            let queue = queue();
            let mut turns: Vec<Turn> = Vec::new();
            let mut waiting: Vec<Waiting> = Vec::new();
            for (step, host, tag) in steps {
                match step {
                    0 | 1 => waiting.push(wait(&queue, host, tag)),
                    2 if !waiting.is_empty() => drop(waiting.swap_remove(tag as usize % waiting.len())),
                    _ => drop(turns.pop()),
                }
                waiting.retain_mut(|one| match poll(one) {
                    Poll::Ready(turn) => {
                        turns.extend(turn);
                        false
                    }
                    Poll::Pending => true,
                });
                prop_assert!(turns.len() <= 1);
                // As long as somebody waits, somebody has the turn.
                prop_assert!(waiting.is_empty() || turns.len() == 1);
            }
            drop((waiting, turns));
            prop_assert_eq!(queue.state().running, 0);
        }
    }
}
