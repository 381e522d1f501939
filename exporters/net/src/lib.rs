//! What every exporter and the agent need to talk to a server, written once: how a host and a port are written, whom a TLS
//! client trusts, how a secret comes out of its file, and the HTTP client.

mod host_port;
pub mod http;
mod secret;
pub mod tls;

pub use self::{
    host_port::{HostPort, split_port},
    secret::{named_file, secret},
};
