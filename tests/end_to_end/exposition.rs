//! What scrapers get, judged by the tools and parsers of the Prometheus project.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use aura_tests::{Agent, Exposition, Request, Sample, Setup, needs, python, wait_for, wait_until};

const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0";
const PARTS: [&str; 3] = ["/metrics", "/metrics/node", "/metrics/aura"];

/// An agent whose host is read so seldom that a test sees one reading.
fn slow() -> Agent {
    Setup::default().config("sources: {host: {interval: 20s}}\n").start()
}

fn openmetrics(agent: &Agent, path: &str) -> String {
    let answer = agent.send(&Request::new("GET", path).header("Accept", OPENMETRICS));
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{path}"
    );
    answer.text()
}

/// What a program answers to this input, and its exit code.
fn filter(program: &Path, arguments: &[&str], input: &str) -> (String, Option<i32>) {
    let mut command = Command::new(program);
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.code())
}

#[test]
fn promtool_finds_no_fault_but_those_of_upstream_names() {
    /// Names that node_exporter gave and that nobody may change now.
    const KNOWN: [(&str, &str); 4] = [
        ("node_kernel_hung_task_detect_count", "counter metrics should have \"_total\" suffix"),
        ("node_memory_", "metric names should be written in 'snake_case' not 'camelCase'"),
        ("node_netstat_", "metric names should be written in 'snake_case' not 'camelCase'"),
        ("node_entropy_", "use base unit \"bytes\" instead of \"bits\""),
    ];
    let Some(promtool) = needs("promtool") else { return };
    let agent = Agent::start();
    for part in PARTS {
        let text = agent.get(part).text();
        let (complaints, code) = filter(&promtool, &["check", "metrics"], &text);
        assert!(matches!(code, Some(0 | 3)), "{part}: {complaints}");
        for line in complaints.lines() {
            let (name, complaint) = line.split_once(' ').unwrap();
            let known = KNOWN.iter().any(|(prefix, known)| name.starts_with(prefix) && complaint == *known);
            assert!(known, "{part}: {line}");
        }
    }
}

#[test]
fn the_official_parsers_read_both_formats_and_find_the_same_samples() {
    let Some(python) = python() else { return };
    let agent = slow();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/end_to_end/parse.py");
    for part in PARTS {
        let mut samples = Vec::new();
        for (format, text) in [("text", agent.get(part).text()), ("openmetrics", openmetrics(&agent, part))] {
            let (output, code) = filter(&python, &[script, format], &text);
            assert_eq!(code, Some(0), "{part} as {format}: {output}");
            // In text 0.0.4 this parser appends _total to counters that are named without it.
            let as_written =
                output.replace("node_kernel_hung_task_detect_count_total", "node_kernel_hung_task_detect_count");
            let found: BTreeSet<String> = as_written.lines().map(str::to_owned).collect();
            assert_eq!(found.len(), Exposition::parse(&text).samples.len(), "{part} as {format}: a sample was lost");
            samples.push(found);
        }
        let differ: Vec<_> = samples[0].symmetric_difference(&samples[1]).collect();
        assert_eq!(differ, Vec::<&String>::new(), "{part}");
    }
}

#[test]
fn one_reading_gives_the_same_sample_lines_in_every_format_and_coding() {
    let agent = slow();
    let path = "/metrics/node?exclude[]=process";
    let plain = agent.get(path);
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let lines = |text: &str| text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    let text = plain.text();
    let other = openmetrics(&agent, path);
    assert_eq!(lines(&text), lines(&other));
    assert!(other.ends_with("# EOF\n"));
    for (accept, expected) in [(None, text), (Some(OPENMETRICS), other)] {
        for coding in ["gzip", "zstd"] {
            let mut request = Request::new("GET", path).header("Accept-Encoding", coding);
            if let Some(accept) = accept {
                request = request.header("Accept", accept);
            }
            let answer = agent.send(&request);
            assert_eq!(answer.header("content-encoding"), Some(coding));
            assert!(answer.body.len() * 3 < expected.len(), "{coding} saves nothing: {} bytes", answer.body.len());
            let mut decoded = String::new();
            match coding {
                "gzip" => flate2::read::MultiGzDecoder::new(&answer.body[..]).read_to_string(&mut decoded).unwrap(),
                _ => zstd::Decoder::new(&answer.body[..]).unwrap().read_to_string(&mut decoded).unwrap(),
            };
            assert!(decoded == expected, "{coding} {accept:?} decodes to something else");
        }
    }
}

