//! `aura compare`. Scrapes another exporter and reports what differs.

use super::CompareArguments;
use crate::config::Overrides;

pub(super) fn compare(_overrides: &Overrides, _arguments: &CompareArguments) -> anyhow::Result<()> {
    anyhow::bail!("aura compare is not built yet")
}
