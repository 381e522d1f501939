//! The machine's maker, model and firmware, from /sys/class/dmi/id. Written by the firmware at boot, so it is read
//! every ten minutes only. Serial numbers are readable by root alone; those that can't be read are left out.

use std::{path::PathBuf, sync::Arc};

use aura_model::{Context, Metric, Missing, Reason, Unit, gauge};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{attribute, every::Seldom, file::Buffer},
};

/// What the firmware says, by label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dmi {
    /// Label and value, sorted.
    pub facts: Vec<(&'static str, String)>,
    /// Whether the kernel keeps some of it back from us.
    #[serde(skip)]
    pub withheld: bool,
}

/// Labels, which are the files' names but for the last.
const LABELS: [&str; 20] = [
    "bios_date",
    "bios_release",
    "bios_vendor",
    "bios_version",
    "board_asset_tag",
    "board_name",
    "board_serial",
    "board_vendor",
    "board_version",
    "chassis_asset_tag",
    "chassis_serial",
    "chassis_vendor",
    "chassis_version",
    "product_family",
    "product_name",
    "product_serial",
    "product_sku",
    "product_uuid",
    "product_version",
    "system_vendor",
];

pub(super) const METRICS: &[Metric<Arc<Dmi>>] = &[gauge(
    "node_dmi_info",
    "A metric with a constant '1' value labeled by bios_date, bios_release, bios_vendor, bios_version, \
     board_asset_tag, board_name, board_serial, board_vendor, board_version, chassis_asset_tag, chassis_serial, \
     chassis_vendor, chassis_version, product_family, product_name, product_serial, product_sku, product_uuid, \
     product_version, system_vendor if provided by DMI.",
    Unit::None,
    &[],
    |dmi, emit| {
        let labels: Vec<(&str, &str)> = dmi.facts.iter().map(|(label, value)| (*label, value.as_str())).collect();
        emit.labelled("", &labels, true.into());
    },
)];

pub(super) struct Reader {
    folder: PathBuf,
    kept: Seldom<Dmi>,
}

impl Collector for Reader {
    type Reading = Arc<Dmi>;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { folder: context.paths.sysfs.join("class/dmi/id"), kept: Seldom::seconds(600) }
    }

    fn read(&mut self, _: &mut Buffer) -> Result<Arc<Dmi>, Missing> {
        let folder = &self.folder;
        self.kept.get(|| {
            attribute::entries(folder)?;
            let mut withheld = false;
            let fact = |label: &'static str| {
                let file = if label == "system_vendor" { "sys_vendor" } else { label };
                let text = attribute::text(&folder.join(file));
                withheld |= matches!(&text, Err(missing) if missing.reason == Reason::NoPermission);
                Some((label, text.ok()?))
            };
            let facts: Vec<_> = LABELS.into_iter().filter_map(fact).collect();
            if facts.is_empty() {
                return Err(Missing::new(
                    Reason::NoPermission,
                    format!("{}: nothing in it is readable", folder.display()),
                ));
            }
            Ok(Dmi { facts, withheld })
        })
    }

    fn withheld(reading: &Arc<Dmi>) -> Option<String> {
        let help =
            "dmi has no serial numbers, which root alone may read: give the agent CAP_DAC_READ_SEARCH if you want them";
        reading.withheld.then(|| help.to_owned())
    }
}
