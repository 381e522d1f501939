//! A real Prometheus scrapes the agent every second for a while.

use std::fs;

use aura_tests::{Agent, Prometheus, needs, wait_until};

#[test]
fn a_real_prometheus_scrapes_without_a_fault_and_knows_the_machine() {
    let Some(program) = needs("prometheus") else { return };
    let agent = Agent::start();
    let address = agent.address();
    let prometheus = Prometheus::start(&program, &[("node", address, "/metrics/node"), ("aura", address, "/metrics")]);
    for job in ["node", "aura"] {
        let scraped = format!("count_over_time(up{{job=\"{job}\"}}[5m])");
        wait_until("eighteen scrapes", || prometheus.query(&scraped).iter().any(|(_, scrapes)| *scrapes >= 18.0));
        assert_eq!(prometheus.value(&format!("min_over_time(up{{job=\"{job}\"}}[5m])")), 1.0, "{job}");
    }
    let value = |expression: &str| prometheus.value(expression);
    let node = |name: &str| value(&format!("{name}{{job=\"node\"}}"));

    let memory = fs::read_to_string("/proc/meminfo").unwrap();
    let total: f64 = field(&memory, "MemTotal:").parse().unwrap();
    assert_eq!(node("node_memory_MemTotal_bytes"), total * 1024.0);

    let stat = fs::read_to_string("/proc/stat").unwrap();
    let cpus = stat.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count() as f64;
    assert_eq!(value("count(count by (cpu) (node_cpu_seconds_total{job=\"node\"}))"), cpus);
    assert_eq!(node("node_boot_time_seconds"), field(&stat, "btime").parse::<f64>().unwrap());
    // Both of the same readings, whenever these were taken.
    let busy = value("sum(rate(node_cpu_seconds_total{job=\"node\"}[15s]))");
    let time = value("rate(node_time_seconds{job=\"node\"}[15s])");
    assert!((busy / time / cpus - 1.0).abs() < 0.05, "{cpus} CPUs spend {busy} seconds in {time} seconds");

    let name = rustix::system::uname();
    let series = prometheus.query("node_uname_info{job=\"node\"}");
    let [(labels, _)] = &series[..] else { panic!("{series:?}") };
    for (label, expected) in [
        ("nodename", name.nodename()),
        ("release", name.release()),
        ("machine", name.machine()),
        ("version", name.version()),
        ("sysname", name.sysname()),
    ] {
        assert_eq!(labels[label], expected.to_string_lossy(), "{label}");
    }

    let sizes = prometheus.query("node_filesystem_size_bytes{job=\"node\"} unless node_filesystem_device_error > 0");
    assert!(!sizes.is_empty());
    for (labels, size) in sizes {
        let known = rustix::fs::statvfs(labels["mountpoint"].as_str()).unwrap();
        assert_eq!(size, known.f_blocks as f64 * known.f_frsize as f64, "{labels:?}");
    }

    // What is in all metrics is what is in the part.
    let in_node = prometheus.query("count({job=\"node\",__name__=~\"node_.*\"})")[0].1;
    assert_eq!(prometheus.query("count({job=\"aura\",__name__=~\"node_.*\"})")[0].1, in_node);

    // Every scrape went in whole: nothing was said twice, came late, or broke off.
    let kept = value("max_over_time(scrape_samples_post_metric_relabeling{job=\"aura\"}[5m])");
    assert!(kept >= in_node, "{kept} samples were kept");
    assert_eq!(value("max(scrape_samples_scraped - scrape_samples_post_metric_relabeling)"), 0.0);
    let log = prometheus.log();
    let faults: Vec<&str> =
        log.lines().filter(|line| line.contains("level=warn") || line.contains("level=error")).collect();
    assert_eq!(faults, Vec::<&str>::new());
    let own = prometheus.own_metrics();
    for name in [
        "prometheus_target_scrapes_sample_duplicate_timestamp_total",
        "prometheus_target_scrapes_sample_out_of_order_total",
        "prometheus_target_scrapes_sample_out_of_bounds_total",
        "prometheus_target_scrapes_exceeded_sample_limit_total",
        "prometheus_target_scrapes_exceeded_body_size_limit_total",
        "prometheus_target_scrapes_cache_flush_forced_total",
    ] {
        assert_eq!(own.value(name, &[]), 0.0, "{name}");
    }
}

fn field<'t>(text: &'t str, name: &str) -> &'t str {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
    line.split_whitespace().nth(1).unwrap()
}
