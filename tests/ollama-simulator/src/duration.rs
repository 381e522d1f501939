//! `keep_alive` as Ollama reads it: a number of seconds, or a duration as Go writes it; negative is for ever.

use std::time::Duration;

use serde_json::Value;

/// The longest duration Go knows: 2^63 - 1 nanoseconds, about 292 years.
pub(crate) const FOREVER: Duration = Duration::from_nanos(i64::MAX as u64);

/// How long to keep a model.
///
/// # Errors
/// The text of Ollama's 400.
pub(crate) fn keep_alive(value: &Value) -> Result<Duration, String> {
    match value {
        Value::Number(number) => {
            let seconds = number.as_f64().unwrap_or(0.0);
            // As in older versions fractions of a second are cut off; newer ones count them.
            Ok(if seconds < 0.0 { FOREVER } else { Duration::try_from_secs_f64(seconds.trunc()).unwrap_or(FOREVER) })
        }
        Value::String(text) => parse(text),
        Value::Bool(_) => Err("Unsupported type: 'bool'".into()),
        Value::Array(_) => Err("Unsupported type: '[]interface {}'".into()),
        Value::Object(_) | Value::Null => Err("Unsupported type: 'map[string]interface {}'".into()),
    }
}

fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("time: invalid duration {text:?}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(|| format!("time: missing unit in duration {text:?}"))?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        seconds += number
            * match &rest[..letters] {
                "ns" => 1e-9,
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                unit => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
            };
        rest = &rest[letters..];
    }
    if negative { Ok(FOREVER) } else { Ok(Duration::try_from_secs_f64(seconds).unwrap_or(FOREVER).min(FOREVER)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keep_alive_as_ollama_reads_it() {
        for (value, expected) in [
            (json!(0), Duration::ZERO),
            (json!(90), Duration::from_secs(90)),
            (json!(1.9), Duration::from_secs(1)),
            (json!(-1), FOREVER),
            (json!("10m"), Duration::from_secs(600)),
            (json!("1h30m"), Duration::from_secs(5400)),
            (json!("1.5s"), Duration::from_millis(1500)),
            (json!("-1s"), FOREVER),
            (json!("0"), Duration::ZERO),
        ] {
            assert_eq!(keep_alive(&value), Ok(expected), "{value}");
        }
        for value in [json!("10"), json!(""), json!("five"), json!("1d"), json!(true)] {
            assert!(keep_alive(&value).is_err(), "{value} was accepted");
        }
    }
}
