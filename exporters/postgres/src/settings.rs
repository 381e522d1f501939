//! The server's settings as numbers, in base units.

use std::collections::BTreeSet;

use aura_model::{Emit, Family, Kind, Metric, Unit};
use serde::Serialize;

use crate::query::{Columns, Every, Query, columns};

columns! {
    /// A setting that is a number or a switch.
    pub struct Setting {
        pub name: String = "name",
        /// Its value as text.
        pub text: String = "setting",
        pub unit: Option<String> = "unit",
        /// `bool`, `integer` or `real`.
        pub kind: String = "vartype",
    }
}

/// The settings, ready to be published.
#[derive(Debug, Serialize)]
pub struct Settings(pub Vec<Number>);

/// A setting as a number.
#[derive(Debug, PartialEq, Serialize)]
pub struct Number {
    /// The metric that shows it.
    pub metric: String,
    /// Its value in base units; -1 and 0 usually mean no limit.
    pub value: f64,
    /// What the value counts.
    #[serde(skip)]
    unit: Unit,
}

pub(crate) const QUERY: Query<Settings> = Query {
    every: Every::Slow,
    ..Query::new("settings", |_, _| sql().into(), |answer| Ok(numbers(&Setting::all(answer)?)))
};

/// What holds for our own session or role alone would not be true of the server, and what the server has instead is not
/// told: those are left out.
fn sql() -> String {
    let columns = Setting::select(|_| None);
    format!(
        "SELECT {columns} FROM pg_catalog.pg_settings WHERE vartype IN ('bool', 'integer', 'real') \
         AND source NOT IN ('client', 'session', 'user', 'database user') \
         AND name NOT IN ('sync_commit_cancel_wait', 'transaction_read_only') ORDER BY name"
    )
}

impl Settings {
    /// A setting's value by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        let metric = format!("pg_settings_{name}");
        self.0.iter().find(|number| number.metric == metric).map(|number| number.value)
    }
}

/// Two settings of extensions may come to the same name: the first in the alphabet is shown.
fn numbers(settings: &[Setting]) -> Settings {
    let mut seen = BTreeSet::new();
    let numbers = settings.iter().filter_map(number).filter(|number| seen.insert(number.metric.clone()));
    Settings(numbers.collect())
}

fn number(setting: &Setting) -> Option<Number> {
    // Names of extensions' settings may hold dots, dollars and letters of any language.
    let name = setting.name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
    if setting.kind == "bool" {
        let value = f64::from(u8::from(setting.text == "on"));
        return Some(Number { metric: format!("pg_settings_{name}"), value, unit: Unit::None });
    }
    let value: f64 = setting.text.parse().ok()?;
    let text = setting.unit.as_deref().unwrap_or_default();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let times: f64 = if digits == 0 { 1.0 } else { text[..digits].parse().ok()? };
    let (factor, suffix, unit) = match &text[digits..] {
        "" => (1.0, "", Unit::None),
        "B" => (1.0, "_bytes", Unit::Bytes),
        "kB" => (1024.0, "_bytes", Unit::Bytes),
        "MB" => (1_048_576.0, "_bytes", Unit::Bytes),
        "GB" => (1_073_741_824.0, "_bytes", Unit::Bytes),
        "TB" => (1_099_511_627_776.0, "_bytes", Unit::Bytes),
        "us" => (1e-6, "_seconds", Unit::Seconds),
        "ms" => (1e-3, "_seconds", Unit::Seconds),
        "s" => (1.0, "_seconds", Unit::Seconds),
        "min" => (60.0, "_seconds", Unit::Seconds),
        "h" => (3600.0, "_seconds", Unit::Seconds),
        "d" => (86_400.0, "_seconds", Unit::Seconds),
        // A unit of a later version: a wrong number would be worse than none.
        _ => return None,
    };
    // -1 switches something off and has no unit.
    let value = if value == -1.0 { value } else { value * factor * times };
    Some(Number { metric: format!("pg_settings_{name}{suffix}"), value, unit })
}

pub(crate) const METRICS: &[Metric<Settings>] = &[Metric {
    family: Family { name: "pg_settings_*", help: HELP, kind: Kind::Gauge, unit: Unit::None, labels: &[] },
    take: |settings, emit| {
        for number in &settings.0 {
            open(number, emit);
            emit.value(number.value);
        }
    },
}];

const HELP: &str = "A setting of the server in base units; switches are 0 or 1, -1 usually means no limit.";

/// Opens the family of a setting.
pub(crate) fn open(number: &Number, emit: &mut dyn Emit) {
    let family = Family { name: &number.metric, help: HELP, kind: Kind::Gauge, unit: number.unit, labels: &[] };
    emit.family(&family);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Settings whose names come to two metrics.
    pub(crate) fn named(numbers: &[u8]) -> Settings {
        let each = numbers.iter().map(|number| Setting {
            name: ["a.b", "a_b", "a-b", "a.c"][usize::from(*number) % 4].to_owned(),
            text: number.to_string(),
            unit: None,
            kind: "integer".to_owned(),
        });
        super::numbers(&each.collect::<Vec<_>>())
    }

    #[test]
    fn every_unit_becomes_a_base_unit() {
        for (text, unit, kind, expected) in [
            ("on", None, "bool", Some(("pg_settings_a_b", 1.0))),
            ("off", None, "bool", Some(("pg_settings_a_b", 0.0))),
            ("100", None, "integer", Some(("pg_settings_a_b", 100.0))),
            ("16384", Some("8kB"), "integer", Some(("pg_settings_a_b_bytes", 134_217_728.0))),
            ("64", Some("MB"), "integer", Some(("pg_settings_a_b_bytes", 67_108_864.0))),
            ("1", Some("16MB"), "integer", Some(("pg_settings_a_b_bytes", 16_777_216.0))),
            ("5", Some("min"), "integer", Some(("pg_settings_a_b_seconds", 300.0))),
            ("1500", Some("ms"), "integer", Some(("pg_settings_a_b_seconds", 1.5))),
            ("-1", Some("ms"), "integer", Some(("pg_settings_a_b_seconds", -1.0))),
            ("7", Some("furlong"), "integer", None),
            ("x", None, "real", None),
        ] {
            let setting =
                Setting { name: "a.b".into(), text: text.into(), unit: unit.map(Into::into), kind: kind.into() };
            let number = number(&setting);
            assert_eq!(number.as_ref().map(|number| (number.metric.as_str(), number.value)), expected, "{setting:?}");
        }
    }
}
