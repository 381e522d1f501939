//! Chance that can be had again: a failing test says its seed.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

/// A small generator (splitmix64).
pub struct Random(u64);

impl Random {
    /// From `AURA_TEST_SEED`, else from the clock; the seed is printed with a failing test.
    #[must_use]
    pub fn any() -> Self {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
        let seed = env::var("AURA_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(clock);
        eprintln!("to have the same again: AURA_TEST_SEED={seed}");
        Self(seed)
    }

    /// What this seed gives.
    #[must_use]
    pub fn of(seed: usize) -> Self {
        Self(seed as u64)
    }

    /// A number below this one.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit.max(1) as u64) as usize
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}
