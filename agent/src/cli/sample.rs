//! `aura sample`. Takes one sample and prints it.

use super::SampleArguments;
use crate::config::Overrides;

pub(super) fn sample(_overrides: &Overrides, _arguments: &SampleArguments) -> anyhow::Result<()> {
    anyhow::bail!("aura sample is not built yet")
}
