//! The real binary against real peers.

mod documents;
mod drop_in;
mod exposition;
mod feed;
mod gpu;
mod lifecycle;
mod models;
mod probe;
mod prometheus;
mod reload;
mod security;
mod stale;
mod supervisor;
mod tls;
mod users;
mod values;
