//! Which texts were there already. This is asked for every series at every reading, so it allocates nothing once it is
//! warm, and hashes eight bytes at a time.

use std::{
    hash::{BuildHasher, RandomState},
    ops::Range,
    sync::OnceLock,
};

/// A set of texts: an open table that is emptied without being touched.
#[derive(Default)]
pub(super) struct Seen {
    texts: Vec<u8>,
    slots: Vec<Slot>,
    count: usize,
    /// Slots of older ones are free.
    generation: u32,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u64,
    start: u32,
    end: u32,
    generation: u32,
}

impl Slot {
    fn place(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Seen {
    /// Adds a text; false when it was there.
    pub(super) fn insert(&mut self, text: &[u8]) -> bool {
        if self.count * 2 >= self.slots.len() {
            self.grow();
        }
        let hash = hash(text);
        match self.find(hash, text) {
            Ok(_) => false,
            Err(free) => {
                let start = self.texts.len() as u32;
                self.texts.extend_from_slice(text);
                let end = self.texts.len() as u32;
                self.slots[free] = Slot { hash, start, end, generation: self.generation };
                self.count += 1;
                true
            }
        }
    }

    pub(super) fn contains(&self, text: &[u8]) -> bool {
        !self.slots.is_empty() && self.find(hash(text), text).is_ok()
    }

    pub(super) fn clear(&mut self) {
        if self.count > 0 {
            self.texts.clear();
            self.count = 0;
            self.generation = self.generation.wrapping_add(1);
            if self.generation == 0 {
                self.slots.clear();
            }
        }
    }

    /// The slot of the text, or the one that it would get.
    fn find(&self, hash: u64, text: &[u8]) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = &self.slots[at];
            if slot.generation != self.generation {
                return Err(at);
            }
            if slot.hash == hash && self.texts[slot.place()] == *text {
                return Ok(at);
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(64);
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); size]);
        // A slot that was never used is of generation 0, which therefore is never the current one.
        let current = self.generation;
        self.generation = current.max(1);
        for slot in old.into_iter().filter(|slot| slot.generation == current && current > 0) {
            let mut at = slot.hash as usize & (size - 1);
            while self.slots[at].generation == self.generation {
                at = (at + 1) & (size - 1);
            }
            self.slots[at] = slot;
        }
    }
}

/// Seeded, as strangers choose some of the texts: equal hashes must not be theirs to make.
fn hash(text: &[u8]) -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    let seed = *SEED.get_or_init(|| RandomState::new().hash_one(0));
    let fold = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * u128::from(seed | 1);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let (words, rest) = text.as_chunks();
    let mut state = seed ^ text.len() as u64;
    for word in words {
        state = fold(state, u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    for (last, byte) in last.iter_mut().zip(rest) {
        *last = *byte;
    }
    fold(fold(state, u64::from_le_bytes(last)), 0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_set_of_the_standard_library(texts in prop::collection::vec("[ab]{0,20}", 0..80)) {
            let (mut seen, mut reference) = (Seen::default(), HashSet::new());
            for _ in 0..2 {
                for text in &texts {
                    prop_assert_eq!(seen.contains(text.as_bytes()), reference.contains(text));
                    prop_assert_eq!(seen.insert(text.as_bytes()), reference.insert(text));
                }
                seen.clear();
                reference.clear();
            }
        }
    }

    #[test]
    fn texts_of_one_hash_are_told_apart() {
        let mut seen = Seen::default();
        assert!(seen.insert(b"first"));
        let second = hash(b"second");
        // As if the first had the hash of the second.
        let free = seen.find(second, b"second").unwrap_err();
        seen.slots[free] = Slot { hash: second, start: 0, end: 5, generation: seen.generation };
        assert!(!seen.contains(b"second") && seen.insert(b"second") && !seen.insert(b"second"));
    }

    #[test]
    fn it_is_empty_again_after_any_number_of_clearings() {
        let mut seen = Seen::default();
        seen.insert(b"a");
        seen.generation = u32::MAX;
        assert!(seen.insert(b"a"));
        seen.clear();
        assert!(!seen.contains(b"a") && seen.insert(b"a") && !seen.insert(b"a"));
    }
}
