//! AMD's cards (kernel driver amdgpu). `pcie_bw` is not read: the kernel sleeps a second to measure it.

use super::sysfs::Folder;
use crate::reading::Values;

/// Reads a card.
pub(super) fn read(card: &Folder) -> Values {
    let device = card.device();
    let mut values = Values {
        busy: share(&device, "gpu_busy_percent"),
        memory_busy: share(&device, "mem_busy_percent"),
        memory_total: device.number("mem_info_vram_total"),
        memory_used: device.number("mem_info_vram_used"),
        pcie_width: device.text("current_link_width").and_then(|width| width.parse().ok()).filter(|&width| width > 0),
        pcie_generation: device.text("current_link_speed").and_then(|speed| generation(&speed)),
        pcie_replays: device.number("pcie_replay_count"),
        clock_graphics_max: highest(&device, "pp_dpm_sclk"),
        clock_memory_max: highest(&device, "pp_dpm_mclk"),
        ..Values::default()
    };
    values.memory_free = values.memory_total.zip(values.memory_used).and_then(|(total, used)| total.checked_sub(used));
    if let Some(errors) = device.text("ras/umc_err_count") {
        values.ecc_corrected = count(&errors, "ce:");
        values.ecc_uncorrected = count(&errors, "ue:");
    }
    if let Some(hwmon) = card.hwmon() {
        sensors(&hwmon, &mut values);
    }
    values
}

fn sensors(hwmon: &Folder, values: &mut Values) {
    for number in 1..=8 {
        let label = hwmon.text(&format!("temp{number}_label"));
        let celsius = |kind: &str| hwmon.scaled(&format!("temp{number}_{kind}"), 1000.0);
        match label.as_deref() {
            Some("junction") => values.temperature_hotspot = celsius("input"),
            Some("mem") => values.temperature_memory = celsius("input"),
            Some("edge") | None if number == 1 => {
                values.temperature = celsius("input");
                values.temperature_slowdown = celsius("crit");
                values.temperature_shutdown = celsius("emergency");
            }
            _ => {}
        }
        let hertz = hwmon.scaled(&format!("freq{number}_input"), 1.0);
        match hwmon.text(&format!("freq{number}_label")).as_deref() {
            Some("sclk") => values.clock_graphics = hertz,
            Some("mclk") => values.clock_memory = hertz,
            _ => {}
        }
        if hwmon.text(&format!("in{}_label", number - 1)).as_deref() == Some("vddgfx") {
            values.voltage = hwmon.scaled(&format!("in{}_input", number - 1), 1000.0);
        }
    }
    values.power = hwmon.scaled("power1_average", 1e6).or_else(|| hwmon.scaled("power1_input", 1e6));
    values.power_limit = hwmon.scaled("power1_cap", 1e6);
    let (rpm, pwm) = (hwmon.scaled("fan1_input", 1.0), hwmon.scaled("pwm1", 255.0));
    values.fan_rpm.extend(rpm);
    values.fan_ratio.extend(pwm.filter(|share| (0.0..=1.0).contains(share)));
}

fn share(device: &Folder, file: &str) -> Option<f64> {
    device.scaled(file, 100.0).filter(|share| (0.0..=1.0).contains(share))
}

/// The last line of a table such as `2: 2321Mhz *`.
fn highest(device: &Folder, file: &str) -> Option<f64> {
    let table = device.text(file)?;
    let clocks = table.lines().filter_map(|line| {
        let clock = line.split_once(':')?.1.trim().trim_end_matches('*').trim().to_ascii_lowercase();
        clock.strip_suffix("mhz")?.trim().parse::<f64>().ok()
    });
    clocks.max_by(f64::total_cmp).map(|megahertz| megahertz * 1e6)
}

/// `16.0 GT/s PCIe` is the fourth generation.
fn generation(speed: &str) -> Option<u32> {
    match speed.split_whitespace().next()? {
        "2.5" => Some(1),
        "5.0" | "5" => Some(2),
        "8.0" | "8" => Some(3),
        "16.0" | "16" => Some(4),
        "32.0" | "32" => Some(5),
        "64.0" | "64" => Some(6),
        _ => None,
    }
}

/// The number behind a word, as in `ue: 0`.
fn count(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| line.trim().strip_prefix(word)?.trim().parse().ok())
}
