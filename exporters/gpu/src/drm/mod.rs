//! AMD's and Intel's cards, through the files of their kernel drivers below /sys/class/drm.

mod amd;
mod clients;
mod intel;
mod sysfs;

use std::{
    cmp::Reverse,
    path::{Path, PathBuf},
    sync::Arc,
};

use aura_model::{Context, Missing, Name, Reason};

use self::{clients::Clients, sysfs::Folder};
use crate::{
    process::Processes,
    reading::{Gpu, Identity, Vendor},
};

/// The cards below /sys/class/drm. They are looked for at each sample: a card can be plugged in.
pub(crate) struct Drm {
    root: PathBuf,
    known: Vec<Arc<Identity>>,
    clients: Clients,
}

impl Drm {
    pub(crate) fn new(context: &Context) -> Self {
        Self { root: context.paths.sysfs.join("class/drm"), known: Vec::new(), clients: Clients::new(context) }
    }

    /// Where cards are looked for.
    pub(crate) fn root(&self) -> impl std::fmt::Display {
        self.root.display()
    }

    /// Whether there is a card.
    pub(crate) fn is_there(&self) -> bool {
        cards(&self.root).iter().any(|card| vendor(card).is_some())
    }

    /// Every AMD and Intel card; one that was there and is not any more keeps its row and says so.
    pub(crate) fn read(&mut self, processes: &mut Processes) -> Vec<Gpu> {
        let mut rows: Vec<Option<Gpu>> = self.known.iter().map(|_| None).collect();
        let cards: Vec<_> = cards(&self.root).into_iter().filter_map(|card| Some((vendor(&card)?, card))).collect();
        if !cards.is_empty() {
            self.clients.refresh(processes);
        }
        for ((vendor, driver), card) in cards {
            let at = self.find(&card, vendor, driver);
            rows.resize_with(self.known.len(), || None);
            rows[at] = Some(read(&card, &self.known[at], &self.clients));
        }
        let gone = |identity: &Arc<Identity>| {
            let detail = format!("{}: the card is gone", self.root.join(&*identity.device).display());
            Gpu::without_values(identity.clone(), Missing::new(Reason::Unreachable, detail))
        };
        rows.into_iter().zip(&self.known).map(|(row, identity)| row.unwrap_or_else(|| gone(identity))).collect()
    }

    fn find(&mut self, card: &Folder, vendor: Vendor, driver: Name) -> usize {
        let place: Name = card.device().real_name().into();
        if let Some(at) = self.known.iter().position(|identity| identity.pci_bus_id == place) {
            return at;
        }
        let device = card.device();
        let identity = Identity {
            vendor,
            uuid: device
                .text("unique_id")
                .map_or_else(|| format!("pci-{place}"), |id| format!("{}-{id}", vendor.word()))
                .into(),
            name: name(&device, vendor).into(),
            pci_bus_id: place,
            device: card.name().into(),
            driver,
        };
        self.known.push(Arc::new(identity));
        self.known.len() - 1
    }
}

fn read(card: &Folder, identity: &Arc<Identity>, clients: &Clients) -> Gpu {
    // Reading a sleeping card's sensors would wake it and keep it awake.
    if card.device().text("power/runtime_status").as_deref() == Some("suspended") {
        let missing =
            Missing::new(Reason::NoSensor, "it sleeps (runtime power management) and is not woken to be read");
        return Gpu::without_values(identity.clone(), missing);
    }
    let mut gpu = Gpu::new(identity.clone());
    gpu.values = match identity.vendor {
        Vendor::Amd => amd::read(card),
        _ => intel::read(card),
    };
    for (what, is_there) in [
        ("utilization", gpu.values.busy.is_some()),
        ("memory", gpu.values.memory_total.is_some()),
        ("temperature", gpu.values.temperature.is_some()),
        ("power", gpu.values.power.is_some() || gpu.values.energy.is_some()),
        ("fans", !gpu.values.fan_rpm.is_empty()),
    ] {
        if !is_there {
            gpu.unavailable.insert(what, Reason::NoSensor);
        }
    }
    (gpu.processes, gpu.walk) = clients.of(&identity.pci_bus_id).unzip();
    if clients.are_hidden() {
        gpu.unavailable.insert("processes", Reason::NoPermission);
    }
    gpu
}

/// Cards with memory of their own come before those that share the machine's: whoever shows only the first GPU
/// means the one that does the work. `card0`, `card1` and so on, without their connectors (`card0-DP-1`).
fn cards(root: &Path) -> Vec<Folder> {
    let mut cards: Vec<(u32, Folder)> = Folder::new(root.to_owned())
        .entries()
        .into_iter()
        .filter_map(|name| Some((name.strip_prefix("card")?.parse().ok()?, Folder::new(root.join(&name)))))
        .collect();
    cards.sort_by_cached_key(|(number, card)| (Reverse(card.device().number("mem_info_vram_total")), *number));
    cards.into_iter().map(|(_, card)| card).collect()
}

/// Who made the card, if it is one that is read here.
fn vendor(card: &Folder) -> Option<(Vendor, Name)> {
    let device = card.device();
    let driver = device.folder("driver").real_name();
    match (device.text("vendor")?.as_str(), driver.as_str()) {
        ("0x1002", "amdgpu") => Some((Vendor::Amd, driver.into())),
        ("0x8086", "i915" | "xe") => Some((Vendor::Intel, driver.into())),
        _ => None,
    }
}

fn name(device: &Folder, vendor: Vendor) -> String {
    let id = |file: &str| device.text(file).unwrap_or_default().trim_start_matches("0x").to_owned();
    let maker = if vendor == Vendor::Amd { "AMD" } else { "Intel" };
    device
        .text("product_name")
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("{maker} {}:{}", id("vendor"), id("device")))
}
