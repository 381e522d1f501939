//! Sockets, TLS, and connections from the first byte to the last.

mod body;
mod certificates;
mod connection;
mod listener;
pub(super) mod target;
pub(super) mod tls;

pub(super) use self::body::Shared;
pub use self::{
    listener::{Listeners, Serving},
    tls::Encryption,
};
