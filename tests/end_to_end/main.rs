//! The real binary against real peers.

mod database;
mod debates;
mod documents;
mod drop_in;
mod exposition;
mod feed;
mod gpu;
mod lifecycle;
mod models;
#[path = "../../exporters/postgres/tests/server/mod.rs"]
mod postgres;
mod probe;
mod prometheus;
mod random;
mod reload;
mod security;
mod stale;
mod supervisor;
mod tls;
mod users;
mod values;
