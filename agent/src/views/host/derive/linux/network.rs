//! Network devices. Sums leave out loopback and the host's ends of containers and virtual machines, whose bytes pass
//! a counted device once more.

use aura_host::{NetworkDevice, Received, Sent};

use super::{MIB, Pair, rate, sum_of_counters};
use crate::views::host::message::{Interface, Network, NetworkSpeed};

const COUNTED_ELSEWHERE: [&str; 6] = ["veth", "docker", "br-", "virbr", "vnet", "tap"];

pub(super) fn network(pair: Pair<'_>) -> Option<Network> {
    let devices = &pair.now.netdev.value()?.devices;
    let sum =
        |take: fn(&NetworkDevice) -> u64| sum_of_counters(devices.iter().filter(|device| is_counted(device)).map(take));
    Some(Network {
        bytes_sent: sum(|device| device.transmit.bytes),
        bytes_recv: sum(|device| device.receive.bytes),
        packets_sent: sum(|device| device.transmit.packets),
        packets_recv: sum(|device| device.receive.packets),
        errors_in: sum(|device| device.receive.errs),
        errors_out: sum(|device| device.transmit.errs),
        speed: speed(pair)
            .map(|(receive, transmit)| NetworkSpeed { upload_mb: transmit / MIB, download_mb: receive / MIB }),
        interfaces: devices.iter().map(|device| interface(pair, device)).collect(),
    })
}

/// Bytes received and sent a second.
pub(super) fn speed(pair: Pair<'_>) -> Option<(f64, f64)> {
    let devices = &pair.now.netdev.value()?.devices;
    let rates = devices.iter().filter(|device| is_counted(device)).filter_map(|device| {
        Some((received(pair, device, |receive| receive.bytes)?, sent(pair, device, |transmit| transmit.bytes)?))
    });
    pair.before?;
    Some(rates.fold((0.0, 0.0), |sum, rate| (sum.0 + rate.0, sum.1 + rate.1)))
}

fn interface(pair: Pair<'_>, device: &NetworkDevice) -> Interface {
    let link = pair.now.netclass.value();
    let link = link.and_then(|links| links.interfaces.iter().find(|link| link.device == device.device));
    Interface {
        device: device.device.clone(),
        operstate: link.map(|link| link.operstate.clone()),
        receive_bytes_per_second: received(pair, device, |receive| receive.bytes),
        transmit_bytes_per_second: sent(pair, device, |transmit| transmit.bytes),
        receive_errors: device.receive.errs,
        transmit_errors: device.transmit.errs,
        speed_bytes: link.and_then(|link| link.details.speed).and_then(|speed| u64::try_from(speed).ok()),
    }
}

fn received(pair: Pair<'_>, device: &NetworkDevice, take: fn(&Received) -> u64) -> Option<f64> {
    let (before, seconds) = earlier(pair, device)?;
    rate(take(&device.receive), take(&before.receive), seconds)
}

fn sent(pair: Pair<'_>, device: &NetworkDevice, take: fn(&Sent) -> u64) -> Option<f64> {
    let (before, seconds) = earlier(pair, device)?;
    rate(take(&device.transmit), take(&before.transmit), seconds)
}

fn earlier<'a>(pair: Pair<'a>, device: &NetworkDevice) -> Option<(&'a NetworkDevice, f64)> {
    let (before, seconds) = pair.before?;
    let devices = &before.netdev.value()?.devices;
    Some((devices.iter().find(|earlier| earlier.device == device.device)?, seconds))
}

fn is_counted(device: &NetworkDevice) -> bool {
    &*device.device != "lo" && !COUNTED_ELSEWHERE.iter().any(|prefix| device.device.starts_with(prefix))
}
