//! How well the kernel's clock is kept, from adjtimex(2). One system call, nothing cached.

use aura_model::{Context, Metric, Missing, Reason, rows};
use serde::Serialize;

use super::Collector;
use crate::{HostOptions, linux::kernel::file::Buffer};

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

pub(super) const METRICS: &[Metric<Timex>] = rows! { |t|
    gauge "node_timex_estimated_error_seconds" in Seconds = t.estimated_error as f64 / MICRO,
        "Estimated error in seconds.";
    gauge "node_timex_frequency_adjustment_ratio" in Ratio = 1.0 + t.frequency as f64 / SCALED_PPM,
        "Local clock frequency adjustment.";
    gauge "node_timex_loop_time_constant" = t.constant, "Phase-locked loop time constant.";
    gauge "node_timex_maxerror_seconds" in Seconds = t.max_error as f64 / MICRO, "Maximum error in seconds.";
    counter "node_timex_offset_overflow_total" = t.overflows,
        "Count of adjtimex() offset readings indicating kernel overflow (|offset| > 4s).";
    gauge "node_timex_offset_seconds" in Seconds = t.offset_seconds(),
        "Time offset in between local system and reference clock.";
    counter "node_timex_pps_calibration_total" = t.calibration_count, "Pulse per second count of calibration intervals.";
    counter "node_timex_pps_error_total" = t.error_count, "Pulse per second count of calibration errors.";
    gauge "node_timex_pps_frequency_hertz" in Hertz = t.pps_frequency as f64 / SCALED_PPM, "Pulse per second frequency.";
    gauge "node_timex_pps_jitter_seconds" in Seconds = t.jitter as f64 / t.divisor(), "Pulse per second jitter.";
    counter "node_timex_pps_jitter_total" = t.jitter_count, "Pulse per second count of jitter limit exceeded events.";
    gauge "node_timex_pps_shift_seconds" in Seconds = t.shift, "Pulse per second interval duration.";
    counter "node_timex_pps_stability_exceeded_total" = t.stability_count,
        "Pulse per second count of stability limit exceeded events.";
    gauge "node_timex_pps_stability_hertz" in Hertz = t.stability as f64 / SCALED_PPM,
        "Pulse per second stability, average of recent frequency changes.";
    gauge "node_timex_status" = t.status, "Value of the status array bits.";
    gauge "node_timex_sync_status" = t.synchronised, "Is clock synchronized to a reliable server (1 = yes, 0 = no).";
    gauge "node_timex_tai_offset_seconds" in Seconds = t.tai, "International Atomic Time (TAI) offset.";
    gauge "node_timex_tick_seconds" in Seconds = t.tick as f64 / MICRO, "Seconds between clock ticks.";
};

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
    use super::*;
    use crate::linux::testing;

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
