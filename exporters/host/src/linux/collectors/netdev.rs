//! Packets and bytes of network devices, from /proc/net/dev: `eth0: 432368051 10913 0 ...`, eight columns received and
//! eight sent. Packets that nobody wanted (`nohandler`) are not in that file but in one of /sys for each device.

use std::path::{Path, PathBuf};

use aura_model::{Context, Metric, Missing, Name, rows};
use serde::Serialize;

use super::{Collector, count};
use crate::{
    HostOptions,
    linux::kernel::{
        file::{Buffer, KeptFile},
        filter::{Devices, Filter},
        scan::{lines, number, words},
    },
};

/// One row a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Netdev {
    /// The devices that the option `network` lets pass.
    pub devices: Vec<NetworkDevice>,
}

/// A device's traffic since it was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkDevice {
    /// The interface, as `ip link` calls it: `eth0`.
    pub device: Name,
    /// Received.
    pub receive: Received,
    /// Sent.
    pub transmit: Sent,
}

/// What came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Received {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets that were broken.
    pub errs: u64,
    /// Packets dropped for want of room, or missed.
    pub drop: u64,
    /// Overruns of the device's queue.
    pub fifo: u64,
    /// Packets of wrong length, alignment or checksum.
    pub frame: u64,
    /// Compressed packets.
    pub compressed: u64,
    /// Multicast packets.
    pub multicast: u64,
    /// Packets that nobody wanted, where the kernel says (Linux 4.6).
    pub nohandler: Option<u64>,
}

/// What went out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sent {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets that could not be sent.
    pub errs: u64,
    /// Packets dropped for want of room.
    pub drop: u64,
    /// Underruns of the device's queue.
    pub fifo: u64,
    /// Collisions.
    pub colls: u64,
    /// Losses of the carrier and the like.
    pub carrier: u64,
    /// Compressed packets.
    pub compressed: u64,
}

pub(super) const METRICS: &[Metric<Netdev>] = rows! { |reading|
    for device in &reading.devices => { device: device.device } {
        counter "node_network_receive_bytes_total" in Bytes = device.receive.bytes,
            "Network device statistic receive_bytes.";
        counter "node_network_receive_compressed_total" = device.receive.compressed,
            "Network device statistic receive_compressed.";
        counter "node_network_receive_drop_total" = device.receive.drop, "Network device statistic receive_drop.";
        counter "node_network_receive_errs_total" = device.receive.errs, "Network device statistic receive_errs.";
        counter "node_network_receive_fifo_total" = device.receive.fifo, "Network device statistic receive_fifo.";
        counter "node_network_receive_frame_total" = device.receive.frame, "Network device statistic receive_frame.";
        counter "node_network_receive_multicast_total" = device.receive.multicast,
            "Network device statistic receive_multicast.";
        counter "node_network_receive_nohandler_total" = device.receive.nohandler,
            "Network device statistic receive_nohandler.";
        counter "node_network_receive_packets_total" = device.receive.packets,
            "Network device statistic receive_packets.";
        counter "node_network_transmit_bytes_total" in Bytes = device.transmit.bytes,
            "Network device statistic transmit_bytes.";
        counter "node_network_transmit_carrier_total" = device.transmit.carrier,
            "Network device statistic transmit_carrier.";
        counter "node_network_transmit_colls_total" = device.transmit.colls, "Network device statistic transmit_colls.";
        counter "node_network_transmit_compressed_total" = device.transmit.compressed,
            "Network device statistic transmit_compressed.";
        counter "node_network_transmit_drop_total" = device.transmit.drop, "Network device statistic transmit_drop.";
        counter "node_network_transmit_errs_total" = device.transmit.errs, "Network device statistic transmit_errs.";
        counter "node_network_transmit_fifo_total" = device.transmit.fifo, "Network device statistic transmit_fifo.";
        counter "node_network_transmit_packets_total" = device.transmit.packets,
            "Network device statistic transmit_packets.";
    }
};

pub(super) struct Reader {
    file: KeptFile,
    devices: Devices,
    nohandler: Vec<(Name, KeptFile)>,
    class: PathBuf,
}

impl Collector for Reader {
    type Reading = Netdev;

