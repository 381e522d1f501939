//! Which devices are watched.

use aura_model::Name;
use regex_lite::Regex;

use super::names::Names;

/// Two regular expressions over names. One that is empty says nothing.
pub(crate) struct Filter {
    exclude: Option<Regex>,
    include: Option<Regex>,
}

impl Filter {
    /// Expressions that do not compile were refused with the configuration.
    pub(crate) fn new(exclude: &str, include: &str) -> Self {
        let compile = |text: &str| Some(text).filter(|text| !text.is_empty()).and_then(|text| Regex::new(text).ok());
        Self { exclude: compile(exclude), include: compile(include) }
    }

    /// Whether the name is watched.
    pub(crate) fn passes(&self, name: &str) -> bool {
        self.include.as_ref().is_none_or(|include| include.is_match(name))
            && !self.exclude.as_ref().is_some_and(|exclude| exclude.is_match(name))
    }
}

/// The devices of a file that lists one a line: filtered and named once, then known by their place in the file.
pub(crate) struct Devices {
    filter: Filter,
    names: Names,
    rows: Vec<(Box<[u8]>, Option<Name>)>,
}

impl Devices {
    pub(crate) fn new(filter: Filter) -> Self {
        Self { filter, names: Names::default(), rows: Vec::new() }
    }

    /// The name of the device at this place, if it is watched. Places are counted from 0 without gaps.
    pub(crate) fn name(&mut self, place: usize, bytes: &[u8]) -> Option<Name> {
        if let Some((_, name)) = self.rows.get(place).filter(|(known, _)| **known == *bytes) {
            return name.clone();
        }
        self.rows.truncate(place);
        let name = Some(self.names.intern(bytes)).filter(|name| self.filter.passes(name));
        // Two names may be one once their broken bytes are replaced; a series must not be there twice.
        let name = name.filter(|name| self.rows.iter().all(|(_, known)| known.as_ref() != Some(name)));
        self.rows.push((bytes.into(), name.clone()));
        name
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn devices_that_come_and_go_are_named_as_if_seen_for_the_first_time(
            lists in prop::collection::vec(prop::collection::hash_set("(sd|vd)[a-c][0-9]?", 0..5), 1..20)
        ) {
            let mut devices = Devices::new(Filter::new("[0-9]$", "^sd"));
            for list in lists {
                for (place, device) in list.iter().enumerate() {
                    let expected = device.starts_with("sd") && !device.ends_with(|c: char| c.is_ascii_digit());
                    let name = devices.name(place, device.as_bytes());
                    prop_assert_eq!(name.as_deref(), expected.then_some(device.as_str()));
                }
            }
        }
    }

    #[test]
    fn of_two_devices_that_are_called_alike_one_is_watched() {
        let mut devices = Devices::new(Filter::new("", ""));
        assert!(devices.name(0, b"tun\xff").is_some());
        assert!(devices.name(1, b"tun\xfe").is_none());
    }

    #[test]
    fn empty_expressions_say_nothing() {
        assert!(Filter::new("", "").passes("sda1"));
        assert!(!Filter::new("^sda1$", "").passes("sda1"));
        assert!(!Filter::new("", "^nvme").passes("sda1"));
    }
}
