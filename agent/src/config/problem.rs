//! What is wrong with a configuration, said so that it can be put right.

use std::fmt;

use super::node::Origin;

/// After so many mistakes the rest can wait.
pub(super) const MAX_PROBLEMS: usize = 50;

/// One mistake.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Where it was written.
    pub origin: Origin,
    /// The key, from the root; empty when the whole file is meant.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin != Origin::Default {
            write!(formatter, "{}: ", self.origin)?;
        }
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        formatter.write_str(&self.message)
    }
}

/// Every mistake that was found, one a line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// One mistake that concerns something as a whole.
    pub fn one(origin: Origin, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self(vec![Problem { origin, path: path.into(), message: message.into() }])
    }

    /// The value, unless a mistake was found.
    ///
    /// # Errors
    /// These mistakes, those of a file from its top to its end.
    pub fn or<T>(mut self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort_by_key(|problem| match problem.origin {
            Origin::File { line, column, .. } => (line, column),
            _ => (usize::MAX, 0),
        });
        self.0.truncate(MAX_PROBLEMS);
        Err(self)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            problem.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Where a word is wrong: the right one if there is one near it, else all that are known.
#[must_use]
pub(crate) fn suggestion<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(wrong, known.clone()) {
        Some(right) => format!("did you mean {right:?}?"),
        None => format!("known here: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// The known word that is most likely meant: at most a third of its letters differ.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|right| (strsim::damerau_levenshtein(&wrong.to_lowercase(), &right.to_lowercase()), right))
        .filter(|(distance, right)| *distance <= (right.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, right)| right)
}
