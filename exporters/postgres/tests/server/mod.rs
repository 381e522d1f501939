//! A real PostgreSQL in a temporary folder, on a socket of its own and a free port; stopped when dropped.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Where Debian puts the server's programs, newest first.
const PROGRAMS: [&str; 6] = ["18", "17", "16", "15", "14", "13"];

/// A server under test.
pub(crate) struct Server {
    programs: PathBuf,
    folder: TempDir,
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
}

impl Server {
    /// Starts one; none where PostgreSQL is not installed, which is a failure under AURA_TEST_STRICT=1.
    pub(crate) fn start(settings: &str) -> Option<Self> {
        let programs = PROGRAMS.map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
        let Some(programs) = programs.into_iter().find(|folder| folder.join("initdb").exists()) else {
            assert!(std::env::var("AURA_TEST_STRICT").as_deref() != Ok("1"), "needs PostgreSQL's server");
            eprintln!("skipped: needs PostgreSQL's server");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let server = Self { programs, folder, port };
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(server.folder.path(), Some(user()), Some(user())).expect("chown");
        }
        server.run("initdb", &["-D", "data", "-U", "postgres", "-A", "trust", "-N", "--no-instructions"]);
        let text = format!("fsync = off\nlog_min_messages = error\n{settings}\n");
        let path = server.folder.path().join("data/postgresql.conf");
        let before = std::fs::read_to_string(&path).expect("its configuration");
        std::fs::write(&path, before + &text).expect("its configuration");
        server.up();
        Some(server)
    }

    /// Starts it again.
    pub(crate) fn up(&self) {
        let options = format!("-k {} -h 127.0.0.1 -p {}", self.folder.path().display(), self.port);
        let start = ["-D", "data", "-o", &options, "-l", "log", "-w", "-t", "60", "start"];
        // After a kill the children live on for a moment, and until they are gone no server starts.
        let began = Instant::now();
        while !self.try_run("pg_ctl", &start) {
            assert!(began.elapsed() < Duration::from_secs(60), "the server does not start");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Stops it as an administrator does.
    pub(crate) fn down(&self) {
        self.run("pg_ctl", &["-D", "data", "-m", "fast", "-w", "stop"]);
    }

    /// Kills it as a lack of memory does: all of its processes at once.
    pub(crate) fn kill(&self) {
        let pid = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid")).expect("a pid");
        let pid = pid.lines().next().and_then(|pid| pid.parse().ok()).and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::KILL).expect("kill");
        // Its children notice by themselves; the next start waits until their shared memory is free.
    }

    /// The folder of its socket.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client of the superuser, without its arguments for what to do.
    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]);
        command.arg("-h").arg(self.folder.path()).args(["-p", &self.port.to_string()]);
        command
    }

    /// Runs SQL as the superuser.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let answer = self.psql(database).args(["-c", sql]).output().expect("psql");
        assert!(answer.status.success(), "{sql}: {}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    }

    /// Runs SQL as the superuser, whatever becomes of it.
    pub(crate) fn attempt(&self, sql: &str) {
        let port = self.port.to_string();
        let folder = self.folder.path().to_string_lossy().into_owned();
        // Each text of its own: VACUUM stands in no transaction with others.
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-Xq", "-h", &folder, "-p", &port, "-U", "postgres", "-d", "postgres"]);
        for one in sql.split(';').map(str::trim) {
            command.args(["-c", one]);
        }
        let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }

    /// Makes a standby that receives through a slot of this name.
    pub(crate) fn standby(&self, slot: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let standby = Self { programs: self.programs.clone(), folder, port };
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(standby.folder.path(), Some(user()), Some(user())).expect("chown");
        }
        let primary = self.port.to_string();
        let copy =
            ["-h", "127.0.0.1", "-p", &primary, "-U", "postgres", "-D", "data", "-R", "-C", "-S", slot, "-X", "stream"];
        standby.run("pg_basebackup", &[&copy[..], &["-c", "fast"]].concat());
        standby.up();
        standby
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        assert!(self.try_run(program, arguments), "{program} {arguments:?}");
    }

    fn try_run(&self, program: &str, arguments: &[&str]) -> bool {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir(self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        // PostgreSQL refuses to run as root.
        if rustix::process::geteuid().is_root() {
            command.uid(user()).gid(user());
        }
        command.status().expect("PostgreSQL's programs").success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.folder.path().join("data/postmaster.pid").exists() {
            let mut command = Command::new(self.programs.join("pg_ctl"));
            command.args(["-D", "data", "-m", "immediate", "stop"]).current_dir(self.folder.path());
            if rustix::process::geteuid().is_root() {
                command.uid(user()).gid(user());
            }
            let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

/// Nobody.
fn user() -> u32 {
    65_534
}
