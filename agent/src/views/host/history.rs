//! The last hour of a dozen numbers, in a ring of fixed size, so that graphs are full when a page opens.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::json;

use super::Vitals;

/// One number that is remembered.
pub(super) struct Series {
    /// Its name in the answer.
    pub name: &'static str,
    /// What it is, for the documentation.
    pub meaning: &'static str,
    /// Where it is found.
    pub take: fn(&Vitals) -> Option<f64>,
}

const fn series(name: &'static str, meaning: &'static str, take: fn(&Vitals) -> Option<f64>) -> Series {
    Series { name, meaning, take }
}

/// What is remembered.
pub(super) const SERIES: [Series; 12] = [
    series("cpu_percent", "Use of all CPUs together, 0 to 100.", |vitals| vitals.cpu_percent),
    series("memory_percent", "Used memory as a share of all, 0 to 100.", |vitals| vitals.memory_percent),
    series("swap_percent", "Used swap as a share of all, 0 to 100.", |vitals| vitals.swap_percent),
    series("load1", "Load average over one minute.", |vitals| vitals.load1),
    series("disk_read_bytes_per_second", "Bytes a second that all disks read.", |vitals| vitals.disk_read),
    series("disk_write_bytes_per_second", "Bytes a second that all disks write.", |vitals| vitals.disk_write),
    series("network_receive_bytes_per_second", "Bytes a second that the counted interfaces receive.", |vitals| {
        vitals.network_receive
    }),
    series("network_transmit_bytes_per_second", "Bytes a second that the counted interfaces send.", |vitals| {
        vitals.network_transmit
    }),
    series("temperature_celsius", "The hottest sensor, in degrees Celsius.", |vitals| vitals.temperature),
    series(
        "pressure_cpu_percent",
        "Share of the last 10 seconds in which some task waited for a CPU, 0 to 100.",
        |vitals| vitals.pressure_cpu,
    ),
    series(
        "pressure_memory_percent",
        "Share of the last 10 seconds in which some task waited for memory, 0 to 100.",
        |vitals| vitals.pressure_memory,
    ),
    series(
        "pressure_io_percent",
        "Share of the last 10 seconds in which some task waited for a disk, 0 to 100.",
        |vitals| vitals.pressure_io,
    ),
];

/// One moment; what was not known then is NaN. 32-bit floats keep seven digits, more than a graph shows.
#[derive(Clone, Copy)]
struct Row {
    time: Timestamp,
    values: [f32; SERIES.len()],
}

/// A moment by the clock on the wall, which may be set, and by one that nobody sets.
#[derive(Clone, Copy)]
pub(super) struct Clocks {
    pub time: Timestamp,
    pub taken: Instant,
    /// How long the machine has slept since it was started: `taken` does not count that.
    pub slept: Duration,
}

impl Clocks {
    fn since(self, earlier: Self) -> Duration {
        self.taken.duration_since(earlier.taken) + self.slept.saturating_sub(earlier.slept)
    }
}

/// The machine's clock was set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ClockStep")]
pub struct Step {
    /// When, in Unix seconds of the clock as it was set.
    pub time: f64,
    /// By how many seconds; negative when it was set back.
    pub seconds: f64,
}

/// Clocks that are set again and again are not told of more often.
const STEPS: usize = 16;

/// The ring. Its times are always those of the clock as it is set now: when the clock is set, all that was remembered
/// before moves with it, so that rows stay in their order and as far apart as they were.
pub(super) struct History {
    resolution: Duration,
    capacity: usize,
    rows: VecDeque<Row>,
    /// When the newest row was made, by each clock.
    newest: Option<Clocks>,
    steps: VecDeque<Step>,
    /// Readings since the newest row: their sums and how many had a value, for the mean.
    pending: [(f64, u32); SERIES.len()],
}

/// What is remembered of the host, as columns of one length. The machine's sleep and the time without an agent are
/// gaps in `times`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SystemHistory")]
pub struct Window {
    /// How far back was asked for, in seconds.
    pub window_seconds: f64,
    /// Seconds from one row to the next (`history.resolution`). A longer pause between two `times` is a gap in which
    /// nothing was read.
    pub step_seconds: f64,
    /// Unix seconds of each row, oldest first.
    pub times: Vec<f64>,
    /// When the machine's clock was set within the window, oldest first, 16 at most. Times before are those of the
    /// clock as it is set now: in order, and as far apart as they were.
    pub clock_steps: Vec<Step>,
    /// A column for each series, by its name: the mean of the readings of each row, `null` where the value was not
    /// known.
    #[schemars(schema_with = "columns")]
    pub series: BTreeMap<&'static str, Vec<Option<f32>>>,
}

