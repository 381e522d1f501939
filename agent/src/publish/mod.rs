//! What leaves the agent: everything here reads the hub's latest readings and asks no source for anything.

pub mod feed;
pub mod prometheus;
