//! `docs/metrics.md`: every declared metric, from the declarations themselves.

use std::fmt::Write as _;

use aura_model::{Family, Kind, Unit};

use crate::views::groups;

const HEAD: &str = "\
# Metrics

Written by `aura generate docs` from the declarations in the code; do not edit it by hand.

Every metric is at `/metrics`; each part also stands alone at `/metrics/<part>`. `collect[]=GROUP` and
`exclude[]=GROUP` in the query select groups. A metric that this machine does not have is absent, never zero.
A `*` in a name stands for what the system itself names, such as the fields of /proc/meminfo.

In OpenMetrics 1.0 sample names are the same; counters whose public name lacks `_total` are typed `unknown` there.
";

/// The reference as Markdown.
pub(super) fn reference() -> String {
    let mut reference = Reference(HEAD.to_owned());
    for groups in groups().chunk_by(|one, other| one.source == other.source) {
        reference.part(groups[0].source, groups[0].part);
        for group in groups {
            reference.group(group.name, group.declare);
        }
    }
    reference.0
}

struct Reference(String);

impl Reference {
    fn part(&mut self, source: &str, part: &str) {
        let _ = write!(self.0, "\n## {source}: `/metrics/{part}`\n");
    }

    fn group(&mut self, name: &str, declare: fn(aura_model::Show<'_>)) {
        let _ = write!(
            self.0,
            "\n### {name}\n\n| Metric | Type | Unit | Labels | Meaning |\n| --- | --- | --- | --- | --- |\n"
        );
        declare(&mut |family| self.family(family));
    }

    fn family(&mut self, family: &Family<'static>) {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let (kind, unit) = (kind(family.kind), unit(family.unit));
        let help = family.help.replace('|', "\\|").replace('\n', " ");
        let _ = writeln!(self.0, "| `{}` | {kind} | {unit} | {} | {help} |", family.name, labels.join(", "));
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Unknown => "untyped",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
    }
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "",
        Unit::Seconds => "s",
        Unit::Bytes => "bytes",
        Unit::Ratio => "0–1",
        Unit::Celsius => "°C",
        Unit::Volts => "V",
        Unit::Amperes => "A",
        Unit::Watts => "W",
        Unit::Joules => "J",
        Unit::Hertz => "Hz",
    }
}
