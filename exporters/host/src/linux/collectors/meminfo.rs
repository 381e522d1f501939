//! Memory from /proc/meminfo: `MemTotal:       24577536 kB`. Fields come and go with kernels, so the kernel's
//! names are ours: `Active(anon)` becomes `Active_anon`.

use aura_model::{Context, Family, Kind, Metric, Missing, Unit, Value};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        fields::{Catalogue, FieldName, Fields, Visit},
        file::{Buffer, KeptFile},
        scan::{lines, number, words},
    },
};

/// All fields in bytes; `HugePages_*` are counts of pages.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Meminfo {
    /// As the kernel calls them.
    pub fields: Fields,
}

impl Meminfo {
    /// A field, if this kernel has it: `bytes("MemTotal")`.
    #[must_use]
    pub fn bytes(&self, field: &str) -> Option<u64> {
        self.fields.unsigned(field)
    }
}

pub(super) const METRICS: &[Metric<Meminfo>] = &[Metric {
    family: Family {
        name: "node_memory_*",
        help: "Memory information field *.",
        kind: Kind::Gauge,
        unit: Unit::Bytes,
        labels: &[],
    },
    take: |reading, emit| reading.fields.emit(Kind::Gauge, emit),
}];

pub(super) struct Reader {
    file: KeptFile,
    catalogue: Catalogue,
}

impl Collector for Reader {
    type Reading = Meminfo;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { file: KeptFile::short_lines(context.paths.procfs.join("meminfo")), catalogue: Catalogue::new(name) }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Meminfo, Missing> {
        let text = self.file.read(buffer)?;
        let fields = self.catalogue.read(|visit| walk(text, visit));
        if self.catalogue.is_empty() {
            Err(self.file.unreadable("lines such as MemTotal: 1024 kB"))
        } else {
            Ok(Meminfo { fields })
        }
    }

    fn watched(_: &Meminfo) -> Option<String> {
        Some("memory".into())
    }
}

fn name(unit: &str, field: &str) -> Option<FieldName> {
    let field = field.replace('(', "_").replace(')', "");
    let (suffix, unit) = if unit == "kB" { ("_bytes", Unit::Bytes) } else { ("", Unit::None) };
    let help = format!("Memory information field {field}{suffix}.");
    Some(FieldName { metric: format!("node_memory_{field}{suffix}"), help, unit, field })
}

/// Hands over unit, field and value of each line.
fn walk(text: &[u8], visit: Visit<'_>) {
    for line in lines(text) {
        let mut words = words(line);
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
            insta::assert_snapshot!(format!("meminfo@{tree}"), output(tree, &["meminfo"]));
        }
    }

    proptest! {
        #[test]
        fn well_formed_lines_are_read_as_they_were_written(
            rows in prop::collection::btree_map("[A-Z][a-z_]{1,8}", (any::<u32>(), any::<bool>()), 0..40)
        ) {
            let line = |(field, (value, unit)): (&String, &(u32, bool))| {
                format!("{field}:   {value}{}\n", if *unit { " kB" } else { "" })
            };
            let text: String = rows.iter().map(line).collect();
            let fields = Catalogue::new(name).read(|visit| walk(text.as_bytes(), visit));
            prop_assert_eq!(fields.iter().count(), rows.len());
            for (field, (value, unit)) in rows {
                let expected = u64::from(value) * if unit { 1024 } else { 1 };
                prop_assert_eq!(fields.unsigned(&field), Some(expected));
            }
        }

        #[test]
        fn no_bytes_make_the_parser_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            Catalogue::new(name).read(|visit| walk(&text, visit));
        }
    }

    #[test]
    fn a_garbled_line_costs_that_line() {
        let text = b"MemTotal: 10 kB\nMemFree: x kB\nMemAvailable:\nBuffers: 99999999999999999999 kB\nCached: 2 MB\nSlab: 7 kB\n";
        let fields = Catalogue::new(name).read(|visit| walk(text, visit));
        let names: Vec<&str> = fields.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["MemTotal", "Slab"]);
    }
}
