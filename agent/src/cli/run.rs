//! `aura run`. Samples, publishes and serves until a signal.

use crate::config::Overrides;

pub(super) fn run(_overrides: &Overrides) -> anyhow::Result<()> {
    anyhow::bail!("aura run is not built yet")
}
