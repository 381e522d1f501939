//! The times that log lines carry, as milliseconds since 1970.

use jiff::Timestamp;

use crate::scan::Scalar;

/// The end of the year 9999.
const LATEST: f64 = 253_402_300_799_999.0;

/// A number of seconds, milliseconds or microseconds, told apart by its size, or RFC 3339; without a zone it is UTC.
pub(crate) fn milliseconds(value: Scalar<'_>) -> Option<i64> {
    match value.text() {
        Some(text) => rfc3339_or_local(&text.decode()),
        None => {
            let digits = value.number()?;
            seconds(digits).or_else(|| number(digits.parse().ok()?))
        }
    }
}

/// `1765800007.123456`: seconds of this age, which nearly all numbers are.
fn seconds(digits: &str) -> Option<i64> {
    let digits = digits.as_bytes();
    let point = digits.iter().take(12).position(|&byte| byte == b'.').unwrap_or(digits.len());
    let fraction = digits.get(point + 1..).unwrap_or_default();
    if point > 11 || fraction.len() > 9 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let whole = digits[..point]
        .iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))?;
    // The fourth digit says which way to round.
    let digit = |place: usize| fraction.get(place).map_or(0, |byte| i64::from(byte - b'0'));
    Some(whole * 1000 + digit(0) * 100 + digit(1) * 10 + digit(2) + i64::from(digit(3) >= 5))
}

fn number(number: f64) -> Option<i64> {
    let milliseconds = match number.abs() {
        size if size > 1e14 => number / 1e3,
        size if size > 1e11 => number,
        _ => number * 1e3,
    };
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (milliseconds.abs() <= LATEST).then(|| milliseconds.round() as i64)
}

fn rfc3339_or_local(text: &str) -> Option<i64> {
    let text = text.trim();
    let time: Timestamp = text.parse().ok().or_else(|| {
        text.parse::<jiff::civil::DateTime>()
            .ok()?
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    })?;
    time.as_nanosecond().div_euclid(1000).saturating_add(500).div_euclid(1000).try_into().ok()
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(milliseconds: i64) -> Option<String> {
    Timestamp::from_millisecond(milliseconds).ok().map(aura_model::rfc3339)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Option<String> {
        let line = format!("{{\"t\":{json}}}");
        let mut time = None;
        crate::scan::object(line.as_bytes(), |_, value| time = milliseconds(value)).unwrap();
        time.and_then(rfc3339)
    }

    #[test]
    fn every_form_of_a_time() {
        let at = |text: &str| Some(text.to_owned());
        for json in [
            "1765800000.25",
            "1765800000250",
            "1765800000250000",
            "\"2025-12-15T12:00:00.25Z\"",
            "\"2025-12-15T12:00:00.250\"",
            "\"2025-12-15 12:00:00.250\"",
            "\"2025-12-15T14:00:00.250000+02:00\"",
            "\"2025-12-15T07:30:00.250-04:30\"",
        ] {
            assert_eq!(read(json), at("2025-12-15T12:00:00.250Z"), "{json}");
        }
        for json in [
            "\"not-a-time\"",
            "null",
            "true",
            "{}",
            "1e300",
            "\"\"",
            "\"2025-13-01T00:00:00Z\"",
            "\"2025-02-30T00:00:00Z\"",
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn a_number_of_seconds_is_rounded_to_the_millisecond(
            whole in 0i64..99_999_999_999,
            fraction in prop::option::of("[0-9]{1,9}"),
        ) {
            let text = fraction.as_ref().map_or(whole.to_string(), |fraction| format!("{whole}.{fraction}"));
            let nanoseconds: i64 = format!("{:0<9}", fraction.unwrap_or_default()).parse().unwrap();
            let expected = whole * 1000 + (nanoseconds + 500_000) / 1_000_000;
            prop_assert_eq!(seconds(&text), Some(expected));
            // A float may fall to the other side of a half.
            prop_assert!((number(text.parse().unwrap()).unwrap() - expected).abs() <= 1, "{}", text);
        }
    }
}
