//! What systemd is told: ready, reloading, stopping, still alive. Nothing happens where nobody listens.

use std::time::Duration;

use sd_notify::NotifyState;

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

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("the supervisor was not told: {error}");
    }
}
