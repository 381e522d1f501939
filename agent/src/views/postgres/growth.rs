//! How much databases and tables have grown within the last hour.

use std::collections::{HashMap, VecDeque};

use aura_postgres::PostgresReading;

use super::message::Growth;

/// A size is remembered this often, in seconds, and for this long.
const STEP: f64 = 300.0;
const SPAN: f64 = 3600.0;
/// No more names than these: servers may have any number of tables.
const MOST_NAMES: usize = 5_000;

type Key = (String, String, String, String);

/// Sizes by server, database, schema and table (both empty for a database): the newest, and older ones by the step.
#[derive(Default)]
pub(super) struct Sizes(HashMap<Key, VecDeque<(f64, i64)>>);

impl Sizes {
    /// Takes in what a reading has.
    pub(super) fn take(&mut self, reading: &PostgresReading) {
        for server in &reading.servers {
            let Some(statistics) = server.up.value() else { continue };
            if let Some(sizes) = statistics.database_sizes.value() {
                for database in &sizes.databases {
                    if let Some(bytes) = database.bytes {
                        self.note([&server.name, &database.name, "", ""], database.read_at, bytes);
                    }
                }
            }
            for sizes in statistics.all_table_sizes() {
                for table in &sizes.tables {
                    if let (Some(own), Some(index)) = (table.table_bytes, table.index_bytes) {
                        let key = [&*server.name, &table.database, &table.schema, &table.name];
                        self.note(key, sizes.read_at, own + index);
                    }
                }
            }
        }
    }

    /// How much this has grown since the oldest size that is remembered.
    pub(super) fn growth(&self, key: [&str; 4]) -> Growth {
        let known = self.0.get(&owned(key));
        let ends = known.and_then(|known| known.front().zip(known.back()));
        match ends {
            Some(((first, before), (last, now))) if last > first => {
                Growth { growth_bytes: Some(now - before), growth_seconds: Some(last - first) }
            }
            _ => Growth::default(),
        }
    }

    fn note(&mut self, key: [&str; 4], read_at: f64, bytes: i64) {
        let key = owned(key);
        if self.0.len() >= MOST_NAMES && !self.0.contains_key(&key) {
            return;
        }
        let known = self.0.entry(key).or_default();
        if known.back().is_some_and(|(last, _)| *last == read_at) {
            return;
        }
        // The newest is replaced until it is a step younger than the one before.
        let length = known.len();
        if length >= 2 && known[length - 1].0 - known[length - 2].0 < STEP {
            known.pop_back();
        }
        known.push_back((read_at, bytes));
        while known.len() > 2 && read_at - known[0].0 > SPAN {
            known.pop_front();
        }
    }
}

fn owned([server, database, schema, table]: [&str; 4]) -> Key {
    (server.to_owned(), database.to_owned(), schema.to_owned(), table.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_that_of_the_last_hour() {
        let mut sizes = Sizes::default();
        assert_eq!(sizes.growth(["s", "d", "", ""]), Growth::default());
        for minute in 0..180 {
            sizes.note(["s", "d", "", ""], f64::from(minute) * 60.0, i64::from(minute));
            sizes.note(["s", "d", "", ""], f64::from(minute) * 60.0, i64::from(minute));
        }
        let growth = sizes.growth(["s", "d", "", ""]);
        let minutes = growth.growth_seconds.unwrap() / 60.0;
        assert!((55.0..=60.0).contains(&minutes), "{growth:?}");
        assert_eq!(growth.growth_bytes, Some(minutes as i64));
        assert!(sizes.0.values().all(|known| known.len() < 16));
    }
}
