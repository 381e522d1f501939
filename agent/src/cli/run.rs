//! `aura run`: samples, publishes and serves until a signal.

use super::configuration::load;
use crate::config::Overrides;

pub(super) fn run(overrides: &Overrides) -> anyhow::Result<()> {
    crate::run::run(load(overrides)?, overrides.clone())
}
