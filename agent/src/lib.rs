//! Aura Agent: samples every source once and publishes that one sample to everybody who reads.

pub mod cli;
pub mod config;
pub mod database;
pub mod debates;
#[cfg(all(test, target_os = "linux", not(feature = "portable")))]
mod golden;
pub mod governance;
pub mod http;
pub mod hub;
pub mod models;
pub mod own;
pub mod publish;
pub mod run;
mod runners;
mod schema;
pub mod sources;
pub mod system;
pub mod views;

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit of this build, or `unknown`.
pub const COMMIT: &str = env!("AURA_COMMIT");
