//! The source against simulated servers.

mod commands;
mod faults;
mod metrics;
mod support;
