//! `aura run`: samples, publishes and serves until a signal.

use crate::config::{Config, Overrides, process_variables};

pub(super) fn run(overrides: &Overrides) -> anyhow::Result<()> {
    crate::run::run(Config::load(overrides, &process_variables())?, overrides.clone())
}
