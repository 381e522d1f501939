//! What is read from GPUs, whoever made them: base units, raw counters, and a reason for what is missing.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use aura_model::{Missing, Name, Reason};
use serde::Serialize;

/// All GPUs at one moment.
#[derive(Debug, Serialize)]
pub struct GpuReading {
    /// NVIDIA's in the order of its driver, then AMD's and Intel's in the order of the kernel.
    pub gpus: Vec<Gpu>,
    /// NVIDIA's driver, while it answers.
    pub nvidia: Option<NvidiaDriver>,
    /// This machine's name, a label of dcgm-exporter's.
    #[serde(skip)]
    pub hostname: Name,
}

/// The versions of NVIDIA's driver.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NvidiaDriver {
    /// The driver's.
    pub driver: Name,
    /// The management library's.
    pub nvml: Option<Name>,
    /// The newest CUDA that the driver can run.
    pub cuda: Option<Name>,
}

/// One GPU.
#[derive(Debug, Serialize)]
pub struct Gpu {
    /// Its number in this reading.
    pub index: u32,
    /// Which one it is.
    #[serde(flatten)]
    pub identity: Arc<Identity>,
    /// Why nothing could be read, when nothing could: lost, suspended, without a driver.
    pub missing: Option<Missing>,
    /// What was read.
    pub values: Values,
    /// Single values that are not there, and why.
    pub unavailable: BTreeMap<&'static str, Reason>,
    /// Errors that the driver reported since the agent began to listen; none where it does not report.
    pub xids: Option<Xids>,
    /// NVIDIA's partitions, where the card is partitioned.
    pub instances: Vec<Instance>,
    /// The processes that use it, those with most memory first; none where the driver does not tell.
    pub processes: Option<Vec<Process>>,
    /// When the processes were looked for, where that is not done in each sample (AMD and Intel).
    #[serde(flatten)]
    pub walk: Option<Walk>,
}

/// A walk over the descriptors of all processes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Walk {
    /// When it began.
    #[serde(skip)]
    pub at: Instant,
    /// Whether all work of the card is in the counters of its processes: no process was hidden or left out.
    #[serde(rename = "processes_complete")]
    pub complete: bool,
}

/// Who made a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// NVIDIA.
    Nvidia,
    /// AMD.
    Amd,
    /// Intel.
    Intel,
}

impl Vendor {
    /// The word in labels and messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Nvidia => "nvidia",
            Self::Amd => "amd",
            Self::Intel => "intel",
        }
    }
}

/// What tells one GPU from all others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Who made it.
    pub vendor: Vendor,
    /// Its own unique number; its place on the bus where it has none.
    pub uuid: Name,
    /// Its name as sold, or what its maker calls its chip.
    pub name: Name,
    /// Its place on the PCI bus.
    pub pci_bus_id: Name,
    /// Its device file: `nvidia0`, `card1`.
    pub device: Name,
    /// The kernel's driver.
    pub driver: Name,
}

