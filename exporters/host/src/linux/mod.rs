//! The Linux host: `collectors/` has one file for each of node_exporter's collectors, `kernel/` reads the files of /proc
//! and /sys for them.

mod collectors;
mod kernel;
#[cfg(test)]
mod testing;

pub use self::{
    collectors::*,
    kernel::{fields::Fields, stat::Stat},
};
