//! The host as a source: CPU, memory, disks, network, temperatures and what else the kernel counts.
//!
//! On Linux each of node_exporter's collectors has a file of its own under `linux/collectors/`: what it reads, its
//! reading, its metrics under node_exporter's names, its tests. Elsewhere `portable.rs` gives the subset that
//! sysinfo knows; the feature `portable` builds it on Linux too, to see that it builds.

#[cfg(all(target_os = "linux", not(feature = "portable")))]
mod linux;
mod options;
#[cfg(any(not(target_os = "linux"), feature = "portable", test))]
pub mod portable;

#[cfg(all(target_os = "linux", not(feature = "portable")))]
pub use linux::*;
pub use options::{
    CollectorOptions, DiskOptions, FilesystemOptions, HostOptions, NOT_READ, NetstatOptions, NetworkOptions,
    TextfileOptions, VmstatOptions,
};

#[cfg(any(not(target_os = "linux"), feature = "portable"))]
pub use portable::*;

/// Where there are no collectors, none can be switched off.
#[cfg(any(not(target_os = "linux"), feature = "portable"))]
const NAMES: &[&str] = &[];
