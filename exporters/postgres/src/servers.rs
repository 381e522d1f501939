//! Which servers are meant: from the options, else from the environment, else the local socket.

use std::path::Path;

use aura_model::{Missing, Reason};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    PostgresOptions, ServerOptions, conninfo,
    options::DatabaseUrl,
    target::{DEFAULT_PORT, Environment, Target},
};

/// Where PostgreSQL puts its socket: Debian's folder, then the one it was born with.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub targets: Vec<Target>,
    /// Nobody named it: a server that does not let us in is not meant for us then.
    pub guessed: bool,
}

/// The servers that are meant.
pub(crate) fn find(options: &PostgresOptions, environment: Environment<'_>) -> Result<Found, Missing> {
    let servers = if options.servers.is_empty() {
        of_environment(environment)?
    } else {
        let named = options.servers.iter().enumerate();
        named.map(|(index, server)| (format!("servers[{index}]"), server.clone(), None)).collect()
    };
    let guessed = servers.is_empty();
    let servers = if guessed { vec![local(environment)?] } else { servers };
    let targets = servers.into_iter().map(|(named, server, password): Named| {
        let target = Target::new(&server, environment).map_err(|message| mistake(&named, &message))?;
        Ok(match password {
            Some(password) => target.with_password(&password),
            None => target,
        })
    });
    Ok(Found { targets: targets.collect::<Result<_, _>>()?, guessed })
}

/// What named a server, the server, and its password where no file or URL holds it.
type Named = (String, ServerOptions, Option<String>);

fn mistake(named: &str, message: &str) -> Missing {
    Missing::new(Reason::NotConfigured, format!("{named}: {message}"))
}

/// The servers that variables name; none if there are no such variables.
fn of_environment(environment: Environment<'_>) -> Result<Vec<Named>, Missing> {
    let given = |variable: &str| environment(variable).filter(|value| !value.is_empty());
    let url = |variable: &str, url: &str| {
        let url = Some(DatabaseUrl::from(url.to_owned()));
        (variable.to_owned(), ServerOptions { url, ..ServerOptions::default() }, None)
    };
    if let Some(text) = given("DATABASE_URL") {
        return Ok(vec![url("DATABASE_URL", &text)]);
    }
    if let Some(text) = given("DATA_SOURCE_NAME") {
        return Ok(conninfo::several(&text).into_iter().map(|text| url("DATA_SOURCE_NAME", text)).collect());
    }
    if let Some((variable, server)) = data_source(&given)? {
        return Ok(vec![(variable.to_owned(), server, None)]);
    }
    if let Some(host) = environment("POSTGRES_HOST") {
        let server = ServerOptions {
            host: Some(host),
            port: environment("POSTGRES_PORT").and_then(|port| port.parse().ok()),
            user: environment("POSTGRES_USER"),
            database: environment("POSTGRES_DB"),
            ..ServerOptions::default()
        };
        return Ok(vec![("POSTGRES_HOST".to_owned(), server, environment("POSTGRES_PASSWORD"))]);
    }
    let libpq = environment("PGHOST").map(|_| ("PGHOST".to_owned(), ServerOptions::default(), None));
    Ok(libpq.into_iter().collect())
}

/// postgres_exporter's variables for a server whose login is written apart, each of them or the file that it is in; the
/// file wins. The password's file is read at each login.
fn data_source(given: Environment<'_>) -> Result<Option<(&'static str, ServerOptions)>, Missing> {
    let read = |variable: &'static str, file: &'static str| match given(file) {
        Some(path) => match std::fs::read_to_string(&path) {
            Ok(text) => Ok((file, text.trim().to_owned())),
            Err(error) => Err(mistake(file, &format!("{path}: {error}"))),
        },
        None => Ok((variable, given(variable).unwrap_or_default())),
    };
    let (variable, uri) = read("DATA_SOURCE_URI", "DATA_SOURCE_URI_FILE")?;
    if uri.is_empty() {
        return Ok(None);
    }
    // Whatever else it is, a password may be in it, which a host's name would show.
    let odd = |letter: char| letter.is_whitespace() || "@='\\".contains(letter);
    if uri.contains("://") || uri.split('?').next().is_some_and(|server| server.contains(odd)) {
        let message = "write host:port/database?sslmode=..., without postgresql:// and without a login, which \
                       DATA_SOURCE_USER and DATA_SOURCE_PASS hold";
        return Err(mistake(variable, message));
    }
    let (_, user) = read("DATA_SOURCE_USER", "DATA_SOURCE_USER_FILE")?;
    let password_file = given("DATA_SOURCE_PASS_FILE");
    let password = given("DATA_SOURCE_PASS").filter(|_| password_file.is_none()).unwrap_or_default();
    let [user, password] = [user, password].map(|text| utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string());
    let url = Some(DatabaseUrl::from(format!("postgresql://{user}:{password}@{uri}")));
    Ok(Some((variable, ServerOptions { url, password_file, ..ServerOptions::default() })))
}

/// The server behind the socket of this machine.
fn local(environment: Environment<'_>) -> Result<Named, Missing> {
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
    Ok(((*folder).to_owned(), server, None))
}
