mod passwords;

use std::collections::HashMap;

use aura_model::Reason;

use super::*;
use crate::{
    PostgresOptions,
    servers::{Found, find},
};

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
        target.logins().unwrap()[0].config.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
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

/// As postgres_exporter's README has them: the server without its login, and each part or the file that it is in.
#[test]
fn a_server_whose_login_is_written_apart_is_put_together() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (user, pass, uri) =
        (file("user", "filed@\n"), file("pass", "p:/@ x\n"), file("uri", " other:2/d?sslmode=require\n"));
    let plain = ("DATA_SOURCE_URI", "db:6543/aura?sslmode=disable");
    for (variables, expected) in [
        (vec![plain], "db:6543 user=os database=aura tls=Disable roots=None password=None"),
        (
            vec![plain, ("DATA_SOURCE_USER", "me"), ("DATA_SOURCE_PASS", "p@ss/:%")],
            r#"db:6543 user=me database=aura tls=Disable roots=None password=Some("p@ss/:%")"#,
        ),
        (
            vec![
                plain,
                ("DATA_SOURCE_URI_FILE", &uri),
                ("DATA_SOURCE_USER", "me"),
                ("DATA_SOURCE_USER_FILE", &user),
                ("DATA_SOURCE_PASS", "other"),
                ("DATA_SOURCE_PASS_FILE", &pass),
                ("POSTGRES_HOST", "not-this"),
            ],
            r#"other:2 user=filed@ database=d tls=Require roots=None password=Some("p:/@ x")"#,
        ),
        (
            vec![plain, ("DATA_SOURCE_NAME", "postgres://me@first/d")],
            "first:5432 user=me database=d tls=Prefer roots=None password=None",
        ),
        (
            vec![
                ("DATA_SOURCE_USER", "me"),
                ("DATA_SOURCE_URI", ""),
                ("POSTGRES_HOST", "this"),
                ("POSTGRES_USER", "u"),
            ],
            "this:5432 user=u database=u tls=Prefer roots=None password=None",
        ),
    ] {
        let variables: Vec<(&str, &str)> = variables.into_iter().chain([("USER", "os")]).collect();
        let found = found(&PostgresOptions::default(), &variables).unwrap();
        assert_eq!(found.targets.iter().map(shown).collect::<Vec<_>>(), [expected]);
    }
    for (variables, expected) in [
        (vec![("DATA_SOURCE_URI", "postgresql://db/aura")], "DATA_SOURCE_URI: write host:port/database"),
        (vec![("DATA_SOURCE_URI", "me:hunter2@db/aura")], "DATA_SOURCE_URI: write host:port/database"),
        (vec![("DATA_SOURCE_URI_FILE", "/no/such")], "DATA_SOURCE_URI_FILE: /no/such: "),
        (vec![plain, ("DATA_SOURCE_USER_FILE", "/no/such")], "DATA_SOURCE_USER_FILE: /no/such: "),
    ] {
        let missing = found(&PostgresOptions::default(), &variables).unwrap_err();
        assert!(missing.detail.starts_with(expected) && !missing.detail.contains("hunter2"), "{missing}");
    }
}

#[test]
fn several_servers_are_urls_with_commas_between() {
    let urls = "postgres://a:x@one:1,two:2/a?sslmode=disable,postgresql://b:y@three/b";
    let found = found(&PostgresOptions::default(), &[("DATA_SOURCE_NAME", urls)]).unwrap();
    let names: Vec<&str> = found.targets.iter().map(|target| &*target.name).collect();
    assert_eq!(names, ["one:1,two:2", "three:5432"]);
}

fn target(url: &str, variables: &[(&str, &str)]) -> Result<Target, String> {
    found(&server(url), variables).map(|found| found.targets[0].clone()).map_err(|missing| missing.detail)
}

#[test]
fn hosts_addresses_and_ports_go_together_as_in_libpq() {
    for (url, expected) in [
        ("host=a,b port=1,2", "a:1,b:2"),
        ("host=a,b port=7", "a:7,b:7"),
        ("host=a,b port=,2", "a:5432,b:2"),
        ("hostaddr=::1", "[::1]:5432"),
        ("host=name hostaddr=127.0.0.1 port=1", "name:1"),
        ("postgres://[::1]:9,h/d", "[::1]:9,h:5432"),
        ("postgres:///d?host=/run/pg&port=6000", "/run/pg:6000"),
        ("postgresql:///d?host=%2Frun%2Fpg", "/run/pg:5432"),
        ("postgres://%2Frun%2Fpg/d", "/run/pg:5432"),
    ] {
        assert_eq!(target(url, &[]).unwrap_or_else(|error| panic!("{url}: {error}")).address, expected);
    }
    for (url, expected) in [
        ("host=a,b hostaddr=127.0.0.1", "host names 2 hosts and hostaddr 1"),
        ("host=a port=1,2", "2 ports for 1 hosts"),
        ("host=a port=0", "1 to 65535"),
        ("hostaddr=name", "hostaddr is no address"),
        ("host=@abstract", "folder"),
    ] {
        let error = target(url, &[]).unwrap_err();
        assert!(error.contains(expected), "{url}: {error}");
    }
}

