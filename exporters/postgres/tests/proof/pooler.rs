//! A transaction pooler between: each transaction may meet another session.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tempfile::TempDir;

use aura_tests::PostgresServer;

use crate::watch::{at, away, give, open, sample, statistics, until};

/// A running pgbouncer.
pub(crate) struct Pooler {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Pooler {
    pub(crate) fn start(server: &PostgresServer, settings: &str) -> Option<Self> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].map(PathBuf::from);
        let Some(program) = program.into_iter().find(|path| path.exists()) else {
            aura_tests::skip("pgbouncer");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        give(folder.path(), 0o755);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} dbname=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = users\npool_mode = transaction\n\
             default_pool_size = 4\nserver_round_robin = 1\nlogfile = log\n{settings}\n",
            server.port()
        );
        write(folder.path(), "users", "\"postgres\" \"\"\n\"aura\" \"\"\n");
        write(folder.path(), "pgbouncer.ini", &config);
        let mut command = Command::new(program);
        command.arg("pgbouncer.ini").current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        if rustix::process::geteuid().is_root() {
            command.uid(65_534).gid(65_534);
        }
        let process = command.spawn().unwrap();
        let pooler = Self { process, port, _folder: folder };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "pgbouncer does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(pooler)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    give(&path, 0o644);
}

/// Others keep the pool's sessions busy, so that ours changes from one transaction to the next.
struct Neighbours(Arc<AtomicBool>);

impl Neighbours {
    fn of(port: u16) -> Self {
        let leave = Arc::new(AtomicBool::new(false));
        for _ in 0..3 {
            let leave = leave.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async move {
                    let login = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
                    let (client, connection) = tokio_postgres::connect(&login, tokio_postgres::NoTls).await.unwrap();
                    tokio::spawn(connection);
                    while !leave.load(Ordering::SeqCst) {
                        // When the test has failed, the pooler is gone before we are.
                        let _ = client.simple_query("BEGIN; SELECT pg_sleep(0.003); COMMIT").await;
                    }
                });
            });
        }
        Self(leave)
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn all_parts_are_read_through_a_transaction_pooler() {
    let Some(server) = PostgresServer::start("") else { return };
    server.sql("postgres", include_str!("../fixtures/debates.sql"));
    // The first refuses start options, the second takes them and drops them.
    for settings in ["", "ignore_startup_parameters = options,extra_float_digits"] {
        let Some(pooler) = Pooler::start(&server, settings) else { return };
        let _neighbours = Neighbours::of(pooler.port);
        let mut source = open(at(pooler.port, "postgres"));
        until(&mut source, "the debates", |reading| {
            away(reading).is_none() && statistics(reading).debates.value().is_some()
        });
        for round in 0..30 {
            let reading = sample(&mut source);
            let missing: Vec<_> = statistics(&reading).missing().filter(|(part, _)| *part != "statements").collect();
            assert!(missing.is_empty(), "{settings:?}, round {round}: {missing:?}");
            assert_eq!(reading.servers[0].connects, 1, "{settings:?}, round {round}");
        }
        // What is added behind the pooler's back is seen as well: nothing relies on a session.
        server.sql("postgres", "DELETE FROM debates");
        until(&mut source, "no debate", |reading| {
            statistics(reading).debates.value().is_some_and(|debates| debates.debates.is_empty())
        });
        server.sql(
            "postgres",
            "INSERT INTO debates (topic, model_a, model_b, status) VALUES ('Is it?', 'red:1b', 'blue:3b', 'completed')",
        );
        until(&mut source, "the new debate", |reading| {
            statistics(reading).debates.value().is_some_and(|debates| debates.debates.len() == 1)
        });
    }
}
