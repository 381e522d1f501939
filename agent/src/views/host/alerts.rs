//! Which limits are exceeded, and since when.

use jiff::Timestamp;

use super::{Vitals, message::Alert};
use crate::{config::Thresholds, views::time::rfc3339};

/// A vital number that has a limit: its name in the configuration, its unit, where it is found.
struct Limited {
    name: &'static str,
    unit: &'static str,
    take: fn(&Vitals) -> Option<f64>,
}

const LIMITED: [Limited; 9] = [
    Limited { name: "cpu", unit: "percent", take: |vitals| vitals.cpu_percent },
    Limited { name: "memory", unit: "percent", take: |vitals| vitals.memory_percent },
    Limited { name: "swap", unit: "percent", take: |vitals| vitals.swap_percent },
    Limited { name: "disk", unit: "percent", take: |vitals| vitals.fullest_disk_percent },
    Limited { name: "temperature", unit: "celsius", take: |vitals| vitals.temperature },
    Limited { name: "load_per_cpu", unit: "tasks per CPU", take: |vitals| vitals.load_per_cpu },
    Limited { name: "pressure_cpu", unit: "percent", take: |vitals| vitals.pressure_cpu },
    Limited { name: "pressure_memory", unit: "percent", take: |vitals| vitals.pressure_memory },
    Limited { name: "pressure_io", unit: "percent", take: |vitals| vitals.pressure_io },
];

const SEVERITIES: [&str; 2] = ["critical", "warning"];

/// Remembers since when each value lies above each of its limits.
#[derive(Default)]
pub(super) struct Alerts {
    above: [[Option<Timestamp>; SEVERITIES.len()]; LIMITED.len()],
}

impl Alerts {
    /// Looks at one reading: the limits that have been exceeded for as long as the configuration asks. A value that
    /// is not known exceeds nothing.
    pub(super) fn judge(&mut self, now: Timestamp, vitals: &Vitals, thresholds: &Thresholds) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for (limited, above) in LIMITED.iter().zip(&mut self.above) {
            let Some((_, threshold)) = thresholds.all().into_iter().find(|(name, _)| *name == limited.name) else {
                continue;
            };
            let value = (limited.take)(vitals);
            let mut worst = None;
            for ((severity, limit), above) in
                SEVERITIES.into_iter().zip([threshold.critical, threshold.warning]).zip(above)
            {
                let exceeded = value.zip(limit).filter(|(value, limit)| value > limit);
                let Some((value, limit)) = exceeded else {
                    *above = None;
                    continue;
                };
                let since = *above.get_or_insert(now);
                let long_enough = now.duration_since(since).as_secs_f64() >= threshold.sustained.get().as_secs_f64();
                if long_enough && worst.is_none() {
                    let (name, unit) = (limited.name, limited.unit);
                    worst = Some(Alert { name, severity, value, threshold: limit, unit, since: rfc3339(since) });
                }
            }
            alerts.extend(worst);
        }
        alerts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: usize) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second as i64).expect("a time")
    }

    #[test]
    fn every_threshold_of_the_configuration_is_watched() {
        let configured: Vec<&str> = Thresholds::default().all().iter().map(|(name, _)| *name).collect();
        let watched: Vec<&str> = LIMITED.iter().map(|limited| limited.name).collect();
        assert_eq!(watched, configured);
    }

    proptest! {
        #[test]
        fn a_limit_is_exceeded_when_every_value_of_its_time_was_above(
            values in prop::collection::vec(prop::option::weighted(0.95, 80.0..100.0), 1..200),
        ) {
            let thresholds = Thresholds::default();
            let memory = thresholds.memory;
            let mut alerts = Alerts::default();
            for second in 0..values.len() {
                let vitals = Vitals { memory_percent: values[second], ..Vitals::default() };
                let found = alerts.judge(at(second), &vitals, &thresholds);
                let run = |limit: Option<f64>| values[..=second].iter().rev()
                    .take_while(|value| value.is_some_and(|value| Some(value) > limit)).count();
                let long = memory.sustained.get().as_secs() as usize;
                let expected = if run(memory.critical) > long { Some("critical") }
                    else if run(memory.warning) > long { Some("warning") } else { None };
                prop_assert_eq!(found.first().map(|alert| alert.severity), expected);
                if let Some(alert) = found.first() {
                    let limit = if alert.severity == "critical" { memory.critical } else { memory.warning };
                    prop_assert_eq!(&alert.since, &rfc3339(at(second + 1 - run(limit))));
                }
            }
        }
    }
}