#[test]
fn openmetrics_counters_end_in_total_and_names_stay_as_they_are() {
    let agent = slow();
    let (text, other) = (agent.scrape("/metrics"), Exposition::parse(&openmetrics(&agent, "/metrics")));
    assert_eq!(text.names(), other.names());
    for (family, kind) in &other.types {
        if kind == "counter" {
            assert_eq!(text.types.get(&format!("{family}_total")).map(String::as_str), Some("counter"), "{family}");
        } else {
            let classic = if kind == "unknown" { ["untyped", "counter"] } else { [kind.as_str(); 2] };
            assert!(classic.contains(&text.types[family].as_str()), "{family} is {kind}, was {}", text.types[family]);
        }
    }
}

#[test]
fn collectors_can_be_chosen_and_left_out() {
    let agent = slow();
    let chosen = agent.scrape("/metrics?collect[]=loadavg&collect[]=filefd");
    assert_eq!(
        chosen.names().into_iter().collect::<Vec<_>>(),
        ["node_filefd_allocated", "node_filefd_maximum", "node_load1", "node_load15", "node_load5"]
    );
    let all = agent.scrape("/metrics/node");
    let most = agent.scrape("/metrics/node?exclude[]=loadavg&exclude[]=filefd");
    let left_out: BTreeSet<_> = all.names().difference(&most.names()).copied().map(str::to_owned).collect();
    assert_eq!(left_out, chosen.names().into_iter().map(str::to_owned).collect());
    for (path, status, code) in [
        ("/metrics?collect[]=cpu&exclude[]=loadavg", 400, "bad_filter"),
        ("/metrics?collect[]=nothing_like_it", 400, "bad_filter"),
        ("/metrics/nothing_like_it", 404, "unknown_part"),
    ] {
        let answer = agent.get(path);
        assert_eq!((answer.status, answer.error_code().as_str()), (status, code), "{path}");
    }
    // A job that was made for node_exporter goes on: what is not here can be left out, and asked for in vain.
    assert_eq!(agent.scrape("/metrics/node?exclude[]=zfs&exclude[]=nothing_like_it").names(), all.names());
    assert_eq!(agent.scrape("/metrics?collect[]=loadavg&collect[]=filefd&collect[]=zfs").names(), chosen.names());
    wait_until("the log to say so", || agent.log().matches("node_exporter's collector zfs").count() == 1);
}