/// Says which columns there are. A reader must not count on any: other versions remember others.
fn columns(_: &mut SchemaGenerator) -> Schema {
    let column = |series: &Series| {
        let values = json!({ "type": "array", "items": { "type": ["number", "null"] }, "description": series.meaning });
        (series.name.to_owned(), values)
    };
    let columns: serde_json::Map<_, _> = SERIES.iter().map(column).collect();
    json_schema!({ "type": "object", "properties": columns })
}

impl History {
    /// A ring for this long, with a row each `resolution`.
    pub(super) fn new(window: Duration, resolution: Duration) -> Self {
        let capacity = window.div_duration_f64(resolution).ceil() as usize;
        Self {
            resolution,
            capacity,
            rows: VecDeque::with_capacity(capacity),
            newest: None,
            steps: VecDeque::new(),
            pending: Default::default(),
        }
    }

    /// Adds one reading: rows hold the mean of the readings since the row before. Says by how much the clock was set
    /// since the last one, if it was.
    pub(super) fn push(&mut self, moment: Clocks, vitals: &Vitals) -> Option<f64> {
        let step = self.follow_clock(moment);
        for (pending, series) in self.pending.iter_mut().zip(&SERIES) {
            if let Some(value) = (series.take)(vitals) {
                *pending = (pending.0 + value, pending.1 + 1);
            }
        }
        // A timer is never exact: a reading that comes a little early still completes its row.
        let due = self.resolution.mul_f64(0.95).as_secs_f64();
        if self.newest.is_some_and(|row| moment.since(row).as_secs_f64() < due) {
            return step;
        }
        self.newest = Some(moment);
        if self.rows.len() == self.capacity {
            self.rows.pop_front();
        }
        let values = std::mem::take(&mut self.pending)
            .map(|(sum, count)| if count == 0 { f32::NAN } else { (sum / f64::from(count)) as f32 });
        self.rows.push_back(Row { time: moment.time, values });
        step
    }

    fn follow_clock(&mut self, moment: Clocks) -> Option<f64> {
        let row = self.newest.as_mut()?;
        let step = moment.time.duration_since(row.time) - SignedDuration::try_from(moment.since(*row)).ok()?;
        // What is smaller than half a row is lost in it; clocks that are slewed differ by far less.
        let least = self.resolution.div_f64(2.0).min(Duration::from_millis(500));
        if step.unsigned_abs() <= least {
            return None;
        }
        row.time = row.time.checked_add(step).unwrap_or(row.time);
        for row in &mut self.rows {
            row.time = row.time.checked_add(step).unwrap_or(row.time);
        }
        let seconds = step.as_secs_f64();
        for step in &mut self.steps {
            step.time += seconds;
        }
        // Under load the two clocks are not read at once.
        if seconds.abs() < 1.0 {
            return None;
        }
        self.steps.truncate(STEPS - 1);
        self.steps.push_front(Step { time: moment.time.as_duration().as_secs_f64(), seconds });
        Some(seconds)
    }

