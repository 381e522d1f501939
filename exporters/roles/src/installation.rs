//! All role files of one installation.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    copy::Copy,
    draft::{Draft, Migration},
    role::{Finding, Reader, Role, TrustScale},
    tree::{Node, tree},
};

/// More files of one folder are not read.
const MOST_FILES: usize = 1000;

const ENGINE: &str = "ops/role_engine";
const MIGRATIONS: &str = "aura_ia_mcp/ops/role_engine/migration_audit.json";

/// The roles of one installation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Roles {
    /// The installation's folder's name.
    pub installation: String,
    /// The root folder, as configured.
    pub root: PathBuf,
    /// The registry's and the YAML files' roles, or the taxonomy's where there is no registry; the most trusted first.
    pub roles: Vec<Role>,
    /// The taxonomy's roles, where there is a registry as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taxonomy: Vec<Role>,
    /// The tree: the taxonomy's, else all roles side by side.
    pub tree: Vec<Node>,
    /// The scale of the tree's trust levels.
    pub tree_scale: TrustScale,
    /// The registry's `meta`, as its file has it.
    pub meta: Map<String, Value>,
    /// Proposals, the newest first.
    pub drafts: Vec<Draft>,
    /// Migrations of the policies.
    pub migrations: Vec<Migration>,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
    /// When a file last changed, in Unix seconds.
    pub last_change: Option<f64>,
}

/// Watches the files of one installation.
pub(crate) struct Installation {
    name: String,
    root: PathBuf,
    registry: Copy,
    taxonomy: Copy,
    migrations: Copy,
    role_files: BTreeMap<PathBuf, Copy>,
    draft_files: BTreeMap<PathBuf, Copy>,
    latest: Option<(Stand, Arc<Roles>)>,
}

/// What tells that nothing has changed: the newest read, how many files there are, and what is wrong with their folders.
#[derive(PartialEq)]
struct Stand {
    revision: u64,
    files: usize,
    findings: Vec<Finding>,
}

impl Installation {
    pub(crate) fn new(name: String, root: &Path, taxonomy: Option<&Path>) -> Self {
        let engine = root.join(ENGINE);
        let taxonomy = taxonomy.map_or_else(|| engine.join("role_taxonomy.json"), |path| root.join(path));
        Self {
            name,
            root: root.to_owned(),
            registry: Copy::new(engine.join("role_registry_v2.json")),
            taxonomy: Copy::new(taxonomy),
            migrations: Copy::new(root.join(MIGRATIONS)),
            role_files: BTreeMap::new(),
            draft_files: BTreeMap::new(),
            latest: None,
        }
    }

    /// Looks at all files; the same allocation as before when nothing has changed.
    pub(crate) fn look(&mut self) -> Arc<Roles> {
        let mut findings = Vec::new();
        for copy in [&mut self.registry, &mut self.taxonomy, &mut self.migrations] {
            copy.look();
        }
        let engine = self.root.join(ENGINE);
        look_at_folder(&mut self.role_files, &engine.join("roles"), &["yaml", "yml"], &mut findings);
        look_at_folder(&mut self.draft_files, &engine.join("drafts"), &["json"], &mut findings);
        let revision = self.copies().map(|copy| copy.revision).max().unwrap_or(0);
        let stand = Stand { revision, files: self.copies().count(), findings };
        let latest = match self.latest.take() {
            Some((before, latest)) if before == stand => latest,
            before => {
                let roles = self.read(stand.findings.clone());
                // Written anew, and still the same.
                before.map(|(_, latest)| latest).filter(|latest| **latest == roles).unwrap_or_else(|| Arc::new(roles))
            }
        };
        self.latest = Some((stand, Arc::clone(&latest)));
        latest
    }

    fn copies(&self) -> impl Iterator<Item = &Copy> {
        let single = [&self.registry, &self.taxonomy, &self.migrations].into_iter();
        single.chain(self.role_files.values()).chain(self.draft_files.values())
    }

    /// Whether there is anything of roles at all.
    pub(crate) fn is_there(&self) -> bool {
        let known = [&self.registry, &self.taxonomy];
        known.iter().any(|copy| copy.path.exists()) || self.root.join(ENGINE).is_dir()
    }

