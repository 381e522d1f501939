//! One file a collector, one line each to register it.

mod arp;
mod bonding;
mod conntrack;
mod cpu;
mod cpufreq;
mod diskstats;
mod dmi;
mod edac;
mod entropy;
mod exporter;
mod filefd;
mod filesystem;
mod hwmon;
mod kernel_hung;
mod loadavg;
mod mdadm;
mod meminfo;
mod meminfo_numa;
mod netclass;
mod netdev;
mod netstat;
mod nvme;
mod os;
mod powersupplyclass;
mod pressure;
mod processes;
mod rapl;
mod schedstat;
mod selinux;
mod sockstat;
mod softnet;
mod stat;
#[cfg(test)]
mod tests;
mod textfile;
mod thermal_zone;
mod time;
mod timex;
mod udp_queues;
mod uname;
mod vmstat;
mod watchdog;

use std::{sync::Arc, time::Instant};

use aura_model::{Context, Group, GroupHealth, Missing, Reason, Section, Source, Switch, declare, walk};
use serde::Serialize;

pub use self::{
    arp::Arp,
    bonding::{Bond, Bonding},
    conntrack::{COLUMNS as CONNTRACK_COLUMNS, Conntrack, Statistics as ConntrackStatistics},
    cpu::{Cpu, CpuTime, MODES, Topology},
    cpufreq::{CpuFrequency, Cpufreq},
    diskstats::{Disk, DiskFilesystem, DiskInfo, Diskstats, Io, Mapper},
    dmi::Dmi,
    edac::{Edac, EdacChannel, EdacController, EdacErrors},
    entropy::Entropy,
    filefd::Filefd,
    filesystem::{Filesystem, Filesystems, Usage},
    hwmon::{Hwmon, Temperature},
    kernel_hung::KernelHung,
    loadavg::Loadavg,
    mdadm::{MdArray, MdRedundancy, Mdadm},
    meminfo::Meminfo,
    meminfo_numa::{MeminfoNuma, NumaNode},
    netclass::{Interface, InterfaceDetails, Netclass},
    netdev::{Netdev, NetworkDevice, Received, Sent},
    netstat::Netstat,
    nvme::{Nvme, NvmeController, NvmeNamespace},
    os::Os,
    powersupplyclass::{PowerSupplies, PowerSupply},
    pressure::{Pressure, Stall, Waiting},
    processes::{Process, ProcessCounts, Processes},
    rapl::{Rapl, RaplZone},
    schedstat::{Schedstat, ScheduledCpu},
    selinux::Selinux,
    sockstat::Sockstat,
    softnet::{Softnet, SoftnetCpu},
    textfile::Textfile,
    thermal_zone::{CoolingDevice, Thermal, Zone},
    time::{Clocksource, Time},
    timex::Timex,
    udp_queues::{Queues, UdpQueues},
    uname::Uname,
    vmstat::Vmstat,
    watchdog::{Watchdog, WatchdogTimer},
};
use crate::{
    HostOptions,
    linux::kernel::{file::Buffer, stat::Stat},
};

/// One of node_exporter's collectors: its files kept open, its reading.
trait Collector: Sized {
    /// What it reads.
    type Reading;

    /// Whether it is read only when `collectors.enable` names it, as node_exporter has it.
    const OPT_IN: bool = false;

    /// Prepares to read. Never fails: a file that is missing now may appear later (a module is loaded, a
    /// device plugged in), so each `read` says afresh what is there.
    fn open(options: &HostOptions, context: &Context) -> Self;

    /// Reads.
    fn read(&mut self, buffer: &mut Buffer) -> Result<Self::Reading, Missing>;

    /// What the log says is watched (`4 CPUs`), where that is worth saying.
    fn watched(_: &Self::Reading) -> Option<String> {
        None
    }

    /// What the log says is kept back from us, and how to grant it.
    fn withheld(_: &Self::Reading) -> Option<String> {
        None
    }
}

