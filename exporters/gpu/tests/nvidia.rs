//! NVIDIA's cards through the whole path: the library is loaded while the test runs and called as the real one is.

#![cfg(target_os = "linux")]

mod stub;
mod support;

use std::time::{Duration, Instant};

use aura_gpu::{Gpu, GpuOptions, GpuReading, Gpus};
use aura_model::{Context, Missing, Reason, Source};
use stub::Driver;
use support::text;

fn options(driver: &Driver) -> GpuOptions {
    GpuOptions { nvml_library: Some(driver.library()), ..GpuOptions::default() }
}

fn open(driver: &Driver) -> Result<Gpus, Missing> {
    Gpus::open(&options(driver), &Context::new(driver.paths()))
}

/// Samples until it is as wanted.
fn sample_until(gpus: &mut Gpus, wanted: impl Fn(&GpuReading) -> bool) -> GpuReading {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let reading = gpus.sample().unwrap();
        if wanted(&reading) {
            return reading;
        }
        assert!(Instant::now() < deadline, "never as wanted: {}", text(&reading));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn reason(gpu: &Gpu) -> Option<Reason> {
    gpu.missing.as_ref().map(|missing| missing.reason)
}

fn listens_and_profiles(reading: &GpuReading) -> bool {
    let profiled = |gpu: &Gpu| gpu.values.profile.is_some();
    reading.gpus.iter().all(|gpu| gpu.xids.is_some()) && reading.gpus.iter().any(profiled)
        // Links are asked for once their number is known, processes' work is measured once.
        && !reading.gpus[0].values.nvlinks.is_empty()
}

#[test]
fn two_cards_give_what_each_has() {
    let Some(driver) = Driver::new() else { return };
    let mut gpus = open(&driver).unwrap();
    let reading = sample_until(&mut gpus, listens_and_profiles);
    insta::assert_snapshot!("two_cards", text(&reading));
    // What the card of a desk does not have is absent and named, not zero.
    let desk = &reading.gpus[1];
    assert_eq!((desk.values.ecc_enabled, desk.values.profile, desk.values.mig_enabled), (None, None, None));
    for what in ["ecc", "mig", "remapped_rows", "temperature_memory"] {
        assert_eq!(desk.unavailable.get(what), Some(&Reason::NoSensor), "{what}");
    }
    assert!(!desk.unavailable.contains_key("xid_events"));
    let said = Gpus::describe(&reading);
    assert!(
        said[1].starts_with("watching NVIDIA GeForce RTX 4090 at 00000000:AF:00.0; it does not give ecc,"),
        "{said:?}"
    );
}

#[test]
fn processes_have_names_memory_and_what_they_worked() {
    let Some(driver) = Driver::new() else { return };
    let gpus = open(&driver).unwrap().sample().unwrap().gpus;
    let processes = gpus[0].processes.as_ref().unwrap();
    let shown: Vec<_> =
        processes.iter().map(|process| (process.pid, process.name.as_deref(), process.memory)).collect();
    assert_eq!(shown, [(4242, Some("ollama"), Some(48 << 30)), (77, Some("Xorg"), Some(1 << 30))]);
    assert_eq!(gpus[1].processes, Some(vec![]));
    let weights: Vec<_> = processes.iter().map(|process| process.weights.as_deref()).collect();
    assert_eq!(weights, [Some(stub::WEIGHTS), None], "of the model that Ollama's runner was started with");
}

#[test]
fn another_process_with_the_same_number_has_no_share_in_what_the_first_ran() {
    let Some(driver) = Driver::new() else { return };
    let mut gpus = open(&driver).unwrap();
    let mut weights = || gpus.sample().unwrap().gpus[0].processes.as_ref().unwrap()[0].weights.clone();
    assert!(weights().is_some());
    let folder = driver.paths().procfs.join("4242");
    std::fs::write(folder.join("cmdline"), "ollama\0serve\0").unwrap();
    assert!(weights().is_some(), "what a process was started with is read once");
    let stat = std::fs::read_to_string(folder.join("stat")).unwrap();
    std::fs::write(folder.join("stat"), stat.replace(" 9000 ", " 9001 ")).unwrap();
    assert_eq!(weights(), None, "it was started later: another process");
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(weights(), None);
}

#[test]
fn work_is_the_mean_since_the_sample_before_and_nonsense_is_no_work() {
    let Some(driver) = Driver::new() else { return };
    let mut gpus = open(&driver).unwrap();
    let busy = |reading: GpuReading| -> Vec<Option<f64>> {
        reading.gpus[0].processes.iter().flatten().map(|process| process.busy).collect()
    };
    assert_eq!(
        busy(gpus.sample().unwrap()),
        [Some((0.8 + 0.9) / 2.0), None],
        "the mean of 80 and 90 %; 4 billion % are none"
    );
    assert_eq!(busy(gpus.sample().unwrap()), [None, None], "nothing new was measured");
    driver.scenario("lost0");
    gpus.sample().unwrap();
    driver.scenario("");
    let reading = sample_until(&mut gpus, |reading| reading.gpus[0].missing.is_none());
    assert_eq!(busy(reading), [None, None], "what was seen before a loss is not measured twice");
}

#[test]
fn memory_that_the_driver_does_not_tell_is_absent() {
    let Some(driver) = Driver::new() else { return };
    for words in ["hidden_memory", "odd_memory"] {
        driver.scenario(words);
        let reading = open(&driver).unwrap().sample().unwrap();
        let processes = reading.gpus[0].processes.as_ref().unwrap();
        let hidden = processes.iter().find(|process| process.pid == 4242).unwrap();
        assert_eq!(hidden.memory, None, "{words}");
        assert!(!text(&reading).contains(
            "aura_gpu_process_memory_bytes{gpu=\"0\",uuid=\"GPU-11111111-aaaa-bbbb-cccc-000000000000\",pid=\"4242\""
        ));
    }
}

#[test]
fn a_card_lost_midway_is_shown_as_lost_and_comes_back_as_itself() {
    let Some(driver) = Driver::new() else { return };
    let mut gpus = open(&driver).unwrap();
    sample_until(&mut gpus, |reading| reading.gpus[1].xids.is_some());
    driver.events("1 79\n");
    driver.scenario("lost1");
    let reading =
        sample_until(&mut gpus, |reading| reading.gpus[1].xids.as_ref().is_some_and(|xids| xids.last == Some(79)));
    assert_eq!(reason(&reading.gpus[1]), Some(Reason::Unreachable));
    let page = text(&reading);
    assert!(page.contains("aura_gpu_up{gpu=\"0\",uuid=\"GPU-11111111-aaaa-bbbb-cccc-000000000000\"} 1"), "{page}");
    assert!(page.contains("aura_gpu_up{gpu=\"1\",uuid=\"GPU-22222222-aaaa-bbbb-cccc-000000000001\"} 0"), "{page}");
    assert!(page.contains("err_code=\"79\",err_msg=\"GPU has fallen off the bus\"} 79"), "{page}");
    assert!(!page.contains("aura_gpu_temperature_celsius{gpu=\"1\""), "no value of a lost card: {page}");
    assert!(page.contains("aura_gpu_temperature_celsius{gpu=\"0\""), "the other card goes on: {page}");

    driver.events("");
    // The handles stay dead until everybody has let go of the library: it must be opened anew.
    driver.scenario("");
    let reading = sample_until(&mut gpus, |reading| reading.gpus[1].missing.is_none());
    assert_eq!(&*reading.gpus[1].identity.uuid, "GPU-22222222-aaaa-bbbb-cccc-000000000001");
    let xids = reading.gpus[1].xids.as_ref().unwrap();
    assert_eq!(xids.seen[&79].count, 1, "counts go on over a reset");
}

#[test]
fn a_card_that_is_no_longer_listed_keeps_its_row() {
    let Some(driver) = Driver::new() else { return };
    let mut gpus = open(&driver).unwrap();
    gpus.sample().unwrap();
    driver.scenario("gone1");
    let reading = gpus.sample().unwrap();
    assert_eq!(reading.gpus.len(), 2);
    assert_eq!((reason(&reading.gpus[0]), reason(&reading.gpus[1])), (None, Some(Reason::Unreachable)));
}

#[test]
fn a_card_that_cannot_even_say_who_it_is_keeps_its_row_and_reason() {
    let Some(driver) = Driver::new() else { return };
    let mut gpus = open(&driver).unwrap();
    gpus.sample().unwrap();
    driver.scenario("nameless1");
    let reading = gpus.sample().unwrap();
    assert_eq!(reading.gpus[0].missing, None);
    assert!(reading.gpus[1].missing.as_ref().unwrap().detail.contains("fell off the bus"), "{:?}", reading.gpus[1]);
}

#[test]
fn numbers_that_cannot_be_are_no_values() {
    let Some(driver) = Driver::new() else { return };
    driver.scenario("nonsense");
    let mut gpus = open(&driver).unwrap();
    gpus.sample().unwrap();
    // The second sample asks for as many links as the first was told there are.
    let reading = gpus.sample().unwrap();
    let card = &reading.gpus[0];
    let values = &card.values;
    assert_eq!((values.busy, values.memory_busy), (None, Some(0.41)));
    assert_eq!((values.memory_used, values.memory_total, values.performance_state), (None, None, None));
    assert_eq!(card.unavailable.get("memory"), Some(&Reason::Unreadable));
    assert!(values.nvlinks.len() <= 64, "{}", values.nvlinks.len());
}

#[test]
fn a_driver_from_before_510_tells_memory_with_the_reserved_part() {
    let Some(driver) = Driver::before_510() else { return };
    let reading = open(&driver).unwrap().sample().unwrap();
    let (values, half) = (&reading.gpus[0].values, 1 << 29);
    assert_eq!((values.memory_total, values.memory_used), (Some(80 << 30), Some((61 << 30) + half)));
    assert_eq!((values.memory_free, values.memory_reserved), (Some((18 << 30) + half), None));
    assert!(!reading.gpus[0].unavailable.contains_key("memory"));
    assert!(!text(&reading).contains("memory_reserved"), "what is not told apart is not there");
    driver.scenario("nonsense");
    let reading = open(&driver).unwrap().sample().unwrap();
    assert_eq!(reading.gpus[0].unavailable.get("memory"), Some(&Reason::Unreadable));
}

/// The public dashboard (12239) asks for these, and tells cards apart by their label `gpu`; it matches no other label.
#[test]
fn the_public_dashboard_finds_its_series() {
    let Some(driver) = Driver::new() else { return };
    let reading = sample_until(&mut open(&driver).unwrap(), listens_and_profiles);
    let page = text(&reading);
    for (name, cards) in [
        ("DCGM_FI_DEV_FB_USED", 2),
        ("DCGM_FI_DEV_GPU_TEMP", 2),
        ("DCGM_FI_DEV_GPU_UTIL", 2),
        ("DCGM_FI_DEV_POWER_USAGE", 2),
        ("DCGM_FI_DEV_SM_CLOCK", 2),
        // Of the chip's own counters, which the card of a desk does not have.
        ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", 1),
    ] {
        assert!(page.contains(&format!("# TYPE {name} gauge\n")), "{name}: {page}");
        let series: Vec<&str> = page.lines().filter(|line| line.starts_with(&format!("{name}{{"))).collect();
        assert_eq!(series.len(), cards, "{name}");
        for (card, line) in series.iter().enumerate() {
            assert!(line.starts_with(&format!("{name}{{gpu=\"{card}\",UUID=\"GPU-")), "{line}");
            for label in ["pci_bus_id=\"", "device=\"nvidia", "modelName=\"NVIDIA ", "hostname=\""] {
                assert!(line.contains(label), "{label}: {line}");
            }
        }
    }
}

#[test]
fn a_card_that_needs_a_reset_says_so() {
    let Some(driver) = Driver::new() else { return };
    driver.scenario("reset1");
    let reading = open(&driver).unwrap().sample().unwrap();
    let missing = reading.gpus[1].missing.as_ref().unwrap();
    assert!(missing.detail.contains("nvidia-smi --gpu-reset"), "{missing}");
}

#[test]
fn a_reload_of_the_driver_is_survived() {
    let Some(driver) = Driver::new() else { return };
    let mut gpus = open(&driver).unwrap();
    gpus.sample().unwrap();
    driver.scenario("driver_not_loaded");
    let reading = gpus.sample().unwrap();
    assert!(reading.gpus.iter().all(|gpu| reason(gpu) == Some(Reason::Unreachable)), "{:?}", reading.gpus);
    assert_eq!(reading.nvidia, None);
    driver.scenario("mismatch");
    sample_until(&mut gpus, |reading| {
        reading.gpus[0].missing.as_ref().is_some_and(|missing| missing.detail.contains("updated while the old one"))
    });
    driver.scenario("");
    let reading = sample_until(&mut gpus, |reading| reading.gpus.iter().all(|gpu| gpu.missing.is_none()));
    assert_eq!(&*reading.nvidia.unwrap().driver, "580.95.05");
}

#[test]
fn failures_without_a_reason_lose_the_card_only_when_nothing_answers() {
    let Some(driver) = Driver::new() else { return };
    let mut gpus = open(&driver).unwrap();
    driver.scenario("unknown");
    let reading = gpus.sample().unwrap();
    assert!(reading.gpus.iter().all(|gpu| reason(gpu) == Some(Reason::Unreachable)));
    assert!(!text(&reading).contains("aura_gpu_power_watts"));
}

#[test]
fn partitions_are_shown_with_their_memory() {
    let Some(driver) = Driver::new() else { return };
    driver.scenario("mig");
    let reading = open(&driver).unwrap().sample().unwrap();
    let card = &reading.gpus[0];
    assert_eq!(card.values.busy, None, "a partitioned card has no load of its own");
    let shown: Vec<_> = card.instances.iter().map(|one| (&*one.profile, one.gpu_instance, one.memory_used)).collect();
    assert_eq!(shown, [("3g.40gb", Some(1), Some(7 << 30)), ("3g.40gb", Some(3), Some(7 << 30))]);
    assert_eq!(card.processes.as_ref().unwrap()[0].gpu_instance, Some(1));
    let page = text(&reading);
    for series in ["DCGM_FI_DEV_FB_USED{", "aura_gpu_instance_memory_used_bytes{"] {
        assert!(page.contains(series), "{series}: {page}");
    }
    assert!(page.contains(",GPU_I_PROFILE=\"3g.40gb\",GPU_I_ID=\"3\"} 7168"), "{page}");
}

#[test]
fn errors_are_counted_by_code_with_the_last_time() {
    let Some(driver) = Driver::new() else { return };
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    driver.scenario("no_events");
    let mut gpus = open(&driver).unwrap();
    let reading = sample_until(&mut gpus, |reading| reading.gpus[0].xids.is_some());
    assert_eq!(reading.gpus[0].xids.as_ref().unwrap().last, None);
    assert_eq!(reading.gpus[1].unavailable.get("xid_events"), Some(&Reason::NoSensor));
    assert_eq!(reading.gpus[1].xids, None, "a card that reports nothing has no count, rather than none");
    driver.events("0 13\n0 31\n0 13\n");
    let reading = sample_until(&mut gpus, |reading| {
        reading.gpus[0].xids.as_ref().unwrap().seen.values().map(|xid| xid.count).sum::<u64>() == 3
    });
    let xids = reading.gpus[0].xids.as_ref().unwrap();
    assert_eq!((xids.seen[&13].count, xids.seen[&31].count, xids.last), (2, 1, Some(13)));
    assert!(xids.seen[&13].last_at >= before && xids.seen[&13].last_at >= xids.seen[&31].last_at);
}

#[test]
fn without_a_library_or_a_card_there_is_nothing_and_the_reason_is_said() {
    let Some(driver) = Driver::new() else { return };
    let context = Context::new(driver.paths());
    let nowhere = GpuOptions { nvml_library: Some("/nonexistent/libnvidia-ml.so.1".into()), ..Default::default() };
    let missing = Gpus::open(&nowhere, &context).err().unwrap();
    assert_eq!(missing.reason, Reason::NoSensor, "{missing}");
    assert!(missing.detail.contains("/nonexistent/libnvidia-ml.so.1"), "{missing}");

    driver.scenario("driver_not_loaded");
    assert_eq!(open(&driver).err().unwrap().reason, Reason::NoSensor);
    driver.scenario("mismatch");
    assert_eq!(open(&driver).err().unwrap().reason, Reason::Unreachable);
}

#[test]
fn a_card_without_a_library_is_shown_with_the_advice_and_read_once_there_is_one() {
    let Some(driver) = Driver::new() else { return };
    driver.plug_in("0000:3b:00.0", "nvidia");
    let context = Context::new(driver.paths());
    let nowhere = GpuOptions { nvml_library: Some("/nonexistent/libnvidia-ml.so.1".into()), ..Default::default() };
    let reading = Gpus::open(&nowhere, &context).unwrap().sample().unwrap();
    assert_eq!(reading.gpus.len(), 1);
    assert_eq!(&*reading.gpus[0].identity.name, "NVIDIA 10de:2330");
    assert_eq!(reason(&reading.gpus[0]), Some(Reason::NotConfigured));

    driver.scenario("driver_not_loaded");
    let mut gpus = open(&driver).unwrap();
    assert_eq!(reason(&gpus.sample().unwrap().gpus[0]), Some(Reason::Unreachable));
    driver.scenario("");
    let reading = sample_until(&mut gpus, |reading| reading.gpus.iter().all(|gpu| gpu.missing.is_none()));
    let names: Vec<&str> = reading.gpus.iter().map(|gpu| &*gpu.identity.name).collect();
    assert_eq!(names, ["NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 4090"], "one row a card");
}

#[test]
fn a_card_that_another_driver_serves_is_not_lost() {
    let Some(driver) = Driver::new() else { return };
    driver.plug_in("0000:01:00.0", "vfio-pci");
    driver.plug_in("0000:02:00.0", "nouveau");
    assert_eq!(open(&driver).unwrap().sample().unwrap().gpus.len(), 2, "those of the library");
    driver.scenario("driver_not_loaded");
    let reading = open(&driver).unwrap().sample().unwrap();
    let places: Vec<&str> = reading.gpus.iter().map(|gpu| &*gpu.identity.pci_bus_id).collect();
    assert_eq!(places, ["0000:02:00.0"], "one lent to a virtual machine is not this machine's");
}

#[test]
fn a_library_that_is_not_nvidias_is_refused() {
    let Some(driver) = Driver::new() else { return };
    std::fs::write(driver.library(), "not a library at all").unwrap();
    let missing = open(&driver).err().unwrap();
    assert!(missing.detail.contains("libnvidia-ml.so.1"), "{missing}");
}
