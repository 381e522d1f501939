//! Whether a file is still the one that was read.

use std::{
    fs::Metadata,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A file written so shortly before it was read may change again without its times showing it.
const SETTLED: Duration = Duration::from_secs(2);

/// What changes when a file is written or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    size: u64,
    modified: Option<SystemTime>,
    /// Inode and time of its last change of any kind, or of its birth where the system has neither: a copy may keep the
    /// time of its content.
    #[cfg(unix)]
    changed: (u64, i64, i64),
    #[cfg(not(unix))]
    changed: Option<SystemTime>,
}

impl FileStamp {
    /// The stamp of the file that this is said of.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let changed = {
            use std::os::unix::fs::MetadataExt;
            (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        };
        #[cfg(not(unix))]
        let changed = metadata.created().ok();
        Self { size: metadata.len(), modified: metadata.modified().ok(), changed }
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// When it was written, in Unix seconds.
    #[must_use]
    pub fn modified(&self) -> Option<f64> {
        Some(self.modified?.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
    }

    /// Whether a later change would show: its times have passed by more than the coarsest clock of a file system.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        #[cfg(unix)]
        let changed = u64::try_from(self.changed.1).ok().map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds + 1));
        #[cfg(not(unix))]
        let changed = self.changed;
        let is_old = |time: SystemTime| SystemTime::now().duration_since(time).is_ok_and(|age| age > SETTLED);
        self.modified.is_some_and(is_old) && changed.is_some_and(is_old)
    }
}
