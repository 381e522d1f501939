//! Beside the exporter that the agent stands in for.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use aura_tests::{Agent, Exposition, Peer, Sample, Setup, get, needs, wait_until};

/// What the other one has and we have not, with the reason. A star ends a prefix.
const LEFT_OUT: [(&str, &str); 6] = [
    ("go_*", "the Go runtime of the other"),
    ("promhttp_*", "the HTTP library of the other"),
    ("node_exporter_build_info", "its labels tell of the other's compiler; ours has the version alone"),
    ("node_scrape_collector_*", "one row a collector: ours are not all the same"),
    ("process_*", "of the process itself"),
    ("node_filesystem_purgeable_bytes", "only macOS knows such space"),
];

struct NodeExporter {
    address: std::net::SocketAddr,
    _peer: Peer,
    _folder: tempfile::TempDir,
}

impl NodeExporter {
    fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = Agent::free_address();
        let mut command = Command::new(program);
        command.arg(format!("--web.listen-address={address}"));
        let peer = Peer::start(&mut command, folder.path().join("log"));
        wait_until("node_exporter answers", || std::net::TcpStream::connect(address).is_ok());
        Self { address, _peer: peer, _folder: folder }
    }
}

/// Labels that ours have beyond those of 1.5, from later versions of it.
const ADDED: [(&str, &str); 2] = [("node_disk_info", "rotational"), ("node_network_info", "adminstate")];

#[test]
fn every_family_of_node_exporter_is_here_with_its_type_and_labels() {
    let Some(program) = needs("prometheus-node-exporter") else { return };
    let other = NodeExporter::start(&program);
    let agent = Agent::start();
    let theirs = Exposition::parse(&get(other.address, "/metrics").text());
    assert!(theirs.samples.len() > 300, "node_exporter says little: {} samples", theirs.samples.len());
    // What takes long to read is there from a later reading on.
    let mut found = Vec::new();
    let is_same = (0..100).any(|_| {
        found = differences(&theirs, &agent.scrape("/metrics/node"));
        found.is_empty() || {
            thread::sleep(Duration::from_millis(200));
            false
        }
    });
    assert!(is_same, "{found:#?}");
}

fn differences(theirs: &Exposition, ours: &Exposition) -> Vec<String> {
    let (theirs_labels, ours_labels) = (labels(theirs), labels(ours));
    let mut differences = Vec::new();
    for (name, labels) in theirs_labels {
        let fits = |pattern: &str| pattern.strip_suffix('*').map_or(name == pattern, |prefix| name.starts_with(prefix));
        if LEFT_OUT.iter().any(|(pattern, _)| fits(pattern)) {
            continue;
        }
        match ours_labels.get(name) {
            None => differences.push(format!("{name} is missing")),
            Some(here) if *here != labels => differences.push(format!("{name} has {here:?} instead of {labels:?}")),
            Some(_) if ours.types.get(name) != theirs.types.get(name) => {
                differences.push(format!(
                    "{name} is {:?} instead of {:?}",
                    ours.types.get(name),
                    theirs.types.get(name)
                ));
            }
            Some(_) => {}
        }
    }
    differences
}

/// Each name with the names of its labels. To PromQL an empty label is none.
fn labels(exposition: &Exposition) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    // A driver that does not know its speed makes 1.5 say -125000; that is no speed.
    let sense = |sample: &&Sample| sample.name != "node_network_speed_bytes" || sample.value > 0.0;
    for sample in exposition.samples.iter().filter(sense) {
        let filled = sample.labels.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str());
        let added = |label: &&str| ADDED.contains(&(sample.name.as_str(), label));
        labels.entry(&sample.name).or_default().extend(filled.filter(|label| !added(label)));
    }
    labels
}

#[test]
fn aura_compare_finds_nothing_missing_beside_node_exporter() {
    let Some(program) = needs("prometheus-node-exporter") else { return };
    let other = NodeExporter::start(&program);
    let compared = Agent::run(&["compare", &format!("http://{}/metrics", other.address)]);
    assert_eq!(compared.code, Some(0), "{}", compared.log);
    assert!(compared.log.contains("missing here: none"), "{}", compared.log);
}

#[test]
fn aura_compare_says_what_is_missing_and_fails() {
    let Some(program) = needs("prometheus-node-exporter") else { return };
    let other = NodeExporter::start(&program);
    let setup = Setup::default().listen(None).config("sources: {host: {collectors: {disable: [loadavg, uname]}}}\n");
    let compared = setup.argument("compare").argument(format!("http://{}/metrics", other.address)).fail();
    assert_eq!(compared.code, Some(1), "{}", compared.log);
    for words in ["missing here: 4", "node_load15", "node_uname_info"] {
        assert!(compared.log.contains(words), "{words:?} is not in: {}", compared.log);
    }
}

#[test]
fn aura_compare_says_why_there_is_nothing_to_compare_with() {
    let nobody = Agent::run(&["compare", "http://127.0.0.1:1/metrics"]);
    assert_eq!(nobody.code, Some(1), "{}", nobody.log);
    assert!(nobody.log.contains("127.0.0.1:1"), "{}", nobody.log);
    let other = Agent::start();
    let page = Agent::run(&["compare", &format!("http://{}/", other.address())]);
    assert_eq!(page.code, Some(1), "{}", page.log);
    assert!(page.log.contains("does not answer in the Prometheus text format"), "{}", page.log);
}
