//! The Prometheus text format, version 0.0.4, strictly: a file that breaks a rule is no metrics file.

use std::collections::{HashMap, HashSet};

use aura_model::Kind;

/// The samples of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct TextFamily {
    /// What they are called.
    pub name: String,
    /// The text's help.
    pub help: Option<String>,
    /// The file gave no help text; what stands there is ours.
    pub help_is_ours: bool,
    /// What the values mean.
    pub kind: Kind,
    /// The samples.
    pub series: Vec<Series>,
}

/// Names and values.
pub type Labels = Vec<(String, String)>;

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What stands behind the family's name.
    pub suffix: &'static str,
    /// Names and values.
    pub labels: Labels,
    /// The number.
    pub value: f64,
}

/// The families of a text in the order in which they begin.
///
/// # Errors
/// The first line that is wrong, and why.
pub fn parse(text: &str) -> Result<Vec<TextFamily>, String> {
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line has no end: the file is still being written (write elsewhere and rename)".into());
    }
    let mut families = Families::default();
    for (number, line) in text.lines().enumerate() {
        families
            .line(line.trim_matches([' ', '\t', '\r']))
            .map_err(|problem| format!("line {}: {problem}", number + 1))?;
    }
    families.list.retain(|family| !family.series.is_empty());
    Ok(families.list)
}

#[derive(Default)]
struct Families {
    list: Vec<TextFamily>,
    by_name: HashMap<String, usize>,
    typed: HashSet<String>,
}

impl Families {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() {
            return Ok(());
        }
        if let Some(comment) = line.strip_prefix('#') {
            return self.comment(comment.trim_start_matches([' ', '\t']));
        }
        self.sample(line)
    }

    fn comment(&mut self, comment: &str) -> Result<(), String> {
        let (keyword, rest) = comment.split_once([' ', '\t']).unwrap_or((comment, ""));
        if keyword != "HELP" && keyword != "TYPE" {
            return Ok(());
        }
        let rest = rest.trim_start_matches([' ', '\t']);
        let (name, rest) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        is_metric_name(name)?;
        let rest = rest.trim_start_matches([' ', '\t']);
        let family = self.family(name);
        if keyword == "HELP" {
            if family.help.is_some() {
                return Err(format!("a second HELP of {name}"));
            }
            family.help = Some(unescape(rest, false)?);
            return Ok(());
        }
        if !family.series.is_empty() {
            return Err(format!("TYPE of {name} after its samples"));
        }
        // The official parser takes them in capitals too.
        family.kind = match &*rest.trim_end().to_ascii_lowercase() {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            "histogram" => Kind::Histogram,
            "summary" => Kind::Summary,
            "untyped" => Kind::Unknown,
            other => return Err(format!("{other:?} is no type: counter, gauge, histogram, summary or untyped")),
        };
        if self.typed.insert(name.to_owned()) { Ok(()) } else { Err(format!("a second TYPE of {name}")) }
    }

    fn sample(&mut self, line: &str) -> Result<(), String> {
        let end = line.find(|c: char| !is_name_letter(c)).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        is_metric_name(name)?;
        let rest = rest.trim_start_matches([' ', '\t']);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (Vec::new(), rest),
        };
        let mut words = rest.split([' ', '\t']).filter(|word| !word.is_empty());
        let value = words.next().ok_or("a sample without a value")?;
        let value: f64 = value.parse().map_err(|_| format!("{value:?} is no number"))?;
        match words.next() {
            Some(time) if time.parse::<i64>().is_ok() => {
                return Err(format!("{name} has a timestamp, which would hide that the file is old: leave it out"));
            }
            Some(word) => return Err(format!("{word:?} after the value")),
            None => {}
        }
        let (family, suffix) = self.owner(name);
        let needs = match (self.list[family].kind, suffix) {
            (Kind::Histogram, "_bucket") => Some("le"),
            (Kind::Histogram, "") => return Err(format!("{name} is a histogram and has a plain sample")),
            (Kind::Summary, "") => Some("quantile"),
            _ => None,
        };
        if let Some(needs) = needs {
            let limit = labels.iter().find(|(label, _)| label == needs).map(|(_, limit)| limit.parse::<f64>());
            if !matches!(limit, Some(Ok(_))) {
                return Err(format!("{name} needs a label {needs} that is a number"));
            }
        }
        self.list[family].series.push(Series { suffix, labels, value });
        Ok(())
    }

    /// The family that a sample of this name belongs to.
    fn owner(&mut self, name: &str) -> (usize, &'static str) {
        for suffix in ["_bucket", "_sum", "_count"] {
            let Some(&index) = name.strip_suffix(suffix).and_then(|base| self.by_name.get(base)) else { continue };
            let kind = self.list[index].kind;
            if kind == Kind::Histogram || (kind == Kind::Summary && suffix != "_bucket") {
                return (index, suffix);
            }
        }
        (self.index(name), "")
    }

    fn family(&mut self, name: &str) -> &mut TextFamily {
        let index = self.index(name);
        &mut self.list[index]
    }

    fn index(&mut self, name: &str) -> usize {
        if let Some(&index) = self.by_name.get(name) {
            return index;
        }
        let kind = Kind::Unknown;
        self.list.push(TextFamily { name: name.into(), help: None, help_is_ours: false, kind, series: Vec::new() });
        self.by_name.insert(name.into(), self.list.len() - 1);
        self.list.len() - 1
    }
}

