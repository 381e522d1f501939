//! NVIDIA's cards, through the driver's management library (NVML).
//!
//! The library keeps a connection to the kernel's driver. After a reset, a reload of the driver or an error that
//! takes a card off the bus, its handles are worth nothing: the whole session is closed and opened again, with
//! exponential backoff, while cards that still answer go on being read. Calls may block in the driver; they are made on
//! the source's thread only, but for waiting for events (see [`watcher`]).

mod ask;
mod card;
mod processes;
mod raw;
mod watcher;
pub(crate) mod xid;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use aura_model::{Backoff, Context, Missing, Name, Options, Reason};
use nvml_wrapper::{Device, Nvml, cuda_driver_version_major, cuda_driver_version_minor, error::NvmlError};

use self::watcher::{Reports, Watcher};
use crate::{
    GpuOptions,
    process::Processes,
    reading::{Gpu, Identity, NvidiaDriver, Vendor},
};

/// Backoff between attempts to open a session.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// All NVIDIA cards that were ever seen.
pub(crate) struct Nvidia {
    library: Option<PathBuf>,
    sysfs: PathBuf,
    interval: Duration,
    session: Option<Session>,
    retry: Retry,
    known: Vec<Known>,
    /// Why there is no session.
    missing: Option<Missing>,
    reports: Arc<Reports>,
}

/// A card that was seen, and what is remembered of it from one sample to the next.
struct Known {
    identity: Arc<Identity>,
    /// Its place on the bus as the kernel writes it.
    place: String,
    memory: card::Memory,
}

/// The library, loaded and connected.
struct Session {
    nvml: Arc<Nvml>,
    driver: NvidiaDriver,
    _watcher: Watcher,
}

impl Nvidia {
    /// Nothing is opened yet.
    pub(crate) fn new(options: &GpuOptions, context: &Context) -> Self {
        Self {
            library: options.nvml_library.clone(),
            sysfs: context.paths.sysfs.clone(),
            interval: options.schedule().interval.get(),
            session: None,
            retry: Retry::default(),
            known: Vec::new(),
            missing: None,
            reports: Arc::default(),
        }
    }

    /// Whether there is a card, read or not.
    pub(crate) fn is_there(&mut self) -> bool {
        if self.retry.is_due() {
            self.open();
        }
        let listed = self.session.as_ref().and_then(|session| session.nvml.device_count().ok());
        !self.known.is_empty() || listed.is_some_and(|count| count > 0)
    }

    /// Every known card, read or with the reason why not.
    pub(crate) fn read(&mut self, processes: &mut Processes) -> Vec<Gpu> {
        if self.retry.is_due() {
            self.open();
        }
        let mut rows: Vec<Option<Gpu>> = self.known.iter().map(|_| None).collect();
        let mut refused = None;
        if let Some(nvml) = self.session.as_ref().map(|session| Arc::clone(&session.nvml)) {
            match nvml.device_count() {
                Ok(count) => {
                    for index in 0..count {
                        if let Err(error) = self.read_one(&nvml, index, processes, &mut rows) {
                            refused = Some(missing(&error, true));
                        }
                    }
                }
                Err(error) => {
                    self.missing = Some(missing(&error, !self.known.is_empty()));
                    self.session = None;
                }
            }
        }
        if self.session.is_none() || rows.iter().any(|row| row.as_ref().is_none_or(|gpu| gpu.missing.is_some())) {
            self.retry.wanted();
        } else {
            self.retry = Retry::satisfied();
        }
        let rows = rows.into_iter().zip(&self.known);
        rows.map(|(row, known)| row.unwrap_or_else(|| self.absent(known, refused.as_ref()))).collect()
    }

    /// The driver's versions, while it answers.
    pub(crate) fn driver(&self) -> Option<&NvidiaDriver> {
        self.session.as_ref().map(|session| &session.driver)
    }

    /// Why there is no session.
    pub(crate) fn missing(&self) -> Option<&Missing> {
        self.missing.as_ref()
    }

    fn open(&mut self) {
        // The old session first: while a process holds the driver it can be neither reset nor reloaded.
        self.session = None;
        let mut present = pci_devices(&self.sysfs);
        match Session::open(self.library.as_deref(), &self.reports, self.interval) {
            Ok(session) => {
                self.session = Some(session);
                self.missing = None;
                // A card that another driver serves is none of NVIDIA's library's, and is not lost when it lacks it.
                present.retain(|device| &*device.driver == "nvidia");
            }
            Err(error) => self.missing = Some(missing(&error, !present.is_empty() || !self.known.is_empty())),
        }
        for place in present {
            if self.known.iter().all(|known| known.place != place.bus_id) {
                self.known.push(Known::unread(place));
            }
        }
    }

