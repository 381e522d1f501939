//! The largest few of many processes.

use std::cmp::Reverse;

use super::Process;

/// Rows of each list.
const ROWS: usize = 15;

/// The largest few of many.
#[derive(Default)]
pub(super) struct Top {
    rows: Vec<(u64, Process)>,
    least: u64,
}

impl Top {
    pub(super) fn offer(&mut self, key: u64, process: impl FnOnce() -> Process) {
        if key <= self.least {
            return;
        }
        if self.rows.len() == ROWS {
            let least = self.rows.iter().position(|(known, _)| *known == self.least);
            self.rows.swap_remove(least.unwrap_or_default());
        }
        self.rows.push((key, process()));
        if self.rows.len() == ROWS {
            self.least = self.rows.iter().map(|(key, _)| *key).min().unwrap_or_default();
        }
    }

    pub(super) fn sorted(mut self) -> Vec<Process> {
        self.rows.sort_by_key(|(key, process)| (Reverse(*key), process.pid));
        self.rows.into_iter().map(|(_, process)| process).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_top_is_what_sorting_gives(keys in prop::collection::vec(any::<u8>(), 0..60)) {
            let process = |pid: usize| Process {
                pid: pid as u32, name: "".into(), user: None, ticks: 0, previous_ticks: None, memory_bytes: 0, started: 0,
            };
            let mut top = Top::default();
            for (pid, key) in keys.iter().enumerate() {
                top.offer(u64::from(*key), || process(pid));
            }
            let found: Vec<u8> = top.sorted().iter().map(|row| keys[row.pid as usize]).collect();
            let mut expected: Vec<u8> = keys.into_iter().filter(|key| *key > 0).collect();
            expected.sort_unstable_by_key(|key| Reverse(*key));
            expected.truncate(ROWS);
            prop_assert_eq!(found, expected);
        }
    }
}
