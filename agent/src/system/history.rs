//! The last hour of a dozen numbers, in a ring of fixed size, so that graphs are full when a page opens.

use std::{collections::VecDeque, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use super::Vitals;

/// One number that is remembered.
pub(super) struct Series {
    /// Its name in the answer.
    pub name: &'static str,
    /// Where it is found.
    pub take: fn(&Vitals) -> Option<f64>,
}

/// What is remembered.
pub(super) const SERIES: [Series; 12] = [
    Series { name: "cpu_percent", take: |vitals| vitals.cpu_percent },
    Series { name: "memory_percent", take: |vitals| vitals.memory_percent },
    Series { name: "swap_percent", take: |vitals| vitals.swap_percent },
    Series { name: "load1", take: |vitals| vitals.load1 },
    Series { name: "disk_read_bytes_per_second", take: |vitals| vitals.disk_read },
    Series { name: "disk_write_bytes_per_second", take: |vitals| vitals.disk_write },
    Series { name: "network_receive_bytes_per_second", take: |vitals| vitals.network_receive },
    Series { name: "network_transmit_bytes_per_second", take: |vitals| vitals.network_transmit },
    Series { name: "temperature_celsius", take: |vitals| vitals.temperature },
    Series { name: "pressure_cpu_percent", take: |vitals| vitals.pressure_cpu },
    Series { name: "pressure_memory_percent", take: |vitals| vitals.pressure_memory },
    Series { name: "pressure_io_percent", take: |vitals| vitals.pressure_io },
];

/// One moment; what was not known then is NaN. 32-bit floats keep seven digits, more than a graph shows.
#[derive(Clone, Copy)]
struct Row {
    time: Timestamp,
    values: [f32; SERIES.len()],
}

/// The ring.
pub(super) struct History {
    resolution: Duration,
    capacity: usize,
    rows: VecDeque<Row>,
    /// Readings since the newest row: their sums and how many had a value, for the mean.
    pending: [(f64, u32); SERIES.len()],
}

/// The answer of `/api/system/history`.
#[derive(Debug, Serialize)]
pub struct Window {
    /// How far back was asked for.
    pub window_seconds: f64,
    /// From one row to the next; a larger step is a gap in which nothing was read.
    pub step_seconds: f64,
    /// Unix seconds of each row.
    pub times: Vec<f64>,
    /// A value a row, `null` where it was not known.
    pub series: std::collections::BTreeMap<&'static str, Vec<Option<f32>>>,
}

impl History {
    /// A ring for this long, with a row each `resolution`.
    pub(super) fn new(window: Duration, resolution: Duration) -> Self {
        let capacity = window.div_duration_f64(resolution).ceil() as usize;
        Self { resolution, capacity, rows: VecDeque::with_capacity(capacity), pending: Default::default() }
    }

    /// Adds one reading: rows hold the mean of the readings since the row before.
    pub(super) fn push(&mut self, time: Timestamp, vitals: &Vitals) {
        for (pending, series) in self.pending.iter_mut().zip(&SERIES) {
            if let Some(value) = (series.take)(vitals) {
                *pending = (pending.0 + value, pending.1 + 1);
            }
        }
        // A timer is never exact: a reading that comes a little early still completes its row.
        let due = self.resolution.mul_f64(0.95).as_secs_f64();
        let since = self.rows.back().map(|row| time.duration_since(row.time).as_secs_f64());
        if since.is_some_and(|since| (0.0..due).contains(&since)) {
            return;
        }
        if self.rows.len() == self.capacity {
            self.rows.pop_front();
        }
        let values = std::mem::take(&mut self.pending)
            .map(|(sum, count)| if count == 0 { f32::NAN } else { (sum / f64::from(count)) as f32 });
        self.rows.push_back(Row { time, values });
    }

    /// The rows of the last `window`.
    pub(super) fn window(&self, window: Duration) -> Window {
        let newest = self.rows.back().map_or(Timestamp::UNIX_EPOCH, |row| row.time);
        // The clock may have been set back, so every row is looked at.
        let wanted = |row: &&Row| newest.duration_since(row.time).as_secs_f64() < window.as_secs_f64();
        let rows: Vec<&Row> = self.rows.iter().filter(wanted).collect();
        let column = |index: usize| rows.iter().map(move |row| Some(row.values[index]).filter(|value| !value.is_nan()));
        Window {
            window_seconds: window.as_secs_f64(),
            step_seconds: self.resolution.as_secs_f64(),
            times: rows.iter().map(|row| row.time.as_duration().as_secs_f64()).collect(),
            series: SERIES.iter().enumerate().map(|(index, series)| (series.name, column(index).collect())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + milliseconds as i64).expect("a time")
    }

    fn load(value: f64) -> Vitals {
        Vitals { load1: Some(value), ..Vitals::default() }
    }

    #[test]
    fn rows_are_means_and_the_unknown_is_null() {
        let mut history = History::new(Duration::from_secs(10), Duration::from_secs(1));
        history.push(at(0), &load(1.0));
        for (milliseconds, value) in [(250, 2.0), (500, 4.0), (750, 6.0), (1000, 8.0)] {
            history.push(at(milliseconds), &load(value));
        }
        let window = history.window(Duration::from_secs(60));
        assert_eq!(window.series["load1"], [Some(1.0), Some(5.0)]);
        assert_eq!(window.series["temperature_celsius"], [None, None]);
        assert_eq!(window.times, [1_700_000_000.0, 1_700_000_001.0]);
    }

    proptest! {
        #[test]
        fn the_newest_rows_are_kept_and_no_more(
            count in 0_u64..50, capacity in 1_u64..20, window in 1_u64..30,
        ) {
            let mut history = History::new(Duration::from_secs(capacity), Duration::from_secs(1));
            for second in 0..count {
                history.push(at(second * 1000), &load(second as f64));
            }
            let expected: Vec<Option<f32>> =
                (count.saturating_sub(capacity.min(window))..count).map(|second| Some(second as f32)).collect();
            let answer = history.window(Duration::from_secs(window));
            prop_assert_eq!(&answer.series["load1"], &expected);
            prop_assert_eq!(answer.times.len(), expected.len());
        }
    }
}
