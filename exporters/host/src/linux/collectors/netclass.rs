//! Network interfaces as /sys/class/net describes them. Of some thirty attributes an interface three tell that
//! anything happened: `operstate`, `carrier_changes` and `flags`. These are read at each sample. The others are
//! read when one of the three moved, and every ten seconds for what people change by hand (MTU, alias). `speed`
//! and `duplex` above all ask the driver under a lock that the whole network shares.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use aura_model::{Context, Metric, Missing, Name, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        attribute,
        every::Every,
        file::{Buffer, KeptFile},
        filter::Filter,
        names::Names,
    },
};

/// So often everything is read.
const ALL: Duration = Duration::from_secs(10);

/// Beyond so many interfaces (each container has one) their files are not kept open: descriptors are limited.
const MOST_KEPT: usize = 64;

/// One interface.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Interface {
    /// The interface, as `ip link` calls it: `eth0`.
    pub device: Name,
    /// `up`, `down`, `unknown` (no driver says: loopback, tunnels).
    pub operstate: Name,
    /// The `IFF_` bits.
    pub flags: Option<i64>,
    /// How often the link came or went.
    pub carrier_changes: Option<i64>,
    /// What seldom changes.
    pub details: Arc<InterfaceDetails>,
}

/// What seldom changes about an interface; missing where the kernel or driver does not say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the kernel's own names; Documentation/ABI/testing/sysfs-class-net explains them")]
pub struct InterfaceDetails {
    pub address: Option<String>,
    pub broadcast: Option<String>,
    pub duplex: Option<String>,
    pub ifalias: Option<String>,
    pub address_assign_type: Option<i64>,
    pub carrier: Option<i64>,
    pub carrier_down_changes: Option<i64>,
    pub carrier_up_changes: Option<i64>,
    pub device_id: Option<i64>,
    pub dormant: Option<i64>,
    pub iface_id: Option<i64>,
    pub iface_link: Option<i64>,
    pub iface_link_mode: Option<i64>,
    pub mtu: Option<i64>,
    pub name_assign_type: Option<i64>,
    pub net_dev_group: Option<i64>,
    pub protocol_type: Option<i64>,
    /// Bytes a second; missing when the driver does not know.
    pub speed: Option<i64>,
    pub transmit_queue_length: Option<i64>,
}

/// All interfaces of our network namespace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Netclass {
    /// One row an interface.
    pub interfaces: Vec<Interface>,
}

pub(super) const METRICS: &[Metric<Netclass>] = rows! { |reading|
    for interface in &reading.interfaces => { device: interface.device } {
        gauge "node_network_address_assign_type" = interface.details.address_assign_type,
            "Network device property: address_assign_type";
        gauge "node_network_carrier" = interface.details.carrier, "Network device property: carrier";
        counter "node_network_carrier_changes_total" = interface.carrier_changes,
            "Network device property: carrier_changes_total";
        counter "node_network_carrier_down_changes_total" = interface.details.carrier_down_changes,
            "Network device property: carrier_down_changes_total";
        counter "node_network_carrier_up_changes_total" = interface.details.carrier_up_changes,
            "Network device property: carrier_up_changes_total";
        gauge "node_network_device_id" = interface.details.device_id, "Network device property: device_id";
        gauge "node_network_dormant" = interface.details.dormant, "Network device property: dormant";
        gauge "node_network_flags" = interface.flags, "Network device property: flags";
        gauge "node_network_iface_id" = interface.details.iface_id, "Network device property: iface_id";
        gauge "node_network_iface_link" = interface.details.iface_link, "Network device property: iface_link";
        gauge "node_network_iface_link_mode" = interface.details.iface_link_mode,
            "Network device property: iface_link_mode";
    }
    for Interface { device, operstate, details, flags, .. } in &reading.interfaces => {
        device,
        address: details.address.as_deref().unwrap_or_default(),
        broadcast: details.broadcast.as_deref().unwrap_or_default(),
        duplex: details.duplex.as_deref().unwrap_or_default(),
        operstate,
        adminstate: flags.map_or("unknown", |flags| if flags & 1 == 1 { "up" } else { "down" }),
        ifalias: details.ifalias.as_deref().unwrap_or_default(),
    } {
        gauge "node_network_info" = 1, "Non-numeric data from /sys/class/net/<iface>, value is always 1.";
    }
    for interface in &reading.interfaces => { device: interface.device } {
        gauge "node_network_mtu_bytes" in Bytes = interface.details.mtu, "Network device property: mtu_bytes";
        gauge "node_network_name_assign_type" = interface.details.name_assign_type,
            "Network device property: name_assign_type";
        gauge "node_network_net_dev_group" = interface.details.net_dev_group, "Network device property: net_dev_group";
        gauge "node_network_protocol_type" = interface.details.protocol_type, "Network device property: protocol_type";
        gauge "node_network_speed_bytes" in Bytes = interface.details.speed, "Network device property: speed_bytes";
        gauge "node_network_transmit_queue_length" = interface.details.transmit_queue_length,
            "Network device property: transmit_queue_length";
        gauge "node_network_up" = &*interface.operstate == "up", "Value is 1 if operstate is 'up', 0 otherwise.";
    }
};

