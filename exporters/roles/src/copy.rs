//! A file that others rewrite in place: its last good copy, read again when it has changed.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::yaml;

/// A larger file is no role's.
const LARGEST: u64 = 4 << 20;
/// A file written so shortly before it was read may change again without its times showing it.
const SETTLED: Duration = Duration::from_secs(2);

/// A file's last good copy.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) path: PathBuf,
    /// What it held when it last made sense.
    pub(crate) good: Option<Value>,
    /// What is wrong with it now.
    pub(crate) problem: Option<String>,
    /// When the good copy was written, in Unix seconds.
    pub(crate) modified: Option<f64>,
    /// Another one whenever the file was read anew, or could not be; no two reads of any files have the same.
    pub(crate) revision: u64,
    seen: Option<Mark>,
}

static READS: AtomicU64 = AtomicU64::new(0);

/// What tells that a file has changed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    size: u64,
    modified: Option<SystemTime>,
    /// Inode and time of its last change of any kind, or of its birth where the system has neither.
    #[cfg(unix)]
    changed: (u64, i64, i64),
    #[cfg(not(unix))]
    changed: Option<SystemTime>,
}

impl Mark {
    fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        let changed = {
            use std::os::unix::fs::MetadataExt;
            (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        };
        #[cfg(not(unix))]
        let changed = metadata.created().ok();
        Self { size: metadata.len(), modified: metadata.modified().ok(), changed }
    }

    /// Whether a later change would show. A copy that keeps the old time of its content was changed all the same.
    fn is_settled(&self) -> bool {
        #[cfg(unix)]
        let changed = u64::try_from(self.changed.1).ok().map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds + 1));
        #[cfg(not(unix))]
        let changed = self.changed;
        let is_old = |time: SystemTime| SystemTime::now().duration_since(time).is_ok_and(|age| age > SETTLED);
        self.modified.is_some_and(is_old) && changed.is_some_and(is_old)
    }
}

impl Copy {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, good: None, problem: None, modified: None, revision: 0, seen: None }
    }

    /// Looks at the file. A file that is gone takes its copy with it; one that is half written does not.
    pub(crate) fn look(&mut self) {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.good.is_some() || self.problem.is_some() {
                    *self = Self::new(std::mem::take(&mut self.path));
                    self.revise();
                }
                return;
            }
            Err(error) => {
                self.fail(error.to_string());
                return;
            }
        };
        if !metadata.is_file() {
            // To open a pipe could take for ever.
            self.fail("no regular file".to_owned());
            return;
        }
        let mark = Mark::of(&metadata);
        if self.seen == Some(mark) {
            return;
        }
        match read(&self.path) {
            Ok(value) => {
                self.revise();
                self.good = Some(value);
                self.problem = None;
                let modified = metadata.modified().ok();
                self.modified = modified.and_then(|time| Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs_f64()));
                self.seen = mark.is_settled().then_some(mark);
            }
            Err(problem) => self.fail(problem),
        }
    }

    fn fail(&mut self, problem: String) {
        self.revise();
        self.problem = Some(problem);
        self.seen = None;
    }

    fn revise(&mut self) {
        self.revision = READS.fetch_add(1, Ordering::Relaxed) + 1;
    }
}

fn read(path: &Path) -> Result<Value, String> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > LARGEST {
        return Err(format!("larger than {} MiB", LARGEST >> 20));
    }
    let text = String::from_utf8_lossy(aura_model::unmarked(&text)?);
    let value = match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => yaml::parse(&text)?,
        _ => serde_json::from_str(&text).map_err(|error| format!("no JSON, or half written: {error}"))?,
    };
    if value.is_object() { Ok(value) } else { Err("no object with keys, or half written".to_owned()) }
}
