//! Times as every message writes them.

use jiff::{Timestamp, Unit};

/// RFC 3339 in UTC with milliseconds, rounded: `2026-11-23T07:00:00.250Z`.
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    let time = time.round(Unit::Millisecond).unwrap_or(time);
    format!("{time:.3}")
}

/// The same of Unix seconds; none for what lies beyond the calendar.
#[must_use]
pub fn rfc3339_of_seconds(seconds: f64) -> Option<String> {
    #[expect(clippy::cast_possible_truncation, reason = "what lies outside is no time and is refused next")]
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok().map(rfc3339)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rounded_to_the_millisecond() {
        assert_eq!(rfc3339("2026-11-23T06:59:59.9996Z".parse().unwrap()), "2026-11-23T07:00:00.000Z");
        assert_eq!(rfc3339_of_seconds(1_795_417_199.25).as_deref(), Some("2026-11-23T06:59:59.250Z"));
        assert_eq!(rfc3339_of_seconds(f64::INFINITY), None);
    }
}