/// What is read of a GPU; what is not offered is not there.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Values {
    /// Share of time in which something ran.
    pub busy: Option<f64>,
    /// Share of time in which its memory was read or written.
    pub memory_busy: Option<f64>,
    /// Share of time in which the video encoder worked.
    pub encoder_busy: Option<f64>,
    /// Share of time in which the video decoder worked.
    pub decoder_busy: Option<f64>,
    /// Time since the driver was loaded that was spent asleep between two jobs, in seconds.
    pub idle_seconds: Option<f64>,
    /// Bytes.
    pub memory_total: Option<u64>,
    /// Bytes in use by programs; with what the driver keeps where that is not told apart (NVIDIA before 510).
    pub memory_used: Option<u64>,
    /// Bytes.
    pub memory_free: Option<u64>,
    /// Bytes that the driver keeps for itself.
    pub memory_reserved: Option<u64>,
    /// Degrees Celsius of the chip.
    pub temperature: Option<f64>,
    /// Degrees Celsius of the hottest spot.
    pub temperature_hotspot: Option<f64>,
    /// Degrees Celsius of the memory.
    pub temperature_memory: Option<f64>,
    /// Where clocks are lowered.
    pub temperature_slowdown: Option<f64>,
    /// Where it switches itself off.
    pub temperature_shutdown: Option<f64>,
    /// The highest it is meant to work at.
    pub temperature_max_operating: Option<f64>,
    /// Watts.
    pub power: Option<f64>,
    /// Watts that it may draw.
    pub power_limit: Option<f64>,
    /// Joules since the driver was loaded.
    pub energy: Option<f64>,
    /// Hertz.
    pub clock_graphics: Option<f64>,
    /// Hertz.
    pub clock_sm: Option<f64>,
    /// Hertz.
    pub clock_memory: Option<f64>,
    /// Hertz.
    pub clock_video: Option<f64>,
    /// The highest, in hertz.
    pub clock_graphics_max: Option<f64>,
    /// The highest, in hertz.
    pub clock_memory_max: Option<f64>,
    /// Volts.
    pub voltage: Option<f64>,
    /// Fans, as a share of their highest speed; NVIDIA says what it asks for, not what they do.
    pub fan_ratio: Vec<f64>,
    /// Fans, in rotations a minute.
    pub fan_rpm: Vec<f64>,
    /// 0 is the fastest.
    pub performance_state: Option<u32>,
    /// Why clocks are lower than they could be: each reason with whether it holds now.
    pub throttle: Option<Vec<(&'static str, bool)>>,
    /// The driver's own bits of the same.
    pub throttle_bits: Option<u64>,
    /// Seconds since the driver was loaded in which a policy held clocks down, by policy.
    pub throttled_seconds: Vec<(&'static str, f64)>,
    /// PCIe generation in use.
    pub pcie_generation: Option<u32>,
    /// PCIe lanes in use.
    pub pcie_width: Option<u32>,
    /// Bytes a second over the last 20 ms, measured by the driver.
    pub pcie_transmit_rate: Option<f64>,
    /// Bytes a second over the last 20 ms, measured by the driver.
    pub pcie_receive_rate: Option<f64>,
    /// Bytes counted by the card.
    pub pcie_transmit_bytes: Option<u64>,
    /// Bytes counted by the card.
    pub pcie_receive_bytes: Option<u64>,
    /// Packets sent again.
    pub pcie_replays: Option<u64>,
    /// One row a link.
    pub nvlinks: Vec<NvLink>,
    /// Errors of all links together, by kind.
    pub nvlink_errors: Vec<(&'static str, u64)>,
    /// Whether memory errors are corrected.
    pub ecc_enabled: Option<bool>,
    /// Corrected since the driver was loaded.
    pub ecc_corrected: Option<u64>,
    /// Not corrected since the driver was loaded.
    pub ecc_uncorrected: Option<u64>,
    /// Corrected in the card's life.
    pub ecc_corrected_lifetime: Option<u64>,
    /// Not corrected in the card's life.
    pub ecc_uncorrected_lifetime: Option<u64>,
    /// Pages no longer used because of many corrected errors.
    pub retired_single: Option<u64>,
    /// Pages no longer used because of an error that was not corrected.
    pub retired_double: Option<u64>,
    /// Pages to be retired at the next restart of the driver.
    pub retired_pending: Option<bool>,
    /// Rows replaced because of corrected errors.
    pub remapped_corrected: Option<u64>,
    /// Rows replaced because of errors that were not corrected.
    pub remapped_uncorrected: Option<u64>,
    /// Rows to be replaced at the next reset.
    pub remap_pending: Option<bool>,
    /// A row could not be replaced: the card is due for exchange.
    pub remap_failed: Option<bool>,
    /// Whether the card can be partitioned now (MIG).
    pub mig_enabled: Option<bool>,
    /// What the chip's own counters say, on Hopper and later.
    pub profile: Option<Profile>,
}

/// One NVLink, bytes since the driver was loaded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NvLink {
    /// Counted from 0, as NVML does.
    pub link: u32,
    /// Bytes.
    pub transmit_bytes: Option<u64>,
    /// Bytes.
    pub receive_bytes: Option<u64>,
}

/// Shares of the time between the last two looks of the chip's own counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Profile {
    /// Graphics or compute worked.
    pub graphics: Option<f64>,
    /// A multiprocessor had work.
    pub sm: Option<f64>,
    /// Share of the places for warps that were taken.
    pub sm_occupancy: Option<f64>,
    /// Tensor cores worked.
    pub tensor: Option<f64>,
    /// Memory was read or written.
    pub memory: Option<f64>,
    /// Double precision.
    pub fp64: Option<f64>,
    /// Single precision.
    pub fp32: Option<f64>,
    /// Half precision.
    pub fp16: Option<f64>,
}

