//! Where the CPUs are in /sys: cores, packages, how often they were throttled.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use aura_model::{Name, Reason};

use super::Topology;
use crate::linux::kernel::attribute;

/// Where the CPUs are in /sys.
#[derive(Default)]
pub(super) struct Cores {
    present: Vec<(Name, bool)>,
    cores: Option<usize>,
    /// The first CPU of each core: package, core, its folder.
    pub(super) throttled: Vec<(Name, Name, PathBuf)>,
}

impl Cores {
    pub(super) fn find(folder: &Path) -> Self {
        let (mut found, mut siblings, mut seen) = (Self::default(), HashSet::new(), HashSet::new());
        for (number, path) in attribute::numbered(folder, "cpu").unwrap_or_default() {
            let line = |file| attribute::text(&path.join(file)).ok().filter(|text| !text.is_empty());
            if let Some(online) = is_online(&path) {
                found.present.push((number.to_string().into(), online));
            }
            siblings.extend(line("topology/thread_siblings_list"));
            let package = line("topology/physical_package_id");
            let core = line("topology/core_id");
            let throttle = path.join("thermal_throttle");
            if let Some(core) = package.zip(core)
                && throttle.is_dir()
                && seen.insert(core.clone())
            {
                found.throttled.push((core.0.into(), core.1.into(), throttle));
            }
        }
        found.cores = (!siblings.is_empty()).then_some(siblings.len());
        found
    }

    pub(super) fn topology(&self, folder: &Path, model: Option<Name>) -> Arc<Topology> {
        let isolated = attribute::text(&folder.join("isolated")).map(|list| cpu_list(&list)).unwrap_or_default();
        let mut topology =
            Topology { present: self.present.clone(), isolated, model, cores: self.cores, ..Topology::default() };
        for (package, core, path) in &self.throttled {
            let times = |file| attribute::number(&path.join(file)).ok().and_then(|times| u64::try_from(times).ok());
            if let Some(times) = times("core_throttle_count") {
                topology.core_throttles.push((package.clone(), core.clone(), times));
            }
            if topology.package_throttles.iter().all(|(known, _)| known != package)
                && let Some(times) = times("package_throttle_count")
            {
                topology.package_throttles.push((package.clone(), times));
            }
        }
        topology.into()
    }
}

/// Whether a CPU is online, as its folder says; /proc/stat may be that of a container, where lxcfs numbers the CPUs
/// anew. One without the file can't be taken offline.
fn is_online(folder: &Path) -> Option<bool> {
    match attribute::text(&folder.join("online")) {
        Ok(text) => Some(text == "1"),
        Err(missing) => (missing.reason == Reason::NoSensor).then_some(true),
    }
}

/// The CPUs of a list such as `1-3,7`.
pub(super) fn cpu_list(list: &str) -> Vec<Name> {
    let ranges = list.split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<u16>().ok()?..=last.parse::<u16>().ok()?)
    });
    ranges.flatten().map(|cpu| cpu.to_string().into()).collect()
}
