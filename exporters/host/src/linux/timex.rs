//! How well the kernel's clock is kept, from adjtimex(2). One system call, nothing cached.

use aura_model::{Context, Metric, Missing, Reason, Unit, counter, gauge};
use serde::Serialize;

use super::{Collector, file::Buffer};
use crate::HostOptions;

/// The kernel's answer to a question that changes nothing, in the units of adjtimex(2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields of adjtimex(2)")]
pub struct Timex {
    /// Whether the clock is kept by a server or device.
    pub synchronised: bool,
    pub offset: i64,
    pub frequency: i64,
    pub max_error: i64,
    pub estimated_error: i64,
    pub status: i64,
    pub constant: i64,
    pub tick: i64,
    pub pps_frequency: i64,
    pub jitter: i64,
    pub shift: i64,
    pub stability: i64,
    pub jitter_count: i64,
    pub calibration_count: i64,
    pub error_count: i64,
    pub stability_count: i64,
    pub tai: i64,
    /// Samples whose offset was beyond 4 s: what a kernel bug on virtual clocks makes of it.
    pub overflows: u64,
}

const MICRO: f64 = 1e6;
/// Frequencies are in parts per million with 16 bits behind the point.
const SCALED_PPM: f64 = 1e6 * 65536.0;

impl Timex {
    /// Offset and jitter are in nanoseconds when this bit of the status is set, else in microseconds.
    fn divisor(&self) -> f64 {
        const NANO: i64 = 0x2000;
        if self.status & NANO == 0 { MICRO } else { 1e9 }
    }

    fn offset_seconds(&self) -> f64 {
        self.offset as f64 / self.divisor()
    }
}

macro_rules! timex {
    ($kind:ident $name:literal, $help:literal, $unit:ident, $take:expr) => {
        $kind(concat!("node_timex_", $name), $help, Unit::$unit, &[], |timex, emit| {
            let take: fn(&Timex) -> f64 = $take;
            emit.value(take(timex));
        })
    };
}

pub(super) const METRICS: &[Metric<Timex>] = &[
    timex!(gauge "estimated_error_seconds", "Estimated error in seconds.", Seconds, |t| t.estimated_error as f64 / MICRO),
    timex!(gauge "frequency_adjustment_ratio", "Local clock frequency adjustment.", Ratio,
        |t| 1.0 + t.frequency as f64 / SCALED_PPM),
    timex!(gauge "loop_time_constant", "Phase-locked loop time constant.", None, |t| t.constant as f64),
    timex!(gauge "maxerror_seconds", "Maximum error in seconds.", Seconds, |t| t.max_error as f64 / MICRO),
    timex!(counter "offset_overflow_total",
        "Count of adjtimex() offset readings indicating kernel overflow (|offset| > 4s).", None, |t| t.overflows as f64),
    timex!(gauge "offset_seconds", "Time offset in between local system and reference clock.", Seconds,
        Timex::offset_seconds),
    timex!(counter "pps_calibration_total", "Pulse per second count of calibration intervals.", None,
        |t| t.calibration_count as f64),
    timex!(counter "pps_error_total", "Pulse per second count of calibration errors.", None, |t| t.error_count as f64),
    timex!(gauge "pps_frequency_hertz", "Pulse per second frequency.", Hertz, |t| t.pps_frequency as f64 / SCALED_PPM),
    timex!(gauge "pps_jitter_seconds", "Pulse per second jitter.", Seconds, |t| t.jitter as f64 / t.divisor()),
    timex!(counter "pps_jitter_total", "Pulse per second count of jitter limit exceeded events.", None,
        |t| t.jitter_count as f64),
    timex!(gauge "pps_shift_seconds", "Pulse per second interval duration.", Seconds, |t| t.shift as f64),
    timex!(counter "pps_stability_exceeded_total", "Pulse per second count of stability limit exceeded events.", None,
        |t| t.stability_count as f64),
    timex!(gauge "pps_stability_hertz", "Pulse per second stability, average of recent frequency changes.", Hertz,
        |t| t.stability as f64 / SCALED_PPM),
    timex!(gauge "status", "Value of the status array bits.", None, |t| t.status as f64),
    timex!(gauge "sync_status", "Is clock synchronized to a reliable server (1 = yes, 0 = no).", None,
        |t| f64::from(u8::from(t.synchronised))),
    timex!(gauge "tai_offset_seconds", "International Atomic Time (TAI) offset.", Seconds, |t| t.tai as f64),
    timex!(gauge "tick_seconds", "Seconds between clock ticks.", Seconds, |t| t.tick as f64 / MICRO),
];

#[derive(Default)]
pub(super) struct Reader {
    overflows: u64,
}

impl Collector for Reader {
    type Reading = Timex;

    fn open(_: &HostOptions, _: &Context) -> Self {
        Self::default()
    }

    fn read(&mut self, _: &mut Buffer) -> Result<Timex, Missing> {
        let mut timex = adjtimex().map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => Missing::new(
                Reason::NoPermission,
                "adjtimex: a sandbox forbids reading the clock's state; allow the system call adjtimex",
            ),
            _ => Missing::new(Reason::Unreadable, format!("adjtimex: {error}")),
        })?;
        self.overflows += u64::from(timex.offset_seconds().abs() > 4.0);
        timex.overflows = self.overflows;
        Ok(timex)
    }
}

#[expect(unsafe_code, reason = "no crate offers adjtimex without it; the call fills in a struct that lives here")]
#[allow(clippy::useless_conversion, reason = "the fields are narrower on 32 bit")]
fn adjtimex() -> std::io::Result<Timex> {
    // SAFETY: all fields are integers, for which zeroes are valid; `modes` 0 changes nothing.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid for the call, which keeps nothing of it.
    let state = unsafe { libc::adjtimex(&mut timex) };
    if state < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(Timex {
        synchronised: state != libc::TIME_ERROR,
        offset: timex.offset.into(),
        frequency: timex.freq.into(),
        max_error: timex.maxerror.into(),
        estimated_error: timex.esterror.into(),
        status: timex.status.into(),
        constant: timex.constant.into(),
        tick: timex.tick.into(),
        pps_frequency: timex.ppsfreq.into(),
        jitter: timex.jitter.into(),
        shift: timex.shift.into(),
        stability: timex.stabil.into(),
        jitter_count: timex.jitcnt.into(),
        calibration_count: timex.calcnt.into(),
        error_count: timex.errcnt.into(),
        stability_count: timex.stbcnt.into(),
        tai: timex.tai.into(),
        overflows: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn units_follow_the_status() {
        let mut timex = Timex {
            synchronised: true,
            offset: -1500,
            frequency: 65536 * 20,
            max_error: 16_000_000,
            estimated_error: 250,
            status: 0x2001,
            constant: 7,
            tick: 10_000,
            pps_frequency: 0,
            jitter: 2000,
            shift: 0,
            stability: 0,
            jitter_count: 0,
            calibration_count: 0,
            error_count: 0,
            stability_count: 0,
            tai: 37,
            overflows: 0,
        };
        insta::assert_snapshot!(testing::text(METRICS, &timex));
        timex.status = 1;
        assert_eq!(timex.offset_seconds(), -0.0015);
    }

    #[test]
    fn the_kernel_answers_or_says_no() {
        match Reader::default().read(&mut Buffer::default()) {
            Ok(timex) => assert!((9_000..=11_000).contains(&timex.tick), "{timex:?}"),
            Err(missing) => assert_eq!(missing.reason, Reason::NoPermission, "{missing}"),
        }
    }
}
