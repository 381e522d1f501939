//! Names kept from one sample to the next, so that a steady box costs no allocation for them.

use std::collections::HashSet;

use aura_model::Name;

/// More names than this at once are those of things that came and went: they are forgotten.
const MOST: usize = 4096;

/// The names seen so far.
#[derive(Default)]
pub(crate) struct Names(HashSet<Name>);

impl Names {
    /// The name of these bytes; what is not UTF-8 in them is replaced.
    pub(crate) fn intern(&mut self, bytes: &[u8]) -> Name {
        let text = String::from_utf8_lossy(bytes);
        if let Some(name) = self.0.get(&*text) {
            return name.clone();
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let name = Name::from(&*text);
        self.0.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_name_is_its_text_and_kept(all in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 0..40)) {
            let mut names = Names::default();
            for bytes in &all {
                let name = names.intern(bytes);
                prop_assert_eq!(&*name, &*String::from_utf8_lossy(bytes));
                prop_assert!(Arc::ptr_eq(&name, &names.intern(bytes)));
            }
        }
    }

    #[test]
    fn things_that_come_and_go_do_not_fill_the_memory() {
        let mut names = Names::default();
        for number in 0..3 * MOST {
            names.intern(number.to_string().as_bytes());
            assert!(names.0.len() <= MOST);
        }
    }
}
