//! `docs/api.answers.schema.json`.

use schemars::JsonSchema;

use crate::{
    actions,
    api::{ErrorAnswer, schema},
    views::{debates, host, ollama, postgres},
};

/// The schema of the answers that are no feed's message, by their routes.
pub(super) fn answers() -> String {
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is wanted")]
    struct Answers {
        /// Every error of every route.
        error: ErrorAnswer,
        #[schemars(rename = "/api/system/history")]
        history: host::Window,
        #[schemars(rename = "/api/system/stats")]
        stats: host::stats::Stats,
        #[schemars(rename = "/api/database/metrics")]
        database: postgres::message::Metrics,
        #[schemars(rename = "/api/debates")]
        debates: debates::DebateUpdate,
        #[schemars(rename = "/v1/debate/leaderboard")]
        leaderboard: debates::Leaderboard,
        #[schemars(rename = "/v1/debate/history")]
        debate_history: debates::History,
        #[schemars(rename = "/v1/models/status")]
        status: ollama::status::Status,
        #[schemars(rename = "/v1/models/health")]
        health: ollama::status::Health,
        #[schemars(rename = "/v1/models/{name}/load")]
        load: actions::ollama::Done,
        #[schemars(rename = "/v1/models/{name}/unload")]
        unload: actions::ollama::Done,
        #[schemars(rename = "/v1/models/load")]
        load_all: actions::ollama::Accepted,
    }
    schema::<Answers>()
}
