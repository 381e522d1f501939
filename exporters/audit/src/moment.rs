//! The times that log lines carry, as milliseconds since 1970.

use jiff::{
    Timestamp,
    civil::{Date, date},
};

use crate::scan::Scalar;

const EPOCH: Date = date(1970, 1, 1);
/// The end of the year 9999.
const LATEST: f64 = 253_402_300_799_999.0;

/// A number of seconds, milliseconds or microseconds, told apart by its size, or RFC 3339; without a zone it is UTC.
pub(crate) fn milliseconds(value: Scalar<'_>) -> Option<i64> {
    match value.text() {
        Some(text) => fast(text.raw).or_else(|| slow(&text.decode())),
        None => {
            let digits = value.number()?;
            seconds(digits).or_else(|| number(digits.parse().ok()?))
        }
    }
}

/// `1765800007.123456`: seconds of this age, which nearly all numbers are.
fn seconds(digits: &str) -> Option<i64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() > 11 || fraction.len() > 9 {
        return None;
    }
    let number = |digits: &str| {
        digits.bytes().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let unit = 10_i64.pow(u32::try_from(fraction.len()).ok()?);
    Some(number(whole)? * 1000 + (number(fraction)? * 2000 + unit) / (2 * unit))
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

/// `2025-12-15T12:00:07.123456+00:00` and its shorter forms, which nearly all lines have.
fn fast(text: &[u8]) -> Option<i64> {
    let digit = |at: usize| text.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0'));
    let two = |at: usize| Some(digit(at)? * 10 + digit(at + 1)?);
    let is = |at: usize, byte: u8| text.get(at) == Some(&byte);
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    let shaped = is(4, b'-') && is(7, b'-') && (is(10, b'T') || is(10, b' ')) && is(13, b':') && is(16, b':');
    if !shaped || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (mut at, mut nanoseconds, mut place) = (19, 0, 100_000_000);
    if is(at, b'.') {
        at += 1;
        digit(at)?;
        while let Some(digit) = digit(at) {
            nanoseconds += digit * place;
            place /= 10;
            at += 1;
        }
    }
    let offset = match text.get(at..)? {
        b"" | b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let minutes = two(at + 1)? * 60 + two(at + 4)?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let days =
        Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()?.duration_since(EPOCH);
    let seconds = days.as_secs() + ((hour * 60) + minute - offset) * 60 + second;
    Some(seconds * 1000 + (nanoseconds + 500_000).div_euclid(1_000_000))
}

fn slow(text: &str) -> Option<i64> {
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

        #[test]
        fn the_quick_reading_is_the_thorough_one(milliseconds in 0i64..253_402_300_799_000, digits in 0usize..10) {
            let time = Timestamp::from_millisecond(milliseconds).unwrap();
            let text = format!("{time:.digits$}");
            prop_assert_eq!(fast(text.as_bytes()), slow(&text), "{}", text);
            prop_assert!(fast(text.as_bytes()).is_some());
        }
    }
}
