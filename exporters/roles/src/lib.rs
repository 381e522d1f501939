//! Roles as a source.
//!
//! An installation keeps its roles in a JSON registry, in YAML files beside it, and in a taxonomy with a tree, all
//! rewritten in place while we look. [`Roles`] is what they mean together, with everything that does not fit named as
//! a finding; of a file that is half written the last good copy is shown.

mod copy;
mod draft;
mod installation;
mod metrics;
mod options;
mod role;
mod tree;
mod yaml;

use std::{path::Path, sync::Arc};

use aura_model::{Context, Group, Missing, Reason, Source};
use serde::Serialize;

use self::installation::Installation;
pub use self::{
    draft::{Draft, Migration},
    installation::Roles,
    options::RolesOptions,
    role::{Finding, Role, TrustScale},
    tree::Node,
};

/// The installations whose roles are watched.
pub struct RoleFiles {
    installations: Vec<Installation>,
    latest: Vec<Arc<Roles>>,
    revision: u64,
}

/// All roles at one moment.
#[derive(Debug, Serialize)]
pub struct RolesReading {
    /// One more whenever something has changed.
    pub revision: u64,
    /// Each installation.
    pub installations: Vec<Arc<Roles>>,
}

impl Source for RoleFiles {
    type Options = RolesOptions;
    type Reading = RolesReading;

    const NAME: &'static str = "roles";
    const PART: &'static str = "aura";

    fn groups() -> &'static [Group<RolesReading>] {
        metrics::GROUPS
    }

    fn open(options: &RolesOptions, _: &Context) -> Result<Self, Missing> {
        if options.roots.is_empty() {
            let detail = "no installation is named: set sources.roles.roots to its root folder";
            return Err(Missing::new(Reason::NotConfigured, detail));
        }
        let mut installations: Vec<Installation> = Vec::new();
        for (index, root) in options.roots.iter().enumerate() {
            let mut name = folder_name(root);
            if options.roots[..index].iter().any(|other| folder_name(other) == name) {
                name = root.display().to_string();
            }
            let installation = Installation::new(name, root, options.taxonomy.as_deref());
            if !installation.is_there() {
                let detail = format!("{}: no ops/role_engine in it; see sources.roles.roots", root.display());
                return Err(Missing::new(Reason::NoSensor, detail));
            }
            installations.push(installation);
        }
        Ok(Self { installations, latest: Vec::new(), revision: 0 })
    }

    fn sample(&mut self) -> Result<RolesReading, Missing> {
        let now: Vec<Arc<Roles>> = self.installations.iter_mut().map(Installation::look).collect();
        let same =
            now.len() == self.latest.len() && now.iter().zip(&self.latest).all(|(new, old)| Arc::ptr_eq(new, old));
        if !same {
            self.revision += 1;
        }
        self.latest.clone_from(&now);
        Ok(RolesReading { revision: self.revision, installations: now })
    }

    fn describe(reading: &RolesReading) -> Vec<String> {
        let line = |roles: &Arc<Roles>| {
            let Roles { installation, roles, drafts, findings, .. } = &**roles;
            format!("{installation}: {} roles, {} drafts, {} findings", roles.len(), drafts.len(), findings.len())
        };
        reading.installations.iter().map(line).collect()
    }
}

fn folder_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
