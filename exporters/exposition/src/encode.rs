//! From the metric declarations of a reading to text. This runs once per reading and format, so it is written for
//! speed: names and help are copied, numbers go through itoa and ryu, nothing else is allocated.
//!
//! No series is there twice, whatever a source hands over. Of two equal ones the first stays, in both formats; the
//! other is [left out](LeftOut). So is what is no name of a metric or a label.

mod seen;

use std::{cell::Cell, ops::Range};

use aura_model::{EachGroup, Emit, Family, Kind, Unit, Value};
use bytes::Bytes;
use memchr::{memchr2, memchr3};

use self::seen::Seen;
use super::Format;

/// A reading's text in one format, in pieces that can be served alone.
pub struct Encoding {
    text: Bytes,
    groups: Vec<(&'static str, Range<usize>)>,
    left_out: LeftOut,
}

impl Encoding {
    /// The whole text.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The text of the groups that are wanted, in their order; neighbours come in one piece.
    pub fn select(&self, wanted: impl Fn(&str) -> bool) -> Vec<Bytes> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for (_, range) in self.groups.iter().filter(|(name, range)| !range.is_empty() && wanted(name)) {
            match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range.clone()),
            }
        }
        ranges.into_iter().map(|range| self.text.slice(range)).collect()
    }

    /// What had to be left out of the text.
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }
}

/// What may stand behind a family's name.
const SUFFIXES: [&str; 4] = ["", "_bucket", "_sum", "_count"];

/// So many of the series that were left out are named.
const NAMED: usize = 16;

/// Series of one reading that are not in its text: an equal one is there already, or the name is none.
#[derive(Debug, Default, PartialEq)]
pub struct LeftOut {
    /// How many.
    pub count: u64,
    /// The first of them, as they would stand in the text.
    pub series: Vec<String>,
}

impl LeftOut {
    fn add(&mut self, series: impl FnOnce() -> String) {
        self.count += 1;
        if self.series.len() < NAMED {
            self.series.push(series());
        }
    }
}

/// Room for the text of a common machine, which then is not moved while it grows.
const CAPACITY: usize = 96 << 10;

thread_local! {
    /// The tables of the reading before are large enough for the next one.
    static SEEN: Cell<(Seen, Seen)> = Cell::default();
}

