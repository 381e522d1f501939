//! Which servers are meant: from the options, else from the environment, else the local socket.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use aura_model::{Missing, Name, Reason};
use tokio_postgres::config::{Config, Host};

use crate::{
    PostgresOptions, ServerOptions, SslMode,
    options::{DatabaseUrl, split_scheme},
    passfile,
    tls::{Certificates, Tls},
};

/// Looks a variable of the environment up.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where PostgreSQL puts its socket: Debian's folder, then the one it was born with.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

const DEFAULT_PORT: u16 = 5432;

/// One server and how to log in.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its name in the label and on the page.
    pub name: Name,
    /// `host:port` or the socket's folder.
    pub address: String,
    config: Config,
    password_file: Option<PathBuf>,
    passfile: Option<PathBuf>,
    tls: Tls,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub targets: Vec<Target>,
    /// Nobody named it: a server that does not let us in is not meant for us then.
    pub guessed: bool,
}

/// The servers that are meant.
pub(crate) fn find(options: &PostgresOptions, environment: Environment<'_>) -> Result<Found, Missing> {
    let mistake = |place: &str, message: String| Missing::new(Reason::NotConfigured, format!("{place}: {message}"));
    if !options.servers.is_empty() {
        let each = options.servers.iter().enumerate().map(|(index, server)| {
            Target::new(server, environment).map_err(|message| mistake(&format!("servers[{index}]"), message))
        });
        return Ok(Found { targets: each.collect::<Result<_, _>>()?, guessed: false });
    }
    for variable in ["DATABASE_URL", "DATA_SOURCE_NAME"] {
        if let Some(url) = environment(variable).filter(|url| !url.is_empty()) {
            let server = ServerOptions { url: Some(DatabaseUrl::from(url)), ..ServerOptions::default() };
            let target = Target::new(&server, environment).map_err(|message| mistake(variable, message))?;
            return Ok(Found { targets: vec![target], guessed: false });
        }
    }
    if let Some(host) = environment("POSTGRES_HOST") {
        let server = ServerOptions {
            host: Some(host),
            port: environment("POSTGRES_PORT").and_then(|port| port.parse().ok()),
            user: environment("POSTGRES_USER"),
            database: environment("POSTGRES_DB"),
            ..ServerOptions::default()
        };
        let mut target = Target::new(&server, environment).map_err(|message| mistake("POSTGRES_HOST", message))?;
        if let Some(password) = environment("POSTGRES_PASSWORD") {
            target.config.password(password);
        }
        return Ok(Found { targets: vec![target], guessed: false });
    }
    if environment("PGHOST").is_some() {
        let target = Target::new(&ServerOptions::default(), environment);
        return Ok(Found { targets: vec![target.map_err(|message| mistake("PGHOST", message))?], guessed: false });
    }
    let port = environment("PGPORT").and_then(|port| port.parse().ok()).unwrap_or(DEFAULT_PORT);
    let folder = SOCKET_FOLDERS.iter().find(|folder| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists());
    let Some(folder) = folder else {
        let detail = format!(
            "no server is named, and there is no socket of one on this machine (looked for .s.PGSQL.{port} in {}); \
             set sources.postgres.servers or DATABASE_URL",
            SOCKET_FOLDERS.join(" and ")
        );
        return Err(Missing::new(Reason::NotConfigured, detail));
    };
    let server = ServerOptions { host: Some((*folder).to_owned()), ..ServerOptions::default() };
    let target = Target::new(&server, environment).map_err(|message| mistake(folder, message))?;
    Ok(Found { targets: vec![target], guessed: true })
}

/// Checks a URL without connecting.
pub(crate) fn parse(url: &DatabaseUrl) -> Result<(), String> {
    split(url.reveal()).map(drop)
}