    /// The rows of the last `window`.
    pub(super) fn window(&self, window: Duration) -> Window {
        let newest = self.rows.back().map_or(Timestamp::UNIX_EPOCH, |row| row.time);
        let wanted = |row: &&Row| newest.duration_since(row.time).as_secs_f64() < window.as_secs_f64();
        let rows: Vec<&Row> = self.rows.iter().filter(wanted).collect();
        let end = newest.as_duration().as_secs_f64();
        let column = |index: usize| rows.iter().map(move |row| Some(row.values[index]).filter(|value| !value.is_nan()));
        Window {
            window_seconds: window.as_secs_f64(),
            step_seconds: self.resolution.as_secs_f64(),
            clock_steps: self
                .steps
                .iter()
                .rev()
                .filter(|step| step.time > end - window.as_secs_f64())
                .copied()
                .collect(),
            times: rows.iter().map(|row| row.time.as_duration().as_secs_f64()).collect(),
            series: SERIES.iter().enumerate().map(|(index, series)| (series.name, column(index).collect())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_both(start: Instant, passed: u64, wall: i64) -> Clocks {
        let time = Timestamp::from_millisecond(1_700_000_000_000 + wall).expect("a time");
        Clocks { time, taken: start + Duration::from_millis(passed), slept: Duration::ZERO }
    }

    fn at(start: Instant, milliseconds: u64) -> Clocks {
        by_both(start, milliseconds, milliseconds as i64)
    }

    fn load(value: f64) -> Vitals {
        Vitals { load1: Some(value), ..Vitals::default() }
    }

    #[test]
    fn rows_are_means_and_the_unknown_is_null() {
        let start = Instant::now();
        let mut history = History::new(Duration::from_secs(10), Duration::from_secs(1));
        history.push(at(start, 0), &load(1.0));
        for (milliseconds, value) in [(250, 2.0), (500, 4.0), (750, 6.0), (1000, 8.0)] {
            history.push(at(start, milliseconds), &load(value));
        }
        let window = history.window(Duration::from_secs(60));
        assert_eq!(window.series["load1"], [Some(1.0), Some(5.0)]);
        assert_eq!(window.series["temperature_celsius"], [None, None]);
        assert_eq!(window.times, [1_700_000_000.0, 1_700_000_001.0]);
        assert_eq!(window.clock_steps, []);
    }

    #[test]
    fn a_clock_that_is_set_takes_the_past_with_it() {
        for step in [-7_200_000_i64, 7_200_000, -1_700_000_000_000] {
            let start = Instant::now();
            let mut history = History::new(Duration::from_secs(60), Duration::from_secs(1));
            let mut told = Vec::new();
            for second in 0..10 {
                let wall = second as i64 * 1000 + if second >= 5 { step } else { 0 };
                told.extend(history.push(by_both(start, second * 1000, wall), &load(second as f64)));
            }
            let window = history.window(Duration::from_secs(60));
            let times: Vec<f64> =
                (0..10).map(|second| 1_700_000_000.0 + step as f64 / 1000.0 + f64::from(second)).collect();
            assert_eq!(window.times, times);
            assert_eq!(told, [step as f64 / 1000.0]);
            assert_eq!(window.clock_steps, [Step { time: times[5], seconds: step as f64 / 1000.0 }]);
        }
    }

    #[test]
    fn a_machine_that_slept_shows_a_gap() {
        let start = Instant::now();
        let mut history = History::new(Duration::from_secs(7200), Duration::from_secs(1));
        history.push(at(start, 0), &load(1.0));
        let awake = Clocks { slept: Duration::from_secs(3600), ..by_both(start, 1000, 3_601_000) };
        assert_eq!(history.push(awake, &load(2.0)), None);
        assert_eq!(history.window(Duration::from_secs(7200)).times, [1_700_000_000.0, 1_700_003_601.0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        /// However the clock is set, rows are in order and none is lost or shown twice.
        #[test]
        fn the_order_of_rows_is_that_in_which_they_came(
            steps in prop::collection::vec((1..3_u64, prop_oneof![Just(0_i64), -100_000..100_000_i64, -400..400_i64]), 1..60),
        ) {
            let start = Instant::now();
            let mut history = History::new(Duration::from_secs(1000), Duration::from_secs(1));
            let (mut passed, mut off, mut expected) = (0, 0, Vec::new());
            for (index, (seconds, step)) in steps.iter().enumerate() {
                passed += seconds * 1000;
                off += step;
                history.push(by_both(start, passed, passed as i64 + off), &load(index as f64));
                expected.push(Some(index as f32));
            }
            let window = history.window(Duration::from_secs(1000));
            prop_assert_eq!(&window.series["load1"], &expected);
            prop_assert!(window.times.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", window.times);
            let end = 1_700_000_000.0 + (passed as i64 + off) as f64 / 1000.0;
            prop_assert!((window.times[window.times.len() - 1] - end).abs() < 0.001);
        }

        #[test]
        fn the_newest_rows_are_kept_and_no_more(
            count in 0_u64..50, capacity in 1_u64..20, window in 1_u64..30,
        ) {
            let start = Instant::now();
            let mut history = History::new(Duration::from_secs(capacity), Duration::from_secs(1));
            for second in 0..count {
                history.push(at(start, second * 1000), &load(second as f64));
            }
            let expected: Vec<Option<f32>> =
                (count.saturating_sub(capacity.min(window))..count).map(|second| Some(second as f32)).collect();
            let answer = history.window(Duration::from_secs(window));
            prop_assert_eq!(&answer.series["load1"], &expected);
            prop_assert_eq!(answer.times.len(), expected.len());
        }
    }
}