/// Encodes the groups that `show` shows.
pub fn encode(show: impl FnOnce(EachGroup<'_>), format: Format) -> Encoding {
    let (names, rows) = SEEN.take();
    let mut encoder = Encoder { out: Vec::with_capacity(CAPACITY), format, names, rows, ..Encoder::default() };
    let mut groups = Vec::new();
    show(&mut |name, walk| {
        let start = encoder.out.len();
        walk(&mut encoder);
        encoder.close();
        groups.push((name, start..encoder.out.len()));
    });
    encoder.names.clear();
    encoder.rows.clear();
    SEEN.set((encoder.names, encoder.rows));
    encoder.out.shrink_to_fit();
    Encoding { text: encoder.out.into(), groups, left_out: encoder.left_out }
}

/// Writes families one after the other. A family's head is written at once and taken back when no sample follows.
#[derive(Default)]
struct Encoder {
    out: Vec<u8>,
    format: Format,
    /// Where the open family's head begins, and where it ends.
    head: Range<usize>,
    /// The open family's name, as samples carry it.
    name: Vec<u8>,
    /// The open family's labels, each as `,label="`, in one string, and where each ends.
    labels: Vec<u8>,
    ends: Vec<usize>,
    /// Where the open family's name stands in its head: in OpenMetrics a counter's lacks its ending.
    title: Range<usize>,
    /// Whether the open family's samples may have each of [`SUFFIXES`]; unknown until one has it.
    admitted: [Option<bool>; SUFFIXES.len()],
    /// Every name that a family or a sample has so far.
    names: Seen,
    /// How many samples the open family has, how the first differs from others, and how each does: one alone is not
    /// looked up.
    samples: usize,
    first: Vec<u8>,
    rows: Seen,
    /// A sample's labels, put in order.
    key: Vec<u8>,
    left_out: LeftOut,
}

impl Encoder {
    fn close(&mut self) {
        if self.out.len() == self.head.end {
            self.out.truncate(self.head.start);
        }
        self.head = self.out.len()..self.out.len();
    }

    fn open(&mut self, family: &Family<'_>) {
        self.close();
        let start = self.out.len();
        self.head(family);
        self.head = start..self.out.len();
        self.name.clear();
        self.name.extend_from_slice(family.name.as_bytes());
        self.admitted = [None; SUFFIXES.len()];
        self.samples = 0;
        self.rows.clear();
        self.labels.clear();
        self.ends.clear();
        for label in family.labels {
            self.labels.push(if self.ends.is_empty() { b'{' } else { b',' });
            self.labels.extend_from_slice(label.as_bytes());
            self.labels.extend_from_slice(b"=\"");
            self.ends.push(self.labels.len());
        }
    }

    fn head(&mut self, family: &Family<'_>) {
        let (name, kind) = self.title(family);
        let out = &mut self.out;
        out.extend_from_slice(b"# HELP ");
        self.title = out.len()..out.len() + name.len();
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        escape(out, family.help, self.format == Format::OpenMetrics);
        out.extend_from_slice(b"\n# TYPE ");
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        out.extend_from_slice(kind.as_bytes());
        out.push(b'\n');
        if self.format == Format::OpenMetrics
            && let Some(unit) = suffix(family.unit)
            && name.strip_suffix(unit).is_some_and(|stem| stem.ends_with('_'))
        {
            out.extend_from_slice(b"# UNIT ");
            out.extend_from_slice(name.as_bytes());
            out.push(b' ');
            out.extend_from_slice(unit.as_bytes());
            out.push(b'\n');
        }
    }

    /// The family's name and type as its head has them.
    fn title<'f>(&self, family: &Family<'f>) -> (&'f str, &'static str) {
        let name = family.name;
        match (self.format, family.kind) {
            (Format::Text, kind) => (name, word(kind)),
            (Format::OpenMetrics, Kind::Counter) => match name.strip_suffix("_total") {
                Some(stem) if !self.names.contains(stem.as_bytes()) => (stem, "counter"),
                // Public names that break OpenMetrics keep their name and lose their type.
                _ => (name, "unknown"),
            },
            (Format::OpenMetrics, Kind::Unknown) => (name, "unknown"),
            (Format::OpenMetrics, kind) => (name, word(kind)),
        }
    }

    /// Whether a sample of this one of the suffixes may stand in the open family: nobody else's has its name.
    fn admits(&mut self, place: usize) -> bool {
        if let Some(admitted) = self.admitted[place] {
            return admitted;
        }
        let is_first = self.admitted == [None; SUFFIXES.len()];
        if is_first && !self.names.insert(&self.out[self.title.clone()]) {
            self.admitted = [Some(false); SUFFIXES.len()];
            return false;
        }
        self.key.clear();
        self.key.extend_from_slice(&self.name);
        self.key.extend_from_slice(SUFFIXES[place].as_bytes());
        let admitted = self.key == self.out[self.title.clone()] || self.names.insert(&self.key);
        self.admitted[place] = Some(admitted);
        admitted
    }

    /// Whether no other sample of the open family is written as the one that begins here.
    fn is_new(&mut self, start: usize) -> bool {
        let row = &self.out[start + self.name.len()..];
        match self.samples {
            0 => {
                self.first.clear();
                self.first.extend_from_slice(row);
                return true;
            }
            1 => _ = self.rows.insert(&self.first),
            _ => {}
        }
        self.rows.insert(row)
    }

    /// Whether no other sample of the open family has these labels in whatever order, an empty one counting as none, and
    /// whether they are labels at all.
    fn has_new_labels(&mut self, suffix: &str, labels: &[(&str, &str)]) -> bool {
        let mut sorted = labels.to_vec();
        sorted.sort_unstable();
        let twice = sorted.windows(2).any(|pair| pair[0].0 == pair[1].0);
        if twice || !sorted.iter().all(|(label, _)| *label != "__name__" && is_name(label.as_bytes(), b'_')) {
            return false;
        }
        // No text has this byte in it.
        const END: u8 = 0xff;
        self.key.clear();
        self.key.push(END);
        self.key.extend_from_slice(suffix.as_bytes());
        for (label, text) in sorted.into_iter().filter(|(_, text)| !text.is_empty()) {
            for part in [label, text] {
                self.key.push(END);
                self.key.extend_from_slice(part.as_bytes());
            }
        }
        self.rows.insert(&self.key)
    }

    /// Ends the sample that begins here, or takes it back.
    fn end(&mut self, start: usize, stays: bool, value: Value) {
        if stays {
            self.samples += 1;
            self.number(value);
        } else {
            let row = &self.out[start..];
            self.left_out.add(|| String::from_utf8_lossy(row).into_owned());
            self.out.truncate(start);
        }
    }

    fn number(&mut self, value: Value) {
        self.out.push(b' ');
        match value {
            Value::Unsigned(number) => self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            Value::Signed(number) => self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            Value::Float(number) => float(&mut self.out, number),
        }
        self.out.push(b'\n');
    }
}