pub(super) struct Reader {
    root: PathBuf,
    filter: Filter,
    names: Names,
    interfaces: Vec<Watched>,
    list: Every,
    listed: Result<(), Missing>,
}

/// An interface with its attributes open.
struct Watched {
    folder: PathBuf,
    device: Name,
    operstate: KeptFile,
    carrier_changes: KeptFile,
    flags: KeptFile,
    /// The last reading, and when its details were read.
    last: Option<(Instant, Interface)>,
}

impl Collector for Reader {
    type Reading = Netclass;

    fn open(options: &HostOptions, context: &Context) -> Self {
        Self {
            root: context.paths.sysfs.join("class/net"),
            filter: Filter::new(&options.network.devices_exclude, &options.network.devices_include),
            names: Names::default(),
            interfaces: Vec::new(),
            list: Every::seconds(10),
            listed: Ok(()),
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Netclass, Missing> {
        if self.list.due() {
            self.listed = self.list();
        }
        self.listed.clone()?;
        let mut interfaces = Vec::with_capacity(self.interfaces.len());
        let keep = self.interfaces.len() <= MOST_KEPT;
        for watched in &mut self.interfaces {
            match watched.read(buffer, &mut self.names) {
                Ok(interface) => interfaces.push(interface),
                // It went away, perhaps to come back under another name.
                Err(_) => self.list.hurry(),
            }
            if !keep {
                watched.close();
            }
        }
        Ok(Netclass { interfaces })
    }
}

impl Reader {
    fn list(&mut self) -> Result<(), Missing> {
        let mut names = attribute::entries(&self.root)?;
        names.retain(|name| self.filter.passes(name));
        self.interfaces.retain(|watched| names.iter().any(|name| **name == *watched.device));
        for name in names {
            let folder = self.root.join(&name);
            // `bonding_masters` is a file among the interfaces.
            if self.interfaces.iter().any(|watched| *watched.device == *name) || !folder.is_dir() {
                continue;
            }
            self.interfaces.push(Watched {
                device: self.names.intern(name.as_bytes()),
                operstate: KeptFile::one_line(folder.join("operstate")),
                carrier_changes: KeptFile::one_line(folder.join("carrier_changes")),
                flags: KeptFile::one_line(folder.join("flags")),
                folder,
                last: None,
            });
        }
        Ok(())
    }
}

impl Watched {
    fn close(&mut self) {
        self.operstate.close();
        self.carrier_changes.close();
        self.flags.close();
    }

    fn read(&mut self, buffer: &mut Buffer, names: &mut Names) -> Result<Interface, Missing> {
        let operstate = names.intern(self.operstate.read(buffer)?.trim_ascii());
        let flags = self.flags.integer(buffer).ok();
        let carrier_changes = self.carrier_changes.integer(buffer).ok();
        let (read_at, details) = match &self.last {
            Some((when, last))
                if when.elapsed() < ALL
                    && (&last.operstate, last.flags, last.carrier_changes) == (&operstate, flags, carrier_changes) =>
            {
                (*when, last.details.clone())
            }
            _ => (Instant::now(), Arc::new(details(&self.folder))),
        };
        let interface = Interface { device: self.device.clone(), operstate, flags, carrier_changes, details };
        self.last = Some((read_at, interface.clone()));
        Ok(interface)
    }
}

fn details(folder: &Path) -> InterfaceDetails {
    // Many drivers refuse what they do not know (`speed` of a link that is down): that attribute is missing.
    let number = |name: &str| attribute::number(&folder.join(name)).ok();
    let text = |name: &str| attribute::text(&folder.join(name)).ok();
    InterfaceDetails {
        address: text("address"),
        broadcast: text("broadcast"),
        duplex: text("duplex"),
        ifalias: text("ifalias"),
        address_assign_type: number("addr_assign_type"),
        carrier: number("carrier"),
        carrier_down_changes: number("carrier_down_count"),
        carrier_up_changes: number("carrier_up_count"),
        device_id: number("dev_id"),
        dormant: number("dormant"),
        iface_id: number("ifindex"),
        iface_link: number("iflink"),
        iface_link_mode: number("link_mode"),
        mtu: number("mtu"),
        name_assign_type: number("name_assign_type"),
        net_dev_group: number("netdev_group"),
        protocol_type: number("type"),
        // Mbit/s. Drivers that don't know say -1, older kernels the same without a sign.
        speed: number("speed").filter(|&speed| (0..i64::from(u32::MAX)).contains(&speed)).map(|speed| speed * 125_000),
        transmit_queue_length: number("tx_queue_len"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::linux::testing;

    fn sysfs(interfaces: &[(&str, &[(&str, &str)])]) -> (tempfile::TempDir, Context) {
        let root = tempfile::tempdir().unwrap();
        for (device, attributes) in interfaces {
            let folder = root.path().join("class/net").join(device);
            fs::create_dir_all(&folder).unwrap();
            for (name, value) in *attributes {
                fs::write(folder.join(name), format!("{value}\n")).unwrap();
            }
        }
        let paths = aura_model::Paths { sysfs: root.path().into(), ..Default::default() };
        (root, Context::new(paths))
    }

    fn read(reader: &mut Reader) -> Netclass {
        reader.read(&mut Buffer::default()).unwrap()
    }

    #[test]
    fn the_three_that_tell_are_read_each_time_and_bring_the_rest() {
        let (root, context) = sysfs(&[(
            "eth0",
            &[("operstate", "up"), ("carrier_changes", "2"), ("flags", "0x1003"), ("speed", "1000"), ("mtu", "1500")],
        )]);
        let mut reader = Reader::open(&HostOptions::default(), &context);
        assert_eq!(read(&mut reader).interfaces[0].details.speed, Some(125_000_000));
        let file = |name: &str| root.path().join("class/net/eth0").join(name);
        fs::write(file("mtu"), "9000\n").unwrap();
        assert_eq!(read(&mut reader).interfaces[0].details.mtu, Some(1500), "read again only after a while");
        fs::write(file("carrier_changes"), "4\n").unwrap();
        fs::write(file("speed"), "100\n").unwrap();
        let details = read(&mut reader).interfaces[0].details.clone();
        assert_eq!((details.mtu, details.speed), (Some(9000), Some(12_500_000)));
    }

    #[test]
    fn an_interface_that_goes_away_is_gone_at_once() {
        let (root, context) = sysfs(&[("eth0", &[("operstate", "up")]), ("veth1", &[("operstate", "up")])]);
        let mut reader = Reader::open(&HostOptions::default(), &context);
        assert_eq!(read(&mut reader).interfaces.len(), 2);
        // Tests have no kernel that answers ENODEV on the open file: the folder's absence is seen by the listing.
        fs::remove_dir_all(root.path().join("class/net/veth1")).unwrap();
        reader.list.hurry();
        assert_eq!(read(&mut reader).interfaces.len(), 1);
    }

    #[test]
    fn hundreds_of_interfaces_do_not_use_up_the_descriptors() {
        let names: Vec<String> = (0..300).map(|number| format!("veth{number}")).collect();
        let all: Vec<(&str, &[(&str, &str)])> =
            names.iter().map(|name| (name.as_str(), &[("operstate", "up")][..])).collect();
        let (root, context) = sysfs(&all);
        let mut reader = Reader::open(&HostOptions::default(), &context);
        assert_eq!(read(&mut reader).interfaces.len(), 300);
        let descriptors =
            fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        assert_eq!(descriptors.filter(|target| target.starts_with(root.path())).count(), 0);
        assert_eq!(read(&mut reader).interfaces.len(), 300);
    }

    #[test]
    fn a_speed_that_is_not_known_is_missing() {
        for (speed, expected) in
            [("-1", None), ("4294967295", None), ("0", Some(0)), ("x", None), ("10", Some(1_250_000))]
        {
            let (_root, context) = sysfs(&[("eth0", &[("operstate", "up"), ("speed", speed)])]);
            let reading = read(&mut Reader::open(&HostOptions::default(), &context));
            assert_eq!(reading.interfaces[0].details.speed, expected, "{speed}");
        }
    }

    #[test]
    fn an_interface_without_attributes_has_only_what_it_has() {
        let (root, context) = sysfs(&[("wg0", &[("operstate", "unknown"), ("flags", "0x91")])]);
        fs::write(root.path().join("class/net/bonding_masters"), "bond0\n").unwrap();
        let reading = read(&mut Reader::open(&HostOptions::default(), &context));
        insta::assert_snapshot!(testing::text(METRICS, &reading));
    }
}