/// The driver's error reports, by their code.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Xids {
    /// The newest code.
    pub last: Option<u64>,
    /// Each code that was seen.
    pub seen: BTreeMap<u64, Xid>,
}

/// How often one code was reported.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Xid {
    /// How often.
    pub count: u64,
    /// When last, in seconds since 1970.
    pub last_at: f64,
}

/// A partition of an NVIDIA card.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Instance {
    /// Its unique number.
    pub uuid: Name,
    /// Its kind: `1g.10gb`.
    pub profile: Name,
    /// The number of its GPU instance.
    pub gpu_instance: Option<u32>,
    /// Bytes.
    pub memory_total: Option<u64>,
    /// Bytes.
    pub memory_used: Option<u64>,
    /// Bytes.
    pub memory_free: Option<u64>,
}

/// A process that uses a GPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Its name, as the kernel has it: 15 bytes at most; none when it is gone or hidden.
    pub name: Option<Name>,
    /// Bytes; none when the driver does not tell.
    pub memory: Option<u64>,
    /// Share of time in which its work ran, since the sample before; none when it was not measured.
    pub busy: Option<f64>,
    /// The partition that it runs on.
    pub gpu_instance: Option<u32>,
    /// SHA-256 of the weights that it was started with, in hex, where that is a file of Ollama's store.
    pub weights: Option<Name>,
    /// How long each engine worked for it, as counted by the kernel for what it has open now (AMD and Intel).
    pub engines: Vec<Engine>,
}

impl Process {
    /// A process of which nothing but its number is known.
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid, name: None, memory: None, busy: None, gpu_instance: None, weights: None, engines: Vec::new() }
    }
}

/// The work of one kind of engine for one process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Engine {
    /// Its name with the driver: `gfx`, `render`, `rcs`.
    pub name: Name,
    /// How long it worked.
    pub busy: Busy,
    /// How many of this kind there are.
    pub capacity: u64,
}

/// How long an engine worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Busy {
    /// In nanoseconds.
    Nanoseconds(u64),
    /// In cycles of a clock (Intel's xe), and what that clock shows.
    Cycles {
        /// Worked.
        busy: u64,
        /// Gone by.
        total: u64,
    },
}

impl Busy {
    /// The work of two clients of one process.
    pub(crate) fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nanoseconds(one), Self::Nanoseconds(two)) => Self::Nanoseconds(one.saturating_add(two)),
            // Both clients see the same clock, a moment apart.
            (Self::Cycles { busy, total }, Self::Cycles { busy: more, total: later }) => {
                Self::Cycles { busy: busy.saturating_add(more), total: total.max(later) }
            }
            (one, _) => one,
        }
    }
}

impl Gpu {
    /// A GPU of which nothing was read.
    pub(crate) fn without_values(identity: Arc<Identity>, missing: Missing) -> Self {
        Self { missing: Some(missing), ..Self::new(identity) }
    }

    /// A GPU about to be read.
    pub(crate) fn new(identity: Arc<Identity>) -> Self {
        Self {
            index: 0,
            identity,
            missing: None,
            values: Values::default(),
            unavailable: BTreeMap::new(),
            xids: None,
            instances: Vec::new(),
            processes: None,
            walk: None,
        }
    }
}
