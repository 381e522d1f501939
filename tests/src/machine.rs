//! A small machine of files, to be changed under the agent's eyes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Setup;

/// A procfs of a few files.
pub struct Machine {
    procfs: PathBuf,
}

impl Machine {
    /// Files that look like the real ones, in the folder of the agent that is to see them.
    ///
    /// # Panics
    /// When the folder cannot be written to.
    #[must_use]
    pub fn beside(setup: &Setup) -> Self {
        let machine = Self { procfs: setup.folder().join("proc") };
        fs::create_dir_all(machine.procfs.join("net")).expect("a folder of our own");
        for (name, text) in FILES {
            fs::write(machine.path(name), text).expect("a folder of our own");
        }
        machine.set_available(3_000_000);
        machine
    }

    /// Where its procfs is.
    #[must_use]
    pub fn procfs(&self) -> &Path {
        &self.procfs
    }

    /// A file of its procfs.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.procfs.join(name)
    }

    /// Changes how much memory is available, in KiB.
    ///
    /// # Panics
    /// When the file cannot be written to.
    pub fn set_available(&self, available: u64) {
        let text = format!(
            "MemTotal:        8000000 kB\nMemFree:         1000000 kB\nMemAvailable: {available:>10} kB\n\
             Buffers:           10000 kB\nCached:          2000000 kB\nSwapTotal:             0 kB\n\
             SwapFree:              0 kB\nSlab:             100000 kB\n"
        );
        // All in one write of one length: the agent has the file open, and must never see half of it.
        fs::write(self.path("meminfo"), text).expect("a folder of our own");
    }
}

const FILES: [(&str, &str); 4] = [
    (
        "stat",
        "cpu  100 0 50 1000 0 0 0 0 0 0\ncpu0 100 0 50 1000 0 0 0 0 0 0\nintr 5\nctxt 7\nbtime 1750000000\n\
         processes 9\nprocs_running 1\nprocs_blocked 0\n",
    ),
    ("loadavg", "0.10 0.20 0.30 1/100 1234\n"),
    ("uptime", "1000.00 900.00\n"),
    (
        "net/dev",
        "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n \
           lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0\n",
    ),
];
