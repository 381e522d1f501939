//! The roles' part of the configuration.

use std::path::PathBuf;

use aura_model::{Interval, Options, Schedule, Switch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Roles of Aura installations: registry, taxonomy, drafts, migrations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RolesOptions {
    /// Whether roles are watched: `auto` watches the folders that are named below, `true` makes it an error when none is.
    pub enabled: Switch,
    /// From one look at the files to the next; at least 100ms. Files that have not changed are not read again.
    pub interval: Interval,
    /// A look that takes longer is shown as late.
    pub timeout: Interval,
    /// Root folders of Aura installations.
    #[schemars(example = "[/opt/aura]")]
    pub roots: Vec<PathBuf>,
    /// The taxonomy, where it is not ops/role_engine/role_taxonomy.json below the root: what ROLE_REGISTRY_PATH says
    /// there.
    #[schemars(example = "/opt/aura/roles.json")]
    pub taxonomy: Option<PathBuf>,
}

impl Default for RolesOptions {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            interval: Interval::from_secs(1),
            timeout: Interval::from_secs(5),
            roots: Vec::new(),
            taxonomy: None,
        }
    }
}

impl Options for RolesOptions {
    fn schedule(&self) -> Schedule {
        Schedule { enabled: self.enabled, interval: self.interval, timeout: self.timeout }
    }

    fn problems(&self) -> Vec<(String, String)> {
        let relative = self.roots.iter().enumerate().filter(|(_, root)| !root.is_absolute());
        relative.map(|(index, _)| (format!("roots[{index}]"), "write the whole path, from / on".to_owned())).collect()
    }
}
