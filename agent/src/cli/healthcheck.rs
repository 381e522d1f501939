//! `aura healthcheck`. Asks a running agent whether it is well.

use super::HealthcheckArguments;
use crate::config::Overrides;

pub(super) fn healthcheck(_overrides: &Overrides, _arguments: &HealthcheckArguments) -> anyhow::Result<()> {
    anyhow::bail!("aura healthcheck is not built yet")
}
