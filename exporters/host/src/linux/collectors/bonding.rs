//! Bonded interfaces: how many of their slaves have a link. Four bonds with two slaves each are a dozen small
//! reads; bonds and slaves are listed anew at each sample, since a slave that left is what matters here.

use std::path::{Path, PathBuf};

use aura_model::{Context, Metric, Missing, Name, rows};
use serde::Serialize;

use super::{Collector, some};
use crate::{
    HostOptions,
    linux::kernel::{
        attribute,
        file::{Buffer, KeptFile},
        names::Names,
    },
};

/// One bond.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bond {
    /// The bond's interface.
    pub master: Name,
    /// Slaves it was given.
    pub slaves: u64,
    /// Slaves whose link is up.
    pub active: u64,
}

/// All bonds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bonding {
    /// One row a bond.
    pub bonds: Vec<Bond>,
}

pub(super) const METRICS: &[Metric<Bonding>] = rows! { |bonding|
    for bond in &bonding.bonds => { master: bond.master } {
        gauge "node_bonding_active" = bond.active, "Number of active slaves per bonding interface.";
        gauge "node_bonding_slaves" = bond.slaves, "Number of configured slaves per bonding interface.";
    }
};

pub(super) struct Reader {
    net: PathBuf,
    masters: KeptFile,
    names: Names,
}

impl Collector for Reader {
    type Reading = Bonding;

    fn open(_: &HostOptions, context: &Context) -> Self {
        let net = context.paths.sysfs.join("class/net");
        Self { masters: KeptFile::one_line(net.join("bonding_masters")), net, names: Names::default() }
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<Bonding, Missing> {
        let masters = String::from_utf8_lossy(self.masters.read(buffer)?);
        // A bond that can't be read is left out: half its slaves would look like a failure.
        let bonds = masters.split_whitespace().filter_map(|master| {
            let (slaves, active) = count(&self.net.join(master)).ok()?;
            Some(Bond { master: self.names.intern(master.as_bytes()), slaves, active })
        });
        Ok(Bonding { bonds: bonds.collect() })
    }

    fn watched(reading: &Bonding) -> Option<String> {
        some(reading.bonds.len(), "bond")
    }
}

fn count(master: &Path) -> Result<(u64, u64), Missing> {
    let slaves = attribute::text(&master.join("bonding/slaves"))?;
    let (mut all, mut active) = (0, 0);
    for slave in slaves.split_whitespace() {
        let status = |prefix: &str| attribute::text(&master.join(format!("{prefix}_{slave}/bonding_slave/mii_status")));
        // Before Linux 3.14 the links were called slave_.
        let up = status("lower").or_else(|_| status("slave"))? == "up";
        all += 1;
        active += u64::from(up);
    }
    Ok((all, active))
}
