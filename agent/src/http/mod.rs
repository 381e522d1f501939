//! The HTTP side: connections, who is let in, routes, the page. Nothing in here samples anything.

mod app;
mod errors;
mod feeds;
mod front;
mod gate;
mod metrics;
mod page;
mod router;
mod server;
pub mod web_config;

pub use self::{
    app::{App, Ready, Reload, Settings},
    front::Front,
    gate::{Admitted, CONNECTIONS, ControlToken, Trust},
    router::{Actions, Closed},
    server::{Encryption, Listeners, Serving},
};
pub(crate) use self::{errors::unreadable, metrics::METRICS, router::own};
