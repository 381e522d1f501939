//! The HTTP side: connections, routes, guards, the page. Nothing in here samples anything.

mod api;
mod app;
pub mod auth;
mod body;
mod certificates;
pub mod client;
mod error;
mod front;
mod guard;
mod listener;
mod metrics;
mod page;
pub mod rate_limit;
mod router;
pub mod stream;
mod tls;
pub mod web_config;

pub use self::{
    app::{App, Live, Reload, Settings},
    body::Shared,
    error::ApiError,
    front::Front,
    guard::Trust,
    listener::{Serving, listen},
    stream::Stream,
};
