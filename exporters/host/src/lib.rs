//! The host as a source: CPU, memory, disks, network, temperatures and what else the kernel counts.
//!
//! On Linux each of node_exporter's default collectors has a file of its own under `linux/`: what it reads, its
//! reading, its metrics under node_exporter's names, its tests. Elsewhere `portable.rs` gives the subset that
//! sysinfo knows.

#[cfg(target_os = "linux")]
mod linux;
mod options;
#[cfg(any(not(target_os = "linux"), test))]
pub mod portable;

#[cfg(target_os = "linux")]
pub use linux::*;
pub use options::{
    CollectorOptions, DiskOptions, FilesystemOptions, HostOptions, NetstatOptions, NetworkOptions, TextfileOptions,
    VmstatOptions,
};

#[cfg(not(target_os = "linux"))]
pub use portable::*;

/// Where there are no collectors, none can be switched off.
#[cfg(not(target_os = "linux"))]
const NAMES: &[&str] = &[];
