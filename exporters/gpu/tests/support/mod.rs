//! A reading as a page of metrics.

use aura_gpu::{GpuReading, Gpus};
use aura_model::Source;
use aura_tests::page;

/// All metrics of a reading in text format, without escaping and help.
pub(crate) fn text(reading: &GpuReading) -> String {
    let text = page(|emit| Gpus::groups().iter().for_each(|group| (group.walk)(reading, emit)));
    let text: String =
        text.lines().filter(|line| !line.starts_with("# HELP")).map(|line| format!("{line}\n")).collect();
    text.replace(&format!("hostname={:?}", &*reading.hostname), "hostname=\"HOST\"")
}
