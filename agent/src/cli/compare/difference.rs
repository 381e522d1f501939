//! Two expositions held against each other.

use std::collections::{BTreeMap, BTreeSet};

use aura_exposition::{Series, TextFamily};

use super::scope;

/// One thing that differs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    pub(super) what: String,
    pub(super) how: String,
}

/// Everything that differs.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) missing: Vec<Difference>,
    pub(super) types: Vec<Difference>,
    pub(super) labels: Vec<Difference>,
    pub(super) series: Vec<Difference>,
    pub(super) values: Vec<Difference>,
    pub(super) out_of_scope: Vec<Difference>,
}

/// Our side.
pub(super) struct Ours<'a> {
    pub(super) families: &'a [TextFamily],
    /// Families of the agent's own process: there, but about another process.
    pub(super) own: &'a [&'a str],
}

/// A value may lie so far outside of the other's two answers, as a share of itself: clocks are read one after the
/// other, and some values are averages.
const TOLERANCE: f64 = 0.02;

/// For each family at most so many series are listed.
const LISTED: usize = 5;

/// Labels of a series; an empty value means the same as no label.
type Labels<'a> = BTreeMap<&'a str, &'a str>;

/// Compares the other's answers, before and after ours, with ours.
pub(super) fn differences(theirs: &[Vec<TextFamily>; 2], ours: &Ours<'_>) -> Found {
    let mut found = Found::default();
    let [before, after] = theirs;
    for family in before {
        let name = &family.name;
        if let Some(reason) = scope::reason(name) {
            found.out_of_scope.push(difference(name, reason));
            continue;
        }
        if ours.own.contains(&name.as_str()) {
            continue;
        }
        let (compared, left_out): (Vec<&Series>, Vec<&Series>) =
            family.series.iter().partition(|series| scope::series_reason(name, series).is_none());
        for series in left_out {
            let reason = scope::series_reason(name, series).unwrap_or_default();
            found.out_of_scope.push(difference(&format!("{name}{:?}", labels(series)), reason));
        }
        if compared.is_empty() {
            continue;
        }
        let Some(our) = ours.families.iter().find(|our| our.name == *name) else {
            found.missing.push(difference(name, format!("{:?}, {} series", family.kind, family.series.len())));
            continue;
        };
        if our.kind != family.kind {
            found.types.push(difference(name, format!("{:?} there, {:?} here", family.kind, our.kind)));
        }
        let (their_names, our_names) = (label_names(family), label_names(our));
        if !their_names.is_subset(&our_names) {
            found.labels.push(difference(name, format!("{their_names:?} there, {our_names:?} here")));
            continue;
        }
        if scope::about_itself(name) {
            continue;
        }
        let later = after.iter().find(|later| later.name == *name);
        compare_series(family, &compared, later, our, &mut found);
    }
    found
}

fn compare_series(
    family: &TextFamily,
    compared: &[&Series],
    later: Option<&TextFamily>,
    our: &TextFamily,
    found: &mut Found,
) {
    let (mut missing, mut other) = (Vec::new(), Vec::new());
    for series in compared {
        let text = format!("{}{}{:?}", family.name, series.suffix, labels(series));
        let Some(mine) = find(our, series) else {
            missing.push(difference(&text, "not here"));
            continue;
        };
        let end = later.and_then(|later| find(later, series)).map_or(series.value, |later| later.value);
        if !between(mine.value, series.value, end) {
            other.push(difference(&text, format!("{} and {end} there, {} here", series.value, mine.value)));
        }
    }
    for (list, target) in [(missing, &mut found.series), (other, &mut found.values)] {
        let more = list.len().saturating_sub(LISTED);
        target.extend(list.into_iter().take(LISTED));
        if more > 0 {
            target.push(difference(&family.name, format!("and {more} more")));
        }
    }
}

fn between(ours: f64, before: f64, after: f64) -> bool {
    if ours.is_nan() || before.is_nan() {
        return ours.is_nan() && before.is_nan();
    }
    let slack = TOLERANCE * before.abs().max(after.abs());
    ours == before || (before.min(after) - slack..=before.max(after) + slack).contains(&ours)
}

fn find<'a>(family: &'a TextFamily, series: &Series) -> Option<&'a Series> {
    let wanted = labels(series);
    // A newer exporter may say more of the same thing, so more labels than the other has are no difference.
    let says_all = |candidate: &&Series| {
        let labels = labels(candidate);
        candidate.suffix == series.suffix && wanted.iter().all(|(name, value)| labels.get(name) == Some(value))
    };
    family.series.iter().find(says_all)
}

fn labels(series: &Series) -> Labels<'_> {
    let pairs = series.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    pairs.filter(|(_, value)| !value.is_empty()).collect()
}

fn label_names(family: &TextFamily) -> BTreeSet<&str> {
    family.series.iter().flat_map(|series| series.labels.iter().map(|(name, _)| name.as_str())).collect()
}

fn difference(what: &str, how: impl Into<String>) -> Difference {
    Difference { what: what.to_owned(), how: how.into() }
}

#[cfg(test)]
mod tests {
    use aura_exposition::parse;

    use super::*;

    fn compare(before: &str, after: &str, ours: &str) -> Found {
        let [before, after, ours] = [before, after, ours].map(|text| parse(text).expect("valid text"));
        differences(&[before, after], &Ours { families: &ours, own: &["process_open_fds"] })
    }

    const THEIRS: &str = "# TYPE node_a counter\nnode_a{device=\"x\"} 10\n# TYPE node_b gauge\nnode_b 1\n\
                          # TYPE go_threads gauge\ngo_threads 7\n# TYPE process_open_fds gauge\nprocess_open_fds 9\n";

    #[test]
    fn the_same_is_no_difference_and_what_is_out_of_scope_says_why() {
        let found = compare(
            THEIRS,
            THEIRS,
            "# TYPE node_a counter\nnode_a{device=\"x\",more=\"\"} 10\n# TYPE node_b gauge\nnode_b 1\n",
        );
        let out_of_scope = vec![difference("go_threads", "the Go runtime of the other exporter")];
        assert_eq!(found, Found { out_of_scope, ..Found::default() });
    }

    #[test]
    fn each_kind_of_difference_is_found() {
        let found = compare(THEIRS, THEIRS, "# TYPE node_a gauge\nnode_a{name=\"x\"} 10\n");
        assert_eq!(found.missing[0].what, "node_b");
        assert_eq!(found.types[0].how, "Counter there, Gauge here");
        assert_eq!(found.labels[0].what, "node_a");
        let found =
            compare(THEIRS, THEIRS, "# TYPE node_a counter\nnode_a{device=\"y\"} 10\n# TYPE node_b gauge\nnode_b 1\n");
        assert_eq!(found.series[0].how, "not here");
    }

    #[test]
    fn a_moving_value_must_lie_between_the_others_two_answers() {
        let after = THEIRS.replace("} 10\n", "} 20\n");
        for (value, is_right) in [(9.0, false), (10.0, true), (15.0, true), (20.0, true), (21.0, false)] {
            let ours =
                format!("# TYPE node_a counter\nnode_a{{device=\"x\"}} {value}\n# TYPE node_b gauge\nnode_b 1\n");
            assert_eq!(compare(THEIRS, &after, &ours).values.is_empty(), is_right, "{value}");
        }
    }
}
