//! `keep_alive` as Ollama reads it: a number of seconds, or a duration as Go writes it; negative is for ever.

use jiff::SignedDuration;
use serde_json::Value;

/// The longest duration Go knows: 2^63 - 1 nanoseconds, about 292 years.
pub(crate) const FOREVER: SignedDuration = SignedDuration::from_nanos(i64::MAX);

/// How long to keep a model. What is below zero is over at once.
///
/// # Errors
/// The text of Ollama's 400.
pub(crate) fn keep_alive(value: &Value, whole_seconds: bool) -> Result<SignedDuration, String> {
    match value {
        Value::Number(number) => {
            let seconds = number.as_f64().unwrap_or(0.0);
            let seconds = if whole_seconds { seconds.trunc() } else { seconds };
            Ok(if seconds < 0.0 { FOREVER } else { nanoseconds(seconds * 1e9) })
        }
        Value::String(text) => parse(text),
        Value::Bool(_) => Err("Unsupported type: 'bool'".into()),
        Value::Array(_) => Err("Unsupported type: '[]interface {}'".into()),
        Value::Object(_) | Value::Null => Err("Unsupported type: 'map[string]interface {}'".into()),
    }
}

/// As Go converts on amd64: a number that does not fit becomes the smallest there is.
fn nanoseconds(number: f64) -> SignedDuration {
    SignedDuration::from_nanos(if number < i64::MAX as f64 { number as i64 } else { i64::MIN })
}

fn parse(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("time: invalid duration {text:?}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(SignedDuration::ZERO);
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
    if seconds * 1e9 >= i64::MAX as f64 {
        return Err(wrong());
    }
    Ok(if negative { FOREVER } else { nanoseconds(seconds * 1e9) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keep_alive_as_ollama_reads_it() {
        for (value, milliseconds) in [
            (json!(0), 0),
            (json!(90), 90_000),
            (json!(1.9), 1900),
            (json!("10m"), 600_000),
            (json!("1h30m"), 5_400_000),
            (json!("1.5s"), 1500),
            (json!("0"), 0),
        ] {
            assert_eq!(keep_alive(&value, false), Ok(SignedDuration::from_millis(milliseconds)), "{value}");
        }
        for value in [json!(-1), json!("-1s")] {
            assert_eq!(keep_alive(&value, false), Ok(FOREVER), "{value}");
        }
        // A number that is too large for Go's durations comes out below zero, and a text is refused.
        assert!(keep_alive(&json!(1e20), false).is_ok_and(|keep| keep.is_negative()));
        for value in [json!("10"), json!(""), json!("five"), json!("1d"), json!(true), json!("9223372037s")] {
            assert!(keep_alive(&value, false).is_err(), "{value} was accepted");
        }
        assert_eq!(keep_alive(&json!(0.5), true), Ok(SignedDuration::ZERO), "up to 0.24");
    }
}
