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
        Some(Self::start_from(tools::postgres()?, settings))
    }

    /// Starts a server of this version, with these lines in its configuration.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_version(major: u32, settings: &str) -> Option<Self> {
        Some(Self::start_from(tools::postgres_version(major)?, settings))
    }

    fn start_from(programs: PathBuf, settings: &str) -> Self {
        let server = Self::empty(programs);
        server.run("initdb", &["-D", "data", "-U", "postgres", "-A", "trust", "-N"]);
        let file = server.folder.path().join("data/postgresql.conf");
        let before = fs::read_to_string(&file).expect("initdb has written it");
        fs::write(&file, format!("{before}\nfsync = off\nlog_min_messages = error\n{settings}\n")).expect("our folder");
        server.start_again();
        server
    }

    /// Starts a standby of it that receives through a slot of this name.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn standby(&self, slot: &str) -> Self {
        let standby = Self::empty(self.programs.clone());
        let from = format!("host=127.0.0.1 port={} user=postgres", self.port());
        standby
            .run("pg_basebackup", &["-d", &from, "-D", "data", "-R", "-C", "-S", slot, "-X", "stream", "-c", "fast"]);
        standby.start_again();
        standby
    }

    fn empty(programs: PathBuf) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if rustix::process::geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may give folders away");
        }
        Self { programs, folder, address: free_address() }
    }

    /// Starts it where it was, after it was killed or stopped.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        let options = format!("-k {} -h 127.0.0.1 -p {}", self.folder().display(), self.port());
        let arguments = ["-D", "data", "-o", &options, "-l", "log", "-w", "-t", "25", "start"];
        // The children of a killed server live on for a moment, and while they do no other one starts.
        wait_until("PostgreSQL starts", || self.command("pg_ctl", &arguments).status().is_ok_and(|end| end.success()));
    }

    /// Stops it as an administrator does.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn stop(&self) {
        self.run("pg_ctl", &["-D", "data", "-m", "fast", "-w", "stop"]);
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

    /// The port of that.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Where its socket is, and its data below `data`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The URL of one of its databases, for its superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@{}/{database}", self.address)
    }

    /// Its superuser's client on the socket, which no setting of the test shuts out. What it says goes nowhere.
    #[must_use]
    pub fn psql(&self, database: &str) -> Command {
        let folder = self.folder().display();
        let server = format!("host={folder} port={} user=postgres dbname={database}", self.port());
        self.command("psql", &["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", &server])
    }

    /// Runs SQL as its superuser.
    ///
    /// # Panics
    /// When it fails.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.psql(database);
        let answer =
            psql.args(["-c", sql]).stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("psql starts");
        assert!(answer.status.success(), "{sql}: {}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    }

    /// Runs each statement as its superuser, whatever becomes of it.
    pub fn attempt(&self, sql: &str) {
        let mut psql = self.psql("postgres");
        psql.args(["-v", "ON_ERROR_STOP=0"]);
        // Each one of its own: VACUUM stands in no transaction with others.
        for statement in sql.split(';') {
            psql.args(["-c", statement.trim()]);
        }
        let _ = psql.status();
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
        // A version from the cache brings no clients: the system's do.
        let own = self.programs.join(program);
        let mut command = Command::new(if own.is_file() { own } else { PathBuf::from(program) });
        command.args(arguments).current_dir(self.folder());
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

/// A test for each supported version of PostgreSQL, named after it, that hands the version to a function. The oldest, the newest
/// and Debian's run with all other tests, the rest in `make e2e postgres`.
#[macro_export]
macro_rules! for_each_postgres {
    ($check:path) => {
        #[test]
        fn postgres_13() {
            $check(13);
        }
        #[test]
        #[ignore = "make e2e postgres"]
        fn postgres_14() {
            $check(14);
        }
        #[test]
        fn postgres_15() {
            $check(15);
        }
        #[test]
        #[ignore = "make e2e postgres"]
        fn postgres_16() {
            $check(16);
        }
        #[test]
        #[ignore = "make e2e postgres"]
        fn postgres_17() {
            $check(17);
        }
        #[test]
        fn postgres_18() {
            $check(18);
        }
    };
}

const NOBODY: u32 = 65_534;
