//! All declarations of metrics, of all sources, of what is derived from several, and of the agent itself.

use std::sync::Arc;

use aura_model::{Family, Group, Show, Source};

use super::join::Devices;
use crate::{
    config::{Sources, Visit},
    telemetry::{self, Telemetry},
};

/// A group of metrics.
pub(crate) struct DeclaredGroup {
    /// Whose it is.
    pub source: &'static str,
    /// It is at `/metrics/<part>`.
    pub part: &'static str,
    /// Its name, for `collect[]`.
    pub name: &'static str,
    /// Shows what is declared.
    pub declare: fn(Show<'_>),
}

/// All groups, in the order in which they are published.
pub(crate) fn groups() -> Vec<DeclaredGroup> {
    #[derive(Default)]
    struct All(Vec<DeclaredGroup>);

    impl All {
        fn add<R>(&mut self, source: &'static str, part: &'static str, groups: &[Group<R>]) {
            self.0.extend(groups.iter().map(|group| DeclaredGroup {
                source,
                part,
                name: group.name,
                declare: group.declare,
            }));
        }
    }

    impl Visit for All {
        fn visit<S: Source>(&mut self, _: &S::Options) {
            self.add(S::NAME, S::PART, S::groups());
        }
    }

    let mut all = All::default();
    Sources::default().visit(&mut all);
    all.add(Devices::NAME, Devices::PART, Devices::GROUPS);
    all.add(Telemetry::NAME, Telemetry::PART, telemetry::GROUPS);
    all.0
}

/// The name of every metric that the agent declares.
#[must_use]
pub fn declared() -> Arc<[&'static str]> {
    all().iter().map(|(_, family)| family.name).collect()
}

/// Every declaration with its source.
fn all() -> Vec<(&'static str, Family<'static>)> {
    let mut all = Vec::new();
    for group in groups() {
        (group.declare)(&mut |family| all.push((group.source, *family)));
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use aura_model::Kind;

    use super::*;

    /// Whether a name is what a declared one means, whose `*` stands for anything.
    fn means(declared: &str, name: &str) -> bool {
        declared.split_once('*').is_some_and(|(start, end)| {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        })
    }

    #[test]
    fn no_name_is_declared_twice_by_whatever_source_and_in_whatever_format() {
        let mut taken: BTreeMap<String, &str> = BTreeMap::new();
        for (source, family) in all().into_iter().filter(|(_, family)| !family.name.contains('*')) {
            let mut names = vec![family.name.to_owned()];
            match family.kind {
                Kind::Histogram => {
                    names.extend(["_bucket", "_sum", "_count"].map(|end| format!("{}{end}", family.name)));
                }
                Kind::Summary => names.extend(["_sum", "_count"].map(|end| format!("{}{end}", family.name))),
                // As OpenMetrics calls it.
                Kind::Counter => names.extend(family.name.strip_suffix("_total").map(str::to_owned)),
                _ => {}
            }
            for name in names {
                let before = taken.insert(name.clone(), source);
                assert_eq!(before, None, "{name} of {source} is declared by another metric too");
            }
        }
    }

    /// What the outside world names can't be what another source declares: only text files name freely, and they are
    /// told what is taken.
    #[test]
    fn open_names_are_those_of_one_source() {
        let all = all();
        for (source, open) in all.iter().filter(|(_, family)| family.name.contains('*') && family.name != "*") {
            for (other, family) in all.iter().filter(|(other, _)| other != source) {
                assert!(!means(open.name, family.name), "{} of {source} may be {} of {other}", open.name, family.name);
            }
        }
    }

    #[test]
    fn names_and_labels_are_valid_and_no_label_is_there_twice() {
        let word = |text: &str| {
            !text.is_empty()
                && !text.starts_with(|first: char| first.is_ascii_digit())
                && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        for (source, family) in all() {
            let name = family.name.replace('*', "x");
            assert!(word(&name), "{source}: {name}");
            for (place, label) in family.labels.iter().enumerate() {
                assert!(word(label) && !label.starts_with("__"), "{source}: {name}: {label}");
                assert!(!family.labels[..place].contains(label), "{source}: {name}: {label} twice");
            }
        }
    }
}
