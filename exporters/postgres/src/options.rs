//! PostgreSQL's part of the configuration.

use std::fmt;

use aura_model::{Interval, Name, Options, Schedule, Switch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::conninfo;

/// PostgreSQL servers and the debates that one of them holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresOptions {
    /// Whether PostgreSQL is watched. `auto` watches the servers that are named below, else the one that
    /// `DATABASE_URL`, `DATA_SOURCE_NAME`, `DATA_SOURCE_URI`, `POSTGRES_HOST` or `PGHOST` name, else the one behind the
    /// local socket if it lets us in.
    pub enabled: Switch,
    /// From one sample to the next.
    pub interval: Interval,
    /// A sample that takes longer is shown as late.
    pub timeout: Interval,
    /// The servers, one entry each; with more than one, every metric has the label `server`.
    pub servers: Vec<ServerOptions>,
    /// A login or a sample that is not answered after so long is given up and tried anew. Nobody waits for it: the other
    /// servers go on, and this one is shown as it last was until `stale_after`.
    pub answer_timeout: Interval,
    /// A query that runs longer is stopped by the server. This holds for sizes, which nobody waits for, and for the
    /// tables of other databases; all else is stopped after two thirds of `answer_timeout`, if that is sooner.
    pub statement_timeout: Interval,
    /// A query that waits longer for a lock is stopped by the server.
    pub lock_timeout: Interval,
    /// How often what is expensive is read: sizes, settings, roles, the WAL's files, slow statements. Sizes take a twentieth
    /// of the time at most; one that cannot be read again is shown for ten of these intervals.
    pub slow_interval: Interval,
    /// Statistics of tables.
    pub tables: TableOptions,
    /// Statistics of statements, from pg_stat_statements.
    pub statements: StatementOptions,
    /// What `/probe` may ask; nothing unless both modules and targets are given.
    pub probe: ProbeOptions,
    /// The debates that the tables `debates`, `model_rankings` and `debate_rounds` hold.
    pub debates: DebateOptions,
}

/// Which debates are read. Only plain tables are that depend on nothing but PostgreSQL's own functions and types,
/// unless their owner is trusted: whatever else a table's owner puts there runs with the rights of those who read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DebateOptions {
    /// Whether debates are read: `auto` where their tables are.
    pub enabled: Switch,
    /// The schema that holds the tables.
    pub schema: String,
    /// Roles whose tables are read even if they are views, foreign tables or have policies, or types and indexes with
    /// code of their own: all of it may do what the agent's role may.
    pub trusted_owners: Vec<String>,
}

impl Default for DebateOptions {
    fn default() -> Self {
        Self { enabled: Switch::Auto, schema: "public".to_owned(), trusted_owners: Vec::new() }
    }
}

/// Servers that are asked when a request to `/probe?target=...&auth_module=...` names them, and not otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeOptions {
    /// Who may be asked: `host`, `host:port` (5432 if nothing is said), or `host:port/database` for that database
    /// alone.
    pub targets: Vec<String>,
    /// How to log in, by the name that a request gives as `auth_module`; a request without one takes `default`.
    pub modules: Vec<ProbeModule>,
    /// A target that has not answered by then counts as down.
    pub timeout: Interval,
}

/// How to log in to a server that is probed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeModule {
    /// What `/probe?auth_module=` names it.
    pub name: String,
    /// Role.
    pub user: String,
    /// Database, when the target names none; else the role's own.
    pub database: Option<String>,
    /// File that holds the password and nothing else.
    pub password_file: Option<String>,
    /// Password file of libpq.
    pub passfile: Option<String>,
    /// How TLS is used, as in libpq; `prefer` if nothing is said.
    pub sslmode: Option<SslMode>,
    /// Certificates that the server's is checked against.
    pub sslrootcert: Option<String>,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        Self { targets: Vec::new(), modules: Vec::new(), timeout: Interval::from_secs(5) }
    }
}

/// One server: either a URL or its parts. What neither says comes from the `PG*` variables of libpq.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerOptions {
    /// Its name in the label `server` and on the page; `host:port` if nothing is said.
    pub name: Option<String>,
    /// `postgres://user@host:port/database?sslmode=verify-full`, or libpq's `host=... port=...`. Keep passwords out of
    /// it: use `password_file`, a password file of libpq, or `${VARIABLE}`.
    pub url: Option<DatabaseUrl>,
    /// Host, address, or the folder of a socket.
    pub host: Option<String>,
    /// Port, 5432 if nothing is said.
    pub port: Option<u16>,
    /// Database to connect to; statistics cover all databases of the server.
    pub database: Option<String>,
    /// Role; it needs `pg_monitor` to see everything.
    pub user: Option<String>,
    /// File that holds the password and nothing else.
    pub password_file: Option<String>,
    /// Password file of libpq, with lines `host:port:database:user:password`.
    pub passfile: Option<String>,
    /// How TLS is used, as in libpq; `prefer` if nothing is said.
    pub sslmode: Option<SslMode>,
    /// Certificates that the server's is checked against, for `verify-ca` and `verify-full`; `system` takes those of
    /// the system.
    pub sslrootcert: Option<String>,
    /// Our certificate, if the server wants one.
    pub sslcert: Option<String>,
    /// The key of our certificate.
    pub sslkey: Option<String>,
}

/// How TLS is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Never.
    Disable,
    /// As `prefer`.
    Allow,
    /// If the server offers it; its certificate is not checked.
    Prefer,
    /// Always; its certificate is not checked, unless `sslrootcert` is given.
    Require,
    /// Always; the certificate must come from a known authority.
    VerifyCa,
    /// Always; the certificate must come from a known authority and be made for this host.
    VerifyFull,
}

