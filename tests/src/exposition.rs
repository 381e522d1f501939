//! Reads the text format, so that tests can ask for values. Whether the format is right is for promtool and the
//! official parsers to say.

use std::collections::{BTreeMap, BTreeSet};

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// A whole scrape.
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    /// The samples, in the order in which they came.
    pub samples: Vec<Sample>,
    /// Each family's type.
    pub types: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads text 0.0.4 or OpenMetrics.
    ///
    /// # Panics
    /// When a line is neither a comment nor a sample, and when a series or a family is there twice.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut exposition = Self::default();
        let mut seen = BTreeSet::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                let before = exposition.types.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "a family twice: {line}");
            } else if !line.starts_with('#') {
                let sample = sample(line).unwrap_or_else(|| panic!("no sample: {line}"));
                // An empty label is none to a scraper.
                let labels: Vec<_> = sample.labels.clone().into_iter().filter(|(_, text)| !text.is_empty()).collect();
                assert!(seen.insert((sample.name.clone(), labels)), "a series twice: {line}");
                exposition.samples.push(sample);
            }
        }
        exposition
    }

    /// All samples of this name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }

    /// The value of the one sample that has this name and these labels.
    ///
    /// # Panics
    /// When several have.
    #[must_use]
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |sample: &&Sample| labels.iter().all(|(name, value)| sample.label(name) == Some(value));
        let mut fitting = self.all(name).filter(fits);
        let first = fitting.next()?;
        assert!(fitting.next().is_none(), "several samples are {name}{labels:?}");
        Some(first.value)
    }

    /// The value of the one sample that has this name and these labels.
    ///
    /// # Panics
    /// When none has, or several.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.get(name, labels).unwrap_or_else(|| panic!("no sample is {name}{labels:?}"))
    }

    /// The names of all samples.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.samples.iter().map(|sample| sample.name.as_str()).collect()
    }
}

impl Sample {
    /// A label's value.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }

    /// The names of its labels.
    #[must_use]
    pub fn label_names(&self) -> BTreeSet<&str> {
        self.labels.keys().map(String::as_str).collect()
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, quoted) = rest.split_once("=\"")?;
            let (value, after) = unquoted(quoted)?;
            labels.insert(label.to_owned(), value);
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = rest.trim().split(' ').next()?;
    Some(Sample { name: name.to_owned(), labels, value: value.parse().ok()? })
}

/// The text up to the closing quote, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[place + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_with_quotes_and_values_of_every_kind() {
        let text = "# HELP a b\n# TYPE a gauge\na{x=\"1\",y=\"a \\\"b\\\" \\\\ c\\nd, }\"} 2.5\nb +Inf\nc NaN\n";
        let exposition = Exposition::parse(text);
        assert_eq!(exposition.value("a", &[("x", "1"), ("y", "a \"b\" \\ c\nd, }")]), 2.5);
        assert_eq!(exposition.value("b", &[]), f64::INFINITY);
        assert!(exposition.value("c", &[]).is_nan());
        assert_eq!(exposition.types["a"], "gauge");
        assert_eq!(exposition.get("a", &[("x", "2")]), None);
    }
}
