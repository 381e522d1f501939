//! The one table: a row is a figure of ours, a peer's in the same minutes, and their ratio.

use std::fmt::Write as _;

/// A series of pairs, taken in turns.
#[derive(Default)]
pub(crate) struct Pairs(Vec<(f64, f64)>);

impl Pairs {
    pub(crate) fn add(&mut self, ours: f64, peer: f64) {
        self.0.push((ours, peer));
    }

    pub(crate) fn ours(&self) -> f64 {
        median(self.0.iter().map(|pair| pair.0))
    }

    pub(crate) fn peer(&self) -> f64 {
        median(self.0.iter().map(|pair| pair.1))
    }

    fn ratios(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|(ours, peer)| ours / peer)
    }
}

/// What must hold.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// The ratio to the peer is at most this.
    Ratio(f64),
    /// Our own figure is at most this.
    Figure(f64),
    /// Nothing: the row is for orientation.
    None,
}

const FAILED: &str = "FAILED";

/// One row.
pub(crate) struct Row {
    what: String,
    ours: String,
    peer: String,
    ratio: String,
    target: String,
    verdict: &'static str,
}

impl Row {
    /// A comparison: medians, and the median, least and greatest of the ratios.
    pub(crate) fn pairs(what: impl Into<String>, unit: &str, peer: &str, pairs: &Pairs, target: Target) -> Self {
        let ratio = median(pairs.ratios());
        let least = pairs.ratios().fold(f64::INFINITY, f64::min);
        let most = pairs.ratios().fold(0.0, f64::max);
        let (target, verdict) = judge(target, pairs.ours(), Some(ratio), unit);
        Self {
            what: what.into(),
            ours: figure(pairs.ours(), unit),
            peer: format!("{} ({peer})", figure(pairs.peer(), unit)),
            ratio: format!("{} ({}–{})", number(ratio), number(least), number(most)),
            target,
            verdict,
        }
    }

    /// A figure without a peer.
    pub(crate) fn alone(what: impl Into<String>, unit: &str, ours: f64, target: Target) -> Self {
        let (target, verdict) = judge(target, ours, None, unit);
        let none = || "—".to_owned();
        Self { what: what.into(), ours: figure(ours, unit), peer: none(), ratio: none(), target, verdict }
    }

    /// A row that could not be measured for want of a program.
    pub(crate) fn skipped(what: impl Into<String>, needs: &str) -> Self {
        Self::without_figures(what.into(), format!("skipped: needs {needs}"), "")
    }

    /// A part that failed while it was measured.
    pub(crate) fn failed(what: impl Into<String>, error: &str) -> Self {
        Self::without_figures(what.into(), format!("not measured: {}", error.replace(['|', '\n'], " ")), FAILED)
    }

    /// Whether nothing went wrong.
    pub(crate) fn was_measured(&self) -> bool {
        self.verdict != FAILED
    }

    fn without_figures(what: String, ours: String, verdict: &'static str) -> Self {
        let none = || "—".to_owned();
        Self { what, ours, peer: none(), ratio: none(), target: none(), verdict }
    }
}

/// The table in Markdown, its columns aligned.
pub(crate) fn render(rows: &[Row]) -> String {
    let head = ["", "Aura", "peer", "ratio (least–most)", "target", ""].map(str::to_owned);
    let cells: Vec<[String; 6]> = std::iter::once(head)
        .chain(rows.iter().map(|row| {
            let Row { what, ours, peer, ratio, target, verdict } = row;
            [what.clone(), ours.clone(), peer.clone(), ratio.clone(), target.clone(), (*verdict).to_owned()]
        }))
        .collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for (index, row) in cells.iter().enumerate() {
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if index == 0 {
            for width in widths {
                let _ = write!(text, "|{:-<1$}", "", width + 2);
            }
            text.push_str("|\n");
        }
    }
    text
}

/// Rounded to three digits.
pub(crate) fn number(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { (2 - value.abs().log10().floor() as i32).clamp(0, 7) };
    format!("{value:.*}", digits as usize)
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn figure(value: f64, unit: &str) -> String {
    format!("{} {unit}", number(value)).trim_end().to_owned()
}

fn judge(target: Target, ours: f64, ratio: Option<f64>, unit: &str) -> (String, &'static str) {
    let word = |met: bool| if met { "met" } else { "MISSED" };
    match target {
        Target::Ratio(limit) => (format!("ratio ≤ {}", number(limit)), word(ratio.is_some_and(|ratio| ratio <= limit))),
        Target::Figure(limit) => (format!("≤ {}", figure(limit, unit)), word(ours <= limit)),
        Target::None => ("—".to_owned(), ""),
    }
}
