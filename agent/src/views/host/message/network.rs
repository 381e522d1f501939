//! Network interfaces.

use aura_model::Name;
use schemars::JsonSchema;
use serde::Serialize;

/// All network interfaces, from `/proc/net/dev`. Sums leave out loopback and the host's ends of containers and
/// virtual machines (`veth*`, `docker*`, `br-*`, `virbr*`, `vnet*`, `tap*`), whose bytes pass another interface once
/// more.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Network {
    /// Bytes sent since the machine started; starts again when an interface is made anew.
    pub bytes_sent: u64,
    /// Bytes received since the machine started.
    pub bytes_recv: u64,
    /// Packets sent since the machine started.
    pub packets_sent: u64,
    /// Packets received since the machine started.
    pub packets_recv: u64,
    /// Packets received with an error since the machine started: bad checksums, overruns (`errs`).
    pub errors_in: u64,
    /// Packets that could not be sent since the machine started (`errs`).
    pub errors_out: u64,
    /// Sent and received a second; `null` until there are two readings.
    pub speed: Option<NetworkSpeed>,
    /// Every interface that `sources.host.network` lets through, loopback and those that the sums leave out included.
    pub interfaces: Vec<Interface>,
}

/// What the counted interfaces send and receive together, in MiB a second, over about the last second.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NetworkSpeed {
    /// MiB sent a second.
    pub upload_mb: f64,
    /// MiB received a second.
    pub download_mb: f64,
}

/// A network interface, from `/proc/net/dev` and `/sys/class/net`. Rates are over about the last second: `null` until
/// there are two readings, and when a counter was set back.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Interface {
    /// Its name: `enp6s0`.
    pub device: Name,
    /// State of the link as the kernel says it (`operstate`): `up`, `down`, `unknown` and others; `null` when it does
    /// not say.
    pub operstate: Option<Name>,
    /// Bytes received a second.
    pub receive_bytes_per_second: Option<f64>,
    /// Bytes sent a second.
    pub transmit_bytes_per_second: Option<f64>,
    /// Packets received with an error since the interface was made (`errs`).
    pub receive_errors: u64,
    /// Packets that could not be sent since the interface was made (`errs`).
    pub transmit_errors: u64,
    /// Speed of the link in bytes a second (`speed`); `null` where there is none, as with Wi-Fi, bridges and links
    /// that are down.
    pub speed_bytes: Option<u64>,
}
