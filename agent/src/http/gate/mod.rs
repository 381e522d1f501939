//! Who is let in, and how much of the agent they may take.

pub(super) mod auth;
pub(super) mod client_address;
mod control;
pub(super) mod guard;
pub(super) mod guest;
mod line;
pub(super) mod permits;
pub(super) mod rate_limit;
pub(super) mod scrapes;

pub use self::{control::ControlToken, guard::Trust, guest::Admitted, permits::CONNECTIONS};
