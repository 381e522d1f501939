//! One server and how to log in: options, connection string, service and environment put together as libpq does.

mod role;
#[cfg(test)]
mod tests;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aura_model::{Missing, Name};
use aura_net::HostPort;
use tokio_postgres::config::{Config, LoadBalanceHosts, SslMode as TheirMode};

pub(crate) use self::role::Role;
use crate::{
    ServerOptions, SslMode,
    conninfo::Conninfo,
    options::DatabaseUrl,
    parameters::{self, PARAMETERS},
    passfile, service,
    tls::{Certificates, Tls},
};

/// Looks a variable of the environment up.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(crate) const DEFAULT_PORT: u16 = 5432;

/// One server and how to log in.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its name in the label and on the page.
    pub name: Name,
    /// `host:port` or the socket's folder.
    pub address: String,
    config: Config,
    hosts: Vec<Host>,
    role: Role,
    balances: bool,
    password_file: Option<PathBuf>,
    passfile: Option<PathBuf>,
    tls: Tls,
}

/// Checks a URL without connecting.
pub(crate) fn parse(url: &DatabaseUrl) -> Result<(), String> {
    Conninfo::parse(url.reveal()).and_then(|parsed| {
        parsed.pairs.iter().find_map(|(name, value)| parameters::refused(name, value)).map_or(Ok(()), Err)
    })
}

impl Target {
    pub(crate) fn new(server: &ServerOptions, environment: Environment<'_>) -> Result<Self, String> {
        let mut pairs = match &server.url {
            Some(url) => Conninfo::parse(url.reveal())?.pairs,
            None => Vec::new(),
        };
        let given = |pairs: &[(&'static str, String)], key: &str| {
            pairs.iter().rfind(|(name, _)| *name == key).map(|(_, value)| value.clone())
        };
        // libpq takes what is written before the service, and the service before the environment.
        let named = |key: &str, variable: &str| given(&pairs, key).or_else(|| environment(variable));
        if let Some(service) = named("service", "PGSERVICE").filter(|service| !service.is_empty()) {
            let file = named("servicefile", "PGSERVICEFILE");
            pairs.splice(0..0, service::find(&service, file.as_deref(), environment)?);
        }
        for parameter in PARAMETERS {
            let from_environment = || environment(parameter.variable?).filter(|value| !value.is_empty());
            if given(&pairs, parameter.name).is_none()
                && let Some(value) = from_environment()
            {
                pairs.push((parameter.name, value));
            }
        }
        for (name, value) in &pairs {
            if let Some(why) = parameters::refused(name, value) {
                return Err(why);
            }
        }
        Self::of(server, &|key| given(&pairs, key), environment)
    }

    fn of(
        server: &ServerOptions,
        given: &dyn Fn(&str) -> Option<String>,
        environment: Environment<'_>,
    ) -> Result<Self, String> {
        let hosts = hosts(
            server.host.clone().or_else(|| given("host")),
            given("hostaddr").filter(|_| server.host.is_none()),
            server.port.map(|port| port.to_string()).or_else(|| given("port")),
        )?;
        let socket = hosts.iter().all(Host::is_socket);
        let mut config = Config::new();
        let user = server.user.clone().or_else(|| given("user")).or_else(|| environment("USER"));
        let user = user.unwrap_or_else(system_user);
        let database = server.database.clone().or_else(|| given("dbname")).unwrap_or_else(|| {
            // A role without a database of its own name meets an error that names a database nobody spoke of.
            if user == "postgres" || socket { "postgres".to_owned() } else { user.clone() }
        });
        config.user(user).dbname(database);
        if let Some(password) = given("password") {
            config.password(password);
        }
        let application = given("application_name").or_else(|| given("fallback_application_name"));
        config.application_name(application.unwrap_or_else(|| "aura".to_owned()));
        if let Some(options) = given("options") {
            config.options(options);
        }
        network(&mut config, given)?;
        let balances = match given("load_balance_hosts") {
            Some(word) => one_of("load_balance_hosts", &word, &[("disable", false), ("random", true)])?,
            None => false,
        };
        if balances {
            config.load_balance_hosts(LoadBalanceHosts::Random);
        }
        let mode = match (server.sslmode, given("sslmode"), given("requiressl").as_deref()) {
            (Some(mode), _, _) => mode,
            (None, Some(word), _) => ssl_mode(&word)?,
            (None, None, Some("1")) => SslMode::Require,
            (None, None, _) => SslMode::Prefer,
        };
        let mut tls = tls(server, mode, given, environment)?;
        if socket {
            tls.mode = SslMode::Disable;
        }
        if tls.direct && !socket && !matches!(tls.mode, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) {
            return Err("sslnegotiation: direct needs sslmode require, verify-ca or verify-full".to_owned());
        }
        let address = hosts.iter().map(Host::address).collect::<Vec<_>>().join(",");
        Ok(Self {
            name: Arc::from(server.name.clone().unwrap_or_else(|| address.clone())),
            address,
            password_file: server.password_file.as_ref().map(PathBuf::from),
            passfile: (server.passfile.clone().or_else(|| given("passfile")))
                .or_else(|| in_home(environment, ".pgpass"))
                .map(PathBuf::from),
            role: match given("target_session_attrs") {
                Some(word) => one_of("target_session_attrs", &word, Role::WORDS)?,
                None => Role::Any,
            },
            balances,
            hosts,
            config,
            tls,
        })
    }

    /// The role that we log in as.
    pub(crate) fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// The database that we connect to.
    pub(crate) fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_default()
    }

