//! The Linux host: one file a collector, one line each to register it.

mod attribute;
mod bonding;
mod cpu;
mod dmi;
mod edac;
mod file;
mod filesystem;
#[cfg(test)]
mod golden;
mod hwmon;
mod kernel_hung;
mod loadavg;
mod mdadm;
mod names;
mod netclass;
mod nvme;
mod os;
mod powersupplyclass;
mod rapl;
mod scan;
mod selinux;
mod textfile;
mod thermal_zone;
mod time;
mod timex;
mod uname;
mod watchdog;

use std::{sync::Arc, time::Instant};

use aura_model::{Context, Group, GroupHealth, Missing, Section, Source, declare, walk};
use serde::Serialize;

use self::file::Buffer;
pub use self::{
    bonding::{Bond, Bonding},
    cpu::Cpu,
    dmi::Dmi,
    edac::{Edac, EdacChannel, EdacController, EdacErrors},
    filesystem::{Filesystem, Filesystems, Usage},
    hwmon::{Hwmon, Temperature},
    kernel_hung::KernelHung,
    loadavg::Loadavg,
    mdadm::{MdArray, MdRedundancy, Mdadm},
    netclass::{Interface, InterfaceDetails, Netclass},
    nvme::{Nvme, NvmeController, NvmeNamespace},
    os::Os,
    powersupplyclass::{PowerSupplies, PowerSupply},
    rapl::{Rapl, RaplZone},
    selinux::Selinux,
    textfile::Textfile,
    thermal_zone::{CoolingDevice, Thermal, Zone},
    time::{Clocksource, Time},
    timex::Timex,
    uname::Uname,
    watchdog::{Watchdog, WatchdogTimer},
};
use crate::HostOptions;

/// One of node_exporter's collectors: its files kept open, its reading.
trait Collector: Sized {
    /// What it reads.
    type Reading;

    /// Prepares to read. Never fails: a file that is missing now may appear later (a module is loaded, a
    /// device plugged in), so each `read` says afresh what is there.
    fn open(options: &HostOptions, context: &Context) -> Self;

    /// Reads.
    fn read(&mut self, buffer: &mut Buffer) -> Result<Self::Reading, Missing>;
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
        }

        /// The host, its files open.
        pub struct Host {
            buffer: Buffer,
            $($name: $reader,)*
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
                },)*]
            }

            fn open(options: &HostOptions, context: &Context) -> Result<Self, Missing> {
                Ok(Self { buffer: Buffer::default(), $($name: <$reader>::open(options, context),)* })
            }

            fn sample(&mut self) -> Result<HostReading, Missing> {
                let mut health = Vec::with_capacity([$(stringify!($name)),*].len());
                $(
                    let start = Instant::now();
                    let $name = Section::from(self.$name.read(&mut self.buffer));
                    health.push(GroupHealth {
                        group: stringify!($name),
                        duration: start.elapsed(),
                        success: $name.value().is_some(),
                    });
                )*
                Ok(HostReading { $($name,)* health })
            }

            fn describe(&self) -> Vec<String> {
                Vec::new()
            }

            fn health(reading: &HostReading) -> Vec<GroupHealth> {
                reading.health.clone()
            }
        }
    };
}

collectors! {
    bonding: bonding::Reader => Bonding, bonding::METRICS;
    cpu: cpu::Reader => Cpu, cpu::METRICS;
    dmi: dmi::Reader => Arc<Dmi>, dmi::METRICS;
    edac: edac::Reader => Edac, edac::METRICS;
    filesystem: filesystem::Reader => Filesystems, filesystem::METRICS;
    hwmon: hwmon::Reader => Hwmon, hwmon::METRICS;
    kernel_hung: kernel_hung::Reader => KernelHung, kernel_hung::METRICS;
    loadavg: loadavg::Reader => Loadavg, loadavg::METRICS;
    mdadm: mdadm::Reader => Mdadm, mdadm::METRICS;
    netclass: netclass::Reader => Netclass, netclass::METRICS;
    nvme: nvme::Reader => Arc<Nvme>, nvme::METRICS;
    os: os::Reader => Arc<Os>, os::METRICS;
    powersupplyclass: powersupplyclass::Reader => Arc<PowerSupplies>, powersupplyclass::METRICS;
    rapl: rapl::Reader => Rapl, rapl::METRICS;
    selinux: selinux::Reader => Selinux, selinux::METRICS;
    textfile: textfile::Reader => Textfile, textfile::METRICS;
    thermal_zone: thermal_zone::Reader => Thermal, thermal_zone::METRICS;
    time: time::Reader => Time, time::METRICS;
    timex: timex::Reader => Timex, timex::METRICS;
    uname: uname::Reader => Arc<Uname>, uname::METRICS;
    watchdog: watchdog::Reader => Arc<Watchdog>, watchdog::METRICS;
}
