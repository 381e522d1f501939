//! The real binary against real peers.

mod exposition;
mod prometheus;
