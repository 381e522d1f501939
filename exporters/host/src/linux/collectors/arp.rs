//! Neighbours that the machine has spoken to over IPv4, by device, from /proc/net/arp. node_exporter 1.12 also tells
//! the states apart (`node_arp_states`), which this file does not.

use aura_model::{Context, Metric, Missing, Name, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        file::{Buffer, KeptFile},
        names::Names,
        scan::{lines, words},
    },
};

/// One row a device that has neighbours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arp {
    /// Device and its number of entries.
    pub devices: Vec<(Name, u64)>,
}

pub(super) const METRICS: &[Metric<Arp>] = rows! { |arp|
    for (device, entries) in &arp.devices => { device } {
        gauge "node_arp_entries" = *entries, "ARP entries by device";
    }
};

pub(super) struct Reader {
    file: KeptFile,
    names: Names,
}

impl Collector for Reader {
    type Reading = Arp;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { file: KeptFile::short_lines(context.paths.procfs.join("net/arp")), names: Names::default() }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Arp, Missing> {
        let text = self.file.read(buffer)?;
        match parse(text, &mut self.names) {
            Some(devices) => Ok(Arp { devices }),
            None => Err(self.file.unreadable("a header line")),
        }
    }
}

fn parse(text: &[u8], names: &mut Names) -> Option<Vec<(Name, u64)>> {
    let mut lines = lines(text);
    lines.next().filter(|header| header.starts_with(b"IP address"))?;
    let mut devices: Vec<(Name, u64)> = Vec::new();
    // Address, hardware type, flags, hardware address, mask, device.
    for device in lines.filter_map(|line| words(line).nth(5)) {
        match devices.iter_mut().find(|(name, _)| name.as_bytes() == device) {
            Some((_, entries)) => *entries += 1,
            None => devices.push((names.intern(device), 1)),
        }
    }
    Some(devices)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::linux::testing::{TREES, output};

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("arp@{tree}"), output(tree, &["arp"]));
        }
    }

    proptest! {
        #[test]
        fn entries_are_counted_by_device(devices in prop::collection::vec("eth[0-3]", 0..30)) {
            let mut text = "IP address       HW type     Flags       HW address            Mask     Device\n".to_owned();
            for device in &devices {
                text += &format!("192.0.2.1        0x1         0x2         02:00:00:00:00:05     *        {device}\n");
            }
            let mut expected = BTreeMap::new();
            for device in devices {
                *expected.entry(Name::from(device)).or_insert(0) += 1;
            }
            let read = parse(text.as_bytes(), &mut Names::default()).unwrap();
            prop_assert_eq!(read.iter().cloned().collect::<BTreeMap<_, _>>(), expected);
        }

        #[test]
        fn no_bytes_make_the_parser_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut text = text;
            parse(&text, &mut Names::default());
            text.splice(0..0, *b"IP address\n");
            parse(&text, &mut Names::default());
        }
    }
}
