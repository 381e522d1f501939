//! How a metric is declared, and how its samples leave a reading.

/// What a family's values mean to a scraper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows, but for a restart of what it counts.
    Counter,
    /// Goes up and down. Information metrics with the constant value 1 are gauges too, as node_exporter has them.
    Gauge,
    /// The outside world does not say: `untyped` in text 0.0.4, `unknown` in OpenMetrics.
    Unknown,
    /// Cumulative buckets, `_sum` and `_count`.
    Histogram,
    /// Quantiles, `_sum` and `_count`.
    Summary,
}

/// The base unit of a value, for OpenTelemetry and the reference; the Prometheus name carries it already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A count of things, a flag, an identifier.
    None,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A share between 0 and 1.
    Ratio,
    /// Degrees Celsius.
    Celsius,
    /// Volts.
    Volts,
    /// Amperes.
    Amperes,
    /// Watts.
    Watts,
    /// Joules.
    Joules,
    /// Cycles a second.
    Hertz,
}

/// A sample's number. Integers stay integers, so that a counter of bytes is exact beyond 2^53.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A whole number that is never negative: nearly everything a kernel counts.
    Unsigned(u64),
    /// A whole number that may be negative.
    Signed(i64),
    /// Everything else.
    Float(f64),
}

impl Value {
    /// The number as a float, as a scraper will see it.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a scraper's number is a float, whatever we hold")]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Unsigned(number) => number as f64,
            Self::Signed(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Unsigned(number)
    }
}
impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Unsigned(number.into())
    }
}
impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Unsigned(number as u64)
    }
}
impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Signed(number.into())
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Signed(number)
    }
}
impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}
impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Unsigned(flag.into())
    }
}

/// A number, or none: what a row gives for one metric.
pub trait Sample {
    /// The number, if there is one.
    fn number(self) -> Option<Value>;
}

impl<T> Sample for T
where
    Value: From<T>,
{
    fn number(self) -> Option<Value> {
        Some(self.into())
    }
}
impl<T> Sample for Option<T>
where
    Value: From<T>,
{
    fn number(self) -> Option<Value> {
        self.map(Value::from)
    }
}

/// What a metric is, apart from its samples: the one place where its name is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Family<'a> {
    /// Name as samples carry it in text 0.0.4. In a declaration a `*` marks a part that the outside world
    /// fills in (a field of /proc/meminfo, say).
    pub name: &'a str,
    /// One sentence: what is counted, in which unit, from where.
    pub help: &'a str,
    /// What the values mean.
    pub kind: Kind,
    /// Base unit of the values.
    pub unit: Unit,
    /// Label names, in the order in which samples give their values.
    pub labels: &'a [&'a str],
}

/// One declared metric of a reading `R`.
pub struct Metric<R: 'static> {
    /// Name, help, kind, unit and labels.
    pub family: Family<'static>,
    /// Hands every sample that the reading has to the publisher. When the name has a `*`, it opens each family
    /// itself with [`Emit::family`].
    pub take: fn(&R, &mut dyn Emit),
}

/// Declares a counter.
pub const fn counter<R>(
    name: &'static str,
    help: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    take: fn(&R, &mut dyn Emit),
) -> Metric<R> {
    Metric { family: Family { name, help, kind: Kind::Counter, unit, labels }, take }
}

/// Declares a gauge.
pub const fn gauge<R>(
    name: &'static str,
    help: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    take: fn(&R, &mut dyn Emit),
) -> Metric<R> {
    Metric { family: Family { name, help, kind: Kind::Gauge, unit, labels }, take }
}

/// Declares a metric of which the outside world does not say whether it only grows.
pub const fn unknown<R>(
    name: &'static str,
    help: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    take: fn(&R, &mut dyn Emit),
) -> Metric<R> {
    Metric { family: Family { name, help, kind: Kind::Unknown, unit, labels }, take }
}

/// Metrics that come and go together: what node_exporter calls a collector, and what `collect[]` selects.
pub struct Group<R: 'static> {
    /// Name for `collect[]` and `exclude[]`.
    pub name: &'static str,
    /// Hands the samples of a reading to a publisher, family by family.
    pub walk: fn(&R, &mut dyn Emit),
    /// Shows each declaration, for the reference and for checks of the tables themselves.
    pub declare: fn(Show<'_>),
}

/// Takes a group: its name, and what hands its samples over.
pub type EachGroup<'a> = &'a mut dyn FnMut(&'static str, &dyn Fn(&mut dyn Emit));

/// Shows each of these groups of a reading.
pub fn each_group<R>(groups: &[Group<R>], reading: &R, each: EachGroup<'_>) {
    for group in groups {
        each(group.name, &|emit| (group.walk)(reading, emit));
    }
}

/// Looks at declarations, one by one.
pub type Show<'a> = &'a mut dyn FnMut(&Family<'static>);

/// Receives the samples of a walk over a reading. Publishers implement it.
///
/// A family without a sample is not published, so `take` functions need not look ahead. Of two samples with equal labels
/// the first is published, and the other counted and named in the log: a source gives each a label that tells it apart.
/// Equal labels are recognised among the samples that came through one of the two methods.
pub trait Emit {
    /// Opens a family; samples that follow belong to it. Families must not be opened twice in one walk.
    fn family(&mut self, family: &Family<'_>);

    /// Opens a family as a table declares it. Tables are checked once for all: its name needs no look at each reading.
    fn declared(&mut self, family: &Family<'static>) {
        self.family(family);
    }

    /// A sample of the open family, with the values of its declared labels in their order.
    fn sample(&mut self, values: &[&str], value: Value);

    /// A sample whose labels are not declared (a text file's, say). `suffix` is what stands behind the
    /// family's name: empty, `_bucket`, `_sum` or `_count`.
    fn labelled(&mut self, suffix: &str, labels: &[(&str, &str)], value: Value);
}

impl dyn Emit + '_ {
    /// A sample without labels, if there is a value.
    pub fn value(&mut self, value: impl Into<Value>) {
        self.sample(&[], value.into());
    }

    /// A sample with one label.
    pub fn one(&mut self, label: &str, value: impl Into<Value>) {
        self.sample(&[label], value.into());
    }

    /// A sample that may be missing: nothing is published then.
    pub fn maybe(&mut self, values: &[&str], value: impl Sample) {
        if let Some(value) = value.number() {
            self.sample(values, value);
        }
    }
}

/// Walks a table: opens each declared family and lets it hand over its samples.
pub fn walk<R>(metrics: &[Metric<R>], reading: &R, emit: &mut dyn Emit) {
    for metric in metrics {
        if !metric.family.name.contains('*') {
            emit.declared(&metric.family);
        }
        (metric.take)(reading, emit);
    }
}

/// Shows each declaration of a table.
pub fn declare<R>(metrics: &[Metric<R>], show: Show<'_>) {
    for metric in metrics {
        show(&metric.family);
    }
}
