//! The host where there is no /proc: what sysinfo knows of macOS and Windows.
//!
//! Names are node_exporter's where the meaning is the same. CPU time is known as a share of the time since the sample
//! before only, so it has a name of our own and no counter is made up from it. Temperatures carry no chip.

mod reading;

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use aura_model::{Context, Group, GroupHealth, Missing, Reason, Section, Source, Switch, declare, walk};
use sysinfo::{Components, CpuRefreshKind, Disks, Error, Networks, System};

use self::reading::{CPU, FILESYSTEM, LOADAVG, MEMINFO, NETDEV, TEMPERATURE, TIME};
pub use self::reading::{CpuUsage, Filesystem, HostReading, Interface, Memory, Platform, Temperature, Time};
use crate::HostOptions;

/// The host, its lists of devices.
pub struct Host {
    system: System,
    disks: Disks,
    networks: Networks,
    components: Option<Components>,
    platform: Arc<Platform>,
    /// CPU usage is known from the second look on.
    looked: bool,
}

macro_rules! groups {
    ($($name:ident $metrics:ident),*) => {
        &[$(Group {
            name: stringify!($name),
            walk: |host, emit| {
                if let Some(reading) = host.$name.value() {
                    walk($metrics, reading, emit);
                }
            },
            declare: |show| declare($metrics, show),
        }),*]
    };
}

impl Source for Host {
    type Options = HostOptions;
    type Reading = HostReading;

    const NAME: &'static str = "host";
    const PART: &'static str = "node";

    fn groups() -> &'static [Group<HostReading>] {
        groups!(
            cpu CPU, filesystem FILESYSTEM, loadavg LOADAVG, meminfo MEMINFO, netdev NETDEV, temperature TEMPERATURE,
            time TIME
        )
    }

    fn open(options: &HostOptions, _: &Context) -> Result<Self, Missing> {
        let wanted = options.temperature != Switch::Off;
        let mut system = System::new().map_err(|error| missing(&error))?;
        system.refresh_cpu_list(CpuRefreshKind::nothing());
        Ok(Self {
            platform: Arc::new(Platform::of(&system)),
            system,
            disks: Disks::new().map_err(|error| missing(&error))?,
            networks: Networks::new().map_err(|error| missing(&error))?,
            components: if wanted { Components::new().ok() } else { None },
            looked: false,
        })
    }

    fn sample(&mut self) -> Result<HostReading, Missing> {
        let mut health = Vec::new();
        Ok(HostReading {
            cpu: self.timed("cpu", &mut health, Self::cpu),
            filesystem: self.timed("filesystem", &mut health, Self::filesystem),
            loadavg: self.timed("loadavg", &mut health, |_| loadavg()),
            meminfo: self.timed("meminfo", &mut health, Self::memory),
            netdev: self.timed("netdev", &mut health, Self::netdev),
            temperature: self.timed("temperature", &mut health, Self::temperature),
            time: self.timed("time", &mut health, |_| time()),
            platform: self.platform.clone(),
            health,
        })
    }

    fn describe(reading: &HostReading) -> Vec<String> {
        let missing = reading.health.iter().filter(|health| !health.success).map(|health| health.group);
        let missing: Vec<&str> = missing.collect();
        let watching = "watching what this system tells any program".to_owned();
        let not = (!missing.is_empty()).then(|| format!("not known here: {}", missing.join(", ")));
        std::iter::once(watching).chain(not).collect()
    }
}

impl Host {
    fn timed<T>(
        &mut self,
        group: &'static str,
        health: &mut Vec<GroupHealth>,
        read: impl FnOnce(&mut Self) -> Result<T, Missing>,
    ) -> Section<T> {
        let start = Instant::now();
        let section = Section::from(read(self));
        health.push(GroupHealth { group, duration: start.elapsed(), success: section.value().is_some() });
        section
    }

