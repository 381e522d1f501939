//! GPUs, and who uses them.

use aura_model::Name;
use schemars::JsonSchema;
use serde::Serialize;

/// A GPU: NVIDIA's by its driver's library (NVML), AMD's and Intel's by `/sys/class/drm`. What a card or its driver
/// does not give is `null`, and all is while it cannot be read; then `reason` and `detail` say why. `*_mb` are MiB
/// here, as older dashboards have them.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Gpu {
    /// Its number, from 0: the same for as long as the agent runs.
    pub id: u32,
    /// Its name as the vendor sells it; for many AMD and Intel cards its PCI number.
    pub name: Name,
    /// Its unique number (`GPU-...`); `pci-` and its place on the bus where it has none.
    pub uuid: Name,
    /// Who made it: `nvidia`, `amd` or `intel`.
    pub vendor: &'static str,
    /// Share of time in which something ran on it, 0 to 100. For Intel's cards that of the busiest engine, made of
    /// what processes used, and `null` when somebody's work is hidden.
    pub load_percent: Option<f64>,
    /// Memory in use, in MiB.
    pub memory_used_mb: Option<f64>,
    /// All its memory, in MiB.
    pub memory_total_mb: Option<f64>,
    /// `memory_used_mb` as a share of `memory_total_mb`, 0 to 100.
    pub memory_percent: Option<f64>,
    /// Temperature of the chip in degrees Celsius (the edge, with AMD).
    pub temperature: Option<f64>,
    /// From where on it lowers its clocks, in degrees Celsius.
    pub temperature_slowdown: Option<f64>,
    /// Temperature of its memory in degrees Celsius.
    pub temperature_memory: Option<f64>,
    /// Power that it draws, in watts.
    pub power_watts: Option<f64>,
    /// Power that it may draw, in watts.
    pub power_limit_watts: Option<f64>,
    /// Clock of the chip in MHz.
    pub clock_mhz: Option<f64>,
    /// Clock of the memory in MHz.
    pub memory_clock_mhz: Option<f64>,
    /// Speed of its fastest fan as a share of the highest, 0 to 100; `null` without a fan of its own.
    pub fan_percent: Option<f64>,
    /// Share of time in which the video encoder worked, 0 to 100; NVIDIA only.
    pub encoder_percent: Option<f64>,
    /// Share of time in which the video decoder worked, 0 to 100; NVIDIA only.
    pub decoder_percent: Option<f64>,
    /// What holds its clocks down now: words such as `sw_power_cap` or `hw_thermal_slowdown`, none when nothing does.
    /// `null` when it does not say.
    pub throttle: Option<Vec<&'static str>>,
    /// Memory errors that could not be corrected since the driver was loaded; `null` without error correction.
    pub ecc_uncorrected: Option<u64>,
    /// The newest error report of NVIDIA's driver (XID) since the agent began to listen; `null` when there was none.
    pub last_error: Option<GpuError>,
    /// Partitions of the card (MIG); empty without any.
    pub instances: Vec<GpuInstance>,
    /// The processes that use it, those with most memory first; `null` when the driver does not tell.
    pub processes: Option<Vec<GpuProcess>>,
    /// Why nothing of it can be read, as a code: it is lost, asleep or without a driver, or its reading is late.
    /// `null` when it is read.
    pub reason: Option<&'static str>,
    /// The same as a sentence; `null` when it is read.
    pub detail: Option<String>,
}

/// An error that NVIDIA's driver reported (XID).
#[derive(Debug, Serialize, JsonSchema)]
pub struct GpuError {
    /// Its number in NVIDIA's list: 79 is a card that fell off the bus.
    pub code: u64,
    /// Reports with this number since the agent began to listen.
    pub count: u64,
    /// When the last one came, RFC 3339.
    pub at: Option<String>,
}

/// A partition of an NVIDIA card (MIG).
#[derive(Debug, Serialize, JsonSchema)]
pub struct GpuInstance {
    /// Number of its GPU instance; `null` when the driver does not say.
    pub id: Option<u32>,
    /// Its kind: `1g.10gb`.
    pub profile: Name,
    /// Its unique number (`MIG-...`).
    pub uuid: Name,
    /// Memory in use, in MiB.
    pub memory_used_mb: Option<f64>,
    /// All its memory, in MiB.
    pub memory_total_mb: Option<f64>,
}

/// A process that uses a GPU. NVML names them for NVIDIA's cards; for others `/proc/PID/fdinfo` does, of those
/// processes that the agent may look into.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GpuProcess {
    /// Its number, as the host counts.
    pub pid: u32,
    /// Its name (`comm` of `/proc/PID/stat`); `null` when it is gone or hidden.
    pub name: Option<Name>,
    /// Its memory on the GPU, in MiB; `null` when the driver does not tell.
    pub memory_mb: Option<f64>,
    /// Share of time in which the GPU worked for it, 0 to 100: its busiest engine. `null` when it was not measured.
    pub load_percent: Option<f64>,
    /// Name of the model that it runs, when it is a runner of an Ollama on this machine; told by the file of the
    /// weights that it was started with. `null` when none is known.
    pub model: Option<Name>,
}
