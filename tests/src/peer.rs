//! A program that runs beside the test.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{TIMEOUT, wait_until};

/// A running program with its log. It is killed when this is dropped.
pub struct Peer {
    process: Child,
    log: PathBuf,
}

impl Peer {
    /// Starts it; what it prints goes to the log.
    ///
    /// # Panics
    /// When there is no such program.
    pub fn start(command: &mut Command, log: PathBuf) -> Self {
        let output = File::create(&log).expect("a log in a folder of our own");
        let errors = output.try_clone().expect("a second handle");
        let process = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        Self { process: process.unwrap_or_else(|error| panic!("{command:?}: {error}")), log }
    }

    /// What it printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it has ended.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Kills it without a word.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// When the system does not know it.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().expect("a child of ours")
    }

    /// Waits until it ends, and says how.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(begun.elapsed() < TIMEOUT, "it does not end. It said:\n{}", self.log());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until it says this.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_for_log(&self, words: &str) {
        wait_until(&format!("{words:?} in the log"), || self.log().contains(words));
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(8000);
            eprintln!("--- {} ends in:\n{}", self.log.display(), log.get(tail..).unwrap_or(&log));
        }
    }
}

/// An address that nobody listens on now.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a free port")
}

/// Makes a folder readable for every user, as the agent may run as another one.
pub(crate) fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("a folder of our own");
}
