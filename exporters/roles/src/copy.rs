//! A file that others rewrite in place: its last good copy, read again when it has changed.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use aura_model::FileStamp;
use serde_json::Value;

use crate::yaml;

/// A larger file is no role's.
const LARGEST: u64 = 4 << 20;

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
    seen: Option<FileStamp>,
}

static READS: AtomicU64 = AtomicU64::new(0);

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
        let stamp = FileStamp::of(&metadata);
        if self.seen == Some(stamp) {
            return;
        }
        match read(&self.path) {
            Ok(value) => {
                self.revise();
                self.good = Some(value);
                self.problem = None;
                self.modified = stamp.modified();
                self.seen = stamp.is_settled().then_some(stamp);
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