    /// The same with this password.
    pub(crate) fn with_password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }

    /// The same server and role, in another database.
    pub(crate) fn with_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.config.dbname(name);
        other
    }

    /// How TLS is used.
    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// What the server is to be.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Whether its hosts are tried in any order.
    pub(crate) fn balances(&self) -> bool {
        self.balances
    }

    /// Everything that a connection needs, for each host; files with passwords are read now, because they may have
    /// changed.
    pub(crate) fn logins(&self) -> Result<Vec<Login>, Missing> {
        let mut base = self.config.clone();
        if let Some(path) = &self.password_file {
            base.password(aura_net::secret(path)?);
        }
        let each = self.hosts.iter().map(|host| {
            let mut config = base.clone();
            // A certificate is held against the address where no name is given.
            config.host(host.name());
            if let Some(address) = host.numeric {
                config.hostaddr(address);
            }
            config.port(host.port);
            // TLS is not spoken over a socket of the machine.
            config.ssl_mode(if host.is_socket() { TheirMode::Disable } else { self.tls.mode() });
            if config.get_password().is_none()
                && let Some(path) = &self.passfile
            {
                let name = if host.is_socket() { "localhost".to_owned() } else { host.name() };
                if let Some(password) = passfile::find(path, &name, host.port, self.database(), self.user())? {
                    config.password(password);
                }
            }
            Ok(Login { address: host.address(), config })
        });
        each.collect()
    }
}

/// How to log in at one host.
pub(crate) struct Login {
    pub address: String,
    pub config: Config,
}

/// One of the hosts of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    /// A name or address, or the folder of a socket.
    host: Option<String>,
    /// The address that saves looking the name up.
    numeric: Option<IpAddr>,
    port: u16,
}

impl Host {
    fn is_socket(&self) -> bool {
        self.numeric.is_none() && self.host.as_deref().is_some_and(|host| host.starts_with('/'))
    }

    fn name(&self) -> String {
        self.host.clone().or(self.numeric.map(|address| address.to_string())).unwrap_or_default()
    }

    fn address(&self) -> String {
        HostPort { host: self.name(), port: self.port }.to_string()
    }
}

/// The hosts of lists with commas between; one port is that of all.
fn hosts(host: Option<String>, numeric: Option<String>, port: Option<String>) -> Result<Vec<Host>, String> {
    let list = |text: Option<String>| -> Vec<String> {
        text.map(|text| text.split(',').map(|part| part.trim().to_owned()).collect()).unwrap_or_default()
    };
    let (hosts, numerics, ports) = (list(host), list(numeric), list(port));
    if !hosts.is_empty() && !numerics.is_empty() && hosts.len() != numerics.len() {
        return Err(format!("host names {} hosts and hostaddr {}", hosts.len(), numerics.len()));
    }
    let count = hosts.len().max(numerics.len()).max(1);
    if ports.len() > 1 && ports.len() != count {
        return Err(format!("port names {} ports for {count} hosts: name one for each, or one for all", ports.len()));
    }
    let each = (0..count).map(|index| {
        let part = |list: &[String]| list.get(index).filter(|part| !part.is_empty()).cloned();
        let (host, numeric) = (part(&hosts), part(&numerics));
        if host.as_deref().is_some_and(|host| host.starts_with('@')) {
            return Err("host: sockets without a file (@name) are not spoken to: name the folder of one".to_owned());
        }
        let numeric = numeric.map(|text| text.parse().map_err(|_| "hostaddr is no address".to_owned())).transpose()?;
        let host = host.or_else(|| numeric.is_none().then(|| "localhost".to_owned()));
        let port = if ports.len() == 1 { ports.first().filter(|port| !port.is_empty()).cloned() } else { part(&ports) };
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or("port is no number from 1 to 65535")?,
            None => DEFAULT_PORT,
        };
        Ok(Host { host, numeric, port })
    });
    each.collect()
}

