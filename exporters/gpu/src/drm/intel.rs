//! Intel's cards (kernel drivers i915 and xe). The kernel counts no load for the whole card, only how long it slept:
//! that is given as it is, and no load is made up from it.

use super::sysfs::Folder;
use crate::reading::Values;

/// Reads a card.
pub(super) fn read(card: &Folder) -> Values {
    let mut values = if card.folder("device/tile0").entries().is_empty() { i915(card) } else { xe(card) };
    if let Some(hwmon) = card.hwmon() {
        sensors(&hwmon, &mut values);
    }
    values
}

fn i915(card: &Folder) -> Values {
    let clock = |new: &str, old: &str| card.scaled(new, 1e-6).or_else(|| card.scaled(old, 1e-6));
    let mut values = Values {
        clock_graphics: clock("gt/gt0/rps_act_freq_mhz", "gt_act_freq_mhz"),
        clock_graphics_max: clock("gt/gt0/rps_RP0_freq_mhz", "gt_RP0_freq_mhz"),
        idle_seconds: card
            .scaled("gt/gt0/rc6_residency_ms", 1000.0)
            .or_else(|| card.scaled("power/rc6_residency_ms", 1000.0)),
        ..Values::default()
    };
    let reasons = [
        ("power_limit_1", "throttle_reason_pl1"),
        ("power_limit_2", "throttle_reason_pl2"),
        ("power_limit_4", "throttle_reason_pl4"),
        ("thermal", "throttle_reason_thermal"),
        ("prochot", "throttle_reason_prochot"),
    ];
    values.throttle = throttle(&card.folder("gt/gt0"), &reasons);
    values
}

fn xe(card: &Folder) -> Values {
    let gt = card.folder("device/tile0/gt0");
    let reasons = [
        ("power_limit_1", "freq0/throttle/reason_pl1"),
        ("power_limit_2", "freq0/throttle/reason_pl2"),
        ("power_limit_4", "freq0/throttle/reason_pl4"),
        ("thermal", "freq0/throttle/reason_thermal"),
        ("prochot", "freq0/throttle/reason_prochot"),
    ];
    Values {
        clock_graphics: gt.scaled("freq0/act_freq", 1e-6),
        clock_graphics_max: gt.scaled("freq0/rp0_freq", 1e-6),
        idle_seconds: gt.scaled("gtidle/idle_residency_ms", 1000.0),
        throttle: throttle(&gt, &reasons),
        ..Values::default()
    }
}

fn throttle(folder: &Folder, reasons: &[(&'static str, &str)]) -> Option<Vec<(&'static str, bool)>> {
    let now: Vec<(&str, bool)> =
        reasons.iter().filter_map(|&(reason, file)| Some((reason, folder.number(file)? != 0))).collect();
    (!now.is_empty()).then_some(now)
}

fn sensors(hwmon: &Folder, values: &mut Values) {
    values.energy = hwmon.scaled("energy1_input", 1e6);
    values.power_limit = hwmon.scaled("power1_max", 1e6).filter(|&watts| watts > 0.0);
    values.voltage = hwmon.scaled("in0_input", 1000.0);
    for number in 1..=4 {
        let celsius = hwmon.scaled(&format!("temp{number}_input"), 1000.0);
        match hwmon.text(&format!("temp{number}_label")).as_deref() {
            Some("vram") => values.temperature_memory = celsius,
            Some("pkg") | None if celsius.is_some() => values.temperature = celsius,
            _ => {}
        }
        values.fan_rpm.extend(hwmon.scaled(&format!("fan{number}_input"), 1.0));
    }
}