/// Which tables are watched, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TableOptions {
    /// Whether tables are watched; `auto` does.
    pub enabled: Switch,
    /// How often their statistics are read.
    pub interval: Interval,
    /// At most so many tables a database: the largest. One that was published stays as long as it exists.
    pub limit: u32,
    /// Databases whose tables are watched beside those of the one that we are connected to: their names, or `all`.
    /// Each takes one more connection.
    pub databases: OtherDatabases,
    /// At most so many of them.
    pub max_databases: u32,
    /// Whether indexes are watched too: five series each, at most `limit` of them a database.
    pub indexes: bool,
}

/// Databases beside the one that we are connected to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected all, or a list of names of databases")]
pub enum OtherDatabases {
    /// All of them, without templates.
    All(All),
    /// Those with these names.
    Named(Vec<String>),
}

/// The word `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum All {
    /// All.
    All,
}

impl Default for OtherDatabases {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

/// How statements are published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StatementOptions {
    /// Whether `pg_stat_statements_*` metrics are published: many series, so only when asked for. Slow statements
    /// are shown on the page without it.
    pub metrics: bool,
    /// At most so many statements: those that took most time. One that was published stays as long as the server
    /// knows it.
    pub limit: u32,
    /// So many letters of each statement's text are in `pg_stat_statements_query_id`; none with 0. What stands in a
    /// statement is then seen by all who read the metrics.
    pub query_length: u32,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            interval: Interval::from_secs(1),
            timeout: Interval::from_secs(5),
            servers: Vec::new(),
            answer_timeout: Interval::from_secs(10),
            statement_timeout: Interval::from_secs(2),
            lock_timeout: Interval::from_millis(100),
            slow_interval: Interval::from_secs(60),
            tables: TableOptions::default(),
            statements: StatementOptions::default(),
            probe: ProbeOptions::default(),
            debates: DebateOptions::default(),
        }
    }
}

impl Default for TableOptions {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            interval: Interval::from_secs(15),
            limit: 500,
            databases: OtherDatabases::default(),
            max_databases: 10,
            indexes: false,
        }
    }
}

impl Default for StatementOptions {
    fn default() -> Self {
        Self { metrics: false, limit: 50, query_length: 0 }
    }
}

impl Options for PostgresOptions {
    fn schedule(&self) -> Schedule {
        Schedule { enabled: self.enabled, interval: self.interval, timeout: self.timeout }
    }

    fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        for (index, server) in self.servers.iter().enumerate() {
            let parts = [&server.host, &server.database, &server.user].iter().any(|part| part.is_some());
            if server.url.is_some() && (parts || server.port.is_some()) {
                let message = "a server is given by url or by host, port, database and user, not by both";
                problems.push((format!("servers[{index}].url"), message.to_owned()));
            }
            if let Some(url) = &server.url
                && let Err(error) = crate::target::parse(url)
            {
                problems.push((format!("servers[{index}].url"), error));
            }
        }
        let environment = |name: &str| std::env::var(name).ok();
        let names: Vec<Option<Name>> = self
            .servers
            .iter()
            .map(|server| crate::target::Target::new(server, &environment).ok().map(|target| target.name))
            .collect();
        for (index, name) in names.iter().enumerate() {
            if let Some(name) = name
                && names[..index].contains(&Some(name.clone()))
            {
                let message = format!(
                    "{name:?} is there twice: give each server a name of its own; tables of several databases of one \
                     server are read with tables.databases"
                );
                problems.push((format!("servers[{index}].name"), message));
            }
        }
        for (index, target) in self.probe.targets.iter().enumerate() {
            if let Err(error) = crate::probe::check(target) {
                problems.push((format!("probe.targets[{index}]"), error));
            }
        }
        for (index, module) in self.probe.modules.iter().enumerate() {
            for (key, value) in [("name", &module.name), ("user", &module.user)] {
                if value.is_empty() {
                    let message = format!("a module needs a {key}");
                    problems.push((format!("probe.modules[{index}].{key}"), message));
                }
            }
            if self.probe.modules[..index].iter().any(|other| other.name == module.name) {
                problems.push((format!("probe.modules[{index}].name"), format!("{:?} is there twice", module.name)));
            }
        }
        if self.tables.limit > MOST_TABLES {
            problems.push(("tables.limit".to_owned(), format!("more than {MOST_TABLES}")));
        }
        if self.tables.max_databases > MOST_DATABASES {
            problems.push(("tables.max_databases".to_owned(), format!("more than {MOST_DATABASES}")));
        }
        if self.statements.query_length > MOST_LETTERS {
            problems.push(("statements.query_length".to_owned(), format!("more than {MOST_LETTERS}")));
        }
        if self.statements.limit > MOST_STATEMENTS {
            problems.push(("statements.limit".to_owned(), format!("more than {MOST_STATEMENTS}")));
        }
        problems
    }
}

/// Each table gives thirty series.
const MOST_TABLES: u32 = 20_000;
/// Each takes a connection of its server.
const MOST_DATABASES: u32 = 100;
/// Each statement gives five series.
const MOST_STATEMENTS: u32 = 5_000;
/// A label that is longer is refused by some who scrape.
const MOST_LETTERS: u32 = 1_000;

/// A URL that is shown without its password.
#[derive(Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL with its password, for connecting.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&conninfo::shown(&self.0))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", conninfo::shown(&self.0))
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
