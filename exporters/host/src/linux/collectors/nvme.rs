//! NVMe controllers and their namespaces, from /sys/class/nvme. Models never change and states seldom, so it is
//! read every ten seconds.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use aura_model::{Context, Metric, Missing, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{attribute, every::Seldom, file::Buffer},
};

/// One controller.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the files' names")]
pub struct NvmeController {
    pub device: String,
    pub firmware_revision: String,
    pub model: String,
    pub serial: String,
    pub state: String,
    pub cntlid: String,
    pub namespaces: Vec<NvmeNamespace>,
}

/// One namespace of a controller.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NvmeNamespace {
    /// Its id on the controller.
    pub nsid: String,
    /// How it is reached, with multipath; else `unknown`.
    pub ana_state: String,
    /// Bytes.
    pub size: Option<i64>,
    /// Bytes in use, where the drive counts them.
    pub used: Option<i64>,
    /// Bytes a block.
    pub block_size: Option<i64>,
}

/// All controllers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Nvme {
    /// One row a controller.
    pub controllers: Vec<NvmeController>,
}

pub(super) const METRICS: &[Metric<Arc<Nvme>>] = rows! { |nvme|
    for NvmeController { device, firmware_revision, model, serial, state, cntlid, .. } in &nvme.controllers
        => { device, firmware_revision, model, serial, state, cntlid } {
        gauge "node_nvme_info" = 1, "Non-numeric data from /sys/class/nvme/<device>, value is always 1.";
    }
    for controller in &nvme.controllers, space in &controller.namespaces
        => { device: controller.device, nsid: space.nsid } {
        gauge "node_nvme_namespace_capacity_bytes" in Bytes = space.size,
            "Capacity of the NVMe namespace in bytes. Computed as namespace_size * namespace_logical_block_size";
    }
    for controller in &nvme.controllers, NvmeNamespace { nsid, ana_state, .. } in &controller.namespaces
        => { device: controller.device, nsid, ana_state } {
        gauge "node_nvme_namespace_info" = 1, "Information about NVMe namespaces. Value is always 1";
    }
    for controller in &nvme.controllers, space in &controller.namespaces
        => { device: controller.device, nsid: space.nsid } {
        gauge "node_nvme_namespace_logical_block_size_bytes" in Bytes = space.block_size,
            "Logical block size of the NVMe namespace in bytes. Usually 4Kb. Available in \
             /sys/class/nvme/<device>/<namespace>/queue/logical_block_size";
        gauge "node_nvme_namespace_size_bytes" in Bytes = space.size,
            "Size of the NVMe namespace in bytes. Available in /sys/class/nvme/<device>/<namespace>/size";
        gauge "node_nvme_namespace_used_bytes" in Bytes = space.used,
            "Used space of the NVMe namespace in bytes. Available in /sys/class/nvme/<device>/<namespace>/nuse";
    }
};

pub(super) struct Reader {
    root: PathBuf,
    kept: Seldom<Nvme>,
}

impl Collector for Reader {
    type Reading = Arc<Nvme>;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { root: context.paths.sysfs.join("class/nvme"), kept: Seldom::seconds(10) }
    }

    fn read(&mut self, _: &mut Buffer) -> Result<Arc<Nvme>, Missing> {
        self.kept.get(|| {
            let devices = attribute::entries(&self.root)?;
            let controllers = devices.into_iter().filter_map(|device| controller(&self.root, device)).collect();
            Ok(Nvme { controllers })
        })
    }
}

fn controller(root: &Path, device: String) -> Option<NvmeController> {
    let folder = root.join(&device);
    let text = |name: &str| attribute::text(&folder.join(name)).ok();
    let entries = attribute::entries(&folder).ok()?;
    Some(NvmeController {
        firmware_revision: text("firmware_rev")?,
        model: text("model")?,
        serial: text("serial")?,
        state: text("state")?,
        cntlid: text("cntlid").unwrap_or_default(),
        namespaces: entries.iter().filter_map(|entry| namespace(&folder, entry)).collect(),
        device,
    })
}

/// `nvme0n1`, or `nvme0c0n1` with multipath.
fn namespace(folder: &Path, entry: &str) -> Option<NvmeNamespace> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (controller, nsid) = entry.strip_prefix("nvme")?.split_once('n')?;
    let whole = controller.split('c').all(digits);
    if !whole || !digits(nsid) {
        return None;
    }
    let path = folder.join(entry);
    let number = |name: &str| attribute::number(&path.join(name)).ok();
    let block_size = number("queue/logical_block_size");
    let bytes = |blocks: Option<i64>, size: Option<i64>| blocks?.checked_mul(size?);
    Some(NvmeNamespace {
        nsid: nsid.to_owned(),
        ana_state: attribute::text(&path.join("ana_state")).unwrap_or_else(|_| "unknown".to_owned()),
        // The kernel gives sizes of block devices in units of 512 bytes, whatever the drive's blocks are.
        size: bytes(number("size"), Some(512)),
        used: bytes(number("nuse"), block_size),
        block_size,
    })
}