    fn read(&self, mut findings: Vec<Finding>) -> Roles {
        for copy in self.copies() {
            if let Some(problem) = &copy.problem {
                let held = if copy.good.is_some() { "; its last good copy is shown" } else { "" };
                findings.push(Finding::new(
                    "unreadable_file",
                    copy.path.display().to_string(),
                    format!("{problem}{held}"),
                ));
            }
        }
        let mut by_name = entries(&self.registry, "registry", TrustScale::Priority, &mut findings);
        for copy in self.role_files.values() {
            let Some(Value::Object(entry)) = &copy.good else { continue };
            let stem = copy.path.file_stem().unwrap_or_default().to_string_lossy();
            let origin = copy.path.display().to_string();
            let named = Reader { subject: &origin, findings: &mut findings }.text("name", entry.get("name"));
            let name = named.as_deref().unwrap_or(&stem);
            by_name.insert(name.to_owned(), Role::read(name, entry, TrustScale::Priority, &origin, &mut findings));
        }
        let mut roles = sorted(by_name);
        let mut taxonomy = sorted(entries(&self.taxonomy, "taxonomy", TrustScale::Taxonomy, &mut findings));
        let (nodes, scale) = if taxonomy.is_empty() {
            (tree(&roles, &mut findings), TrustScale::Priority)
        } else {
            (tree(&taxonomy, &mut findings), TrustScale::Taxonomy)
        };
        if roles.is_empty() {
            roles = std::mem::take(&mut taxonomy);
        }
        let mut drafts: Vec<Draft> = Vec::new();
        for copy in self.draft_files.values() {
            let stem = copy.path.file_stem().unwrap_or_default().to_string_lossy();
            drafts.extend(copy.good.as_ref().map(|value| Draft::read(&stem, value, &mut findings)));
        }
        let newest = |left: &Draft, right: &Draft| right.created.unwrap_or(0.0).total_cmp(&left.created.unwrap_or(0.0));
        drafts.sort_by(|left, right| newest(left, right).then_with(|| left.id.cmp(&right.id)));
        let migrations = self.migrations.good.as_ref().and_then(|value| value.get("migrations")?.as_array());
        let meta =
            [&self.registry, &self.taxonomy].into_iter().find_map(|copy| copy.good.as_ref()?.get("meta")?.as_object());
        findings.sort();
        findings.dedup();
        Roles {
            installation: self.name.clone(),
            root: self.root.clone(),
            roles,
            taxonomy,
            tree: nodes,
            tree_scale: scale,
            meta: meta.cloned().unwrap_or_default(),
            drafts,
            migrations: migrations.into_iter().flatten().map(Migration::read).collect(),
            findings,
            last_change: self.copies().filter_map(|copy| copy.modified).max_by(f64::total_cmp),
        }
    }
}

/// The roles of a registry or a taxonomy, by name.
fn entries(copy: &Copy, origin: &str, scale: TrustScale, findings: &mut Vec<Finding>) -> BTreeMap<String, Role> {
    let mut roles = BTreeMap::new();
    let Some(value) = &copy.good else { return roles };
    let Some(entries) = value.get("roles").and_then(Value::as_object) else {
        let subject = copy.path.display().to_string();
        findings.push(Finding::new("unreadable_file", subject, "it has no object \"roles\""));
        return roles;
    };
    for (name, entry) in entries {
        match entry {
            Value::Object(entry) => {
                roles.insert(name.clone(), Role::read(name, entry, scale, origin, findings));
            }
            _ => findings.push(Finding::new("not_an_object", name, "its entry is no object with keys")),
        }
    }
    roles
}

/// The most trusted first, then by name.
fn sorted(roles: BTreeMap<String, Role>) -> Vec<Role> {
    let mut roles: Vec<Role> = roles.into_values().collect();
    roles
        .sort_by(|left, right| right.trust_level.total_cmp(&left.trust_level).then_with(|| left.name.cmp(&right.name)));
    roles
}

fn look_at_folder(
    copies: &mut BTreeMap<PathBuf, Copy>,
    folder: &Path,
    extensions: &[&str],
    findings: &mut Vec<Finding>,
) {
    let mut paths: Vec<PathBuf> = match fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            findings.push(Finding::new("unreadable_file", folder.display().to_string(), error.to_string()));
            return;
        }
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known)));
    paths.sort();
    if paths.len() > MOST_FILES {
        let detail = format!("{} files; the first {MOST_FILES} are read", paths.len());
        findings.push(Finding::new("too_many_files", folder.display().to_string(), detail));
        paths.truncate(MOST_FILES);
    }
    copies.retain(|path, _| paths.binary_search(path).is_ok());
    for path in paths {
        copies.entry(path.clone()).or_insert_with(|| Copy::new(path)).look();
    }
}