/// What a connection does with the network.
fn network(config: &mut Config, given: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    let number = |key: &str| -> Result<Option<u64>, String> {
        let parsed = given(key).map(|text| text.trim().parse::<i64>().map_err(|_| format!("{key} is no number")));
        // libpq takes 0 and what is below for the system's own choice.
        Ok(parsed.transpose()?.and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0))
    };
    let seconds = |key: &str| Ok::<_, String>(number(key)?.map(Duration::from_secs));
    if let Some(limit) = seconds("connect_timeout")? {
        config.connect_timeout(limit);
    }
    config.keepalives(given("keepalives").as_deref() != Some("0"));
    if let Some(idle) = seconds("keepalives_idle")? {
        config.keepalives_idle(idle);
    }
    if let Some(interval) = seconds("keepalives_interval")? {
        config.keepalives_interval(interval);
    }
    if let Some(count) = number("keepalives_count")? {
        config.keepalives_retries(u32::try_from(count).unwrap_or(u32::MAX));
    }
    if let Some(limit) = number("tcp_user_timeout")? {
        config.tcp_user_timeout(Duration::from_millis(limit));
    }
    if let Some(word) = given("channel_binding") {
        use tokio_postgres::config::ChannelBinding::{Disable, Prefer, Require};
        let words = [("disable", Disable), ("prefer", Prefer), ("require", Require)];
        config.channel_binding(one_of("channel_binding", &word, &words)?);
    }
    if let Some(word) = given("sslnegotiation") {
        use tokio_postgres::config::SslNegotiation::{Direct, Postgres};
        config.ssl_negotiation(one_of("sslnegotiation", &word, &[("postgres", Postgres), ("direct", Direct)])?);
    }
    Ok(())
}

fn tls(
    server: &ServerOptions,
    mode: SslMode,
    given: &dyn Fn(&str) -> Option<String>,
    environment: Environment<'_>,
) -> Result<Tls, String> {
    let ours = given("sslcertmode").as_deref() != Some("disable");
    let own = |typed: &Option<String>, key: &str| typed.clone().or_else(|| given(key)).filter(|_| ours);
    let version = |key: &str| match given(key) {
        // Older ones are not spoken at all, so that they are no limit from below.
        Some(word) => {
            let words = [("TLSv1", 0), ("TLSv1.1", 1), ("TLSv1.2", 2), ("TLSv1.3", 3)];
            one_of(key, &word, &words).map(Some)
        }
        None => Ok(None),
    };
    let (oldest, newest) =
        (version("ssl_min_protocol_version")?.unwrap_or(2), version("ssl_max_protocol_version")?.unwrap_or(3));
    if newest < oldest.max(2) {
        return Err("ssl_max_protocol_version: TLSv1.2 and TLSv1.3 are spoken, and nothing older".to_owned());
    }
    let roots = server.sslrootcert.clone().or_else(|| given("sslrootcert"));
    // As libpq: the system's authorities sign for anybody, so that the name must be looked at.
    let mode = match (roots.as_deref(), server.sslmode.is_none() && given("sslmode").is_none(), mode) {
        (Some("system"), true, _) => SslMode::VerifyFull,
        (Some("system"), false, weak) if weak != SslMode::VerifyFull => {
            return Err("sslrootcert: system needs sslmode=verify-full: its authorities sign for anybody".to_owned());
        }
        (_, _, mode) => mode,
    };
    Ok(Tls {
        mode,
        certificates: Certificates {
            roots: roots.or_else(|| in_home(environment, ".postgresql/root.crt")),
            certificate: own(&server.sslcert, "sslcert"),
            key: own(&server.sslkey, "sslkey"),
            revoked: given("sslcrl"),
        },
        direct: given("sslnegotiation").as_deref() == Some("direct"),
        names_host: given("sslsni").as_deref() != Some("0"),
        older: oldest <= 2,
        newer: newest >= 3,
    })
}

/// What a word means.
fn one_of<T: Copy>(key: &str, word: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known = words.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
        format!("{key}: its value is none of {known}")
    })
}

fn ssl_mode(word: &str) -> Result<SslMode, String> {
    let words = [
        ("disable", SslMode::Disable),
        ("allow", SslMode::Allow),
        ("prefer", SslMode::Prefer),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::VerifyCa),
        ("verify-full", SslMode::VerifyFull),
    ];
    one_of("sslmode", word, &words)
}

fn in_home(environment: Environment<'_>, file: &str) -> Option<String> {
    let path = Path::new(&environment("HOME")?).join(file);
    path.exists().then(|| path.to_string_lossy().into_owned())
}

/// A service has no `USER`; peer authentication wants the name that the system knows us by.
#[cfg(unix)]
fn system_user() -> String {
    let id = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ours = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    ours.unwrap_or_else(|| "postgres".to_owned())
}

#[cfg(not(unix))]
fn system_user() -> String {
    std::env::var("USERNAME").unwrap_or_else(|_| "postgres".to_owned())
}
