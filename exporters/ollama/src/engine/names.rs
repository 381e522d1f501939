//! What models are called, by their weights: a name on a series must not change because another alias was used.

use std::{collections::BTreeMap, sync::Arc};

use aura_model::Name;

/// The names that were given.
#[derive(Default)]
pub(crate) struct Names(Arc<BTreeMap<Name, Name>>);

impl Names {
    /// Sees to a name for these weights, out of those that their models have now.
    pub(crate) fn give(&mut self, weights: &Name, models: &[&Name]) {
        let known = self.0.get(weights);
        let Some(&first) = models.first() else { return };
        if known.is_some_and(|known| models.contains(&known)) {
            return;
        }
        let names = Arc::make_mut(&mut self.0);
        // A name that was made anew is that of its new weights. The old ones may still be in memory.
        let old =
            names.iter().find(|(other, name)| *name == first && *other != weights).map(|(other, _)| other.clone());
        if let Some(old) = old {
            let name = format!("{first}@{}", old.get(..12).unwrap_or(&old)).into();
            names.insert(old, name);
        }
        names.insert(weights.clone(), first.clone());
    }

    pub(crate) fn all(&self) -> Arc<BTreeMap<Name, Name>> {
        Arc::clone(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_while_there_is_such_a_model_and_after() {
        let [one, other, alias] = ["aaaaaaaaaaaaaaaa", "b", "alias:1"].map(Name::from);
        let name = Name::from("model:1");
        let mut names = Names::default();
        names.give(&one, &[&name, &alias]);
        names.give(&one, &[&alias, &name]);
        assert_eq!(names.0[&one], name, "another alias is loaded");
        names.give(&one, &[]);
        assert_eq!(names.0[&one], name, "it was deleted");
        names.give(&other, &[&name]);
        assert_eq!((&*names.0[&one], &*names.0[&other]), ("model:1@aaaaaaaaaaaa", "model:1"), "it was made anew");
        names.give(&one, &[&alias]);
        assert_eq!(&*names.0[&one], "alias:1");
    }
}
