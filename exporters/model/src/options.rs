//! The types of configuration values that every source uses.

use std::{fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// On, off, or on when the box has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    /// On when it is found; when not, the log says why.
    #[default]
    Auto,
    /// On; not finding it is an error that is shown.
    On,
    /// Off.
    Off,
}

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "true" => Ok(Self::On),
            "false" => Ok(Self::Off),
            _ => Err(format!("expected auto, true or false, found {text:?}")),
        }
    }
}

impl Serialize for Switch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::On => serializer.serialize_bool(true),
            Self::Off => serializer.serialize_bool(false),
        }
    }
}

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Switch;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("auto, true or false")
            }
            fn visit_bool<E: de::Error>(self, on: bool) -> Result<Switch, E> {
                Ok(if on { Switch::On } else { Switch::Off })
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Switch, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Switch {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Switch".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": ["auto", true, false] })
    }
}

/// A span of time as people write it: `250ms`, `1s`, `1m30s`, `1h`, `1d`. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval(Duration);

impl Interval {
    /// So many milliseconds; at least one.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        assert!(milliseconds > 0, "an interval is never zero");
        Self(Duration::from_millis(milliseconds))
    }

    /// So many seconds; at least one.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        assert!(seconds > 0, "an interval is never zero");
        Self(Duration::from_secs(seconds))
    }

    /// The span for the clock.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

/// What was written is not a span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration: write 250ms, 1s, 1m30s, 1h or 1d, longer than zero")]
pub struct ParseIntervalError(String);

impl FromStr for Interval {
    type Err = ParseIntervalError;

    fn from_str(text: &str) -> Result<Self, ParseIntervalError> {
        let wrong = || ParseIntervalError(text.to_owned());
        let mut rest = text.trim();
        let mut total = Duration::ZERO;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let milliseconds = match &rest[..letters] {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(wrong()),
            };
            let part = number.checked_mul(milliseconds).ok_or_else(wrong)?;
            total = total.checked_add(Duration::from_millis(part)).ok_or_else(wrong)?;
            rest = &rest[letters..];
        }
        if total.is_zero() { Err(wrong()) } else { Ok(Self(total)) }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_millis();
        for (unit, milliseconds) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            if rest >= milliseconds {
                write!(formatter, "{}{unit}", rest / milliseconds)?;
                rest %= milliseconds;
            }
        }
        Ok(())
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Interval;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a duration such as 250ms, 1s, 1m30s or 1h")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Interval, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl JsonSchema for Interval {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Interval".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$", "examples": ["1s", "250ms", "1m30s"] })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_interval_survives_being_written_and_read(milliseconds in 1..u64::from(u32::MAX) * 1000) {
            let interval = Interval::from_millis(milliseconds);
            prop_assert_eq!(interval.to_string().parse(), Ok(interval));
        }

        #[test]
        fn no_text_makes_the_parser_panic_or_yields_zero(text in "[0-9]{0,21}[a-zµ ]{0,3}[0-9]{0,3}[smhd]{0,2}") {
            if let Ok(interval) = text.parse::<Interval>() {
                prop_assert!(interval.get() > Duration::ZERO);
            }
        }
    }

    #[test]
    fn durations_as_people_write_them() {
        for (text, milliseconds) in
            [("250ms", 250), ("1s", 1000), ("1m30s", 90_000), ("1h", 3_600_000), ("2d", 172_800_000)]
        {
            assert_eq!(text.parse(), Ok(Interval::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "0s", "5", "s", "1 s", "-1s", "1.5s", "1sec", "99999999999999999999s", "9999999999999999999d"]
        {
            assert!(text.parse::<Interval>().is_err(), "{text:?} was accepted");
        }
    }
}
