//! Opening what may be anything.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::OFlags;

/// Opens a log to read it. What else may stand in its place is refused: whoever opens a pipe waits until somebody writes
/// to it, and would wait for ever.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("a pipe, a folder or a device, and no file"))
    }
}
