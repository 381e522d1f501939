//! What the engines of one server did, summed up by their weights: engines come and go, and these sums stay.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use aura_model::Name;

use super::{Counters, End, WeightsTotals, processes::seconds};

/// How an engine ended is known from what the server lists after it. If it says nothing for so long, it is not known.
const UNDECIDED: Duration = Duration::from_secs(30);

/// The sums, without those of the engines that live.
#[derive(Default)]
pub(crate) struct Totals {
    by_weights: BTreeMap<Name, Total>,
    undecided: Vec<Ended>,
    /// Weights whose engine crashed, as long as the server lists them and has no other.
    crashed: BTreeSet<Name>,
}

#[derive(Default)]
struct Total {
    since: f64,
    starts: u64,
    ends: [u64; End::ALL.len()],
    lives_cut: u64,
    ticks: u64,
    counters: Option<Counters>,
}

struct Ended {
    weights: Name,
    seen: Instant,
}

/// What one engine adds to the sums.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Share {
    pub(crate) ticks: u64,
    pub(crate) counters: Option<Counters>,
}

impl Totals {
    /// An engine was found; `fresh` when it was started while we looked.
    pub(crate) fn found(&mut self, weights: &Name, born: f64, fresh: bool) {
        let total = self.by_weights.entry(weights.clone()).or_insert_with(|| Total { since: born, ..Total::default() });
        total.since = total.since.min(born);
        total.starts += u64::from(fresh);
        self.crashed.remove(weights);
    }

    /// An engine ended; `cut` when it did something that was not counted.
    pub(crate) fn ended(&mut self, weights: &Name, share: Share, cut: bool) {
        let total = self.by_weights.entry(weights.clone()).or_default();
        total.ticks += share.ticks;
        total.counters = sum(total.counters, share.counters);
        total.lives_cut += u64::from(cut);
        self.undecided.push(Ended { weights: weights.clone(), seen: Instant::now() });
    }

    /// What the server lists, as it said when it was asked at `asked`: tells how engines ended that were gone before.
    pub(crate) fn listed(
        &mut self,
        asked: Instant,
        is_listed: impl Fn(&str) -> Option<bool>,
        lives: impl Fn(&str) -> bool,
    ) {
        for Ended { weights, .. } in self.undecided.extract_if(.., |ended| ended.seen < asked) {
            let end = match is_listed(&weights) {
                _ if lives(&weights) => End::Replaced,
                Some(true) => End::Crashed,
                Some(false) => End::Unloaded,
                None => End::Unknown,
            };
            if end == End::Crashed {
                self.crashed.insert(weights.clone());
            }
            self.by_weights.entry(weights).or_default().ends[end as usize] += 1;
        }
        self.crashed.retain(|weights| is_listed(weights) != Some(false) && !lives(weights));
    }

    /// The server is gone, or has not said for long what it lists.
    pub(crate) fn decide(&mut self, server_is_there: bool) {
        let late = |ended: &mut Ended| !server_is_there || ended.seen.elapsed() > UNDECIDED;
        for Ended { weights, .. } in self.undecided.extract_if(.., late) {
            self.by_weights.entry(weights).or_default().ends[End::Unknown as usize] += 1;
        }
        if !server_is_there {
            self.crashed.clear();
        }
    }

    /// Whether the server lists these weights and their engine is gone.
    pub(crate) fn is_crashed(&self, weights: &str) -> bool {
        self.crashed.contains(weights)
    }

    /// The sums with what those that live add to them.
    pub(crate) fn with(&self, lives: impl Fn(&str) -> Share) -> Vec<WeightsTotals> {
        let with = |(weights, total): (&Name, &Total)| {
            let share = lives(weights);
            WeightsTotals {
                weights: weights.clone(),
                since: total.since,
                starts: total.starts,
                ends: total.ends,
                lives_cut: total.lives_cut,
                cpu_seconds: seconds(total.ticks + share.ticks),
                counters: sum(total.counters, share.counters),
            }
        };
        self.by_weights.iter().map(with).collect()
    }
}

/// Missing is not zero: what nobody told is none.
pub(crate) fn sum(one: Option<Counters>, other: Option<Counters>) -> Option<Counters> {
    let (Some(one), Some(other)) = (one, other) else { return one.or(other) };
    Some(Counters {
        prompt_tokens: one.prompt_tokens + other.prompt_tokens,
        cached_tokens: one.cached_tokens.zip(other.cached_tokens).map(|(one, other)| one + other),
        generated_tokens: one.generated_tokens + other.generated_tokens,
        prompt_seconds: one.prompt_seconds + other.prompt_seconds,
        generation_seconds: one.generation_seconds + other.generation_seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(generated_tokens: u64) -> Option<Counters> {
        Some(Counters { generated_tokens, ..Counters::default() })
    }

    fn nothing(_: &str) -> Share {
        Share::default()
    }

    #[test]
    fn sums_outlive_their_engines_and_what_nobody_told_is_none() {
        let mut totals = Totals::default();
        let weights = Name::from("w");
        totals.found(&weights, 5.0, false);
        assert_eq!(totals.with(nothing)[0].counters, None);
        totals.ended(&weights, Share { ticks: 150, counters: counters(7) }, false);
        totals.found(&weights, 9.0, true);
        let [total] = &totals.with(|_| Share { ticks: 50, counters: counters(3) })[..] else { panic!("one") };
        assert_eq!((total.since, total.starts, total.cpu_seconds, total.counters), (5.0, 1, 2.0, counters(10)));
        assert_eq!(totals.with(nothing)[0].counters, counters(7));
    }

    #[test]
    fn what_the_server_lists_afterwards_says_how_an_engine_ended() {
        let alone = |_: &str| false;
        for (listed, lives, end) in [
            (Some(false), false, End::Unloaded),
            (Some(true), false, End::Crashed),
            (Some(true), true, End::Replaced),
            (None, false, End::Unknown),
        ] {
            let mut totals = Totals::default();
            let asked_before = Instant::now();
            totals.ended(&"w".into(), Share::default(), true);
            totals.listed(asked_before, |_| Some(true), alone);
            assert_eq!(totals.with(nothing)[0].ends, [0; 4], "an answer from before says nothing");
            std::thread::sleep(Duration::from_millis(2));
            totals.listed(Instant::now(), |_| listed, |_| lives);
            let mut expected = [0; 4];
            expected[end as usize] = 1;
            assert_eq!((totals.with(nothing)[0].ends, totals.with(nothing)[0].lives_cut), (expected, 1), "{end:?}");
            assert_eq!(totals.is_crashed("w"), end == End::Crashed);
            totals.found(&"w".into(), 0.0, true);
            assert!(!totals.is_crashed("w"), "another took its place");
        }
    }

    #[test]
    fn engines_that_end_with_their_server_end_unknown() {
        let mut totals = Totals::default();
        totals.ended(&"w".into(), Share::default(), false);
        totals.decide(true);
        assert_eq!(totals.with(nothing)[0].ends, [0; 4]);
        totals.decide(false);
        assert_eq!(totals.with(nothing)[0].ends, [0, 0, 0, 1]);
    }
}
