//! An installation that writes and rotates its log as installations do.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use aura_audit::{Audit, AuditOptions, AuditReading, FileOptions};
use aura_model::{Context, Interval, Paths, Source};
use flate2::{Compression, write::GzEncoder};

/// How a log is rotated.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rotation {
    /// Renamed; the next line makes a new file.
    Rename,
    /// Renamed, and there is a new file at once.
    RenameAndCreate,
    /// Renamed, packed and deleted.
    Pack,
    /// Copied, then cut.
    CopyAndCut,
}

/// A folder with a log in it.
pub(crate) struct Installation {
    pub(crate) live: PathBuf,
    pub(crate) storage: PathBuf,
    /// What was written, by kind.
    pub(crate) written: BTreeMap<String, u64>,
    /// Whether the time of each look is over when it begins, as on a machine that has no time for the agent.
    pub(crate) hurried: bool,
    lines: u64,
    unfinished: Option<String>,
}

impl Installation {
    pub(crate) fn new(folder: &Path) -> Self {
        let (live, storage) = (folder.join("events.jsonl"), folder.join("storage"));
        Self { live, storage, written: BTreeMap::new(), hurried: false, lines: 0, unfinished: None }
    }

    pub(crate) fn options(&self) -> AuditOptions {
        let file = FileOptions { path: self.live.clone(), ..FileOptions::default() };
        let mut options = AuditOptions { files: vec![file], ..AuditOptions::default() };
        if self.hurried {
            (options.interval, options.timeout) = (Interval::from_millis(1), Interval::from_millis(1));
        }
        options
    }

    pub(crate) fn open(&self) -> Audit {
        let context = Context::new(Paths::default()).with_storage(Some(self.storage.clone()));
        Audit::open(&self.options(), &context).unwrap()
    }

    fn line(&mut self, kind: u8) -> String {
        self.lines += 1;
        let kind = format!("kind_{kind}");
        *self.written.entry(kind.clone()).or_default() += 1;
        format!("{{\"ts\": {}.5, \"id\": {}, \"type\": \"{kind}\"}}\n", 1_700_000_000 + self.lines, self.lines)
    }

    pub(crate) fn append(&mut self, kind: u8) {
        self.finish_line();
        let line = self.line(kind);
        self.write(&line);
    }

    /// Writes half of a line; the rest comes with the next.
    pub(crate) fn append_half(&mut self, kind: u8) {
        self.finish_line();
        let mut line = self.line(kind);
        let rest = line.split_off(line.len() / 2);
        self.write(&line);
        self.unfinished = Some(rest);
    }

    pub(crate) fn finish_line(&mut self) {
        if let Some(rest) = self.unfinished.take() {
            self.write(&rest);
        }
    }

    fn write(&self, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.live).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// A writer that still has the renamed file open.
    pub(crate) fn append_late(&mut self, kind: u8) {
        let line = self.line(kind);
        let mut file = OpenOptions::new().append(true).open(self.archive(1)).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }

    pub(crate) fn archive(&self, number: usize) -> PathBuf {
        self.live.with_extension(format!("{number}.jsonl"))
    }

    /// True when there was something to rotate.
    pub(crate) fn rotate(&mut self, how: Rotation, keep: usize) -> bool {
        self.finish_line();
        if fs::metadata(&self.live).map_or(0, |metadata| metadata.len()) == 0 {
            return false;
        }
        for number in (1..keep).rev() {
            for suffix in ["", ".gz"] {
                let name = |number| PathBuf::from(format!("{}{suffix}", self.archive(number).display()));
                let _ = fs::rename(name(number), name(number + 1));
            }
        }
        match how {
            Rotation::Rename => fs::rename(&self.live, self.archive(1)).unwrap(),
            Rotation::RenameAndCreate => {
                fs::rename(&self.live, self.archive(1)).unwrap();
                File::create(&self.live).unwrap();
            }
            Rotation::Pack => {
                fs::rename(&self.live, self.archive(1)).unwrap();
                let packed = File::create(format!("{}.gz", self.archive(1).display())).unwrap();
                let mut encoder = GzEncoder::new(packed, Compression::fast());
                encoder.write_all(&fs::read(self.archive(1)).unwrap()).unwrap();
                encoder.finish().unwrap();
                fs::remove_file(self.archive(1)).unwrap();
            }
            Rotation::CopyAndCut => {
                fs::copy(&self.live, self.archive(1)).unwrap();
                OpenOptions::new().write(true).truncate(true).open(&self.live).unwrap();
            }
        }
        true
    }
}

/// What was counted, by kind.
pub(crate) fn counted(reading: &AuditReading) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for events in &reading.logs[0].events {
        *counted.entry(events.kind.clone()).or_default() += events.count;
    }
    counted
}