    /// Reads the card with this number into its row. A lost card may not even say which one it is; its row stays
    /// empty then.
    fn read_one(
        &mut self,
        nvml: &Nvml,
        index: u32,
        processes: &mut Processes,
        rows: &mut Vec<Option<Gpu>>,
    ) -> Result<(), NvmlError> {
        let device = nvml.device_by_index(index)?;
        let at = self.find(&device)?;
        rows.resize_with(self.known.len(), || None);
        let known = &mut self.known[at];
        let gpu = card::read(&device, &known.identity, &mut known.memory, processes, &self.reports);
        let identity = known.identity.clone();
        rows[at] = Some(gpu.unwrap_or_else(|error| self.without_values(&identity, missing(&error, true))));
        Ok(())
    }

    /// Where this card is known; a new one becomes known.
    fn find(&mut self, device: &Device<'_>) -> Result<usize, NvmlError> {
        let uuid = device.uuid()?;
        if let Some(at) = self.known.iter().position(|known| *known.identity.uuid == *uuid) {
            return Ok(at);
        }
        let bus_id = device.pci_info()?.bus_id;
        let known = Known::of(device, uuid.into(), &bus_id.into());
        if let Some(at) = self.known.iter().position(|other| other.place == known.place) {
            self.known[at] = known;
            return Ok(at);
        }
        self.known.push(known);
        Ok(self.known.len() - 1)
    }

    fn absent(&self, known: &Known, refused: Option<&Missing>) -> Gpu {
        let missing = self.missing.as_ref().or(refused).cloned().unwrap_or_else(|| {
            Missing::new(Reason::Unreachable, "the driver no longer lists this card: see the kernel's log for an Xid")
        });
        self.without_values(&known.identity, missing)
    }

    fn without_values(&self, identity: &Arc<Identity>, missing: Missing) -> Gpu {
        Gpu { xids: self.reports.xids(&identity.uuid), ..Gpu::without_values(identity.clone(), missing) }
    }
}

impl Session {
    fn open(library: Option<&Path>, reports: &Arc<Reports>, interval: Duration) -> Result<Self, NvmlError> {
        let mut builder = Nvml::builder();
        if let Some(path) = library {
            builder.lib_path(AsRef::<OsStr>::as_ref(path));
        }
        let nvml = Arc::new(builder.init()?);
        let version =
            |version: i32| format!("{}.{}", cuda_driver_version_major(version), cuda_driver_version_minor(version));
        let driver = NvidiaDriver {
            driver: nvml.sys_driver_version()?.into(),
            nvml: nvml.sys_nvml_version().ok().map(Name::from),
            cuda: nvml.sys_cuda_driver_version().ok().map(|number| version(number).into()),
        };
        let watcher = Watcher::start(Arc::clone(&nvml), Arc::clone(reports), interval);
        Ok(Self { nvml, driver, _watcher: watcher })
    }
}

impl Known {
    fn of(device: &Device<'_>, uuid: Name, bus_id: &Name) -> Self {
        let identity = Identity {
            vendor: Vendor::Nvidia,
            uuid,
            name: device.name().map_or_else(|_| "NVIDIA GPU".into(), Name::from),
            device: device.minor_number().map_or_else(|_| "".into(), |minor| format!("nvidia{minor}").into()),
            driver: "nvidia".into(),
            pci_bus_id: bus_id.clone(),
        };
        Self { identity: Arc::new(identity), place: place(bus_id), memory: card::Memory::default() }
    }

    /// A card that the kernel sees and the library does not give.
    fn unread(device: PciDevice) -> Self {
        let identity = Identity {
            vendor: Vendor::Nvidia,
            uuid: format!("pci-{}", device.bus_id).into(),
            name: format!("NVIDIA {}", device.id).into(),
            device: "".into(),
            driver: device.driver,
            pci_bus_id: device.bus_id.as_str().into(),
        };
        Self { identity: Arc::new(identity), place: device.bus_id, memory: card::Memory::default() }
    }
}

