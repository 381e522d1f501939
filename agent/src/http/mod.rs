//! Placeholder.

pub mod auth;
mod certificates;
mod tls;
pub mod web_config;
