//! What an engine computes: in each step a part of a prompt, or one token for every slot that generates.

use std::{
    collections::VecDeque,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    metrics::Counters,
    slots::{self, Event, Slot, Task, Timings},
};

/// The work of an engine.
pub(super) struct Batch {
    state: Mutex<State>,
    /// Rings when there is work.
    work: Notify,
    /// Tokens of each slot.
    context: u64,
    /// Tokens of a prompt in one step.
    size: usize,
    token_time: Duration,
}

struct State {
    slots: Vec<Slot>,
    waiting: VecDeque<Task>,
    tasks: u64,
    counters: Counters,
    /// Tokens and seconds since the last question: of prompts, and generated.
    lately: [(f64, f64); 2],
}

impl Batch {
    pub(super) fn new(slots: usize, context: u64, size: usize, token_time: Duration) -> Self {
        let state = State {
            slots: (0..slots).map(|_| Slot::default()).collect(),
            waiting: VecDeque::new(),
            tasks: 0,
            counters: Counters::default(),
            lately: Default::default(),
        };
        Self { state: Mutex::new(state), work: Notify::new(), context, size, token_time }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request; its number is set here.
    pub(super) fn push(&self, mut task: Task) {
        let mut state = self.state();
        state.tasks += 1;
        task.id = state.tasks;
        state.waiting.push_back(task);
        state.fill();
        self.work.notify_one();
    }

    pub(super) fn slots(&self) -> String {
        slots::shown(&self.state().slots, self.context)
    }

    pub(super) fn metrics(&self) -> String {
        let mut state = self.state();
        let lately = mem::take(&mut state.lately);
        let averages = lately.map(|(tokens, seconds)| if seconds > 0.0 { tokens / seconds } else { 0.0 });
        let processing = state.slots.iter().filter(|slot| slot.task.is_some()).count();
        state.counters.shown(averages, processing, state.waiting.len())
    }

    /// Works for ever.
    pub(super) async fn run(&self) {
        loop {
            let share = self.state().share(self.size);
            let Some(tokens) = share else {
                self.work.notified().await;
                continue;
            };
            let begun = Instant::now();
            // Many tokens of a prompt are computed at once: each costs an eighth of one that is generated.
            let cost = if tokens > 0 { tokens.div_ceil(8) } else { 1 };
            tokio::time::sleep(self.token_time * cost as u32).await;
            self.state().step(tokens, begun.elapsed().as_secs_f64());
        }
    }
}

impl State {
    /// Gives waiting requests to free slots.
    fn fill(&mut self) {
        loop {
            // Of slots that were never used, the last one.
            let free = self.slots.iter_mut().rev().filter(|slot| slot.task.is_none());
            let Some(slot) = free.min_by_key(|slot| slot.last_used()) else { return };
            let Some(task) = self.waiting.pop_front() else { return };
            slot.begin(task);
        }
    }

    /// How many tokens of prompts the next step takes: none where all slots generate. None where nothing is to do.
    fn share(&mut self, size: usize) -> Option<usize> {
        for slot in &mut self.slots {
            // A client that left is heard of here.
            if slot.task.as_ref().is_some_and(|task| task.send.is_closed()) {
                count(&mut self.counters, &mut self.lately[1], slot);
                slot.end();
            }
        }
        self.fill();
        self.slots.iter().any(|slot| slot.task.is_some()).then(|| {
            let rest = self.slots.iter().map(Slot::rest_of_prompt).find(|&rest| rest > 0);
            rest.unwrap_or(0).min(size)
        })
    }

    fn step(&mut self, tokens: usize, seconds: f64) {
        self.counters.steps += 1;
        self.counters.busy_slots += self.slots.iter().filter(|slot| slot.task.is_some()).count() as u64;
        for slot in 0..self.slots.len() {
            if tokens == 0 {
                self.generate(slot, seconds);
            } else if self.slots[slot].rest_of_prompt() > 0 {
                self.prompt(slot, tokens, seconds);
                break;
            }
        }
        let longest = self.slots.iter().map(|slot| slot.held.len() as u64).max();
        self.counters.most_tokens = self.counters.most_tokens.max(longest.unwrap_or(0));
        self.fill();
    }

    /// A part of a prompt. With the last one comes the first token.
    fn prompt(&mut self, index: usize, tokens: usize, seconds: f64) {
        let slot = &mut self.slots[index];
        let Some(task) = &slot.task else { return };
        let part = slot.held.len()..(slot.held.len() + tokens).min(task.prompt.len());
        slot.timings.processed += part.len() as u64;
        slot.timings.prompt_seconds += seconds;
        slot.held.extend_from_slice(&task.prompt[part]);
        let embeds = task.embeds;
        if slot.rest_of_prompt() > 0 {
            return;
        }
        let Timings { processed, cached, prompt_seconds, .. } = slot.timings;
        self.counters.prompt_tokens += processed;
        self.counters.cached_tokens += cached;
        self.counters.prompt_seconds += prompt_seconds;
        self.lately[0].0 += processed as f64;
        self.lately[0].1 += prompt_seconds;
        if embeds {
            self.slots[index].end();
        } else {
            self.generate(index, 0.0);
        }
    }

    /// A token, if the slot generates.
    fn generate(&mut self, index: usize, seconds: f64) {
        let slot = &mut self.slots[index];
        let Some(task) = &slot.task else { return };
        slot.timings.decoded += 1;
        slot.timings.decode_seconds += seconds;
        let _ = task.send.send(Event::Token);
        slot.timings.limited = task.limit.is_some_and(|limit| slot.timings.decoded >= limit);
        if slot.timings.limited || task.natural.is_some_and(|natural| slot.timings.decoded >= natural) {
            count(&mut self.counters, &mut self.lately[1], slot);
            slot.end();
        } else {
            // The last token is told and not held.
            slot.held.push("word".into());
        }
    }
}

/// What was generated counts when the request ends, also when its client left.
fn count(counters: &mut Counters, lately: &mut (f64, f64), slot: &Slot) {
    counters.predicted_tokens += slot.timings.decoded;
    counters.predicted_seconds += slot.timings.decode_seconds;
    lately.0 += slot.timings.decoded as f64;
    lately.1 += slot.timings.decode_seconds;
}
