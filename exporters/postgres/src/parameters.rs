//! Every parameter of a connection that libpq knows (PostgreSQL 18), and what becomes of it here. What cannot be done
//! is refused where passing over it would lend less protection than was asked for.

/// One parameter.
pub(crate) struct Parameter {
    pub name: &'static str,
    /// The variable of the environment that stands for it.
    pub variable: Option<&'static str>,
    pub treatment: Treatment,
}

/// What becomes of a parameter.
pub(crate) enum Treatment {
    /// It does what it does in libpq.
    Used,
    /// It has nothing to say here, whatever its value.
    PassedOver,
    /// Only these values can be had, all others are refused with this reason.
    Only(&'static [&'static str], &'static str),
}
use Treatment::{Only, PassedOver, Used};

const fn parameter(name: &'static str, variable: &'static str, treatment: Treatment) -> Parameter {
    Parameter { name, variable: Some(variable), treatment }
}

const fn unnamed(name: &'static str, treatment: Treatment) -> Parameter {
    Parameter { name, variable: None, treatment }
}

const NO_GSS: &str = "GSSAPI is not spoken: use TLS (sslmode=verify-full) in its place";

/// All of them, in the order of libpq's documentation.
pub(crate) const PARAMETERS: &[Parameter] = &[
    parameter("host", "PGHOST", Used),
    parameter("hostaddr", "PGHOSTADDR", Used),
    parameter("port", "PGPORT", Used),
    parameter("dbname", "PGDATABASE", Used),
    parameter("user", "PGUSER", Used),
    parameter("password", "PGPASSWORD", Used),
    parameter("passfile", "PGPASSFILE", Used),
    parameter(
        "require_auth",
        "PGREQUIREAUTH",
        Only(
            &[],
            "the kind of login cannot be demanded: take it out, and use channel_binding=require or \
             sslmode=verify-full against a false server",
        ),
    ),
    parameter("channel_binding", "PGCHANNELBINDING", Used),
    parameter("connect_timeout", "PGCONNECT_TIMEOUT", Used),
    parameter("client_encoding", "PGCLIENTENCODING", PassedOver),
    parameter("options", "PGOPTIONS", Used),
    parameter("application_name", "PGAPPNAME", Used),
    unnamed("fallback_application_name", Used),
    unnamed("keepalives", Used),
    unnamed("keepalives_idle", Used),
    unnamed("keepalives_interval", Used),
    unnamed("keepalives_count", Used),
    unnamed("tcp_user_timeout", Used),
    unnamed(
        "replication",
        Only(
            &["false", "off", "no", "0"],
            "the agent asks queries, for which it needs an ordinary connection: take it out",
        ),
    ),
    parameter("gssencmode", "PGGSSENCMODE", Only(&["disable", "prefer"], NO_GSS)),
    parameter("sslmode", "PGSSLMODE", Used),
    parameter("requiressl", "PGREQUIRESSL", Used),
    parameter("sslnegotiation", "PGSSLNEGOTIATION", Used),
    parameter("sslcompression", "PGSSLCOMPRESSION", PassedOver),
    parameter("sslcert", "PGSSLCERT", Used),
    parameter("sslkey", "PGSSLKEY", Used),
    parameter("sslkeylogfile", "SSLKEYLOGFILE", PassedOver),
    unnamed(
        "sslpassword",
        Only(
            &[],
            "a key with a passphrase cannot be read: write it without one, readable for the agent alone (openssl pkey)",
        ),
    ),
    parameter(
        "sslcertmode",
        "PGSSLCERTMODE",
        Only(&["disable", "allow"], "that the server asks for our certificate cannot be demanded: take it out"),
    ),
    parameter("sslrootcert", "PGSSLROOTCERT", Used),
    parameter("sslcrl", "PGSSLCRL", Used),
    parameter(
        "sslcrldir",
        "PGSSLCRLDIR",
        Only(&[], "a folder of revoked certificates is not read: name one file with sslcrl"),
    ),
    parameter("sslsni", "PGSSLSNI", Used),
    parameter(
        "requirepeer",
        "PGREQUIREPEER",
        Only(&[], "the owner of the server's socket is not checked: use TLS, or take it out"),
    ),
    parameter("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Used),
    parameter("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Used),
    parameter(
        "min_protocol_version",
        "PGMINPROTOCOLVERSION",
        Only(&["3.0"], "version 3.0 of the protocol is spoken: take it out"),
    ),
    parameter("max_protocol_version", "PGMAXPROTOCOLVERSION", PassedOver),
    parameter("krbsrvname", "PGKRBSRVNAME", PassedOver),
    parameter("gsslib", "PGGSSLIB", PassedOver),
    parameter("gssdelegation", "PGGSSDELEGATION", PassedOver),
    unnamed("scram_client_key", Only(&[], "a SCRAM key cannot stand for a password: use password_file or passfile")),
    unnamed("scram_server_key", Only(&[], "a SCRAM key cannot stand for a password: use password_file or passfile")),
    parameter("service", "PGSERVICE", Used),
    parameter("servicefile", "PGSERVICEFILE", Used),
    parameter("target_session_attrs", "PGTARGETSESSIONATTRS", Used),
    parameter("load_balance_hosts", "PGLOADBALANCEHOSTS", Used),
    unnamed("oauth_issuer", PassedOver),
    unnamed("oauth_client_id", PassedOver),
    unnamed("oauth_client_secret", PassedOver),
    unnamed("oauth_scope", PassedOver),
    // Of old libpq, which takes them to this day without a meaning.
    unnamed("authtype", PassedOver),
    unnamed("tty", PassedOver),
    // Not libpq's: JDBC and asyncpg.
    unnamed("ssl", Used),
];

/// The parameter with this name.
///
/// # Errors
/// There is none; the text says which is near. What is near to none may be a part of a password and is not repeated.
pub(crate) fn known(name: &str) -> Result<&'static str, String> {
    if let Some(known) = PARAMETERS.iter().find(|known| known.name == name) {
        return Ok(known.name);
    }
    let near = PARAMETERS.iter().map(|known| (distance(known.name, name), known.name)).min();
    Err(near
        .filter(|(steps, near)| *steps <= 2 && *steps * 2 <= near.len())
        .map_or_else(String::new, |(_, near)| format!("; is {near} meant?")))
}

/// Whether its value is shown nowhere.
pub(crate) fn is_secret(name: &str) -> bool {
    ["password", "secret", "scram_"].iter().any(|part| name.contains(part))
}

/// Why this value cannot be had, if so.
pub(crate) fn refused(name: &str, value: &str) -> Option<String> {
    let parameter = PARAMETERS.iter().find(|known| known.name == name)?;
    match parameter.treatment {
        Only(possible, why) if !value.is_empty() && !possible.contains(&value) => Some(format!("{name}: {why}")),
        _ => None,
    }
}

/// How many letters are to be added, dropped or changed to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(40).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], index + 1);
        for at in 0..other.len() {
            let best = (before + usize::from(letter != other[at])).min(row[at] + 1).min(row[at + 1] + 1);
            before = std::mem::replace(&mut row[at + 1], best);
        }
    }
    row[other.len()]
}
