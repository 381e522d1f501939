//! Aura Agent: samples every source once and publishes that one sample to everybody who reads.

pub mod actions;
pub mod api;
pub mod cli;
pub mod config;
#[cfg(all(test, target_os = "linux", not(feature = "portable")))]
mod golden;
pub mod http;
pub mod hub;
pub mod net;
pub mod publish;
pub mod run;
pub mod telemetry;
pub mod views;

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit of this build, or `unknown`.
pub const COMMIT: &str = env!("AURA_COMMIT");
