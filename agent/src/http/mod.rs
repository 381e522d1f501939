//! The HTTP side: connections, routes, guards, the page. Nothing in here samples anything.

mod api;
mod app;
pub mod auth;
mod body;
mod certificates;
pub mod client;
mod client_address;
mod control;
pub(crate) mod error;
mod front;
mod guard;
mod listener;
mod metrics;
mod page;
mod query;
pub mod rate_limit;
mod router;
pub mod stream;
mod target;
mod tls;
pub mod web_config;
mod wire;

pub use self::{
    app::{App, Live, Reload, Settings},
    body::Shared,
    client_address::ClientAddress,
    control::ControlToken,
    error::{ApiError, ErrorBody},
    front::Front,
    guard::Trust,
    listener::{Serving, listen},
    query::Query,
    stream::Stream,
    wire::{Waiting, Wire},
};
