//! Signals, limits, and what systemd is told: ready, reloading, stopping, still alive. Nothing of that happens where
//! nobody listens.

use std::{io, time::Duration};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::signal::unix;
use tokio::signal::unix::SignalKind;
use tracing::warn;

use super::{Signal, notify::tell};

/// SIGHUP reloads; SIGTERM and SIGINT stop.
pub(super) struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: unix::signal(SignalKind::hangup())?,
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.hangup.recv() => Signal::Reload,
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
        }
    }
}

/// What this machine calls itself.
pub(super) fn host_name() -> Option<String> {
    Some(rustix::system::uname().nodename().to_string_lossy().into_owned())
}

/// Each client is a descriptor, and the usual limit of 1024 is lower than what is allowed to us. Returns what it is now.
pub(super) fn raise_descriptor_limit() -> Option<usize> {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Err(error) = raised {
        warn!("the limit of open files stays at {:?}: {error}", limit.current);
    }
    getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok())
}

/// The agent serves.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is being read again; [`ready`] follows.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The agent is on its way out.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says so twice in each of systemd's watchdog periods, for as long as the event loop turns.
pub(super) async fn watchdog() {
    let Some(period) = sd_notify::watchdog_enabled().filter(|period| *period > Duration::ZERO) else { return };
    let mut beat = tokio::time::interval(period / 2);
    loop {
        beat.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}