impl Target {
    pub(crate) fn new(server: &ServerOptions, environment: Environment<'_>) -> Result<Self, String> {
        let (mut config, ours) = match &server.url {
            Some(url) => split(url.reveal())?,
            None => (Config::new(), Vec::new()),
        };
        let our = |key: &str| ours.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        if let Some(host) = &server.host {
            config.host(host);
        }
        if config.get_hosts().is_empty() {
            config.host(environment("PGHOST").unwrap_or_else(|| "localhost".to_owned()));
        }
        if config.get_ports().is_empty() {
            let port = server.port.or_else(|| environment("PGPORT").and_then(|port| port.parse().ok()));
            config.port(port.unwrap_or(DEFAULT_PORT));
        }
        if config.get_user().is_none() {
            let user = server.user.clone().or_else(|| environment("PGUSER")).or_else(|| environment("USER"));
            config.user(user.unwrap_or_else(system_user));
        }
        if config.get_dbname().is_none() {
            let user = config.get_user().unwrap_or_default().to_owned();
            // A role without a database of its own name meets an error that names a database nobody spoke of.
            let database = server.database.clone().or_else(|| environment("PGDATABASE"));
            let local = if user == "postgres" || is_socket(&config) { "postgres".to_owned() } else { user };
            config.dbname(database.unwrap_or(local));
        }
        if config.get_password().is_none()
            && let Some(password) = environment("PGPASSWORD")
        {
            config.password(password);
        }
        let mode = match server.sslmode {
            Some(mode) => mode,
            None => match our("sslmode").or_else(|| environment("PGSSLMODE")) {
                Some(word) => ssl_mode(&word)?,
                None => SslMode::Prefer,
            },
        };
        let file = |typed: &Option<String>, key: &str, variable: &str| {
            typed.clone().or_else(|| our(key)).or_else(|| environment(variable))
        };
        let certificates = Certificates {
            roots: file(&server.sslrootcert, "sslrootcert", "PGSSLROOTCERT")
                .or_else(|| in_home(environment, ".postgresql/root.crt")),
            certificate: file(&server.sslcert, "sslcert", "PGSSLCERT"),
            key: file(&server.sslkey, "sslkey", "PGSSLKEY"),
        };
        let tls = Tls { mode: if is_socket(&config) { SslMode::Disable } else { mode }, certificates };
        let address = address(&config);
        let name = server.name.clone().unwrap_or_else(|| address.clone());
        Ok(Self {
            name: Arc::from(name),
            address,
            password_file: server.password_file.as_ref().map(PathBuf::from),
            passfile: file(&server.passfile, "passfile", "PGPASSFILE")
                .or_else(|| in_home(environment, ".pgpass"))
                .map(PathBuf::from),
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

    /// Everything a connection needs; files with passwords are read now, because they may have changed.
    pub(crate) fn login(&self) -> Result<Config, Missing> {
        let mut config = self.config.clone();
        if let Some(path) = &self.password_file {
            let bytes = std::fs::read(path).map_err(|error| Missing::from_io(path, &error))?;
            let password = passfile::decoded(path, &bytes)?;
            config.password(password.trim_end_matches(['\r', '\n']));
        } else if config.get_password().is_none()
            && let Some(path) = &self.passfile
        {
            let host = match config.get_hosts().first() {
                Some(Host::Tcp(host)) => host.clone(),
                _ => "localhost".to_owned(),
            };
            let port = config.get_ports().first().copied().unwrap_or(DEFAULT_PORT);
            if let Some(password) = passfile::find(path, &host, port, self.database(), self.user())? {
                config.password(password);
            }
        }
        Ok(config)
    }
}

/// The parts that the client knows, and those of libpq's that it does not.
fn split(url: &str) -> Result<(Config, Vec<(String, String)>), String> {
    const OURS: [&str; 5] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "passfile"];
    let is_ours = |key: &str| OURS.contains(&key);
    let mut ours = Vec::new();
    let rest = if let Some((scheme, rest)) = split_scheme(url) {
        // SQLAlchemy's URLs name a driver behind a plus.
        if !matches!(scheme.split('+').next(), Some("postgres" | "postgresql")) {
            return Err(format!("{scheme:?} is not PostgreSQL: the URL must begin with postgres://"));
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut kept = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if is_ours(key) {
                let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
                ours.push((key.to_owned(), value));
            } else {
                kept.push(pair);
            }
        }
        let question = if kept.is_empty() { "" } else { "?" };
        format!("postgres://{place}{question}{}", kept.join("&"))
    } else {
        let mut kept = String::new();
        for (key, value) in keywords(url)? {
            if is_ours(&key) {
                ours.push((key, value));
            } else {
                let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
                kept += &format!("{key}='{quoted}' ");
            }
        }
        kept
    };
    // The client's own message may quote a part of the URL, so it is not repeated.
    let config: Config = rest.parse().map_err(|_| {
        "not understood: write postgres://user@host:port/database, with %XX for special letters in a password"
            .to_owned()
    })?;
    if let Some((_, mode)) = ours.iter().find(|(key, _)| key == "sslmode") {
        ssl_mode(mode)?;
    }
    Ok((config, ours))
}

/// libpq's `key=value key='quoted value'`.
fn keywords(text: &str) -> Result<Vec<(String, String)>, String> {
    let wrong = || "not understood: write host=... port=... dbname=... user=...".to_owned();
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(wrong)?;
        let (mut value, mut quoted) = (String::new(), false);
        let mut letters = after.trim_start().char_indices();
        let mut end = after.trim_start().len();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\'' if at == 0 => quoted = true,
                '\'' if quoted => {
                    quoted = false;
                    end = at + 1;
                    break;
                }
                '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
                letter if letter.is_whitespace() && !quoted => {
                    end = at;
                    break;
                }
                letter => value.push(letter),
            }
        }
        if quoted {
            return Err(wrong());
        }
        pairs.push((key.trim().to_owned(), value));
        rest = after.trim_start()[end..].trim_start();
    }
    Ok(pairs)
}

fn ssl_mode(word: &str) -> Result<SslMode, String> {
    Ok(match word {
        "disable" => SslMode::Disable,
        "allow" => SslMode::Allow,
        "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        _ => {
            return Err(format!(
                "sslmode {word:?} is none of disable, allow, prefer, require, verify-ca and verify-full"
            ));
        }
    })
}

fn is_socket(config: &Config) -> bool {
    !config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)))
}

fn address(config: &Config) -> String {
    let port = |index: usize| config.get_ports().get(index).or(config.get_ports().first()).copied();
    let hosts = config.get_hosts().iter().enumerate().map(|(index, host)| {
        let port = port(index).unwrap_or(DEFAULT_PORT);
        match host {
            Host::Tcp(host) if host.contains(':') => format!("[{host}]:{port}"),
            Host::Tcp(host) => format!("{host}:{port}"),
            #[cfg(unix)]
            Host::Unix(folder) => format!("{}:{port}", folder.display()),
        }
    });
    hosts.collect::<Vec<_>>().join(",")
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

#[cfg(test)]
mod tests;
