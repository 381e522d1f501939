//! Who is let in, and how much of the agent they may take.

pub(super) mod auth;
pub(super) mod caller;
pub(super) mod client_address;
mod control;
pub(super) mod guard;
pub(super) mod permits;
mod queue;
pub(super) mod rate_limit;
pub(super) mod scrapes;

pub use self::{caller::Admitted, control::ControlToken, guard::Trust, permits::CONNECTIONS};
