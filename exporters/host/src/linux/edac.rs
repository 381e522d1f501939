//! Memory errors that ECC corrected or could not correct. Controllers are listed at each sample, which is cheap: a
//! directory of one or two.

use std::path::PathBuf;

use aura_model::{Context, Metric, Missing, Reason, Unit, counter};
use serde::Serialize;

use super::{Collector, attribute, file::Buffer};
use crate::HostOptions;

/// Errors of one memory controller.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EdacController {
    /// Its number.
    pub controller: String,
    /// Errors, corrected and not, in all.
    pub errors: EdacErrors,
    /// Errors by row of chips; `unknown` for those that the hardware could not place.
    pub rows: Vec<(String, EdacErrors)>,
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

macro_rules! errors {
    ($name:literal, $help:literal, $field:ident) => {
        counter(concat!("node_edac_", $name), $help, Unit::None, &["controller"], |edac, emit| {
            edac.controllers.iter().for_each(|one| emit.maybe(&[&one.controller], one.errors.$field));
        })
    };
    (row $name:literal, $help:literal, $field:ident) => {
        counter(concat!("node_edac_csrow_", $name), $help, Unit::None, &["controller", "csrow"], |edac, emit| {
            for one in &edac.controllers {
                one.rows.iter().for_each(|(row, errors)| emit.maybe(&[&one.controller, row], errors.$field));
            }
        })
    };
}

pub(super) const METRICS: &[Metric<Edac>] = &[
    errors!("correctable_errors_total", "Total correctable memory errors.", correctable),
    errors!(row "correctable_errors_total", "Total correctable memory errors for this csrow.", correctable),
    errors!(row "uncorrectable_errors_total", "Total uncorrectable memory errors for this csrow.", uncorrectable),
    errors!("uncorrectable_errors_total", "Total uncorrectable memory errors.", uncorrectable),
];

pub(super) struct Reader {
    root: PathBuf,
}

impl Collector for Reader {
    type Reading = Edac;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self { root: context.paths.sysfs.join("devices/system/edac/mc") }
    }

    fn read(&mut self, _: &mut Buffer) -> Result<Edac, Missing> {
        let names = attribute::entries(&self.root)?;
        let mut controllers = Vec::new();
        for (name, controller) in attribute::numbered(&names, "mc") {
            let folder = self.root.join(name);
            let errors = |folder: &std::path::Path, suffix: &str| EdacErrors {
                correctable: attribute::number(&folder.join(format!("ce_{suffix}"))).ok(),
                uncorrectable: attribute::number(&folder.join(format!("ue_{suffix}"))).ok(),
            };
            let entries = attribute::entries(&folder)?;
            let mut rows = vec![("unknown".to_owned(), errors(&folder, "noinfo_count"))];
            rows.extend(
                attribute::numbered(&entries, "csrow")
                    .map(|(name, row)| (row.to_owned(), errors(&folder.join(name), "count"))),
            );
            controllers.push(EdacController {
                controller: controller.to_owned(),
                errors: errors(&folder, "count"),
                rows,
            });
        }
        if controllers.is_empty() {
            let detail = format!("{}: no memory controller reports errors (no ECC)", self.root.display());
            return Err(Missing::new(Reason::NoSensor, detail));
        }
        Ok(Edac { controllers })
    }
}
