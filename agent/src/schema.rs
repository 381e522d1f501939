//! The JSON schemas of what the agent answers, as its documentation has them.

use schemars::{JsonSchema, generate::SchemaSettings};

use crate::{database, debates, http, models, system};

/// The schema of what is written, which differs from that of what would be read: a key that is left out when it is empty
/// is no required one, and a value that may be `null` still comes.
pub(crate) fn schema<T: JsonSchema>() -> String {
    let schema = SchemaSettings::default().for_serialize().into_generator().into_root_schema_for::<T>();
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// The schema of the answers that are no feed's message, by their routes.
pub(crate) fn answers() -> String {
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is wanted")]
    struct Answers {
        /// Every error of every route.
        error: http::error::ErrorAnswer,
        #[schemars(rename = "/api/system/history")]
        history: system::Window,
        #[schemars(rename = "/api/system/stats")]
        stats: system::stats::Stats,
        #[schemars(rename = "/api/database/metrics")]
        database: database::message::Metrics,
        #[schemars(rename = "/api/debates")]
        debates: debates::DebateUpdate,
        #[schemars(rename = "/v1/debate/leaderboard")]
        leaderboard: debates::Leaderboard,
        #[schemars(rename = "/v1/debate/history")]
        debate_history: debates::History,
        #[schemars(rename = "/v1/models/status")]
        status: models::status::Status,
        #[schemars(rename = "/v1/models/health")]
        health: models::status::Health,
        #[schemars(rename = "/v1/models/{name}/load")]
        load: models::routes::Done,
        #[schemars(rename = "/v1/models/{name}/unload")]
        unload: models::routes::Done,
        #[schemars(rename = "/v1/models/load")]
        load_all: models::routes::Accepted,
    }
    schema::<Answers>()
}
