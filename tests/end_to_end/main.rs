//! The real binary against real peers.

mod access;
mod audit_logs;
mod audit_mount;
mod database;
mod debates;
mod documents;
mod drop_in;
mod exposition;
mod faults;
mod feed;
mod governance;
mod gpu;
mod lifecycle;
mod model_changes;
mod model_faults;
mod models;
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
