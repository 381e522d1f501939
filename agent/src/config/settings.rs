//! Every setting that is not a source's own. The doc comments become the example file, the JSON schema and the
//! reference, so they are written for the person who runs the agent.

use std::path::PathBuf;

use aura_model::{Context, Interval};
use aura_net::HostPort;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Network;

/// Where the agent listens and whom it answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    /// Address to listen on, or a list of them: "127.0.0.1:9205", "[::1]:9205", "box.lan:9205", or ":9205" for
    /// every address of the machine. Other addresses than loopback need `config_file` with users or client
    /// certificates, or `allow_unauthenticated`.
    #[schemars(schema_with = "one_or_more_addresses")]
    pub listen_address: Vec<HostPort>,
    /// Web configuration in the Prometheus exporter-toolkit's format: TLS, users, response headers.
    #[schemars(example = "/etc/aura/web.yaml")]
    pub config_file: Option<PathBuf>,
    /// File with the token that opens what changes the world (loading and unloading models) where there are no users:
    /// one word of at least 16 characters, sent as `Authorization: Bearer`. Without users and token nobody may.
    #[schemars(example = "/etc/aura/control.token")]
    pub control_token_file: Option<PathBuf>,
    /// Path of all metrics; their parts lie below it.
    pub telemetry_path: String,
    /// Answer everybody who reaches an address that is not loopback. Only behind a proxy or firewall that decides.
    pub allow_unauthenticated: bool,
    /// Scrapes answered at once, half of them for one address; more are told to come back. 0 is no limit.
    pub max_requests: u32,
    /// Names under which the agent is reached, besides IP addresses, localhost and this machine's own name. Where nobody
    /// is asked for a password or a client certificate, a request for another name is refused, so that no foreign page
    /// can reach the agent under a name of its own.
    #[schemars(example = "aura.example.org")]
    pub allowed_hosts: Vec<String>,
    /// Proxies in front of the agent, as addresses or networks. Their word is taken for where a request comes from
    /// (`X-Forwarded-For`, `Forwarded`): limits for each address then count clients and not the proxy.
    #[schemars(example = "10.0.0.0/8")]
    pub trusted_proxies: Vec<Network>,
    /// Pages of other origins that may open the feeds, as scheme://host:port.
    #[schemars(example = "https://grafana.example.org")]
    pub allowed_origins: Vec<String>,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            listen_address: vec![HostPort { host: "127.0.0.1".to_owned(), port: 9205 }],
            config_file: None,
            control_token_file: None,
            telemetry_path: "/metrics".to_owned(),
            allow_unauthenticated: false,
            max_requests: 40,
            allowed_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
        }
    }
}

/// What is logged, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least severe messages to log.
    pub level: LogLevel,
    /// Lines for people (text) or for programs (json).
    pub format: LogFormat,
}

/// How severe a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people. `logfmt`, as node_exporter calls its own, means this too.
    #[default]
    #[serde(alias = "logfmt")]
    Text,
    /// One JSON object a line.
    Json,
}

/// What outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// The one folder that is written to. Under systemd it is the unit's state directory; otherwise nothing is
    /// written unless a folder is named.
    #[schemars(example = "/var/lib/aura")]
    pub path: Option<PathBuf>,
}

/// How long values are shown that no newer ones follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct StaleAfter(pub Interval);

impl Default for StaleAfter {
    fn default() -> Self {
        Self(Interval::from_secs(Context::STALE_AFTER.as_secs()))
    }
}

/// The live feeds that pages listen to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Feed {
    /// Clients served at once; more are refused with 503. One that stops reading holds up to 32 KB of the
    /// kernel's memory, so 1000 of them cost 32 MB at the worst.
    pub max_clients: u32,
    /// Clients from one address. Behind a proxy all have the proxy's, unless `web.trusted_proxies` names it.
    pub max_clients_per_address: u32,
    /// The longest message a client may send, in bytes.
    pub max_message_bytes: u32,
    /// A silent client is asked this often whether it is still there.
    pub ping_interval: Interval,
    /// A client that does not answer for so long is let go.
    pub pong_timeout: Interval,
    /// Offer messages compressed, once for all who ask.
    pub compression: bool,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            max_clients: 1000,
            max_clients_per_address: 100,
            max_message_bytes: 4096,
            ping_interval: Interval::from_secs(20),
            pong_timeout: Interval::from_secs(10),
            compression: true,
        }
    }
}

/// What is remembered in memory, so that graphs are full when a page opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    /// How far back.
    pub window: Interval,
    /// From one remembered value to the next. The window holds at most 86400 of them.
    pub resolution: Interval,
}

impl Default for History {
    fn default() -> Self {
        Self { window: Interval::from_secs(3600), resolution: Interval::from_secs(1) }
    }
}

/// What electricity costs, so that answers of models have a price where a GPU or the processor counts its energy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Energy {
    /// Price of a kilowatt hour. Without one, energy is shown and no cost.
    #[schemars(example = 0.32)]
    pub price_per_kwh: Option<f64>,
    /// What the price is in, as it is shown beside a number.
    pub currency: String,
}

impl Default for Energy {
    fn default() -> Self {
        Self { price_per_kwh: None, currency: "EUR".to_owned() }
    }
}

fn one_or_more_addresses(_: &mut SchemaGenerator) -> Schema {
    let one = json_schema!({ "type": "string", "pattern": "^(\\[[0-9a-fA-F:.]+\\]|[^:/@,\\s]*):[0-9]{1,5}$" });
    json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
}
