use proptest::prelude::*;

use super::{sensor::sensor_file, *};

#[test]
fn files_are_told_apart_as_node_exporter_does() {
    for (name, expected) in [
        ("temp1_input", Some(("temp1", "temp", "input"))),
        ("temp12_crit_alarm", Some(("temp12", "temp", "crit_alarm"))),
        ("pwm1", Some(("pwm1", "pwm", ""))),
        ("pwm1_auto_point1_temp", Some(("pwm1", "pwm", "auto_point1_temp"))),
        ("update_interval", Some(("update_interval0", "update_interval", ""))),
        ("name", None),
        ("temp1input", None),
        ("temp1_", None),
        ("temp99999999999_input", None),
        ("fan_input", None),
    ] {
        let found = sensor_file(name);
        let found = found.as_ref().map(|(sensor, file)| (sensor.as_str(), file.kind, file.property.as_str()));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_sensor_that_fails_for_a_moment_is_missing_for_that_moment() {
    let root = tempfile::tempdir().unwrap();
    let chip = root.path().join("class/hwmon/hwmon0");
    std::fs::create_dir_all(&chip).unwrap();
    for (file, text) in [("name", "k10temp"), ("temp1_input", "45125"), ("temp1_max", "70000"), ("temp1_label", "Tctl")]
    {
        std::fs::write(chip.join(file), text).unwrap();
    }
    let paths = aura_model::Paths { sysfs: root.path().into(), ..Default::default() };
    let mut reader = Reader::open(&HostOptions::default(), &Context::new(paths));
    let reading = reader.read(&mut Buffer::default()).unwrap();
    let expected = Temperature {
        chip: "k10temp",
        chip_name: Some("k10temp"),
        sensor: "temp1",
        label: Some("Tctl"),
        current: 45.125,
        high: Some(70.0),
        critical: None,
    };
    assert_eq!(reading.temperatures().collect::<Vec<_>>(), [expected]);
    std::fs::write(chip.join("temp1_input"), "").unwrap();
    assert_eq!(reader.read(&mut Buffer::default()).unwrap().temperatures().count(), 0);
    std::fs::write(chip.join("temp1_input"), "46000").unwrap();
    assert_eq!(reader.read(&mut Buffer::default()).unwrap().temperatures().next().map(|t| t.current), Some(46.0));
}

type Chip<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// Chips of `sys/class/hwmon`: folder, device, files.
fn tree(chips: &[Chip<'_>]) -> (tempfile::TempDir, Reader) {
    let root = tempfile::tempdir().unwrap();
    for (chip, device, files) in chips {
        let folder = root.path().join("class/hwmon").join(chip);
        std::fs::create_dir_all(&folder).unwrap();
        if !device.is_empty() {
            let device = root.path().join("devices").join(device);
            std::fs::create_dir_all(&device).unwrap();
            std::os::unix::fs::symlink(device, folder.join("device")).unwrap();
        }
        files.iter().for_each(|(file, text)| std::fs::write(folder.join(file), text).unwrap());
    }
    let paths = aura_model::Paths { sysfs: root.path().into(), ..Default::default() };
    let reader = Reader::open(&HostOptions::default(), &Context::new(paths));
    (root, reader)
}

fn samples(reader: &mut Reader) -> Vec<String> {
    let text = crate::linux::testing::text(METRICS, &reader.read(&mut Buffer::default()).unwrap());
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn chips_of_one_device_are_told_apart_by_their_names_or_their_numbers() {
    let (_root, mut reader) = tree(&[
        ("hwmon0", "platform/wmi", &[("name", "asus\n"), ("pwm1_enable", "2")]),
        ("hwmon1", "platform/wmi", &[("name", "Asus Sensors\n"), ("pwm1_enable", "3")]),
        ("hwmon2", "net/phy0", &[("name", "mt7996\n"), ("temp1_input", "55000")]),
        ("hwmon3", "net/phy0", &[("name", "mt7996\n"), ("temp1_input", "56000")]),
        ("hwmon4", "net/phy0", &[("temp1_input", "57000")]),
        ("hwmon5", "", &[("name", "k10temp\n"), ("temp1_input", "58000")]),
        ("hwmon6", "", &[("name", "k10temp\n"), ("temp1_input", "59000")]),
        ("hwmon7", "alone/one", &[("name", "asus\n"), ("temp1_input", "60000")]),
    ]);
    let chip = |line: &String| line.contains("_celsius") || line.contains("_enable");
    let found: Vec<String> = samples(&mut reader).into_iter().filter(chip).collect();
    assert_eq!(
        found,
        [
            "node_hwmon_pwm_enable{chip=\"platform_wmi_asus\",sensor=\"pwm1\"} 2",
            "node_hwmon_pwm_enable{chip=\"platform_wmi_asus_sensors\",sensor=\"pwm1\"} 3",
            "node_hwmon_temp_celsius{chip=\"net_phy0_hwmon2\",sensor=\"temp1\"} 55",
            "node_hwmon_temp_celsius{chip=\"net_phy0_hwmon3\",sensor=\"temp1\"} 56",
            "node_hwmon_temp_celsius{chip=\"net_phy0_hwmon4\",sensor=\"temp1\"} 57",
            "node_hwmon_temp_celsius{chip=\"k10temp_hwmon5\",sensor=\"temp1\"} 58",
            "node_hwmon_temp_celsius{chip=\"k10temp_hwmon6\",sensor=\"temp1\"} 59",
            "node_hwmon_temp_celsius{chip=\"alone_one\",sensor=\"temp1\"} 60",
        ]
    );
}

#[test]
fn a_clock_is_called_by_its_label_and_a_label_stands_as_it_was_written() {
    let files = [
        ("freq1_input", "214000000\n"),
        ("freq1_label", "sclk\n"),
        ("freq2_input", "300000000\n"),
        ("freq3_input", "\n"),
        ("freq3_label", "MCLK (GPU)\n"),
        ("temp1_label", "\n"),
        ("in0_label", "vddgfx \n"),
    ];
    let (_root, mut reader) = tree(&[("hwmon4", "", &files)]);
    assert_eq!(
        samples(&mut reader),
        [
            "node_hwmon_freq_freq_mhz{chip=\"hwmon4\",sensor=\"sclk\"} 214",
            "node_hwmon_sensor_label{chip=\"hwmon4\",sensor=\"freq1\",label=\"sclk\"} 1",
            "node_hwmon_sensor_label{chip=\"hwmon4\",sensor=\"freq3\",label=\"MCLK (GPU)\"} 1",
            "node_hwmon_sensor_label{chip=\"hwmon4\",sensor=\"in0\",label=\"vddgfx \"} 1",
            "node_hwmon_sensor_label{chip=\"hwmon4\",sensor=\"temp1\",label=\"\"} 1",
        ]
    );
}

#[test]
fn switched_off_it_reads_nothing_and_says_so() {
    let options = HostOptions { temperature: Switch::Off, ..HostOptions::default() };
    let missing = Reader::open(&options, &Context::default()).read(&mut Buffer::default()).unwrap_err();
    assert_eq!(missing.reason, Reason::NotConfigured);
}

proptest! {
    #[test]
    fn any_name_is_cleaned_to_what_a_metric_may_be_called(text: String, file in "[a-z]{0,16}[0-9]{0,3}_?[a-z_]{0,12}") {
        let cleaned = clean(&text);
        prop_assert!(cleaned.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == ':' || c == '_'));
        if let Some((_, sensor)) = sensor_file(&file) {
            sensor.meaning(false);
        }
    }
}
