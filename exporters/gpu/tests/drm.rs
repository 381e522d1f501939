//! AMD's and Intel's cards, on trees of /sys made after what their drivers show.

#![cfg(target_os = "linux")]

mod support;

use std::path::{Path, PathBuf};

use aura_gpu::{GpuOptions, GpuReading, Gpus};
use aura_model::{Context, Missing, Paths, Reason, Source};
use proptest::{prelude::*, test_runner::TestRunner};
use support::text;

fn tree(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees").join(name).join("sys")
}

fn open(sysfs: &Path) -> Result<Gpus, Missing> {
    // No test of these may find the NVIDIA card of the machine that it runs on.
    let options = GpuOptions { nvml_library: Some("/nonexistent/libnvidia-ml.so.1".into()), ..Default::default() };
    // Nor a process of it: each tree has its own /proc beside its /sys, if any.
    let paths = Paths { sysfs: sysfs.into(), procfs: sysfs.with_file_name("proc"), ..Default::default() };
    Gpus::open(&options, &Context::new(paths))
}

fn read(name: &str) -> GpuReading {
    open(&tree(name)).unwrap().sample().unwrap()
}

#[test]
fn an_amd_card_and_an_amd_processor() {
    insta::assert_snapshot!("amd-workstation", text(&read("amd-workstation")));
}

#[test]
fn a_laptop_with_intel_graphics_and_a_sleeping_amd_card() {
    let reading = read("laptop");
    insta::assert_snapshot!("laptop", text(&reading));
    let sleeping = &reading.gpus[0];
    assert_eq!(sleeping.values, aura_gpu::Values::default(), "a sleeping card is not woken");
    assert_eq!(sleeping.missing.as_ref().unwrap().reason, Reason::NoSensor);
}

#[test]
fn an_intel_card_beside_a_virtual_display() {
    let reading = read("arc");
    assert_eq!(reading.gpus.len(), 1, "a virtual display is no GPU");
    insta::assert_snapshot!("arc", text(&reading));
    assert_eq!(reading.gpus[0].unavailable.get("utilization"), Some(&Reason::NoSensor));
}

#[test]
fn a_machine_without_a_card_says_where_it_looked() {
    let folder = tempfile::tempdir().unwrap();
    let missing = open(folder.path()).err().unwrap();
    assert_eq!(missing.reason, Reason::NoSensor);
    assert!(missing.detail.contains("class/drm"), "{missing}");
}

/// Copies a tree, links and all.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path()).unwrap(), target).unwrap();
        } else if kind.is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_card_that_is_unplugged_keeps_its_row_and_one_that_is_plugged_in_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let sysfs = folder.path().join("sys");
    copy(&tree("amd-workstation"), &sysfs);
    let mut gpus = open(&sysfs).unwrap();
    assert_eq!(gpus.sample().unwrap().gpus.len(), 2);
    assert_eq!(&*gpus.sample().unwrap().gpus[0].identity.device, "card1", "the one with memory of its own is first");
    std::fs::remove_file(sysfs.join("class/drm/card1")).unwrap();
    let reading = gpus.sample().unwrap();
    let reasons: Vec<_> = reading.gpus.iter().map(|gpu| gpu.missing.as_ref().map(|missing| missing.reason)).collect();
    assert_eq!(reasons, [Some(Reason::Unreachable), None]);
    std::os::unix::fs::symlink("../../devices/pci0000:00/0000:03:00.0/drm/card1", sysfs.join("class/drm/card1"))
        .unwrap();
    let reading = gpus.sample().unwrap();
    assert!(reading.gpus.iter().all(|gpu| gpu.missing.is_none()) && reading.gpus.len() == 2);
}

