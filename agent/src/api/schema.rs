//! The JSON schemas of what the agent answers.

use schemars::{JsonSchema, generate::SchemaSettings};

/// The schema of what is written, which differs from that of what would be read: a key that is left out when it is empty
/// is no required one, and a value that may be `null` still comes.
pub(crate) fn schema<T: JsonSchema>() -> String {
    let schema = SchemaSettings::default().for_serialize().into_generator().into_root_schema_for::<T>();
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}
