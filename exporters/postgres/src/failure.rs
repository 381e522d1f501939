//! What a failed connection or query means, and what would help: PostgreSQL's error codes in plain words.

use std::error::Error as _;

use aura_model::{Missing, Reason};
use tokio_postgres::{Error, error::SqlState};

use crate::{debates::TABLES, target::Target};

/// Why there is no connection.
pub(crate) fn connecting(error: &Error, target: &Target, address: &str) -> Missing {
    let (user, database) = (target.user(), target.database());
    let Some(code) = error.code() else {
        let reason = if root(error).contains("password missing") { Reason::NoPermission } else { Reason::Unreachable };
        let hint = if reason == Reason::NoPermission {
            format!("; {user} needs a password: set password_file, PGPASSFILE or PGPASSWORD")
        } else {
            String::new()
        };
        return Missing::new(reason, format!("{address}: {}{hint}", root(error)));
    };
    let message = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    let (reason, hint) = match *code {
        SqlState::INVALID_PASSWORD => (Reason::NoPermission, "check the password file".to_owned()),
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => (
            Reason::NoPermission,
            format!(
                "let the role in with pg_hba.conf; make it with: CREATE ROLE {0} LOGIN; GRANT pg_monitor TO {0};",
                quoted(user)
            ),
        ),
        SqlState::INVALID_CATALOG_NAME => {
            (Reason::NotConfigured, format!("set database to one that exists, not {database:?}"))
        }
        SqlState::TOO_MANY_CONNECTIONS => (
            Reason::Unreachable,
            "all connections are taken: raise max_connections, or GRANT pg_use_reserved_connections (16 and later)"
                .into(),
        ),
        SqlState::CANNOT_CONNECT_NOW => (Reason::Unreachable, "it is starting or stopping".to_owned()),
        SqlState::INSUFFICIENT_PRIVILEGE => {
            (Reason::NoPermission, format!("run: GRANT CONNECT ON DATABASE {} TO {};", quoted(database), quoted(user)))
        }
        _ => (Reason::Unreachable, String::new()),
    };
    let hint = if hint.is_empty() { hint } else { format!("; {hint}") };
    Missing::new(reason, format!("{address}: {message} ({}){hint}", code.code()))
}

/// Whether the server refused a start option: a pooler that knows only some of them does.
pub(crate) fn refuses_options(error: &Error) -> bool {
    let names_it = |message: &str| message.contains("startup parameter") || message.contains("options");
    matches!(error.code(), Some(&SqlState::PROTOCOL_VIOLATION))
        && error.as_db_error().is_some_and(|error| names_it(error.message()))
}

/// Why a query has no answer; `what` names it.
pub(crate) fn asking(error: &Error, what: &str, user: &str) -> Missing {
    let Some(code) = error.code() else {
        return Missing::new(Reason::Unreachable, format!("{what}: {}", root(error)));
    };
    let message = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    let (reason, hint) = match *code {
        SqlState::INSUFFICIENT_PRIVILEGE => (Reason::NoPermission, grant(&message, what, user)),
        SqlState::UNDEFINED_TABLE => (Reason::NoTable, "; this server has no such table or view".to_owned()),
        SqlState::UNDEFINED_COLUMN | SqlState::UNDEFINED_FUNCTION => {
            (Reason::NoTable, "; not in this version of PostgreSQL or of the extension".to_owned())
        }
        SqlState::QUERY_CANCELED => (
            Reason::Unreadable,
            "; if this is usual raise statement_timeout, for all but sizes answer_timeout and timeout too".to_owned(),
        ),
        // Nothing else is divided by than what was looked at.
        SqlState::DIVISION_BY_ZERO if TABLES.contains(&what) => {
            (Reason::Unreadable, "; the table became another while it was looked at".to_owned())
        }
        SqlState::LOCK_NOT_AVAILABLE => (Reason::Unreadable, "; somebody holds a strong lock".to_owned()),
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE if what == "statements" => {
            (Reason::NotConfigured, "; add pg_stat_statements to shared_preload_libraries and restart".to_owned())
        }
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN => (Reason::Unreachable, String::new()),
        _ => (Reason::Unreadable, String::new()),
    };
    Missing::new(reason, format!("{what}: {message} ({}){hint}", code.code()))
}

/// Why an answer is of no use: the server keeps what is in it from our role.
pub(crate) fn hidden(what: &str, user: &str) -> Missing {
    let detail = format!("{what}: the role may not see what others do; run: GRANT pg_monitor TO {};", quoted(user));
    Missing::new(Reason::NoPermission, detail)
}

/// Whether the connection is over and not only the query.
pub(crate) fn ends_connection(error: &Error) -> bool {
    // What we cannot read is our own failure. A broken connection says so itself, to all who wait for it.
    error.is_closed()
        || error.code().is_some_and(|code| {
            matches!(*code, SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW)
                || code.code().starts_with("08")
        })
}

/// Whether the server has text that it cannot make UTF-8: bytes of another encoding, or a letter that is cut in two.
pub(crate) fn is_encoding(error: &Error) -> bool {
    matches!(error.code(), Some(&SqlState::CHARACTER_NOT_IN_REPERTOIRE | &SqlState::UNTRANSLATABLE_CHARACTER))
}

/// Whether it may be one: between some encodings there is no function that converts.
pub(crate) fn may_be_encoding(error: &Error) -> bool {
    is_encoding(error) || error.code() == Some(&SqlState::UNDEFINED_FUNCTION)
}

/// What to grant. The server's words tell a table from its schema, if they are English; in any language, `what` is a
/// table of debates or something that the server itself keeps from others.
fn grant(message: &str, what: &str, user: &str) -> String {
    let user = quoted(user);
    match message.strip_prefix("permission denied for ").and_then(|rest| rest.split_once(' ')) {
        Some(("table" | "view", name)) => format!("; run: GRANT SELECT ON {name} TO {user};"),
        Some(("schema", name)) => format!("; run: GRANT USAGE ON SCHEMA {name} TO {user};"),
        None if TABLES.contains(&what) => {
            format!("; run: GRANT SELECT ON {what} TO {user}; and, unless it may already: GRANT USAGE ON its SCHEMA")
        }
        _ => format!("; run: GRANT pg_monitor TO {user};"),
    }
}

/// An identifier in SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The client wraps the system's words in its own; both together say what happened.
fn root(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_decides_what_is_granted() {
        for (message, what, expected) in [
            ("permission denied for table debates", "debates", "; run: GRANT SELECT ON debates TO \"a\"\"b\";"),
            ("permission denied for schema app", "debates", "; run: GRANT USAGE ON SCHEMA app TO \"a\"\"b\";"),
            ("permission denied for function pg_ls_waldir", "wal", "; run: GRANT pg_monitor TO \"a\"\"b\";"),
            (
                "keine Berechtigung für Tabelle debates",
                "debates",
                "; run: GRANT SELECT ON debates TO \"a\"\"b\"; and, unless it may already: GRANT USAGE ON its SCHEMA",
            ),
            ("keine Berechtigung für Funktion pg_ls_waldir", "wal", "; run: GRANT pg_monitor TO \"a\"\"b\";"),
        ] {
            assert_eq!(grant(message, what, "a\"b"), expected);
        }
    }
}