/// Whatever cards come and go: nothing is there until the first card is, and from then on each card that was ever seen
/// has exactly one row, under its own name and number, with values exactly while it is plugged in.
#[test]
fn a_gpu_is_shown_exactly_from_when_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let sysfs = folder.path().join("sys");
    copy(&tree("amd-workstation"), &sysfs);
    let link = |card: usize| sysfs.join("class/drm").join(format!("card{card}"));
    let targets: Vec<PathBuf> = (0..2).map(|card| std::fs::read_link(link(card)).unwrap()).collect();
    let histories = prop::collection::vec((any::<bool>(), any::<bool>()), 1..8);
    let mut runner = TestRunner::new(ProptestConfig { cases: 150, failure_persistence: None, ..Default::default() });
    let result = runner.run(&histories, |history| {
        let (mut gpus, mut rows): (Option<Gpus>, Vec<String>) = (None, Vec::new());
        for (zero, one) in history {
            for (card, plugged) in [(0, zero), (1, one)] {
                let _ = std::fs::remove_file(link(card));
                if plugged {
                    std::os::unix::fs::symlink(&targets[card], link(card)).unwrap();
                }
            }
            if gpus.is_none() {
                let opened = open(&sysfs);
                prop_assert_eq!(opened.is_ok(), zero || one, "a source is there exactly when a card is");
                gpus = opened.ok();
            }
            let Some(gpus) = &mut gpus else { continue };
            let reading = gpus.sample().unwrap();
            let mut named: Vec<String> = reading.gpus.iter().map(|gpu| gpu.identity.device.to_string()).collect();
            prop_assert!(named.starts_with(&rows), "a row keeps its place: {:?} {:?}", rows, named);
            rows.clone_from(&named);
            for (number, gpu) in reading.gpus.iter().enumerate() {
                let plugged = if &*gpu.identity.device == "card0" { zero } else { one };
                prop_assert_eq!(gpu.index as usize, number);
                prop_assert_eq!(gpu.missing.is_none(), plugged, "{}", gpu.identity.device);
                prop_assert_eq!(gpu.values.memory_total.is_some(), plugged);
            }
            for (card, plugged) in [("card0", zero), ("card1", one)] {
                prop_assert!(!plugged || named.iter().any(|name| name == card), "{card} has a row");
            }
            named.sort();
            named.dedup();
            prop_assert_eq!(named.len(), rows.len(), "one row a card");
        }
        Ok(())
    });
    result.unwrap();
}

/// Files of a card that may say anything.
const FILES: [&str; 12] = [
    "gpu_busy_percent",
    "mem_busy_percent",
    "mem_info_vram_total",
    "mem_info_vram_used",
    "current_link_speed",
    "current_link_width",
    "pp_dpm_sclk",
    "ras/umc_err_count",
    "hwmon/hwmon3/temp1_input",
    "hwmon/hwmon3/power1_average",
    "hwmon/hwmon3/pwm1",
    "hwmon/hwmon3/freq1_input",
];

/// Whatever a driver writes: no panic, and no share that is none.
#[test]
fn garbage_is_never_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let sysfs = folder.path().join("sys");
    copy(&tree("amd-workstation"), &sysfs);
    let device = sysfs.join("devices/pci0000:00/0000:03:00.0");
    let good: Vec<Vec<u8>> = FILES.iter().map(|file| std::fs::read(device.join(file)).unwrap()).collect();
    let garbage = prop::collection::vec((0..FILES.len(), "[ -~\n]{0,12}|-?[0-9]{1,20}"), 1..6);
    let mut runner = TestRunner::new(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() });
    let result = runner.run(&garbage, |garbage| {
        for (file, text) in &garbage {
            std::fs::write(device.join(FILES[*file]), text).unwrap();
        }
        let reading = open(&sysfs).unwrap().sample().unwrap();
        for (file, _) in &garbage {
            std::fs::write(device.join(FILES[*file]), &good[*file]).unwrap();
        }
        let card = reading.gpus.iter().find(|gpu| &*gpu.identity.device == "card1").unwrap();
        let values = &card.values;
        for share in [values.busy, values.memory_busy, values.fan_ratio.first().copied()].into_iter().flatten() {
            prop_assert!((0.0..=1.0).contains(&share), "{}", share);
        }
        if let (Some(total), Some(used), Some(free)) = (values.memory_total, values.memory_used, values.memory_free) {
            prop_assert_eq!(used + free, total);
        }
        Ok(())
    });
    result.unwrap();
}