    fn open(options: &HostOptions, context: &Context) -> Self {
        Self {
            file: KeptFile::short_lines(context.paths.procfs.join("net/dev")),
            devices: Devices::new(Filter::new(&options.network.devices_exclude, &options.network.devices_include)),
            nohandler: Vec::new(),
            class: context.paths.sysfs.join("class/net"),
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Netdev, Missing> {
        let text = self.file.read(buffer)?;
        let mut devices = parse(text, &mut self.devices).ok_or_else(|| self.file.unreadable("two header lines"))?;
        self.nohandler.truncate(devices.len());
        for (place, NetworkDevice { device, receive, .. }) in devices.iter_mut().enumerate() {
            if self.nohandler.get(place).is_none_or(|(known, _)| known != device) {
                self.nohandler.truncate(place);
                self.nohandler.push((device.clone(), nohandler(&self.class, device)));
            }
            let (_, file) = &mut self.nohandler[place];
            receive.nohandler = file.number(buffer).ok();
            if place >= MOST_KEPT {
                file.close();
            }
        }
        Ok(Netdev { devices })
    }

    fn watched(reading: &Netdev) -> Option<String> {
        Some(count(reading.devices.len(), "network interface"))
    }
}

/// A box with hundreds of containers has as many devices, and a process may not have many more files open.
const MOST_KEPT: usize = 64;

fn nohandler(class: &Path, device: &str) -> KeptFile {
    KeptFile::one_line(class.join(device).join("statistics/rx_nohandler"))
}

fn parse(text: &[u8], names: &mut Devices) -> Option<Vec<NetworkDevice>> {
    let mut lines = lines(text);
    let header = (lines.next()?, lines.next()?);
    (header.0.starts_with(b"Inter-|") && header.1.ends_with(b"compressed")).then_some(())?;
    let rows = lines.filter_map(device).enumerate();
    Some(
        rows.filter_map(|(place, (name, numbers))| {
            let device = names.name(place, name)?;
            let [bytes, packets, errs, drop, fifo, frame, compressed, multicast, rest @ ..] = numbers;
            let nohandler = None;
            let receive = Received { bytes, packets, errs, drop, fifo, frame, compressed, multicast, nohandler };
            let [bytes, packets, errs, drop, fifo, colls, carrier, compressed] = rest;
            let transmit = Sent { bytes, packets, errs, drop, fifo, colls, carrier, compressed };
            Some(NetworkDevice { device, receive, transmit })
        })
        .collect(),
    )
}

/// A name may hold a colon (`eth0:1`), and a number may follow one without a space between.
fn device(line: &[u8]) -> Option<(&[u8], [u64; 16])> {
    let colon = line.iter().rposition(|&byte| byte == b':')?;
    let mut words = words(&line[colon + 1..]);
    let mut numbers = [0; 16];
    for slot in &mut numbers {
        *slot = number(words.next()?)?;
    }
    Some((line[..colon].trim_ascii_start(), numbers))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linux::testing::{TREES, output};

    const HEADER: &str = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes compressed\n";

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("netdev@{tree}"), output(tree, &["netdev"]));
        }
    }

    proptest! {
        #[test]
        fn what_the_kernel_writes_is_read(
            rows in prop::collection::hash_map("[a-zé:.]{1,6}", any::<[u64; 16]>(), 0..8)
        ) {
            let mut text = HEADER.to_owned();
            for (name, numbers) in &rows {
                let numbers: Vec<String> = numbers.iter().map(|number| format!("{number:7}")).collect();
                text += &format!("{name:>6}:{}\n", numbers.join(" "));
            }
            let devices = parse(text.as_bytes(), &mut Devices::new(Filter::new("", ""))).unwrap();
            prop_assert_eq!(devices.len(), rows.len());
            for (device, (name, numbers)) in devices.iter().zip(&rows) {
                prop_assert_eq!(&*device.device, name.as_str());
                let Received { bytes, multicast, .. } = device.receive;
                let Sent { errs, compressed, .. } = device.transmit;
                prop_assert_eq!([bytes, multicast, errs, compressed], [0, 7, 10, 15].map(|at: usize| numbers[at]));
            }
        }

        #[test]
        fn no_bytes_make_the_parser_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = [HEADER.as_bytes(), &text].concat();
            parse(&text, &mut Devices::new(Filter::new("", "")));
        }
    }
}