/// Registers the collectors: module, which is field and `collect[]` name too, and reading.
macro_rules! collectors {
    ($($name:ident: $reading:ty;)*) => {
        /// Everything read from the host at one moment; what could not be read says why.
        #[derive(Debug, Serialize)]
        pub struct HostReading {
            $(
                #[doc = concat!("What the `", stringify!($name), "` collector read.")]
                pub $name: Section<$reading>,
            )*
            /// How each collector fared, in the order in which they were read.
            #[serde(skip)]
            pub health: Vec<GroupHealth>,
            /// Whether `temperature` is `true` in the configuration.
            #[serde(skip)]
            temperature_expected: bool,
        }

        impl HostReading {
            /// The collectors that have no reading, and why.
            pub fn missing(&self) -> impl Iterator<Item = (&'static str, &Missing)> {
                [$((stringify!($name), self.$name.missing()),)*]
                    .into_iter()
                    .filter_map(|(name, missing)| Some((name, missing?)))
            }
        }

        /// Every collector's name.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// The host, its files open. A collector that is switched off is not there.
        pub struct Host {
            buffer: Buffer,
            temperature_expected: bool,
            $($name: Option<$name::Reader>,)*
        }

        impl Source for Host {
            type Options = HostOptions;
            type Reading = HostReading;

            const NAME: &'static str = "host";
            const PART: &'static str = "node";

            fn groups() -> &'static [Group<HostReading>] {
                &[$(Group {
                    name: stringify!($name),
                    walk: |host, emit| {
                        if let Some(reading) = host.$name.value() {
                            walk($name::METRICS, reading, emit);
                        }
                    },
                    declare: |show| declare($name::METRICS, show),
                },)*
                Group {
                    name: "exporter",
                    walk: |host, emit| walk(exporter::METRICS, &host.health, emit),
                    declare: |show| declare(exporter::METRICS, show),
                }]
            }

            fn open(options: &HostOptions, context: &Context) -> Result<Self, Missing> {
                Ok(Self {
                    buffer: Buffer::default(),
                    temperature_expected: options.temperature == Switch::On,
                    $($name: options
                        .collectors
                        .reads(stringify!($name), <$name::Reader>::OPT_IN)
                        .then(|| <$name::Reader>::open(options, context)),)*
                })
            }

            fn sample(&mut self) -> Result<HostReading, Missing> {
                let mut health = Vec::with_capacity(NAMES.len());
                $(
                    let $name = match &mut self.$name {
                        None => switched_off(stringify!($name), <$name::Reader>::OPT_IN),
                        Some(reader) => {
                            let start = Instant::now();
                            let section = Section::from(reader.read(&mut self.buffer));
                            health.push(GroupHealth {
                                group: stringify!($name),
                                duration: start.elapsed(),
                                success: section.value().is_some(),
                            });
                            section
                        }
                    };
                )*
                Ok(HostReading { $($name,)* health, temperature_expected: self.temperature_expected })
            }

            fn describe(reading: &HostReading) -> Vec<String> {
                let watched = [$(reading.$name.value().and_then(<$name::Reader>::watched),)*];
                let withheld = [$(reading.$name.value().and_then(<$name::Reader>::withheld),)*];
                let mut phrases = describe(&watched, reading.missing());
                phrases.extend(withheld.into_iter().flatten().chain(reading.no_temperature()));
                phrases
            }
        }
    };
}

collectors! {
    arp: Arp;
    bonding: Bonding;
    conntrack: Conntrack;
    cpu: Cpu;
    cpufreq: Cpufreq;
    diskstats: Diskstats;
    dmi: Arc<Dmi>;
    edac: Arc<Edac>;
    entropy: Entropy;
    filefd: Filefd;
    filesystem: Filesystems;
    hwmon: Hwmon;
    kernel_hung: KernelHung;
    loadavg: Loadavg;
    mdadm: Mdadm;
    meminfo: Meminfo;
    meminfo_numa: MeminfoNuma;
    netclass: Netclass;
    netdev: Netdev;
    netstat: Netstat;
    nvme: Arc<Nvme>;
    os: Arc<Os>;
    powersupplyclass: Arc<PowerSupplies>;
    pressure: Pressure;
    processes: Arc<Processes>;
    rapl: Rapl;
    schedstat: Schedstat;
    selinux: Selinux;
    sockstat: Sockstat;
    softnet: Softnet;
    stat: Stat;
    textfile: Textfile;
    thermal_zone: Thermal;
    time: Time;
    timex: Timex;
    udp_queues: UdpQueues;
    uname: Arc<Uname>;
    vmstat: Vmstat;
    watchdog: Arc<Watchdog>;
}

impl HostReading {
    /// What is wrong if somebody counts on temperatures and there are none.
    fn no_temperature(&self) -> Option<String> {
        let there = self.hwmon.value().is_some_and(|hwmon| hwmon.temperatures().next().is_some())
            || self.thermal_zone.value().is_some_and(|thermal| !thermal.zones.is_empty());
        (self.temperature_expected && !there).then(|| {
            let why = self.hwmon.missing().map_or("no chip shows one".to_owned(), |missing| missing.detail.clone());
            format!("no temperature, though sources.host.temperature is true: {why} (is the sensor's module loaded?)")
        })
    }
}

fn switched_off<T>(name: &str, opt_in: bool) -> Section<T> {
    let detail = if opt_in {
        format!("off: name {name} in collectors.enable to read it")
    } else {
        format!("off: collectors.disable names {name}")
    };
    Section::off(Reason::NotConfigured, detail)
}

/// One phrase for what is watched, one for what this box does not have, one for each thing that failed.
fn describe<'a>(watched: &[Option<String>], missing: impl Iterator<Item = (&'static str, &'a Missing)>) -> Vec<String> {
    let watched: Vec<&str> = watched.iter().flatten().map(String::as_str).collect();
    let (mut absent, mut off, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (name, missing) in missing {
        match missing.reason {
            Reason::NoSensor => absent.push(name),
            Reason::NotConfigured => off.push(name),
            _ => failed.push(format!("{name} not watched: {missing}")),
        }
    }
    let lists = [("watching", watched), ("not on this machine:", absent), ("switched off:", off)];
    let phrases = lists.into_iter().filter(|(_, list)| !list.is_empty());
    phrases.map(|(phrase, list)| format!("{phrase} {}", list.join(", "))).chain(failed).collect()
}

/// The same, and nothing of none.
fn some(number: usize, thing: &str) -> Option<String> {
    (number > 0).then(|| count(number, thing))
}

/// `1 disk`, `2 disks`.
fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
