//! The Linux host: one file a collector, one line each to register it.

mod arp;
mod attribute;
mod bonding;
mod conntrack;
mod cpu;
mod cpu_model;
mod cpufreq;
mod diskstats;
mod dmi;
mod edac;
mod entropy;
mod every;
mod exporter;
mod fields;
mod file;
mod filefd;
mod filesystem;
mod filter;
mod hwmon;
mod kernel_hung;
mod loadavg;
mod mdadm;
mod meminfo;
mod meminfo_numa;
mod names;
mod netclass;
mod netdev;
mod netstat;
mod nvme;
mod os;
mod powersupplyclass;
mod pressure;
mod processes;
mod rapl;
mod scan;
mod schedstat;
mod selinux;
mod sockstat;
mod softnet;
mod stat;
#[cfg(test)]
mod testing;
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

use self::file::Buffer;
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
    fields::Fields,
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
    stat::Stat,
    textfile::Textfile,
    thermal_zone::{CoolingDevice, Thermal, Zone},
    time::{Clocksource, Time},
    timex::Timex,
    udp_queues::{Queues, UdpQueues},
    uname::Uname,
    vmstat::Vmstat,
    watchdog::{Watchdog, WatchdogTimer},
};
use crate::HostOptions;

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

/// Registers the collectors: field and `collect[]` name, reader, reading, metrics.
macro_rules! collectors {
    ($($name:ident: $reader:ty => $reading:ty, $metrics:path;)*) => {
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
            $($name: Option<$reader>,)*
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
                            walk($metrics, reading, emit);
                        }
                    },
                    declare: |show| declare($metrics, show),
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
                        .reads(stringify!($name), <$reader>::OPT_IN)
                        .then(|| <$reader>::open(options, context)),)*
                })
            }

            fn sample(&mut self) -> Result<HostReading, Missing> {
                let mut health = Vec::with_capacity(NAMES.len());
                $(
                    let $name = match &mut self.$name {
                        None => switched_off(stringify!($name), <$reader>::OPT_IN),
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
                let watched = [$(reading.$name.value().and_then(<$reader>::watched),)*];
                let withheld = [$(reading.$name.value().and_then(<$reader>::withheld),)*];
                let mut phrases = describe(&watched, reading.missing());
                phrases.extend(withheld.into_iter().flatten().chain(reading.no_temperature()));
                phrases
            }
        }
    };
}

