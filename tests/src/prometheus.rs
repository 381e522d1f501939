//! A real Prometheus.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Exposition, Peer, encode, get, peer::free_address, wait_until};

/// A running Prometheus in a folder of its own.
pub struct Prometheus {
    peer: Peer,
    address: SocketAddr,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts the program; each job is its name, the agent's address and the path to scrape, every second.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(program: &Path, jobs: &[(&str, SocketAddr, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = String::from("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n");
        for (job, address, path) in jobs {
            config +=
                &format!("- {{job_name: {job}, metrics_path: {path}, static_configs: [{{targets: ['{address}']}}]}}\n");
        }
        let file = folder.path().join("prometheus.yaml");
        fs::write(&file, config).expect("a folder of our own");
        let address = free_address();
        let mut command = Command::new(program);
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        let mut peer = Peer::start(&mut command, folder.path().join("log"));
        wait_until("Prometheus is ready", || {
            assert!(peer.ended().is_none(), "Prometheus has ended:\n{}", peer.log());
            peer.log().contains("Server is ready to receive web requests")
        });
        Self { peer, address, _folder: folder }
    }

    /// The answer to an instant query: each series' labels and value.
    ///
    /// # Panics
    /// When the query is wrong.
    #[must_use]
    pub fn query(&self, expression: &str) -> Vec<(BTreeMap<String, String>, f64)> {
        let answer = get(self.address, &format!("/api/v1/query?query={}", encode(expression)));
        let json = answer.json();
        assert_eq!(json["status"], "success", "{expression}: {json}");
        let series = json["data"]["result"].as_array().expect("a vector").iter();
        series
            .map(|one| {
                let labels = one["metric"].as_object().expect("labels").iter();
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let labels = labels.map(|(name, value)| (name.clone(), text(value))).collect();
                (labels, text(&one["value"][1]).parse().expect("a number"))
            })
            .collect()
    }

    /// The one value that a query gives.
    ///
    /// # Panics
    /// When it gives none, or several.
    #[must_use]
    pub fn value(&self, expression: &str) -> f64 {
        match &self.query(expression)[..] {
            [(_, value)] => *value,
            other => panic!("{expression} gave {other:?}"),
        }
    }

    /// Its own metrics.
    #[must_use]
    pub fn own_metrics(&self) -> Exposition {
        Exposition::parse(&get(self.address, "/metrics").text())
    }

    /// What it said.
    #[must_use]
    pub fn log(&self) -> String {
        self.peer.log()
    }
}
