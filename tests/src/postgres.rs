//! A real PostgreSQL.

use std::{
    fs,
    net::SocketAddr,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{peer::free_address, tools, wait_until};

/// A running PostgreSQL in a folder of its own, on a free port of 127.0.0.1. It is stopped when this is dropped.
pub struct PostgresServer {
    programs: PathBuf,
    folder: TempDir,
    address: SocketAddr,
}

impl PostgresServer {
    /// Starts the newest server that Debian has installed, with these lines in its configuration.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(settings: &str) -> Option<Self> {
        let programs = tools::postgres()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        if rustix::process::geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may give folders away");
        }
        let server = Self { programs, folder, address: free_address() };
        server.run("initdb", &["-D", "data", "-U", "postgres", "-A", "trust", "-N", "--no-instructions"]);
        let file = server.folder.path().join("data/postgresql.conf");
        let before = fs::read_to_string(&file).expect("initdb has written it");
        fs::write(&file, format!("{before}\nfsync = off\nlog_min_messages = error\n{settings}\n")).expect("our folder");
        server.start_again();
        Some(server)
    }

    /// Starts it where it was, after it was killed or stopped.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        let options = format!("-k {} -h 127.0.0.1 -p {}", self.folder.path().display(), self.address.port());
        let arguments = ["-D", "data", "-o", &options, "-l", "log", "-w", "-t", "25", "start"];
        // The children of a killed server live on for a moment, and while they do no other one starts.
        wait_until("PostgreSQL starts", || self.command("pg_ctl", &arguments).status().is_ok_and(|end| end.success()));
    }

    /// Kills it as a lack of memory does. Its children notice, and end by themselves.
    pub fn kill(&self) {
        let _ = kill_process(self.pid(), Signal::KILL);
    }

    /// Stops all its processes where they are: connections stay open and nobody answers.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets its processes go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of one of its databases, for its superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@{}/{database}", self.address)
    }

    /// Runs SQL as its superuser.
    ///
    /// # Panics
    /// When it fails.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let url = self.url(database);
        let arguments = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", &url, "-c", sql];
        let answer = self.command("psql", &arguments).stdout(Stdio::piped()).output().expect("psql starts");
        assert!(answer.status.success(), "{sql} failed");
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    }

    /// The process that started all others.
    ///
    /// # Panics
    /// When it was stopped.
    #[must_use]
    pub fn pid(&self) -> Pid {
        let file = fs::read_to_string(self.pid_file()).expect("it runs");
        file.lines().next().and_then(|line| line.parse().ok()).and_then(Pid::from_raw).expect("a process id")
    }

    /// All its processes.
    ///
    /// # Panics
    /// When it was stopped.
    #[must_use]
    pub fn processes(&self) -> Vec<Pid> {
        let main = self.pid();
        let number = main.as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{number}/task/{number}/children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter_map(Pid::from_raw);
        std::iter::once(main).chain(children).collect()
    }

    fn signal(&self, signal: Signal) {
        for process in self.processes() {
            let _ = kill_process(process, signal);
        }
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.path().join("data/postmaster.pid")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        assert!(self.command(program, arguments).status().is_ok_and(|end| end.success()), "{program} {arguments:?}");
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir(Path::new(self.folder.path()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // PostgreSQL refuses to run as root.
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.pid_file().exists() {
            self.thaw();
            let _ = self.command("pg_ctl", &["-D", "data", "-m", "immediate", "stop"]).status();
        }
    }
}

const NOBODY: u32 = 65_534;
