//! Where a password comes from, and what is said when it is wrong.

use std::fs;

use aura_model::Reason;
use aura_postgres::ServerOptions;
use aura_tests::PostgresServer;
use tempfile::TempDir;

use crate::watch::{at, away, first, give, open, sample, statistics, until};

fn strict() -> Option<(PostgresServer, TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    give(folder.path(), 0o755);
    let rules = folder.path().join("hba");
    fs::write(&rules, "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n").unwrap();
    give(&rules, 0o644);
    let server = PostgresServer::start(&format!("hba_file = '{}'", rules.display()))?;
    server.sql("postgres", "CREATE ROLE aura LOGIN PASSWORD 'sesame :\\x'");
    Some((server, folder))
}

#[test]
fn a_password_file_is_read_for_each_connection() {
    let Some((server, folder)) = strict() else { return };
    let file = folder.path().join("password");
    fs::write(&file, "sesame :\\x\n").unwrap();
    let mut source =
        open(ServerOptions { password_file: Some(file.to_string_lossy().into()), ..at(server.port(), "aura") });
    statistics(&sample(&mut source));
    // Changed on the server and in the file while it runs.
    server.sql("postgres", "ALTER ROLE aura PASSWORD 'new'");
    statistics(&sample(&mut source));
    server.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'aura'");
    let refused = until(&mut source, "the refusal", |reading| {
        away(reading).is_some_and(|missing| missing.reason == Reason::NoPermission)
    });
    let missing = away(&refused).unwrap();
    assert!(missing.detail.contains("password") && !missing.detail.contains("sesame"), "{missing}");
    fs::write(&file, "new").unwrap();
    until(&mut source, "the new password", |reading| away(reading).is_none());
    fs::remove_file(&file).unwrap();
    let gone = first(ServerOptions { password_file: Some(file.to_string_lossy().into()), ..at(server.port(), "aura") });
    assert!(gone.unwrap_err().detail.contains("password"));
}

#[test]
fn libpqs_password_file_counts_unless_others_may_read_it() {
    let Some((server, folder)) = strict() else { return };
    let file = folder.path().join("pgpass");
    fs::write(&file, format!("127.0.0.1:{}:postgres:aura:sesame \\:\\\\x\n*:*:*:*:wrong\n", server.port())).unwrap();
    let with = || ServerOptions { passfile: Some(file.to_string_lossy().into()), ..at(server.port(), "aura") };
    give(&file, 0o640);
    let missing = first(with()).unwrap_err();
    assert_eq!(missing.reason, Reason::NoPermission);
    assert!(missing.detail.contains("chmod 600"), "{missing}");
    give(&file, 0o600);
    first(with()).unwrap();
    // The first line that fits counts, and it is wrong for others.
    fs::write(&file, "*:*:*:*:wrong\n").unwrap();
    let missing = first(with()).unwrap_err();
    assert_eq!(missing.reason, Reason::NoPermission);
    assert!(!missing.detail.contains("wrong:") && missing.detail.contains("28P01"), "{missing}");
}

#[test]
fn without_a_password_it_says_where_one_may_be_put() {
    let Some((server, folder)) = strict() else { return };
    let none = folder.path().join("none").to_string_lossy().into_owned();
    let missing = first(ServerOptions { passfile: Some(none), ..at(server.port(), "aura") }).unwrap_err();
    assert_eq!(missing.reason, Reason::NoPermission);
    for way in ["password_file", "PGPASSFILE", "PGPASSWORD"] {
        assert!(missing.detail.contains(way), "{missing}");
    }
}
