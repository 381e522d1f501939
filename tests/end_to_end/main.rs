//! The real binary against real peers.

mod documents;
mod drop_in;
mod exposition;
mod feed;
mod prometheus;
mod stale;
mod values;
