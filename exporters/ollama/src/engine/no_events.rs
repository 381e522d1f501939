//! Other systems than Linux tell nobody of new processes in this way.

use std::{io, path::Path};

use super::processes::Process;

/// What the kernel tells of engines: nothing.
pub(super) struct Events;

impl Events {
    /// # Errors
    /// Always.
    pub(super) fn listen(_: &Path) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux tells of new processes"))
    }

    pub(super) fn take(&self) -> Vec<Process> {
        Vec::new()
    }

    pub(super) fn watch(&self, _: Vec<u32>) {}
}