#[test]
fn what_cannot_be_done_is_said_and_nothing_that_protects_is_passed_over() {
    for (parameter, expected) in [
        ("require_auth=scram-sha-256", "channel_binding=require"),
        ("gssencmode=require", "GSSAPI"),
        ("sslpassword=hunter2", "without one"),
        ("sslcertmode=require", "cannot be demanded"),
        ("sslcrldir=/x", "sslcrl"),
        ("requirepeer=postgres", "owner"),
        ("min_protocol_version=3.2", "version 3.0"),
        ("replication=database", "ordinary connection"),
        ("scram_client_key=hunter2", "password_file"),
        ("scram_server_key=hunter2", "password_file"),
        ("sslnegotiation=direct", "sslmode require"),
        ("sslnegotiation=tls", "postgres, direct"),
        ("channel_binding=always", "disable, prefer, require"),
        ("target_session_attrs=master", "read-write"),
        ("load_balance_hosts=yes", "random"),
        ("ssl_max_protocol_version=TLSv1.1", "TLSv1.2"),
        ("ssl_min_protocol_version=SSLv3", "TLSv1.3"),
        ("sslmode=require sslrootcert=system", "verify-full"),
        ("connect_timeout=soon", "no number"),
        ("sslmod=require", "is sslmode meant?"),
        ("hunter2=1", "none of libpq's"),
        ("pgbouncer=true", "none of libpq's"),
    ] {
        for url in [format!("host=h {parameter}"), format!("postgres://h/d?{}", parameter.replace(' ', "&"))] {
            let error = target(&url, &[]).unwrap_err();
            let expected = if url.starts_with("host") {
                expected.replace("none of libpq's", "no parameter")
            } else {
                expected.into()
            };
            assert!(error.contains(&expected) && !error.contains("hunter2"), "{url}: {error}");
        }
    }
    // The same from the environment.
    assert!(target("host=h", &[("PGREQUIREAUTH", "md5")]).unwrap_err().contains("require_auth"));
}

#[test]
fn every_other_parameter_of_libpqs_works_or_has_nothing_to_say() {
    for parameter in [
        "passfile=/none",
        "channel_binding=prefer",
        "connect_timeout=5",
        "client_encoding=LATIN1",
        "options='-c geqo=off'",
        "application_name=me",
        "fallback_application_name=me",
        "keepalives=0",
        "keepalives_idle=10",
        "keepalives_interval=10",
        "keepalives_count=3",
        "tcp_user_timeout=1000",
        "replication=false",
        "gssencmode=prefer",
        "gssencmode=disable",
        "requiressl=1",
        "sslcompression=0",
        "sslkeylogfile=/x",
        "sslcertmode=allow",
        "sslcertmode=disable",
        "sslcrl=/none",
        "sslsni=0",
        "requirepeer=''",
        "require_auth=''",
        "ssl_min_protocol_version=TLSv1.3",
        "ssl_max_protocol_version=TLSv1.2",
        "min_protocol_version=3.0",
        "max_protocol_version=latest",
        "krbsrvname=postgres",
        "gsslib=gssapi",
        "gssdelegation=0",
        "target_session_attrs=prefer-standby",
        "load_balance_hosts=random",
        "oauth_issuer=x",
        "oauth_client_id=x",
        "oauth_client_secret=x",
        "oauth_scope=x",
        "authtype=x",
        "tty=x",
        "sslrootcert=system",
        "ssl=true",
        "sslnegotiation=postgres",
        "sslmode=allow",
    ] {
        target(&format!("host=h {parameter}"), &[]).unwrap_or_else(|error| panic!("{parameter}: {error}"));
    }
    // All of them are spoken of in this test or in those around it.
    let spoken = include_str!("tests.rs");
    for parameter in PARAMETERS {
        assert!(spoken.contains(parameter.name), "{}", parameter.name);
    }
    assert_eq!(target("postgresql+asyncpg://h/d?ssl=disable", &[]).unwrap().tls.mode, SslMode::Disable);
    assert_eq!(target("host=h sslrootcert=system", &[]).unwrap().tls.mode, SslMode::VerifyFull);
    assert_eq!(target("host=h requiressl=1", &[]).unwrap().tls.mode, SslMode::Require);
    assert_eq!(target("host=h", &[("PGTARGETSESSIONATTRS", "standby")]).unwrap().role, Role::Standby);
}

#[test]
fn a_service_is_looked_up_where_libpq_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("services");
    let text =
        "# ours\n[other]\nhost=wrong\n[ours]\nhost=db\nport = 6000\ndbname=aura\npassword=x\n\n[last]\nhost=no\n";
    std::fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let expected = r#"db:6000 user=me database=aura tls=Prefer roots=None password=Some("x")"#;
    for (url, variables) in [
        (format!("service=ours servicefile={path} user=me"), vec![]),
        ("postgres://?service=ours&user=me".to_owned(), vec![("PGSERVICEFILE", path), ("PGHOST", "no")]),
        ("user=me".to_owned(), vec![("PGSERVICEFILE", path), ("PGSERVICE", "ours")]),
    ] {
        assert_eq!(shown(&target(&url, &variables).unwrap()), expected, "{url}");
    }
    // What is written beside the service wins.
    assert_eq!(target(&format!("service=ours servicefile={path} host=mine"), &[]).unwrap().address, "mine:6000");
    for (text, expected) in [
        ("[ours]\nhots=db\n", "line 2: unknown parameter; is host meant?"),
        ("[ours]\nhost\n", "line 2 is not key=value"),
        ("[ours]\nldap://x\n", "LDAP"),
        ("[ours]\nservice=b\n", "cannot name another"),
        ("[else]\n", "is not in"),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = target(&format!("service=ours servicefile={path}"), &[]).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
