//! Placeholder.

pub mod auth;
mod certificates;
pub mod rate_limit;
mod tls;
pub mod web_config;
