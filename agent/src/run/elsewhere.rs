//! Where there are no Unix signals and no systemd: Ctrl-C stops, `POST /-/reload` reloads.

use std::{future::pending, io};

use super::Signal;

/// Ctrl-C.
pub(super) struct Signals;

impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "it may fail on Unix")]
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!("Ctrl-C cannot be listened for: {error}");
            pending::<()>().await;
        }
        Signal::Stop
    }
}

/// What this machine calls itself.
pub(super) fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

/// Nothing limits them here.
pub(super) fn raise_descriptor_limit() -> Option<usize> {
    None
}

/// There is nobody to tell.
pub(super) fn ready(_: &str) {}

/// There is nobody to tell.
pub(super) fn reloading() {}

/// There is nobody to tell.
pub(super) fn stopping() {}

/// There is nobody to tell.
pub(super) async fn watchdog() {}
