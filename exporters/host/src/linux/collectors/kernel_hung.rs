//! Tasks that hung for longer than the kernel's timeout (120 s by default), counted since boot by Linux 6.15 and
//! later.

use aura_model::{Context, Metric, Missing, rows};
use serde::Serialize;

use super::Collector;
use crate::{
    HostOptions,
    linux::kernel::{
        file::{Buffer, KeptFile},
        scan::number,
    },
};

/// The count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KernelHung {
    /// Tasks found hanging.
    pub detected: u64,
}

pub(super) const METRICS: &[Metric<KernelHung>] = rows! { |hung|
    counter "node_kernel_hung_tasks_total" = hung.detected,
        "Total number of tasks that have been detected as hung since the system booted.";
};

pub(super) struct Reader(KeptFile);

impl Collector for Reader {
    type Reading = KernelHung;

    fn open(_: &HostOptions, context: &Context) -> Self {
        Self(KeptFile::new(context.paths.procfs.join("sys/kernel/hung_task_detect_count")))
    }

    fn read(&mut self, buffer: &mut Buffer) -> Result<KernelHung, Missing> {
        let detected = number(self.0.read(buffer)?.trim_ascii());
        detected.map(|detected| KernelHung { detected }).ok_or_else(|| self.0.unreadable("a number"))
    }
}
