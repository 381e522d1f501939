//! Ollama's answers. Fields come and go between its versions and zeros are left out, so only a model's name is needed.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::Expiry;

/// An expiry this many years ahead is what "keep for ever" looks like: Ollama adds the longest duration it knows,
/// about 292 years, to the time of the last use.
const NEVER_YEARS: i64 = 50;
const YEAR_SECONDS: i64 = 365 * 86_400;

/// `/api/version`.
#[derive(Deserialize)]
pub(crate) struct Version {
    pub(crate) version: String,
}

/// `/api/tags` and `/api/ps`.
#[derive(Deserialize)]
pub(crate) struct Models<M: DeserializeOwned> {
    #[serde(deserialize_with = "null_is_empty", bound = "")]
    pub(crate) models: Vec<M>,
}

/// One of `/api/tags`.
#[derive(Deserialize)]
pub(crate) struct Installed {
    pub(crate) name: String,
    pub(crate) modified_at: Option<String>,
    pub(crate) size: Option<u64>,
    #[serde(default)]
    pub(crate) digest: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) details: Details,
    pub(crate) capabilities: Option<Vec<String>>,
    pub(crate) remote_model: Option<String>,
    pub(crate) remote_host: Option<String>,
}

/// One of `/api/ps`.
#[derive(Deserialize)]
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) size: Option<u64>,
    pub(crate) size_vram: Option<u64>,
    #[serde(default)]
    pub(crate) digest: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) details: Details,
    pub(crate) expires_at: Option<String>,
    pub(crate) context_length: Option<u64>,
}

/// What both say of a model.
#[derive(Default, Deserialize)]
pub(crate) struct Details {
    pub(crate) family: Option<String>,
    pub(crate) format: Option<String>,
    pub(crate) parameter_size: Option<String>,
    pub(crate) quantization_level: Option<String>,
    pub(crate) context_length: Option<u64>,
}

/// `/api/show`.
#[derive(Deserialize)]
pub(crate) struct Show {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) model_info: Map<String, Value>,
    pub(crate) capabilities: Option<Vec<String>>,
}

impl Show {
    /// The longest context that the model was made for.
    pub(crate) fn context_length(&self) -> Option<u64> {
        let architecture = self.model_info.get("general.architecture")?.as_str()?;
        self.model_info.get(&format!("{architecture}.context_length"))?.as_u64()
    }

    pub(crate) fn parameter_count(&self) -> Option<u64> {
        self.model_info.get("general.parameter_count")?.as_u64()
    }
}

/// An error's body.
#[derive(Deserialize)]
pub(crate) struct ErrorBody {
    pub(crate) error: String,
}

/// When a model is unloaded.
pub(crate) fn expiry(text: Option<&str>, now: Timestamp) -> Expiry {
    match text.and_then(|text| text.parse::<Timestamp>().ok()) {
        None => Expiry::Unknown,
        Some(time) if time.as_second() - now.as_second() > NEVER_YEARS * YEAR_SECONDS => Expiry::Never,
        Some(time) => Expiry::At(time.as_duration().as_secs_f64()),
    }
}

fn null_is_empty<'de, D: Deserializer<'de>, M: Deserialize<'de>>(deserializer: D) -> Result<Vec<M>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_or_never_or_unknown() {
        let now = "2026-11-23T07:00:00Z".parse().unwrap();
        let at = |text: &str| expiry(Some(text), now);
        assert_eq!(at("2026-11-23T08:04:59.5+01:00"), Expiry::At(1_795_417_499.5));
        assert_eq!(at("2026-11-23T06:00:00Z"), Expiry::At(1_795_413_600.0));
        assert_eq!(at("2319-03-05T05:00:00.123456789+01:00"), Expiry::Never);
        assert_eq!(at("soon"), Expiry::Unknown);
        assert_eq!(expiry(None, now), Expiry::Unknown);
    }

    #[test]
    fn a_list_that_is_missing_is_no_empty_list() {
        assert!(serde_json::from_str::<Models<Running>>("{}").is_err());
        assert!(serde_json::from_str::<Models<Running>>(r#"{"error":"no"}"#).is_err());
        assert!(serde_json::from_str::<Models<Running>>(r#"{"models":null}"#).unwrap().models.is_empty());
    }

    #[test]
    fn a_model_needs_nothing_but_its_name() {
        let model: Models<Running> =
            serde_json::from_str(r#"{"models":[{"name":"a","details":null,"new":1}]}"#).unwrap();
        assert_eq!((model.models[0].size, model.models[0].size_vram), (None, None));
    }
}
