//! Memory of each NUMA node from /sys/devices/system/node/node*/meminfo (`Node 0 MemTotal: 7039188 kB`) and
//! numastat (`numa_hit 13926392`). Off unless `collectors.enable` names it, as node_exporter has it. Nodes are
//! looked for every minute.

use std::{collections::HashSet, path::PathBuf};

use aura_model::{Context, Emit, Family, Kind, Metric, Missing, Name, Reason, Unit, Value};
use serde::Serialize;

use super::{Collector, count, vmstat};
use crate::{
    HostOptions,
    linux::kernel::{
        attribute,
        every::Every,
        fields::{Catalogue, FieldName, Fields, Visit},
        file::{Buffer, KeptFile},
        scan::{lines, number, words},
    },
};

/// One row a node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeminfoNuma {
    /// The nodes that could be read.
    pub nodes: Vec<NumaNode>,
}

/// A node's memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NumaNode {
    /// `0` of `node0`.
    pub node: Name,
    /// In bytes; `HugePages_*` are counts.
    pub memory: Fields,
    /// Where pages were taken from since boot.
    pub allocations: Fields,
}

pub(super) const METRICS: &[Metric<MeminfoNuma>] = &[
    Metric {
        family: Family {
            name: "node_memory_numa_*",
            help: "Memory information field *.",
            kind: Kind::Gauge,
            unit: Unit::Bytes,
            labels: &["node"],
        },
        take: |reading, emit| emit_nodes(reading, |node| &node.memory, Kind::Gauge, emit),
    },
    Metric {
        family: Family {
            name: "node_memory_numa_*_total",
            help: "Memory information field *_total.",
            kind: Kind::Counter,
            unit: Unit::None,
            labels: &["node"],
        },
        take: |reading, emit| emit_nodes(reading, |node| &node.allocations, Kind::Counter, emit),
    },
];

fn emit_nodes(reading: &MeminfoNuma, fields: fn(&NumaNode) -> &Fields, kind: Kind, emit: &mut dyn Emit) {
    let mut opened = HashSet::new();
    for name in reading.nodes.iter().flat_map(|node| fields(node).named()).map(|(name, _)| name) {
        if !opened.insert(&name.metric) {
            continue;
        }
        emit.family(&Family { name: &name.metric, help: &name.help, kind, unit: name.unit, labels: &["node"] });
        for node in &reading.nodes {
            emit.maybe(&[&node.node], fields(node).get(&name.field));
        }
    }
}

pub(super) struct Reader {
    folder: PathBuf,
    enumerate: Every,
    nodes: Vec<Node>,
}

struct Node {
    name: Name,
    meminfo: KeptFile,
    memory: Catalogue,
    numastat: KeptFile,
    allocations: Catalogue,
}

impl Collector for Reader {
    type Reading = MeminfoNuma;

    const OPT_IN: bool = true;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self {
            folder: context.paths.sysfs.join("devices/system/node"),
            enumerate: Every::seconds(60),
            nodes: Vec::new(),
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<MeminfoNuma, Missing> {
        if self.enumerate.due() {
            self.nodes =
                attribute::numbered(&self.folder, "node").unwrap_or_default().into_iter().map(Node::new).collect();
        }
        let nodes: Vec<NumaNode> = self.nodes.iter_mut().filter_map(|node| node.read(buffer)).collect();
        if nodes.is_empty() {
            let detail = format!("{}: no node with a meminfo", self.folder.display());
            return Err(Missing::new(Reason::NoSensor, detail));
        }
        Ok(MeminfoNuma { nodes })
    }

    fn watched(reading: &MeminfoNuma) -> Option<String> {
        Some(count(reading.nodes.len(), "NUMA node"))
    }
}

impl Node {
    fn new((number, folder): (u32, PathBuf)) -> Self {
        Self {
            name: number.to_string().into(),
            meminfo: KeptFile::short_lines(folder.join("meminfo")),
            memory: Catalogue::new(memory),
            numastat: KeptFile::short_lines(folder.join("numastat")),
            allocations: Catalogue::new(allocations),
        }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Option<NumaNode> {
        let text = self.meminfo.read(buffer).ok()?;
        let memory = self.memory.read(|visit| walk_meminfo(text, visit));
        let text = self.numastat.read(buffer).unwrap_or_default();
        let allocations = self.allocations.read(|visit| vmstat::walk(text, visit));
        Some(NumaNode { node: self.name.clone(), memory, allocations })
    }
}

fn memory(unit: &str, field: &str) -> Option<FieldName> {
    let field = field.replace('(', "_").replace(')', "");
    let unit = if unit == "kB" { Unit::Bytes } else { Unit::None };
    let help = format!("Memory information field {field}.");
    Some(FieldName { metric: format!("node_memory_numa_{field}"), help, unit, field })
}

fn allocations(_: &str, field: &str) -> Option<FieldName> {
    let help = format!("Memory information field {field}_total.");
    Some(FieldName { metric: format!("node_memory_numa_{field}_total"), help, unit: Unit::None, field: field.into() })
}

fn walk_meminfo(text: &[u8], visit: Visit<'_>) {
    for line in lines(text) {
        let mut words = words(line).skip(2);
        let Some(field) = words.next().and_then(|word| word.strip_suffix(b":")) else { continue };
        let Some(value) = words.next().and_then(number) else { continue };
        let unit = words.next().unwrap_or_default();
        match unit {
            b"kB" => value.checked_mul(1024).into_iter().for_each(|bytes| visit(unit, field, Value::Unsigned(bytes))),
            b"" => visit(unit, field, Value::Unsigned(value)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linux::testing::{TREES, output};

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("meminfo_numa@{tree}"), output(tree, &["meminfo_numa"]));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            Catalogue::new(memory).read(|visit| walk_meminfo(&text, visit));
        }
    }
}
