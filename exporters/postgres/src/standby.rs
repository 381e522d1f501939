//! Since when a standby has heard nothing. Its lag does not tell: who is cut off has replayed all that it received, and
//! is 0 seconds behind for ever. The server forgets what it heard when the process that receives ends; here it is kept.

use std::time::{Duration, Instant};

use aura_model::{Metric, rows};
use serde::Serialize;

use crate::{Cluster, Receivers};

/// A standby that receives nothing for so long is cut off: a receiver that ends is started again after five seconds.
const CUT_OFF_WITHOUT_RECEIVER: f64 = 10.0;

/// A receiver that hears nothing for its `wal_receiver_timeout` gives up; this is that setting where it is not known.
const USUAL_TIMEOUT: f64 = 60.0;

/// How a standby stands to the server that it receives from.
#[derive(Debug, PartialEq, Serialize)]
pub struct Standby {
    /// Seconds since the last message came, or at least so many: before the agent looked it may have been silent for
    /// long. None when nobody can tell: it receives from an archive alone, or the role may not see it.
    pub silent_seconds: Option<f64>,
    /// It should receive and does not.
    pub cut_off: Option<bool>,
}

/// What was heard.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    /// When the newest message came, by the server's clock.
    heard: Option<f64>,
    /// Since when there is no receiver.
    without: Option<Instant>,
}

impl Listening {
    /// Takes in a sample of a standby. `timeout` is its `wal_receiver_timeout`.
    pub(crate) fn take(
        &mut self,
        cluster: &Cluster,
        receivers: Option<&Receivers>,
        timeout: Option<f64>,
        now: Instant,
    ) -> Standby {
        let unknown = Standby { silent_seconds: None, cut_off: None };
        let Some(receivers) = receivers else { return unknown };
        if let Some(received) = receivers.0.iter().filter_map(|one| one.received).reduce(f64::max) {
            self.heard = Some(self.heard.map_or(received, |heard| heard.max(received)));
        }
        let since = self.heard.map(|heard| (cluster.now - heard).max(0.0));
        let streams = receivers.0.iter().any(|one| one.status.as_deref() == Some("streaming"));
        if streams {
            self.without = None;
            let longest = timeout.filter(|seconds| *seconds > 0.0).unwrap_or(USUAL_TIMEOUT);
            return Standby { silent_seconds: since, cut_off: since.map(|since| since > longest) };
        }
        let without = now.duration_since(*self.without.get_or_insert(now));
        if cluster.has_primary == Some(false) {
            return unknown;
        }
        let silent = since.unwrap_or(Duration::as_secs_f64(&without));
        Standby {
            silent_seconds: Some(silent),
            cut_off: cluster.has_primary.map(|_| without.as_secs_f64() >= CUT_OFF_WITHOUT_RECEIVER),
        }
    }
}

pub(crate) const METRICS: &[Metric<Standby>] = rows! { |standby|
    gauge "aura_postgres_standby_silent_seconds" in Seconds = standby.silent_seconds,
        "How long, at least, the standby has heard nothing from the server that it receives from.";
    gauge "aura_postgres_standby_cut_off" = standby.cut_off,
        "Whether the standby should receive changes and does not: its lag says nothing then.";
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Receiver, cluster::tests::cluster};

    fn receiver(status: &str, received: Option<f64>) -> Receivers {
        let status = Some(status.to_owned());
        Receivers(vec![Receiver { status, received, ..Receiver::default() }])
    }

    #[test]
    fn silence_is_counted_from_the_last_message_whatever_became_of_the_receiver() {
        let (mut listening, began) = (Listening::default(), Instant::now());
        let mut at = |second: u64, receivers: &Receivers| {
            let cluster = Cluster { now: 1000.0 + second as f64, has_primary: Some(true), ..cluster() };
            listening.take(&cluster, Some(receivers), Some(60.0), began + Duration::from_secs(second))
        };
        let said = |silent: f64, cut_off| Standby { silent_seconds: Some(silent), cut_off: Some(cut_off) };
        assert_eq!(at(0, &receiver("streaming", Some(999.0))), said(1.0, false));
        assert_eq!(at(30, &receiver("streaming", Some(999.0))), said(31.0, false));
        assert_eq!(at(70, &receiver("streaming", Some(999.0))), said(71.0, true));
        assert_eq!(at(71, &receiver("streaming", Some(1071.0))), said(0.0, false));
        assert_eq!(at(75, &Receivers(Vec::new())), said(4.0, false));
        assert_eq!(at(84, &Receivers(Vec::new())), said(13.0, false));
        assert_eq!(at(85, &Receivers(Vec::new())), said(14.0, true));
        assert_eq!(at(90, &receiver("starting", None)), said(19.0, true));
        assert_eq!(at(91, &receiver("streaming", Some(1091.0))), said(0.0, false));
    }

    #[test]
    fn a_standby_that_never_had_a_receiver_is_silent_since_we_look_unless_it_reads_an_archive() {
        let began = Instant::now();
        let silent = |has_primary| {
            let mut listening = Listening::default();
            let cluster = Cluster { has_primary, ..cluster() };
            listening.take(&cluster, Some(&Receivers(Vec::new())), None, began);
            listening.take(&cluster, Some(&Receivers(Vec::new())), None, began + Duration::from_secs(12))
        };
        assert_eq!(silent(Some(true)), Standby { silent_seconds: Some(12.0), cut_off: Some(true) });
        assert_eq!(silent(Some(false)), Standby { silent_seconds: None, cut_off: None });
        assert_eq!(silent(None), Standby { silent_seconds: Some(12.0), cut_off: None });
    }

    proptest! {
        /// However receivers come and go, silence is never less than the time since the newest message.
        #[test]
        fn silence_is_never_shorter_than_it_is(steps in proptest::collection::vec((1_u64..40, 0_u8..4), 1..40)) {
            let (mut listening, began) = (Listening::default(), Instant::now());
            let (mut second, mut newest) = (0, None::<u64>);
            for (pause, what) in steps {
                second += pause;
                let receivers = match what {
                    0 => { newest = Some(second); receiver("streaming", Some(1000.0 + second as f64)) }
                    1 => receiver("streaming", newest.map(|newest| 1000.0 + newest as f64)),
                    2 => receiver("starting", None),
                    _ => Receivers(Vec::new()),
                };
                let cluster = Cluster { now: 1000.0 + second as f64, has_primary: Some(true), ..cluster() };
                let said = listening.take(&cluster, Some(&receivers), None, began + Duration::from_secs(second));
                if let Some(newest) = newest {
                    prop_assert_eq!(said.silent_seconds, Some((second - newest) as f64));
                }
                if what == 0 {
                    prop_assert_eq!(said.cut_off, Some(false));
                }
            }
        }
    }
}