impl Emit for Encoder {
    fn family(&mut self, family: &Family<'_>) {
        self.open(family);
        if !is_name(family.name.as_bytes(), b':') {
            self.admitted = [Some(false); SUFFIXES.len()];
        }
    }

    fn declared(&mut self, family: &Family<'static>) {
        self.open(family);
    }

    fn sample(&mut self, values: &[&str], value: Value) {
        debug_assert_eq!(values.len(), self.ends.len(), "labels of {}", String::from_utf8_lossy(&self.name));
        let row = self.out.len();
        self.out.extend_from_slice(&self.name);
        let mut start = 0;
        for (text, &end) in values.iter().zip(&self.ends) {
            self.out.extend_from_slice(&self.labels[start..end]);
            escape(&mut self.out, text, true);
            self.out.push(b'"');
            start = end;
        }
        if !values.is_empty() {
            self.out.push(b'}');
        }
        let stays = self.admits(0) && self.is_new(row);
        self.end(row, stays, value);
    }

    fn labelled(&mut self, suffix: &str, labels: &[(&str, &str)], value: Value) {
        let row = self.out.len();
        self.out.extend_from_slice(&self.name);
        self.out.extend_from_slice(suffix.as_bytes());
        for (position, (label, text)) in labels.iter().enumerate() {
            self.out.push(if position == 0 { b'{' } else { b',' });
            self.out.extend_from_slice(label.as_bytes());
            self.out.extend_from_slice(b"=\"");
            escape(&mut self.out, text, true);
            self.out.push(b'"');
        }
        if !labels.is_empty() {
            self.out.push(b'}');
        }
        let place = SUFFIXES.iter().position(|known| *known == suffix);
        let stays =
            place.is_some_and(|place| self.admits(place)) && self.is_new(row) && self.has_new_labels(suffix, labels);
        self.end(row, stays, value);
    }
}

/// Whether these bytes are a name: letters, digits and underscores, `also` counting as a letter, no digit first.
fn is_name(text: &[u8], also: u8) -> bool {
    text.first().is_some_and(|first| !first.is_ascii_digit())
        && text.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == also)
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Unknown => "untyped",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
    }
}

fn suffix(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::None => None,
        Unit::Seconds => Some("seconds"),
        Unit::Bytes => Some("bytes"),
        Unit::Ratio => Some("ratio"),
        Unit::Celsius => Some("celsius"),
        Unit::Volts => Some("volts"),
        Unit::Amperes => Some("amperes"),
        Unit::Watts => Some("watts"),
        Unit::Joules => Some("joules"),
        Unit::Hertz => Some("hertz"),
    }
}

fn float(out: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        let mut buffer = ryu::Buffer::new();
        let text = buffer.format_finite(number);
        out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
    } else if number.is_nan() {
        out.extend_from_slice(b"NaN");
    } else {
        out.extend_from_slice(if number > 0.0 { b"+Inf" } else { b"-Inf" });
    }
}

fn escape(out: &mut Vec<u8>, text: &str, quotes: bool) {
    let mut rest = text.as_bytes();
    let find = |bytes| if quotes { memchr3(b'\\', b'\n', b'"', bytes) } else { memchr2(b'\\', b'\n', bytes) };
    // Nearly every text has nothing to escape.
    while let Some(position) = find(rest) {
        out.extend_from_slice(&rest[..position]);
        out.extend_from_slice(match rest[position] {
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            _ => b"\\\"",
        });
        rest = &rest[position + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests;