    fn cpu(&mut self) -> Result<Vec<CpuUsage>, Missing> {
        self.system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_usage());
        if !std::mem::replace(&mut self.looked, true) {
            return Err(Missing::new(Reason::Stale, "CPU usage is known from the second sample on"));
        }
        let cpus = self.system.cpus().iter().enumerate();
        let cpus = cpus
            .map(|(number, cpu)| CpuUsage { cpu: number.to_string().into(), ratio: f64::from(cpu.usage()) / 100.0 });
        some(cpus.collect(), "the system lists no CPU")
    }

    fn filesystem(&mut self) -> Result<Vec<Filesystem>, Missing> {
        self.disks.refresh(true);
        let mounts = self.disks.iter().filter(|disk| disk.total_space() > 0).map(|disk| Filesystem {
            device: disk.name().to_string_lossy().into(),
            mountpoint: disk.mount_point().to_string_lossy().into(),
            fstype: disk.file_system().to_string_lossy().into(),
            size: disk.total_space(),
            available: disk.available_space(),
            readonly: disk.is_read_only(),
        });
        let mut mounts: Vec<Filesystem> = mounts.collect();
        mounts.sort_by(|one, other| one.mountpoint.cmp(&other.mountpoint));
        mounts.dedup_by(|one, other| {
            (&one.mountpoint, &one.device, &one.fstype) == (&other.mountpoint, &other.device, &other.fstype)
        });
        some(mounts, "the system lists no disk")
    }

    fn memory(&mut self) -> Result<Memory, Missing> {
        self.system.refresh_memory();
        let system = &self.system;
        if system.total_memory() == 0 {
            return Err(Missing::new(Reason::Unreadable, "the system does not say how much memory it has"));
        }
        Ok(Memory {
            total: system.total_memory(),
            free: system.free_memory(),
            available: system.available_memory(),
            swap_total: system.total_swap(),
            swap_used: system.used_swap(),
        })
    }

    fn netdev(&mut self) -> Result<Vec<Interface>, Missing> {
        self.networks.refresh(true);
        let interfaces = self.networks.iter().map(|(device, data)| Interface {
            device: device.to_string_lossy().into(),
            receive_bytes: data.total_received(),
            receive_errors: data.total_errors_on_received(),
            receive_packets: data.total_packets_received(),
            transmit_bytes: data.total_transmitted(),
            transmit_errors: data.total_errors_on_transmitted(),
            transmit_packets: data.total_packets_transmitted(),
        });
        let mut interfaces: Vec<Interface> = interfaces.collect();
        interfaces.sort_by(|one, other| one.device.cmp(&other.device));
        some(interfaces, "the system lists no network interface")
    }

    fn temperature(&mut self) -> Result<Vec<Temperature>, Missing> {
        let Some(components) = &mut self.components else {
            return Err(Missing::new(Reason::NotConfigured, "sources.host.temperature is false"));
        };
        components.refresh(true);
        let all = components.iter().filter_map(|component| {
            let celsius = |value: Option<f32>| value.filter(|value| value.is_finite()).map(f64::from);
            Some(Temperature {
                sensor: component.label().into(),
                current: celsius(component.temperature())?,
                critical: celsius(component.critical()),
            })
        });
        let mut all: Vec<Temperature> = all.collect();
        all.sort_by(|one, other| one.sensor.cmp(&other.sensor));
        all.dedup_by(|one, other| one.sensor == other.sensor);
        some(all, "the system shows no temperature (it may need administrator's rights)")
    }
}

impl Platform {
    fn of(system: &System) -> Self {
        Self {
            system: System::name().ok(),
            release: System::kernel_version().ok(),
            machine: System::cpu_arch(),
            processor: system.cpus().first().map(|cpu| cpu.brand().trim().to_owned()).filter(|brand| !brand.is_empty()),
            hostname: System::host_name().ok(),
            distribution: System::long_os_version().ok(),
            cores: System::physical_core_count().ok(),
        }
    }
}

fn loadavg() -> Result<[f64; 3], Missing> {
    if cfg!(windows) {
        return Err(Missing::new(Reason::NoSensor, "Windows has no load average"));
    }
    let load = System::load_average().map_err(|error| missing(&error))?;
    Ok([load.one, load.five, load.fifteen])
}

fn time() -> Result<Time, Missing> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_err(|_| Missing::new(Reason::Unreadable, "the system clock stands before 1970"))?;
    Ok(Time { now: now.as_secs_f64(), boot: System::boot_time().ok().filter(|&boot| boot > 0) })
}

fn some<T>(rows: Vec<T>, nothing: &str) -> Result<Vec<T>, Missing> {
    if rows.is_empty() { Err(Missing::new(Reason::NoSensor, nothing)) } else { Ok(rows) }
}

fn missing(error: &Error) -> Missing {
    Missing::new(Reason::Unreadable, error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn host() -> Host {
        Host::open(&HostOptions::default(), &Context::default()).unwrap()
    }

    #[test]
    fn cpu_usage_is_missing_until_there_are_two_samples() {
        let mut host = host();
        assert_eq!(host.sample().unwrap().cpu.missing().map(|missing| missing.reason), Some(Reason::Stale));
        let reading = host.sample().unwrap();
        let cpus = reading.cpu.value().unwrap();
        assert!(!cpus.is_empty() && cpus.iter().all(|cpu| (0.0..=1.0).contains(&cpu.ratio)), "{cpus:?}");
    }

    #[test]
    fn what_is_there_is_plausible_and_all_groups_are_timed() {
        let reading = host().sample().unwrap();
        let memory = reading.meminfo.value().unwrap();
        assert!(memory.total >= memory.available && memory.available > 0, "{memory:?}");
        assert!(reading.loadavg.value().is_some());
        let names: HashSet<&str> = Host::groups().iter().map(|group| group.name).collect();
        assert_eq!(names, reading.health.iter().map(|health| health.group).collect());
    }

    #[test]
    fn temperatures_can_be_switched_off() {
        let options = HostOptions { temperature: Switch::Off, ..HostOptions::default() };
        let reading = Host::open(&options, &Context::default()).unwrap().sample().unwrap();
        assert_eq!(reading.temperature.missing().map(|missing| missing.reason), Some(Reason::NotConfigured));
    }
}
