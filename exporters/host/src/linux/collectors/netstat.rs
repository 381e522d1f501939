//! What the network protocols count, from /proc/net/netstat and snmp (a line of names, a line of values) and snmp6
//! (`Ip6InOctets 460`). Of several hundred fields those are taken that the option `netstat.fields` names; reading is
//! much cheaper than publishing them.

use std::sync::Arc;

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

/// The chosen fields, called `Tcp_CurrEstab`; the kernel does not say which of them only grow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Netstat {
    /// Extensions of IP and TCP.
    pub netstat: Option<Fields>,
    /// IPv4 and what is on top of it.
    pub snmp: Option<Fields>,
    /// IPv6, where it is not switched off.
    pub snmp6: Option<Fields>,
}

pub(super) const METRICS: &[Metric<Netstat>] = &[Metric {
    family: Family { name: "node_netstat_*", help: "Statistic *.", kind: Kind::Unknown, unit: Unit::None, labels: &[] },
    take: |reading, emit| {
        for fields in [&reading.netstat, &reading.snmp, &reading.snmp6].into_iter().flatten() {
            fields.emit(Kind::Unknown, emit);
        }
    },
}];

pub(super) struct Reader {
    netstat: (KeptFile, Catalogue),
    snmp: (KeptFile, Catalogue),
    snmp6: (KeptFile, Catalogue),
}

impl Collector for Reader {
    type Reading = Netstat;

    fn open(options: &HostOptions, context: &Context) -> Self {
        let filter = Arc::new(Filter::new("", &options.netstat.fields));
        let file = |name| {
            let filter = filter.clone();
            let catalogue = Catalogue::new(move |protocol, field| name_of(&filter, protocol, field));
            (KeptFile::short_lines(context.paths.procfs.join("net").join(name)), catalogue)
        };
        Self { netstat: file("netstat"), snmp: file("snmp"), snmp6: file("snmp6") }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Netstat, Missing> {
        let mut fields = |(file, catalogue): &mut (KeptFile, Catalogue), walk: fn(&[u8], Visit<'_>)| {
            let text = file.read(buffer)?;
            let fields = catalogue.read(|visit| walk(text, visit));
            if catalogue.is_empty() { Err(file.unreadable("names and values")) } else { Ok(fields) }
        };
        let netstat = fields(&mut self.netstat, walk_pairs);
        let snmp = fields(&mut self.snmp, walk_pairs);
        let snmp6 = fields(&mut self.snmp6, walk_snmp6);
        match (netstat, snmp, snmp6) {
            (Err(missing), Err(_), Err(_)) => Err(missing),
            (netstat, snmp, snmp6) => Ok(Netstat { netstat: netstat.ok(), snmp: snmp.ok(), snmp6: snmp6.ok() }),
        }
    }
}

fn name_of(filter: &Filter, protocol: &str, name: &str) -> Option<FieldName> {
    let field = format!("{protocol}_{name}");
    let help = format!("Statistic {protocol}{name}.");
    filter.passes(&field).then(|| FieldName { metric: format!("node_netstat_{field}"), help, unit: Unit::None, field })
}

/// Pairs of lines. A pair that does not match costs that protocol.
fn walk_pairs(text: &[u8], visit: Visit<'_>) {
    let mut lines = lines(text);
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let (mut names, mut values) = (words(names), words(values));
        let Some(protocol) = names.next().and_then(|word| word.strip_suffix(b":")) else { continue };
        if values.next().and_then(|word| word.strip_suffix(b":")) != Some(protocol) {
            continue;
        }
        for (name, value) in names.zip(values) {
            if let Some(value) = signed(value) {
                visit(protocol, name, value);
            }
        }
    }
}

/// The protocol's name ends with the first 6. `Ip6OutNoRoutes` is of `Ip6`.
fn walk_snmp6(text: &[u8], visit: Visit<'_>) {
    for line in lines(text) {
        let mut words = words(line);
        let Some((name, value)) = words.next().zip(words.next().and_then(signed)) else { continue };
        if let Some(six) = name.iter().position(|&byte| byte == b'6') {
            visit(&name[..=six], &name[six + 1..], value);
        }
    }
}

/// `Tcp: MaxConn` is -1 where there is no limit.
fn signed(word: &[u8]) -> Option<Value> {
    match word.strip_prefix(b"-") {
        Some(digits) => number(digits)?.try_into().ok().map(|number: i64| Value::Signed(-number)),
        None => number(word).map(Value::Unsigned),
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
            insta::assert_snapshot!(format!("netstat@{tree}"), output(tree, &["netstat"]));
        }
    }

    fn all(text: &str, walk: fn(&[u8], Visit<'_>)) -> Vec<(String, Value)> {
        let mut seen = Vec::new();
        walk(text.as_bytes(), &mut |protocol, name, value| {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            seen.push((text(protocol) + "_" + &text(name), value));
        });
        seen
    }

    #[test]
    fn a_pair_of_lines_that_does_not_match_costs_that_protocol() {
        let text = "Ip: A B\nTcp: 1 2\nUdp: A B\nUdp: 3 x\nIcmp: A";
        assert_eq!(all(text, walk_pairs), [("Udp_A".into(), Value::Unsigned(3))]);
    }

    proptest! {
        #[test]
        fn pairs_of_lines_are_read_as_they_were_written(
            protocols in prop::collection::vec(("[A-Z][a-z]{1,5}", prop::collection::vec(any::<i64>(), 0..9)), 0..6)
        ) {
            let (mut text, mut expected) = (String::new(), Vec::new());
            for (protocol, values) in &protocols {
                let names: String = (0..values.len()).map(|at| format!(" F{at}")).collect();
                let numbers: String = values.iter().map(|value| format!(" {value}")).collect();
                text += &format!("{protocol}:{names}\n{protocol}:{numbers}\n");
                expected.extend(values.iter().enumerate().filter(|(_, value)| **value != i64::MIN).map(|(at, &value)| {
                    let value = u64::try_from(value).map_or(Value::Signed(value), Value::Unsigned);
                    (format!("{protocol}_F{at}"), value)
                }));
            }
            prop_assert_eq!(all(&text, walk_pairs), expected);
        }

        #[test]
        fn no_bytes_make_the_parsers_panic(text in "([A-Za-z6]{0,4}:?( -?[0-9]{0,21}){0,4}\n?){0,8}") {
            all(&text, walk_pairs);
            all(&text, walk_snmp6);
        }
    }
}
