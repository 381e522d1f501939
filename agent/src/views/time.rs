//! Times as messages carry them.

pub(crate) use aura_model::{rfc3339, rfc3339_of_seconds};
