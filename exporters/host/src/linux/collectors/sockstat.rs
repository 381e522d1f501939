//! Sockets in use, from /proc/net/sockstat and sockstat6: `TCP: inuse 2 orphan 0 tw 1 alloc 2 mem 230`. `mem` is
//! counted in pages, `memory` in bytes.

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

/// Sockets by protocol and state: `TCP_inuse`, `UDP6_inuse`, `TCP_mem` (pages), `TCP_mem_bytes`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sockstat {
    /// IPv4, and `sockets_used`: all sockets of any kind.
    pub ipv4: Option<Fields>,
    /// IPv6, where it is not switched off.
    pub ipv6: Option<Fields>,
}

pub(super) const METRICS: &[Metric<Sockstat>] = &[Metric {
    family: Family {
        name: "node_sockstat_*",
        help: "Number of * sockets in state *.",
        kind: Kind::Gauge,
        unit: Unit::None,
        labels: &[],
    },
    take: |reading, emit| {
        for fields in [&reading.ipv4, &reading.ipv6].into_iter().flatten() {
            fields.emit(Kind::Gauge, emit);
        }
    },
}];

pub(super) struct Reader {
    ipv4: (KeptFile, Catalogue),
    ipv6: (KeptFile, Catalogue),
    page: u64,
}

impl Collector for Reader {
    type Reading = Sockstat;

    fn open(_: &HostOptions, context: &Context) -> Self {
        let file = |name| (KeptFile::short_lines(context.paths.procfs.join("net").join(name)), Catalogue::new(name_of));
        Self { ipv4: file("sockstat"), ipv6: file("sockstat6"), page: rustix::param::page_size() as u64 }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Sockstat, Missing> {
        let page = self.page;
        let mut fields = |(file, catalogue): &mut (KeptFile, Catalogue)| {
            let text = file.read(buffer)?;
            let fields = catalogue.read(|visit| walk(text, page, visit));
            if catalogue.is_empty() { Err(file.unreadable("lines such as TCP: inuse 2")) } else { Ok(fields) }
        };
        match (fields(&mut self.ipv4), fields(&mut self.ipv6)) {
            (Err(missing), Err(_)) => Err(missing),
            (ipv4, ipv6) => Ok(Sockstat { ipv4: ipv4.ok(), ipv6: ipv6.ok() }),
        }
    }
}

fn name_of(protocol: &str, state: &str) -> Option<FieldName> {
    let field = format!("{protocol}_{state}");
    let help = match field.as_str() {
        "sockets_used" => "Number of IPv4 sockets in use.".into(),
        _ => format!("Number of {protocol} sockets in state {state}."),
    };
    let unit = if state == "mem_bytes" || state == "memory" { Unit::Bytes } else { Unit::None };
    Some(FieldName { metric: format!("node_sockstat_{field}"), help, unit, field })
}

fn walk(text: &[u8], page: u64, visit: Visit<'_>) {
    for line in lines(text) {
        let mut words = words(line);
        let Some(protocol) = words.next().and_then(|word| word.strip_suffix(b":")) else { continue };
        while let (Some(state), Some(value)) = (words.next(), words.next()) {
            let Some(value) = number(value) else { continue };
            visit(protocol, state, Value::Unsigned(value));
            if state == b"mem"
                && let Some(bytes) = value.checked_mul(page)
            {
                visit(protocol, b"mem_bytes", Value::Unsigned(bytes));
            }
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
            insta::assert_snapshot!(format!("sockstat@{tree}"), output(tree, &["sockstat"]));
        }
    }

    #[test]
    fn pages_are_also_given_in_bytes() {
        let fields = Catalogue::new(name_of).read(|visit| walk(b"TCP: inuse 2 mem 230\n", 4096, visit));
        assert_eq!(fields.unsigned("TCP_mem"), Some(230));
        assert_eq!(fields.unsigned("TCP_mem_bytes"), Some(942_080));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(text in "([A-Z6]{1,3}:?( [a-z]{0,4}| [0-9]{0,21}){0,6}\n?){0,4}") {
            Catalogue::new(name_of).read(|visit| walk(text.as_bytes(), 4096, visit));
        }
    }
}
