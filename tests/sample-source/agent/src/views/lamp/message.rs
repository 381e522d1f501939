//! The message of `/ws/lamp` and `/api/lamp`.

use std::collections::BTreeMap;

use aura_lamp::Lamp;
use aura_model::Missing;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{api::FeedDescription, hub::Snapshot, views::time::rfc3339};

/// The feed of the lamp.
pub(crate) const FEED: FeedDescription =
    FeedDescription::new::<LampUpdate>("lamp", "The lamp on the desk.", "A message with each reading.");

/// A message of `/ws/lamp`, and what `/api/lamp` answers.
#[derive(Serialize, JsonSchema)]
pub struct LampUpdate {
    /// Always `lamp_update`.
    r#type: &'static str,
    /// Grows by one with each message since the agent started.
    seq: u64,
    /// When the lamp was read, RFC 3339 in UTC; `null` without a reading.
    sampled_at: Option<String>,
    /// Watts; `null` when they are not known.
    watts: Option<f64>,
    /// Why what is `null` is so, by its key.
    missing: BTreeMap<&'static str, Missing>,
}

impl LampUpdate {
    pub(super) fn new(seq: u64, snapshot: Option<&Snapshot<Lamp>>, missing: Option<Missing>) -> Self {
        Self {
            r#type: "lamp_update",
            seq,
            sampled_at: snapshot.map(|snapshot| rfc3339(snapshot.sampled_at)),
            watts: snapshot.map(|snapshot| snapshot.reading.watts),
            missing: missing.filter(|_| snapshot.is_none()).map(|why| ("watts", why)).into_iter().collect(),
        }
    }
}
