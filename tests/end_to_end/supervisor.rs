//! What systemd is told.

use std::{os::unix::net::UnixDatagram, time::Instant};

use aura_tests::{Setup, TIMEOUT};
use rustix::process::Signal;

/// systemd's end of the socket.
struct Supervisor {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Supervisor {
    /// Waits for a datagram that has a line which begins with this, and returns the whole datagram.
    fn hear(&mut self, words: &str) -> String {
        let begun = Instant::now();
        let mut buffer = [0; 4096];
        while begun.elapsed() < TIMEOUT {
            let length = self.socket.recv(&mut buffer).unwrap_or_else(|_| panic!("{words}: heard {:?}", self.heard));
            let datagram = String::from_utf8_lossy(&buffer[..length]).into_owned();
            self.heard.push(datagram.clone());
            if datagram.lines().any(|line| line.starts_with(words)) {
                return datagram;
            }
        }
        panic!("{words}: heard {:?}", self.heard);
    }
}

#[test]
fn systemd_hears_ready_reloading_watchdog_and_stopping() {
    let setup = Setup::default();
    let path = setup.folder().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut supervisor = Supervisor { socket, heard: Vec::new() };
    let mut agent = setup.variable("NOTIFY_SOCKET", &path).variable("WATCHDOG_USEC", "400000").start();
    supervisor.hear("READY=1");
    supervisor.hear("WATCHDOG=1");
    supervisor.hear("WATCHDOG=1");
    agent.signal(Signal::HUP);
    let reloading = supervisor.hear("RELOADING=1");
    let since = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("when it began");
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let age = now.tv_sec as f64 - since.parse::<f64>().unwrap() / 1e6;
    assert!((-1.0..60.0).contains(&age), "the reload began {age} s ago");
    supervisor.hear("READY=1");
    agent.signal(Signal::TERM);
    supervisor.hear("STOPPING=1");
    assert_eq!(agent.wait().code(), Some(0));
}