/// The library writes the bus with eight digits of domain in capitals, the kernel with four in small letters.
fn place(bus_id: &str) -> String {
    let short = bus_id.char_indices().rev().nth(11).map_or(bus_id, |(at, _)| &bus_id[at..]);
    short.to_ascii_lowercase()
}

struct PciDevice {
    bus_id: String,
    id: String,
    driver: Name,
}

/// NVIDIA's display controllers on the bus, whether or not a driver serves them.
fn pci_devices(sysfs: &Path) -> Vec<PciDevice> {
    let Ok(entries) = std::fs::read_dir(sysfs.join("bus/pci/devices")) else { return Vec::new() };
    let mut devices: Vec<PciDevice> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let text = |name: &str| Some(std::fs::read_to_string(path.join(name)).ok()?.trim().to_owned());
            let is_display = text("class")?.starts_with("0x03");
            if text("vendor")? != "0x10de" || !is_display {
                return None;
            }
            let driver = std::fs::read_link(path.join("driver")).ok();
            let driver = driver.and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned()));
            // Lent to a virtual machine.
            if driver.as_deref() == Some("vfio-pci") {
                return None;
            }
            Some(PciDevice {
                bus_id: path.file_name()?.to_str()?.to_owned(),
                id: format!("10de:{}", text("device")?.trim_start_matches("0x")),
                driver: driver.unwrap_or_default().into(),
            })
        })
        .collect();
    devices.sort_by(|one, other| one.bus_id.cmp(&other.bus_id));
    devices
}

/// What an error that ends a session or loses a card means to people.
fn missing(error: &NvmlError, card_is_there: bool) -> Missing {
    let (reason, advice) = match error {
        NvmlError::LibloadingError(_) if card_is_there => (
            Reason::NotConfigured,
            "install the driver's libraries (in a container: run it with the NVIDIA runtime), or say where \
             sources.gpu.nvml_library is",
        ),
        NvmlError::LibloadingError(_) => (Reason::NoSensor, "there seems to be no NVIDIA driver here"),
        NvmlError::FailedToLoadSymbol(_) => (Reason::Unreadable, "this is not NVIDIA's management library"),
        NvmlError::DriverNotLoaded if !card_is_there => (Reason::NoSensor, "there seems to be no NVIDIA card here"),
        NvmlError::DriverNotLoaded => (Reason::Unreachable, "load it: modprobe nvidia"),
        NvmlError::LibRmVersionMismatch => (
            Reason::Unreachable,
            "the driver was updated while the old one is loaded: reload it or restart the machine",
        ),
        NvmlError::NoPermission => (Reason::NoPermission, "give the agent's user access to /dev/nvidia*"),
        NvmlError::GpuLost => (Reason::Unreachable, "it fell off the bus: see the kernel's log for an Xid"),
        NvmlError::ResetRequired => (Reason::Unreachable, "nvidia-smi --gpu-reset, or restart the machine"),
        NvmlError::Unknown => {
            (Reason::Unreachable, "in a container this follows a reload of systemd: start the container again")
        }
        _ => (Reason::Unreachable, "see the kernel's log"),
    };
    Missing::new(reason, format!("NVIDIA's library: {error}; {advice}"))
}

/// When a session is opened again.
struct Retry {
    due: Option<Instant>,
    backoff: Backoff,
}

impl Default for Retry {
    fn default() -> Self {
        Self { due: Some(Instant::now()), ..Self::satisfied() }
    }
}

impl Retry {
    fn satisfied() -> Self {
        Self { due: None, backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT) }
    }

    /// Whether the time has come; the next one is then later.
    fn is_due(&mut self) -> bool {
        let due = self.due.is_some_and(|due| due <= Instant::now());
        if due {
            self.due = None;
        }
        due
    }

    fn wanted(&mut self) {
        if self.due.is_none() {
            self.due = Some(Instant::now() + self.backoff.wait());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_is_due_once_and_not_before_its_time() {
        let mut retry = Retry::default();
        assert!(retry.is_due() && !retry.is_due());
        for _ in 0..3 {
            retry.wanted();
            assert!(!retry.is_due(), "not before its time");
            retry.due = Some(Instant::now());
            assert!(retry.is_due() && !retry.is_due(), "once");
        }
    }

    #[test]
    fn the_library_and_the_kernel_mean_the_same_place() {
        assert_eq!(place("00000000:3B:00.0"), "0000:3b:00.0");
        assert_eq!(place("0000:3b:00.0"), "0000:3b:00.0");
        assert_eq!(place("odd"), "odd");
    }
}
