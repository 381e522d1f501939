//! What the memory management counts, from /proc/vmstat: `pgmajfault 1234`. Of some 180 fields those are taken
//! that the option `vmstat.fields` names.

use aura_model::{Context, Family, Kind, Metric, Missing, Unit, Value};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        fields::{Catalogue, FieldName, Fields, Visit},
        file::{Buffer, KeptFile},
        filter::Filter,
        scan::{lines, number, words},
    },
};

/// The chosen fields; the kernel does not say which of them only grow.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Vmstat {
    /// As the kernel calls them.
    pub fields: Fields,
}

pub(super) const METRICS: &[Metric<Vmstat>] = &[Metric {
    family: Family {
        name: "node_vmstat_*",
        help: "/proc/vmstat information field *.",
        kind: Kind::Unknown,
        unit: Unit::None,
        labels: &[],
    },
    take: |reading, emit| reading.fields.emit(Kind::Unknown, emit),
}];

pub(super) struct Reader {
    file: KeptFile,
    catalogue: Catalogue,
}

impl Collector for Reader {
    type Reading = Vmstat;

    fn open(options: &HostOptions, context: &Context) -> Self {
        let filter = Filter::new("", &options.vmstat.fields);
        let name = move |_: &str, field: &str| {
            let help = format!("/proc/vmstat information field {field}.");
            let name =
                || FieldName { metric: format!("node_vmstat_{field}"), help, unit: Unit::None, field: field.into() };
            filter.passes(field).then(name)
        };
        Self { file: KeptFile::short_lines(context.paths.procfs.join("vmstat")), catalogue: Catalogue::new(name) }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Vmstat, Missing> {
        let text = self.file.read(buffer)?;
        let fields = self.catalogue.read(|visit| walk(text, visit));
        if self.catalogue.is_empty() {
            Err(self.file.unreadable("lines such as pgfault 1"))
        } else {
            Ok(Vmstat { fields })
        }
    }
}

/// Lines of a name and a number, as /proc/vmstat and the nodes' numastat have them.
pub(super) fn walk(text: &[u8], visit: Visit<'_>) {
    for line in lines(text) {
        let mut words = words(line);
        if let Some((field, value)) = words.next().zip(words.next().and_then(number)) {
            visit(b"", field, Value::Unsigned(value));
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
            insta::assert_snapshot!(format!("vmstat@{tree}"), output(tree, &["vmstat"]));
        }
    }

    proptest! {
        #[test]
        fn well_formed_lines_are_handed_over_as_they_were_written(
            rows in prop::collection::vec(("[a-z_]{1,12}", any::<u64>()), 0..60)
        ) {
            let text: String = rows.iter().map(|(field, value)| format!("{field} {value}\n")).collect();
            let mut seen = Vec::new();
            walk(text.as_bytes(), &mut |_, field, value| {
                seen.push((String::from_utf8(field.to_vec()).unwrap(), value));
            });
            let rows: Vec<_> = rows.into_iter().map(|(field, value)| (field, Value::Unsigned(value))).collect();
            prop_assert_eq!(seen, rows);
        }

        #[test]
        fn no_bytes_make_the_parser_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            walk(&text, &mut |_, _, _| {});
        }
    }
}