#[test]
fn every_metric_that_the_node_mixin_asks_for_is_there_with_its_labels() {
    let agent = Agent::start();
    // A file system may take longer than the first reading.
    let scrape = wait_for("file systems", || {
        Some(agent.scrape("/metrics/node")).filter(|scrape| scrape.all("node_filesystem_size_bytes").next().is_some())
    });
    let table = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/node_mixin.txt")).unwrap();
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (mut names, mut partners) = (0, 0);
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        if let Some(same) = line.strip_prefix("same ") {
            let ignored = words.iter().find_map(|word| word.strip_prefix('-'));
            let mut sets = same.split(' ').filter(|word| !word.starts_with('-')).map(|name| {
                let without = |sample: &Sample| {
                    let mut labels = sample.labels.clone();
                    ignored.map(|label| labels.remove(label));
                    labels
                };
                (name, scrape.all(name).map(without).collect::<BTreeSet<_>>())
            });
            let (first, expected) = sets.next().unwrap();
            for (name, labels) in sets {
                assert_eq!(labels, expected, "{name} has other label sets than {first}");
                partners += 1;
            }
            continue;
        }
        let (name, labels, only_where) = (words[0], words[1], words.get(2));
        let samples: Vec<_> = scrape.all(name).collect();
        if only_where.is_some_and(|path| !exists(path)) {
            assert!(samples.is_empty(), "{name} is there without {only_where:?}");
            continue;
        }
        assert!(!samples.is_empty(), "{name} is missing");
        let labels: Vec<&str> = labels.split(',').filter(|label| *label != "-").collect();
        for sample in samples {
            let missing: Vec<_> = labels.iter().filter(|label| !sample.labels.contains_key(**label)).collect();
            assert!(missing.is_empty(), "{sample:?} has no {missing:?}");
        }
        names += 1;
    }
    assert!(names > 30 && partners > 10, "the table was not read: {names} names, {partners} partners");
}

fn exists(path: &str) -> bool {
    let Some(prefix) = path.strip_suffix('*') else { return Path::new(path).exists() };
    let (folder, begin) = prefix.rsplit_once('/').unwrap();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(begin))
}

#[test]
fn a_text_file_takes_no_name_that_the_agent_has() {
    let setup = Setup::default();
    let folder: PathBuf = setup.folder().join("textfiles");
    fs::create_dir(&folder).unwrap();
    let text =
        "# TYPE t GAUGE\nt 1\nprocess_open_fds 3\npg_up 1\naura_scrapes 1\nollama_up{host=\"x\"} 1\nnode_load1 77\n";
    fs::write(folder.join("all.prom"), text).unwrap();
    let agent = setup.argument("--collector.textfile.directory").argument(&folder).start();
    // Reading it fails where a series or a family is there twice.
    let scrape = agent.scrape("/metrics");
    assert_eq!(scrape.get("t", &[]), Some(1.0));
    assert!(scrape.value("process_open_fds", &[]) > 3.0 && scrape.value("node_load1", &[]) < 77.0);
    assert_eq!(scrape.get("node_textfile_scrape_error", &[]), Some(1.0));
    assert!(scrape.all("aura_scrapes").next().is_none() && scrape.get("ollama_up", &[("host", "x")]).is_none());
    assert_eq!(scrape.value("aura_series_dropped_total", &[("source", "host")]), 0.0);
}

#[test]
fn a_family_that_disappears_is_gone_from_the_next_reading() {
    let setup = Setup::default();
    let folder: PathBuf = setup.folder().join("textfiles");
    fs::create_dir(&folder).unwrap();
    let agent = setup.argument("--collector.textfile.directory").argument(&folder).start();
    let there = || agent.scrape("/metrics/node").get("aura_test_bread", &[("kind", "rye")]);
    assert_eq!(there(), None);
    fs::write(folder.join("bread.prom"), "aura_test_bread{kind=\"rye\"} 3\n").unwrap();
    wait_until("the new family", || there() == Some(3.0));
    fs::remove_file(folder.join("bread.prom")).unwrap();
    wait_until("the family to go", || there().is_none());
}

#[test]
fn scrapes_cause_no_sampling() {
    let begun = Instant::now();
    let agent = slow();
    for _ in 0..40 {
        assert_eq!(agent.get("/metrics").status, 200);
    }
    let scrape = wait_for("the scrapes to be counted", || {
        let scrape = agent.scrape("/metrics/aura");
        (scrape.value("aura_scrapes_total", &[]) >= 40.0).then_some(scrape)
    });
    let samples = scrape.value("aura_source_samples_total", &[("source", "host")]);
    let due = begun.elapsed().as_secs() / 20 + 1;
    assert!(samples <= due as f64, "{samples} samples, {due} were due");
}
