//! Memory errors that ECC corrected or could not correct. They are rare, and a file each for each row and channel:
//! all are read every ten seconds.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use aura_model::{Context, Metric, Missing, Reason, rows};
use serde::Serialize;

use super::{Collector, some};
use crate::{
    HostOptions,
    linux::kernel::{attribute, every::Seldom, file::Buffer},
};

/// Errors of one memory controller.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EdacController {
    /// `0` of `mc0`.
    pub controller: String,
    /// Errors, corrected and not, in all.
    pub errors: EdacErrors,
    /// Errors by row of chips; `unknown` for those that the hardware could not place.
    pub rows: Vec<(String, EdacErrors)>,
    /// Errors by channel of a row, which is a memory module.
    pub channels: Vec<EdacChannel>,
}

/// Errors of one channel of a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EdacChannel {
    /// The row.
    pub row: String,
    /// The channel.
    pub channel: String,
    /// The module's name on the board, or `unknown`.
    pub module: String,
    /// Its errors.
    pub errors: EdacErrors,
}

/// Two counters since the driver was loaded; missing where the driver has none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EdacErrors {
    /// Corrected.
    pub correctable: Option<i64>,
    /// Not corrected: data was lost.
    pub uncorrectable: Option<i64>,
}

/// All memory controllers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edac {
    /// One row a controller.
    pub controllers: Vec<EdacController>,
}

pub(super) const METRICS: &[Metric<Arc<Edac>>] = rows! { |edac|
    for one in &edac.controllers, EdacChannel { row, channel, module, errors } in &one.channels
        => { controller: one.controller, csrow: row, channel, dimm_label: module } {
        counter "node_edac_channel_correctable_errors_total" = errors.correctable,
            "Total correctable memory errors for this channel.";
        counter "node_edac_channel_uncorrectable_errors_total" = errors.uncorrectable,
            "Total uncorrectable memory errors for this channel.";
    }
    for one in &edac.controllers => { controller: one.controller } {
        counter "node_edac_correctable_errors_total" = one.errors.correctable, "Total correctable memory errors.";
    }
    for one in &edac.controllers, (row, errors) in &one.rows => { controller: one.controller, csrow: row } {
        counter "node_edac_csrow_correctable_errors_total" = errors.correctable,
            "Total correctable memory errors for this csrow.";
        counter "node_edac_csrow_uncorrectable_errors_total" = errors.uncorrectable,
            "Total uncorrectable memory errors for this csrow.";
    }
    for one in &edac.controllers => { controller: one.controller } {
        counter "node_edac_uncorrectable_errors_total" = one.errors.uncorrectable, "Total uncorrectable memory errors.";
    }
};

pub(super) struct Reader {
    root: PathBuf,
    kept: Seldom<Edac>,
}

impl Collector for Reader {
    type Reading = Arc<Edac>;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { root: context.paths.sysfs.join("devices/system/edac/mc"), kept: Seldom::seconds(10) }
    }

    fn read(&mut self, _: &mut Buffer) -> Result<Arc<Edac>, Missing> {
        self.kept.get(|| Edac::read(&self.root))
    }

    fn watched(reading: &Arc<Edac>) -> Option<String> {
        some(reading.controllers.len(), "ECC memory controller")
    }
}

impl Edac {
    fn read(root: &Path) -> Result<Self, Missing> {
        let mut controllers = Vec::new();
        for (controller, folder) in attribute::numbered(root, "mc")? {
            let errors = |folder: &Path, suffix: &str| EdacErrors {
                correctable: attribute::number(&folder.join(format!("ce_{suffix}"))).ok(),
                uncorrectable: attribute::number(&folder.join(format!("ue_{suffix}"))).ok(),
            };
            let mut rows = vec![("unknown".to_owned(), errors(&folder, "noinfo_count"))];
            let mut channels = Vec::new();
            for (row, folder) in attribute::numbered(&folder, "csrow")? {
                let row = row.to_string();
                channels.extend(channels_of(&folder, &row));
                rows.push((row, errors(&folder, "count")));
            }
            let (controller, errors) = (controller.to_string(), errors(&folder, "count"));
            controllers.push(EdacController { controller, errors, rows, channels });
        }
        if controllers.is_empty() {
            let detail = format!("{}: no memory controller reports errors (no ECC)", root.display());
            return Err(Missing::new(Reason::NoSensor, detail));
        }
        Ok(Self { controllers })
    }
}

/// `ch0_ce_count` and `ch0_dimm_label` in the folder of a row.
fn channels_of(folder: &Path, row: &str) -> Vec<EdacChannel> {
    let files = attribute::entries(folder).unwrap_or_default();
    let channels = files.iter().filter_map(|file| file.strip_prefix("ch")?.strip_suffix("_ce_count"));
    channels
        .filter(|channel| channel.parse::<u32>().is_ok())
        .map(|channel| {
            let path = |file: &str| folder.join(format!("ch{channel}_{file}"));
            let label = attribute::text(&path("dimm_label")).ok().filter(|label| !label.is_empty());
            // The name as node_exporter writes it: `CPU#1_csrow0` becomes `CPU1__csrow0`.
            let module = label.map_or_else(
                || "unknown".to_owned(),
                |label| label.replace('#', "").replace("csrow", "_csrow").replace("channel", "_channel"),
            );
            let errors = EdacErrors {
                correctable: attribute::number(&path("ce_count")).ok(),
                uncorrectable: attribute::number(&path("ue_count")).ok(),
            };
            EdacChannel { row: row.to_owned(), channel: channel.to_owned(), module, errors }
        })
        .collect()
}