collectors! {
    arp: arp::Reader => Arp, arp::METRICS;
    bonding: bonding::Reader => Bonding, bonding::METRICS;
    conntrack: conntrack::Reader => Conntrack, conntrack::METRICS;
    cpu: cpu::Reader => Cpu, cpu::METRICS;
    cpufreq: cpufreq::Reader => Cpufreq, cpufreq::METRICS;
    diskstats: diskstats::Reader => Diskstats, diskstats::METRICS;
    dmi: dmi::Reader => Arc<Dmi>, dmi::METRICS;
    edac: edac::Reader => Arc<Edac>, edac::METRICS;
    entropy: entropy::Reader => Entropy, entropy::METRICS;
    filefd: filefd::Reader => Filefd, filefd::METRICS;
    filesystem: filesystem::Reader => Filesystems, filesystem::METRICS;
    hwmon: hwmon::Reader => Hwmon, hwmon::METRICS;
    kernel_hung: kernel_hung::Reader => KernelHung, kernel_hung::METRICS;
    loadavg: loadavg::Reader => Loadavg, loadavg::METRICS;
    mdadm: mdadm::Reader => Mdadm, mdadm::METRICS;
    meminfo: meminfo::Reader => Meminfo, meminfo::METRICS;
    meminfo_numa: meminfo_numa::Reader => MeminfoNuma, meminfo_numa::METRICS;
    netclass: netclass::Reader => Netclass, netclass::METRICS;
    netdev: netdev::Reader => Netdev, netdev::METRICS;
    netstat: netstat::Reader => Netstat, netstat::METRICS;
    nvme: nvme::Reader => Arc<Nvme>, nvme::METRICS;
    os: os::Reader => Arc<Os>, os::METRICS;
    powersupplyclass: powersupplyclass::Reader => Arc<PowerSupplies>, powersupplyclass::METRICS;
    pressure: pressure::Reader => Pressure, pressure::METRICS;
    processes: processes::Reader => Arc<Processes>, processes::METRICS;
    rapl: rapl::Reader => Rapl, rapl::METRICS;
    schedstat: schedstat::Reader => Schedstat, schedstat::METRICS;
    selinux: selinux::Reader => Selinux, selinux::METRICS;
    sockstat: sockstat::Reader => Sockstat, sockstat::METRICS;
    softnet: softnet::Reader => Softnet, softnet::METRICS;
    stat: stat::Reader => Stat, stat::METRICS;
    textfile: textfile::Reader => Textfile, textfile::METRICS;
    thermal_zone: thermal_zone::Reader => Thermal, thermal_zone::METRICS;
    time: time::Reader => Time, time::METRICS;
    timex: timex::Reader => Timex, timex::METRICS;
    udp_queues: udp_queues::Reader => UdpQueues, udp_queues::METRICS;
    uname: uname::Reader => Arc<Uname>, uname::METRICS;
    vmstat: vmstat::Reader => Vmstat, vmstat::METRICS;
    watchdog: watchdog::Reader => Arc<Watchdog>, watchdog::METRICS;
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

#[cfg(test)]
mod tests {
    use aura_model::Kind;

    use super::{testing::context, *};
    use crate::options::CollectorOptions;

    #[test]
    fn a_collector_that_is_switched_off_is_not_read_and_says_so() {
        let collectors = CollectorOptions { disable: vec!["loadavg".into()], ..Default::default() };
        let options = HostOptions { collectors, ..Default::default() };
        let reading = Host::open(&options, &context("vm-6.18")).unwrap().sample().unwrap();
        assert!(reading.cpu.value().is_some());
        assert_eq!(reading.loadavg.missing().unwrap().reason, Reason::NotConfigured);
        assert!(reading.health.iter().all(|health| health.group != "loadavg"));
        assert_eq!(
            describe(&[Some("2 CPUs".into()), None], reading.missing().filter(|(name, _)| *name == "loadavg")),
            ["watching 2 CPUs", "switched off: loadavg"]
        );
    }

    #[test]
    fn the_log_says_what_is_watched_and_what_is_not_and_why() {
        let no_sensor = Missing::new(Reason::NoSensor, "/sys/class/hwmon: No such file or directory");
        let refused = Missing::new(Reason::NoPermission, "/proc/x: Permission denied");
        assert_eq!(
            describe(
                &[Some(count(1, "disk")), Some(count(2, "CPU"))],
                [("hwmon", &no_sensor), ("x", &refused)].into_iter()
            ),
            [
                "watching 1 disk, 2 CPUs",
                "not on this machine: hwmon",
                "x not watched: /proc/x: Permission denied (no_permission)"
            ]
        );
    }

    #[test]
    fn temperature_may_be_switched_off_and_may_be_expected() {
        let describe = |tree, temperature| {
            let options = HostOptions { temperature, ..Default::default() };
            let reading = Host::open(&options, &context(tree)).unwrap().sample().unwrap();
            let off = [reading.hwmon.missing(), reading.thermal_zone.missing()];
            let off = off.map(|missing| missing.is_some_and(|missing| missing.reason == Reason::NotConfigured));
            (off, Host::describe(&reading).join("\n"))
        };
        let complains = |text: &str| text.contains("no temperature, though sources.host.temperature is true");
        for tree in ["workstation-6.1", "vm-6.18"] {
            let (off, text) = describe(tree, Switch::Off);
            let line = text.lines().find(|line| line.starts_with("switched off:")).unwrap();
            assert!(off == [true, true] && line.contains("hwmon") && line.contains("thermal_zone"), "{text}");
            let (off, text) = describe(tree, Switch::Auto);
            assert!(off == [false, false] && !complains(&text), "{text}");
            let (off, text) = describe(tree, Switch::On);
            assert!(off == [false, false] && complains(&text) == (tree == "vm-6.18"), "{text}");
        }
    }

    #[test]
    fn the_log_counts_what_is_there() {
        let reading = testing::sample("server-4.19");
        let watched = Host::describe(&reading).swap_remove(0);
        for phrase in ["1 bond", "RAID array", "ECC memory controller", "file systems", "sensors"] {
            assert!(watched.contains(phrase), "{phrase}: {watched}");
        }
    }

    fn families() -> Vec<(&'static str, aura_model::Family<'static>)> {
        let mut families = Vec::new();
        for group in Host::groups() {
            (group.declare)(&mut |family| families.push((group.name, *family)));
        }
        families
    }

    #[test]
    fn every_metric_is_declared_once_and_explained() {
        let families = families();
        for (at, (group, family)) in families.iter().enumerate() {
            let name = family.name;
            assert!((name.starts_with("node_") || name == "*") && !family.help.is_empty(), "{group}: {name}");
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'*');
            assert!(name.bytes().all(allowed), "{group}: {name}");
            assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{group}: {name}");
            assert!(families[..at].iter().all(|(_, other)| other.name != name), "{name} is declared twice");
        }
    }

    /// Expressions in public alerts match these on all labels: one label more on one side silences them.
    #[test]
    fn partners_have_the_same_labels() {
        let families = families();
        let labels =
            |name: &str| families.iter().find(|(_, family)| family.name == name).map(|(_, family)| family.labels);
        for (one, other) in [
            ("node_filefd_allocated", "node_filefd_maximum"),
            ("node_network_receive_errs_total", "node_network_receive_packets_total"),
            ("node_network_transmit_errs_total", "node_network_transmit_packets_total"),
            ("node_nf_conntrack_entries", "node_nf_conntrack_entries_limit"),
        ] {
            assert!(labels(one).is_some() && labels(one) == labels(other), "{one} and {other}");
        }
    }

    /// What node-mixin's alerts, rules and dashboards ask of these collectors, with the labels that they use.
    #[test]
    fn the_public_dashboards_find_their_metrics() {
        let text = testing::output("vm-6.18", NAMES);
        for series in [
            "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"}",
            "node_disk_io_time_seconds_total{device=\"vda\"}",
            "node_disk_io_time_weighted_seconds_total{device=\"vda\"}",
            "node_disk_read_bytes_total{device=\"vda\"}",
            "node_disk_written_bytes_total{device=\"vda\"}",
            "node_filefd_allocated",
            "node_filefd_maximum",
            "node_load1",
            "node_load15",
            "node_load5",
            "node_memory_Buffers_bytes",
            "node_memory_Cached_bytes",
            "node_memory_MemAvailable_bytes",
            "node_memory_MemFree_bytes",
            "node_memory_MemTotal_bytes",
            "node_memory_Slab_bytes",
            "node_network_receive_bytes_total{device=\"eth0\"}",
            "node_network_receive_drop_total{device=\"eth0\"}",
            "node_network_receive_errs_total{device=\"eth0\"}",
            "node_network_receive_packets_total{device=\"eth0\"}",
            "node_network_transmit_bytes_total{device=\"eth0\"}",
            "node_network_transmit_drop_total{device=\"eth0\"}",
            "node_network_transmit_errs_total{device=\"eth0\"}",
            "node_network_transmit_packets_total{device=\"eth0\"}",
            "node_nf_conntrack_entries",
            "node_nf_conntrack_entries_limit",
            "node_vmstat_pgmajfault",
        ] {
            assert!(text.lines().any(|line| line.starts_with(&format!("{series} "))), "{series}");
        }
    }
}
