//! How fast each CPU runs, from /sys/devices/system/cpu/cpu*/cpufreq, in kHz there.
//!
//! `scaling_cur_freq` is read each sample: it is what one looks at, and costs a read of a kept file a CPU (kernels
//! before 5.18 interrupt that CPU for it). On boxes with more than 64 CPUs it is read every 10 s, as all the rest is:
//! limits and governors change when somebody changes them, and `cpuinfo_cur_freq` and `cpuinfo_avg_freq` ask the
//! hardware, which can take long; the former needs root.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use aura_model::{Context, Metric, Missing, Name, Reason, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        attribute,
        every::Every,
        file::{Buffer, KeptFile},
    },
};

/// One row a CPU whose frequency the kernel manages.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cpufreq {
    /// CPUs that are online.
    pub cpus: Vec<CpuFrequency>,
}

/// Frequencies in Hz.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CpuFrequency {
    /// The CPU's number.
    pub cpu: Name,
    /// As the hardware says.
    pub hardware: Option<u64>,
    /// As the hardware says, on average since it was last asked, where it counts cycles.
    pub hardware_average: Option<u64>,
    /// The least that the hardware can.
    pub hardware_min: Option<u64>,
    /// The most that the hardware can.
    pub hardware_max: Option<u64>,
    /// As the kernel believes.
    pub current: Option<u64>,
    /// The least that the kernel may choose.
    pub min: Option<u64>,
    /// The most that the kernel may choose.
    pub max: Option<u64>,
    /// Governors to choose from, and whether each is chosen.
    pub governors: Arc<[(Name, bool)]>,
}

pub(super) const METRICS: &[Metric<Cpufreq>] = rows! { |reading|
    for cpu in &reading.cpus => { cpu: cpu.cpu } {
        gauge "node_cpu_frequency_avg_hertz" in Hertz = cpu.hardware_average, "Average CPU thread frequency in hertz.";
        gauge "node_cpu_frequency_hertz" in Hertz = cpu.hardware, "Current CPU thread frequency in hertz.";
        gauge "node_cpu_frequency_max_hertz" in Hertz = cpu.hardware_max, "Maximum CPU thread frequency in hertz.";
        gauge "node_cpu_frequency_min_hertz" in Hertz = cpu.hardware_min, "Minimum CPU thread frequency in hertz.";
        gauge "node_cpu_scaling_frequency_hertz" in Hertz = cpu.current, "Current scaled CPU thread frequency in hertz.";
        gauge "node_cpu_scaling_frequency_max_hertz" in Hertz = cpu.max,
            "Maximum scaled CPU thread frequency in hertz.";
        gauge "node_cpu_scaling_frequency_min_hertz" in Hertz = cpu.min,
            "Minimum scaled CPU thread frequency in hertz.";
    }
    for cpu in &reading.cpus, (governor, chosen) in &*cpu.governors => { cpu: cpu.cpu, governor } {
        gauge "node_cpu_scaling_governor" = *chosen, "Current enabled CPU frequency governor.";
    }
};

/// So many CPUs have a file kept open each.
const MOST_KEPT: usize = 64;

pub(super) struct Reader {
    folder: PathBuf,
    refresh: Every,
    cpus: Vec<(CpuFrequency, KeptFile)>,
}

impl Collector for Reader {
    type Reading = Cpufreq;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { folder: context.paths.sysfs.join("devices/system/cpu"), refresh: Every::seconds(10), cpus: Vec::new() }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Cpufreq, Missing> {
        let refresh = self.refresh.due();
        if refresh {
            let cpus = attribute::numbered(&self.folder, "cpu")
                .unwrap_or_default()
                .into_iter()
                .map(|(number, path)| (number, path.join("cpufreq")));
            let cpus = cpus.filter(|(_, folder)| folder.is_dir());
            self.cpus = cpus.map(|(number, folder)| find(number, &folder)).collect();
        }
        let keep = self.cpus.len() <= MOST_KEPT;
        if keep || refresh {
            for (cpu, file) in &mut self.cpus {
                cpu.current = file.number(buffer).ok().and_then(hertz);
                if !keep {
                    file.close();
                }
            }
        }
        if self.cpus.is_empty() {
            let detail = format!("{}: the kernel manages no CPU's frequency", self.folder.display());
            return Err(Missing::new(Reason::NoSensor, detail));
        }
        Ok(Cpufreq { cpus: self.cpus.iter().map(|(cpu, _)| cpu.clone()).collect() })
    }
}

fn find(number: u32, folder: &Path) -> (CpuFrequency, KeptFile) {
    let kilohertz = |name| attribute::number(&folder.join(name)).ok().and_then(|number| u64::try_from(number).ok());
    let frequency = |name| kilohertz(name).and_then(hertz);
    let mut cpu = CpuFrequency {
        cpu: number.to_string().into(),
        hardware: frequency("cpuinfo_cur_freq"),
        hardware_average: frequency("cpuinfo_avg_freq"),
        hardware_min: frequency("cpuinfo_min_freq"),
        hardware_max: frequency("cpuinfo_max_freq"),
        current: None,
        min: frequency("scaling_min_freq"),
        max: frequency("scaling_max_freq"),
        governors: [].into(),
    };
    let chosen = attribute::text(&folder.join("scaling_governor")).ok();
    let available = attribute::text(&folder.join("scaling_available_governors")).ok();
    if let Some((chosen, available)) = chosen.zip(available) {
        cpu.governors = available.split_whitespace().map(|name| (name.into(), name == chosen)).collect();
    }
    (cpu, KeptFile::one_line(folder.join("scaling_cur_freq")))
}

fn hertz(kilohertz: u64) -> Option<u64> {
    kilohertz.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use aura_model::{Context, Paths};

    use super::*;
    use crate::linux::testing::{TREES, output};

    #[test]
    fn each_file_of_a_cpu_is_a_value_of_its_own() {
        let sys = tempfile::tempdir().unwrap();
        let folder = sys.path().join("devices/system/cpu/cpu3/cpufreq");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("cpuinfo_avg_freq"), "3184097\n").unwrap();
        std::fs::write(folder.join("cpuinfo_max_freq"), "4000000\n").unwrap();
        let paths = Paths { sysfs: sys.path().into(), ..Paths::default() };
        let reading = Reader::open(&HostOptions::default(), &Context::new(paths)).read(&mut Buffer::default()).unwrap();
        let text = crate::linux::testing::text(METRICS, &reading);
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "node_cpu_frequency_avg_hertz{cpu=\"3\"} 3184097000",
                "node_cpu_frequency_max_hertz{cpu=\"3\"} 4000000000"
            ]
        );
    }

    #[test]
    fn recorded_trees() {
        for tree in TREES {
            insta::assert_snapshot!(format!("cpufreq@{tree}"), output(tree, &["cpufreq"]));
        }
    }
}
