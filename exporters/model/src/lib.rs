//! The words that sources and publishers share, and nothing else: no file is opened here.
//!
//! A [`Source`] yields a typed reading. Beside it stands its [`Group`]s of [`Metric`]s: each declares a name
//! once and says how to take its samples from the reading. Publishers walk these tables through [`Emit`];
//! Prometheus text, OpenMetrics, OTLP and the metrics reference all come from the same walk.

mod backoff;
mod file_stamp;
mod metric;
mod options;
mod rows;
mod section;
mod source;
mod stopwatch;
mod text;
mod time;

pub use backoff::{BACKOFF_CEILING, Backoff};
pub use file_stamp::FileStamp;
pub use metric::{
    EachGroup, Emit, Family, Group, Kind, Metric, Sample, Show, Unit, Value, counter, declare, each_group, gauge,
    unknown, walk,
};
pub use options::{Interval, ParseIntervalError, Switch};
pub use section::{Missing, Reason, Section};
pub use source::{Context, GroupHealth, Name, Options, Paths, Schedule, Source};
pub use stopwatch::{Stopwatch, TICK, tick, within};
pub use text::{text, unmarked};
pub use time::{rfc3339, rfc3339_of_seconds};
