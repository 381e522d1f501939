//! The HTTP side: connections, routes, guards, the page. Nothing in here samples anything.

mod api;
mod app;
pub mod auth;
pub mod client;
mod body;
mod certificates;
mod error;
mod guard;
mod listener;
mod page;
pub mod rate_limit;
mod router;
pub mod stream;
mod tls;
pub mod web_config;

pub use self::{
    app::{App, Reload, Settings},
    body::Chunks,
    error::ApiError,
    guard::Trust,
    listener::{Serving, listen},
    router::router,
    stream::Stream,
};
