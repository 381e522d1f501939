//! Aura Agent: samples every source once and publishes that one sample to everybody who reads.

pub mod cli;
pub mod config;
pub mod http;
pub mod hub;
pub mod publish;
pub mod sources;
