//! Bytes that are no letters: names and queries of databases in other encodings, or in none.

use std::{
    io::Write,
    process::{Child, ChildStdin, Command, Stdio},
};

use aura_postgres::ServerOptions;
use aura_tests::PostgresServer;

use crate::watch::{at, open, sample, statistics, until};

/// A client whose transaction stays open, so that what it last asked is seen.
struct Client {
    process: Child,
    _stdin: ChildStdin,
}

impl Client {
    fn new(mut psql: Command, sql: &[u8]) -> Self {
        let mut process = psql.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = process.stdin.take().unwrap();
        stdin.write_all(sql).unwrap();
        stdin.flush().unwrap();
        Self { process, _stdin: stdin }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a script of bytes.
fn run(server: &PostgresServer, database: &str, script: &[u8]) {
    let mut client = server.psql(database);
    let mut process = client.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(script).unwrap();
    let said = process.wait_with_output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

const ENCODINGS: [&str; 7] = ["UTF8", "SQL_ASCII", "LATIN1", "WIN1252", "KOI8R", "EUC_JP", "EUC_KR"];

#[test]
fn bytes_that_are_no_letters_cost_nothing_but_themselves() {
    let preload = "shared_preload_libraries = 'pg_stat_statements'\npg_stat_statements.track = all";
    let Some(server) = PostgresServer::start(preload) else { return };
    for encoding in ENCODINGS {
        let sql = "CREATE DATABASE in_{} ENCODING '{}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'";
        server.sql(
            "postgres",
            &sql.replace("{}", encoding).replace(&format!("in_{encoding}"), &format!("in_{}", encoding.to_lowercase())),
        );
    }
    // Three names that differ in what is no UTF-8 alone, one that is, and one that is cut at 63 bytes within a letter.
    run(
        &server,
        "in_sql_ascii",
        b"CREATE ROLE \"jos\xE9\" LOGIN; CREATE ROLE \"jos\xE8\" LOGIN; CREATE ROLE \"jos\xC3\xA9\" LOGIN; \
          CREATE ROLE \"jos\\x{E9}\" LOGIN; CREATE DATABASE \"caf\xE9\"; CREATE DATABASE \"caf\xE8\"; \
          CREATE SCHEMA \"s\xFF\"; CREATE TABLE \"s\xFF\".\"t\xFE\" (id int); CREATE TABLE \"s\xFF\".\"t\xFD\" (id int); \
          CREATE ROLE \"aaa\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\
          \xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\
          \xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\" LOGIN;\n",
    );
    let roles = "jos\u{e9} jos\\x{E9} jos\\x{E8} jos\\\\x{E9}".split(' ');
    let latin =
        Client::new(server.psql("in_latin1"), b"SET client_encoding = LATIN1; BEGIN; SELECT 1 /* caf\xE9 */;\n");
    let ascii = Client::new(server.psql("in_sql_ascii"), b"BEGIN; SELECT 2 /* \xFF\xFE\xC3 */;\n");
    // Longer than what the server keeps of it, and cut within a letter, at one of two places.
    let cut = |number: u32| format!("BEGIN; SELECT {number} /* {} */;\n", "\u{e4}".repeat(2000)).into_bytes();
    let (one, two) =
        (Client::new(server.psql("in_sql_ascii"), &cut(3)), Client::new(server.psql("in_sql_ascii"), &cut(44)));
    let slow = Client::new(server.psql("in_sql_ascii"), b"SELECT pg_sleep(0.2) /* \xE9 */;\nBEGIN;\n");
    for encoding in ENCODINGS {
        let database = format!("in_{}", encoding.to_lowercase());
        server.sql(&database, "CREATE EXTENSION pg_stat_statements");
        let mut source = open(ServerOptions { database: Some(database.clone()), ..at(server.port(), "postgres") });
        let reading = until(&mut source, "what runs", |reading| {
            let now = statistics(reading);
            let ours = |backend: &&aura_postgres::Backend| backend.state.as_deref() == Some("idle in transaction");
            now.activity.value().is_some_and(|activity| activity.backends.iter().filter(ours).count() == 5)
        });
        let now = statistics(&reading);
        let missing: Vec<_> = now.missing().filter(|(part, _)| *part != "debates").collect();
        assert!(missing.is_empty(), "{encoding}: {missing:?}");
        assert_eq!(reading.servers[0].connects, 1, "{encoding}");
        let names: Vec<&str> = now.databases.value().unwrap().iter().map(|database| database.name.as_str()).collect();
        let caf: std::collections::BTreeSet<&&str> = names.iter().filter(|name| name.starts_with("caf")).collect();
        assert_eq!(caf.len(), 2, "{encoding}: {names:?}");
        assert!(names.contains(&"postgres"), "{encoding}: {names:?}");
        let jos: std::collections::BTreeSet<&str> = now
            .roles
            .value()
            .unwrap()
            .0
            .iter()
            .map(|role| role.name.as_str())
            .filter(|name| name.starts_with("jos"))
            .collect();
        assert_eq!(jos.len(), 4, "{encoding}: {jos:?}");
        if matches!(encoding, "UTF8" | "SQL_ASCII") {
            assert_eq!(jos, roles.clone().collect(), "{encoding}");
            assert!(caf.contains(&"caf\\x{E9}"), "{encoding}: {caf:?}");
            let queries: Vec<&str> =
                now.activity.value().unwrap().backends.iter().filter_map(|one| one.query.as_deref()).collect();
            assert!(queries.iter().any(|query| query.contains("SELECT 1 /* caf\\x{E9} */")), "{queries:?}");
            assert!(queries.iter().any(|query| query.contains("/* \\x{FF}\\x{FE}\\x{C3} */")), "{queries:?}");
            assert!(queries.iter().all(|query| query.chars().count() <= 200), "{queries:?}");
        }
        if encoding == "SQL_ASCII" {
            let tables: std::collections::BTreeSet<String> =
                now.tables.value().unwrap().iter().map(|table| format!("{}.{}", table.schema, table.name)).collect();
            assert!(tables.contains("s\\x{FF}.t\\x{FE}") && tables.contains("s\\x{FF}.t\\x{FD}"), "{tables:?}");
        }
        assert!(!now.slow_statements.value().unwrap().0.is_empty(), "{encoding}");
        // All goes on as it began.
        assert!(statistics(&sample(&mut source)).activity.value().is_some(), "{encoding}");
    }
    drop((latin, ascii, one, two, slow));
}
