//! Folders of sysfs: what cannot be read is not there. A driver offers a file only if the card has what is in it.

use std::{
    fs::{self, File},
    io::Read,
    path::PathBuf,
};

/// A folder.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The last part of its path.
    pub(super) fn name(&self) -> &str {
        self.0.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The last part of what it is a link to; of its own path when that cannot be told.
    pub(super) fn real_name(&self) -> String {
        let path = fs::canonicalize(&self.0).unwrap_or_else(|_| self.0.clone());
        path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// A folder below.
    pub(super) fn folder(&self, path: &str) -> Self {
        Self(self.0.join(path))
    }

    /// The device behind a card.
    pub(super) fn device(&self) -> Self {
        self.folder("device")
    }

    /// The card's hardware monitor.
    pub(super) fn hwmon(&self) -> Option<Self> {
        let folder = self.folder("device/hwmon");
        let name = folder.entries().into_iter().find(|name| name.starts_with("hwmon"))?;
        Some(folder.folder(&name))
    }

    /// What is in it, sorted.
    pub(super) fn entries(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Vec::new() };
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// A file's text without the white space around it. The kernel hands out at most one page.
    pub(super) fn text(&self, file: &str) -> Option<String> {
        let mut page = [0; 4096];
        let length = File::open(self.0.join(file)).and_then(|mut file| file.read(&mut page)).ok()?;
        Some(String::from_utf8_lossy(page[..length].trim_ascii()).into_owned())
    }

    /// A file's number.
    pub(super) fn number(&self, file: &str) -> Option<u64> {
        self.text(file)?.parse().ok()
    }

    /// A file's number, in a unit that is so much larger.
    #[expect(clippy::cast_precision_loss, reason = "sensors")]
    pub(super) fn scaled(&self, file: &str, unit: f64) -> Option<f64> {
        Some(self.text(file)?.parse::<i64>().ok()? as f64 / unit)
    }
}
