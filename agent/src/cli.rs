//! Placeholder.
/// flag
pub fn flag_of(_path: &str) -> Option<&'static str> {
    None
}