/// The labels behind `{`, and what follows `}`.
fn labels(mut rest: &str) -> Result<(Labels, &str), String> {
    let mut labels: Labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        let end = rest.find(|c: char| !is_name_letter(c) || c == ':').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || name == "__name__" {
            return Err(format!("a label expected at {rest:?}"));
        }
        if labels.iter().any(|(other, _)| other == name) {
            return Err(format!("the label {name} twice"));
        }
        let after = after.trim_start_matches([' ', '\t']).strip_prefix('=').ok_or(format!("no = after {name}"))?;
        let quoted = after.trim_start_matches([' ', '\t']).strip_prefix('"').ok_or(format!("no \" after {name}="))?;
        let end = closing_quote(quoted).ok_or(format!("the value of {name} has no end"))?;
        labels.push((name.to_owned(), unescape(&quoted[..end], true)?));
        rest = quoted[end + 1..].trim_start_matches([' ', '\t']);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with('}') => {}
            None => return Err(format!("no , or }} after the label {name}")),
        }
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn unescape(text: &str, quotes: bool) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if quotes => '"',
                other => return Err(format!("\\{} is no escape", other.map_or(String::new(), String::from))),
            },
            letter => letter,
        });
    }
    Ok(plain)
}

fn is_name_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'
}

fn is_metric_name(name: &str) -> Result<(), String> {
    let fits = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_name_letter);
    if fits { Ok(()) } else { Err(format!("a metric's name expected, found {name:?}")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_and_every_escape() {
        let text = "# just a remark\n# HELP a Back\\\\slash and\\nline.\n#TYPE a counter\na{x=\"q\\\"\\\\\\n\",} 1e3\n\n\
                    a { y = \"µ\" } +Inf\n# TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n\
                    # TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 2\ns_count 3\nplain_sum NaN\n# TYPE never gauge\n";
        insta::assert_debug_snapshot!(parse(text).unwrap());
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        let mistakes = [
            "a 1 1600000000000\n",
            "a\n",
            "a one\n",
            "a 1 x\n",
            "1a 1\n",
            "a{1=\"x\"} 1\n",
            "a{x=\"1\",x=\"2\"} 1\n",
            "a{x=\"1} 1\n",
            "a{x=1} 1\n",
            "a{x=\"\\t\"} 1\n",
            "a{x=\"1\" y=\"2\"} 1\n",
            "a{__name__=\"b\"} 1\n",
            "a 1\n# TYPE a gauge\n",
            "# TYPE a gauge\n# TYPE a gauge\n",
            "# HELP a x\n# HELP a x\n",
            "# TYPE a info\n",
            "# TYPE h histogram\nh 1\n",
            "# TYPE h histogram\nh_bucket 1\n",
            "# TYPE s summary\ns{quantile=\"x\"} 1\n",
            "a 1",
        ];
        let messages: Vec<String> = mistakes.map(|text| format!("{text:?}: {}", parse(text).unwrap_err())).into();
        insta::assert_snapshot!(messages.join("\n"));
    }

    fn escaped(text: &str) -> String {
        text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            values in prop::collection::vec(any::<f64>(), 1..8),
            labels in prop::collection::btree_map("[a-z_][a-z0-9_]{0,6}", "[ -~\nµ]{0,10}", 0..4),
        ) {
            let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let text: String = values.iter().enumerate()
                .map(|(number, value)| format!("metric_{number}{{{}}} {value:e}\n", pairs.join(",")))
                .collect();
            let families = parse(&text).unwrap();
            prop_assert_eq!(families.len(), values.len());
            for (family, value) in families.iter().zip(&values) {
                prop_assert!(family.series[0].value == *value || value.is_nan());
                prop_assert!(family.series[0].labels.iter().map(|(n, v)| (n, v)).eq(labels.iter()));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "([a-z#{}=\", \\\\0-9\n\tµ]|# TYPE |# HELP |le=\"){0,60}") {
            let _ = parse(&text);
            let _ = parse(&(text + "\n"));
        }
    }
}
