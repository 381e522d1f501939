//! The HTTP side: connections, routes, guards, the page. Nothing in here samples anything.

pub(crate) mod api;
mod app;
pub mod auth;
mod body;
mod certificates;
pub mod client;
mod client_address;
mod connection;
mod control;
pub(crate) mod error;
mod front;
mod guard;
mod guest;
mod line;
mod listener;
pub(crate) mod metrics;
mod page;
pub mod places;
mod query;
pub mod rate_limit;
pub(crate) mod router;
mod scrapes;
pub mod stream;
mod target;
mod tls;
pub mod web_config;
mod wire;

pub use self::{
    app::{App, Live, Reload, Settings},
    body::Shared,
    control::ControlToken,
    error::{ApiError, ErrorBody},
    front::Front,
    guard::{Trust, is_same_site},
    guest::Admitted,
    listener::{Listeners, Serving},
    query::Query,
    stream::Stream,
    tls::Encryption,
    wire::{Waiting, Wire},
};
