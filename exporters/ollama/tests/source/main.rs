//! The source against simulated servers.

mod commands;
mod faults;
mod garbage;
mod metrics;
mod pace;
mod proxy;
mod support;
