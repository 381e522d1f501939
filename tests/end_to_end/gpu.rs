//! GPUs, with a stand-in for NVIDIA's library that is loaded as the real one is.

#[path = "../../exporters/gpu/tests/stub/mod.rs"]
pub(crate) mod stub;

use aura_tests::{Agent, Setup, wait_for, wait_until};
use serde_json::Value;

use self::stub::Driver;

/// An agent over a machine whose only GPUs are those of this library; the host is the real one.
fn agent(library: &str, enabled: &str) -> Agent {
    let setup = Setup::default();
    let sysfs = setup.folder().join("sys");
    std::fs::create_dir(&sysfs).unwrap();
    setup
        .argument("--path.sysfs")
        .argument(sysfs)
        .config(&format!(
            "sources:\n  host: {{interval: 200ms}}\n  gpu: {{enabled: {enabled}, interval: 200ms, timeout: 500ms, nvml_library: {library}}}\n"
        ))
        .start()
}

fn with(driver: &Driver) -> Agent {
    agent(&driver.library().display().to_string(), "auto")
}

fn state(message: &Value) -> &str {
    let sources = message["sources"].as_array().unwrap();
    sources.iter().find(|source| source["name"] == "gpu").unwrap()["state"].as_str().unwrap()
}

/// The feed's message once it is as wanted.
fn message(agent: &Agent, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || Some(agent.json("/api/system")).filter(|message| wanted(message)))
}

/// Property 10: On a machine with a GPU its load, memory and temperature are shown.
#[test]
fn the_block_is_there_with_a_gpu_and_all_clients_see_the_same() {
    let Some(driver) = Driver::new() else { return };
    let agent = with(&driver);
    let message = message(&agent, "the block", |message| message["metrics"]["gpu"].is_array());
    let gpus = message["metrics"]["gpu"].as_array().unwrap();
    assert_eq!(gpus.len(), 2);
    let first = &gpus[0];
    for (key, expected) in [
        ("id", Value::from(0)),
        ("name", "NVIDIA H100 80GB HBM3".into()),
        ("load_percent", 87.0.into()),
        ("memory_used_mb", 62464.0.into()),
        ("memory_total_mb", 81920.0.into()),
        ("memory_percent", 76.25.into()),
        ("temperature", 64.0.into()),
        ("uuid", "GPU-11111111-aaaa-bbbb-cccc-000000000000".into()),
    ] {
        assert_eq!(first[key], expected, "{key}");
    }
    assert_eq!(first["throttle"], serde_json::json!(["sw_power_cap", "sw_thermal_slowdown"]));
    assert!(message["missing"].get("gpu").is_none());

    let stats = agent.json("/api/system/stats");
    assert_eq!(
        (&stats["gpu_percent"], &stats["gpu_memory_used_mb"], &stats["gpu_memory_total_mb"]),
        (&87.0.into(), &62464.0.into(), &81920.0.into())
    );

    let scrape = agent.scrape("/metrics/gpu");
    let labels = [("gpu", "0"), ("device", "nvidia0"), ("DCGM_FI_DRIVER_VERSION", "580.95.05")];
    assert_eq!(scrape.get("DCGM_FI_DEV_FB_USED", &labels), Some(62464.0));
    assert_eq!(scrape.get("aura_gpu_utilization_ratio", &[("gpu", "1")]), Some(0.05));
}

#[test]
fn the_block_is_absent_without_a_gpu_and_says_why() {
    for (enabled, reason) in [("auto", "no_sensor"), ("false", "not_configured"), ("true", "no_sensor")] {
        let agent = agent("/nonexistent/libnvidia-ml.so.1", enabled);
        let message = message(&agent, "the reason", |message| message["missing"]["gpu"]["reason"] == reason);
        assert!(message["metrics"].get("gpu").is_none(), "{message}");
        assert_eq!(state(&message), "off");
        assert_eq!(agent.json("/api/system/stats")["gpu_percent"], Value::Null);
        let scrape = agent.scrape("/metrics");
        assert!(
            scrape
                .samples
                .iter()
                .all(|sample| !sample.name.starts_with("DCGM_") && !sample.name.starts_with("aura_gpu_"))
        );
        let failed = scrape.get("aura_source_failures_total", &[("source", "gpu")]).unwrap() > 0.0;
        assert_eq!(failed, enabled == "true", "not having a GPU is a failure only where one must be");
    }
}

#[test]
fn a_driver_that_blocks_makes_the_gpu_stale_and_nothing_else() {
    let Some(driver) = Driver::new() else { return };
    let agent = with(&driver);
    message(&agent, "the block", |message| message["metrics"]["gpu"][0]["temperature"] == 64.0);
    driver.scenario("block");
    let late = message(&agent, "the GPU is late", |message| {
        state(message) == "stale" && message["metrics"]["gpu"][0]["temperature"].is_null()
    });
    let first = &late["metrics"]["gpu"][0];
    assert_eq!((&first["name"], &first["reason"]), (&"NVIDIA H100 80GB HBM3".into(), &"stale".into()));
    assert_eq!(late["missing"]["gpu"]["reason"], "stale");
    assert_eq!(agent.json("/api/system/stats")["gpu_percent"], Value::Null);
    let scrape = agent.scrape("/metrics");
    assert!(scrape.all("DCGM_FI_DEV_GPU_TEMP").next().is_none(), "an old value is not served as new");
    assert!(scrape.all("node_load1").next().is_some());

    // The host keeps its pace: reading after reading while the driver hangs.
    let begun = late["seq"].as_u64().unwrap();
    let later =
        message(&agent, "ten more readings of the host", |message| message["seq"].as_u64().unwrap() >= begun + 10);
    assert_eq!(state(&later), "stale");
    let host = later["sources"].as_array().unwrap().iter().find(|source| source["name"] == "host").unwrap();
    assert_eq!(host["state"], "fresh");

    driver.scenario("");
    message(&agent, "the GPU is back", |message| {
        state(message) == "fresh" && message["metrics"]["gpu"][0]["temperature"] == 64.0
    });
}

#[test]
fn a_lost_card_keeps_its_row_with_the_error_and_comes_back() {
    let Some(driver) = Driver::new() else { return };
    let agent = with(&driver);
    message(&agent, "the block", |message| message["metrics"]["gpu"].is_array());
    wait_until("the agent listens for errors", || {
        agent.scrape("/metrics/gpu").all("DCGM_FI_DEV_XID_ERRORS").count() == 2
    });
    driver.events("1 79\n");
    driver.scenario("lost1");
    let lost = message(&agent, "the card is lost", |message| {
        let card = &message["metrics"]["gpu"][1];
        card["reason"] == "unreachable" && card["last_error"]["code"] == 79
    });
    assert_eq!(lost["metrics"]["gpu"][1]["load_percent"], Value::Null);
    assert_eq!(lost["metrics"]["gpu"][0]["load_percent"], 87.0);
    assert_eq!(state(&lost), "fresh", "the other card goes on");
    driver.events("");
    driver.scenario("");
    message(&agent, "the card is back", |message| message["metrics"]["gpu"][1]["load_percent"] == 5.0);
}
