use std::collections::HashMap;

use super::*;

fn found(options: &PostgresOptions, variables: &[(&str, &str)]) -> Result<Found, Missing> {
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    find(options, &|name| variables.get(name).cloned())
}

fn server(url: &str) -> PostgresOptions {
    let server = ServerOptions { url: Some(DatabaseUrl::from(url.to_owned())), ..ServerOptions::default() };
    PostgresOptions { servers: vec![server], ..PostgresOptions::default() }
}

/// Name, user, database, mode of TLS, password.
fn shown(target: &Target) -> String {
    let password =
        target.hosts().unwrap()[0].config.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let tls = target.tls();
    format!(
        "{} user={} database={} tls={:?} roots={:?} password={password:?}",
        target.name,
        target.user(),
        target.database(),
        tls.mode,
        tls.certificates.roots
    )
}

#[test]
fn urls_and_keywords_as_libpq_reads_them() {
    for (url, expected) in [
        (
            "postgres://me:p%40ss@db.example:6543/aura?sslmode=verify-full&sslrootcert=%2Fca.pem&target_session_attrs=any",
            r#"db.example:6543 user=me database=aura tls=VerifyFull roots=Some("/ca.pem") password=Some("p@ss")"#,
        ),
        ("postgresql+asyncpg://me@db/aura", r#"db:5432 user=me database=aura tls=Prefer roots=None password=None"#),
        (
            r"host=db port=1 user=me dbname='a b' password='it\'s' sslmode = disable",
            r#"db:1 user=me database=a b tls=Disable roots=None password=Some("it's")"#,
        ),
        (
            "host=/run/pg user=me sslmode=verify-full",
            r#"/run/pg:5432 user=me database=postgres tls=Disable roots=None password=None"#,
        ),
        ("postgres://me@one:1,two:2/aura", r#"one:1,two:2 user=me database=aura tls=Prefer roots=None password=None"#),
    ] {
        let found = found(&server(url), &[]).unwrap_or_else(|missing| panic!("{url}: {missing}"));
        assert_eq!(shown(&found.targets[0]), expected, "{url}");
    }
}

#[test]
fn mistakes_say_what_to_write_and_never_the_password() {
    for (url, expected) in [
        ("mysql://me:hunter2@db/aura", "not PostgreSQL"),
        ("postgres://me:hunter2@db:port/aura", "no number from 1 to 65535"),
        ("postgres://me:hunter2@db/aura?sslmode=full", "verify-full"),
        ("host=db password='hunter2", "never ends"),
    ] {
        let missing = found(&server(url), &[]).unwrap_err();
        assert!(missing.detail.contains(expected) && missing.detail.contains("servers[0]"), "{missing}");
        assert!(!missing.detail.contains("hunter2"), "{missing}");
    }
}

#[test]
fn what_nobody_configured_comes_from_the_environment() {
    let options = PostgresOptions::default();
    for (variables, expected) in [
        (
            &[("DATABASE_URL", "postgres://me:x@db/aura"), ("PGHOST", "other")][..],
            r#"db:5432 user=me database=aura tls=Prefer roots=None password=Some("x")"#,
        ),
        (
            &[
                ("POSTGRES_HOST", "db"),
                ("POSTGRES_PORT", "9208"),
                ("POSTGRES_USER", "Admin"),
                ("POSTGRES_DB", "aura_db"),
                ("POSTGRES_PASSWORD", "x"),
            ],
            r#"db:9208 user=Admin database=aura_db tls=Prefer roots=None password=Some("x")"#,
        ),
        (
            &[("PGHOST", "db"), ("PGUSER", "me"), ("PGSSLMODE", "require"), ("PGPASSWORD", "y")],
            r#"db:5432 user=me database=me tls=Require roots=None password=Some("y")"#,
        ),
    ] {
        let found = found(&options, variables).unwrap();
        assert_eq!(shown(&found.targets[0]), expected);
        assert!(!found.guessed);
    }
}

#[test]
fn nothing_found_says_what_to_set() {
    let missing = found(&PostgresOptions::default(), &[("PGPORT", "1")]).unwrap_err();
    assert_eq!(missing.reason, Reason::NotConfigured);
    assert!(missing.detail.contains("DATABASE_URL") && missing.detail.contains(".s.PGSQL.1"), "{missing}");
}
