//! Connections and addresses: what whoever speaks to the network shares.

mod address;
pub mod client;
pub mod stream;
mod wire;

pub use self::{
    address::network,
    stream::{Stream, WriteWatch},
    wire::{Waiting, Wire},
};
