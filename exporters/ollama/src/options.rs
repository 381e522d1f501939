//! Ollama's part of the configuration.

use aura_model::{Interval, Options, Schedule, Switch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Address, OllamaHost, Server};

/// Ollama: models installed and loaded, the memory they take, and when they are unloaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OllamaOptions {
    /// Whether Ollama is watched. A server that nobody named and that is not there is passed over with `auto`, and shown as
    /// away with `true`.
    pub enabled: Switch,
    /// From one sample to the next; at least 100ms. A change reaches clients within two of these.
    pub interval: Interval,
    /// A sample that takes longer is shown as late.
    pub timeout: Interval,
    /// Where Ollama listens, one or several. Without any, `OLLAMA_HOST` of the environment and then
    /// http://127.0.0.1:11434 is tried. One behind a proxy is a section: `url` (`https://...`), `ca_file` with the
    /// authority to trust instead of those of the system, and either `token_file` or `user` and `password_file`.
    #[schemars(example = "http://127.0.0.1:11434")]
    pub hosts: Vec<OllamaHost>,
    /// An answer that takes longer is given up and asked for anew. Nobody waits for it: a server that keeps silent for 2
    /// seconds is shown as busy, and what it last said until `stale_after`.
    pub request_timeout: Interval,
    /// Whether the engines of an Ollama on this machine are watched: the processes that hold its models tell tokens a second,
    /// slots and running requests. They are found in /proc, and asked on 127.0.0.1 while they work, at most once a second.
    pub engine: bool,
    /// Whether models may be loaded and unloaded through the agent, by those who have a user or the control token.
    pub controls: bool,
    /// A load that takes longer is given up.
    pub load_timeout: Interval,
}

impl Default for OllamaOptions {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            interval: Interval::from_secs(1),
            timeout: Interval::from_secs(5),
            hosts: Vec::new(),
            request_timeout: Interval::from_secs(10),
            engine: true,
            controls: true,
            load_timeout: Interval::from_secs(600),
        }
    }
}

impl Options for OllamaOptions {
    fn schedule(&self) -> Schedule {
        Schedule { enabled: self.enabled, interval: self.interval, timeout: self.timeout }
    }

    fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut seen: Vec<Address> = Vec::new();
        for (index, host) in self.hosts.iter().enumerate() {
            match host.server() {
                Err(("", problem)) => problems.push((format!("hosts[{index}]"), problem)),
                Err((key, problem)) => problems.push((format!("hosts[{index}].{key}"), problem)),
                // They would share their label, and one server would count twice.
                Ok(Server { address, .. }) if seen.iter().any(|other| other.authority() == address.authority()) => {
                    problems.push((format!("hosts[{index}]"), format!("{address} is there twice")));
                }
                Ok(server) => seen.push(server.address),
            }
        }
        if self.request_timeout < Interval::from_millis(100) {
            problems
                .push(("request_timeout".into(), format!("{} is too short: 100ms is the least", self.request_timeout)));
        }
        problems
    }
}

impl OllamaOptions {
    /// The servers to watch, and whether somebody named them.
    ///
    /// # Errors
    /// What stands in `OLLAMA_HOST` is no address.
    pub fn servers(&self, ollama_host: Option<&str>) -> Result<(Vec<Server>, bool), String> {
        if !self.hosts.is_empty() {
            // Those that are no servers were refused by `problems`.
            return Ok((self.hosts.iter().filter_map(|host| host.server().ok()).collect(), true));
        }
        match ollama_host.map(str::trim).filter(|host| !host.is_empty()) {
            Some(host) => {
                let server = host.parse().map_err(|problem| format!("OLLAMA_HOST: {problem}"))?;
                Ok((vec![server], true))
            }
            None => Ok((vec![Address::default().into()], self.enabled == Switch::On)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_without_problems() {
        assert_eq!(OllamaOptions::default().problems(), []);
    }

    #[test]
    fn a_wrong_host_is_a_problem_of_its_place() {
        let hosts = ["box.lan", "ftp://box.lan", "http://box.lan:11434"].map(OllamaHost::from).to_vec();
        let problems = OllamaOptions { hosts, ..OllamaOptions::default() }.problems();
        let keys: Vec<&str> = problems.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["hosts[1]", "hosts[2]"]);
        assert!(problems[1].1.contains("twice"), "{problems:?}");
    }

    #[test]
    fn the_environment_names_the_server_unless_the_configuration_does() {
        let named = OllamaOptions { hosts: vec!["box.lan".into()], ..OllamaOptions::default() };
        let asked = |options: &OllamaOptions, variable| {
            let (servers, named) = options.servers(variable).unwrap();
            (servers[0].address.to_string(), named)
        };
        assert_eq!(asked(&named, Some("other.lan")), ("http://box.lan:11434".into(), true));
        assert_eq!(asked(&OllamaOptions::default(), Some("0.0.0.0:9207")), ("http://127.0.0.1:9207".into(), true));
        assert_eq!(asked(&OllamaOptions::default(), None), ("http://127.0.0.1:11434".into(), false));
        assert!(OllamaOptions::default().servers(Some("ftp://x")).unwrap_err().starts_with("OLLAMA_HOST: "));
    }
}
